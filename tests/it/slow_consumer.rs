//! What happens to a client that does not keep up.
//!
//! * Each policy does what it says: what arrives, what is counted, what the client is told.
//! * A client's policy comes before its channel's, and that before the hub's; all can be changed.
//! * Both limits are strict.
//! * Nobody else notices: not the publisher, not the healthy.

use std::collections::HashMap;
use std::thread;
use std::time::Duration;

use throng::Client;
use throng::ConnectOptions;
use throng::Delivery;
use throng::Disconnect;
use throng::Event;
use throng::Frame;
use throng::Hub;
use throng::Limits;
use throng::ManualClock;
use throng::Message;
use throng::Outbox;
use throng::OutboxLimits;
use throng::SendError;
use throng::SlowConsumer;

use crate::support::built;
use crate::support::connect;
use crate::support::connect_as;
use crate::support::drain;
use crate::support::ending;
use crate::support::gap;
use crate::support::gaps;
use crate::support::holding;
use crate::support::hub_of;
use crate::support::join;
use crate::support::join_as;
use crate::support::offsets;
use crate::support::publish;
use crate::support::publish_numbers;
use crate::support::range_of;
use crate::support::texts;

const ALL: [SlowConsumer; 4] = [
    SlowConsumer::DISCONNECT,
    SlowConsumer::DropNewest,
    SlowConsumer::DropOldest,
    SlowConsumer::KeepLatest,
];

/// What a client with room for two, stuck while `0` to `4` are published, then receives.
fn outcome(outbox: &mut Outbox) -> Vec<String> {
    texts(outbox)
}

fn expected(policy: SlowConsumer) -> [&'static str; 2] {
    match policy {
        SlowConsumer::DropOldest | SlowConsumer::KeepLatest => ["3", "4"],
        _ => ["0", "1"],
    }
}

fn noticing() -> ConnectOptions {
    ConnectOptions::new().gap_notices(true)
}

fn keyed(key: &str, text: impl Into<String>) -> Message {
    let text: String = text.into();
    Message::text(text).key(key.to_owned())
}

fn tick(hub: &Hub, key: &str, text: impl Into<String>) -> Delivery {
    hub.publish("ticks", keyed(key, text)).unwrap()
}

#[test]
fn a_policy_holds_for_the_hub() {
    for policy in ALL {
        let hub = hub_of(2, policy);
        let (client, mut outbox) = join(&hub, "c");
        publish_numbers(&hub, "c", 0..5);
        assert_eq!(outcome(&mut outbox), expected(policy), "{policy:?}");
        let disconnects = policy == SlowConsumer::DISCONNECT;
        assert_eq!(client.is_closed(), disconnects, "{policy:?}");
    }
}

#[test]
fn a_channels_policy_comes_before_the_hubs() {
    for of_hub in ALL {
        for of_channel in ALL {
            let hub = hub_of(2, of_hub);
            let channel = hub.channel("c").unwrap();
            channel.set_slow_consumer(Some(of_channel));
            let (_client, mut outbox) = join(&hub, "c");
            publish_numbers(&hub, "c", 0..5);
            assert_eq!(
                outcome(&mut outbox),
                expected(of_channel),
                "{of_hub:?} {of_channel:?}"
            );
        }
    }
}

#[test]
fn a_clients_policy_comes_before_its_channels() {
    for of_channel in ALL {
        for of_client in ALL {
            let hub = hub_of(2, SlowConsumer::DropNewest);
            let channel = hub.channel("c").unwrap();
            channel.set_slow_consumer(Some(of_channel));
            let options = ConnectOptions::new().slow_consumer(of_client);
            let (_client, mut outbox) = join_as(&hub, "c", options);
            let (_other, mut other) = join(&hub, "c");
            publish_numbers(&hub, "c", 0..5);
            assert_eq!(
                outcome(&mut outbox),
                expected(of_client),
                "{of_channel:?} {of_client:?}"
            );
            assert_eq!(
                outcome(&mut other),
                expected(of_channel),
                "{of_channel:?} {of_client:?}"
            );
        }
    }
}

