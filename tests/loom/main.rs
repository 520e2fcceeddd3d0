//! loom models of the whole hub, through its public interface, each named for its race.
//!
//! # What was seen failing
//!
//! Each change was made alone (preemption bound 3).
//!
//! | change | red |
//! |---|---|
//! | `Hub::connect`: no second look whether the hub is closed | `hub_close_races_connect` |
//! | `State::join`: `Membership::is_wanted` not asked | `unsubscribe_races_subscribe` |
//! | `leave`: the wish not taken back | `unsubscribe_races_subscribe` |
//! | `ClientCore::detach`: no fence | `close_races_subscribe` |
//! | `Queue::is_closed_for_sure`: no fence | `close_races_subscribe` |
//! | `ClientCore::hold`: a closer is not looked for afterwards | `close_races_subscribe` |
//! | `Queue::close`: the reason after the close | `close_races_recv`, `a_slow_consumer_..` |
//! | `Outbox::drop`: discards nothing, or does not wait for a push | `outbox_drop_races_publish` |
//! | `Outbox::drop`: the control lane left open, or not emptied | `outbox_drop_races_expel` |
//! | the position of a join read after it | `join_races_publish` |
//! | a slow consumer is not retired | `a_slow_consumer_..` |
//! | `Ring::park`: although CLOSED | `close_races_recv`, `a_slow_consumer_..` |
//! | `Ring::park`: although CALLED | `losses_race_their_notices` |
//! | `Shared::reclaim`: a channel that stays is not looked for under the lock | `reclaiming_races_..` |
//! | `Behind::give`: the client is let ask only where nothing more is given | a replay; not that with leave |
//! | `State::catch_up`: does not go live | the replays |
//! | `Membership::ask`: a load and a store, no compare-exchange | `a_replay_races_its_receiver` |
//! | `Combiner::elect`: claims an owned word | all that publish, subscribe, or connect in a race |
//!
//! The first two of the replays end the whole run, so which of the other models are red was not
//! seen.
//!
//! Green were: `State::join` without its look whether the client is closed (`is_wanted` decides
//! then); `ClientCore::release` without a look for a closer (its section has no step at which loom
//! could switch); `Outbox::take_control` that answers afterwards (red in the ring's
//! `calls_race_..`).
//!
//! # What loom does not see here
//!
//! The tables and the list of a client's channels stand behind loom's locks. `Arc`, `OnceLock` and
//! the queue of channels to be reclaimed are the real ones: they switch no thread and order nothing
//! in loom's eyes. So each model keeps a handle to all it shares until the others have ended.

#![cfg(throng_loom)]

mod handover;

use std::future::Future;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use loom::future;
use loom::model::Builder;
use loom::thread;
use throng::Channel;
use throng::Client;
use throng::Closed;
use throng::ConnectOptions;
use throng::Disconnect;
use throng::Event;
use throng::HistoryOptions;
use throng::HistoryQuery;
use throng::Hub;
use throng::Joined;
use throng::Limits;
use throng::ManualClock;
use throng::Message;
use throng::Outbox;
use throng::OutboxLimits;
use throng::OutboxSet;
use throng::SlowConsumer;
use throng::StreamPosition;
use throng::SubscribeError;
use throng::SubscribeOptions;
use throng::TryRecvError;

/// Explores `f`.
fn model(f: impl Fn() + Send + Sync + 'static) {
    builder().check(f);
}

/// A hub takes more steps than loom allows by default.
fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.max_branches = 20_000;
    builder
}

/// A hub whose clients have room for so many messages.
fn hub(messages: usize, policy: SlowConsumer) -> Hub {
    Hub::builder()
        .shards(1)
        .outbox(OutboxLimits::new().messages(messages))
        .slow_consumer(policy)
        .build()
        .expect("the settings are in range")
}

fn connected(hub: &Hub) -> (Client, Outbox) {
    hub.connect(ConnectOptions::new())
        .expect("the hub is open and has room")
}

/// A client in the channel `c`, and a handle to that.
fn subscribed(hub: &Hub) -> (Client, Outbox, Channel) {
    let (client, outbox) = connected(hub);
    client.subscribe_blocking("c").expect("anyone may join");
    (client, outbox, hub.channel("c").expect("it is there"))
}

