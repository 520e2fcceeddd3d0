//! What a channel remembers, and what those get of it who come back.

mod ages;
mod behind;
mod routed;
mod runs;
mod table;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use throng::Client;
use throng::ConnectOptions;
use throng::Event;
use throng::Filter;
use throng::HistoryOptions;
use throng::HistoryQuery;
use throng::Hub;
use throng::HubBuilder;
use throng::Joined;
use throng::Limits;
use throng::ManualClock;
use throng::Message;
use throng::Outbox;
use throng::OutboxLimits;
use throng::SlowConsumer;
use throng::StreamPosition;
use throng::SubscribeError;
use throng::SubscribeOptions;

use crate::support::drain;
use crate::support::ending;
use crate::support::open_hub;
use crate::support::texts;

use self::ages::ONE;

fn remembering(options: HistoryOptions) -> HubBuilder {
    Hub::builder().history(move |_| Some(options.clone()))
}

fn options() -> ConnectOptions {
    ConnectOptions::new().gap_notices(true)
}

fn small(messages: usize) -> ConnectOptions {
    options().outbox(OutboxLimits::new().messages(messages))
}

fn since(client: &Client, position: StreamPosition) -> Joined {
    since_with(client, SubscribeOptions::new().since(position)).unwrap()
}

fn since_with(client: &Client, options: SubscribeOptions) -> Result<Joined, SubscribeError> {
    let joined = client.subscribe_with("c", options).now_or_never();
    joined.expect("nobody else is in the channel")
}

/// Publishes the numbers as texts.
fn publish(hub: &Hub, numbers: impl IntoIterator<Item = u64>) {
    for number in numbers {
        let _delivery = hub.publish("c", Message::text(number.to_string())).unwrap();
    }
}

/// Publishes the numbers as texts; gives where the channel was before it had any.
fn published(hub: &Hub, numbers: impl IntoIterator<Item = u64>) -> StreamPosition {
    publish(hub, numbers);
    let position = hub.channel("c").unwrap().position();
    StreamPosition {
        offset: 0,
        ..position
    }
}

fn numbers(outbox: &mut Outbox) -> Vec<u64> {
    let frames = drain(outbox);
    let messages = frames.iter().filter(|frame| frame.message().is_some());
    messages.map(throng::Frame::offset).collect()
}

fn gaps(outbox: &mut Outbox) -> Vec<(u64, u64, u64)> {
    let frames = drain(outbox);
    let gaps = frames.iter().filter_map(|frame| match frame.event() {
        Event::Gap(gap) => Some((gap.first, gap.last, gap.missed)),
        _ => None,
    });
    gaps.collect()
}

#[test]
fn who_comes_back_gets_what_it_missed_and_then_what_comes() {
    let hub = remembering(HistoryOptions::new()).build().unwrap();
    let begin = published(&hub, 1..=5);
    let (client, mut outbox) = hub.connect(options()).unwrap();
    let position = StreamPosition { offset: 2, ..begin };
    let joined = since(&client, position);
    assert!(joined.recovered);
    assert_eq!((joined.start, joined.position.offset), (position, 5));
    publish(&hub, 6..=7);
    assert_eq!(texts(&mut outbox), ["3", "4", "5", "6", "7"]);
}

#[test]
fn who_comes_with_nothing_begins_with_what_comes() {
    let hub = remembering(HistoryOptions::new()).build().unwrap();
    publish(&hub, 1..=5);
    let (client, mut outbox) = hub.connect(options()).unwrap();
    let joined = since_with(&client, SubscribeOptions::new()).unwrap();
    assert!(!joined.recovered);
    assert_eq!(joined.start, joined.position);
    publish(&hub, [6]);
    assert_eq!(texts(&mut outbox), ["6"]);
}

