//! What was sent is read again: page by page, by thread, by user, by words.

use serde_json::Value;
use serde_json::json;

use super::Member;
use super::World;
use super::about;
use super::edit;
use super::ids;
use super::of;
use super::react;
use super::send;
use super::with;

/// All pages from here on, this way.
fn walk(world: &World, ada: &mut Member, first: &Value, way: &str) -> Vec<Vec<u64>> {
    let (mut pages, mut command) = (Vec::new(), first.clone());
    loop {
        let page = world.read(ada, "ada", &command);
        if ids(&page).is_empty() {
            return pages;
        }
        pages.push(ids(&page));
        if page[way].is_null() {
            return pages;
        }
        command = with(first.clone(), "cursor", page[way].clone());
    }
}

#[test]
fn history_is_walked_both_ways_with_cursors() {
    let (world, mut ada) = World::with_room(&[]);
    for number in 1..=23 {
        ada.say(&format!("number {number}"));
    }
    let history = with(of("message.history"), "limit", 5);
    let newest_first: Vec<_> = (1..=23).rev().collect();
    let older = walk(&world, &mut ada, &history, "older");
    assert_eq!(
        older.concat(),
        newest_first,
        "each once, whatever the pages"
    );
    assert_eq!(older.iter().map(Vec::len).max(), Some(5));
    let oldest = with(history.clone(), "order", "oldest_first");
    let newer = walk(&world, &mut ada, &oldest, "newer");
    assert_eq!(newer.concat(), (1..=23).collect::<Vec<_>>());
    // To and fro: what a page came from is where it leads back to.
    let page = world.read(&mut ada, "ada", &history);
    let further = with(history.clone(), "cursor", page["older"].clone());
    let further = world.read(&mut ada, "ada", &further);
    assert_eq!(ids(&further), [18, 17, 16, 15, 14]);
    let back = with(history.clone(), "cursor", further["newer"].clone());
    assert_eq!(ids(&world.read(&mut ada, "ada", &back)), ids(&page));
    // A place at the newest end is one to go on from.
    let end = with(history, "cursor", page["newer"].clone());
    assert_eq!(ids(&world.read(&mut ada, "ada", &end)), [0_u64; 0]);
    ada.say("one more");
    assert_eq!(ids(&world.read(&mut ada, "ada", &end)), [24]);
}

#[test]
fn history_is_filtered() {
    let (world, mut ada) = World::with_room(&[]);
    ada.say("root");
    world.done(Some("bob"), &send("of bob"));
    ada.done(&with(send("answer"), "thread_id", "1"));
    let history = of("message.history");
    let of_bob = with(history.clone(), "user_id", "bob");
    assert_eq!(ids(&world.read(&mut ada, "ada", &of_bob)), [2]);
    let roots = with(history.clone(), "roots", true);
    assert_eq!(ids(&world.read(&mut ada, "ada", &roots)), [2, 1]);
    let page = world.read(&mut ada, "ada", &history);
    let sent_at = page["messages"][2]["sent_at"].clone();
    let until = with(history.clone(), "until", sent_at.clone());
    assert!(
        ids(&world.read(&mut ada, "ada", &until)).contains(&1),
        "included"
    );
    let from = with(history.clone(), "from", sent_at);
    assert_eq!(ids(&world.read(&mut ada, "ada", &from)), [3, 2, 1]);
    let before = with(history, "until", "2001-01-01T00:00:00Z");
    assert_eq!(ids(&world.read(&mut ada, "ada", &before)), [0_u64; 0]);
    let mine = json!({"type": "user.messages", "user_id": "ada"});
    assert_eq!(ids(&world.read(&mut ada, "ada", &mine)), [3, 1]);
    let mut out = world.member("out");
    assert_eq!(
        ids(&world.read(&mut out, "out", &mine)),
        [0_u64; 0],
        "no room in common"
    );
}

#[test]
fn a_thread_is_read_and_counted() {
    let (world, mut ada) = World::with_room(&[]);
    ada.say("root");
    ada.done(&with(send("first"), "thread_id", "1"));
    world.done(Some("bob"), &with(send("to the first"), "thread_id", "2"));
    let mut last = ada.next("message");
    while last["message_id"] != "3" {
        last = ada.next("message");
    }
    assert_eq!(
        last["thread_id"], "1",
        "an answer to an answer is in its thread"
    );
    let thread = with(about("message.thread", 1), "order", "oldest_first");
    assert_eq!(ids(&world.read(&mut ada, "ada", &thread)), [2, 3]);
    let pages = with(with(thread, "limit", 1), "order", "newest_first");
    assert_eq!(walk(&world, &mut ada, &pages, "older"), [[3], [2]]);
    let root = world.read(&mut ada, "ada", &about("message.get", 1));
    assert_eq!(root["replies"]["count"], 2);
    ada.done(&about("message.delete", 2));
    let root = world.read(&mut ada, "ada", &about("message.get", 1));
    assert_eq!(root["replies"]["count"], 1);
}

