//! What was said is given back as it was said, whatever JSON it is: nothing on the way reads it.

use serde_json::Value;
use tungstenite::Message;

use super::Member;
use super::World;
use crate::crash::Folder;

/// JSON that is not the same, or none, for who reads it into numbers, maps and strings: too large,
/// too long, in its own order, twice, with space, half a character, and too deep.
fn said() -> Vec<String> {
    let others = [
        "1e999",
        r#"{"needle":1e999}"#,
        "123456789012345678901234567890",
        r#"{"z":1,"a":[1.10, 2],"z":{"b":-0.0}}"#,
        r#""\ud800""#,
    ];
    let others = others.into_iter().map(str::to_owned);
    others.chain([deep()]).collect()
}

/// No command is as deep as that; a text in one is.
fn deep() -> String {
    format!("{}{}", "[".repeat(200), "]".repeat(200))
}

/// The ways to say it: as JSON, and as a text that happens to be JSON.
fn payloads(data: &str) -> Vec<String> {
    let text = Value::from(data);
    let mut payloads = vec![format!(r#""text":{text}"#)];
    if data != deep() {
        payloads.push(format!(r#""data":{data}"#));
    }
    payloads
}

impl Member {
    /// What is answered, as it came.
    fn raw(&mut self, command: &str) -> String {
        let asked = format!(r#"{{"id":"raw",{command}}}"#);
        self.socket.say(&asked);
        loop {
            if let Message::Text(text) = self.socket.read()
                && text.contains(r#""reply_to":"raw""#)
            {
                return text.as_str().to_owned();
            }
        }
    }

    /// The next push of this kind, as it came.
    fn raw_push(&mut self, kind: &str) -> String {
        loop {
            if let Message::Text(text) = self.socket.read()
                && text.contains(&format!(r#""type":"{kind}""#))
            {
                return text.as_str().to_owned();
            }
        }
    }
}

/// How often each of the texts is the `data` of something in there.
fn times(within: &str, data: &str) -> usize {
    within.matches(&format!(r#""data":{data}"#)).count()
}

fn is_given_back_exactly(extra: &[&str]) {
    let (world, mut ada) = World::with_room(extra);
    let mut bob = world.member("bob");
    let den = r#""room_id":"den""#;
    ada.raw(&format!(r#""type":"room.send",{den},"text":"root""#));
    bob.raw_push("message");
    for data in said() {
        for payload in payloads(&data) {
            let thread = r#""thread_id":"1""#;
            let command = format!(r#""type":"room.send",{den},{thread},{payload}"#);
            assert!(ada.raw(&command).contains(r#""ack""#), "{payload}");
            assert_eq!(times(&bob.raw_push("message"), &data), 1, "{payload}");
        }
    }
    let pages = [
        (
            format!(r#""type":"message.history",{den}"#),
            "/api/v1/rooms/den/messages?actor=ada",
        ),
        (
            format!(r#""type":"message.thread",{den},"message_id":"1""#),
            "/api/v1/rooms/den/messages/1/thread?actor=ada",
        ),
        (
            r#""type":"user.messages","user_id":"ada""#.to_owned(),
            "/api/v1/users/ada/messages?actor=ada",
        ),
    ];
    for (command, path) in pages {
        let (socket, rest) = (ada.raw(&command), world.throng.get(path));
        assert_eq!(rest.status, 200, "{path}");
        for data in said() {
            let sent = payloads(&data).len();
            assert_eq!(times(&socket, &data), sent, "{data} of {socket}");
            assert_eq!(times(&rest.body, &data), sent, "{data} of {}", rest.body);
        }
    }
    let search = ada.raw(r#""type":"message.search","query":"needle""#);
    assert_eq!(times(&search, r#"{"needle":1e999}"#), 2, "{search}");
    edits_are_exact(&world, &mut ada, &mut bob);
}

fn edits_are_exact(world: &World, ada: &mut Member, bob: &mut Member) {
    let message = r#""room_id":"den","message_id":"1""#;
    for data in said() {
        let payload = payloads(&data).pop().unwrap();
        let edit = format!(r#""type":"message.edit",{message},{payload}"#);
        assert_eq!(times(&ada.raw(&edit), &data), 1);
        let told = bob.raw_push("message.edited");
        assert_eq!(times(&told, &data), 1, "{data} of {told}");
    }
    let socket = ada.raw(&format!(r#""type":"message.revisions",{message}"#));
    let rest = world
        .throng
        .get("/api/v1/rooms/den/messages/1/revisions?actor=ada");
    // All but the last, which it says now.
    for data in said().iter().rev().skip(1) {
        assert_eq!(times(&socket, data), 1, "{data} of {socket}");
        assert_eq!(times(&rest.body, data), 1, "{data} of {}", rest.body);
    }
}

#[test]
fn what_was_said_is_given_back_exactly_from_memory() {
    is_given_back_exactly(&[]);
}

#[test]
fn what_was_said_is_given_back_exactly_from_a_file() {
    let folder = Folder::new("exact");
    is_given_back_exactly(&["--data", folder.as_str(), "--durability", "normal"]);
}
