//! Going on from a place: what is given, what is told, and that it is whole.

use std::thread;
use std::time::Duration;
use std::time::SystemTime;

use serde_json::Value;
use serde_json::json;

use crate::binary::Came;
use crate::binary::Curl;
use crate::binary::Raw;
use crate::binary::Sse;
use crate::binary::Throng;

use super::Place;
use super::publish;
use super::published;
use super::remembering;
use super::subscribe;

/// Every policy for slow consumers.
const POLICIES: [&str; 4] = ["drop-newest", "drop-oldest", "keep-latest", "disconnect"];

/// The `data` of so many messages that come next, each with its number.
fn messages(client: &mut Raw, count: usize) -> Vec<(String, u64)> {
    let next = |_| {
        let message = client.expect("message");
        assert_eq!(message["offset"], message["data"], "{message}");
        let channel = message["channel_id"].as_str().unwrap();
        (channel.to_owned(), message["data"].as_u64().unwrap())
    };
    (0..count).map(next).collect()
}

/// The numbers that one of the channels has brought.
fn of(channel: &str, messages: &[(String, u64)]) -> Vec<u64> {
    let own = messages.iter().filter(|(name, _)| name == channel);
    own.map(|(_, number)| *number).collect()
}

/// Subscribes to `c`, to go on from a place; gives what it was told.
fn resume(client: &mut Raw, place: &Place) -> Value {
    client.say(&subscribe("c", Some(place)));
    client.expect("joined")
}

#[test]
fn a_replay_shows_the_time_of_the_publication_on_every_transport() {
    let (throng, mut publisher) = remembering("", &[]);
    let begin = published(&throng, &mut publisher, 1..=3);
    let page = throng.get("/api/v1/channels/c/history").json();
    let messages = page["messages"].as_array().unwrap();
    let times: Vec<_> = messages.iter().map(|it| &it["published_at"]).collect();
    let published = SystemTime::now();
    while published.elapsed().unwrap_or_default() < Duration::from_millis(5) {
        thread::yield_now();
    }
    let mut socket = Raw::open(throng.address, None);
    resume(&mut socket, &begin);
    let id = begin.event_id("c");
    let (mut stream, _) = throng.sse(&format!("/sse?channels=c&last_event_id={id}"));
    stream.expect("joined");
    for time in times {
        assert!(time.is_string(), "{page}");
        assert_eq!(socket.expect("message")["published_at"], *time);
        assert_eq!(stream.expect("message")["published_at"], *time);
    }
}

#[test]
fn f16_a_socket_goes_on_in_several_channels_without_a_hole_or_a_double() {
    let throng = Throng::start(&["--history", "*"]);
    let mut publisher = throng.ws();
    let names = ["a", "b", "c"];
    let mut first = Raw::open(throng.address, None);
    let mut places = Vec::new();
    for name in names {
        first.say(&subscribe(name, None));
        places.push(Place::of_joined(&first.expect("joined")));
    }
    for name in names {
        publish(&mut publisher, name, 1..=5);
    }
    // It has read some of each when it is gone.
    let seen = messages(&mut first, 12);
    first.reset();
    for (name, place) in names.iter().zip(&mut places) {
        let seen = of(name, &seen);
        assert_eq!(seen, (1..=seen.len() as u64).collect::<Vec<_>>());
        place.offset = seen.len() as u64;
    }
    for name in names {
        publish(&mut publisher, name, 6..=60);
    }
    let mut again = Raw::open(throng.address, None);
    for (name, place) in names.iter().zip(&places) {
        again.say(&subscribe(name, Some(place)));
        // While it goes on, so does everybody else.
        publish(&mut publisher, name, 61..=70);
    }
    let mut come = Vec::new();
    let expected: u64 = places.iter().map(|place| 70 - place.offset).sum();
    let mut joined = 0;
    while come.len() as u64 != expected || joined != 3 {
        let push = match again.next() {
            Came::Push(push) => push,
            other => panic!("{other:?} after {}", come.len()),
        };
        let name = push["channel_id"].as_str().unwrap();
        let place = &places[names.iter().position(|it| *it == name).unwrap()];
        if push["type"] == "joined" {
            assert_eq!(push["data"]["recovered"], true);
            assert_eq!(Place::of_joined(&push), *place);
            joined += 1;
        } else {
            assert_eq!(push["type"], "message");
            come.push((name.to_owned(), push["offset"].as_u64().unwrap()));
        }
    }
    for (name, place) in names.iter().zip(&places) {
        let rest: Vec<_> = (place.offset + 1..=70).collect();
        assert_eq!(of(name, &come), rest, "{name}");
    }
}

