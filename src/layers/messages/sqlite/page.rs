//! Pages: which ids, in which order, and where they go on.

use std::ops::RangeInclusive;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::params_from_iter;

use crate::layers::messages::cursor::Cursor;
use crate::layers::messages::query::Order;
use crate::layers::messages::query::Page;
use crate::layers::messages::query::Query;
use crate::layers::messages::query::Scope;
use crate::layers::messages::sqlite::row;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;

/// Which way ids are walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Newer,
    Older,
}

/// Where a walk begins, which way it goes, and how far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    cursor: Option<Cursor>,
    order: Order,
    limit: usize,
}

impl Walk {
    /// A walk; `limit` as [`Query::limit`].
    pub(super) fn new(cursor: Option<Cursor>, order: Order, limit: usize) -> Self {
        Self {
            cursor,
            order,
            limit: limit.clamp(1, Query::MAX_LIMIT),
        }
    }

    pub(super) fn way(&self) -> Way {
        match (self.cursor, self.order) {
            (Some(Cursor::Newer(_)), _) | (None, Order::OldestFirst) => Way::Newer,
            (Some(Cursor::Older(_)), _) | (None, Order::NewestFirst) => Way::Older,
        }
    }

    /// The ids that may be given.
    pub(super) fn range(&self) -> RangeInclusive<i64> {
        match self.cursor {
            Some(Cursor::Newer(id)) => row::int(id).saturating_add(1)..=i64::MAX,
            Some(Cursor::Older(id)) => 0..=row::int(id).saturating_sub(1),
            None => 0..=i64::MAX,
        }
    }

    /// How many ids are asked for: one more than are given, to see whether there are more.
    pub(super) fn reach(&self) -> usize {
        self.limit + 1
    }

    /// The page of these ids, the nearest first, as many as were asked for.
    pub(super) fn page(&self, db: &Connection, mut ids: Vec<i64>) -> rusqlite::Result<Page> {
        let is_more = ids.len() > self.limit;
        ids.truncate(self.limit);
        let is_newest_first = self.way() == Way::Older;
        if is_newest_first != (self.order == Order::NewestFirst) {
            ids.reverse();
        }
        let smallest = ids.iter().min().copied().map(row::nat);
        let greatest = ids.iter().max().copied().map(row::nat);
        let mut messages = Vec::with_capacity(ids.len());
        for id in ids {
            messages.extend(row::load(db, id)?);
        }
        Ok(Page {
            messages,
            older: self.older(smallest, is_more),
            newer: greatest.map(Cursor::Newer).or_else(|| self.waiting()),
        })
    }

    fn older(&self, smallest: Option<u64>, is_more: bool) -> Option<Cursor> {
        let is_there = match (self.way(), self.cursor) {
            (Way::Older, _) => is_more,
            (Way::Newer, cursor) => cursor.is_some(),
        };
        let before = match (smallest, self.cursor) {
            (None, Some(Cursor::Newer(id))) => Some(id.saturating_add(1)),
            (smallest, _) => smallest,
        };
        before.filter(|_| is_there).map(Cursor::Older)
    }

    /// Where newer ones will come, when none were found: from where the cursor is.
    fn waiting(&self) -> Option<Cursor> {
        self.cursor.map(|cursor| match cursor {
            Cursor::Newer(id) => Cursor::Newer(id),
            Cursor::Older(id) => Cursor::Newer(id.saturating_sub(1)),
        })
    }
}

/// The page that is asked for.
pub(super) fn page(db: &Connection, query: &Query) -> rusqlite::Result<Page> {
    let walk = Walk::new(query.cursor, query.order, query.limit);
    let ids = match runs(db, query)? {
        Some(runs) => nearest(db, query, &runs, &walk)?,
        None => Vec::new(),
    };
    walk.page(db, ids)
}

/// What the messages of each run have in common.
struct Runs {
    rooms: Vec<i64>,
    user: Option<i64>,
    shape: Shape,
}

impl Runs {
    /// What the shape of a run is filled with.
    fn values(&self, room: i64, bounds: &RangeInclusive<i64>, reach: usize) -> Vec<i64> {
        let reach = i64::try_from(reach).unwrap_or(i64::MAX);
        let mut values = vec![room, *bounds.start(), *bounds.end(), reach];
        values.extend(self.user);
        if let Threads::One(thread) = self.shape.threads {
            values.push(thread);
        }
        values
    }
}

/// The runs of a query: a room each. `None` if there can be no messages.
fn runs(db: &Connection, query: &Query) -> rusqlite::Result<Option<Runs>> {
    let (rooms, author, thread) = match &query.scope {
        Scope::Room(room) => (std::slice::from_ref(room), None, None),
        Scope::Thread(room, thread) => (std::slice::from_ref(room), None, Some(*thread)),
        Scope::User(user, rooms) => (rooms.as_slice(), Some(user), None),
    };
    let is_impossible = thread.is_some() && query.roots
        || author.is_some_and(|author| query.user.as_ref().is_some_and(|user| user != author));
    if is_impossible {
        return Ok(None);
    }
    let user = match author.or(query.user.as_ref()) {
        None => None,
        Some(name) => match user_id(db, name)? {
            None => return Ok(None),
            known => known,
        },
    };
    let threads = match (thread, query.roots) {
        (Some(thread), _) => Threads::One(row::int(thread)),
        (None, true) => Threads::Roots,
        (None, false) => Threads::All,
    };
    let shape = Shape {
        by_user: user.is_some(),
        threads,
        way: Walk::new(query.cursor, query.order, query.limit).way(),
    };
    let rooms = room_ids(db, rooms)?;
    Ok(Some(Runs { rooms, user, shape }))
}

