//! Edits and reactions change what is there, and add nothing to it.

use std::thread;

use serde_json::Value;
use serde_json::json;

use super::World;
use super::about;
use super::edit;
use super::ids;
use super::of;
use super::react;
use crate::crash::Folder;

#[test]
fn f17_an_edit_or_a_reaction_is_no_second_message() {
    let (world, mut ada) = World::with_room(&[]);
    let mut bob = world.member("bob");
    for text in ["one", "two", "three"] {
        ada.say(text);
    }
    for round in 1..=5 {
        let edited = ada.done(&edit(2, &format!("two, {round}")));
        assert_eq!(
            (&edited["message_id"], &edited["edits"]),
            (&json!("2"), &json!(round))
        );
        let told = bob.next("message.edited");
        assert_eq!(told["data"]["text"], format!("two, {round}"));
    }
    world.done(Some("ada"), &edit(2, "two, over REST"));
    assert_eq!(bob.next("message.edited")["data"]["edits"], 6);
    assert_eq!(
        bob.done(&react(2, "👍")),
        json!({"changed": true, "count": 1})
    );
    let again = world.done(Some("bob"), &react(2, "👍"));
    assert_eq!(again, json!({"changed": false}), "once for each user");
    assert_eq!(ada.done(&react(2, "👍"))["count"], 2);
    let told = bob.next("message.reaction_added");
    assert_eq!(told["data"]["user_id"], "bob");
    let page = world.read(&mut ada, "ada", &of("message.history"));
    assert_eq!(ids(&page), [3, 2, 1]);
    assert_eq!(page["messages"][1]["text"], "two, over REST");
    assert_eq!(
        page["messages"][1]["reactions"],
        json!([{"reaction": "👍", "count": 2, "users": ["bob", "ada"]}])
    );
    let stats = world.done(None, &json!({"type": "message.stats"}));
    assert_eq!(stats["messages"], 3);
    let revisions = world.read(&mut bob, "bob", &about("message.revisions", 2));
    let said: Vec<_> = revisions["revisions"].as_array().unwrap().iter().collect();
    assert_eq!((said.len(), &said[0]["text"]), (6, &json!("two")));
    assert_eq!(said[5]["text"], "two, 5");
    let unreact = super::with(about("message.unreact", 2), "reaction", "👍");
    assert_eq!(bob.done(&unreact)["count"], 1);
    assert_eq!(bob.next("message.reaction_removed")["data"]["count"], 1);
    assert_eq!(ada.say("four"), 4, "nothing of it took a number");
}

const EDITS: u64 = 12;

#[test]
fn f17_nothing_of_concurrent_edits_and_reactions_is_lost() {
    let (world, mut ada) = World::with_room(&[]);
    assert_eq!(ada.say("for all"), 1);
    let users: Vec<_> = (0..8).map(|number| format!("user{number}")).collect();
    for user in &users {
        world.done(Some(user), &of("room.join"));
    }
    let sent: Vec<u64> = thread::scope(|scope| {
        let world = &world;
        let mut all = Vec::new();
        for user in &users {
            all.push(scope.spawn(|| edits_and_reacts(world, user)));
        }
        all.into_iter().map(|it| it.join().unwrap()).collect()
    });
    let shown = world.read(&mut ada, "ada", &about("message.get", 1));
    for reaction in shown["reactions"].as_array().unwrap() {
        assert_eq!(reaction["count"], 8, "{reaction}");
    }
    assert_eq!(shown["reactions"].as_array().unwrap().len(), 3);
    for (user, id) in users.iter().zip(&sent) {
        let shown = world.read(&mut ada, "ada", &about("message.get", *id));
        assert_eq!(
            (&shown["edits"], &shown["user_id"]),
            (&json!(EDITS), &json!(user))
        );
        assert_eq!(shown["text"], format!("{user} {EDITS}"));
        let revisions = world.read(&mut ada, "ada", &about("message.revisions", *id));
        let said: Vec<_> = revisions["revisions"].as_array().unwrap().iter().collect();
        for (number, revision) in said.iter().enumerate() {
            assert_eq!(revision["text"], format!("{user} {number}"), "in order");
        }
    }
    let page = world.read(&mut ada, "ada", &of("message.history"));
    assert_eq!(page["messages"].as_array().unwrap().len(), 9);
    each_was_told(&mut ada, &sent);
}

/// Sends one message, edits it again and again, and reacts to the first one meanwhile.
fn edits_and_reacts(world: &World, user: &str) -> u64 {
    let mut member = world.member(user);
    let id = member.say(&format!("{user} 0"));
    for number in 1..=EDITS {
        let change = edit(id, &format!("{user} {number}"));
        if number.is_multiple_of(2) {
            member.done(&change);
        } else {
            world.done(Some(user), &change);
        }
        if let Some(reaction) = ["+", "-", "?"].get(usize::try_from(number).unwrap() / 4) {
            member.done(&react(1, reaction));
        }
    }
    id
}

/// Every edit is told, those of a message in order.
fn each_was_told(member: &mut super::Member, sent: &[u64]) {
    let all = EDITS * sent.len() as u64;
    let told: Vec<Value> = (0..all).map(|_| member.next("message.edited")).collect();
    for id in sent.iter().map(u64::to_string) {
        let of_it = told.iter().map(|push| &push["data"]);
        let of_it = of_it.filter(|data| data["message_id"] == *id);
        let edits: Vec<_> = of_it.map(|data| data["edits"].as_u64().unwrap()).collect();
        assert_eq!(edits, (1..=EDITS).collect::<Vec<_>>());
    }
}

#[test]
fn an_edit_that_is_too_large_to_be_told_is_told_to_be_read() {
    let (world, mut ada) = World::with_room(&["--max-payload", "4096"]);
    let mut bob = world.member("bob");
    ada.say("short");
    // As a payload it fits; as base64 in an event it does not, and neither do escapes.
    let bytes = super::with(about("message.edit", 1), "base64", "AAAA".repeat(1300));
    let escaped = edit(1, &"\"".repeat(4000));
    for large in [bytes, escaped] {
        let edited = ada.done(&large);
        let told = bob.next("message.edited");
        let pointer = json!({"message_id": "1", "truncated": true, "by": "ada"});
        assert_eq!((&told["data"], &told["room_id"]), (&pointer, &json!("den")));
        assert_eq!(bob.done(&about("message.get", 1)), edited);
    }
    let edited = ada.done(&edit(1, "short again"));
    let told = bob.next("message.edited");
    assert_eq!(told["data"], super::with(edited, "by", "ada"));
}

#[test]
fn edits_that_do_not_wait_for_each_other_are_made_in_order() {
    let folder = Folder::new("order");
    let file = ["--data", folder.as_str(), "--durability", "normal"];
    let (world, mut ada) = World::with_room(&file);
    ada.say("first");
    for round in 0..40 {
        let said = |half| format!("{round}, {half}");
        for half in ["begun", "done"] {
            let command = super::with(edit(1, &said(half)), "id", half);
            ada.socket.say(&command.to_string());
        }
        while ada.socket.push()["reply_to"] != "done" {}
        let shown = world.done(Some("ada"), &about("message.get", 1));
        assert_eq!(shown["text"], said("done"));
    }
}
