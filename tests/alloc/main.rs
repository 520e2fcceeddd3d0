//! What a publish allocates: the same for ten subscribers and for ten thousand.
//!
//! A test binary of its own, because the counting allocator is one for the whole process; and one
//! test, because the counts are those of all threads.

#![expect(unsafe_code, reason = "an allocator that counts")]

use std::alloc::GlobalAlloc;
use std::alloc::Layout;
use std::alloc::System;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use throng::Batch;
use throng::Channel;
use throng::ConnectOptions;
use throng::Hub;
use throng::Message;
use throng::Outbox;
use throng::SlowConsumer;

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
        let before = bytes();
        drop(World::new(1_000, policy));
        assert_eq!(
            bytes(),
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
            bytes(),
            before,
            "{policy:?}: bytes live after full outboxes are gone"
        );
    }
}

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

    world.publish(2 * OUTBOX);
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

/// The system's allocator, counted.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);

fn allocations() -> usize {
    // Relaxed: the test has one thread.
    ALLOCATIONS.load(Ordering::Relaxed)
}

fn bytes() -> usize {
    // Relaxed: the test has one thread.
    BYTES.load(Ordering::Relaxed)
}

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: every call goes to `System`, with the arguments it came with.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Relaxed: a count.
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // Relaxed: a count.
        BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `GlobalAlloc::dealloc`.
        unsafe { System.dealloc(ptr, layout) }
    }
}
