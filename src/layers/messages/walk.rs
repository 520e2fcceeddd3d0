//! Which way a page is walked, and where its ends lead: the same for every store.

use std::ops::Range;

use crate::layers::messages::cursor::Cursor;
use crate::layers::messages::query::Order;
use crate::layers::messages::query::Page;
use crate::layers::messages::query::Query;
use crate::layers::messages::query::Search;
use crate::layers::messages::record::Stored;

/// A walk along the messages that are asked for, the nearest first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    cursor: Option<Cursor>,
    order: Order,
    limit: usize,
}

/// Which way a walk goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Newer,
    Older,
}

impl Walk {
    pub(super) fn of_page(query: &Query) -> Self {
        Self {
            cursor: query.cursor,
            order: query.order,
            limit: query.bounded(),
        }
    }

    pub(super) fn of_search(search: &Search) -> Self {
        Self {
            cursor: search.cursor,
            order: Order::NewestFirst,
            limit: search.limit.clamp(1, Query::MAX_LIMIT),
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

    /// The page of what was met, at most [`length`](Self::length) of them.
    ///
    /// A cursor is a place between messages. The ends of a page lead away from its first and its
    /// last message; an empty page has both its ends where the cursor was.
    pub(super) fn page(&self, mut met: Vec<Stored>) -> Page {
        let has_more = met.len() > self.limit;
        met.truncate(self.limit);
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
