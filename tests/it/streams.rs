//! Server-sent events without a socket: what a body gives when it is asked.
//!
//! - Whatever is published, a client that reads the stream by the standard gets the same JSON as
//!   over WebSocket, and nothing can end an event or begin one.
//! - An id names all channels of its stream, and a client that comes back with it goes on, or is
//!   told what it missed.
//! - What waits is handed over at once; what stands alone is shared.
//! - A slow client is treated as its policy says.
//! - A dropped body leaves nothing behind.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::pin::pin;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use bytes::Bytes;
use http_body::Body;
use hyper::Method;
use hyper::Request;
use hyper::Response;
use hyper::StatusCode;
use hyper::header;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;
use throng::AuthRequest;
use throng::Authorization;
use throng::ConnectOptions;
use throng::Disconnect;
use throng::Frame;
use throng::Gateway;
use throng::Hub;
use throng::Message;
use throng::Outbox;
use throng::SlowConsumer;
use throng::protocol::Push;
use throng::transport::Transport;
use throng::transport::Unauthenticated;
use throng::transport::sse::SseBody;
use throng::transport::sse::SseConfig;
use throng::transport::ws::Origins;
use tokio::runtime;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::event_stream::Event;
use crate::event_stream::EventStream;
use crate::support::connect;
use crate::support::drain;
use crate::support::hub_of;
use crate::support::publish;

/// A runtime whose clock nobody drives.
fn runtime() -> Runtime {
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn request(method: Method, path: &str, headers: &[(&str, &str)]) -> Request<SseBody> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Bytes::new().into()).unwrap()
}

fn ask(gateway: &Gateway, path: &str, headers: &[(&str, &str)]) -> Response<SseBody> {
    let (parts, _) = request(Method::GET, path, headers).into_parts();
    gateway.sse(&parts)
}

/// A stream, and the client that reads it.
struct Reader {
    body: Pin<Box<SseBody>>,
    source: EventStream,
    chunks: Vec<Bytes>,
    connection: String,
}

impl Reader {
    /// Opens a stream and reads what it says at once.
    fn open(gateway: &Gateway, path: &str, headers: &[(&str, &str)]) -> (Self, Vec<Event>) {
        let response = ask(gateway, path, headers);
        assert_eq!(response.status(), StatusCode::OK);
        let mut reader = Self {
            body: Box::pin(response.into_body()),
            source: EventStream::default(),
            chunks: Vec::new(),
            connection: String::new(),
        };
        let mut events = reader.read();
        let connected = json_of(&events.remove(0));
        assert_eq!(connected["type"], "connected");
        let connection = &connected["data"]["stream_token"];
        reader.connection = connection.as_str().unwrap().to_owned();
        (reader, events)
    }

    /// The events that are there now.
    fn read(&mut self) -> Vec<Event> {
        self.chunks.clear();
        let mut events = Vec::new();
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(frame)) = self.body.as_mut().poll_frame(&mut context) {
            let chunk = frame.unwrap().into_data().unwrap();
            events.extend(self.source.feed(&chunk));
            self.chunks.push(chunk);
        }
        events
    }

    fn id(&self) -> &str {
        &self.source.last_event_id
    }

    fn change(&self, gateway: &Gateway, what: &str, body: &Value) -> (StatusCode, Value) {
        change(gateway, &self.connection, what, &body.to_string(), &[])
    }
}

/// Posts to a stream, and waits for the answer.
fn change(
    gateway: &Gateway,
    connection: &str,
    what: &str,
    body: &str,
    headers: &[(&str, &str)],
) -> (StatusCode, Value) {
    let mut request = request(Method::POST, "/", headers);
    *request.body_mut() = Bytes::from(body.to_owned()).into();
    if !request.headers().contains_key(header::CONTENT_TYPE) {
        let json = "application/json".parse().unwrap();
        request.headers_mut().insert(header::CONTENT_TYPE, json);
    }
    let mut context = Context::from_waker(Waker::noop());
    let subscribes = what == "subscribe";
    let polled = if subscribes {
        pin!(gateway.sse_subscribe(connection, request)).poll(&mut context)
    } else {
        pin!(gateway.sse_unsubscribe(connection, request)).poll(&mut context)
    };
    let Poll::Ready(response) = polled else {
        panic!("nothing is waited for");
    };
    let status = response.status();
    (status, whole(response))
}

/// The JSON of a response that is no stream.
fn whole(response: Response<SseBody>) -> Value {
    let mut body = pin!(response.into_body());
    let mut context = Context::from_waker(Waker::noop());
    match body.as_mut().poll_frame(&mut context) {
        Poll::Ready(Some(Ok(frame))) => {
            serde_json::from_slice(&frame.into_data().unwrap()).unwrap()
        }
        other => panic!("no text: {other:?}"),
    }
}

fn json_of(event: &Event) -> Value {
    serde_json::from_str(&event.data).unwrap()
}

fn names(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.name.as_str()).collect()
}

fn texts(events: &[Event]) -> Vec<String> {
    let json = events.iter().map(json_of);
    json.filter_map(|json| Some(json.get("text")?.as_str()?.to_owned()))
        .collect()
}

fn gateway_of(hub: Hub, config: SseConfig) -> Gateway {
    Gateway::builder(hub).sse(config).build()
}

