//! Searches: what is found, where, and page by page.

use super::support::by;
use super::support::called;
use super::support::delete;
use super::support::edit;
use super::support::found;
use super::support::message;
use super::support::numbers;
use super::support::room;
use super::support::save;
use super::support::search;
use super::support::text;
use super::support::user;
use super::support::write;
use crate::layers::messages::cursor::Cursor;
use crate::layers::messages::query::MessageQuery;
use crate::layers::messages::query::Page;
use crate::layers::messages::store::MessageStore;
use crate::message::Format;

pub(in super::super) fn phrases_prefixes_and_exclusions_are_found(store: &dyn MessageStore) {
    let texts = [
        "The quick brown fox",
        "a BROWN, quick fox",
        "quickly now",
        r#"{"text":"Guten Tag","tags":["fox"],"brown":1}"#,
        "日本語です",
    ];
    for says in texts {
        save(store, text("a", says, 1));
    }
    let mut binary = text("a", "quick fox", 1);
    binary.format = Format::Binary;
    save(store, binary);
    let cases: [(&str, &[u64]); 12] = [
        ("quick", &[2, 1]),
        ("QUICK fox", &[2, 1]),
        ("fox", &[4, 2, 1]),
        ("\"brown fox\"", &[1]),
        ("\"brown quick\"", &[2]),
        ("quick*", &[3, 2, 1]),
        ("qui* -fox", &[3]),
        ("fox -\"quick brown\"", &[4, 2]),
        ("-quick* fox", &[4]),
        ("tag", &[4]),
        ("本語", &[5]),
        ("uick", &[]),
    ];
    for (terms, expected) in cases {
        assert_eq!(found(store, terms, "a"), expected, "{terms}");
    }
}

pub(in super::super) fn a_search_is_of_its_rooms_and_its_user(store: &dyn MessageStore) {
    for (place, name) in [("a", "ada"), ("b", "bob"), ("a", "bob"), ("c", "ada")] {
        save(store, by(name, text(place, "the word", 1)));
    }
    save(store, text("b", "word of the server", 1));
    let ask = |rooms: &[&str], name: Option<&str>| {
        let mut search = search(store, "word", rooms);
        search.user = name.map(user);
        let found = store.search(&search).unwrap().messages;
        let rows = found.iter().map(|it| format!("{}{}", it.room, it.sequence));
        rows.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(ask(&["a"], None), "a2 a1");
    assert_eq!(
        ask(&["c", "a", "b", "a", "nowhere"], None),
        "b2 c1 a2 b1 a1"
    );
    assert_eq!(ask(&["a", "b"], Some("bob")), "a2 b1");
    assert_eq!(ask(&["a", "b", "c"], Some("eve")), "");
    assert_eq!(ask(&[], None), "");
    assert_eq!(ask(&["nowhere"], None), "");
}

pub(in super::super) fn a_search_may_be_of_one_event(store: &dyn MessageStore) {
    let events = ["order placed", "order", "placed", "ördér", "a\"b*"];
    for event in events {
        save(store, called(event, by("ada", text("a", "the word", 1))));
        save(store, called(event, text("b", "the word", 1)));
    }
    save(store, by("ada", text("a", "the word", 1)));
    let ask = |event: &str, name: Option<&str>| {
        let mut search = search(store, "word", &["a", "b"]);
        (search.event, search.user) = (Some(event.parse().unwrap()), name.map(user));
        let found = store.search(&search).unwrap().messages;
        let rows = found.iter().map(|it| format!("{}{}", it.room, it.sequence));
        rows.collect::<Vec<_>>().join(" ")
    };
    for (index, event) in (1..).zip(events) {
        assert_eq!(ask(event, None), format!("b{index} a{index}"), "{event}");
        assert_eq!(ask(event, Some("ada")), format!("a{index}"), "{event}");
    }
    assert_eq!(ask("word", None), "");
    assert_eq!(ask("u1", None), "");
    write(store, edit("a", 2, "another word", 2)).unwrap();
    assert_eq!(ask("order", None), "b2 a2", "an edit changes no event");
}

pub(in super::super) fn deleted_and_former_texts_are_not_found(store: &dyn MessageStore) {
    for says in ["red apple", "red pear", "red plum"] {
        save(store, text("a", says, 1));
    }
    assert_eq!(found(store, "red", "a"), [3, 2, 1]);
    write(store, delete("a", 3, 2)).unwrap();
    assert_eq!(found(store, "red", "a"), [2, 1]);
    assert_eq!(found(store, "plum", "a"), [0; 0]);
    write(store, edit("a", 1, "green apple", 2)).unwrap();
    assert_eq!(found(store, "red", "a"), [2]);
    assert_eq!(found(store, "apple -red", "a"), [1]);
    let edited = message(write(store, edit("a", 1, "red again", 3)).unwrap());
    let page = store.search(&search(store, "red", &["a"])).unwrap();
    assert_eq!(numbers(&page), [2, 1]);
    assert_eq!(page.messages[1], edited);
}

pub(in super::super) fn a_search_goes_both_ways_with_cursors(store: &dyn MessageStore) {
    let mut expected = Vec::new();
    for n in 0..90 {
        let says = if n % 3 == 0 { "needle" } else { "hay" };
        let saved = save(store, text(["a", "b"][n % 2], says, 1));
        if n % 3 == 0 {
            expected.push(saved.id);
        }
    }
    let mut ask = search(store, "needle", &["a", "b"]);
    ask.limit = 7;
    let ids = |page: &Page| page.messages.iter().map(|it| it.id).collect::<Vec<_>>();
    let (mut seen, mut pages) = (Vec::new(), 0);
    loop {
        let page = store.search(&ask).unwrap();
        let newest = page.messages.first().map(|it| Cursor::Newer(it.id));
        assert_eq!(page.newer, newest);
        seen.extend(ids(&page));
        pages += 1;
        save(store, text("a", "needle of later", 1));
        ask.cursor = page.older;
        if page.older.is_none() {
            break;
        }
    }
    seen.reverse();
    assert_eq!((&seen, pages), (&expected, 5));

    ask.cursor = Some(Cursor::Newer(expected[20]));
    let page = store.search(&ask).unwrap();
    let next: Vec<_> = expected[21..28].iter().rev().copied().collect();
    assert_eq!(ids(&page), next, "those that follow, the newest first");
    assert_eq!(page.older, Some(Cursor::Older(expected[21])));
    ask.cursor = page.newer;
    assert_eq!(store.search(&ask).unwrap().messages.len(), 7);
    ask.cursor = Some(Cursor::Newer(u64::MAX));
    assert_eq!(store.search(&ask).unwrap().messages, []);
    (ask.cursor, ask.limit) = (None, usize::MAX);
    assert_eq!(store.search(&ask).unwrap().messages.len(), 35);
    for n in 0..MessageQuery::MAX_LIMIT {
        save(store, text("b", "needle", n as u64));
    }
    let page = store.search(&ask).unwrap();
    assert_eq!(page.messages.len(), MessageQuery::MAX_LIMIT);
    assert_eq!(page.messages[0].room, room("b"));
}