#[test]
fn a_channels_policy_does_not_reach_other_channels_of_its_subscribers() {
    let hub = hub_of(2, SlowConsumer::DropNewest);
    hub.channel("strict").unwrap();
    let strict = hub.channel("strict").unwrap();
    strict.set_slow_consumer(Some(SlowConsumer::DISCONNECT));
    let (client, mut outbox) = join(&hub, "strict");
    client.subscribe_blocking("lax").unwrap();
    publish_numbers(&hub, "lax", 0..5);
    assert!(!client.is_closed());
    publish(&hub, "strict", "no room");
    assert_eq!(client.close_reason(), Some(&Disconnect::SLOW));
    assert_eq!(texts(&mut outbox), ["0", "1"]);
}

#[test]
fn a_policy_taken_back_leaves_it_to_the_next_in_line() {
    let hub = hub_of(2, SlowConsumer::DropOldest);
    let channel = hub.channel("c").unwrap();
    let (client, mut outbox) = join(&hub, "c");
    channel.set_slow_consumer(Some(SlowConsumer::DropNewest));
    client.set_slow_consumer(Some(SlowConsumer::KeepLatest));
    assert_eq!(client.slow_consumer(), Some(SlowConsumer::KeepLatest));
    publish_numbers(&hub, "c", 0..3);
    assert_eq!(texts(&mut outbox), ["1", "2"]);
    client.set_slow_consumer(None);
    publish_numbers(&hub, "c", 0..3);
    assert_eq!(texts(&mut outbox), ["0", "1"]);
    channel.set_slow_consumer(None);
    assert_eq!(channel.slow_consumer(), None);
    publish_numbers(&hub, "c", 0..3);
    assert_eq!(texts(&mut outbox), ["1", "2"]);
}

#[test]
fn a_policy_changes_at_run_time() {
    let hub = hub_of(2, SlowConsumer::DropNewest);
    let (client, mut outbox) = join(&hub, "c");
    publish_numbers(&hub, "c", 0..3);
    client.set_slow_consumer(Some(SlowConsumer::DropOldest));
    publish_numbers(&hub, "c", 3..4);
    assert_eq!(texts(&mut outbox), ["1", "3"]);
    client.set_slow_consumer(Some(SlowConsumer::DISCONNECT));
    publish_numbers(&hub, "c", 4..7);
    assert_eq!(texts(&mut outbox), ["4", "5"]);
    assert_eq!(ending(&mut outbox), Disconnect::SLOW);
}

/// The price of letting a receiver that nobody evicts from go without synchronisation.
#[test]
fn a_receiver_that_began_learns_of_an_evicting_policy_when_it_receives_again() {
    let hub = hub_of(2, SlowConsumer::DropNewest);
    let (client, mut outbox) = join(&hub, "c");
    publish(&hub, "c", "received");
    assert_eq!(texts(&mut outbox), ["received"]);
    client.set_slow_consumer(Some(SlowConsumer::DropOldest));
    publish_numbers(&hub, "c", 0..5);
    assert_eq!(texts(&mut outbox), ["0", "1"], "not before it has received");
    publish_numbers(&hub, "c", 5..10);
    assert_eq!(texts(&mut outbox), ["8", "9"]);
    let stats = client.stats();
    assert_eq!((stats.dropped, stats.evicted), (3, 3));
}

#[test]
fn the_limit_in_messages_is_strict() {
    for policy in ALL {
        for limit in [1, 2, 3, 64, 100] {
            let hub = hub_of(limit, policy);
            let (_client, mut outbox) = join(&hub, "c");
            for _ in 0..limit {
                let delivery = hub.publish("c", Message::static_text("x")).unwrap();
                assert_eq!((delivery.delivered(), delivery.evicted()), (1, 0));
            }
            assert_eq!(outbox.len(), limit);
            let more = hub.publish("c", Message::static_text("x")).unwrap();
            assert_eq!(more.dropped() + more.evicted(), 1, "{policy:?} {limit}");
            assert_eq!(outbox.len(), limit);
            assert_eq!(drain(&mut outbox).len(), limit);
        }
    }
}