// What is sent is what is received.

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
    vec(
        any::<char>().prop_filter("allowed", |c| !c.is_control()),
        1..12,
    )
    .prop_filter("not the server's own", |chars| chars[0] != '$')
    .prop_map(|chars| chars.into_iter().collect())
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
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

// Going on.

#[test]
fn an_id_goes_on_in_all_channels_and_what_was_missed_is_told() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::new();
    // They live on while nobody listens.
    let _held = ["a", "b", "c"].map(|name| hub.channel(name).unwrap());
    let gateway = Gateway::new(hub.clone());
    let (mut reader, _) = Reader::open(&gateway, "/sse?channels=a,b", &[]);
    let (status, answer) = reader.change(&gateway, "subscribe", &json!({"channels": ["c"]}));
    assert_eq!((status, answer), (StatusCode::OK, json!({"status": "ok"})));
    for (channel, text) in [("a", "1"), ("b", "x"), ("c", "y"), ("a", "z")] {
        publish(&hub, channel, text);
    }
    reader.read();
    let id = reader.id().to_owned();
    assert!(
        id.starts_with("a@2.") && id.contains(",b@1.") && id.contains(",c@1."),
        "{id}"
    );
    drop(reader);
    publish(&hub, "b", "missed");
    publish(&hub, "b", "missed too");

    let query = format!("/sse?channels=a,b&last_event_id={}", encoded(&id));
    for (path, headers) in [
        ("/sse?channels=a,b", &[("last-event-id", id.as_str())][..]),
        (query.as_str(), &[][..]),
        ("/sse?channels=b", &[("last-event-id", id.as_str())][..]),
        // The header is newer than the address that it is sent to.
        (
            "/sse?last_event_id=a%402.1",
            &[("last-event-id", id.as_str())][..],
        ),
    ] {
        let (_reader, events) = Reader::open(&gateway, path, headers);
        let mut told: Vec<_> = events.iter().map(json_of).collect();
        told.sort_by_key(|push| push["channel_id"].to_string() + &push["type"].to_string());
        let told: Vec<_> = told
            .iter()
            .map(|push| {
                (
                    push["type"].as_str().unwrap(),
                    &push["channel_id"],
                    &push["data"],
                )
            })
            .collect();
        let joined = |recovered: bool, start: u64| json!({"recovered": recovered, "start": start, "members": []});
        assert_eq!(
            told,
            [
                ("joined", &json!("a"), &joined(true, 2)),
                (
                    "gap",
                    &json!("b"),
                    &json!({"first": 2, "last": 3, "missed": 2})
                ),
                ("joined", &json!("b"), &joined(false, 3)),
                ("joined", &json!("c"), &joined(true, 1)),
            ],
            "{path}"
        );
    }
    let (mut reader, _) = Reader::open(&gateway, "/sse", &[("last-event-id", &id)]);
    publish(&hub, "c", "goes on");
    let events = reader.read();
    assert_eq!(texts(&events), ["goes on"]);
    assert!(reader.id().contains("b@3."), "{}", reader.id());
}

#[test]
fn a_break_between_a_join_and_its_gap_hides_no_loss() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::new();
    let _held = hub.channel("a").unwrap();
    let gateway = Gateway::new(hub.clone());
    let (mut reader, _) = Reader::open(&gateway, "/sse?channel=a", &[]);
    publish(&hub, "a", "1");
    reader.read();
    let id = reader.id().to_owned();
    drop(reader);
    publish(&hub, "a", "2");
    let (_reader, events) = Reader::open(&gateway, "/sse?channel=a", &[("last-event-id", &id)]);
    assert_eq!(names(&events), ["joined", "gap"]);
    assert_eq!(events[0].id, id, "nothing after it was received or told");
    assert_eq!(events[1].id, id.replace("a@1.", "a@2."));
}

#[test]
fn a_break_between_two_joins_forgets_neither() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::new();
    let _held = ["a", "b"].map(|name| hub.channel(name).unwrap());
    let gateway = Gateway::new(hub.clone());
    let (mut reader, _) = Reader::open(&gateway, "/sse?channels=a,b", &[]);
    publish(&hub, "a", "1");
    publish(&hub, "b", "1");
    reader.read();
    let id = reader.id().to_owned();
    drop(reader);
    publish(&hub, "b", "2");
    let (_reader, events) = Reader::open(&gateway, "/sse?channels=a,b", &[("last-event-id", &id)]);
    assert_eq!(names(&events), ["joined", "joined", "gap"]);
    assert_eq!(events[0].id, id, "of `b` it still has what it had");
}

#[test]
fn a_break_before_the_first_join_forgets_nothing() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::builder()
        .authorizer(|_: &AuthRequest| Authorization::later(std::future::pending()))
        .build()
        .unwrap();
    let gateway = Gateway::new(hub);
    // By the standard, each connection begins with no id: the first event takes what the client
    // had before, unless it brings it back.
    let id = "private-a@3.7,b@-,private-c@0.7";
    let path = "/sse?channels=private-a,b";
    let (reader, events) = Reader::open(&gateway, path, &[("last-event-id", id)]);
    assert_eq!((events.len(), reader.id()), (0, id));
    let (reader, _) = Reader::open(&gateway, path, &[]);
    assert_eq!(reader.id(), "");
}

