//! Tests of the store in memory: the contract, and its bounds.

use bytes::Bytes;

use super::MemoryLimits;
use super::MemoryStore;
use crate::layers::messages::contract::contract;
use crate::layers::messages::contract::support::answer;
use crate::layers::messages::contract::support::by;
use crate::layers::messages::contract::support::edit;
use crate::layers::messages::contract::support::found;
use crate::layers::messages::contract::support::get;
use crate::layers::messages::contract::support::numbers;
use crate::layers::messages::contract::support::page;
use crate::layers::messages::contract::support::react;
use crate::layers::messages::contract::support::room;
use crate::layers::messages::contract::support::save;
use crate::layers::messages::contract::support::save_many;
use crate::layers::messages::contract::support::says;
use crate::layers::messages::contract::support::search;
use crate::layers::messages::contract::support::text;
use crate::layers::messages::contract::support::try_save;
use crate::layers::messages::contract::support::user;
use crate::layers::messages::contract::support::write;
use crate::layers::messages::cursor::Cursor;
use crate::layers::messages::error::StoreError;
use crate::layers::messages::query::MessageQuery;
use crate::layers::messages::query::MessageSearch;
use crate::layers::messages::query::Scope;
use crate::layers::messages::record::NewMessage;
use crate::layers::messages::store::Change;
use crate::layers::messages::store::MessageStore;

contract!(Box::<MemoryStore>::default);

fn numbered_in(store: &MemoryStore, of: &str) -> Vec<u64> {
    numbers(&page(store, &MessageQuery::room(room(of))))
}

/// What the messages take, without the rooms.
fn bytes(store: &MemoryStore) -> usize {
    let state = store.state.read();
    let all = state.stats().bytes;
    let rooms = ["a", "b"].map(room);
    let rooms = rooms
        .iter()
        .filter_map(|name| Some(state.room(name)?.bytes(name)));
    usize::try_from(all).unwrap() - rooms.sum::<usize>()
}

#[test]
fn calls_wait_for_nothing() {
    assert!(!MemoryStore::default().blocks());
}

#[test]
fn beyond_the_count_the_oldest_of_all_rooms_go() {
    let store = MemoryStore::new(MemoryLimits::new().max_messages(4));
    save(&store, by("ada", text("a", "one", 9)));
    for (place, at) in [("b", 1), ("a", 10), ("b", 2), ("b", 3)] {
        save(
            &store,
            answer_if(place == "a", by("ada", text(place, "words", at))),
        );
    }
    assert_eq!(numbered_in(&store, "a"), [2]);
    assert_eq!(numbered_in(&store, "b"), [3, 2, 1]);
    assert_eq!(get(&store, "a", 1), None);
    assert_eq!(found(&store, "one", "a"), [0; 0]);
    save_many(&store, "b", 4);
    assert_eq!(numbered_in(&store, "a"), [0; 0]);
    assert_eq!(numbered_in(&store, "b"), [7, 6, 5, 4]);
    let of_ada = Scope::User(user("ada"), vec![room("a"), room("b")]);
    for scope in [of_ada, Scope::Thread(room("a"), 1)] {
        assert_eq!(page(&store, &MessageQuery::new(scope)).messages, []);
    }
    assert_eq!(store.stats().map(|it| (it.messages, it.rooms)), Ok((4, 1)));
    assert_eq!(save(&store, text("a", "numbers survive", 1)).sequence, 3);
}

fn answer_if(is_one: bool, draft: NewMessage) -> NewMessage {
    if is_one { answer(1, draft) } else { draft }
}

#[test]
fn a_count_of_zero_is_one() {
    let store = MemoryStore::new(MemoryLimits::new().max_messages(0));
    save_many(&store, "a", 3);
    assert_eq!(numbered_in(&store, "a"), [3]);
}

#[test]
fn beyond_the_bytes_the_oldest_of_all_rooms_go() {
    let limit = 100_000;
    let store = MemoryStore::new(MemoryLimits::new().max_bytes(limit));
    let large = "x".repeat(10_000);
    for n in 0..50 {
        save(&store, text(["a", "b"][n % 2], &large, 1));
        assert!(bytes(&store) <= limit);
    }
    assert_eq!(numbered_in(&store, "a"), [25, 24, 23, 22]);
    assert_eq!(numbered_in(&store, "b"), [25, 24, 23, 22, 21]);
    let full = bytes(&store);
    write(&store, edit("b", 25, &large, 2)).unwrap();
    assert_eq!(get(&store, "b", 21), None, "an edit takes room as well");
    assert!(bytes(&store) <= full + 1000);
    for n in 0..100 {
        write(&store, react("b", 25, &format!("u{n}"), &large[..100])).unwrap();
    }
    assert_eq!(get(&store, "a", 22), None, "so do reactions");
    assert!(bytes(&store) <= limit);
}

