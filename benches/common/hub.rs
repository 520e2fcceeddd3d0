//! throng, through its public API.

use std::collections::VecDeque;

use bytes::Bytes;
use throng::Batch;
use throng::Channel;
use throng::Client;
use throng::ConnectOptions;
use throng::Hub;
use throng::Limits;
use throng::Message;
use throng::Outbox;
use throng::OutboxLimits;
use throng::OutboxSet;
use throng::SlowConsumer;

use super::CAPACITY;
use super::Drain;
use super::Fanout;
use super::Parted;
use super::Publish;
use super::Setup;

/// Every outbox into one reused batch, cleared now and then.
pub(super) fn batched(setup: &Setup) -> Fanout {
    let (channel, outboxes) = world(setup, SlowConsumer::DropNewest);
    Fanout {
        publisher: Box::new(Publisher::new(channel, setup)),
        drainer: Box::new(Batched::new(outboxes)),
    }
}

/// Message by message, each dropped by itself.
pub(super) fn one_by_one(setup: &Setup) -> Fanout {
    let (channel, outboxes) = world(setup, SlowConsumer::DropNewest);
    Fanout {
        publisher: Box::new(Publisher::new(channel, setup)),
        drainer: Box::new(OneByOne(outboxes)),
    }
}

/// All outboxes in one set, which does the same by itself.
pub(super) fn in_a_set(setup: &Setup) -> Fanout {
    let (channel, outboxes) = world(setup, SlowConsumer::DropNewest);
    Fanout {
        publisher: Box::new(Publisher::new(channel, setup)),
        drainer: Box::new(Set {
            set: outboxes.healthy.into_iter().collect(),
            slow: outboxes.slow,
        }),
    }
}

/// [`batched`] under another policy; messages have so many keys, one after the other.
pub(crate) fn under(policy: SlowConsumer, keys: u8, setup: &Setup) -> Fanout {
    let (channel, outboxes) = world(setup, policy);
    let mut publisher = Publisher::new(channel, setup);
    publisher.keys = (0..keys).map(|key| Bytes::from(vec![key])).collect();
    Fanout {
        publisher: Box::new(publisher),
        drainer: Box::new(Batched::new(outboxes)),
    }
}

/// A hub whose outboxes hold [`CAPACITY`] messages, of any size.
pub(crate) fn with(policy: SlowConsumer) -> Hub {
    Hub::builder()
        .outbox(OutboxLimits::new().messages(CAPACITY).bytes(16 << 20))
        .slow_consumer(policy)
        .limits(Limits::new().clients(2_000_000))
        .build()
        .expect("the options are valid")
}

/// A client of `hub` on `channel`.
pub(crate) fn subscribed(hub: &Hub, channel: &str) -> (Client, Outbox) {
    let (client, outbox) = hub
        .connect(ConnectOptions::new())
        .expect("the hub has room for the client");
    client
        .subscribe_blocking(channel)
        .expect("the channel has room for the client");
    (client, outbox)
}

fn world(setup: &Setup, policy: SlowConsumer) -> (Channel, Parted<Outbox>) {
    let hub = with(policy);
    let outboxes = (0..setup.receivers).map(|_| subscribed(&hub, "bench").1);
    let outboxes = setup.part(outboxes.collect());
    let channel = hub.channel("bench").expect("the name is valid");
    (channel, outboxes)
}

struct Publisher {
    channel: Channel,
    payload: Bytes,
    /// Taken in turn, from the front.
    keys: VecDeque<Bytes>,
}

impl Publisher {
    fn new(channel: Channel, setup: &Setup) -> Self {
        Self {
            channel,
            payload: setup.payload.clone(),
            keys: VecDeque::new(),
        }
    }
}

impl Publish for Publisher {
    fn publish(&mut self) {
        let mut message = Message::binary(self.payload.clone());
        if let Some(key) = self.keys.front() {
            message = message.key(key.clone());
            self.keys.rotate_left(1);
        }
        // Refused only when too many publishers wait on the channel: then try again.
        while let Err(refused) = self.channel.publish(message) {
            message = refused.into_message();
            std::thread::yield_now();
        }
    }

    fn fork(&self) -> Box<dyn Publish> {
        Box::new(Self {
            channel: self.channel.clone(),
            payload: self.payload.clone(),
            keys: self.keys.clone(),
        })
    }
}

/// How many outboxes ahead of the one being drained the next is fetched.
const AHEAD: usize = 8;

struct Batched {
    outboxes: Parted<Outbox>,
    batch: Batch,
}

impl Batched {
    fn new(outboxes: Parted<Outbox>) -> Self {
        let batch = Batch::new();
        Self { outboxes, batch }
    }
}

impl Drain for Batched {
    fn drain(&mut self) -> usize {
        let mut drained = 0;
        let outboxes = &mut self.outboxes.healthy;
        for index in 0..outboxes.len() {
            if let Some(later) = outboxes.get(index + AHEAD) {
                later.prefetch();
            }
            drained += outboxes[index]
                .try_recv_batch(&mut self.batch, CAPACITY)
                .unwrap_or(0);
            if self.batch.len() >= BATCH {
                self.batch.clear();
            }
        }
        self.batch.clear();
        drained
    }

    fn split(&mut self, receivers: usize) -> Box<dyn Drain> {
        Box::new(Self::new(self.outboxes.split(receivers)))
    }
}

struct OneByOne(Parted<Outbox>);

impl Drain for OneByOne {
    fn drain(&mut self) -> usize {
        let mut drained = 0;
        for outbox in &mut self.0.healthy {
            while outbox.try_recv().is_ok() {
                drained += 1;
            }
        }
        drained
    }

    fn split(&mut self, receivers: usize) -> Box<dyn Drain> {
        Box::new(Self(self.0.split(receivers)))
    }
}

struct Set {
    set: OutboxSet,
    /// Only kept alive.
    slow: Vec<Outbox>,
}

impl Drain for Set {
    fn drain(&mut self) -> usize {
        self.set.drain(CAPACITY, |_, _| {})
    }

    fn split(&mut self, receivers: usize) -> Box<dyn Drain> {
        let keys: Vec<_> = self.set.keys().take(receivers).collect();
        let outboxes = keys.into_iter().filter_map(|key| self.set.remove(key));
        Box::new(Self {
            set: outboxes.collect(),
            slow: Vec::new(),
        })
    }
}

/// Frames a batch gathers before it is cleared; small enough to stay in the first-level cache.
const BATCH: usize = 1024;
