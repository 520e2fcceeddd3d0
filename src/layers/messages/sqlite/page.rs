//! Pages: the ids of what is asked for, and their messages.

use std::ops::RangeInclusive;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::params_from_iter;
use rusqlite::types::Value;

use crate::layers::messages::query::MessageQuery;
use crate::layers::messages::query::Page;
use crate::layers::messages::query::Scope;
use crate::layers::messages::sqlite::row;
use crate::layers::messages::walk::Walk;
use crate::layers::messages::walk::Way;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;

/// The page that is asked for.
pub(super) fn page(db: &Connection, query: &MessageQuery) -> rusqlite::Result<Page> {
    let walk = Walk::of_page(query);
    let ids = match runs(db, query)? {
        Some(runs) => nearest(db, query, &runs, &walk)?,
        None => Vec::new(),
    };
    found(db, &walk, ids)
}

/// The page of the messages that a walk has met.
pub(super) fn found(db: &Connection, walk: &Walk, ids: Vec<i64>) -> rusqlite::Result<Page> {
    let met = ids.into_iter().map(|id| row::load(db, id));
    walk.gather(met.filter_map(Result::transpose))
}

/// Between which ids a walk stays.
pub(super) fn ids(walk: &Walk) -> RangeInclusive<i64> {
    let ids = walk.ids();
    row::int(ids.start)..=row::int(ids.end).saturating_sub(1)
}

/// How many ids it meets at most.
pub(super) fn length(walk: &Walk) -> i64 {
    i64::try_from(walk.length()).unwrap_or(i64::MAX)
}

/// What the messages of each run have in common.
struct Runs {
    rooms: Vec<i64>,
    user: Option<i64>,
    event: Option<String>,
    shape: Shape,
}

impl Runs {
    /// What the shape of a run is filled with.
    fn values(&self, room: i64, bounds: &RangeInclusive<i64>, length: i64) -> Vec<Value> {
        let mut values = vec![room, *bounds.start(), *bounds.end(), length];
        values.extend(self.user);
        if let Threads::One(thread) = self.shape.threads {
            values.push(thread);
        }
        let mut values: Vec<_> = values.into_iter().map(Value::from).collect();
        values.extend(self.event.clone().map(Value::from));
        values
    }
}

/// The runs of a query: a room each. `None` if there can be no messages.
fn runs(db: &Connection, query: &MessageQuery) -> rusqlite::Result<Option<Runs>> {
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
        by_event: query.event.is_some(),
        threads,
        way: Walk::of_page(query).way(),
    };
    let rooms = room_ids(db, rooms)?;
    let event = query.event.as_ref().map(ToString::to_string);
    Ok(Some(Runs {
        rooms,
        user,
        event,
        shape,
    }))
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

/// The nearest ids of all runs, as many as the walk meets. Of each run only those are asked for
/// that are nearer than the farthest of what was found before it.
fn nearest(
    db: &Connection,
    query: &MessageQuery,
    runs: &Runs,
    walk: &Walk,
) -> rusqlite::Result<Vec<i64>> {
    let mut statement = db.prepare_cached(&runs.shape.sql())?;
    let mut found = Vec::new();
    let mut range = ids(walk);
    for &room in &runs.rooms {
        let Some(bounds) = within(db, room, &range, query)? else {
            continue;
        };
        let values = runs.values(room, &bounds, length(walk));
        let met = statement.query_map(params_from_iter(values), |row| row.get(0))?;
        found.extend(met.collect::<rusqlite::Result<Vec<i64>>>()?);
        found.sort_unstable();
        if runs.shape.way == Way::Older {
            found.reverse();
        }
        found.truncate(walk.length());
        if let (Some(&farthest), true) = (found.last(), found.len() == walk.length()) {
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
    query: &MessageQuery,
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
    pub(super) by_event: bool,
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
    /// `?1` the room, `?2` and `?3` the first and the last id, `?4` how many, and from `?5` on the
    /// user, the thread and the event, as far as there are.
    pub(super) fn sql(self) -> String {
        let index = match (self.threads, self.by_user) {
            _ if self.by_event => "messages_by_event",
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
        let before =
            usize::from(self.by_user) + usize::from(matches!(self.threads, Threads::One(_)));
        let event = match self.by_event {
            true => format!("AND event = ?{}", 5 + before),
            false => String::new(),
        };
        let order = match self.way {
            Way::Newer => "ASC",
            Way::Older => "DESC",
        };
        format!(
            "SELECT id FROM messages INDEXED BY {index} WHERE room = ?1 AND id BETWEEN ?2 AND ?3 \
             {user} {thread} {event} ORDER BY id {order} LIMIT ?4"
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