#[test]
fn the_limit_in_bytes_is_strict() {
    for policy in ALL {
        let limits = OutboxLimits::new().messages(100).bytes(10);
        let hub = built(
            Hub::builder()
                .outbox(limits)
                .limits(Limits::new().payload(10))
                .slow_consumer(policy),
        );
        let (client, mut outbox) = join(&hub, "c");
        publish(&hub, "c", "1234");
        publish(&hub, "c", "567890");
        assert_eq!(client.stats().queued_bytes, 10);
        let more = hub.publish("c", Message::static_text("")).unwrap();
        assert_eq!(
            more.dropped() + more.evicted(),
            1,
            "an empty payload weighs one byte"
        );
        assert!(client.stats().queued_bytes <= 10, "{policy:?}");
        drop(drain(&mut outbox));
        assert_eq!(client.stats().queued_bytes, 0);
        if !client.is_closed() {
            let whole = hub
                .publish("c", Message::static_text("1234567890"))
                .unwrap();
            assert_eq!(whole.delivered(), 1, "{policy:?}");
        }
    }
}

#[test]
fn a_large_message_evicts_as_many_as_it_needs() {
    let limits = OutboxLimits::new().messages(100).bytes(10);
    let hub = built(
        Hub::builder()
            .outbox(limits)
            .limits(Limits::new().payload(10))
            .slow_consumer(SlowConsumer::DropOldest),
    );
    let (client, mut outbox) = join(&hub, "c");
    publish_numbers(&hub, "c", 0..10);
    let delivery = hub.publish("c", Message::static_text("seven b")).unwrap();
    assert_eq!((delivery.delivered(), delivery.evicted()), (1, 7));
    assert_eq!(client.stats().queued_bytes, 10);
    assert_eq!(texts(&mut outbox), ["7", "8", "9", "seven b"]);
}

#[test]
fn disconnect_gives_a_gapless_prefix_and_then_the_reason() {
    let hub = hub_of(8, SlowConsumer::DISCONNECT);
    let (client, mut outbox) = join_as(&hub, "c", noticing());
    publish_numbers(&hub, "c", 0..100);
    let frames = drain(&mut outbox);
    let prefix: Vec<_> = frames.iter().map(Frame::offset).collect();
    assert_eq!(prefix, (1..=8).collect::<Vec<_>>());
    let why = ending(&mut outbox);
    assert_eq!((why.code(), why), (3008, Disconnect::SLOW));
    assert_eq!(client.stats().dropped, 1, "after that it was no subscriber");
    assert_eq!(hub.stats().disconnected_slow, 1);
    assert_eq!(hub.client_count(), 0);
}

/// The receiver drains while publishers overrun it; whatever it got is a prefix.
#[test]
fn disconnect_gives_a_prefix_while_the_receiver_races_the_publisher() {
    const MESSAGES: u64 = 20_000;
    let hub = hub_of(2, SlowConsumer::DISCONNECT);
    let (client, mut outbox) = join(&hub, "c");
    let receiver = thread::spawn(move || {
        let mut received = 0;
        loop {
            match outbox.recv_blocking() {
                Ok(frame) => {
                    received += 1;
                    assert_eq!(frame.offset(), received, "no gap before the close");
                }
                Err(closed) => return (received, closed.disconnect().clone()),
            }
        }
    });
    publish_numbers(&hub, "c", 0..MESSAGES);
    let overrun = client.is_closed();
    client.close(Disconnect::CLOSED);
    let (received, why) = receiver.join().unwrap();
    if overrun {
        assert_eq!(why, Disconnect::SLOW);
        assert!(received < MESSAGES);
    } else {
        assert_eq!((received, why), (MESSAGES, Disconnect::CLOSED));
    }
}

fn patient(clock: &ManualClock) -> Hub {
    let grace = Duration::from_secs(10);
    built(
        Hub::builder()
            .outbox(holding(2))
            .slow_consumer(SlowConsumer::Disconnect { grace })
            .clock(clock.clone()),
    )
}

#[test]
fn grace_drops_first_and_disconnects_after() {
    let clock = ManualClock::new();
    let hub = patient(&clock);
    let (client, mut outbox) = join(&hub, "c");
    publish_numbers(&hub, "c", 0..3);
    clock.advance(Duration::from_millis(9_999));
    let late = hub.publish("c", Message::text("still dropped")).unwrap();
    assert_eq!((late.dropped(), late.disconnected()), (1, 0));
    assert!(!client.is_closed());
    clock.advance(Duration::from_millis(1));
    let last = hub.publish("c", Message::text("too late")).unwrap();
    assert_eq!((last.dropped(), last.disconnected()), (1, 1));
    assert_eq!(texts(&mut outbox), ["0", "1"]);
    assert_eq!(ending(&mut outbox), Disconnect::SLOW);
    assert_eq!(client.stats().dropped, 3);
}