/// Publishes `messages` on another thread, which says how many were delivered.
fn publishes(channel: &Channel, messages: usize) -> thread::JoinHandle<usize> {
    let channel = channel.clone();
    thread::spawn(move || {
        (0..messages)
            .map(|_| channel.publish(Message::static_text("x")))
            .map(|published| published.expect("the hub is open").delivered())
            .sum()
    })
}

/// The offsets of what is in the outbox.
fn offsets(outbox: &mut Outbox) -> Vec<u64> {
    std::iter::from_fn(|| outbox.try_recv().ok())
        .map(|frame| frame.offset())
        .collect()
}

/// The offsets of what arrives before the end, and the end.
fn until_closed(outbox: &mut Outbox) -> (Vec<u64>, Closed) {
    let mut offsets = Vec::new();
    loop {
        match outbox.recv_blocking() {
            Ok(frame) => offsets.push(frame.offset()),
            Err(closed) => return (offsets, closed),
        }
    }
}

/// A payload that counts when it is freed.
fn counted(freed: &Arc<AtomicUsize>) -> Message {
    Message::binary(Bytes::from_owner(Counted(Arc::clone(freed))))
}

struct Counted(Arc<AtomicUsize>);

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        b"counted"
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn join_races_publish() {
    model(|| {
        let hub = hub(2, SlowConsumer::DropNewest);
        let (client, mut outbox) = connected(&hub);
        let channel = hub.channel("c").expect("it is made");
        let publisher = publishes(&channel, 2);
        let joined = client.subscribe_blocking("c").expect("anyone may join");
        publisher.join().expect("no panic");
        let expected: Vec<_> = (joined.position.offset + 1..=2).collect();
        assert_eq!(
            offsets(&mut outbox),
            expected,
            "nothing lost, nothing doubled"
        );
    });
}

/// A channel that remembers two publications, which it has had, and where it was before.
fn remembering(hub: &Hub) -> (Channel, StreamPosition) {
    let channel = hub.channel("c").expect("it is made");
    channel.set_history(Some(HistoryOptions::new().messages(2)));
    let begin = channel.position();
    for _ in 0..2 {
        let published = channel.publish(Message::static_text("x"));
        assert_eq!(published.expect("the hub is open").delivered(), 0);
    }
    (channel, begin)
}

/// A future that asks to be polled again soon lets the others run first.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    future::block_on(poll_fn(|cx| {
        let polled = future.as_mut().poll(cx);
        if polled.is_pending() {
            thread::yield_now();
        }
        polled
    }))
}

fn resume(client: &Client, begin: StreamPosition) -> Joined {
    let options = SubscribeOptions::new().since(begin);
    let joined = block_on(client.subscribe_with("c", options));
    joined.expect("anyone may join")
}

/// What comes until the publication `last` has come or was told to be missing: what has come, and
/// what is missing.
fn follow(outbox: &mut Outbox, last: u64) -> (Vec<u64>, Vec<u64>) {
    let (mut received, mut missing) = (Vec::new(), Vec::new());
    while received.last() != Some(&last) && !missing.contains(&last) {
        let frame = outbox.recv_blocking().expect("nobody closes it");
        match frame.event() {
            Event::Gap(gap) => missing.extend(gap.first..=gap.last),
            _ => received.push(frame.offset()),
        }
    }
    (received, missing)
}

#[test]
fn a_replay_races_publish_and_eviction() {
    model(|| {
        let hub = hub(1, SlowConsumer::DropNewest);
        let (channel, begin) = remembering(&hub);
        let options = ConnectOptions::new().gap_notices(true);
        let (client, mut outbox) = hub.connect(options).expect("there is room");
        let publisher = publishes(&channel, 1);
        let joined = resume(&client, begin);
        // The third publication has the first forgotten.
        assert_eq!(joined.recovered, joined.position.offset == 2);
        if !joined.recovered {
            publisher.join().expect("no panic");
            return assert_eq!(offsets(&mut outbox), []);
        }
        let (mut received, missing) = follow(&mut outbox, 3);
        publisher.join().expect("no panic");
        // What was told to be missing was told before what waited.
        received.extend(offsets(&mut outbox));
        let mut all: Vec<_> = received.iter().chain(&missing).copied().collect();
        all.sort_unstable();
        assert_eq!(all, [1, 2, 3], "told exactly: {received:?} {missing:?}");
        assert!(received.is_sorted(), "in order");
    });
}

