//! Pushes reach a reader of the stream as they reach a WebSocket, whatever they carry.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;
use throng::Frame;
use throng::Gateway;
use throng::Hub;
use throng::Message;
use throng::Outbox;
use throng::protocol::Push;

use crate::support::connect;
use crate::support::drain;

use super::Reader;
use super::encoded;
use super::json_of;
use super::names;
use super::runtime;

#[derive(Clone, Debug)]
struct Letter {
    channel: usize,
    payload: Payload,
    key: Option<String>,
}

#[derive(Clone, Debug)]
enum Payload {
    Binary(Vec<u8>),
    Text(String),
}

/// Texts that would be events if they could.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\r".to_owned()),
        Just("\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("\n\n".to_owned()),
        Just("data: x".to_owned()),
        Just("id: 7".to_owned()),
        Just("event: evil".to_owned()),
        Just("retry: 1".to_owned()),
        Just(":".to_owned()),
        Just("\0".to_owned()),
        Just("\u{feff}".to_owned()),
        Just("\u{2028}\u{85}".to_owned()),
        any::<String>(),
    ];
    vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// JSON that is sent as it stands, with line breaks between its parts.
fn spaced_json() -> impl Strategy<Value = String> {
    let space = || {
        let one = prop_oneof![Just(" "), Just("\r"), Just("\n"), Just("\r\n"), Just("\t")];
        vec(one, 0..4).prop_map(|spaces| spaces.concat())
    };
    (space(), space(), space(), hostile()).prop_map(|(a, b, c, text)| {
        let text = Value::from(text);
        format!("{a}[{b}{text},{c}{{{a}\"k\"{b}:{c}1}}{b}]{c}")
    })
}

fn letter() -> impl Strategy<Value = Letter> {
    let payload = prop_oneof![
        vec(any::<u8>(), 0..64).prop_map(Payload::Binary),
        hostile().prop_map(Payload::Text),
        spaced_json().prop_map(Payload::Text),
    ];
    let key = proptest::option::of(hostile());
    (0..3_usize, payload, key).prop_map(|(channel, payload, key)| Letter {
        channel,
        payload,
        key,
    })
}

fn channel_name() -> impl Strategy<Value = String> {
    let hub = Hub::new();
    vec(any::<char>(), 1..12)
        .prop_map(|chars| chars.into_iter().collect())
        .prop_filter("the server's own, or no name", move |name: &String| {
            !name.starts_with('$') && hub.channel(name).is_ok()
        })
}

/// What a WebSocket would say of these frames, without the time.
fn pushes(outbox: &mut Outbox) -> Vec<Value> {
    let frames = drain(outbox);
    let messages = frames.iter().filter(|frame| frame.message().is_some());
    messages.map(push_of).collect()
}

fn push_of(frame: &Frame) -> Value {
    let mut json = Vec::new();
    Push::Frame(frame).write(&mut json);
    timeless(serde_json::from_slice(&json).unwrap())
}

fn timeless(mut push: Value) -> Value {
    push.as_object_mut()
        .unwrap()
        .remove("published_at")
        .unwrap();
    push
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_is_sent_is_what_is_received_whatever_it_is(
        channels in vec(channel_name(), 1..4),
        letters in vec(letter(), 0..24),
        pauses in vec(any::<bool>(), 24),
    ) {
        let runtime = runtime();
        let _inside = runtime.enter();
        let hub = Hub::new();
        let gateway = Gateway::new(hub.clone());
        let query: Vec<_> = channels.iter().map(|name| format!("channel={}", encoded(name))).collect();
        let (mut reader, joined) = Reader::open(&gateway, &format!("/sse?{}", query.join("&")), &[]);
        let (client, mut outbox) = connect(&hub);
        let mut distinct: Vec<&String> = Vec::new();
        for name in &channels {
            if !distinct.contains(&name) {
                distinct.push(name);
                client.subscribe_blocking(name).unwrap();
            }
        }
        prop_assert_eq!(names(&joined), vec!["joined"; distinct.len()]);

        let mut received = Vec::new();
        for (letter, pause) in letters.iter().zip(&pauses) {
            let channel = &channels[letter.channel % channels.len()];
            let mut message = match &letter.payload {
                Payload::Binary(bytes) => Message::binary(bytes.clone()),
                Payload::Text(text) => Message::text(text.clone()),
            };
            if let Some(key) = &letter.key {
                message = message.key(key.clone());
            }
            let _delivery = hub.publish(channel, message).unwrap();
            if *pause {
                received.extend(reader.read());
            }
        }
        received.extend(reader.read());

        let expected = pushes(&mut outbox);
        prop_assert_eq!(received.len(), expected.len());
        let mut positions = BTreeMap::new();
        for (event, push) in received.iter().zip(expected) {
            let name = if push.get("base64").is_some() { "binary" } else { "message" };
            prop_assert_eq!(event.name.as_str(), name);
            prop_assert_eq!(timeless(json_of(event)), push.clone());
            // Nothing but printable ASCII, and the positions of all channels so far.
            prop_assert!(event.id.bytes().all(|byte| byte.is_ascii_graphic()));
            positions.insert(push["channel_id"].as_str().unwrap().to_owned(), push["offset"].clone());
            for (channel, offset) in &positions {
                let entry = format!("@{offset}.");
                let found = event.id.split(',').any(|it| {
                    it.contains(&entry) && decoded(it.split('@').next().unwrap()) == *channel
                });
                prop_assert!(found, "{} lacks {} {}", event.id, channel, offset);
            }
        }
        prop_assert_eq!(reader.source.comments, 0);

        // Who comes back with the last id has missed nothing.
        let id = reader.id().to_owned();
        drop(reader);
        let (_reader, again) = Reader::open(&gateway, "/sse", &[("last-event-id", &id)]);
        prop_assert_eq!(names(&again), vec!["joined"; distinct.len()]);
        for event in &again {
            prop_assert_eq!(&json_of(event)["data"]["recovered"], true);
        }
    }
}

fn decoded(name: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = name.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' {
            let digits = [rest.next().unwrap(), rest.next().unwrap()];
            u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
        } else {
            byte
        });
    }
    String::from_utf8(bytes).unwrap()
}