#[test]
fn grace_begins_anew_after_the_client_has_caught_up() {
    let clock = ManualClock::new();
    let hub = patient(&clock);
    let (client, mut outbox) = join(&hub, "c");
    publish_numbers(&hub, "c", 0..3);
    assert_eq!(drain(&mut outbox).len(), 2);
    clock.advance(Duration::from_secs(60));
    publish_numbers(&hub, "c", 0..3);
    assert!(!client.is_closed(), "it was not behind for all that time");
    clock.advance(Duration::from_secs(60));
    publish(&hub, "c", "behind for a minute");
    assert!(client.is_closed());
}

/// It has emptied its outbox, though it never looked into an empty one.
#[test]
fn grace_begins_anew_when_the_client_has_taken_exactly_all() {
    let clock = ManualClock::new();
    let hub = patient(&clock);
    let (client, mut outbox) = join(&hub, "c");
    publish_numbers(&hub, "c", 0..3);
    outbox.try_recv().unwrap();
    outbox.try_recv().unwrap();
    clock.advance(Duration::from_secs(60));
    publish_numbers(&hub, "c", 0..3);
    assert!(!client.is_closed());
}

#[test]
fn grace_does_not_begin_anew_when_the_client_has_taken_some() {
    let clock = ManualClock::new();
    let hub = patient(&clock);
    let (client, mut outbox) = join(&hub, "c");
    publish_numbers(&hub, "c", 0..3);
    let channel = hub.channel("c").unwrap();
    clock.advance(Duration::from_secs(60));
    outbox.try_recv().unwrap();
    let fits = channel.publish(Message::static_text("fits")).unwrap();
    assert!(
        !client.is_closed(),
        "it is asked only by a message that does not fit, and by a sweep"
    );
    let does_not = channel
        .publish(Message::static_text("does not fit"))
        .unwrap();
    assert_eq!((fits.delivered(), does_not.disconnected()), (1, 1));
    assert!(client.is_closed());
}

#[test]
fn drop_newest_keeps_the_oldest() {
    let hub = hub_of(3, SlowConsumer::DropNewest);
    let (client, mut outbox) = join(&hub, "c");
    publish_numbers(&hub, "c", 0..10);
    assert_eq!(offsets(&mut outbox), [1, 2, 3]);
    assert_eq!(client.stats().dropped, 7);
}

#[test]
fn drop_oldest_keeps_the_newest() {
    for published in [3, 4, 7, 100, 1000] {
        let hub = hub_of(3, SlowConsumer::DropOldest);
        let (client, mut outbox) = join(&hub, "c");
        publish_numbers(&hub, "c", 0..published);
        assert_eq!(
            offsets(&mut outbox),
            [published - 2, published - 1, published]
        );
        assert_eq!(client.stats().evicted, published - 3);
        assert_eq!(client.stats().dropped, 0);
    }
}

#[test]
fn keep_latest_keeps_the_last_of_each_key_in_the_order_of_publication() {
    let hub = hub_of(4, SlowConsumer::KeepLatest);
    let (client, mut outbox) = join(&hub, "ticks");
    for (key, text) in [("A", "A1"), ("B", "B2"), ("C", "C3"), ("A", "A4")] {
        assert_eq!(tick(&hub, key, text).evicted(), 0, "there is room");
    }
    for (key, text) in [("B", "B5"), ("D", "D6"), ("C", "C7")] {
        assert_eq!(tick(&hub, key, text).evicted(), 1, "no more than it needs");
    }
    assert_eq!(texts(&mut outbox), ["A4", "B5", "D6", "C7"]);
    let stats = client.stats();
    assert_eq!((stats.conflated, stats.evicted, stats.dropped), (3, 0, 0));
}

#[test]
fn keep_latest_leaves_what_fits_alone() {
    let hub = hub_of(4, SlowConsumer::KeepLatest);
    let (client, mut outbox) = join(&hub, "ticks");
    for text in ["1", "2", "3", "4"] {
        let _delivery = tick(&hub, "A", text);
    }
    assert_eq!(texts(&mut outbox), ["1", "2", "3", "4"]);
    assert_eq!(client.stats().conflated, 0);
}

