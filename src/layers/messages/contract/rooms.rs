//! What is kept of rooms and users, what is unread, and what forgetting leaves: nothing.

use super::support::answer;
use super::support::by;
use super::support::delete;
use super::support::edit;
use super::support::found;
use super::support::get;
use super::support::numbered;
use super::support::numbers;
use super::support::page;
use super::support::react;
use super::support::room;
use super::support::save;
use super::support::save_many;
use super::support::text;
use super::support::user;
use super::support::write;
use crate::layers::messages::error::StoreError;
use crate::layers::messages::query::MessageQuery;
use crate::layers::messages::query::Scope;
use crate::layers::messages::store::Change;
use crate::layers::messages::store::MessageStore;
use crate::layers::messages::store::Written;

fn snapshot(store: &dyn MessageStore, of: &str, is: Option<&'static str>) {
    let change = Change::Room {
        room: room(of),
        snapshot: is.map(Into::into),
    };
    assert_eq!(write(store, change), Ok(Written::Nothing));
}

fn snapshots(store: &dyn MessageStore) -> Vec<(String, Vec<u8>)> {
    let mut rooms = store.rooms().unwrap();
    rooms.sort();
    let rooms = rooms.into_iter();
    rooms
        .map(|(id, is)| (id.to_string(), is.to_vec()))
        .collect()
}

pub(in super::super) fn snapshots_are_kept_until_replaced(store: &dyn MessageStore) {
    let row = |of: &str, is: &str| (of.to_owned(), is.as_bytes().to_vec());
    save_many(store, "a", 2);
    assert_eq!(snapshots(store), []);
    snapshot(store, "b", Some("b1"));
    snapshot(store, "a", Some(""));
    assert_eq!(snapshots(store), [row("a", ""), row("b", "b1")]);
    snapshot(store, "b", Some("b2"));
    assert_eq!(snapshots(store), [row("a", ""), row("b", "b2")]);
    snapshot(store, "nowhere", None);
    snapshot(store, "b", None);
    assert_eq!(snapshots(store), [row("a", "")]);
    assert_eq!(
        numbers(&page(store, &MessageQuery::room(room("a")))),
        [2, 1]
    );
    assert_eq!(save(store, text("a", "next", 5)).sequence, 3);
    assert_eq!(store.stats().unwrap().rooms, 1, "those with messages");
}

pub(in super::super) fn a_forgotten_room_leaves_nothing(store: &dyn MessageStore) {
    save(store, numbered(7, by("ada", text("a", "old words", 50))));
    save(store, answer(7, by("ada", text("a", "answer", 51))));
    save(store, by("ada", text("b", "other words", 1)));
    write(store, edit("a", 7, "new words", 60)).unwrap();
    write(store, react("a", 7, "bob", "+")).unwrap();
    write(store, delete("a", 8, 61)).unwrap();
    snapshot(store, "a", Some("it"));
    snapshot(store, "a", None);
    assert_eq!(get(store, "a", 7), None);
    assert_eq!(snapshots(store), []);
    assert_eq!(store.last_sequence(&room("a")), Ok(0));
    assert_eq!(
        numbers(&page(store, &MessageQuery::room(room("a")))),
        [0; 0]
    );
    let of_ada = MessageQuery::new(Scope::User(user("ada"), vec![room("a"), room("b")]));
    assert_eq!(page(store, &of_ada).messages.len(), 1);
    assert_eq!(found(store, "words", "a"), [0; 0]);
    let revisions = store.revisions(&room("a"), 7, usize::MAX);
    assert_eq!(revisions, Err(StoreError::UnknownMessage));
    assert_eq!(store.stats().map(|it| (it.messages, it.rooms)), Ok((1, 1)));

    let first = save(store, by("ada", text("a", "anew", 2)));
    assert_eq!((first.sequence, first.at, first.edits), (1, 2, 0));
    save(store, numbered(7, text("a", "seventh", 3)));
    assert_eq!(get(store, "a", 7).unwrap().reactions, []);
    assert_eq!(store.revisions(&room("a"), 7, usize::MAX), Ok(vec![]));
    let removed = write(store, Change::ForgetUser(user("ada")));
    assert_eq!(removed, Ok(Written::Removed(2)));
    write(store, Change::ForgetUser(user("bob"))).unwrap();
}

