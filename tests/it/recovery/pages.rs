//! What is remembered, read in pages, by command and over HTTP.

use std::process::Command;

use serde_json::Value;
use serde_json::json;

use crate::binary::Throng;
use crate::binary::Ws;

use super::publish;
use super::published;
use super::remembering;

/// The answer to the command.
fn asked(client: &mut Ws, arguments: &str) -> Value {
    let command = format!(r#"{{"id":1,"type":"channel.history","channel_id":"c"{arguments}}}"#);
    client.ask(&command)["data"].clone()
}

/// The answer over HTTP.
fn got(throng: &Throng, query: &str) -> Value {
    let response = throng.get(&format!("/api/v1/channels/c/history{query}"));
    assert_eq!(response.status, 200, "{response:?}");
    response.json()
}

fn offsets(page: &Value) -> Vec<u64> {
    let messages = page["messages"].as_array().unwrap().iter();
    let offset = |message: &Value| message["offset"].as_u64().unwrap();
    messages.map(offset).collect()
}

#[test]
fn pages_go_both_ways_by_command_and_over_http() {
    let (throng, mut publisher) = remembering("messages=10", &[]);
    let begin = published(&throng, &mut publisher, 1..=25);
    let mut client = throng.ws();
    let mut both = |arguments: &str, query: &str| {
        let page = asked(&mut client, arguments);
        assert_eq!(got(&throng, query), page, "{query}");
        assert_eq!(
            (&page["floor"], &page["position"]["offset"]),
            (&json!(15), &json!(25))
        );
        assert_eq!(page["position"]["epoch"], begin.epoch);
        (offsets(&page), page["more"].as_bool().unwrap())
    };
    let all: Vec<_> = (16..=25).collect();
    assert_eq!(both("", ""), (all, false));
    // Onwards from the oldest, and back from the newest.
    let first = both(r#","limit":4"#, "?limit=4");
    assert_eq!(first, (vec![16, 17, 18, 19], true));
    let then = both(r#","limit":4,"after":19"#, "?limit=4&after=19");
    assert_eq!(then, (vec![20, 21, 22, 23], true));
    let last = both(r#","limit":4,"after":23"#, "?limit=4&after=23");
    assert_eq!(last, (vec![24, 25], false));
    let first = both(r#","limit":4,"order":"newest""#, "?limit=4&order=newest");
    assert_eq!(first, (vec![25, 24, 23, 22], true));
    let rest = both(
        r#","before":22,"order":"newest""#,
        "?before=22&order=newest",
    );
    assert_eq!(rest, (vec![21, 20, 19, 18, 17, 16], false));
    let between = both(r#","after":17,"before":20"#, "?after=17&before=20");
    assert_eq!(between, (vec![18, 19], false));
}

#[test]
fn a_page_of_another_life_of_the_channel_is_none() {
    let (throng, mut publisher) = remembering("", &[]);
    let begin = published(&throng, &mut publisher, 1..=3);
    let same = got(&throng, &format!("?epoch={}", begin.epoch));
    assert_eq!(
        (offsets(&same), &same["same_epoch"]),
        (vec![1, 2, 3], &json!(true))
    );
    for epoch in ["1", "yesterday"] {
        let other = got(&throng, &format!("?epoch={epoch}"));
        let told = (offsets(&other), &other["same_epoch"], &other["more"]);
        assert_eq!(told, (vec![], &json!(false), &json!(false)));
        assert_eq!(other["position"]["epoch"], begin.epoch);
    }
    assert_eq!(got(&throng, "").get("same_epoch"), None);
}

#[test]
fn what_is_remembered_is_what_was_pushed() {
    let (throng, _) = remembering("", &["--insecure-trust-query-user"]);
    let (mut ada, mut reader) = (throng.ws_as("ada"), throng.ws());
    reader.join("c");
    for payload in [
        r#""data":{"a":[1.50,null]},"key":"k""#,
        r#""text":"not JSON","metadata":{"n":1}"#,
        r#""base64":"AP8=""#,
    ] {
        ada.say(&format!(
            r#"{{"type":"publish","channel_id":"c",{payload}}}"#
        ));
    }
    let pushed: Vec<_> = (0..3).map(|_| reader.expect("message")).collect();
    let page = got(&throng, "");
    let messages = page["messages"].as_array().unwrap();
    for (pushed, remembered) in pushed.iter().zip(messages) {
        let mut expected = pushed.clone();
        for common in ["channel_id", "epoch"] {
            expected.as_object_mut().unwrap().remove(common).unwrap();
        }
        assert_eq!(expected["user_id"], "ada");
        assert_eq!(*remembered, expected);
    }
    let body = throng.get("/api/v1/channels/c/history").body;
    assert!(
        body.contains(r#""data":{"a":[1.50,null]}"#),
        "byte for byte: {body}"
    );
}

#[test]
fn a_page_has_an_end_in_bytes_too() {
    let (throng, _) = remembering("bytes=8000000", &[]);
    let large = "x".repeat(400_000);
    for _ in 0..5 {
        let sent = throng.post("/api/v1/channels/c/publish", "text/plain", &large);
        assert_eq!(sent.status, 200);
    }
    let page = got(&throng, "");
    assert_eq!((offsets(&page), &page["more"]), (vec![1, 2], &json!(true)));
    let page = got(&throng, "?order=newest&before=2");
    assert_eq!((offsets(&page), &page["more"]), (vec![1], &json!(false)));
}

#[test]
fn who_may_not_join_may_not_read_either() {
    let open = [
        "--insecure-trust-query-user",
        "--history",
        "*",
        "--history",
        "private-c",
    ];
    let throng = Throng::start(&open);
    let mut client = throng.ws_as("ada");
    let mut refused = |channel: &str| {
        let command = json!({"id": 1, "type": "channel.history", "channel_id": channel});
        let answer = client.ask(&command.to_string());
        answer["data"]["code"].as_str().unwrap_or("fine").to_owned()
    };
    let mut member = throng.ws_as("bob");
    for channel in ["private-c", "presence-c"] {
        member.join(channel);
        throng.publish(channel, &json!("secret"));
        assert_eq!(member.expect("message")["data"], "secret");
        assert_eq!(refused(channel), "not_subscribed");
        assert_eq!(
            refused(&format!("{channel}-that-is-not-there")),
            "not_subscribed"
        );
    }
    for channel in ["$room:lobby", "$presence:ada", "$pattern:s:*", "$"] {
        assert_eq!(refused(channel), "invalid_channel");
        let path = format!("/api/v1/channels/{channel}/history");
        assert_eq!(throng.get(&path).problem(), (400, "invalid_channel".into()));
    }
    assert_eq!(refused("nothing"), "unknown_channel");
    let absent = throng.get("/api/v1/channels/nothing/history");
    assert_eq!(absent.problem(), (404, "unknown_channel".into()));
    let wrong = throng.get("/api/v1/channels/private-c/history?order=random");
    assert_eq!(wrong.problem(), (400, "invalid_field".into()));
    client.join("private-c");
    let command = r#"{"id":1,"type":"channel.history","channel_id":"private-c"}"#;
    let page = client.ask(command)["data"].clone();
    assert_eq!(page["messages"][0]["data"], "secret");
}

#[test]
fn only_what_is_told_to_remember_does_and_is_counted() {
    let rooms = |arguments: &[&str]| {
        let throng = Throng::start(arguments);
        let room = json!({"name": "Lobby", "room_id": "lobby"}).to_string();
        throng.post("/api/v1/rooms", "application/json", room);
        let text = json!({"text": "hello"}).to_string();
        let sent = throng.post("/api/v1/rooms/lobby/messages", "application/json", text);
        assert_eq!(sent.status, 200, "{sent:?}");
        let count = throng.stats()["history_messages"].as_u64().unwrap();
        (throng, count > 0)
    };
    assert!(rooms(&[]).1, "rooms remember");
    assert!(!rooms(&["--no-room-history"]).1);
    let (throng, _) = rooms(&["--no-room-history", "--history", ">:messages=2"]);
    assert_eq!(
        throng.stats()["history_messages"],
        0,
        "a pattern names no room"
    );
    // Each has a payload of three bytes and a key of one.
    publish(&mut throng.ws(), "c", 100..=104);
    let stats = throng.stats();
    assert_eq!(
        (&stats["history_messages"], &stats["history_bytes"]),
        (&json!(2), &json!(2 * (4 + 648)))
    );
    for path in ["/api/v1/channels/c", "/api/v1/channels/c/stats"] {
        let channel = throng.get(path).json();
        let counted = (&channel["history_messages"], &channel["history_bytes"]);
        assert_eq!(counted, (&json!(2), &json!(8)), "{path}");
    }
    let throng = Throng::start(&["--history", "*", "--max-history-bytes", "1400"]);
    publish(&mut throng.ws(), "c", 100..=104);
    assert_eq!(throng.stats()["history_messages"], 2);
    let throng = Throng::start(&[]);
    publish(&mut throng.ws(), "c", 100..=104);
    assert_eq!(throng.stats()["history_messages"], 0, "by itself none does");
}

#[test]
fn settings_that_make_no_sense_are_refused_with_a_reason() {
    for (rule, why) in [
        ("c:messages=0", "`messages` is a whole number, at least 1"),
        ("c:size=1", "`size=1` is none of messages=N"),
        ("c..d", "a pattern has no empty segments"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_throng"))
            .args(["--history", rule])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(why), "{said}");
    }
}