#[test]
fn keep_latest_never_conflates_what_has_no_key() {
    let hub = hub_of(3, SlowConsumer::KeepLatest);
    let (client, mut outbox) = join(&hub, "ticks");
    publish_numbers(&hub, "ticks", 0..5);
    assert_eq!(texts(&mut outbox), ["2", "3", "4"]);
    let stats = client.stats();
    assert_eq!((stats.conflated, stats.evicted), (0, 2));
}

#[test]
fn keep_latest_conflates_within_a_channel_only() {
    let hub = hub_of(2, SlowConsumer::KeepLatest);
    let (client, mut outbox) = join(&hub, "ticks");
    client.subscribe_blocking("trades").unwrap();
    let trade = |text: &str| hub.publish("trades", keyed("A", text)).unwrap();
    let _delivery = (
        tick(&hub, "A", "tick 1"),
        trade("trade 1"),
        tick(&hub, "A", "tick 2"),
    );
    assert_eq!(texts(&mut outbox), ["trade 1", "tick 2"]);
    for text in ["sent 1", "sent 2", "sent 3"] {
        client.send(keyed("A", text)).unwrap();
    }
    assert_eq!(
        texts(&mut outbox),
        ["sent 2", "sent 3"],
        "no channel, no conflation"
    );
}

/// A key that changes before each receive would never come if each change put it at the end. There
/// are two places for each of the five.
#[test]
fn keep_latest_does_not_starve_a_hot_key() {
    let hub = hub_of(10, SlowConsumer::KeepLatest);
    let (_client, mut outbox) = join(&hub, "ticks");
    for cold in ["A", "B", "C", "D"] {
        let _delivery = tick(&hub, cold, format!("{cold}0"));
    }
    let mut since = 0;
    let mut last = 0;
    for round in 1..200 {
        for key in ["HOT", "A", "HOT", "B", "HOT"] {
            let _delivery = tick(&hub, key, format!("{key}{round}"));
        }
        let frame = outbox.try_recv().unwrap();
        assert!(frame.offset() > last, "in the order of publication");
        last = frame.offset();
        since = if frame.key().unwrap() == "HOT" {
            0
        } else {
            since + 1
        };
        assert!(since < 10, "the hot key has not come for {since} receives");
    }
}

/// Many keys, a receiver that comes now and then: what it has seen last of each key is at the end
/// what was published last, and offsets only rise.
#[test]
fn keep_latest_ends_with_the_last_of_every_key() {
    let hub = hub_of(16, SlowConsumer::KeepLatest);
    let (client, mut outbox) = join(&hub, "ticks");
    let mut published = HashMap::new();
    let mut received = HashMap::new();
    let mut take = |outbox: &mut Outbox, most: usize| {
        for _ in 0..most {
            let Ok(frame) = outbox.try_recv() else { break };
            received.insert(frame.key().unwrap().clone(), frame.offset());
        }
    };
    for step in 0..5_000_u64 {
        let key = (step * step % 13).to_string();
        let delivery = tick(&hub, &key, "tick");
        published.insert(key.into(), delivery.position().unwrap().offset);
        if step % 7 == 0 {
            take(&mut outbox, 3);
        }
        assert!(outbox.len() <= 16);
    }
    take(&mut outbox, usize::MAX);
    assert_eq!(received, published);
    let stats = client.stats();
    assert_eq!(stats.received + stats.conflated, 5_000);
}

#[test]
fn gap_notices_tell_exactly_what_drop_newest_lost() {
    let hub = hub_of(2, SlowConsumer::DropNewest);
    let (_client, mut outbox) = join_as(&hub, "c", noticing());
    publish_numbers(&hub, "c", 0..7);
    let frames = drain(&mut outbox);
    let Event::Gap(gap) = frames[0].event() else {
        panic!("a notice comes before the data that waits: {frames:?}")
    };
    assert_eq!(gap.channel.as_str(), "c");
    assert_eq!((gap.first, gap.last, gap.missed), (3, 7, 5));
    assert_eq!(
        frames[1..].iter().map(Frame::offset).collect::<Vec<_>>(),
        [1, 2]
    );
    publish_numbers(&hub, "c", 0..3);
    assert_eq!(
        gaps(&mut outbox),
        [(10, 10, 1)],
        "and a new one for a new loss"
    );
}