#[test]
fn what_is_too_old_or_of_another_life_is_told_so() {
    let hub = remembering(HistoryOptions::new().messages(3))
        .build()
        .unwrap();
    let begin = published(&hub, 1..=5);
    let cases = [
        (StreamPosition { offset: 1, ..begin }, false, vec![]),
        (StreamPosition { offset: 2, ..begin }, true, vec![3, 4, 5]),
        (StreamPosition { offset: 5, ..begin }, true, vec![]),
        (StreamPosition { offset: 6, ..begin }, false, vec![]),
        (
            StreamPosition {
                offset: 4,
                epoch: begin.epoch + 1,
            },
            false,
            vec![],
        ),
    ];
    for (position, recovered, expected) in cases {
        let (client, mut outbox) = hub.connect(options()).unwrap();
        assert_eq!(
            since(&client, position).recovered,
            recovered,
            "{position:?}"
        );
        assert_eq!(numbers(&mut outbox), expected, "{position:?}");
    }
}

#[test]
fn a_replay_larger_than_the_outbox_is_paced() {
    for policy in [
        SlowConsumer::DISCONNECT,
        SlowConsumer::DropNewest,
        SlowConsumer::DropOldest,
        SlowConsumer::KeepLatest,
    ] {
        let hub = remembering(HistoryOptions::new().messages(10_000));
        let hub = hub.slow_consumer(policy).build().unwrap();
        let begin = published(&hub, 1..=1000);
        let (client, mut outbox) = hub.connect(small(4)).unwrap();
        assert!(since(&client, begin).recovered);
        assert!(outbox.len() <= 3, "half of the outbox, and one");
        // What comes meanwhile is not dropped either: it is still behind.
        publish(&hub, 1001..=1100);
        let expected: Vec<_> = (1..=1100).collect();
        assert_eq!(numbers(&mut outbox), expected, "{policy:?}");
        publish(&hub, 1101..=1103);
        assert_eq!(numbers(&mut outbox), [1101, 1102, 1103]);
        assert_eq!(client.stats().dropped, 0);
    }
}

