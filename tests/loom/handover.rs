//! Models of handing over under `KeepLatest`: whoever is in the way, the last value of each key
//! comes, and nothing is left behind.
//!
//! No change was seen failing here yet.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use loom::thread;
use throng::Channel;
use throng::Client;
use throng::ConnectOptions;
use throng::Disconnect;
use throng::Message;
use throng::Outbox;
use throng::SlowConsumer;

use super::block_on;
use super::builder;
use super::counted;
use super::hub;
use super::subscribed;

/// The whole of a hub is explored, and every step of two threads in one outbox: three preemptions
/// take minutes.
fn model(f: impl Fn() + Send + Sync + 'static) {
    let mut model = builder();
    model.preemption_bound = Some(2);
    model.check(f);
}

fn keyed() -> Message {
    Message::static_text("x").key("key")
}

/// Publishes so many values of one key on another thread.
fn publishes(channel: &Channel, values: usize) -> thread::JoinHandle<()> {
    let channel = channel.clone();
    thread::spawn(move || {
        for _ in 0..values {
            let delivery = channel.publish(keyed()).expect("the hub is open");
            assert_eq!(delivery.dropped(), 0);
        }
    })
}

/// Receives until the publication `last` has come.
fn receives(outbox: &mut Outbox, last: u64) {
    let mut before = 0;
    while before < last {
        let frame = block_on(outbox.recv()).expect("nobody closes it");
        assert!(frame.offset() > before, "in order");
        before = frame.offset();
    }
}

fn nothing_lost(client: &Client) {
    let stats = client.stats();
    assert_eq!((stats.dropped, stats.evicted), (0, 0));
}

#[test]
fn handing_over_races_receive() {
    model(|| {
        let hub = hub(1, SlowConsumer::KeepLatest);
        let (client, mut outbox, channel) = subscribed(&hub);
        let first = channel.publish(keyed()).expect("the hub is open");
        assert_eq!(first.delivered(), 1);
        let publisher = publishes(&channel, 2);
        receives(&mut outbox, 3);
        publisher.join().expect("no panic");
        nothing_lost(&client);
    });
}

/// The receiver has its part, and learns that it is wanted.
#[test]
fn handing_over_races_a_receiver_that_did_not_share() {
    model(|| {
        let hub = hub(1, SlowConsumer::DropNewest);
        let (client, mut outbox, channel) = subscribed(&hub);
        assert!(outbox.try_recv().is_err());
        channel.set_slow_consumer(Some(SlowConsumer::KeepLatest));
        let publisher = publishes(&channel, 2);
        receives(&mut outbox, 2);
        publisher.join().expect("no panic");
        nothing_lost(&client);
    });
}

#[test]
fn handing_over_races_eviction_by_another() {
    model(|| {
        let hub = hub(2, SlowConsumer::KeepLatest);
        let (client, mut outbox, channel) = subscribed(&hub);
        client.subscribe_blocking("other").expect("anyone may join");
        let other = hub.channel("other").expect("it is there");
        for channel in [&channel, &other] {
            let first = channel.publish(keyed()).expect("the hub is open");
            assert_eq!(first.delivered(), 1);
        }
        let publisher = publishes(&other, 1);
        let second = channel.publish(keyed()).expect("the hub is open");
        assert_eq!(second.dropped(), 0);
        publisher.join().expect("no panic");
        let mut last = [0, 0];
        while let Ok(frame) = outbox.try_recv() {
            let is_other = frame.channel().is_some_and(|name| name.as_str() == "other");
            last[usize::from(is_other)] = frame.offset();
        }
        assert_eq!(last, [2, 2], "the last of both");
        nothing_lost(&client);
    });
}

/// A client whose receiver does not come, so that what is published is handed over.
fn away(hub: &throng::Hub) -> (Client, Outbox, Channel) {
    let (client, mut outbox, channel) = subscribed(hub);
    assert!(outbox.try_recv().is_err());
    channel.set_slow_consumer(Some(SlowConsumer::KeepLatest));
    let first = channel.publish(keyed()).expect("the hub is open");
    assert_eq!(first.delivered(), 1);
    (client, outbox, channel)
}

#[test]
fn handing_over_races_close() {
    model(|| {
        let freed = Arc::new(AtomicUsize::new(0));
        let hub = hub(1, SlowConsumer::DropNewest);
        let (client, outbox, channel) = away(&hub);
        let publisher = {
            let (channel, message) = (channel.clone(), counted(&freed));
            thread::spawn(move || channel.publish(message).map(drop))
        };
        client.close(Disconnect::KICKED);
        let published = publisher.join().expect("no panic");
        published.expect("the hub is open");
        drop(outbox);
        assert_eq!(freed.load(Ordering::Relaxed), 1, "nothing is left behind");
        assert_eq!((channel.subscriber_count(), hub.client_count()), (0, 0));
    });
}

#[test]
fn handing_over_races_leave() {
    model(|| {
        let freed = Arc::new(AtomicUsize::new(0));
        let hub = hub(1, SlowConsumer::DropNewest);
        let (client, _outbox, channel) = away(&hub);
        let publisher = {
            let (channel, message) = (channel.clone(), counted(&freed));
            thread::spawn(move || channel.publish(message).map(drop))
        };
        client.unsubscribe("c").expect("it is in there");
        let published = publisher.join().expect("no panic");
        published.expect("the hub is open");
        assert_eq!(freed.load(Ordering::Relaxed), 1, "nothing is left behind");
        assert_eq!(channel.subscriber_count(), 0);
    });
}

/// Two messages of one thread, the first of which may be handed over.
#[test]
fn what_is_sent_keeps_its_order_while_it_is_handed_over() {
    model(|| {
        let hub = hub(2, SlowConsumer::DropNewest);
        let keeps = ConnectOptions::new().slow_consumer(SlowConsumer::KeepLatest);
        let (client, mut outbox) = hub.connect(keeps).expect("there is room");
        for _ in 0..2 {
            client.send(Message::static_text("0")).expect("it fits");
        }
        let sender = {
            let client = client.clone();
            thread::spawn(move || {
                for text in ["1", "2"] {
                    client
                        .send(Message::static_text(text))
                        .expect("it stays open");
                }
            })
        };
        let mut received = Vec::new();
        while received.last().is_none_or(|last| last != "2") {
            let frame = block_on(outbox.recv()).expect("nobody closes it");
            received.push(frame.payload().clone());
        }
        sender.join().expect("no panic");
        assert!(received.is_sorted(), "{received:?}");
    });
}
