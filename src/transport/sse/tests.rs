//! What a body is made of:
//!
//! - a cursor is what it says, never longer than its limit, and never goes back;
//! - what is written is what is read;
//! - chunks keep the order and every byte;
//! - who takes nothing is found late, and who takes something is not.

use std::collections::BTreeMap;
use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::runtime::Builder;

use crate::hub::ConnectOptions;
use crate::hub::Hub;
use crate::hub::StreamPosition;
use crate::id::ChannelName;
use crate::message::Message;
use crate::time::Clock;
use crate::time::SystemClock;
use crate::transport::Gateway;
use crate::transport::sse::SseConfig;
use crate::transport::sse::alarm::Alarm;
use crate::transport::sse::body::Live;
use crate::transport::sse::chunks::Chunks;
use crate::transport::sse::cursor::Cursor;
use crate::transport::sse::cursor::Mark;
use crate::transport::sse::cursor::Resume;
use crate::transport::sse::percent;
use crate::transport::sse::query::Bounds;
use crate::transport::sse::query::Query;
use crate::transport::sse::stream::Stream;
use crate::transport::sse::streams::Watched;
use crate::transport::sse::token::StreamToken;
use crate::transport::stats::Transport;

#[derive(Clone, Debug)]
enum Step {
    Advance(u64, u64),
    Ask(Option<u64>, bool),
    Forget,
    Join(u64),
    Leave,
    Skip,
}

/// What a cursor should say of a channel, by the dullest means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Asked(Option<StreamPosition>),
    Marked(Mark),
}

fn step() -> impl Strategy<Value = Step> {
    let offset = prop_oneof![0..5_u64, Just(u64::MAX)];
    prop_oneof![
        4 => (offset.clone(), 0..2_u64).prop_map(|(offset, epoch)| Step::Advance(offset, epoch)),
        2 => (proptest::option::of(0..5_u64), any::<bool>())
            .prop_map(|(since, is_of_address)| Step::Ask(since, is_of_address)),
        1 => Just(Step::Forget),
        3 => offset.prop_map(Step::Join),
        1 => Just(Step::Leave),
        1 => Just(Step::Skip),
    ]
}

fn at(offset: u64, epoch: u64) -> StreamPosition {
    StreamPosition { offset, epoch }
}

fn text(cursor: &Cursor) -> String {
    let mut text = Vec::new();
    cursor.write(&mut text);
    String::from_utf8(text).unwrap()
}

fn channel(name: &str) -> ChannelName {
    ChannelName::parse(name, usize::MAX).unwrap()
}

const NAMES: [&str; 4] = ["a", "b c", "ü,@%", "-"];

