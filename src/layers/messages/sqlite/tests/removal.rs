//! Reactions, and what is removed for good.

use std::time::Duration;

use bytes::Bytes;
use rusqlite::Connection;

use super::*;
use crate::hub::Hub;
use crate::layers::messages::MessageQuery;
use crate::layers::messages::Messages;
use crate::layers::messages::MessagesConfig;
use crate::layers::messages::Retention;
use crate::layers::messages::Scope;
use crate::layers::name::Actor;
use crate::layers::rooms::RoomOptions;
use crate::layers::rooms::Rooms;
use crate::layers::rooms::RoomsConfig;

fn tallies(message: &StoredMessage) -> Vec<(&str, u64, Vec<&str>)> {
    let tallies = message.reactions.iter();
    tallies
        .map(|tally| {
            let users = tally.users.iter().map(UserId::as_str).collect();
            (&*tally.reaction, tally.count, users)
        })
        .collect()
}

#[test]
fn reactions_stand_in_the_order_of_their_first() {
    let dir = Dir::new();
    let store = dir.open();
    fill(&store, "a", "ada", 1);
    for (by, reaction, count) in [("bob", "+", 1), ("ada", "-", 1), ("ada", "+", 2)] {
        let written = change(&store, react("a", 1, by, reaction));
        assert_eq!(written, Ok(Written::Reaction(count)));
    }
    assert_eq!(
        change(&store, react("a", 1, "ada", "+")),
        Ok(Written::Nothing)
    );
    let message = get(&store, "a", 1);
    assert_eq!(
        tallies(&message),
        [("+", 2, vec!["bob", "ada"]), ("-", 1, vec!["ada"])]
    );
    // Who was first goes: the other reaction has the earlier first one now.
    assert_eq!(
        change(&store, unreact("a", 1, "bob", "+")),
        Ok(Written::Reaction(1))
    );
    assert_eq!(
        change(&store, unreact("a", 1, "bob", "+")),
        Ok(Written::Nothing)
    );
    let message = get(&store, "a", 1);
    assert_eq!(
        tallies(&message),
        [("-", 1, vec!["ada"]), ("+", 1, vec!["ada"])]
    );
    // The last one goes, and it comes anew.
    assert_eq!(
        change(&store, unreact("a", 1, "ada", "+")),
        Ok(Written::Reaction(0))
    );
    assert_eq!(tallies(&get(&store, "a", 1)), [("-", 1, vec!["ada"])]);
    change(&store, react("a", 1, "cat", "+")).unwrap();
    let message = get(&store, "a", 1);
    assert_eq!(
        tallies(&message),
        [("-", 1, vec!["ada"]), ("+", 1, vec!["cat"])]
    );
}

#[test]
fn a_message_has_so_many_different_reactions() {
    let dir = Dir::new();
    let store = dir.open();
    fill(&store, "a", "ada", 1);
    for reaction in ["1", "2", "3"] {
        change(&store, react("a", 1, "bob", reaction)).unwrap();
    }
    let (what, limit) = ("reactions", 3);
    let fourth = change(&store, react("a", 1, "new", "4"));
    assert_eq!(fourth, Err(StoreError::TooMany { what, limit }));
    assert_eq!(
        change(&store, react("a", 1, "cat", "3")),
        Ok(Written::Reaction(2))
    );
    assert_eq!(
        change(&store, unreact("a", 1, "cat", "9")),
        Ok(Written::Nothing)
    );
    for unknown in [react("a", 2, "bob", "+"), unreact("b", 1, "bob", "+")] {
        assert_eq!(change(&store, unknown), Err(StoreError::UnknownMessage));
    }
}