/// The ids of those rooms that are known, each once.
pub(super) fn room_ids(db: &Connection, rooms: &[RoomId]) -> rusqlite::Result<Vec<i64>> {
    let known = rooms.iter().map(|room| row::id(db, row::ROOM, room));
    let mut ids: Vec<i64> = known
        .filter_map(Result::transpose)
        .collect::<rusqlite::Result<_>>()?;
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// The id of a user.
pub(super) fn user_id(db: &Connection, user: &UserId) -> rusqlite::Result<Option<i64>> {
    row::id(db, row::USER, user)
}

/// The nearest ids of all runs, as many as the walk reaches. Of each run only those are asked for
/// that are nearer than the farthest of what was found before it.
fn nearest(db: &Connection, query: &Query, runs: &Runs, walk: &Walk) -> rusqlite::Result<Vec<i64>> {
    let mut statement = db.prepare_cached(&runs.shape.sql())?;
    let mut found = Vec::new();
    let mut range = walk.range();
    for &room in &runs.rooms {
        let Some(bounds) = within(db, room, &range, query)? else {
            continue;
        };
        let values = runs.values(room, &bounds, walk.reach());
        let ids = statement.query_map(params_from_iter(values), |row| row.get(0))?;
        found.extend(ids.collect::<rusqlite::Result<Vec<i64>>>()?);
        found.sort_unstable();
        if runs.shape.way == Way::Older {
            found.reverse();
        }
        found.truncate(walk.reach());
        if let (Some(&farthest), true) = (found.last(), found.len() == walk.reach()) {
            range = match runs.shape.way {
                Way::Newer => *range.start()..=farthest,
                Way::Older => farthest..=*range.end(),
            };
        }
    }
    Ok(found)
}

/// The ids of a room within a range and the times asked for: a time never falls within a room.
fn within(
    db: &Connection,
    room: i64,
    range: &RangeInclusive<i64>,
    query: &Query,
) -> rusqlite::Result<Option<RangeInclusive<i64>>> {
    let ask = |sql, at| {
        let mut statement = db.prepare_cached(sql)?;
        let id = statement.query_row((room, row::int(at)), |row| row.get::<_, i64>(0));
        id.optional()
    };
    let (mut first, mut last) = (*range.start(), *range.end());
    if let Some(from) = query.from {
        let Some(id) = ask(FROM, from)? else {
            return Ok(None);
        };
        first = first.max(id);
    }
    if let Some(until) = query.until {
        let Some(id) = ask(UNTIL, until)? else {
            return Ok(None);
        };
        last = last.min(id);
    }
    Ok((first <= last).then_some(first..=last))
}

/// What is asked of a room.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) by_user: bool,
    pub(super) threads: Threads,
    pub(super) way: Way,
}

/// Which threads are asked for.
#[derive(Clone, Copy)]
pub(super) enum Threads {
    All,
    One(i64),
    Roots,
}

impl Shape {
    /// `?1` the room, `?2` and `?3` the first and the last id, `?4` how many, `?5` the user if
    /// there is one, and last the thread if there is one.
    pub(super) fn sql(self) -> String {
        let index = match (self.threads, self.by_user) {
            (Threads::One(_), _) | (Threads::Roots, false) => "messages_by_thread",
            (Threads::All | Threads::Roots, true) => "messages_by_user",
            (Threads::All, false) => "messages_by_room",
        };
        let user = if self.by_user { "AND user = ?5" } else { "" };
        let thread = match (self.threads, self.by_user) {
            (Threads::All, _) => "",
            (Threads::One(_), false) => "AND thread = ?5",
            (Threads::One(_), true) => "AND thread = ?6",
            (Threads::Roots, _) => "AND thread IS NULL",
        };
        let order = match self.way {
            Way::Newer => "ASC",
            Way::Older => "DESC",
        };
        format!(
            "SELECT id FROM messages INDEXED BY {index} WHERE room = ?1 AND id BETWEEN ?2 AND ?3 \
             {user} {thread} ORDER BY id {order} LIMIT ?4"
        )
    }
}

/// The first id of a room from a time on.
pub(super) const FROM: &str = "
    SELECT id FROM messages INDEXED BY messages_by_time WHERE room = ?1 AND at >= ?2
    ORDER BY at, id LIMIT 1";

/// The last id of a room until a time.
pub(super) const UNTIL: &str = "
    SELECT id FROM messages INDEXED BY messages_by_time WHERE room = ?1 AND at <= ?2
    ORDER BY at DESC, id DESC LIMIT 1";
