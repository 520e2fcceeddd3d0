//! Which way a page is walked, and where its ends lead: the same for every store.

use std::ops::Range;

use crate::layers::messages::cursor::Cursor;
use crate::layers::messages::query::MessageQuery;
use crate::layers::messages::query::MessageSearch;
use crate::layers::messages::query::Order;
use crate::layers::messages::query::Page;
use crate::layers::messages::record::StoredMessage;

/// A walk along the messages that are asked for, the nearest first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    cursor: Option<Cursor>,
    order: Order,
    limit: usize,
    max_bytes: usize,
}

/// Which way a walk goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Newer,
    Older,
}

impl Walk {
    pub(super) fn of_page(query: &MessageQuery) -> Self {
        Self {
            cursor: query.cursor,
            order: query.order,
            limit: query.bounded(),
            max_bytes: query.max_bytes,
        }
    }

    pub(super) fn of_search(search: &MessageSearch) -> Self {
        Self {
            cursor: search.cursor,
            order: Order::NewestFirst,
            limit: search.limit.clamp(1, MessageQuery::MAX_LIMIT),
            max_bytes: search.max_bytes,
        }
    }

    pub(super) fn way(&self) -> Way {
        match (self.cursor, self.order) {
            (Some(Cursor::Newer(_)), _) | (None, Order::OldestFirst) => Way::Newer,
            (Some(Cursor::Older(_)), _) | (None, Order::NewestFirst) => Way::Older,
        }
    }

    /// Between which ids it stays.
    pub(super) fn ids(&self) -> Range<u64> {
        match self.cursor {
            None => 0..u64::MAX,
            Some(Cursor::Newer(id)) => id.saturating_add(1)..u64::MAX,
            Some(Cursor::Older(id)) => 0..id,
        }
    }

    /// How many messages end it: those of the page, and one to know whether there are more.
    pub(super) fn length(&self) -> usize {
        self.limit + 1
    }

    /// The page of what is met: of that no more is asked for than it takes to know where the page
    /// ends.
    ///
    /// # Errors
    ///
    /// The first of what is met.
    pub(super) fn gather<E>(
        &self,
        met: impl IntoIterator<Item = Result<StoredMessage, E>>,
    ) -> Result<Page, E> {
        let mut page = Vec::new();
        let mut budget = Budget::new(self.max_bytes);
        for message in met {
            let message = message?;
            if page.len() == self.limit || !budget.takes(message.bytes()) {
                return Ok(self.page(page, true));
            }
            page.push(message);
        }
        Ok(self.page(page, false))
    }

    /// The page of these, of which there may be more.
    ///
    /// A cursor is a place between messages. The ends of a page lead away from its first and its
    /// last message; an empty page has both its ends where the cursor was.
    fn page(&self, mut met: Vec<StoredMessage>, has_more: bool) -> Page {
        if self.way() == Way::Older {
            met.reverse();
        }
        let (oldest, newest) = (met.first().map(|it| it.id), met.last().map(|it| it.id));
        if self.order == Order::NewestFirst {
            met.reverse();
        }
        // The ids on both sides of the cursor.
        let (above, below) = match self.cursor {
            None => (None, None),
            Some(Cursor::Newer(id)) => (Some(id.saturating_add(1)), Some(id)),
            Some(Cursor::Older(id)) => (Some(id), Some(id.saturating_sub(1))),
        };
        // Who has come from an older place knows that there was something.
        let has_older = match self.cursor {
            Some(Cursor::Newer(_)) => true,
            None | Some(Cursor::Older(_)) => self.way() == Way::Older && has_more,
        };
        Page {
            messages: met,
            older: oldest.or(above).filter(|_| has_older).map(Cursor::Older),
            newer: newest.or(below).map(Cursor::Newer),
        }
    }
}

/// How many bytes may be given at once.
#[derive(Debug)]
pub(super) struct Budget {
    most: usize,
    given: Option<usize>,
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        Self {
            most: bytes,
            given: None,
        }
    }

    /// Whether something of so many bytes may be given as well. The first may, whatever it is, so
    /// that there is a way past it.
    pub(super) fn takes(&mut self, bytes: usize) -> bool {
        let given = self.given.unwrap_or(0).saturating_add(bytes);
        let takes = self.given.is_none() || given <= self.most;
        self.given = Some(given);
        takes
    }
}
