//! What `KeepLatest` does while somebody else has the receiver's part of an outbox: the channel
//! keeps the message, and gives it later.
//!
//! A receiver that has begun under a policy which does not evict shares its part only from its next
//! receive on. Until then all that does not fit is handed over, which needs no second thread.

use std::collections::HashMap;
use std::env;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use throng::Channel;
use throng::Client;
use throng::ConnectOptions;
use throng::Delivery;
use throng::Disconnect;
use throng::Hub;
use throng::Message;
use throng::Outbox;
use throng::SendError;
use throng::SlowConsumer;

use crate::support::gaps;
use crate::support::hub_of;
use crate::support::join_as;
use crate::support::publish;
use crate::support::texts;

/// Publishes a value such as `a1`: the key, and a number.
fn tick(hub: &Hub, value: &str) -> Delivery {
    let message = Message::text(value.to_owned()).key(value[..1].to_owned());
    hub.publish("ticks", message).unwrap()
}

fn ticks(hub: &Hub, values: &[&str]) {
    for value in values {
        let delivery = tick(hub, value);
        assert_eq!(delivery.delivered(), 1, "{value}");
    }
}

/// A client with room for `places` messages whose receiver has its part and does not come.
fn away(places: usize) -> (Hub, Client, Outbox) {
    let hub = hub_of(places, SlowConsumer::DropNewest);
    let options = ConnectOptions::new().gap_notices(true);
    let (client, mut outbox) = join_as(&hub, "ticks", options);
    publish(&hub, "ticks", "received");
    assert_eq!(texts(&mut outbox), ["received"]);
    client.set_slow_consumer(Some(SlowConsumer::KeepLatest));
    (hub, client, outbox)
}

#[test]
fn what_does_not_fit_is_handed_over_and_conflated_and_comes_in_order() {
    let (hub, client, mut outbox) = away(4);
    ticks(&hub, &["a1", "b1", "c1", "d1", "a2", "b2", "a3"]);
    assert_eq!(outbox.len(), 4, "the limit is strict");
    assert_eq!(client.stats().handed_over, 3);
    // The outbox is full when they are put in.
    assert_eq!(texts(&mut outbox), ["c1", "d1", "b2", "a3"]);
    let stats = client.stats();
    assert_eq!((stats.dropped, stats.evicted, stats.conflated), (0, 0, 3));
    assert_eq!(stats.received, 5, "with the first of all");
    assert_eq!(gaps(&mut outbox), []);
    ticks(&hub, &["e1"]);
    assert_eq!(texts(&mut outbox), ["e1"], "it is live again");
}

/// Once more as much as the outbox may hold.
#[test]
fn what_is_handed_over_is_bounded_over_all_channels_and_told_beyond() {
    let (hub, client, mut outbox) = away(3);
    client.subscribe_blocking("other").unwrap();
    ticks(&hub, &["a1", "b1", "c1", "a2", "b2"]);
    publish(&hub, "other", "unkeyed");
    let delivery = tick(&hub, "c2");
    assert_eq!((delivery.delivered(), delivery.dropped()), (0, 1));
    ticks(&hub, &["a3"]);
    assert_eq!(client.stats().dropped, 1);
    let mut received = Vec::new();
    let mut missed = 0;
    while let Ok(frame) = outbox.try_recv() {
        match frame.event() {
            throng::Event::Gap(gap) => missed += gap.missed,
            _ => received.push(String::from_utf8(frame.payload().to_vec()).unwrap()),
        }
    }
    // Four pairs and three places: the oldest goes when they are put in.
    assert_eq!(received, ["b2", "a3", "unkeyed"]);
    let stats = client.stats();
    assert_eq!((stats.dropped, stats.evicted, missed), (1, 1, 2));
}

#[test]
fn messages_to_one_client_keep_their_order_and_the_bound() {
    let (_hub, client, mut outbox) = away(2);
    for text in ["1", "2", "3", "4"] {
        client.send(Message::static_text(text)).unwrap();
    }
    let more = Message::static_text("5");
    assert_eq!(client.send(more.clone()), Err(SendError::Full(more)));
    // The two that were handed over are put in, in the place of the oldest.
    assert_eq!(outbox.try_recv().unwrap().payload(), "3");
    client.send(Message::static_text("6")).unwrap();
    assert_eq!(texts(&mut outbox), ["4", "6"]);
    client.send(Message::static_text("7")).unwrap();
    assert_eq!(texts(&mut outbox), ["7"]);
}

#[test]
fn another_policy_finds_what_was_handed_over_in_its_way() {
    let (hub, client, mut outbox) = away(1);
    ticks(&hub, &["a1", "b1"]);
    client.set_slow_consumer(Some(SlowConsumer::DropNewest));
    assert_eq!(tick(&hub, "c1").dropped(), 1);
    assert_eq!(gaps(&mut outbox).len(), 1);
    ticks(&hub, &["c2"]);
    assert_eq!(texts(&mut outbox), ["c2"], "a1 and b1 came with the notice");
    ticks(&hub, &["a4"]);
    client.set_slow_consumer(Some(SlowConsumer::DISCONNECT));
    assert_eq!(tick(&hub, "d1").disconnected(), 1);
}

/// A payload that says when it is let go.
fn counted(alive: &Arc<()>) -> Message {
    struct Owner(Arc<()>);
    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            let _alive = &self.0;
            b"counted"
        }
    }
    Message::binary(Bytes::from_owner(Owner(Arc::clone(alive))))
}

