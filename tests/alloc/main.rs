//! What a publish allocates: the same for ten subscribers and for ten thousand. What a client takes
//! while it is idle, and what remains when a crowd has gone.
//!
//! A test binary of its own, because the counting allocator is one for the whole process; and one
//! test, because the counts are those of all threads.

#![expect(unsafe_code, reason = "an allocator that counts")]

#[path = "../support/counting.rs"]
mod counting;
#[cfg(feature = "ws")]
mod limits;

use bytes::Bytes;
use throng::Batch;
use throng::Channel;
use throng::ConnectOptions;
use throng::Hub;
use throng::Message;
use throng::Outbox;
use throng::SlowConsumer;

use self::counting::allocations;
use self::counting::blocks;
use self::counting::bytes;

#[test]
fn a_publish_allocates_the_same_for_any_number_of_subscribers() {
    for policy in [
        SlowConsumer::DropNewest,
        SlowConsumer::DropOldest,
        SlowConsumer::KeepLatest,
    ] {
        let [few, many, most] = [10, 1_000, 10_000].map(|n| allocations_per_publish(n, policy));
        assert_eq!(few, many, "{policy:?}: drained, and full");
        assert_eq!(few, most, "{policy:?}: drained, and full");
    }

    // The first worlds warmed up whatever the process keeps for ever; so these leave nothing.
    for policy in [
        SlowConsumer::DISCONNECT,
        SlowConsumer::DropNewest,
        SlowConsumer::KeepLatest,
    ] {
        let before = (bytes(), blocks());
        drop(World::new(1_000, policy));
        assert_eq!(
            (bytes(), blocks()),
            before,
            "{policy:?}: bytes live after the hub is gone"
        );

        let world = World::new(1_000, policy);
        world.publish(OUTBOX);
        // These find the outboxes full, or the clients gone.
        let channel = &world.channel;
        for _ in 0..OUTBOX {
            drop(channel.publish(Message::static_text("late").key(KEY)));
        }
        drop(world);
        assert_eq!(
            (bytes(), blocks()),
            before,
            "{policy:?}: bytes live after full outboxes are gone"
        );
    }

    an_idle_client_takes_little();
    of_a_crowd_that_has_gone_little_remains();
    #[cfg(feature = "ws")]
    limits::keys_of_rate_limits_take_no_memory();
}

/// Of memory that was asked for, with one subscription.
fn an_idle_client_takes_little() {
    for (clients, most) in [(1_000, 800), (10_000, 810)] {
        let before = bytes();
        let world = World::new(clients, SlowConsumer::DropNewest);
        let each = (bytes() - before) / clients;
        println!("{clients} idle clients take {each} bytes each");
        assert!(
            each <= most,
            "{clients} idle clients take {each} bytes each"
        );
        drop(world);
    }
}

/// For each that stays, what it takes itself, a page at most, which others filled, and the places
/// that those others had in the table of clients.
fn of_a_crowd_that_has_gone_little_remains() {
    const CROWD: usize = 100_000;
    for every in [64, 63] {
        let before = bytes();
        let mut world = World::new(CROWD, SlowConsumer::DropNewest);
        let crowded = bytes() - before;
        let mut number = 0;
        world.outboxes.retain(|_| {
            number += 1;
            number % every == 0
        });
        world.outboxes.shrink_to_fit();
        world.channel = world.hub.channel("alloc").expect("the name is valid");
        let stay = world.outboxes.len();
        let each = (bytes() - before) / stay;
        drop(world);
        assert_eq!(bytes(), before, "and nothing when they have gone too");
        // Only now: what the harness keeps of the output is counted as well.
        println!("{stay} of {CROWD} stay: {each} bytes each, of {crowded} in all before");
        assert!(
            each <= 1_200 + PAGE + 32 * every,
            "{stay} of {CROWD} stay: {each} bytes each"
        );
    }
}

/// What the rings of some clients have their lines in together.
const PAGE: usize = 4096;

/// Allocations per publish with outboxes that are drained, and with outboxes that stay full.
fn allocations_per_publish(subscribers: usize, policy: SlowConsumer) -> [usize; 2] {
    let mut world = World::new(subscribers, policy);
    // The rings are allocated on their first use.
    world.publish(OUTBOX);
    world.drain();

    let before = allocations();
    for _ in 0..PUBLISHES {
        world.publish(1);
        world.drain();
    }
    let drained = allocations() - before;

    // What is kept beside the ring grows to what it needs.
    world.publish(16 * OUTBOX);
    let before = allocations();
    world.publish(PUBLISHES);
    let full = allocations() - before;
    [drained, full].map(|count| {
        assert_eq!(
            count % PUBLISHES,
            0,
            "{policy:?}: the same for each publish"
        );
        count / PUBLISHES
    })
}

/// A channel and its subscribers.
struct World {
    hub: Hub,
    channel: Channel,
    outboxes: Vec<Outbox>,
    batch: Batch,
}

impl World {
    fn new(subscribers: usize, policy: SlowConsumer) -> Self {
        let hub = Hub::builder()
            .slow_consumer(policy)
            .build()
            .expect("the options are valid");
        let connect = |_| {
            let (client, outbox) = hub.connect(ConnectOptions::new()).expect("there is room");
            client.subscribe_blocking("alloc").expect("there is room");
            outbox
        };
        Self {
            outboxes: (0..subscribers).map(connect).collect(),
            channel: hub.channel("alloc").expect("the name is valid"),
            batch: Batch::new(),
            hub,
        }
    }

    fn publish(&self, messages: usize) {
        for _ in 0..messages {
            let published = self.channel.publish(Message::static_text("tick").key(KEY));
            let delivery = published.expect("nobody else publishes");
            assert_eq!(delivery.addressed(), self.outboxes.len());
        }
    }

    fn drain(&mut self) {
        for outbox in &mut self.outboxes {
            while outbox.try_recv_batch(&mut self.batch, OUTBOX).is_ok() {}
            self.batch.clear();
        }
    }
}

/// The messages an outbox holds by default.
const OUTBOX: usize = 64;

/// All messages have one key, so that `KeepLatest` conflates them.
const KEY: Bytes = Bytes::from_static(b"key");

/// Enough for a cost that comes only now and then to show.
const PUBLISHES: usize = 64;