#[test]
fn a_replay_races_its_receiver() {
    model(|| {
        let hub = hub(1, SlowConsumer::DropNewest);
        let (_channel, begin) = remembering(&hub);
        let (client, mut outbox) = connected(&hub);
        let receiver = thread::spawn(move || follow(&mut outbox, 2));
        assert!(resume(&client, begin).recovered);
        let (received, _) = receiver.join().expect("it is woken for all of it");
        assert_eq!(received, [1, 2]);
    });
}

#[test]
fn a_replay_races_leave() {
    model(|| {
        let hub = hub(1, SlowConsumer::DropNewest);
        let (channel, begin) = remembering(&hub);
        let (client, mut outbox) = connected(&hub);
        assert!(resume(&client, begin).recovered);
        let leaver = {
            let client = client.clone();
            thread::spawn(move || client.unsubscribe("c"))
        };
        let received = offsets(&mut outbox);
        leaver.join().expect("no panic").expect("it is in there");
        let rest = offsets(&mut outbox);
        let all = [received, rest].concat();
        assert_eq!(all, [1, 2][..all.len()], "no hole");
        assert_eq!(channel.subscriber_count(), 0);
    });
}

/// Whoever leaves and comes back while others publish gets each publication once, in order.
#[test]
fn a_leave_cuts_while_others_publish() {
    model(|| {
        let hub = hub(4, SlowConsumer::DropNewest);
        let channel = hub.channel("c").expect("it is made");
        channel.set_history(Some(HistoryOptions::new().messages(4)));
        let begin = channel.position();
        let (client, mut outbox) = connected(&hub);
        client.subscribe_blocking("c").expect("anyone may join");
        let publisher = publishes(&channel, 2);
        let seen = offsets(&mut outbox);
        client.unsubscribe("c").expect("it is in there");
        let since = StreamPosition {
            offset: seen.last().copied().unwrap_or(0),
            ..begin
        };
        assert!(resume(&client, since).recovered);
        publisher.join().expect("no panic");
        let all = [seen, offsets(&mut outbox)].concat();
        assert_eq!(all, [1, 2], "nothing lost, nothing doubled");
    });
}

/// A leave races a publisher that makes room: each message is accounted for, and what is received
/// afterwards is of the other channel.
#[test]
fn a_leave_races_eviction() {
    model(|| {
        let hub = hub(1, SlowConsumer::KeepLatest);
        let (client, mut outbox, channel) = subscribed(&hub);
        client.subscribe_blocking("d").expect("anyone may join");
        let other = hub.channel("d").expect("it is there");
        let published = channel.publish(Message::static_text("x"));
        assert_eq!(published.expect("the hub is open").delivered(), 1);
        let publisher = publishes(&other, 1);
        client.unsubscribe("c").expect("it is in there");
        let received = std::iter::from_fn(|| outbox.try_recv().ok());
        let names = received.map(|frame| frame.channel().expect("it has one").to_string());
        assert!(names.into_iter().all(|name| name == "d"));
        let delivered = 1 + publisher.join().expect("no panic") as u64;
        while outbox.try_recv().is_ok() {}
        let stats = client.stats();
        assert_eq!(stats.queued_messages, 0);
        let gone = stats.received + stats.evicted + stats.abandoned;
        assert_eq!((gone, stats.conflated), (delivered, 0), "{stats:?}");
    });
}