#[tokio::test]
async fn a_receiver_that_waits_gets_all_of_a_replay() {
    let hub = remembering(HistoryOptions::new().messages(1000))
        .build()
        .unwrap();
    let begin = published(&hub, 1..=500);
    let (client, mut outbox) = hub.connect(small(1)).unwrap();
    let receiver = tokio::spawn(async move {
        for number in 1..=501 {
            assert_eq!(outbox.recv().await.unwrap().offset(), number);
        }
    });
    tokio::task::yield_now().await;
    since(&client, begin);
    // One thread: a receiver that is not woken for more never has another turn.
    for _ in 0..10_000 {
        if client.stats().received == 500 {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(client.stats().received, 500, "it was not woken for all");
    publish(&hub, [501]);
    let received = tokio::time::timeout(Duration::from_secs(60), receiver);
    received.await.expect("it is woken").unwrap();
}

#[test]
fn a_replay_leaves_room_for_the_other_channels() {
    let hub = remembering(HistoryOptions::new()).build().unwrap();
    let begin = published(&hub, 1..=100);
    let (client, mut outbox) = hub.connect(small(8)).unwrap();
    client.subscribe_blocking("other").unwrap();
    since(&client, begin);
    for _ in 0..3 {
        let _delivery = hub.publish("other", Message::text("x")).unwrap();
    }
    assert_eq!(client.stats().dropped, 0);
    let frames = drain(&mut outbox);
    assert_eq!(frames.len(), 103);
}

#[test]
fn what_is_forgotten_before_it_was_replayed_is_told_exactly() {
    let hub = remembering(HistoryOptions::new().messages(10))
        .build()
        .unwrap();
    let begin = published(&hub, 1..=10);
    let (client, mut outbox) = hub.connect(small(2)).unwrap();
    assert!(since(&client, begin).recovered);
    publish(&hub, 11..=25);
    // It has been given 1 and 2; 3 to 15 are gone.
    let mut received = Vec::new();
    let mut told = Vec::new();
    for frame in drain(&mut outbox) {
        match frame.event() {
            Event::Gap(gap) => told.push((gap.first, gap.last, gap.missed)),
            _ => received.push(frame.offset()),
        }
    }
    assert_eq!(told, [(3, 15, 13)]);
    let expected: Vec<_> = (1..=2).chain(16..=25).collect();
    assert_eq!(received, expected);
    assert_eq!(client.stats().dropped, 13);
}

#[test]
fn who_may_lose_nothing_is_disconnected_when_it_does() {
    let hub = remembering(HistoryOptions::new().messages(10));
    let hub = hub.slow_consumer(SlowConsumer::DISCONNECT).build().unwrap();
    let begin = published(&hub, 1..=10);
    let (client, mut outbox) = hub.connect(small(2)).unwrap();
    since(&client, begin);
    publish(&hub, 11..=25);
    assert_eq!(numbers(&mut outbox), [1, 2], "a gapless run");
    assert_eq!(ending(&mut outbox), throng::Disconnect::SLOW);
    assert_eq!(hub.subscriber_count("c"), 0);
}

#[test]
fn a_channel_that_is_a_value_gives_it_to_who_comes() {
    let hub = remembering(HistoryOptions::latest()).build().unwrap();
    let (client, mut outbox) = hub.connect(options()).unwrap();
    assert!(
        !since_with(&client, SubscribeOptions::new())
            .unwrap()
            .recovered
    );
    let begin = published(&hub, 1..=3);
    assert_eq!(texts(&mut outbox), ["1", "2", "3"]);
    for (position, recovered, expected) in [
        (None, false, vec!["3"]),
        (Some(StreamPosition { offset: 1, ..begin }), true, vec!["3"]),
        (Some(StreamPosition { offset: 3, ..begin }), true, vec![]),
        (
            Some(StreamPosition {
                offset: 3,
                epoch: 1,
            }),
            false,
            vec!["3"],
        ),
    ] {
        let (client, mut outbox) = hub.connect(options()).unwrap();
        let mut options = SubscribeOptions::new();
        if let Some(position) = position {
            options = options.since(position);
        }
        let joined = since_with(&client, options).unwrap();
        assert_eq!(joined.recovered, recovered, "{position:?}");
        assert_eq!(texts(&mut outbox), expected, "{position:?}");
    }
}

#[test]
fn what_is_ephemeral_is_neither_kept_nor_missed() {
    let hub = remembering(HistoryOptions::new()).build().unwrap();
    let begin = published(&hub, [1]);
    let _delivery = hub
        .publish("c", Message::text("typing").ephemeral())
        .unwrap();
    publish(&hub, [3]);
    let (client, mut outbox) = hub.connect(options()).unwrap();
    assert!(since(&client, begin).recovered);
    assert_eq!(numbers(&mut outbox), [1, 3]);
    let page = hub.channel("c").unwrap().history(&HistoryQuery::new());
    assert_eq!(page.frames.len(), 2);
    assert_eq!((page.floor, page.position.offset, page.more), (0, 3, false));
}

#[test]
fn filters_and_exceptions_hold_for_what_was_missed() {
    let hub = remembering(HistoryOptions::new()).build().unwrap();
    let begin = published(&hub, [1]);
    let (client, mut outbox) = hub.connect(small(2)).unwrap();
    publish(&hub, 1..=4);
    let _delivery = hub
        .prepare("c", Message::text("6"))
        .except(client.id())
        .publish()
        .unwrap();
    publish(&hub, [8]);
    let even = Filter::new(|message: &Message| message.payload()[0].is_multiple_of(2));
    let options = SubscribeOptions::new().since(begin).filter(even);
    assert!(since_with(&client, options).unwrap().recovered);
    assert_eq!(texts(&mut outbox), ["2", "4", "8"]);
    publish(&hub, [9, 2]);
    assert_eq!(texts(&mut outbox), ["2"], "and for what comes");
}

#[test]
fn a_newcomer_is_told_the_members_once() {
    let hub = open_hub()
        .history(|_| Some(HistoryOptions::new()))
        .build()
        .unwrap();
    let channel = hub.channel("presence-c").unwrap();
    let begin = channel.position();
    let (ada, _ada_outbox) = hub.connect(options().user("ada")).unwrap();
    ada.subscribe_blocking("presence-c").unwrap();
    for _ in 0..2 {
        let _delivery = channel.publish(Message::text("hello")).unwrap();
    }
    let (bob, mut outbox) = hub.connect(small(1).user("bob")).unwrap();
    let options = SubscribeOptions::new().since(begin);
    let joined = bob.subscribe_with("presence-c", options).now_or_never();
    let joined = joined.unwrap().unwrap();
    assert_eq!((joined.members.len(), joined.recovered), (2, true));
    ada.unsubscribe("presence-c").unwrap();
    let frames = drain(&mut outbox);
    let told = frames.iter().map(|frame| match frame.event() {
        Event::Joined(_) => "joined",
        Event::Message(_) => "message",
        Event::MemberRemoved(_) => "left",
        _ => "other",
    });
    assert_eq!(
        told.collect::<Vec<_>>(),
        ["joined", "message", "message", "left"]
    );
}

#[test]
fn a_newcomer_is_not_told_of_its_own_coming_as_of_a_loss() {
    for history in [None, Some(HistoryOptions::new())] {
        let hub = open_hub().history(move |_| history.clone());
        let hub = hub.build().unwrap();
        let (ada, mut outbox) = hub.connect(options().user("ada")).unwrap();
        let joined = ada.subscribe_blocking("presence-c").unwrap();
        assert_eq!((joined.start, joined.position.offset), (joined.position, 1));
        let frames = drain(&mut outbox);
        let told = frames.iter().map(throng::Frame::event);
        let told: Vec<_> = told.collect();
        assert!(matches!(told[..], [Event::Joined(_)]), "{told:?}");
        let (bob, mut outbox) = hub.connect(options().user("bob")).unwrap();
        let since = SubscribeOptions::new().since(joined.position);
        let joined = bob.subscribe_with("presence-c", since).now_or_never();
        let joined = joined.unwrap().unwrap();
        assert!(joined.recovered);
        assert_eq!((joined.start, joined.position.offset), (joined.position, 2));
        assert_eq!(drain(&mut outbox).len(), 1);
    }
}

#[test]
fn a_channel_that_nobody_holds_lives_until_it_has_forgotten() {
    let clock = ManualClock::new();
    let hub = remembering(HistoryOptions::new().age(Duration::from_secs(60)));
    let hub = hub.clock(clock.clone()).build().unwrap();
    publish(&hub, 1..=3);
    assert_eq!(hub.channel_count(), 1, "nobody subscribes, and yet");
    assert_eq!(hub.stats().history_bytes, 3 * ONE);
    let position = hub.channel("c").unwrap().position();
    clock.advance(Duration::from_secs(50));
    publish(&hub, [4]);
    clock.advance(Duration::from_secs(50));
    hub.tick();
    let page = hub.channel("c").unwrap().history(&HistoryQuery::new());
    assert_eq!((page.frames.len(), page.floor), (1, 3));
    assert_eq!(page.position.epoch, position.epoch);
    clock.advance(Duration::from_secs(11));
    hub.tick();
    assert_eq!(hub.stats().history_bytes, 0);
    assert_eq!(
        hub.channel_count(),
        1,
        "the handle was dropped 11 seconds ago"
    );
    clock.advance(Duration::from_secs(50));
    hub.tick();
    assert_eq!(hub.channel_count(), 0);
    assert_ne!(published(&hub, [1]).epoch, position.epoch);
}

#[test]
fn who_was_there_before_anything_was_comes_back_to_the_same_life() {
    let clock = ManualClock::new();
    let hub = remembering(HistoryOptions::new());
    let hub = hub.clock(clock.clone()).build().unwrap();
    let (client, outbox) = hub.connect(options()).unwrap();
    let joined = since_with(&client, SubscribeOptions::new()).unwrap();
    drop(outbox);
    clock.advance(Duration::from_secs(50));
    publish(&hub, 1..=2);
    let (client, mut outbox) = hub.connect(options()).unwrap();
    assert!(since(&client, joined.position).recovered);
    assert_eq!(numbers(&mut outbox), [1, 2]);
    // One that nothing was ever published to is not kept for long.
    drop(hub.channel("other"));
    assert_eq!(hub.channel_count(), 2);
    clock.advance(Duration::from_secs(61));
    hub.tick();
    assert_eq!(hub.channel_count(), 1);
}

#[test]
fn a_channel_can_be_told_to_remember() {
    let hub = Hub::new();
    let channel = hub.channel("c").unwrap();
    publish(&hub, [1]);
    channel.set_history(Some(HistoryOptions::new()));
    publish(&hub, 2..=4);
    let page = channel.history(&HistoryQuery::new().newest_first().limit(2));
    let offsets: Vec<_> = page.frames.iter().map(throng::Frame::offset).collect();
    assert_eq!((offsets, page.more, page.floor), (vec![4, 3], true, 1));
    channel.set_history(Some(HistoryOptions::new().messages(1)));
    assert_eq!(channel.stats().history_messages, 1);
    let (client, mut outbox) = hub.connect(small(4)).unwrap();
    let position = StreamPosition {
        offset: 3,
        ..channel.position()
    };
    assert!(since(&client, position).recovered);
    channel.set_history(None);
    assert!(channel.history(&HistoryQuery::new()).frames.is_empty());
    publish(&hub, [5]);
    assert_eq!(numbers(&mut outbox), [4, 5]);
}

#[test]
fn a_channel_says_what_it_remembers() {
    let options = HistoryOptions::new().messages(7);
    let hub = remembering(options.clone()).build().unwrap();
    let channel = hub.channel("c").unwrap();
    assert_eq!(channel.history_options(), Some(options));
    publish(&hub, 1..=3);
    let query = HistoryQuery::new().limit(2);
    let page = channel.read_history(&query).now_or_never();
    let page = page.expect("nobody else is in the channel");
    assert_eq!((page.frames.len(), page.more), (2, true));
    channel.set_history(Some(HistoryOptions::latest()));
    assert_eq!(channel.history_options(), Some(HistoryOptions::latest()));
    channel.set_history(None);
    assert_eq!(channel.history_options(), None);
}

#[test]
fn forgetting_all_while_somebody_is_behind_is_told() {
    let hub = remembering(HistoryOptions::new()).build().unwrap();
    let begin = published(&hub, 1..=9);
    let (client, mut outbox) = hub.connect(small(1)).unwrap();
    since(&client, begin);
    hub.channel("c").unwrap().set_history(None);
    assert_eq!(gaps(&mut outbox), [(2, 9, 8)]);
}

#[test]
fn all_channels_together_keep_to_the_limit() {
    let hub = remembering(HistoryOptions::new());
    let limits = Limits::new().history_bytes(10 * usize::try_from(ONE).unwrap());
    let hub = hub.limits(limits).build().unwrap();
    for channel in 0..100 {
        let name = channel.to_string();
        let _delivery = hub.publish(&name, Message::text("x")).unwrap();
        let kept = ONE * 10.min(channel + 1);
        assert_eq!(
            hub.stats().history_bytes,
            kept,
            "all that may be, and no more"
        );
    }
    let page = hub.channel("9").unwrap().history(&HistoryQuery::new());
    assert_eq!(
        page.frames.len(),
        1,
        "those that came first keep what they have"
    );
}

#[test]
fn all_that_is_kept_of_a_message_counts() {
    let hub = remembering(HistoryOptions::new().bytes(100))
        .build()
        .unwrap();
    let channel = hub.channel("c").unwrap();
    let message = Message::static_text("x").key("0123456789");
    let message = message.attach_sized(Arc::new("metadata".to_owned()), 30);
    for kept in [1, 2, 2] {
        let _delivery = channel.publish(message.clone()).unwrap();
        let stats = channel.stats();
        assert_eq!(
            (stats.history_messages, stats.history_bytes),
            (kept, kept * 41)
        );
        assert_eq!(hub.stats().history_bytes, kept as u64 * (ONE + 40));
    }
    let _delivery = channel
        .publish(message.attach(Arc::new([0_u8; 1000])))
        .unwrap();
    assert_eq!(channel.stats().history_messages, 0, "too large");
}

#[cfg(feature = "layers")]
#[test]
fn metadata_counts_as_what_it_takes() {
    let hub = remembering(HistoryOptions::new()).build().unwrap();
    let object = serde_json::json!({"a": vec![serde_json::json!({"b": 1}); 400]});
    let json = object.to_string().len();
    let metadata = throng::Metadata::new(object.as_object().unwrap().clone()).unwrap();
    let stamp = throng::MessageHeader::new("message").metadata(Some(metadata));
    let message = stamp.attach_to(Message::static_text("x"));
    let _delivery = hub.publish("c", message).unwrap();
    let counted = hub.channel("c").unwrap().stats().history_bytes;
    assert!(
        json < 4096 && counted > 50 * json,
        "{json} as JSON, {counted} as it is kept"
    );
}

#[test]
fn a_bound_of_zero_is_no_history() {
    let clock = ManualClock::new();
    let none = [
        HistoryOptions::new().messages(0),
        HistoryOptions::new().bytes(0),
        HistoryOptions::latest().bytes(0),
        HistoryOptions::new().age(Duration::ZERO),
    ];
    for options in none {
        let hub = remembering(options.clone()).clock(clock.clone());
        let hub = hub.build().unwrap();
        let published = hub.publish("c", Message::static_text("x")).unwrap();
        assert_eq!(published.position(), None, "no channel is made for it");
        drop(hub.channel("c"));
        assert_eq!(hub.channel_count(), 0, "nothing lingers");
        let channel = hub.channel("c").unwrap();
        channel.set_history(Some(HistoryOptions::new()));
        publish(&hub, [1]);
        channel.set_history(Some(options));
        assert_eq!(channel.stats().history_messages, 0);
        drop(channel);
        assert_eq!(hub.channel_count(), 0);
    }
    let hub = remembering(HistoryOptions::new()).limits(Limits::new().history_bytes(0));
    let hub = hub.build().unwrap();
    publish(&hub, [1]);
    assert_eq!(hub.channel_count(), 0);
    let value = remembering(HistoryOptions::latest().messages(0));
    let value = value.build().unwrap();
    publish(&value, [1]);
    assert_eq!(value.stats().history_messages, 1, "the last one is kept");
}

#[test]
fn who_leaves_while_it_is_behind_is_gone() {
    let hub = remembering(HistoryOptions::new()).build().unwrap();
    let begin = published(&hub, 1..=50);
    let (first, mut one) = hub.connect(small(2)).unwrap();
    let (second, mut two) = hub.connect(small(2)).unwrap();
    let (third, three) = hub.connect(small(2)).unwrap();
    for client in [&first, &second, &third] {
        since(client, begin);
    }
    assert_eq!(hub.subscriber_count("c"), 3);
    first.unsubscribe("c").unwrap();
    drop(three);
    assert_eq!(hub.subscriber_count("c"), 1);
    assert_eq!(numbers(&mut one), [0; 0], "what it was given is cut");
    assert_eq!(numbers(&mut two), (1..=50).collect::<Vec<_>>());
    // And may come again.
    let position = StreamPosition { offset: 2, ..begin };
    since(&first, position);
    assert_eq!(numbers(&mut one), (3..=50).collect::<Vec<_>>());
}
