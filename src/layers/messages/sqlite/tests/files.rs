//! What opening makes of a file.

use rusqlite::Connection;

use super::super::migrations;
use super::super::migrations::APPLICATION_ID;
use super::super::migrations::STEPS;
use super::*;
use crate::layers::messages::MessageQuery;
use crate::layers::messages::sqlite::Durability;
use crate::layers::messages::sqlite::OpenError;

#[test]
fn everything_is_there_when_opened_again() {
    let dir = Dir::new();
    let store = dir.open();
    fill(&store, "a", "ada", 20);
    save(&store, answer("a", 1, "bob", "answer", 30));
    change(&store, react("a", 1, "bob", "+")).unwrap();
    message(change(&store, edit("a", 1, "edited", 31)));
    message(change(&store, delete("a", 2, 32)));
    let snapshot = Some(Bytes::from("snapshot"));
    let kept = Change::Room {
        room: room("a"),
        snapshot,
    };
    change(&store, kept).unwrap();
    let mut query = MessageQuery::room(room("a"));
    query.limit = 100;
    let before = (
        store.page(&query),
        store.rooms(),
        store.revisions(&room("a"), 1, usize::MAX),
    );
    let last = save(&store, draft("b", "ada", "last", 33));
    assert_eq!(
        change(&store, Change::ForgetUser(user("bob"))),
        Ok(Written::Removed(1))
    );
    let forgotten = Change::Room {
        room: room("b"),
        snapshot: None,
    };
    change(&store, forgotten).unwrap();
    drop(store);
    assert!(!dir.log().exists(), "it was taken over");
    let store = dir.open();
    let mut after = (
        store.page(&query),
        store.rooms(),
        store.revisions(&room("a"), 1, usize::MAX),
    );
    let (old, new) = (before.0.unwrap(), after.0.unwrap());
    assert_eq!(
        old.messages[1..20],
        new.messages[..19],
        "but for what was removed since"
    );
    assert_eq!((before.1, before.2), (after.1, after.2));
    assert_eq!(store.last_sequence(&room("a")), Ok(21));
    let next = save(&store, draft("a", "ada", "next", 1));
    assert_eq!((next.sequence, next.id, next.at), (22, last.id + 1, 30));
    assert_eq!(found(&store, "edited", &["a"]), [1]);
    after.0 = store.page(&query);
    assert_eq!(after.0.unwrap().messages.len(), 21);
}

#[test]
fn a_directory_is_open_once() {
    let dir = Dir::new();
    let store = dir.open();
    let error = refused(&dir.0);
    assert!(matches!(error, OpenError::InUse { .. }), "{error:?}");
    assert!(error.to_string().contains("in use"), "{error}");
    drop(store);
    drop(dir.open());
}

#[test]
fn a_directory_that_cannot_be_made_is_told() {
    let dir = Dir::new();
    fs::create_dir_all(&dir.0).unwrap();
    let file = dir.0.join("file");
    fs::write(&file, "").unwrap();
    let error = refused(&file.join("below"));
    assert!(matches!(error, OpenError::Io { .. }), "{error:?}");
    assert!(error.to_string().contains("irectory"), "the cause: {error}");
}

#[test]
fn a_file_of_another_application_is_left_alone() {
    let dir = Dir::new();
    fs::create_dir_all(&dir.0).unwrap();
    let other = |prepare: &str| {
        let _missing = fs::remove_file(dir.file());
        let db = Connection::open(dir.file()).unwrap();
        db.execute_batch(prepare).unwrap();
        drop(db);
        let before = fs::read(dir.file()).unwrap();
        let error = refused(&dir.0);
        assert!(matches!(error, OpenError::NotOurs { .. }), "{error:?}");
        assert!(
            error.to_string().contains("is not a message store"),
            "{error}"
        );
        assert!(fs::read(dir.file()).unwrap() == before, "changed");
    };
    other("CREATE TABLE t (x)");
    other("PRAGMA application_id = 5");
    other("PRAGMA user_version = 5");
    for text in ["This is a letter.", &"x".repeat(5000)] {
        fs::write(dir.file(), text).unwrap();
        let error = refused(&dir.0);
        assert!(matches!(error, OpenError::NotOurs { .. }), "{error:?}");
        assert_eq!(fs::read(dir.file()).unwrap(), text.as_bytes());
    }
    fs::write(dir.file(), "").unwrap();
    save(
        &dir.open(),
        draft("a", "ada", "an empty file is nobody's", 1),
    );
}