#[test]
fn reactors_are_read_in_order_and_in_parts() {
    let dir = Dir::new();
    let store = dir.open();
    fill(&store, "a", "ada", 1);
    let names: Vec<_> = (0..20).map(|n| format!("u{}", (n * 7) % 20)).collect();
    for name in &names {
        change(&store, react("a", 1, name, "+")).unwrap();
    }
    let message = get(&store, "a", 1);
    assert_eq!(
        (message.reactions[0].count, message.reactions[0].users.len()),
        (20, 16)
    );
    let part = |after: Option<&str>, limit| {
        let after = after.map(user);
        let room = room("a");
        let users = store.reactors(&room, 1, "+", after.as_ref(), limit);
        users
            .unwrap()
            .iter()
            .map(UserId::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(part(None, 100), names);
    assert_eq!(part(None, usize::MAX), names);
    assert_eq!(part(Some(&names[4]), 3), names[5..8]);
    assert!(part(Some(&names[19]), 3).is_empty());
    assert!(part(Some("nobody"), 3).is_empty());
    assert_eq!(store.reactors(&room("a"), 1, "-", None, 3), Ok(Vec::new()));
    let unknown = store.reactors(&room("a"), 2, "+", None, 3);
    assert_eq!(unknown, Err(StoreError::UnknownMessage));
}

#[test]
fn a_room_is_kept_as_it_is_and_forgotten_with_all_that_is_in_it() {
    let dir = Dir::new();
    let store = dir.open();
    let keep = |name: &str, snapshot: Option<&'static str>| {
        let snapshot = snapshot.map(Bytes::from);
        let room = room(name);
        change(&store, Change::Room { room, snapshot })
    };
    for (name, snapshot) in [("a", "one"), ("b", "two"), ("a", "three")] {
        assert_eq!(keep(name, Some(snapshot)), Ok(Written::Nothing));
    }
    let rooms = [
        (room("a"), Bytes::from("three")),
        (room("b"), Bytes::from("two")),
    ];
    assert_eq!(store.rooms().unwrap(), rooms);
    fill(&store, "a", "ada", 3);
    fill(&store, "b", "ada", 2);
    change(&store, react("a", 1, "bob", "+")).unwrap();
    message(change(&store, edit("a", 1, "new", 9)));
    assert_eq!(keep("a", None), Ok(Written::Nothing));
    assert_eq!(keep("never", None), Ok(Written::Nothing));
    assert_eq!(store.rooms().unwrap(), rooms[1..]);
    assert_eq!(store.last_sequence(&room("a")), Ok(0));
    assert_eq!(store.get(&room("a"), 1), Ok(None));
    assert!(found(&store, "new", &["a", "b"]).is_empty());
    assert_eq!(found(&store, "text", &["a", "b"]), [2, 1]);
    let stats = store.stats().unwrap();
    assert_eq!((stats.messages, stats.rooms), (2, 1));
    let again = save(&store, draft("a", "ada", "new", 1));
    assert_eq!(
        (again.sequence, again.id),
        (1, 6),
        "an id is not given again"
    );
    assert_eq!((again.at, again.reactions.len()), (1, 0));
    assert!(
        store
            .revisions(&room("a"), 1, usize::MAX)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_user_is_forgotten_everywhere() {
    let dir = Dir::new();
    let store = dir.open();
    fill(&store, "a", "ada", 1);
    save(&store, answer("a", 1, "bob", "from bob", 2));
    save(&store, answer("a", 1, "bob", "from bob", 3));
    save(&store, draft("b", "bob", "from bob", 3));
    save(&store, answer("a", 1, "cat", "from cat", 4));
    message(change(&store, delete("a", 2, 4)));
    for (by, reaction) in [("bob", "+"), ("cat", "+"), ("bob", "-")] {
        change(&store, react("a", 1, by, reaction)).unwrap();
    }
    let forgotten = change(&store, Change::ForgetUser(user("bob")));
    assert_eq!(forgotten, Ok(Written::Removed(3)));
    let forgotten = change(&store, Change::ForgetUser(user("bob")));
    assert_eq!(forgotten, Ok(Written::Removed(0)));
    let root = get(&store, "a", 1);
    assert_eq!((root.replies.count, root.replies.last_at), (1, 4));
    assert_eq!(tallies(&root), [("+", 1, vec!["cat"])]);
    assert!(found(&store, "bob", &["a", "b"]).is_empty());
    assert_eq!(store.last_sequence(&room("a")), Ok(4), "numbers are kept");
    assert_eq!(save(&store, draft("b", "bob", "back", 3)).sequence, 2);
    let of_bob = MessageQuery::new(Scope::User(user("bob"), vec![room("a"), room("b")]));
    assert_eq!(sequences(&store.page(&of_bob).unwrap()), [2]);
    let stats = store.stats().unwrap();
    assert_eq!((stats.messages, stats.rooms), (3, 2));
}

#[test]
fn no_name_is_left_of_who_was_forgotten() {
    let dir = Dir::new();
    let store = dir.open();
    save(&store, draft("a", "bob", "x", 1));
    save(&store, draft("a", "ada", "x", 1));
    message(change(&store, delete("a", 1, 4)));
    let users = |store: &SqliteStore| {
        let names = store.read(|db| {
            let mut statement = db.prepare("SELECT name FROM users ORDER BY name")?;
            let names = statement.query_map([], |row| row.get(0))?;
            Ok(names.collect::<rusqlite::Result<Vec<String>>>()?)
        });
        names.unwrap()
    };
    change(&store, Change::ForgetUser(user("mod"))).unwrap();
    assert_eq!(
        users(&store),
        ["ada", "bob", "mod"],
        "a deletion names them"
    );
    change(&store, Change::ForgetUser(user("bob"))).unwrap();
    change(&store, Change::ForgetUser(user("mod"))).unwrap();
    assert_eq!(users(&store), ["ada"]);
}

fn retention(max_age: Option<u64>, max_per_room: Option<u64>) -> Retention {
    Retention {
        max_age: max_age.map(Duration::from_millis),
        max_per_room,
    }
}

#[test]
fn what_is_too_old_goes_first_and_the_oldest_first() {
    let dir = Dir::new();
    let store = dir.open();
    fill(&store, "a", "ada", 10);
    fill(&store, "b", "ada", 10);
    let clean = |retention: &Retention, budget| {
        let cleaned = store.clean(14, retention, budget).unwrap();
        (cleaned.messages, cleaned.more)
    };
    let left = |from| {
        let mut query = MessageQuery::room(room(from));
        query.limit = 100;
        let mut left = sequences(&store.page(&query).unwrap());
        left.reverse();
        left
    };
    assert_eq!(clean(&retention(Some(100), None), 100), (0, false));
    assert_eq!(clean(&retention(None, None), 0), (0, false));
    let old = retention(Some(10), Some(4));
    // Of each room 1 to 3 are too old, and after that 4 to 6 are too many.
    assert_eq!(clean(&old, 0), (0, true));
    assert_eq!(clean(&old, 4), (4, true));
    assert_eq!(
        (left("a"), left("b")),
        ((4..=10).collect(), (2..=10).collect())
    );
    assert_eq!(clean(&old, 3), (3, true));
    assert_eq!(
        (left("a"), left("b")),
        ((5..=10).collect(), (4..=10).collect())
    );
    assert_eq!(clean(&old, 5), (5, false));
    assert_eq!(
        (left("a"), left("b")),
        ((7..=10).collect(), (7..=10).collect())
    );
    assert_eq!(clean(&old, usize::MAX), (0, false));
    assert_eq!(found(&store, "text", &["b"]), [10, 9, 8, 7]);
    assert_eq!(store.stats().unwrap().messages, 8);
    assert_eq!(clean(&retention(Some(0), None), usize::MAX), (8, false));
    assert_eq!(store.last_sequence(&room("a")), Ok(10));
    assert_eq!(save(&store, draft("a", "ada", "x", 1)).sequence, 11);
}

/// How many messages and how many rows of the index there are in the file, whoever may read them.
fn rows(store: &SqliteStore) -> (u64, u64) {
    let counted = store.read(|db| {
        let count = |sql| db.query_row(sql, [], |row| row.get::<_, i64>(0));
        Ok((
            count("SELECT count(*) FROM messages")?,
            count("SELECT count(*) FROM words")?,
        ))
    });
    let (messages, words) = counted.unwrap();
    (messages.cast_unsigned(), words.cast_unsigned())
}

fn forget(store: &SqliteStore, name: &str) {
    let (room, snapshot) = (room(name), None);
    change(store, Change::Room { room, snapshot }).unwrap();
}

#[test]
fn a_room_is_forgotten_at_once_and_goes_bit_by_bit() {
    let dir = Dir::new();
    let store = dir.open();
    fill(&store, "a", "ada", 1000);
    fill(&store, "b", "ada", 10);
    message(change(&store, edit("a", 1, "new", 9)));
    let before = store.writer.lock().connection.total_changes();
    forget(&store, "a");
    let changed = store.writer.lock().connection.total_changes() - before;
    assert!(changed < 3, "{changed} rows, of one transaction");
    assert_eq!(store.get(&room("a"), 1), Ok(None));
    assert_eq!(
        store
            .clean(u64::MAX, &retention(None, Some(10)), 99)
            .unwrap()
            .messages,
        0
    );
    // Another room of that name, which is forgotten as well.
    assert_eq!(save(&store, draft("a", "bob", "anew", 1)).sequence, 1);
    forget(&store, "a");
    assert_eq!(save(&store, draft("a", "bob", "once more", 1)).sequence, 1);
    assert_eq!(rows(&store), (1012, 1012));
    assert_eq!(store.stats().map(|it| (it.messages, it.rooms)), Ok((11, 2)));
    assert_eq!(store.tidy(0), Ok(true));
    assert_eq!(store.tidy(300), Ok(true));
    assert_eq!(rows(&store), (712, 712));
    drop(store);
    let store = dir.open();
    assert_eq!(store.tidy(usize::MAX), Ok(false));
    assert_eq!(rows(&store), (11, 11));
    assert_eq!(store.tidy(0), Ok(false));
    assert_eq!(get(&store, "a", 1).payload, "once more");
    let left = store.read(|db| {
        let rooms = db.query_row("SELECT group_concat(name) FROM rooms", [], |row| row.get(0));
        Ok::<String, _>(rooms?)
    });
    assert_eq!(left.unwrap(), "a,b");
    RoomId::parse("\u{1}1").unwrap_err();
}

#[test]
fn a_user_is_forgotten_in_parts() {
    let dir = Dir::new();
    let store = dir.open();
    fill(&store, "a", "ada", 700);
    fill(&store, "b", "bob", 600);
    fill(&store, "gone", "ada", 5);
    forget(&store, "gone");
    let reactions = (1..=600).map(|sequence| react("b", sequence, "ada", "+"));
    store.write(reactions.collect());
    let part = |budget| {
        let part = store.forget_part(&user("ada"), budget).unwrap();
        (part.messages, part.more)
    };
    assert_eq!(part(0), (0, true));
    assert_eq!(part(300), (300, true));
    assert_eq!(store.stats().unwrap().messages, 1000);
    assert_eq!(get(&store, "b", 1).reactions.len(), 0);
    assert_eq!(get(&store, "b", 600).reactions.len(), 1);
    assert_eq!(part(usize::MAX), (400, false));
    let rest = change(&store, Change::ForgetUser(user("ada")));
    assert_eq!(rest, Ok(Written::Removed(0)));
    assert_eq!(part(9), (0, false));
    assert_eq!(store.stats().unwrap().messages, 600);
    assert_eq!(get(&store, "b", 600).reactions.len(), 0);
}

#[test]
fn no_name_is_left_in_rooms_that_are_gone() {
    let dir = Dir::new();
    let store = dir.open();
    fill(&store, "a", "bob", 2);
    message(change(&store, delete("a", 1, 4)));
    message(change(&store, edit("a", 2, "new", 9)));
    forget(&store, "a");
    for name in ["mod", "ada", "bob"] {
        change(&store, Change::ForgetUser(user(name))).unwrap();
    }
    let left = store.read(|db| {
        let count = db.query_row("SELECT count(*) FROM users", [], |row| row.get(0));
        Ok::<i64, _>(count?)
    });
    assert_eq!(left, Ok(0));
}

#[test]
fn what_a_room_has_left_is_removed_in_time_also_after_the_end() {
    let dir = Dir::new();
    let start = || {
        let rooms = Rooms::new(&Hub::new(), RoomsConfig::new(), |_: &UserId| Vec::new());
        let mut config = MessagesConfig::new();
        config.cleanup_batch = 400;
        let messages = Messages::new(&rooms, dir.open(), config).unwrap();
        (rooms, messages)
    };
    let left = |messages: &Messages| {
        messages.flush();
        let db = Connection::open(dir.file()).unwrap();
        db.query_row("SELECT count(*) FROM messages", [], |row| {
            row.get::<_, i64>(0)
        })
        .unwrap()
    };
    let (rooms, messages) = start();
    let options = RoomOptions::new("a").id(room("a"));
    rooms.create(&Actor::Server, options).unwrap();
    messages.flush();
    drop((rooms, messages));
    fill(&dir.open(), "a", "ada", 900);
    let (rooms, messages) = start();
    rooms.delete(&Actor::Server, &room("a")).unwrap();
    assert_eq!(messages.removed(&room("a")).wait(), Ok(()));
    assert_eq!(left(&messages), 900);
    let due = messages.next_deadline().unwrap();
    messages.tick(due + Duration::from_secs(1));
    // Behind it.
    messages.forget_user(&user("nobody")).wait().unwrap();
    assert_eq!(left(&messages), 500);
    drop((rooms, messages));
    let (_rooms, messages) = start();
    for _ in 0..2 {
        // More than a second, in which others have their turn.
        let due = messages.next_deadline().unwrap();
        messages.tick(due + Duration::from_secs(1));
        messages.forget_user(&user("nobody")).wait().unwrap();
    }
    assert_eq!(left(&messages), 0);
}