#[test]
fn a_close_in_the_middle_of_the_joins_forgets_none() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let (allow, allowed) = watch::channel(());
    let authorizer = move |_: &AuthRequest| {
        let mut allowed = allowed.clone();
        Authorization::later(async move {
            drop(allowed.changed().await);
            Authorization::Allow
        })
    };
    let hub = Hub::builder().authorizer(authorizer).build().unwrap();
    let held = ["a", "private-b"].map(|name| hub.channel(name).unwrap());
    let places = held.each_ref().map(|it| (it.name(), it.position().epoch));
    let id = places.map(|(name, epoch)| format!("{name}@0.{epoch}"));
    let id = id.join(",");
    let gateway = Gateway::new(hub.clone());
    let (mut reader, events) = Reader::open(
        &gateway,
        "/sse?channels=a,private-b",
        &[("last-event-id", &id)],
    );
    assert_eq!(names(&events), ["joined"], "the other is waited for");
    publish(&hub, "a", "the last");
    hub.close(Disconnect::GOING_AWAY);
    allow.send(()).unwrap();
    assert_eq!(names(&reader.read()), ["message", "disconnect"]);
    assert_eq!(reader.id(), id.replace("a@0.", "a@1."));
}

#[test]
fn what_cannot_be_counted_is_told_with_a_reason() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::new();
    let held = hub.channel("a").unwrap();
    let epoch = held.stats().position.epoch;
    let gateway = Gateway::new(hub.clone());
    for (id, reason) in [
        (format!("a@5.{}", epoch - 1), "epoch"),
        (format!("a@5.{epoch}"), "position"),
    ] {
        let (_reader, events) =
            Reader::open(&gateway, "/sse?channels=a", &[("last-event-id", &id)]);
        assert_eq!(names(&events), ["joined", "gap"]);
        assert_eq!(json_of(&events[1])["data"], json!({"reason": reason}));
        assert_eq!(events[1].id, format!("a@0.{epoch}"));
    }
    let long = "x".repeat(5000);
    for id in [
        "a",
        "a@",
        "a@1",
        "a@+1.2",
        "a@1.2,",
        "a@1.2,a@1.3",
        "%zz@1.2",
        "@1.2",
        "a@99999999999999999999.1",
        "caf\u{e9}",
        &long,
    ] {
        let (mut reader, events) =
            Reader::open(&gateway, "/sse?channels=a", &[("last-event-id", id)]);
        assert_eq!(names(&events), ["gap", "joined"], "{id}");
        assert_eq!(json_of(&events[0]).get("channel_id"), None);
        assert_eq!(json_of(&events[0])["data"], json!({"reason": "id"}));
        publish(&hub, "a", "the stream goes on");
        assert_eq!(names(&reader.read()), ["message"]);
    }
}

#[test]
fn a_channel_that_was_left_stays_left() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::new();
    let _held = hub.channel("b").unwrap();
    let gateway = Gateway::new(hub);
    let (mut reader, _) = Reader::open(&gateway, "/sse?channels=a,b", &[]);
    let (status, _) = reader.change(&gateway, "subscribe", &json!({"channels": ["c"]}));
    assert_eq!(status, StatusCode::OK);
    reader.read();
    let (status, _) = reader.change(&gateway, "unsubscribe", &json!({"channels": ["a", "c"]}));
    assert_eq!(status, StatusCode::OK);
    assert_eq!(reader.read(), [], "an id without an event");
    let id = reader.id().to_owned();
    assert!(id.starts_with("a@-,b@0.") && !id.contains("c@"), "{id}");
    drop(reader);
    let (mut reader, events) =
        Reader::open(&gateway, "/sse?channels=a,b", &[("last-event-id", &id)]);
    assert_eq!(names(&events), ["joined"]);
    assert_eq!(json_of(&events[0])["channel_id"], "b");
    // It may be joined anew.
    let (status, _) = reader.change(&gateway, "subscribe", &json!({"channels": ["a"]}));
    assert_eq!(status, StatusCode::OK);
    assert_eq!(names(&reader.read()), ["joined"]);
    assert!(reader.id().contains("a@0."), "{}", reader.id());
}

#[test]
fn who_is_expelled_is_told_and_its_id_knows_it() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::new();
    let gateway = Gateway::new(hub.clone());
    let (mut reader, _) = Reader::open(&gateway, "/sse?channels=a", &[]);
    let client = hub.client(throng::ClientId::new(1)).unwrap();
    client
        .force_unsubscribe("a", "noise\r\n\r\ndata: x")
        .unwrap();
    let events = reader.read();
    assert_eq!(names(&events), ["left"]);
    assert_eq!(
        json_of(&events[0])["data"]["reason"],
        "noise\r\n\r\ndata: x"
    );
    assert_eq!(events[0].id, "a@-");
}