proptest! {
    #[test]
    fn a_cursor_says_where_each_channel_is(
        steps in vec((0..4_usize, step()), 0..40),
        limit in 0..260_usize,
    ) {
        let mut cursor = Cursor::new(limit);
        let mut model: BTreeMap<&str, (Expected, bool)> = BTreeMap::new();
        for (index, step) in steps {
            let name = NAMES[index];
            let held = model.get(name).copied();
            let is_of_address = held.is_some_and(|(_, is)| is);
            match step {
                Step::Advance(offset, epoch) => {
                    cursor.advance(name, at(offset, epoch));
                    if let Some((Expected::Marked(Mark::At(old)), is)) = held && old.epoch == epoch {
                        let newer = at(old.offset.max(offset), epoch);
                        model.insert(name, (Expected::Marked(Mark::At(newer)), is));
                    }
                }
                Step::Ask(since, named) => {
                    let since = since.map(|offset| at(offset, 0));
                    if cursor.ask(&channel(name), since, named).is_ok() {
                        model.insert(name, (Expected::Asked(since), is_of_address || named));
                    } else {
                        prop_assert!(held.is_none(), "who has room keeps it");
                    }
                }
                Step::Forget => {
                    cursor.forget(name);
                    if let Some((Expected::Asked(_), _)) = held {
                        model.remove(name);
                    }
                }
                Step::Join(offset) => {
                    let since = cursor.join(&channel(name), at(offset, 1));
                    let asked = match held {
                        Some((Expected::Asked(since), _)) => since,
                        _ => None,
                    };
                    prop_assert_eq!(since, asked);
                    if held.is_some() || cursor.has(name) {
                        let place = asked.unwrap_or_else(|| at(offset, 1));
                        model.insert(name, (Expected::Marked(Mark::At(place)), is_of_address));
                    }
                }
                Step::Leave => {
                    cursor.leave(name);
                    if is_of_address {
                        model.insert(name, (Expected::Marked(Mark::Left), true));
                    } else {
                        model.remove(name);
                    }
                }
                Step::Skip => {
                    if cursor.skip(&channel(name)).is_ok() {
                        model.insert(name, (Expected::Marked(Mark::Left), true));
                    }
                }
            }
            let written = text(&cursor);
            prop_assert!(written.len() <= limit, "{written}");
            prop_assert!(written.bytes().all(|byte| byte.is_ascii_graphic()));
            let read = Resume::parse(&written).unwrap();
            let marked = model.iter().filter_map(|(name, (expected, _))| match expected {
                Expected::Asked(since) => since.map(|at| ((*name).to_owned(), Mark::At(at))),
                Expected::Marked(mark) => Some(((*name).to_owned(), *mark)),
            });
            let read: BTreeMap<String, Mark> = read.entries.into_iter().collect();
            prop_assert_eq!(read, marked.collect());
        }
    }

    #[test]
    fn what_is_encoded_is_what_is_decoded(text in any::<String>()) {
        let mut encoded = String::new();
        percent::encode(&text, &mut encoded);
        prop_assert!(encoded.bytes().all(|byte| byte.is_ascii_graphic() && !b",@+&=".contains(&byte)));
        prop_assert_eq!(percent::decode(&encoded), Some(text));
    }

    #[test]
    fn any_text_is_a_query_or_is_refused(text in ".{0,200}") {
        let bounds = Bounds { max_channels: 3, max_name: 8, max_id: 20 };
        if let Ok(query) = Query::parse(&text, bounds) {
            prop_assert!(query.channels.len() <= 3 && query.last_event_id.len() <= 20);
        }
        if let Ok(resume) = Resume::parse(&text) {
            prop_assert_eq!(Resume::parse(&resume.to_string()), Ok(resume));
        }
    }

    #[test]
    fn chunks_keep_order_and_every_byte(
        events in vec((any::<bool>(), prop_oneof![0..20_usize, 8_000..9_000_usize]), 0..40),
        takes in vec(any::<bool>(), 40),
    ) {
        let mut chunks = Chunks::default();
        let (mut sent, mut received, mut counted) = (Vec::new(), Vec::new(), 0);
        for (number, ((shared, length), take)) in events.iter().zip(&takes).enumerate() {
            let event = vec![u8::try_from(number).unwrap(); length + 1];
            sent.extend_from_slice(&event);
            if *shared {
                chunks.share(&Bytes::from(event));
            } else {
                chunks.write(|out| out.extend_from_slice(&event));
            }
            if *take && let Some(chunk) = chunks.take() {
                received.extend_from_slice(&chunk.bytes);
                counted += chunk.events;
            }
        }
        while let Some(chunk) = chunks.take() {
            prop_assert!(!chunk.bytes.is_empty());
            received.extend_from_slice(&chunk.bytes);
            counted += chunk.events;
        }
        prop_assert!(chunks.is_empty());
        prop_assert_eq!((received, counted), (sent, events.len()));
    }
}