#[test]
fn reclaiming_races_publish_by_name() {
    model(|| {
        let clock = ManualClock::new();
        let options = HistoryOptions::new().age(Duration::from_millis(1));
        let hub = Hub::builder().shards(1).clock(clock.clone());
        let hub = hub.history(move |_| Some(options.clone()));
        let hub = hub.build().expect("the settings are in range");
        let publish = |hub: &Hub| hub.publish("c", Message::static_text("x"));
        let _first = publish(&hub).expect("the hub is open");
        // The channel is to be reclaimed, but for the one who comes.
        clock.advance(Duration::from_millis(10));
        let other = hub.clone();
        let publisher = thread::spawn(move || publish(&other).expect("the hub is open"));
        hub.tick();
        let _second = publisher.join().expect("no panic");
        let page = hub.find_channel("c").expect("it remembers something");
        assert_eq!(page.history(&HistoryQuery::new()).frames.len(), 1);
    });
}

#[test]
fn leave_races_publish() {
    model(|| {
        let hub = hub(2, SlowConsumer::DropNewest);
        let (client, mut outbox, channel) = subscribed(&hub);
        let publisher = publishes(&channel, 2);
        client.unsubscribe("c").expect("it is in there");
        let delivered = publisher.join().expect("no panic");
        assert_eq!(offsets(&mut outbox), [0; 0], "the leave cuts");
        let abandoned = client.stats().abandoned;
        assert!(delivered as u64 <= abandoned, "what was delivered is known");
        assert_eq!(channel.subscriber_count(), 0);
        let after = channel.publish(Message::static_text("x"));
        assert_eq!(after.expect("the hub is open").delivered(), 0);
    });
}

#[test]
fn close_races_publish() {
    model(|| {
        let hub = hub(2, SlowConsumer::DropNewest);
        let (client, mut outbox, channel) = subscribed(&hub);
        let publisher = publishes(&channel, 2);
        client.close(Disconnect::KICKED);
        let (received, closed) = until_closed(&mut outbox);
        publisher.join().expect("no panic");
        assert_eq!(received, [1, 2][..received.len()], "no hole");
        assert_eq!(closed.disconnect(), &Disconnect::KICKED);
        assert_eq!(offsets(&mut outbox), [], "nothing after the end");
        assert_eq!((channel.subscriber_count(), hub.client_count()), (0, 0));
    });
}

#[test]
fn close_races_recv() {
    model(|| {
        let hub = hub(1, SlowConsumer::DropNewest);
        let (client, mut outbox, channel) = subscribed(&hub);
        let closer = {
            let client = client.clone();
            thread::spawn(move || client.close(Disconnect::KICKED))
        };
        let (received, closed) = until_closed(&mut outbox);
        closer.join().expect("no panic");
        assert_eq!(received, []);
        assert_eq!(closed.disconnect(), &Disconnect::KICKED, "with its reason");
        assert_eq!((channel.subscriber_count(), hub.client_count()), (0, 0));
    });
}

/// The last handle is dropped while the receiver parks: it ends, after what it holds.
#[test]
fn the_last_handle_races_recv() {
    model(|| {
        let hub = hub(1, SlowConsumer::DropNewest);
        let (client, mut outbox, channel) = subscribed(&hub);
        let _delivery = channel.publish(Message::static_text("x"));
        drop((hub, client));
        let dropper = thread::spawn(move || drop(channel));
        let (received, closed) = until_closed(&mut outbox);
        dropper.join().expect("no panic");
        assert_eq!(received, [1]);
        assert_eq!(closed.disconnect(), &Disconnect::CLOSED);
    });
}

/// What is read of an outbox keeps to its limits, whatever happens to it meanwhile.
#[test]
fn a_look_races_publish_and_recv() {
    model(|| {
        // One byte, though not one message.
        let hub = Hub::builder()
            .shards(1)
            .limits(Limits::new().payload(1))
            .outbox(OutboxLimits::new().messages(4).bytes(1))
            .slow_consumer(SlowConsumer::DropNewest);
        let hub = hub.build().expect("the settings are in range");
        let (client, mut outbox, channel) = subscribed(&hub);
        let publisher = publishes(&channel, 2);
        let reader = {
            let client = client.clone();
            thread::spawn(move || {
                let stats = client.stats();
                assert!(stats.queued_messages <= 1, "{stats:?}");
                assert!(stats.queued_bytes <= 1, "{stats:?}");
            })
        };
        let received = offsets(&mut outbox);
        assert!(received.len() <= 2);
        publisher.join().expect("no panic");
        reader.join().expect("no panic");
    });
}