#[test]
fn ids_never_become_longer_than_they_may() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::builder()
        .authorizer(|_: &AuthRequest| Authorization::deny("no"))
        .build()
        .unwrap();
    // Room for two channels of one letter.
    let gateway = gateway_of(hub.clone(), SseConfig::new().max_id(97));
    let refused = whole(ask(&gateway, "/sse?channels=a,b,c", &[]));
    assert_eq!(
        (&refused["status"], &refused["field"]),
        (&json!(400), &json!("channels"))
    );
    assert!(
        refused["detail"].as_str().unwrap().contains("97 bytes"),
        "{refused}"
    );
    assert_eq!(hub.stats().connected, 0, "nothing was spent");

    let (mut reader, _) = Reader::open(&gateway, "/sse?channels=a,b", &[]);
    let (status, answer) = reader.change(&gateway, "subscribe", &json!({"channels": ["c"]}));
    assert_eq!(status, StatusCode::MULTI_STATUS);
    assert_eq!(answer["errors"][0]["code"], "too_large");
    assert_eq!(hub.subscriber_count("c"), 0);
    // A place that is given up is there for another.
    let (status, _) = reader.change(&gateway, "subscribe", &json!({"channels": ["a"]}));
    assert_eq!(status, StatusCode::MULTI_STATUS, "it has it");
    drop(reader.read());
    drop(reader);
    let (mut reader, _) = Reader::open(&gateway, "/sse?channels=a", &[]);
    for _ in 0..3 {
        let one = json!({"channels": ["private-"]});
        let (_, answer) = reader.change(&gateway, "subscribe", &one);
        assert_eq!(answer["errors"][0]["code"], "unauthorized", "there is room");
    }
    for channel in ["x", "y", "z"] {
        let one = json!({"channels": [channel]});
        assert_eq!(reader.change(&gateway, "subscribe", &one).0, StatusCode::OK);
        assert_eq!(names(&reader.read()), ["joined"]);
        assert_eq!(
            reader.change(&gateway, "unsubscribe", &one).0,
            StatusCode::OK
        );
    }
    let (_reader, events) = Reader::open(
        &gateway,
        "/sse?channels=a",
        &[("last-event-id", "x@1.1,y@1.1")],
    );
    assert_eq!(names(&events)[0], "refused");
    assert_eq!(json_of(&events[0])["channel_id"], "y");
    assert_eq!(json_of(&events[0])["data"]["code"], "too_large");
}

// Joining.

#[test]
fn who_may_not_join_is_told_and_the_stream_goes_on() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::builder()
        .authorizer(|request: &AuthRequest| match request.auth().as_ref() {
            b"open sesame" => Authorization::Allow,
            _ => Authorization::deny("say\nthe word"),
        })
        .build()
        .unwrap();
    let gateway = Gateway::new(hub.clone());
    let (mut reader, events) = Reader::open(&gateway, "/sse?channels=private-x,a", &[]);
    // What concerns this client alone comes before what the outbox holds.
    assert_eq!(names(&events), ["refused", "joined"]);
    let refused = json_of(&events[0]);
    assert_eq!(
        (
            &refused["type"],
            &refused["channel_id"],
            &refused["data"]["code"]
        ),
        (&json!("error"), &json!("private-x"), &json!("unauthorized"))
    );
    assert!(!reader.id().contains("private-x"), "{}", reader.id());
    let asked = json!({"channels": ["private-x", "a", "b", ""], "auth": "open sesame"});
    let (status, answer) = reader.change(&gateway, "subscribe", &asked);
    assert_eq!(status, StatusCode::MULTI_STATUS);
    let errors: Vec<_> = answer["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            (
                error["channel"].as_str().unwrap(),
                error["code"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(answer["status"], "partial");
    assert_eq!(
        errors,
        [("a", "already_subscribed"), ("", "invalid_channel")]
    );
    assert_eq!(names(&reader.read()), ["joined", "joined"]);
    let (status, answer) = reader.change(&gateway, "unsubscribe", &json!({"channels": ["b", "z"]}));
    assert_eq!(status, StatusCode::MULTI_STATUS);
    assert_eq!(answer["errors"][0]["code"], "not_subscribed");
    assert_eq!(hub.subscriber_count("b"), 0);
}

#[test]
fn a_join_that_waits_for_leave_holds_back_no_events() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::builder()
        .authorizer(|_: &AuthRequest| Authorization::later(std::future::pending()))
        .build()
        .unwrap();
    let gateway = Gateway::new(hub.clone());
    let (mut reader, events) = Reader::open(&gateway, "/sse?channels=a,private-x", &[]);
    assert_eq!(names(&events), ["joined"]);
    publish(&hub, "a", "at once");
    assert_eq!(texts(&reader.read()), ["at once"]);
}

#[test]
fn a_stream_may_have_many_channels() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::builder()
        .limits(throng::Limits::new().subscriptions(600))
        .build()
        .unwrap();
    let config = SseConfig::new().max_channels(600).max_id(100_000);
    let gateway = gateway_of(hub, config);
    let channels: Vec<_> = (0..600).map(|number| format!("c{number}")).collect();
    let path = format!("/sse?channels={}", channels.join(","));
    let (reader, events) = Reader::open(&gateway, &path, &[]);
    assert_eq!(names(&events), ["joined"; 600]);
    let id = reader.id().to_owned();
    drop(reader);
    let (_reader, events) = Reader::open(&gateway, "/sse", &[("last-event-id", &id)]);
    assert_eq!(
        events.iter().filter(|event| event.name == "joined").count(),
        600
    );
}

// Who may.