pub(in super::super) fn a_forgotten_user_leaves_nothing(store: &dyn MessageStore) {
    for (place, name) in [("a", "ada"), ("a", "bob"), ("b", "ada"), ("a", "ada")] {
        save(store, by(name, text(place, "words", 1)));
    }
    for (name, reaction) in [("ada", "+"), ("bob", "+"), ("ada", "-")] {
        write(store, react("a", 2, name, reaction)).unwrap();
    }
    write(store, react("a", 1, "bob", "+")).unwrap();
    write(store, edit("a", 3, "more words", 2)).unwrap();
    write(store, delete("a", 1, 3)).unwrap();
    let gone = write(store, Change::ForgetUser(user("ada")));
    assert_eq!(gone, Ok(Written::Removed(3)), "deleted ones as well");
    let all = page(store, &MessageQuery::room(room("a")));
    assert_eq!(numbers(&all), [2]);
    assert_eq!(page(store, &MessageQuery::room(room("b"))).messages, []);
    let reactions = &all.messages[0].reactions;
    assert_eq!(reactions.len(), 1);
    assert_eq!(reactions[0].users, [user("bob")]);
    assert_eq!(reactions[0].count, 1);
    assert_eq!((get(store, "a", 1), get(store, "a", 3)), (None, None));
    assert_eq!(found(store, "words", "a"), [2]);
    assert_eq!(found(store, "words", "b"), [0; 0]);
    assert_eq!(store.stats().map(|it| (it.messages, it.rooms)), Ok((1, 1)));

    let gone = write(store, Change::ForgetUser(user("ada")));
    assert_eq!(gone, Ok(Written::Removed(0)));
    for (place, next) in [("a", 4), ("b", 2)] {
        assert_eq!(store.last_sequence(&room(place)), Ok(next - 1));
        let saved = save(store, by("ada", text(place, "again", 9)));
        assert_eq!(saved.sequence, next, "numbers are not given twice");
    }
    let gone = write(store, Change::ForgetUser(user("bob")));
    assert_eq!(gone, Ok(Written::Removed(1)));
}

pub(in super::super) fn unread_counts_what_others_wrote_since(store: &dyn MessageStore) {
    for name in ["ada", "bob", "ada", "bob", "eve"] {
        save(store, by(name, text("a", "m", 1)));
    }
    save(store, text("a", "the server's", 1));
    save(store, numbered(20, by("ada", text("a", "far", 1))));
    let unread = |name: &str, after, most| store.unread(&room("a"), &user(name), after, most);
    assert_eq!(unread("ada", 0, 99), Ok(4));
    assert_eq!(unread("bob", 0, 99), Ok(5));
    assert_eq!(unread("nobody", 0, 99), Ok(7));
    assert_eq!(unread("bob", 3, 99), Ok(3));
    assert_eq!(unread("bob", 10, 99), Ok(1));
    assert_eq!(unread("bob", 20, 99), Ok(0));
    assert_eq!(unread("bob", u64::MAX, 99), Ok(0));
    assert_eq!((unread("bob", 0, 2), unread("bob", 0, 0)), (Ok(2), Ok(0)));
    write(store, delete("a", 1, 5)).unwrap();
    write(store, delete("a", 4, 5)).unwrap();
    assert_eq!((unread("bob", 0, 99), unread("bob", 1, 99)), (Ok(4), Ok(4)));
    assert_eq!(unread("ada", 0, 99), Ok(3));
    write(store, Change::ForgetUser(user("eve"))).unwrap();
    assert_eq!((unread("bob", 0, 99), unread("ada", 0, 99)), (Ok(3), Ok(2)));
    write(store, Change::ForgetUser(user("ada"))).unwrap();
    assert_eq!((unread("bob", 0, 99), unread("eve", 0, 99)), (Ok(1), Ok(2)));
    let elsewhere = store.unread(&room("nowhere"), &user("ada"), 0, 99);
    assert_eq!(elsewhere, Ok(0));
}