/// The lists of a room with one message take as much as the message.
#[test]
fn rooms_with_messages_count_as_well() {
    let kept = |rooms: usize| {
        let store = MemoryStore::new(MemoryLimits::new().max_bytes(100_000));
        for n in 0..500 {
            save(&store, text(&format!("r{}", n % rooms), "small", 1));
        }
        store.stats().unwrap().messages
    };
    assert!(kept(500) < kept(1) * 2 / 3);
}

#[test]
fn what_is_removed_gives_back_what_it_took() {
    let [store, without_ada] = [(); 2].map(|()| MemoryStore::default());
    for place in ["a", "b"] {
        save(&without_ada, by("bob", text(place, "words", 1)));
        save(&store, by("ada", text(place, "words", 1)));
        save(&store, by("bob", text(place, "words", 1)));
        write(&store, edit(place, 1, "more words than before", 2)).unwrap();
        write(&store, react(place, 2, "ada", "+")).unwrap();
    }
    let more = bytes(&store);
    write(&store, Change::ForgetUser(user("ada"))).unwrap();
    assert!(bytes(&store) < more);
    assert_eq!(bytes(&store), bytes(&without_ada));
    write(&store, Change::ForgetUser(user("bob"))).unwrap();
    assert_eq!(bytes(&store), 0);
    for place in ["a", "b"] {
        let (room, snapshot) = (room(place), None);
        write(&store, Change::Room { room, snapshot }).unwrap();
    }
    assert_eq!(store.stats().unwrap().bytes, 0);
}

/// One that fills the store must not empty it first and then be gone itself.
#[test]
fn what_is_larger_than_the_store_is_refused() {
    let limit = 5000;
    let store = MemoryStore::new(MemoryLimits::new().max_bytes(limit));
    save(&store, text("a", "small", 1));
    let too_large = StoreError::TooMany {
        what: "bytes",
        limit,
    };
    let large = "x".repeat(limit);
    let refused = try_save(&store, text("a", &large, 1));
    assert_eq!(refused, Err(too_large.clone()));
    let refused = write(&store, edit("a", 1, &large, 1));
    assert_eq!(refused, Err(too_large.clone()));
    let refused = write(&store, react("a", 1, "ada", &large));
    assert_eq!(refused, Err(too_large));
    let kept = get(&store, "a", 1).unwrap();
    assert_eq!(
        (says(&kept), kept.edits, kept.reactions.len()),
        ("small", 0, 0)
    );
    assert_eq!(save(&store, text("a", "small", 1)).sequence, 2);
}

/// A payload is often a part of what was read from a socket in one go.
#[test]
fn a_payload_does_not_keep_the_buffer_that_it_came_in() {
    let store = MemoryStore::default();
    let buffer = Bytes::from(vec![b'x'; 65_536]);
    let mut draft = text("a", "", 1);
    draft.payload = buffer.slice(10..20);
    save(&store, draft);
    let change = Change::Room {
        room: room("a"),
        snapshot: Some(buffer.slice(20..30)),
    };
    write(&store, change).unwrap();
    assert!(buffer.is_unique());
}

/// A search lets the lock go between its parts; together they are the whole.
#[test]
fn a_search_of_many_parts_finds_all_in_order() {
    let store = MemoryStore::default();
    let filler = "y ".repeat(2000);
    let mut needles = Vec::new();
    for n in 0..120 {
        let says = if n % 10 == 3 { "needle" } else { &filler };
        let saved = save(&store, text(["a", "b"][n / 20 % 2], says, 1));
        needles.extend(Some(saved.id).filter(|_| n % 10 == 3));
    }
    let mut ask = search(&store, "needle", &["a", "b"]);
    let ids = |ask: &MessageSearch| {
        let page = store.search(ask).unwrap();
        page.messages
            .iter()
            .rev()
            .map(|it| it.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&ask), needles);
    ask.cursor = Some(Cursor::Newer(0));
    assert_eq!(ids(&ask), needles);
    ask.limit = 7;
    assert_eq!(ids(&ask), needles[..7]);
    ask.cursor = None;
    assert_eq!(ids(&ask), needles[5..]);
}