#[test]
fn a_stream_belongs_to_its_user() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::new();
    let gateway = Gateway::builder(hub.clone())
        .authenticate(|request| {
            let user = request.headers.get("x-user").map(|user| user.to_str());
            match user {
                Some(Ok("nobody")) => Ok(ConnectOptions::new()),
                Some(Ok(user)) => Ok(ConnectOptions::new().user(user)),
                _ => Err(Unauthenticated::new("who are you?")),
            }
        })
        .build();
    let (ada, bob, nobody) = (
        [("x-user", "ada")],
        [("x-user", "bob")],
        [("x-user", "nobody")],
    );
    let (mut reader, _) = Reader::open(&gateway, "/sse?channels=a", &ada);
    let body = r#"{"channels":["b"]}"#;
    for what in ["subscribe", "unsubscribe"] {
        let post = |connection: &str, headers| change(&gateway, connection, what, body, headers);
        let missing = post(&"0".repeat(32), &ada);
        assert_eq!(missing.0, StatusCode::NOT_FOUND);
        assert_eq!(missing.1["code"], "unknown_stream");
        let upper = reader.connection.to_uppercase();
        for (connection, headers) in [
            (reader.connection.as_str(), &bob),
            (&reader.connection, &nobody),
            ("", &ada),
            ("x", &ada),
            ("+0000000000000000000000000000001", &ada),
            (&format!("{}0", reader.connection), &ada),
            (
                if upper == reader.connection {
                    ""
                } else {
                    &upper
                },
                &ada,
            ),
        ] {
            assert_eq!(post(connection, headers), missing, "{connection}");
        }
        let stranger = post(&reader.connection, &[]);
        assert_eq!(
            (stranger.0, &stranger.1["code"]),
            (StatusCode::UNAUTHORIZED, &json!("unauthenticated"))
        );
    }
    assert_eq!(hub.subscriber_count("b"), 0);
    let mine = change(&gateway, &reader.connection, "subscribe", body, &ada);
    assert_eq!(mine.0, StatusCode::OK);
    assert_eq!(names(&reader.read()), ["joined"]);
    let stranger = whole(ask(&gateway, "/sse", &[]));
    assert_eq!(stranger["status"], 401);
    // A stream that has ended is as one that never was.
    let gone = reader.connection.clone();
    drop(reader);
    let late = change(&gateway, &gone, "subscribe", body, &ada);
    assert_eq!(late.0, StatusCode::NOT_FOUND);
}

#[test]
fn ids_of_streams_are_not_guessed() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let gateway = Gateway::new(Hub::new());
    let readers: Vec<_> = (0..64)
        .map(|_| Reader::open(&gateway, "/sse", &[]).0)
        .collect();
    let mut ids: Vec<_> = readers.iter().map(|reader| &reader.connection).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 64);
    assert!(ids.iter().all(|id| id.len() == 32));
    // Each digit varies, so none of it is a counter.
    for digit in 0..32 {
        let first = ids[0].as_bytes()[digit];
        assert!(
            ids.iter().any(|id| id.as_bytes()[digit] != first),
            "digit {digit}"
        );
    }
}

#[test]
fn what_is_wrong_with_a_request_is_said_and_nothing_is_spent() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::new();
    let gateway = Gateway::new(hub.clone());
    let many = format!(
        "/sse?channels={}",
        (0..65).map(|n| n.to_string()).collect::<Vec<_>>().join(",")
    );
    let long = format!("/sse?channel={}", "x".repeat(165));
    let id = format!("/sse?last_event_id={}", "x".repeat(4097));
    for (path, code, field) in [
        ("/sse?channels=a%0a", "invalid_channel", "channels"),
        ("/sse?channel=", "invalid_channel", "channel"),
        ("/sse?channel=%ff", "invalid_field", "channel"),
        ("/sse?channel=%4", "invalid_field", "channel"),
        ("/sse?channels=%zz", "invalid_field", "channels"),
        (
            "/sse?last_event_id=a&lastEventId=a",
            "invalid_field",
            "last_event_id",
        ),
        (&many, "too_many_subscriptions", "channels"),
        (&long, "invalid_channel", "channel"),
        (&id, "invalid_field", "last_event_id"),
    ] {
        let response = ask(&gateway, path, &[]);
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
        let problem = whole(response);
        assert_eq!(
            (&problem["status"], &problem["code"], &problem["field"]),
            (&json!(400), &json!(code), &json!(field)),
            "{path}"
        );
    }
    for (accept, status) in [
        ("text/event-stream", 200),
        ("*/*", 200),
        ("text/*;q=0.1, application/json", 200),
        ("", 200),
        ("TEXT/EVENT-STREAM; q=1", 200),
        ("text/html", 406),
        ("text/event-stream;q=0, */*", 406),
        ("*/*;q=0", 406),
        ("text/*; q=0.0, */*", 406),
    ] {
        let response = ask(&gateway, "/sse", &[("accept", accept)]);
        assert_eq!(response.status(), status, "{accept}");
    }
    let (parts, _) = request(Method::PUT, "/sse", &[]).into_parts();
    let wrong = gateway.sse(&parts);
    assert_eq!(
        (wrong.status().as_u16(), &wrong.headers()[header::ALLOW]),
        (405, &"GET, HEAD".parse().unwrap())
    );
    let connected = hub.stats().connected;
    let (parts, _) = request(Method::HEAD, "/sse?channels=a", &[]).into_parts();
    let head = gateway.sse(&parts);
    assert_eq!(head.headers()[header::CONTENT_TYPE], "text/event-stream");
    assert!(head.body().is_end_stream());
    assert_eq!(hub.stats().connected, connected, "a HEAD connects nobody");
    assert_eq!(connected, 5, "only those that got a stream");
}

