//! One message to N receivers: the same work for every contender.
//!
//! A contender is built from a [`Setup`] and comes as two halves, so that the halves may live on
//! one thread or on two: [`Publish`] hands one message to all receivers, [`Drain`] takes from
//! every receiver what it has, until it is empty, and drops it. Each outbox (or its like) has room
//! for [`CAPACITY`] messages. All contenders get the same [`Bytes`] payload.

pub(crate) mod hub;
mod per_client;
mod shared;

use std::env;
use std::time::Duration;

use bytes::Bytes;
use criterion::Criterion;

/// Room in each outbox, in messages.
pub(crate) const CAPACITY: usize = 64;

/// Hands one message to all receivers.
pub(crate) trait Publish: Send {
    /// Never waits; a receiver without room loses a message.
    fn publish(&mut self);

    /// Another publisher to the same receivers.
    fn fork(&self) -> Box<dyn Publish>;
}

/// Empties the receivers.
pub(crate) trait Drain: Send {
    /// Takes and drops what there is for the receivers that are not slow; how many it was.
    fn drain(&mut self) -> usize;

    /// Takes `receivers` of the receivers away into a drain of their own.
    fn split(&mut self, receivers: usize) -> Box<dyn Drain>;
}

/// Both halves of a contender.
pub(crate) struct Fanout {
    pub(crate) publisher: Box<dyn Publish>,
    pub(crate) drainer: Box<dyn Drain>,
}

impl Fanout {
    /// Publishes `window` messages, then drains them; how many deliveries that made.
    pub(crate) fn round(&mut self, window: usize) -> usize {
        for _ in 0..window {
            self.publisher.publish();
        }
        self.drainer.drain()
    }
}

/// What a contender is built from.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) receivers: usize,
    pub(crate) payload: Bytes,
    /// Percent of the receivers that never drain, spread evenly.
    pub(crate) slow: usize,
}

impl Setup {
    /// `receivers` receivers, none of them slow, and a payload of 128 bytes.
    pub(crate) fn new(receivers: usize) -> Self {
        Self {
            receivers,
            payload: payload(128),
            slow: 0,
        }
    }

    pub(crate) fn payload(self, bytes: usize) -> Self {
        let payload = payload(bytes);
        Self { payload, ..self }
    }

    pub(crate) fn slow(self, slow: usize) -> Self {
        Self { slow, ..self }
    }

    /// How many receivers drain.
    pub(crate) fn healthy(&self) -> usize {
        (0..self.receivers).filter(|&i| !self.is_slow(i)).count()
    }

    fn is_slow(&self, receiver: usize) -> bool {
        (receiver + 1) * self.slow / 100 > receiver * self.slow / 100
    }

    /// Parts the receivers in those that drain and those that do not.
    fn part<T>(&self, receivers: Vec<T>) -> Parted<T> {
        let mut parted = Parted {
            healthy: Vec::with_capacity(receivers.len()),
            slow: Vec::new(),
        };
        for (i, receiver) in receivers.into_iter().enumerate() {
            if self.is_slow(i) {
                parted.slow.push(receiver);
            } else {
                parted.healthy.push(receiver);
            }
        }
        parted
    }
}

/// The receivers; the slow ones are only kept alive.
struct Parted<T> {
    healthy: Vec<T>,
    slow: Vec<T>,
}

impl<T> Parted<T> {
    /// Takes `receivers` of the healthy away.
    fn split(&mut self, receivers: usize) -> Self {
        let rest = self.healthy.len() - receivers;
        Self {
            healthy: self.healthy.split_off(rest),
            slow: Vec::new(),
        }
    }
}

/// A way to bring one message to N receivers.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    make: fn(&Setup) -> Fanout,
}

impl Contender {
    /// Builds it, fills the outboxes of the slow receivers, and checks that it delivers.
    pub(crate) fn build(&self, setup: &Setup) -> Fanout {
        let mut fanout = (self.make)(setup);
        let rounds = if setup.slow > 0 { CAPACITY + 1 } else { 1 };
        for _ in 0..rounds {
            let delivered = fanout.round(1);
            assert_eq!(delivered, setup.healthy(), "{} lost messages", self.name);
        }
        fanout
    }
}

/// throng with its batch, with its set, message by message, and what one would use instead.
pub(crate) const CONTENDERS: [Contender; 8] = [
    THRONG,
    Contender {
        name: "throng-set",
        make: hub::in_a_set,
    },
    Contender {
        name: "throng-recv",
        make: hub::one_by_one,
    },
    Contender {
        name: "tokio-mpsc",
        make: per_client::tokio_mpsc,
    },
    Contender {
        name: "tokio-broadcast",
        make: shared::tokio_broadcast,
    },
    Contender {
        name: "array-queue",
        make: per_client::array_queue,
    },
    Contender {
        name: "flume",
        make: per_client::flume,
    },
    Contender {
        name: "async-broadcast",
        make: shared::async_broadcast,
    },
];

/// throng as it is meant to be drained: many outboxes into one reused batch.
pub(crate) const THRONG: Contender = Contender {
    name: "throng",
    make: hub::batched,
};

/// Short runs: there are many contenders, and the ratios are far apart.
pub(crate) fn config() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20)
}

/// Whether `THRONG_BENCH_LARGE` asks for the sizes that take long.
pub(crate) fn large() -> bool {
    env::var_os("THRONG_BENCH_LARGE").is_some()
}

/// How many deliveries one round makes, for [`criterion::Throughput::Elements`].
pub(crate) fn elements(receivers: usize, window: usize) -> u64 {
    u64::try_from(receivers * window).expect("a count of deliveries fits")
}

/// A payload that is counted, as real ones are: a static one would be cloned for nothing.
pub(crate) fn payload(bytes: usize) -> Bytes {
    Bytes::from(vec![b'x'; bytes])
}
