//! Searches, as the index of words is asked.

use rusqlite::Connection;

use crate::layers::messages::query::MessageSearch;
use crate::layers::messages::query::Page;
use crate::layers::messages::sqlite::page;
use crate::layers::messages::sqlite::write::event_token;
use crate::layers::messages::terms::Term;
use crate::layers::messages::terms::Terms;
use crate::layers::messages::walk::Walk;
use crate::layers::messages::walk::Way;

/// The page that is searched for.
pub(super) fn search(db: &Connection, search: &MessageSearch) -> rusqlite::Result<Page> {
    let walk = Walk::of_search(search);
    let rooms = page::room_ids(db, &search.rooms)?;
    let ids = match expression(db, search, &rooms)? {
        Some(expression) => ids(db, &expression, &rooms, &walk)?,
        None => Vec::new(),
    };
    page::found(db, &walk, ids)
}

/// What the index is asked; `None` if nothing can be found.
fn expression(
    db: &Connection,
    search: &MessageSearch,
    rooms: &[i64],
) -> rusqlite::Result<Option<String>> {
    if rooms.is_empty() {
        return Ok(None);
    }
    let mut parts = Vec::new();
    if rooms.len() <= MOST_ROOMS {
        let tokens: Vec<_> = rooms.iter().map(|room| format!("r{room}")).collect();
        parts.push(format!("room : ({})", tokens.join(" OR ")));
    }
    if let Some(user) = &search.user {
        let Some(user) = page::user_id(db, user)? else {
            return Ok(None);
        };
        parts.push(format!("user : u{user}"));
    }
    if let Some(event) = &search.event {
        parts.push(format!("user : {}", event_token(event)));
    }
    parts.push(format!("text : {}", text(&search.terms)));
    Ok(Some(parts.join(" AND ")))
}

fn ids(
    db: &Connection,
    expression: &str,
    rooms: &[i64],
    walk: &Walk,
) -> rusqlite::Result<Vec<i64>> {
    let (range, length) = (page::ids(walk), page::length(walk));
    let is_narrow = rooms.len() <= MOST_ROOMS;
    let sql = match (walk.way(), is_narrow) {
        (Way::Newer, true) => NEWER,
        (Way::Newer, false) => NEWER_OF_ROOMS,
        (Way::Older, true) => OLDER,
        (Way::Older, false) => OLDER_OF_ROOMS,
    };
    let mut statement = db.prepare_cached(sql)?;
    if is_narrow {
        let values = (expression, range.start(), range.end(), length);
        statement.query_map(values, |row| row.get(0))?.collect()
    } else {
        let rooms = format!("{rooms:?}");
        let values = (expression, range.start(), range.end(), length, rooms);
        statement.query_map(values, |row| row.get(0))?.collect()
    }
}

/// The terms. Words have neither quotes nor anything else that means something in between.
pub(super) fn text(terms: &Terms) -> String {
    let all = |is_excluded| {
        let terms = terms.list().iter();
        terms.filter(move |term| term.is_excluded == is_excluded)
    };
    let wanted: Vec<String> = all(false).map(phrase).collect();
    let excluded: Vec<String> = all(true).map(phrase).collect();
    let wanted = wanted.join(" AND ");
    if excluded.is_empty() {
        return format!("({wanted})");
    }
    format!("(({wanted}) NOT ({}))", excluded.join(" OR "))
}

fn phrase(term: &Term) -> String {
    let star = if term.is_prefix { " *" } else { "" };
    format!("\"{}\"{star}", term.words.join(" "))
}

pub(super) const NEWER: &str = "
    SELECT rowid FROM words WHERE words MATCH ?1 AND rowid BETWEEN ?2 AND ?3
    ORDER BY rowid ASC LIMIT ?4";

pub(super) const OLDER: &str = "
    SELECT rowid FROM words WHERE words MATCH ?1 AND rowid BETWEEN ?2 AND ?3
    ORDER BY rowid DESC LIMIT ?4";

/// As [`NEWER`], in the rooms that are listed as JSON.
pub(super) const NEWER_OF_ROOMS: &str = "
    SELECT w.rowid FROM words w CROSS JOIN messages m ON m.id = w.rowid
    WHERE w.words MATCH ?1 AND w.rowid BETWEEN ?2 AND ?3
    AND m.room IN (SELECT value FROM json_each(?5)) ORDER BY w.rowid ASC LIMIT ?4";

/// As [`OLDER`], in the rooms that are listed as JSON.
pub(super) const OLDER_OF_ROOMS: &str = "
    SELECT w.rowid FROM words w CROSS JOIN messages m ON m.id = w.rowid
    WHERE w.words MATCH ?1 AND w.rowid BETWEEN ?2 AND ?3
    AND m.room IN (SELECT value FROM json_each(?5)) ORDER BY w.rowid DESC LIMIT ?4";

/// How many rooms the index is asked for, each of which takes it some 20 microseconds. Of more,
/// what has the words is looked at one by one.
const MOST_ROOMS: usize = 1000;