#[test]
fn what_is_wrong_with_a_change_is_said() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let gateway = gateway_of(Hub::new(), SseConfig::new().max_body(200).max_channels(3));
    let (reader, _) = Reader::open(&gateway, "/sse", &[]);
    let long = format!(r#"{{"channels":["{}"]}}"#, "x".repeat(200));
    for (body, status, code) in [
        ("", 400, "invalid_json"),
        ("[]", 400, "invalid_json"),
        (r#"[["a"]]"#, 400, "invalid_json"),
        ("{}", 400, "missing_field"),
        (r#"{"channels":"a"}"#, 400, "invalid_json"),
        (r#"{"channels":["a","b","c","d"]}"#, 413, "too_large"),
        (
            r#"{"channels":["a"],"since":{"a":{"offset":1,"epoch":"x"}}}"#,
            400,
            "invalid_field",
        ),
        (&long, 413, "too_large"),
    ] {
        let (status_is, problem) = change(&gateway, &reader.connection, "subscribe", body, &[]);
        assert_eq!(
            (status_is.as_u16(), &problem["code"]),
            (status, &json!(code)),
            "{body}"
        );
    }
    let headers = [("content-type", "text/plain")];
    let body = r#"{"channels":["a"]}"#;
    let (status, _) = change(&gateway, &reader.connection, "subscribe", body, &headers);
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    // Names are escaped as JSON has it.
    let (status, _) = change(
        &gateway,
        &reader.connection,
        "subscribe",
        r#"{"channels":["\u0061"]}"#,
        &[],
    );
    assert_eq!(status, StatusCode::OK);
    assert_eq!(gateway.hub().subscriber_count("a"), 1);
    let broken = Bytes::from_static(b"{\"channels\":[\"\xff\"]}");
    let mut request = request(Method::POST, "/", &[("content-type", "application/json")]);
    *request.body_mut() = broken.into();
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(response) =
        pin!(gateway.sse_subscribe(&reader.connection, request)).poll(&mut context)
    else {
        panic!("nothing is waited for");
    };
    assert_eq!(whole(response)["code"], "invalid_utf8");
    // What was said to the stream is counted, as far as it was read.
    let stats = gateway.stats(Transport::Sse);
    assert_eq!((stats.frames_in, stats.bytes_in > 100), (8, true));
}

#[test]
fn members_come_and_go() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::builder()
        .authorizer(|_: &AuthRequest| Authorization::Allow)
        .build()
        .unwrap();
    let gateway = Gateway::builder(hub)
        .authenticate(|request| Ok(ConnectOptions::new().user(request.uri.path())))
        .build();
    let (mut ada, events) = Reader::open(&gateway, "/ada?channels=presence-room", &[]);
    let members = |event: &Event| json_of(event)["data"]["members"].clone();
    assert_eq!(members(&events[0]), json!([{"id": "/ada"}]));
    let (bob, events) = Reader::open(&gateway, "/bob?channels=presence-room", &[]);
    assert_eq!(members(&events[0]).as_array().unwrap().len(), 2);
    drop(bob);
    let events = ada.read();
    assert_eq!(names(&events), ["member_added", "member_removed"]);
    for (event, offset) in events.iter().zip(["2", "3"]) {
        assert_eq!(json_of(event)["data"]["id"], "/bob");
        assert!(
            event.id.starts_with(&format!("presence-room@{offset}.")),
            "{}",
            event.id
        );
    }
}

#[test]
fn pages_that_may_connect_may_read_and_others_may_not() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::new();
    let friends = Origins::list(["https://friend.example"]).unwrap();
    let gateway = Gateway::builder(hub.clone()).origins(friends).build();
    let friend = [("host", "here"), ("origin", "https://friend.example")];
    let evil = [("host", "here"), ("origin", "https://evil.example")];
    let credentials = |response: &Response<SseBody>| {
        let headers = response.headers();
        let header = |name| {
            headers
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        (
            header(header::ACCESS_CONTROL_ALLOW_ORIGIN),
            header(header::ACCESS_CONTROL_ALLOW_CREDENTIALS),
            header(header::VARY),
        )
    };
    let text = |text: &str| Some(text.to_owned());
    let all = (text("https://friend.example"), text("true"), text("Origin"));
    let response = ask(&gateway, "/sse", &friend);
    assert_eq!(
        (response.status().as_u16(), credentials(&response)),
        (200, all.clone())
    );
    // It is told what it did wrong, too.
    let response = ask(&gateway, "/sse?channel=", &friend);
    assert_eq!(
        (response.status().as_u16(), credentials(&response)),
        (400, all.clone())
    );
    let response = ask(&gateway, "/sse", &[("host", "here")]);
    assert_eq!(
        (response.status().as_u16(), credentials(&response)),
        (200, (None, None, text("Origin")))
    );
    let response = ask(&gateway, "/sse", &evil);
    assert_eq!(
        (response.status().as_u16(), credentials(&response)),
        (403, (None, None, None))
    );
    assert_eq!(whole(response)["code"], "forbidden_origin");

    let preflight = |headers: &[(&str, &str)]| {
        let mut request = request(Method::OPTIONS, "/", headers);
        let asked = "content-type".parse().unwrap();
        request
            .headers_mut()
            .insert(header::ACCESS_CONTROL_REQUEST_HEADERS, asked);
        let mut context = Context::from_waker(Waker::noop());
        match pin!(gateway.sse_subscribe("x", request)).poll(&mut context) {
            Poll::Ready(response) => response,
            Poll::Pending => panic!("nothing is waited for"),
        }
    };
    let response = preflight(&friend);
    assert_eq!(
        (response.status().as_u16(), credentials(&response)),
        (204, all)
    );
    assert_eq!(
        response.headers()[header::ACCESS_CONTROL_ALLOW_METHODS],
        "GET, POST"
    );
    assert_eq!(
        response.headers()[header::ACCESS_CONTROL_ALLOW_HEADERS],
        "content-type"
    );
    assert_eq!(preflight(&evil).status(), 403);
    let (reader, _) = Reader::open(&gateway, "/sse", &friend);
    let body = r#"{"channels":["a"]}"#;
    let (status, _) = change(&gateway, &reader.connection, "subscribe", body, &evil);
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(hub.subscriber_count("a"), 0);
}

// Writing.

#[test]
fn what_waits_is_one_chunk_and_what_stands_alone_is_shared() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::new();
    let gateway = Gateway::new(hub.clone());
    let (mut one, _) = Reader::open(&gateway, "/sse?channels=a", &[]);
    let (mut other, _) = Reader::open(&gateway, "/sse?channels=a", &[]);
    for text in ["1", "2", "3"] {
        publish(&hub, "a", text);
    }
    assert_eq!(one.read().len(), 3);
    assert_eq!(one.chunks.len(), 1);
    other.read();

    publish(&hub, "a", "alone");
    assert_eq!((one.read().len(), other.read().len()), (1, 1));
    assert_eq!(
        one.chunks[0].as_ptr(),
        other.chunks[0].as_ptr(),
        "not copied"
    );

    // A large one is not copied either, and what is around it keeps its place.
    publish(&hub, "a", "before");
    let large = "x".repeat(20_000);
    let _delivery = hub.publish("a", Message::text(large.clone())).unwrap();
    publish(&hub, "a", "behind");
    assert_eq!(texts(&one.read()), ["before", &large, "behind"]);
    other.read();
    assert_eq!((one.chunks.len(), other.chunks.len()), (3, 3));
    assert_eq!(one.chunks[1].as_ptr(), other.chunks[1].as_ptr());
    let stats = gateway.stats(Transport::Sse);
    assert_eq!((stats.open, stats.frames_out), (2, 2 + 2 + 2 * 7));
    assert_eq!(stats.writes, 2 + 2 + 2 + 6);
}

#[test]
fn chunks_are_bounded() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::builder()
        .outbox(throng::OutboxLimits::new().messages(1000))
        .build()
        .unwrap();
    let gateway = Gateway::new(hub.clone());
    let (mut reader, _) = Reader::open(&gateway, "/sse?channels=a,b", &[]);
    let text = "x".repeat(1000);
    for _ in 0..500 {
        let _delivery = hub.publish("a", Message::text(text.clone())).unwrap();
    }
    assert_eq!(reader.read().len(), 500);
    // At most what is gathered, and the event that fills it.
    let most = (16 << 10) + 1300;
    assert!(
        reader.chunks.iter().all(|chunk| chunk.len() <= most),
        "{:?}",
        reader.chunks.iter().map(Bytes::len).collect::<Vec<_>>()
    );
    assert!(reader.chunks.len() > 2);
}

