//! Texts that identify somebody or something: two that look alike are equal.

use serde_json::Value;
use serde_json::json;

use crate::binary::Throng;
use crate::binary::Ws;

/// One of each kind that is refused, and how the error names it.
const MISLEADING: [(&str, &str); 8] = [
    ("no\u{202E}ra", "U+202E"),
    ("no\u{200B}ra", "U+200B"),
    ("no\u{2028}ra", "U+2028"),
    ("no\u{2066}ra", "U+2066"),
    ("no\u{1b}ra", "U+001B"),
    (" ", "U+0020"),
    ("nora ", "U+0020"),
    ("nora\u{A0}", "U+00A0"),
];

fn start() -> Throng {
    Throng::start(&["--insecure-trust-query-user"])
}

/// The code and the text of the error that a command gets.
fn refused(client: &mut Ws, command: &Value) -> (String, String) {
    let error = client.ask(&command.to_string());
    assert_eq!(error["type"], "error", "{command} {error}");
    let data = |name: &str| error["data"][name].as_str().unwrap().to_owned();
    (data("code"), data("message"))
}

#[test]
fn t17_names_that_mislead_are_refused_with_the_character() {
    let throng = start();
    let mut ada = throng.ws_as("ada");
    for (name, character) in MISLEADING {
        for (kind, field, code) in [
            ("subscribe", "channel_id", "invalid_channel"),
            ("pattern.subscribe", "pattern", "invalid_pattern"),
            ("user.get", "user_id", "invalid_field"),
            ("room.get", "room_id", "invalid_field"),
            ("presence.get", "user_id", "invalid_field"),
        ] {
            let command = json!({"id": 1, "type": kind, field: name});
            let (found, why) = refused(&mut ada, &command);
            assert_eq!(found, code, "{command} {why}");
            assert!(why.contains(character), "{command} {why}");
        }
        for (field, value) in [
            ("room_id", json!(name)),
            ("name", json!(name)),
            ("category", json!(name)),
            ("tags", json!(["fine", name])),
        ] {
            let mut command = json!({"id": 1, "type": "room.create", "name": "fine"});
            command[field] = value;
            let (found, why) = refused(&mut ada, &command);
            assert_eq!(found, "invalid_field", "{command} {why}");
            assert!(why.contains(character), "{command} {why}");
        }
        let body = json!({"event": name, "data": 1}).to_string();
        let path = "/api/v1/channels/news/publish";
        let answer = throng.post(path, "application/json", body);
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.body.contains(character), "{answer:?}");
    }
    let description =
        json!({"id": 1, "type": "room.create", "name": "fine", "description": "a\u{7}b"});
    let (_, why) = refused(&mut ada, &description);
    assert!(why.contains("U+0007"), "{why}");
    let lines = json!({"id": 1, "type": "room.create", "name": "\u{2764}\u{FE0F} caf\u{e9}", "description": "a\nb"});
    assert_eq!(ada.ask(&lines.to_string())["type"], "ack");
}

#[test]
fn t17_a_user_has_one_way_to_be_written() {
    let throng = start();
    let _nora = throng.ws_as("nora");
    for user in ["nora%20", "no%E2%80%8Bra", "no%E2%80%AEra", "%20"] {
        let mut client = Ws::open(throng.address, &format!("/ws?user={user}"));
        assert_eq!(client.closed().0, 3501, "{user}");
        let stream = throng.get(&format!("/sse?channels=news&user={user}"));
        assert_eq!(stream.problem(), (400, "invalid_field".to_owned()));
        let acting = throng.get(&format!("/api/v1/rooms?actor={user}"));
        assert_eq!(acting.problem(), (400, "invalid_field".to_owned()));
    }
}

/// A stranger is told the same of a private room as of none.
#[test]
fn t17_a_private_room_does_not_reveal_that_it_exists() {
    let throng = start();
    let mut ada = throng.ws_as("ada");
    let create =
        json!({"id": 1, "type": "room.create", "room_id": "den", "name": "Den", "private": true});
    assert_eq!(ada.ask(&create.to_string())["type"], "ack");
    let send = json!({"id": 2, "type": "room.send", "room_id": "den", "text": "secret"});
    ada.say(&send.to_string());
    let mut eve = throng.ws_as("eve");
    for command in [
        json!({"type": "room.join"}),
        json!({"type": "room.join", "invite": "no-such-invite"}),
        json!({"type": "room.get"}),
        json!({"type": "room.members"}),
        json!({"type": "room.stats"}),
        json!({"type": "room.leave"}),
        json!({"type": "room.send", "text": "x"}),
        json!({"type": "room.update", "name": "x"}),
        json!({"type": "room.delete"}),
        json!({"type": "room.kick", "user_id": "ada"}),
        json!({"type": "room.ban", "user_id": "ada"}),
        json!({"type": "room.pins"}),
        json!({"type": "room.log"}),
        json!({"type": "invite.create"}),
        json!({"type": "invite.list"}),
        json!({"type": "message.history"}),
        json!({"type": "message.get", "message_id": "1"}),
        json!({"type": "message.search", "query": "secret"}),
        json!({"type": "typing.start"}),
        json!({"type": "typing.list"}),
        json!({"type": "presence.in_room"}),
    ] {
        let mut ask = |room: &str| {
            let mut command = command.clone();
            command["id"] = json!(1);
            command["room_id"] = json!(room);
            refused(&mut eve, &command)
        };
        let (private, none) = (ask("den"), ask("nowhere"));
        assert_eq!(private, none, "{command}");
        let code = match command.get("invite") {
            Some(_) => "unknown_invite",
            None => "unknown_room",
        };
        assert_eq!(private.0, code, "{command} {private:?}");
    }
    // Over HTTP as well; and who is banned learns no more.
    let ban = json!({"id": 3, "type": "room.ban", "room_id": "den", "user_id": "eve"});
    ada.say(&ban.to_string());
    let join = |room: &str| {
        let path = format!("/api/v1/rooms/{room}/join?actor=eve");
        throng.post(&path, "application/json", "{}").problem()
    };
    assert_eq!(join("den"), (404, "unknown_room".to_owned()));
    assert_eq!(join("nowhere"), (404, "unknown_room".to_owned()));
}