#[test]
fn gap_notices_tell_exactly_what_drop_oldest_lost() {
    let hub = hub_of(2, SlowConsumer::DropOldest);
    let (client, mut outbox) = join_as(&hub, "c", noticing());
    client.subscribe_blocking("d").unwrap();
    publish_numbers(&hub, "c", 0..3);
    publish_numbers(&hub, "d", 0..1);
    publish_numbers(&hub, "c", 0..2);
    let frames = drain(&mut outbox);
    let told: Vec<_> = frames
        .iter()
        .filter_map(gap)
        .map(|gap| (gap.channel.to_string(), range_of(gap)))
        .collect();
    let lost = |channel: &str, range| (channel.to_owned(), range);
    assert_eq!(told, [lost("c", (1, 3, 3)), lost("d", (1, 1, 1))]);
    assert_eq!(
        frames[2..].iter().map(Frame::offset).collect::<Vec<_>>(),
        [4, 5]
    );
    publish_numbers(&hub, "c", 0..3);
    assert_eq!(gaps(&mut outbox), [(6, 6, 1)], "told once");
}

#[test]
fn gap_notices_are_sent_only_to_those_who_ask() {
    for policy in [SlowConsumer::DropNewest, SlowConsumer::DropOldest] {
        let hub = hub_of(2, policy);
        let (_client, mut outbox) = join(&hub, "c");
        publish_numbers(&hub, "c", 0..7);
        assert!(gaps(&mut outbox).is_empty());
    }
}

#[test]
fn conflated_messages_are_no_gap_and_evicted_ones_are() {
    let hub = hub_of(2, SlowConsumer::KeepLatest);
    let (_client, mut outbox) = join_as(&hub, "ticks", noticing());
    for text in ["1", "2", "3", "4"] {
        let _delivery = tick(&hub, "A", text);
    }
    assert!(gaps(&mut outbox).is_empty());
    for key in ["A", "B", "C"] {
        let _delivery = tick(&hub, key, key);
    }
    assert_eq!(gaps(&mut outbox), [(5, 5, 1)]);
}

/// Whatever the receiver does meanwhile, received and told to be lost make up all there was.
#[test]
fn gap_notices_add_up_while_the_receiver_races_the_publisher() {
    const MESSAGES: u64 = 30_000;
    for policy in [SlowConsumer::DropNewest, SlowConsumer::DropOldest] {
        let hub = hub_of(4, policy);
        let (client, mut outbox) = join_as(&hub, "c", noticing());
        let receiver = thread::spawn(move || {
            let (mut received, mut missed, mut last, mut told) = (0, 0, 0, 0);
            while let Ok(frame) = outbox.recv_blocking() {
                if let Event::Gap(gap) = frame.event() {
                    let newest = policy == SlowConsumer::DropNewest;
                    assert!(
                        !newest || told <= gap.first,
                        "a gap begins where the last one ended"
                    );
                    told = gap.last;
                    assert!(gap.first <= gap.last && gap.missed <= gap.last - gap.first + 1);
                    missed += gap.missed;
                } else {
                    assert!(last < frame.offset(), "never a swap");
                    last = frame.offset();
                    received += 1;
                }
            }
            (received, missed)
        });
        publish_numbers(&hub, "c", 0..MESSAGES);
        client.close(Disconnect::CLOSED);
        let (received, missed) = receiver.join().unwrap();
        assert_eq!(received + missed, MESSAGES, "{policy:?}");
        let stats = client.stats();
        assert_eq!(stats.dropped + stats.evicted, missed, "{policy:?}");
    }
}

#[test]
fn control_comes_through_when_data_fills_the_outbox() {
    for policy in ALL {
        let hub = hub_of(1, policy);
        let (client, mut outbox) = join(&hub, "c");
        client.subscribe_blocking("d").unwrap();
        publish(&hub, "c", "fills it");
        client.force_unsubscribe("d", "enough").unwrap();
        let frame = outbox.try_recv().unwrap();
        let Event::Unsubscribed(left) = frame.event() else {
            panic!("{policy:?}: {frame:?}")
        };
        assert_eq!((left.channel.as_str(), &*left.reason), ("d", "enough"));
        assert_eq!(texts(&mut outbox), ["fills it"]);
    }
}