#[test]
fn what_a_chunk_has_no_room_for_stays_in_the_outbox() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = hub_of(64, SlowConsumer::DropOldest);
    let gateway = Gateway::new(hub.clone());
    let (mut reader, _) = Reader::open(&gateway, "/sse?channels=a", &[]);
    let publish = || {
        let text = "x".repeat(4000);
        let _delivery = hub.publish("a", Message::text(text)).unwrap();
    };
    (0..64).for_each(|_| publish());
    let waker = Waker::noop();
    let polled = reader
        .body
        .as_mut()
        .poll_frame(&mut Context::from_waker(waker));
    assert!(polled.is_ready(), "one chunk");
    let queued = hub.slow_clients(1)[0].stats.queued_messages;
    assert!((58..64).contains(&queued), "{queued} of 64");
    (0..64).for_each(|_| publish());
    let stats = hub.slow_clients(1)[0].stats;
    assert_eq!((stats.queued_messages, stats.evicted), (64, queued as u64));
    drop(polled);
    let read = reader.read();
    let offsets = read
        .iter()
        .filter_map(|event| json_of(event)["offset"].as_u64());
    assert!(offsets.eq(65..=128), "the newest, in their order");
}

#[test]
fn a_slow_client_is_treated_as_its_policy_says() {
    let runtime = runtime();
    let _inside = runtime.enter();
    for (policy, expected) in [
        (
            SlowConsumer::DropNewest,
            &["gap 5-10", "1", "2", "3", "4"][..],
        ),
        (SlowConsumer::DropOldest, &["gap 1-6", "7", "8", "9", "10"]),
        (
            SlowConsumer::DISCONNECT,
            &["1", "2", "3", "4", "disconnect 3008"],
        ),
    ] {
        let hub = hub_of(4, policy);
        let gateway = Gateway::new(hub.clone());
        let (mut reader, _) = Reader::open(&gateway, "/sse?channels=a", &[]);
        for number in 1..=10 {
            let _delivery = hub
                .publish("a", Message::text(format!("{number}")))
                .unwrap();
        }
        let told: Vec<_> = reader
            .read()
            .iter()
            .map(json_of)
            .map(|push| {
                let data = &push["data"];
                match push["type"].as_str().unwrap() {
                    "gap" => format!("gap {}-{}", data["first"], data["last"]),
                    "disconnect" => format!("disconnect {}", data["code"]),
                    _ => data.to_string(),
                }
            })
            .collect();
        assert_eq!(told, expected, "{policy:?}");
        assert_eq!(
            reader.body.is_end_stream(),
            policy == SlowConsumer::DISCONNECT
        );
    }
    let hub = hub_of(2, SlowConsumer::KeepLatest);
    let gateway = Gateway::new(hub.clone());
    let (mut reader, _) = Reader::open(&gateway, "/sse?channels=a", &[]);
    for number in 1..=10 {
        let message = Message::text(format!("{number}")).key("k");
        let _delivery = hub.publish("a", message).unwrap();
    }
    let events = reader.read();
    assert_eq!(json_of(events.last().unwrap())["data"], 10);
    assert!(reader.id().starts_with("a@10."), "{}", reader.id());
}