#[test]
fn a_query_is_read_as_a_form_is() {
    let bounds = Bounds {
        max_channels: 9,
        max_name: 99,
        max_id: 99,
    };
    for (query, channels, id) in [
        ("", &[][..], ""),
        ("channels=", &[], ""),
        ("channels=a,b", &["a", "b"], ""),
        ("channels=a%2Cb", &["a", "b"], ""),
        ("channel=a%2Cb&channel=b", &["a,b", "b"], ""),
        ("channels=,b,,b,&channel=b", &["b"], ""),
        ("channels=b+c%2B", &["b c+"], ""),
        ("user=x&channels=a&token", &["a"], ""),
        ("last_event_id=a%401.2%2Cb%25@3.4", &[], "a@1.2,b%@3.4"),
        ("lastEventId=x&channels=%C3%BC", &["ü"], "x"),
    ] {
        let parsed = Query::parse(query, bounds).unwrap();
        let names: Vec<_> = parsed.channels.iter().map(|name| name.as_str()).collect();
        assert_eq!(
            (&names[..], parsed.last_event_id.as_str()),
            (channels, id),
            "{query}"
        );
    }
}

#[test]
fn an_idle_stream_is_small() {
    let shared = size_of::<Stream>();
    let own = size_of::<Live>() + size_of::<tokio::time::Sleep>() + size_of::<Alarm>();
    assert!(shared + own <= 768, "{shared} and {own} bytes");
}

#[test]
fn only_lower_case_digits_name_a_stream() {
    let id = StreamToken::random().unwrap();
    let text = id.to_string();
    assert!(StreamToken::parse(&text) == Some(id));
    for wrong in [
        "",
        "0",
        &text[1..],
        &format!("{text}0"),
        &format!("+{}", &text[1..]),
        &"F".repeat(32),
    ] {
        assert!(StreamToken::parse(wrong).is_none(), "{wrong}");
    }
}

/// A stream of a hub, with one channel joined.
fn stream(hub: &Hub, gateway: &Gateway) -> Stream {
    let options = ConnectOptions::new();
    let (client, outbox, registration) = gateway.enter(options, Transport::Sse, true).unwrap();
    client.subscribe_blocking("a").unwrap();
    let id = StreamToken::random().unwrap();
    assert_eq!(hub.subscriber_count("a"), 1);
    Stream::new(id, client, outbox, registration, Cursor::new(100))
}

fn poll(stream: &Stream) {
    use std::task::Context;
    use std::task::Waker;
    let context = Context::from_waker(Waker::noop());
    while stream.poll_next(&context).is_ready() {}
}

#[test]
fn who_takes_nothing_is_late_and_who_takes_something_is_not() {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let _inside = runtime.enter();
    let hub = Hub::new();
    let gateway = Gateway::new(hub.clone());
    let stream = std::sync::Arc::new(stream(&hub, &gateway));
    let config = SseConfig::new()
        .heartbeat(Duration::from_secs(100))
        .write_timeout(Duration::from_secs(10));
    let start: Instant = SystemClock::new().now();
    let mut watched = Watched::new(&stream, start);
    let mut late = |seconds| watched.is_late(start + Duration::from_secs(seconds), config);
    let publish = || drop(hub.publish("a", Message::static_text("x")));
    poll(&stream);
    // Nothing to say.
    assert!(!late(0) && !late(60));
    publish();
    assert!(!late(61) && !late(70));
    // It takes what waits just in time, and then a little at a time.
    poll(&stream);
    publish();
    assert!(!late(71) && !late(80));
    poll(&stream);
    publish();
    assert!(!late(81) && !late(90));
    assert!(late(91), "10 s after it was seen to wait");

    // With nothing to say there are heartbeats, which nobody asked for either.
    poll(&stream);
    assert!(!late(100) && !late(229));
    assert!(late(230), "a heartbeat, and the write timeout");

    stream.cut();
    assert_eq!((hub.client_count(), hub.subscriber_count("a")), (0, 0));
    assert_eq!(gateway.stats(Transport::Sse).closes, [(3009, 1)]);
}