#[test]
fn close_races_subscribe() {
    model(|| {
        let hub = hub(1, SlowConsumer::DropNewest);
        let (client, _outbox) = connected(&hub);
        let channel = hub.channel("c").expect("it is made");
        let closer = {
            let client = client.clone();
            thread::spawn(move || client.close(Disconnect::KICKED))
        };
        let _joined_or_too_late = client.subscribe_blocking("c");
        closer.join().expect("no panic");
        assert_eq!(channel.subscriber_count(), 0);
        assert_eq!(client.subscriptions(), []);
    });
}

#[test]
fn close_races_unsubscribe() {
    model(|| {
        let hub = hub(1, SlowConsumer::DropNewest);
        let (client, _outbox, channel) = subscribed(&hub);
        client.subscribe_blocking("other").expect("anyone may join");
        let other = hub.channel("other").expect("it is there");
        let closer = {
            let client = client.clone();
            thread::spawn(move || client.close(Disconnect::KICKED))
        };
        let _left_or_too_late = client.unsubscribe("c");
        closer.join().expect("no panic");
        assert_eq!(channel.subscriber_count(), 0);
        assert_eq!(
            other.subscriber_count(),
            0,
            "whoever has the list sees to it"
        );
    });
}

#[test]
fn outbox_drop_races_publish() {
    model(|| {
        let freed = Arc::new(AtomicUsize::new(0));
        let hub = hub(1, SlowConsumer::DropNewest);
        let (_client, outbox, channel) = subscribed(&hub);
        let publisher = {
            let (channel, message) = (channel.clone(), counted(&freed));
            thread::spawn(move || channel.publish(message).map(|_| ()))
        };
        drop(outbox);
        let published = publisher.join().expect("no panic");
        published.expect("the hub is open");
        assert_eq!(freed.load(Ordering::Relaxed), 1, "nothing is left behind");
        assert_eq!((channel.subscriber_count(), hub.client_count()), (0, 0));
    });
}

#[test]
fn outbox_drop_races_expel() {
    model(|| {
        let hub = hub(1, SlowConsumer::DropNewest);
        // The notice of the join makes the control lane before the race: an `OnceLock`.
        let told = ConnectOptions::new().join_notices(true);
        let (client, outbox) = hub.connect(told).expect("the hub is open");
        client.subscribe_blocking("c").expect("anyone may join");
        let _kept = hub.channel("c").expect("it is there");
        let reason: Arc<str> = Arc::from("because");
        let expeller = {
            let (client, reason) = (client.clone(), Arc::clone(&reason));
            thread::spawn(move || client.force_unsubscribe("c", reason))
        };
        drop(outbox);
        let _expelled_or_gone = expeller.join().expect("no panic");
        assert_eq!(Arc::strong_count(&reason), 1, "no notice is left behind");
    });
}

#[test]
fn unsubscribe_races_subscribe() {
    model(|| {
        let hub = hub(1, SlowConsumer::DropNewest);
        let (client, _outbox) = connected(&hub);
        let channel = hub.channel("c").expect("it is made");
        let subscriber = {
            let client = client.clone();
            thread::spawn(move || client.subscribe_blocking("c").map(|_| ()))
        };
        let left = client.unsubscribe("c");
        let joined = subscriber.join().expect("no panic");
        let subscribers = usize::from(left.is_err());
        assert_eq!(channel.subscriber_count(), subscribers);
        assert_eq!(client.subscriptions().len(), subscribers);
        match joined {
            Ok(()) => {}
            Err(SubscribeError::Unsubscribed) => assert_eq!(subscribers, 0),
            Err(error) => panic!("{error}"),
        }
    });
}