#[test]
fn a_place_that_is_too_old_is_told_in_numbers() {
    let (throng, mut publisher) = remembering("messages=5", &[]);
    let begin = published(&throng, &mut publisher, 1..=20);
    let strange = Place {
        epoch: "1".into(),
        ..begin.at(20)
    };
    // What is kept are the numbers 16 to 20.
    for (place, recovered, start) in [
        (begin.at(14), false, 20),
        (begin.at(15), true, 15),
        (begin.at(20), true, 20),
        (begin.at(21), false, 20),
        (strange, false, 20),
    ] {
        let mut client = Raw::open(throng.address, None);
        let joined = resume(&mut client, &place);
        let told = (&joined["data"]["recovered"], &joined["data"]["start"]);
        assert_eq!(told, (&json!(recovered), &json!(start)), "{place:?}");
        assert_eq!(joined["offset"], 20);
        let missed = usize::try_from(20 - start).unwrap();
        let rest: Vec<_> = (start + 1..=20).collect();
        assert_eq!(of("c", &messages(&mut client, missed)), rest);
    }
    let mut late = Raw::open(throng.address, None);
    resume(&mut late, &begin);
    publish(&mut publisher, "c", [21]);
    assert_eq!(
        of("c", &messages(&mut late, 1)),
        [21],
        "and then it goes on"
    );
}

#[test]
fn f2_curl_goes_on_from_an_id_and_is_told_when_it_cannot() {
    let (throng, mut publisher) = remembering("messages=20", &[]);
    let url = format!("http://{}/sse?channels=c", throng.address);
    let Some(mut curl) = Curl::start(&[&url]) else {
        return;
    };
    curl.expect("connected");
    curl.expect("joined");
    publish(&mut publisher, "c", 1..=3);
    for number in 1..=3 {
        assert_eq!(curl.expect("message")["data"], number);
    }
    let id = curl.last_event_id().to_owned();
    assert!(id.starts_with("c@3."), "{id}");
    drop(curl);
    publish(&mut publisher, "c", 4..=10);
    let header = format!("Last-Event-ID: {id}");
    let mut curl = Curl::start(&["-H", &header, &url]).unwrap();
    assert_eq!(curl.expect("connected")["data"]["resumed"], true);
    assert_eq!(curl.expect("joined")["data"]["recovered"], true);
    for number in 4..=10 {
        assert_eq!(curl.expect("message")["data"], number);
        assert!(curl.last_event_id().starts_with(&format!("c@{number}.")));
    }
    publish(&mut publisher, "c", 11..=30);
    let mut late = Curl::start(&["-H", &header, &url]).unwrap();
    late.expect("connected");
    let joined = late.expect("joined");
    assert_eq!(joined["data"]["recovered"], false);
    assert_eq!(late.last_event_id(), id, "it has nothing of it yet");
    let gap = late.expect("gap");
    assert_eq!(gap["data"], json!({"first": 4, "last": 30, "missed": 27}));
    assert!(late.last_event_id().starts_with("c@30."));
    publish(&mut publisher, "c", [31]);
    assert_eq!(late.expect("message")["data"], 31);
}

#[test]
fn f15_f16_a_replay_larger_than_the_outbox_arrives_whole_under_every_policy() {
    for policy in POLICIES {
        let small = ["--outbox-messages", "8", "--slow-consumer", policy];
        let (throng, mut publisher) = remembering("messages=2000", &small);
        let begin = published(&throng, &mut publisher, 1..=2000);
        for from in [1000, 1900] {
            let place = begin.at(from);
            let rest: Vec<_> = (from + 1..=2000).collect();
            let mut socket = Raw::open(throng.address, None);
            assert_eq!(resume(&mut socket, &place)["data"]["recovered"], true);
            let come = messages(&mut socket, rest.len());
            assert_eq!(of("c", &come), rest, "{policy}");

            let id = place.event_id("c");
            let headers = [("last-event-id", id.as_str())];
            let (mut stream, _) = throng.sse_with("/sse?channels=c", &headers);
            assert_eq!(stream.expect("joined")["data"]["recovered"], true);
            assert_eq!(events(&mut stream, rest.len()), rest, "{policy}");
        }
        let stats = throng.stats();
        assert_eq!(
            (&stats["dropped"], &stats["evicted"]),
            (&json!(0), &json!(0))
        );
        assert_eq!(stats["disconnected_slow"], 0);
    }
}

/// The numbers of so many messages that come next, each behind an id that names it.
fn events(stream: &mut Sse, count: usize) -> Vec<u64> {
    let next = |_| {
        let number = stream.expect("message")["data"].as_u64().unwrap();
        let id = stream.last_event_id().to_owned();
        // Several events may have come at once, of which the last has set the id.
        let at = id.strip_prefix("c@").unwrap().split_once('.').unwrap().0;
        assert!(at.parse::<u64>().unwrap() >= number, "{id}");
        number
    };
    (0..count).map(next).collect()
}

#[test]
fn f16_a_stream_that_breaks_off_in_the_middle_of_a_replay_goes_on_from_there() {
    let small = ["--outbox-messages", "8"];
    let (throng, mut publisher) = remembering("messages=3000", &small);
    let mut place = published(&throng, &mut publisher, 1..=3000);
    let mut come = Vec::new();
    for broken_off_after in [7, 500, 1, 999, usize::MAX] {
        let id = place.event_id("c");
        let (mut stream, _) = throng.sse_with("/sse?channels=c", &[("last-event-id", &id)]);
        assert_eq!(stream.expect("joined")["data"]["recovered"], true);
        let left = usize::try_from(3000 - place.offset).unwrap();
        come.extend(events(&mut stream, left.min(broken_off_after)));
        place.offset = *come.last().unwrap();
    }
    assert_eq!(come, (1..=3000).collect::<Vec<_>>());
}