#[test]
fn a_closed_client_hears_the_rest_the_reason_and_when_to_come_back() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::new();
    let gateway = Gateway::new(hub.clone());
    for (why, comes_back) in [(Disconnect::GOING_AWAY, true), (Disconnect::KICKED, false)] {
        let code = why.code();
        let (mut reader, _) = Reader::open(&gateway, "/sse?channels=a", &[]);
        let first = reader.source.retry.unwrap();
        assert!((2400..=3600).contains(&first), "{first}");
        publish(&hub, "a", "the last");
        let id = throng::ClientId::new(hub.stats().connected);
        hub.client(id).unwrap().close(why);
        let events = reader.read();
        assert_eq!(names(&events), ["message", "disconnect"]);
        let farewell = json_of(&events[1]);
        assert_eq!(
            (&farewell["data"]["code"], &farewell["data"]["reconnect"]),
            (&json!(code), &json!(comes_back))
        );
        let retry = reader.source.retry.unwrap();
        if comes_back {
            assert_eq!(farewell["data"]["retry_after_ms"], retry);
            assert!(retry < 5000, "{retry}");
        } else {
            assert_eq!(
                retry, 86_400_000,
                "a browser comes back whatever it is told"
            );
        }
        assert!(reader.body.is_end_stream());
        drop(reader);
        assert!(gateway.stats(Transport::Sse).closes.contains(&(code, 1)));
    }
}

#[test]
fn a_dropped_body_leaves_nothing_behind() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::new();
    let gateway = Gateway::new(hub.clone());
    let readers: Vec<_> = (0..10)
        .map(|_| Reader::open(&gateway, "/sse?channels=a,b", &[]).0)
        .collect();
    // One that was never asked for anything, and one in the middle of a join.
    let unread = ask(&gateway, "/sse?channels=a", &[]);
    publish(&hub, "a", "waits");
    assert_eq!((gateway.connections(), hub.client_count()), (11, 11));
    drop((readers, unread));
    assert_eq!((gateway.connections(), hub.client_count()), (0, 0));
    assert_eq!((hub.subscriber_count("a"), hub.channel_count()), (0, 0));
    assert_eq!(gateway.stats(Transport::Sse).open, 0);
}

#[test]
fn who_drains_lets_nobody_in_and_says_when_to_come_back() {
    let runtime = runtime();
    let gateway = {
        let _inside = runtime.enter();
        Gateway::builder(Hub::new())
            .drain_window(Default::default())
            .build()
    };
    let mut reader = {
        let _inside = runtime.enter();
        Reader::open(&gateway, "/sse?channels=a", &[]).0
    };
    let drained = runtime.block_on(async {
        let mut drain = pin!(gateway.drain());
        let mut context = Context::from_waker(Waker::noop());
        assert!(
            drain.as_mut().poll(&mut context).is_pending(),
            "one is open"
        );
        let events = reader.read();
        assert_eq!(names(&events), ["disconnect"]);
        assert_eq!(json_of(&events[0])["data"]["code"], 1001);
        let refused = ask(&gateway, "/sse", &[]);
        assert_eq!(refused.status(), 503);
        let wait: u64 = refused.headers()[header::RETRY_AFTER]
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        assert!((1..=6).contains(&wait), "{wait}");
        drop(reader);
        drain.await;
        true
    });
    assert!(drained);
}

#[test]
fn who_finds_no_room_is_told_so() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::builder()
        .limits(throng::Limits::new().clients(1))
        .build()
        .unwrap();
    let gateway = Gateway::new(hub);
    let (_reader, _) = Reader::open(&gateway, "/sse", &[]);
    let refused = ask(&gateway, "/sse", &[]);
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key(header::RETRY_AFTER));
    assert_eq!(whole(refused)["code"], "too_many_clients");
}