/// Each channel may have one notice under way, and a client many channels.
#[test]
fn data_can_not_fill_the_control_lane() {
    let hub = hub_of(1, SlowConsumer::DropNewest);
    let (client, mut outbox) = connect_as(&hub, noticing());
    let names: Vec<_> = (0..128).map(|number| format!("c{number}")).collect();
    for name in &names {
        client.subscribe_blocking(name).unwrap();
    }
    for _ in 0..3 {
        for name in &names {
            publish(&hub, name, "stuck");
        }
    }
    assert_eq!(client.close_reason(), None);
    assert_eq!(gaps(&mut outbox).len(), 128);
}

#[test]
fn an_overflow_of_the_control_lane_disconnects() {
    let hub = Hub::new();
    let (client, mut outbox) = connect_as(&hub, ConnectOptions::new().join_notices(true));
    let mut joins = 0;
    while !client.is_closed() {
        client.subscribe_blocking("c").unwrap();
        let _closed = client.unsubscribe("c");
        joins += 1;
        assert!(joins < 1_000, "the lane is bounded");
    }
    let accepted = drain(&mut outbox);
    assert_eq!(accepted.len(), joins - 1, "what was accepted still comes");
    let why = ending(&mut outbox);
    assert_eq!((why.code(), why), (3020, Disconnect::CONTROL_OVERFLOW));
    assert_eq!(hub.client_count(), 0);
}

/// delivered + dropped = addressed, per publish, client, channel and hub.
#[test]
fn counters_agree() {
    for policy in ALL {
        let hub = hub_of(4, policy);
        let clients: Vec<_> = (0..3).map(|_| join(&hub, "c")).collect();
        let (_fast, mut fast) = join(&hub, "c");
        let channel = hub.channel("c").unwrap();
        let mut sum = Delivery::default();
        let mut totals = [0; 4];
        for _ in 0..10 {
            sum = channel.publish(Message::static_text("x")).unwrap();
            assert_eq!(sum.delivered() + sum.dropped(), sum.addressed());
            totals[0] += sum.delivered() as u64;
            totals[1] += sum.dropped() as u64;
            totals[2] += sum.evicted() as u64;
            totals[3] += sum.disconnected() as u64;
            drop(drain(&mut fast));
        }
        assert_eq!(sum.position().unwrap().offset, 10);
        let of_channel = channel.stats();
        let of_hub = hub.stats();
        assert_eq!(of_channel.published, 10);
        let figures = [
            of_channel.delivered,
            of_channel.dropped,
            of_channel.evicted,
            of_channel.disconnected_slow,
        ];
        assert_eq!(figures, totals, "{policy:?}");
        let figures = [
            of_hub.delivered,
            of_hub.dropped,
            of_hub.evicted,
            of_hub.disconnected_slow,
        ];
        assert_eq!(figures, totals, "{policy:?}");
        let of_clients = |figure: fn(&Client) -> u64| clients.iter().map(|(c, _)| figure(c)).sum();
        let lost: u64 = of_clients(|client| client.stats().dropped);
        assert_eq!(lost, totals[1], "{policy:?}");
        let evicted: u64 = of_clients(|c| c.stats().evicted + c.stats().conflated);
        assert_eq!(evicted, totals[2], "{policy:?}");
    }
}

#[test]
fn a_clients_figures_are_exact() {
    let hub = hub_of(4, SlowConsumer::DropNewest);
    let (client, mut outbox) = join(&hub, "c");
    publish_numbers(&hub, "c", 0..3);
    let stats = client.stats();
    assert_eq!((stats.queued_messages, stats.queued_bytes), (3, 3));
    assert_eq!((stats.received, stats.high_water), (0, 3));
    drop(drain(&mut outbox));
    publish_numbers(&hub, "c", 0..1);
    let stats = client.stats();
    assert_eq!((stats.queued_messages, stats.queued_bytes), (1, 1));
    assert_eq!((stats.received, stats.high_water), (3, 3));
}

#[test]
fn the_figures_of_a_reclaimed_channel_stay_with_the_hub() {
    let hub = hub_of(2, SlowConsumer::DropNewest);
    let (client, outbox) = join(&hub, "c");
    publish_numbers(&hub, "c", 0..5);
    drop((client, outbox));
    assert_eq!(hub.channel_count(), 0);
    let stats = hub.stats();
    assert_eq!((stats.published, stats.delivered, stats.dropped), (5, 2, 3));
}

