//! A thread that drains.

use std::hint;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
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
    drained: Drained,
}

/// What a drainer did.
pub(super) struct Drained {
    /// Messages.
    pub(super) received: u64,
    /// From just before the publish until just after the drain, of the sampled clients.
    pub(super) latencies: Latencies,
}

impl Drainer {
    /// Drains `clients`, which are on channels below `channels`.
    pub(super) fn new(mut clients: Vec<Healthy>, channels: usize) -> Self {
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
            drained: Drained {
                received: 0,
                latencies,
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
                self.sample(received);
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

    /// Records the latencies of the last `received` frames of the batch.
    fn sample(&mut self, received: usize) {
        let now = nanos(self.start.elapsed());
        for frame in self.batch.iter().skip(self.batch.len() - received) {
            let stamp = frame.payload().first_chunk::<STAMP>();
            let stamp = stamp.map_or(now, |stamp| u64::from_le_bytes(*stamp));
            self.drained.latencies.record(now.saturating_sub(stamp));
        }
    }
}

/// Messages taken from one outbox before the next has its turn.
const AT_ONCE: usize = 1_024;

/// Clients that are counted together.
const TOGETHER: usize = 64;
