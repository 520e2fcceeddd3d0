//! How queries are carried out: by indexes, in their order, without looking at every row.

use rusqlite::Connection;
use rusqlite::StatementStatus;

use super::*;
use crate::layers::messages::sqlite::count;
use crate::layers::messages::sqlite::known;
use crate::layers::messages::sqlite::page;
use crate::layers::messages::sqlite::page::Shape;
use crate::layers::messages::sqlite::page::Threads;
use crate::layers::messages::sqlite::react;
use crate::layers::messages::sqlite::remove;
use crate::layers::messages::sqlite::row;
use crate::layers::messages::sqlite::save;
use crate::layers::messages::sqlite::search;
use crate::layers::messages::sqlite::write;
use crate::layers::messages::walk::Way;

/// A store with something of everything in it.
fn populated(dir: &Dir) -> SqliteStore {
    let store = dir.open();
    fill(&store, "a", "ada", 50);
    fill(&store, "b", "bob", 50);
    for sequence in 1..40 {
        save(&store, answer("a", sequence, "bob", "answer", 60));
        change(&store, react("a", sequence, "bob", "+")).unwrap();
        change(&store, react("a", sequence, "ada", "+")).unwrap();
        message(change(&store, edit("a", sequence, "edited", 60)));
        message(change(&store, delete("b", sequence, 60)));
    }
    store
}

/// The steps of a query, as the planner tells them.
fn plan(db: &Connection, sql: &str) -> Vec<String> {
    let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    // What is not bound is NULL; the planner does not look.
    let mut rows = statement.raw_query();
    let mut steps = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        steps.push(row.get(3).unwrap());
    }
    steps
}

fn shapes() -> Vec<String> {
    let mut shapes = Vec::new();
    for threads in [Threads::All, Threads::One(1), Threads::Roots] {
        for (by_user, by_event) in [(false, false), (true, false), (false, true), (true, true)] {
            let shape = |way| Shape {
                by_user,
                by_event,
                threads,
                way,
            };
            shapes.extend([Way::Newer, Way::Older].map(|way| shape(way).sql()));
        }
    }
    shapes
}

#[test]
fn no_query_looks_at_every_row_or_sorts() {
    let dir = Dir::new();
    let store = populated(&dir);
    let shapes = shapes();
    let others = [
        count::UNREAD,
        known::ROOM,
        page::FROM,
        page::UNTIL,
        react::PLACE,
        react::TALLY,
        react::UNREACT,
        remove::AGED,
        remove::BY_USER,
        remove::BURIED,
        remove::BURY,
        remove::FORGET,
        remove::OLDEST,
        remove::REACTED_BY,
        remove::REMOVE,
        remove::UNKEEP,
        remove::UNNAME_DELETER,
        remove::UNNAME_EDITOR,
        row::REVISIONS,
        row::FIND,
        row::MESSAGE,
        row::REACTORS,
        row::ROOM,
        row::TALLIES,
        row::USER,
        save::ANSWERED,
        save::COUNT,
        save::DELETE,
        save::EDIT,
        save::ROOT,
        save::SUPERSEDE,
        save::UNANSWERED,
        write::TARGET,
    ];
    let all = shapes.iter().map(String::as_str).chain(others);
    for sql in all {
        let steps = store.read(|db| Ok(plan(db, sql))).unwrap();
        assert!(!steps.is_empty(), "{sql}");
        // The few reactions of one message.
        let may_sort = sql == row::TALLIES;
        for step in &steps {
            let sorts = step.contains("TEMP B-TREE") && !may_sort;
            // The one row that counts those of another query.
            let is_whole = step.starts_with("SCAN") && !step.starts_with("SCAN (subquery");
            assert!(!is_whole && !sorts, "{sql}\n{steps:#?}");
        }
    }
}

#[test]
fn what_looks_at_all_rooms_looks_at_no_message_that_is_not_meant() {
    let dir = Dir::new();
    let store = populated(&dir);
    let of_rooms = [remove::AGED_ROOMS, remove::FULL_ROOMS, count::STATS];
    let of_words = [
        search::NEWER,
        search::NEWER_OF_ROOMS,
        search::OLDER,
        search::OLDER_OF_ROOMS,
    ];
    for sql in of_rooms.into_iter().chain(of_words) {
        let steps = store.read(|db| Ok(plan(db, sql))).unwrap();
        for step in &steps {
            let of_rooms = ["SCAN rooms", "SCAN r"].contains(&step.as_str());
            // With what it is narrowed by after the colon.
            let is_asked = step.contains(" VIRTUAL TABLE INDEX ") && !step.ends_with(':');
            let is_known = of_rooms || is_asked || step.starts_with("SCAN json_each");
            assert!(!step.starts_with("SCAN") || is_known, "{sql}\n{steps:#?}");
            assert!(!step.contains("TEMP B-TREE"), "{sql}\n{steps:#?}");
        }
    }
}

#[test]
fn what_goes_with_a_row_is_found_by_indexes_too() {
    let dir = Dir::new();
    let store = populated(&dir);
    let writer = store.writer.lock();
    let db = &writer.connection;
    let scanned = |sql: &str, values: &dyn Fn(&mut rusqlite::Statement<'_>)| {
        let mut statement = db.prepare(sql).unwrap();
        values(&mut statement);
        let mut rows = statement.raw_query();
        while rows.next().unwrap().is_some() {}
        drop(rows);
        statement.get_status(StatementStatus::FullscanStep)
    };
    let first = |statement: &mut rusqlite::Statement<'_>| {
        statement.raw_bind_parameter(1, 1).unwrap();
    };
    let emptied = "DELETE FROM messages INDEXED BY messages_by_room WHERE room = ?1";
    for sql in [remove::REMOVE, emptied, remove::FORGET] {
        assert_eq!(scanned(sql, &first), 0, "{sql}");
    }
    assert_eq!(scanned("DELETE FROM rooms WHERE id = ?1", &first), 0);
    assert!(
        scanned("SELECT sum(at + ?1) FROM messages", &first) > 10,
        "it does count"
    );
}
