//! Searches, as the index of words is asked.

use std::fmt::Write;

use rusqlite::Connection;

use crate::layers::messages::query::Order;
use crate::layers::messages::query::Page;
use crate::layers::messages::query::Search;
use crate::layers::messages::sqlite::page;
use crate::layers::messages::sqlite::page::Walk;
use crate::layers::messages::sqlite::page::Way;
use crate::layers::messages::terms::Term;
use crate::layers::messages::terms::Terms;

/// The page that is searched for.
pub(super) fn search(db: &Connection, search: &Search) -> rusqlite::Result<Page> {
    let walk = Walk::new(search.cursor, Order::NewestFirst, search.limit);
    let ids = match expression(db, search)? {
        Some(expression) => ids(db, &expression, &walk)?,
        None => Vec::new(),
    };
    walk.page(db, ids)
}

fn ids(db: &Connection, expression: &str, walk: &Walk) -> rusqlite::Result<Vec<i64>> {
    let mut statement = db.prepare_cached(match walk.way() {
        Way::Newer => NEWER,
        Way::Older => OLDER,
    })?;
    let range = walk.range();
    let reach = i64::try_from(walk.reach()).unwrap_or(i64::MAX);
    let values = (expression, range.start(), range.end(), reach);
    let ids = statement.query_map(values, |row| row.get(0))?;
    ids.collect()
}

/// What the index is asked; `None` if nothing can be found.
fn expression(db: &Connection, search: &Search) -> rusqlite::Result<Option<String>> {
    let rooms = page::room_ids(db, &search.rooms)?;
    if rooms.is_empty() {
        return Ok(None);
    }
    let mut expression = String::from("room : (");
    for (index, room) in rooms.iter().enumerate() {
        let or = if index == 0 { "" } else { " OR " };
        // Writing to a string does not fail.
        let _infallible = write!(expression, "{or}r{room}");
    }
    expression.push(')');
    if let Some(user) = &search.user {
        let Some(user) = page::user_id(db, user)? else {
            return Ok(None);
        };
        // As above.
        let _infallible = write!(expression, " AND user : u{user}");
    }
    expression.push_str(" AND text : ");
    expression.push_str(&text(&search.terms));
    Ok(Some(expression))
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