#[test]
fn slow_clients_are_listed_worst_first() {
    let hub = hub_of(4, SlowConsumer::DropNewest);
    let names = ["ada", "bob", "cleo", "dan"];
    let mut clients: Vec<_> = names
        .iter()
        .map(|name| join_as(&hub, "c", ConnectOptions::new().user(*name)))
        .collect();
    publish_numbers(&hub, "c", 0..4);
    drop(drain(&mut clients[1].1));
    publish_numbers(&hub, "c", 0..3);
    drop(drain(&mut clients[3].1));
    let slow = |n| {
        let slow = hub.slow_clients(n);
        let users = slow
            .iter()
            .map(|client| client.user.as_deref().unwrap().to_owned());
        users.collect::<Vec<_>>()
    };
    assert_eq!(slow(10), ["ada", "cleo", "bob", "dan"]);
    assert_eq!(slow(2), ["ada", "cleo"]);
    let worst = &hub.slow_clients(1)[0];
    assert_eq!((worst.stats.queued_messages, worst.stats.dropped), (4, 3));
    clients[0].0.close(Disconnect::KICKED);
    assert_eq!(
        slow(10),
        ["cleo", "bob", "dan"],
        "the closed are no longer slow"
    );
}

#[test]
fn who_was_never_behind_is_not_slow() {
    let hub = Hub::new();
    let (_client, mut outbox) = join(&hub, "c");
    publish(&hub, "c", "x");
    drop(drain(&mut outbox));
    assert!(hub.slow_clients(10).is_empty());
}

#[test]
fn a_message_to_one_client_follows_its_policy() {
    for policy in ALL {
        let hub = hub_of(2, policy);
        let (client, mut outbox) = connect(&hub);
        for number in 0..2 {
            client.send(Message::text(number.to_string())).unwrap();
        }
        let more = Message::text("2");
        let sent = client.send(more.clone());
        match policy {
            SlowConsumer::DropNewest => assert_eq!(sent, Err(SendError::Full(more))),
            SlowConsumer::Disconnect { .. } => assert_eq!(sent, Err(SendError::Closed(more))),
            _ => assert_eq!(sent, Ok(())),
        }
        let last = if sent.is_ok() { "2" } else { "1" };
        assert_eq!(texts(&mut outbox).last().unwrap(), last, "{policy:?}");
    }
}

#[test]
fn a_publisher_with_stuck_clients_delivers_to_the_healthy() {
    const HEALTHY: usize = 3;
    const MESSAGES: u64 = 2_000;
    for policy in ALL {
        let hub = hub_of(8, policy);
        let stuck: Vec<_> = (0..10).map(|_| join(&hub, "c")).collect();
        let mut healthy: Vec<_> = (0..HEALTHY).map(|_| join(&hub, "c")).collect();
        for number in 0..MESSAGES {
            publish_numbers(&hub, "c", number..number + 1);
            for (_, outbox) in &mut healthy {
                assert_eq!(
                    outbox.try_recv().unwrap().offset(),
                    number + 1,
                    "{policy:?}"
                );
            }
        }
        for (client, _) in &healthy {
            assert!(!client.is_closed());
            let stats = client.stats();
            assert_eq!(
                (stats.received, stats.dropped, stats.evicted),
                (MESSAGES, 0, 0)
            );
        }
        assert!(stuck.iter().all(|(_, outbox)| outbox.len() <= 8));
    }
}

/// Nothing of a slow receiver's own thread is needed for a publish to return.
#[test]
fn a_publisher_does_not_wait_for_a_receiver_that_stops_in_the_middle() {
    for policy in ALL {
        let hub = hub_of(2, policy);
        let (_client, outbox) = join(&hub, "c");
        let (_other, mut other) = join(&hub, "c");
        let stopped = std::sync::Mutex::new(outbox);
        let _held_for_ever = stopped.lock().unwrap();
        publish_numbers(&hub, "c", 0..2);
        assert_eq!(texts(&mut other), ["0", "1"]);
        publish_numbers(&hub, "c", 2..4);
        assert_eq!(texts(&mut other), ["2", "3"]);
    }
}
