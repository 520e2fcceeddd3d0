//! A thread that drains.

use std::hint;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use throng::Batch;

use crate::bench::latency::Latencies;
use crate::bench::latency::nanos;

use super::pace::Part;
use super::pace::Parts;
use super::publisher::STAMP;
use super::world::Healthy;

/// A thread that goes over its outboxes again and again.
pub(super) struct Drainer {
    clients: Vec<Healthy>,
    parts: Parts,
    batch: Batch,
    start: Instant,
    /// Time of the next look at the ages, since the start.
    next_look: Option<Duration>,
    /// Clients that have received nothing.
    slow: usize,
    drained: Drained,
}

/// What a drainer did.
pub(super) struct Drained {
    /// Messages.
    pub(super) received: u64,
    /// From just before the publish until just after the drain, of the sampled clients.
    pub(super) latencies: Latencies,
    /// Ages of the newest message that each sampled client has, every 50 ms; empty unless asked
    /// for.
    pub(super) ages: Latencies,
}

impl Drainer {
    /// Drains `clients`, which are on channels below `channels`. With `looks` it looks at how old
    /// the newest message is that each has, and that many others, which no thread drains.
    pub(super) fn new(mut clients: Vec<Healthy>, channels: usize, looks: Option<usize>) -> Self {
        clients.sort_by_key(|client| client.channel);
        let mut parts: Vec<_> = (0..channels).map(|_| Part::default()).collect();
        for client in &clients {
            parts[client.channel].clients += 1;
        }
        let latencies = Latencies::new();
        Self {
            clients,
            parts: parts.into(),
            batch: Batch::new(),
            start: Instant::now(),
            next_look: looks.map(|_| LOOK),
            slow: looks.unwrap_or(0),
            drained: Drained {
                received: 0,
                latencies,
                ages: Latencies::new(),
            },
        }
    }

    /// What the publishers look at.
    pub(super) fn parts(&self) -> Parts {
        Arc::clone(&self.parts)
    }

    /// Drains until `done`; the payloads count their nanoseconds from `start`.
    pub(super) fn run(mut self, start: Instant, done: &AtomicBool) -> Drained {
        self.start = start;
        let mut idle = 0_u32;
        // Relaxed: only ends the loop, orders nothing.
        while !done.load(Ordering::Relaxed) {
            let before = self.drained.received;
            self.sweep();
            self.look();
            idle = if self.drained.received == before {
                idle + 1
            } else {
                0
            };
            if idle > 64 {
                thread::yield_now();
            }
            hint::spin_loop();
        }
        self.drained
    }

    /// Goes once over all outboxes.
    fn sweep(&mut self) {
        let mut clients = mem::take(&mut self.clients);
        for same_channel in clients.chunk_by_mut(|a, b| a.channel == b.channel) {
            for few in same_channel.chunks_mut(TOGETHER) {
                self.drain(few);
            }
        }
        self.clients = clients;
    }

    /// Records how old the newest message of each sampled client is, if it is time to.
    fn look(&mut self) {
        let now = self.start.elapsed();
        let Some(next) = self.next_look.filter(|next| *next <= now) else {
            return;
        };
        self.next_look = Some(next + LOOK);
        for client in self.clients.iter().filter(|client| client.sampled) {
            let age = nanos(now).saturating_sub(client.newest);
            self.drained.ages.record(age.max(1));
        }
        for _ in 0..self.slow {
            self.drained.ages.record(nanos(now));
        }
    }

    /// Drains a few clients of one channel, and tells the publishers of all together: they watch
    /// the count, and each change of it costs the trip of a cache line.
    fn drain(&mut self, clients: &mut [Healthy]) {
        let mut drained = 0;
        for client in &mut *clients {
            let received = client
                .outbox
                .try_recv_batch(&mut self.batch, AT_ONCE)
                .unwrap_or(0);
            if received > 0 && client.sampled {
                client.newest = self.sample(received);
            }
            drained += received;
        }
        self.batch.clear();
        if drained > 0 {
            self.drained.received += drained as u64;
            // Release: pairs with the Acquire in `Pace::on_their_way`.
            self.parts[clients[0].channel]
                .drained
                .fetch_add(drained, Ordering::Release);
        }
    }

    /// Records the latencies of the last `received` frames of the batch, and returns when the
    /// newest was published.
    fn sample(&mut self, received: usize) -> u64 {
        let now = nanos(self.start.elapsed());
        let mut newest = 0;
        for frame in self.batch.iter().skip(self.batch.len() - received) {
            let stamp = frame.payload().first_chunk::<STAMP>();
            let stamp = stamp.map_or(now, |stamp| u64::from_le_bytes(*stamp));
            self.drained.latencies.record(now.saturating_sub(stamp));
            newest = stamp.max(newest);
        }
        newest
    }
}

/// Interval between two looks at the ages.
const LOOK: Duration = Duration::from_millis(50);

/// Messages taken from one outbox before the next has its turn.
const AT_ONCE: usize = 1_024;

/// Clients that are counted together.
const TOGETHER: usize = 64;