#[test]
fn hub_close_races_connect() {
    let mut model = builder();
    // With three, the last owner of a client that came too late is the one who closes the hub,
    // and loom does not see how `Arc` orders that.
    model.preemption_bound = Some(2);
    model.check(|| {
        let hub = hub(1, SlowConsumer::DropNewest);
        let connecter = {
            let hub = hub.clone();
            thread::spawn(move || hub.connect(ConnectOptions::new()).ok())
        };
        hub.close(Disconnect::SHUTDOWN);
        let connected = connecter.join().expect("no panic");
        if let Some((client, mut outbox)) = connected {
            assert_eq!(client.close_reason(), Some(&Disconnect::SHUTDOWN));
            assert!(matches!(outbox.try_recv(), Err(TryRecvError::Closed(_))));
        }
        assert_eq!(hub.client_count(), 0);
        assert_eq!(hub.subscriber_count("c"), 0);
    });
}

#[test]
fn publish_races_publish() {
    model(|| {
        let hub = hub(2, SlowConsumer::DropNewest);
        let (_client, mut outbox, channel) = subscribed(&hub);
        let other = publishes(&channel, 1);
        let mine = channel.publish(Message::static_text("x"));
        let theirs = other.join().expect("no panic");
        let reported = mine.expect("the hub is open").delivered() + theirs;
        assert!(reported <= 2);
        assert_eq!(offsets(&mut outbox), [1, 2], "in the order of the offsets");
        assert_eq!(channel.stats().delivered, 2);
    });
}

#[test]
fn a_slow_consumer_is_disconnected_while_it_receives() {
    model(|| {
        let hub = hub(1, SlowConsumer::DISCONNECT);
        let (client, mut outbox, channel) = subscribed(&hub);
        let publisher = publishes(&channel, 2);
        let mut received = Vec::new();
        let end = loop {
            match outbox.recv_blocking() {
                Ok(frame) => received.push(frame.offset()),
                Err(closed) => break Some(closed),
            }
            if received.len() == 2 {
                break None;
            }
        };
        let delivered = publisher.join().expect("no panic");
        assert_eq!(
            received,
            [1, 2][..delivered],
            "what was delivered is received"
        );
        let left = usize::from(end.is_none());
        assert_eq!(delivered, 1 + left);
        assert_eq!(client.is_closed(), end.is_some());
        if let Some(closed) = end {
            assert_eq!(closed.disconnect(), &Disconnect::SLOW);
        }
        assert_eq!(
            (channel.subscriber_count(), hub.client_count()),
            (left, left)
        );
    });
}

#[test]
fn losses_race_their_notices() {
    let mut model = builder();
    // Three take half a minute.
    model.preemption_bound = Some(2);
    model.check(|| {
        let hub = hub(1, SlowConsumer::DropNewest);
        let told = ConnectOptions::new().gap_notices(true).join_notices(true);
        let (client, mut outbox) = hub.connect(told).expect("the hub is open");
        client.subscribe_blocking("c").expect("anyone may join");
        let channel = hub.channel("c").expect("it is there");
        let publisher = publishes(&channel, 3);
        let (mut received, mut missed) = (0, 0);
        while received + missed < 3 {
            let frame = outbox.recv_blocking().expect("it stays connected");
            match frame.event() {
                Event::Gap(gap) => missed += gap.missed,
                Event::Message(_) => received += 1,
                _ => {}
            }
        }
        publisher.join().expect("no panic");
        assert_eq!(received + missed, 3, "each is received or told of, once");
    });
}

#[test]
fn a_set_that_waits_races_publish_and_close() {
    model(|| {
        let hub = hub(4, SlowConsumer::DropNewest);
        let (client, outbox, channel) = subscribed(&hub);
        let mut set = OutboxSet::new();
        set.insert(outbox);
        let other = {
            let client = client.clone();
            thread::spawn(move || {
                let sent = client.send(Message::static_text("x"));
                sent.expect("it is open and has room");
                client.close(Disconnect::KICKED);
            })
        };
        let mut frames = 0;
        while !set.is_empty() {
            frames += block_on(set.recv(4, |_, _| {}));
        }
        other.join().expect("no panic");
        assert_eq!(
            frames, 1,
            "no wake-up is lost, and nothing comes after the end"
        );
        assert!(set.next_ended().is_some());
        drop((client, channel));
    });
}