#[test]
fn words_are_found_and_those_of_before_are_not() {
    let (world, mut ada) = World::with_room(&[]);
    ada.say("The quick brown fox");
    ada.say("a slow, brown Fox!");
    ada.done(&with(
        of("room.send"),
        "data",
        json!({"title": "Quick notes", "n": 7}),
    ));
    world.done(Some("bob"), &send("nothing of the kind"));
    let mut found = |query: &str| {
        let search = with(of("message.search"), "query", query);
        ids(&world.read(&mut ada, "ada", &search))
    };
    assert_eq!(found("fox"), [2, 1]);
    assert_eq!(found("QUICK"), [3, 1]);
    assert_eq!(found("\"brown fox\" -slow"), [1]);
    assert_eq!(found("qui*"), [3, 1]);
    assert_eq!(
        found("title"),
        [0_u64; 0],
        "names of fields are not searched"
    );
    ada.done(&edit(1, "something else"));
    ada.done(&about("message.delete", 2));
    let search = with(of("message.search"), "query", "fox");
    assert_eq!(ids(&world.read(&mut ada, "ada", &search)), [0_u64; 0]);
    let everywhere = json!({"type": "message.search", "query": "quick", "limit": 1});
    assert_eq!(ids(&world.read(&mut ada, "ada", &everywhere)), [3]);
    let of_bob = with(with(of("message.search"), "query", "the"), "user_id", "bob");
    assert_eq!(ids(&world.read(&mut ada, "ada", &of_bob)), [4]);
    let mut out = world.member("out");
    assert_eq!(ids(&world.read(&mut out, "out", &everywhere)), [0_u64; 0]);
}

#[test]
fn what_is_unread_is_counted_until_it_is_read() {
    let (world, mut ada) = World::with_room(&[]);
    let mut bob = world.member("bob");
    bob.say("one");
    for text in ["two", "three", "four"] {
        ada.say(text);
    }
    let unread = json!({"type": "message.unread"});
    let told = |read: &str, unread: u64| json!({"rooms": [{"room_id": "den", "read": read, "unread": unread, "more": false}]});
    let count = |bob: &mut Member| world.read(bob, "bob", &unread);
    let sent = "whoever sends has read up to there, and its own is none";
    assert_eq!(count(&mut bob), told("1", 3), "{sent}");
    bob.done(&about("room.mark_read", 2));
    assert_eq!(count(&mut bob), told("2", 2));
    ada.done(&about("message.delete", 3));
    assert_eq!(count(&mut bob), told("2", 1));
    ada.say("five");
    assert_eq!(count(&mut bob), told("2", 2));
}

#[test]
fn reactions_are_listed_page_by_page() {
    let (world, mut ada) = World::with_room(&[]);
    ada.say("one");
    for user in ["bob", "eve", "ada"] {
        world.done(Some(user), &react(1, "❤️"));
    }
    let mut asked = with(about("message.reactions", 1), "reaction", "❤️");
    asked["limit"] = json!(2);
    let page = world.read(&mut ada, "ada", &asked);
    let users = page["users"].as_array().unwrap().len();
    assert_eq!((users, page["next"].is_null()), (2, false));
    let rest = world.read(&mut ada, "ada", &with(asked, "after", page["next"].clone()));
    assert_eq!(rest["users"].as_array().unwrap().len(), 1);
}

#[test]
fn a_forgotten_user_has_sent_nothing() {
    let (world, mut ada) = World::with_room(&[]);
    world.done(Some("bob"), &send("of bob"));
    ada.say("of ada");
    world.done(Some("bob"), &react(2, "+"));
    world.done(Some("bob"), &with(send("answer"), "thread_id", "2"));
    let forget = json!({"type": "message.forget_user", "user_id": "bob"});
    assert_eq!(world.done(None, &forget)["removed"], 2);
    let page = world.read(&mut ada, "ada", &of("message.history"));
    assert_eq!(ids(&page), [2]);
    let message = &page["messages"][0];
    assert_eq!(
        (message.get("reactions"), message.get("replies")),
        (None, None)
    );
    assert_eq!(world.done(None, &forget)["removed"], 0);
}

#[test]
fn where_nothing_is_kept_it_is_said() {
    let (world, mut ada) = World::with_room(&["--no-messages"]);
    assert_eq!(ada.say("delivered"), 1);
    for command in [of("message.history"), edit(1, "x"), react(1, "+")] {
        let denied = world.refused(&mut ada, "ada", &command);
        assert_eq!(denied, (404, "feature_disabled".to_owned()), "{command}");
    }
}

/// Five messages of 400 KB, and one of as much as a message may have.
fn pages_are_bounded_in_bytes(extra: &[&str]) {
    let (world, mut ada) = World::with_room(extra);
    let large = "large ".repeat(70_000);
    // A frame of a command has no room for as much.
    for _ in 0..5 {
        world.done(Some("ada"), &send(&large));
    }
    world.done(Some("ada"), &send(&"x".repeat(1 << 20)));
    let all = with(of("message.history"), "limit", 500);
    let pages = walk(&world, &mut ada, &all, "older");
    assert_eq!(pages, [vec![6], vec![5, 4], vec![3, 2], vec![1]]);
    let oldest = with(all, "order", "oldest_first");
    let pages = walk(&world, &mut ada, &oldest, "newer");
    assert_eq!(pages, [vec![1, 2], vec![3, 4], vec![5], vec![6]]);
    let found = with(of("message.search"), "query", "large");
    let pages = walk(&world, &mut ada, &found, "older");
    assert_eq!(pages, [vec![5, 4], vec![3, 2], vec![1]]);
    for _ in 0..3 {
        world.done(Some("ada"), &edit(1, &large));
    }
    let revisions = world.read(&mut ada, "ada", &about("message.revisions", 1));
    let shown = world.read(&mut ada, "ada", &about("message.get", 1));
    let given = revisions["revisions"].as_array().unwrap().len();
    assert_eq!((given, &shown["edits"]), (2, &json!(3)));
}

#[test]
fn a_page_of_large_messages_from_memory_ends_early() {
    pages_are_bounded_in_bytes(&[]);
}

#[test]
fn a_page_of_large_messages_from_a_file_ends_early() {
    let folder = crate::crash::Folder::new("large");
    pages_are_bounded_in_bytes(&["--data", folder.as_str(), "--durability", "normal"]);
}