#[test]
fn leaving_and_closing_give_back_what_was_handed_over() {
    type End = fn(&Client, &mut Option<Outbox>);
    let ends: [End; 4] = [
        |client, _| client.unsubscribe("ticks").unwrap(),
        |client, _| client.force_unsubscribe("ticks", "enough").unwrap(),
        |client, _| client.close(Disconnect::KICKED),
        |_, outbox| drop(outbox.take()),
    ];
    for (number, end) in ends.into_iter().enumerate() {
        let (hub, client, outbox) = away(2);
        let mut outbox = Some(outbox);
        let alive = Arc::new(());
        for _ in 0..2 {
            publish(&hub, "ticks", "fills it");
        }
        for _ in 0..2 {
            let delivery = hub.publish("ticks", counted(&alive)).unwrap();
            assert_eq!(delivery.delivered(), 1);
        }
        assert_eq!(Arc::strong_count(&alive), 3);
        end(&client, &mut outbox);
        assert_eq!(Arc::strong_count(&alive), 1, "end {number}");
        assert_eq!(hub.subscriber_count("ticks"), 0);
        let (stats, all) = (client.stats(), hub.stats());
        assert_eq!(stats.abandoned, 2, "end {number}");
        let queued = stats.queued_messages as u64;
        assert_eq!(stats.received + queued + stats.abandoned, all.delivered);
        if !client.is_closed() {
            client.subscribe_blocking("ticks").unwrap();
            ticks(&hub, &["a1", "b1"]);
        }
    }
}

#[test]
fn a_parked_receiver_comes_for_what_was_handed_over() {
    let (hub, _client, mut outbox) = away(1);
    let receiver = thread::spawn(move || {
        loop {
            let frame = outbox.recv_blocking().unwrap();
            if frame.payload() == "last" {
                return;
            }
        }
    });
    for _ in 0..1_000 {
        let _delivery = tick(&hub, "a1");
    }
    // Another key may be all that is handed over at this moment.
    let last = || Message::static_text("last").key("last");
    // One that the receiver's thread puts in counts as deferred here, and may be the one that ends
    // it.
    while hub.publish("ticks", last()).unwrap().delivered() == 0 && !receiver.is_finished() {
        thread::yield_now();
    }
    receiver.join().unwrap();
}

/// How long the storm lasts, at least.
fn length() -> Duration {
    let seconds = env::var("THRONG_CHAOS_SECONDS").ok();
    let seconds = seconds.and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(1))
}

const PUBLISHERS: usize = 4;
const KEYS: usize = 4;
const PLACES: usize = PUBLISHERS * KEYS;
/// The least number of messages handed over; the storm goes on until there were as many.
const HAND_OVERS: u64 = 1_000;

/// Publishes in some order, and returns the last offset of each key.
fn publish_keys(channel: &Channel, seed: u64) -> Vec<u64> {
    let mut last = vec![0; KEYS];
    let mut number = seed | 1;
    for _ in 0..400 {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        let key = usize::try_from(number % 4).unwrap();
        let message = Message::text("value").key(key.to_string());
        let _delivery = channel.publish(message).unwrap();
        last[key] = number;
        let text = number.to_string();
        let message = Message::text(text).key(key.to_string());
        let _delivery = channel.publish(message).unwrap();
    }
    last
}

/// Exactly as many places as there are pairs; publishers and the receiver in each other's way all
/// the time.
#[test]
fn a_place_for_each_pair_is_enough_however_they_interleave() {
    let hub = hub_of(PLACES, SlowConsumer::KeepLatest);
    let (client, mut outbox) = hub.connect(ConnectOptions::new()).unwrap();
    let channels: Vec<_> = (0..PUBLISHERS)
        .map(|number| format!("c{number}"))
        .map(|name| {
            client.subscribe_blocking(&name).unwrap();
            hub.channel(&name).unwrap()
        })
        .collect();
    let begin = Instant::now();
    let mut seed = 1;
    while begin.elapsed() < length() || client.stats().handed_over < HAND_OVERS {
        seed += 1;
        let published = AtomicBool::new(false);
        let mut values: HashMap<(String, Bytes), Bytes> = HashMap::new();
        let last: Vec<_> = thread::scope(|scope| {
            let receiver = scope.spawn(|| {
                loop {
                    let ended = published.load(Ordering::SeqCst);
                    while let Ok(frame) = outbox.try_recv() {
                        let channel = frame.channel().unwrap().to_string();
                        let key = frame.key().unwrap().clone();
                        values.insert((channel, key), frame.payload().clone());
                    }
                    if ended {
                        return;
                    }
                }
            });
            let publish = |(number, channel)| {
                let seed = seed * 31 + number as u64;
                scope.spawn(move || publish_keys(channel, seed))
            };
            let publishers: Vec<_> = channels.iter().enumerate().map(publish).collect();
            let last = publishers
                .into_iter()
                .map(|it| it.join().unwrap())
                .collect();
            published.store(true, Ordering::SeqCst);
            receiver.join().unwrap();
            last
        });
        for (number, last) in last.iter().enumerate() {
            for (key, last) in last.iter().enumerate().filter(|(_, last)| **last > 0) {
                let pair = (format!("c{number}"), Bytes::from(key.to_string()));
                assert_eq!(values[&pair], last.to_string(), "{pair:?}");
            }
        }
        let stats = client.stats();
        assert_eq!((stats.dropped, stats.evicted), (0, 0), "{stats:?}");
    }
    assert!(client.stats().conflated > 0);
}