#[test]
fn a_newer_file_is_left_alone() {
    let dir = Dir::new();
    save(&dir.open(), draft("a", "ada", "x", 1));
    let db = Connection::open(dir.file()).unwrap();
    db.pragma_update(None, "user_version", 9).unwrap();
    drop(db);
    let before = fs::read(dir.file()).unwrap();
    let error = refused(&dir.0);
    assert!(
        matches!(error, OpenError::Newer { version: 9, .. }),
        "{error:?}"
    );
    assert!(
        error.to_string().contains("use the newer program"),
        "{error}"
    );
    assert!(fs::read(dir.file()).unwrap() == before, "changed");
}

#[test]
fn what_is_refused_keeps_its_log() {
    let dir = Dir::new();
    let store = dir.open();
    fill(&store, "a", "ada", 3);
    let writer = store.writer.lock();
    writer
        .connection
        .pragma_update(None, "user_version", 9)
        .unwrap();
    let left = dir.crash();
    let before = (
        fs::read(left.file()).unwrap(),
        fs::read(left.log()).unwrap(),
    );
    let error = refused(&left.0);
    assert!(matches!(error, OpenError::Newer { .. }), "{error:?}");
    let after = (
        fs::read(left.file()).unwrap(),
        fs::read(left.log()).unwrap(),
    );
    assert!(before == after, "changed");
}

#[test]
fn a_file_of_version_1_is_brought_up_and_read() {
    let dir = Dir::new();
    fs::create_dir_all(&dir.0).unwrap();
    let db = Connection::open(dir.file()).unwrap();
    db.execute_batch(include_str!("version_1.sql")).unwrap();
    drop(db);
    let store = dir.open();
    let root = get(&store, "lobby", 1);
    assert_eq!((&root.payload[..], root.edits), (&b"hello there"[..], 1));
    assert_eq!((root.replies.count, root.replies.last_at), (1, 2000));
    assert_eq!(root.reactions[0].users, [user("bob")]);
    assert_eq!(get(&store, "lobby", 2).thread, Some(1));
    assert_eq!(
        store
            .revisions(&room("lobby"), 1, usize::MAX)
            .unwrap()
            .len(),
        1
    );
    assert_eq!(found(&store, "there", &["lobby"]), [1]);
    assert_eq!(store.rooms().unwrap().len(), 1);
    assert_eq!(root.event, None);
    let next = save(&store, draft("lobby", "cat", "next", 1));
    assert_eq!(
        (next.id, next.sequence, next.at),
        (11, 4, 2500),
        "3 was cleaned away"
    );
    let known = u32::try_from(STEPS.len()).unwrap();
    let owner = store.read(|db| Ok(migrations::owner(db)?)).unwrap();
    assert_eq!(owner, migrations::Owner::Throng(known));
}

#[test]
fn each_step_is_taken_once_and_whole() {
    let mut db = Connection::open_in_memory().unwrap();
    let steps = [
        "CREATE TABLE a (x)",
        "CREATE TABLE b (x); ALTER TABLE a ADD y",
    ];
    migrations::migrate(&mut db, &steps[..1], 0).unwrap();
    assert_eq!(migrations::owner(&db), Ok(migrations::Owner::Throng(1)));
    let broken = [steps[0], "CREATE TABLE b (x); CREATE TABLE a (x)"];
    migrations::migrate(&mut db, &broken, 1).unwrap_err();
    assert_eq!(migrations::owner(&db), Ok(migrations::Owner::Throng(1)));
    for done in [1, 2] {
        migrations::migrate(&mut db, &steps, done).unwrap();
        assert_eq!(migrations::owner(&db), Ok(migrations::Owner::Throng(2)));
    }
    db.execute_batch("SELECT x, y FROM a, b USING (x)").unwrap();
    let id: i32 = db
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .unwrap();
    assert_eq!(id, APPLICATION_ID);
}

/// What nothing else here could tell: the power does not end in a test.
#[test]
fn what_is_written_is_synced_as_was_asked_for() {
    for (sync, level) in [(Durability::Full, 2), (Durability::Normal, 1)] {
        let dir = Dir::new();
        let options = SqliteOptions::default().durability(sync);
        let store = SqliteStore::open(&dir.0, options).unwrap();
        let writer = store.writer.lock();
        let pragma = |name| {
            let connection = &writer.connection;
            let value = connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
            value.unwrap()
        };
        assert_eq!(pragma("synchronous"), level, "{sync:?}");
        let is_full = i64::from(sync == Durability::Full);
        for name in ["fullfsync", "checkpoint_fullfsync"] {
            assert_eq!(pragma(name), is_full, "{name} of {sync:?}");
        }
        let mode: String = writer
            .connection
            .pragma_query_value(None, "journal_mode", |row| row.get(0))
            .unwrap();
        assert_eq!(mode, "wal");
    }
}
