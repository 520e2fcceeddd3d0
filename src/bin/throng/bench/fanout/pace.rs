//! What keeps the publishers from running away.

use std::hint;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Instant;

use crossbeam_utils::CachePadded;

/// What one drainer has of one channel.
#[derive(Default)]
pub(super) struct Part {
    /// Clients; fixed before the threads start.
    pub(super) clients: usize,
    /// Messages drained, by all those clients together.
    pub(super) drained: CachePadded<AtomicUsize>,
}

/// The parts of one drainer, one per channel.
pub(super) type Parts = Arc<[Part]>;

/// How far each channel is.
pub(super) struct Pace {
    window: usize,
    /// Messages published, per channel.
    published: Vec<CachePadded<AtomicUsize>>,
    parts: Vec<Parts>,
}

impl Pace {
    pub(super) fn new(window: usize, parts: Vec<Parts>) -> Self {
        let channels = parts.first().map_or(0, |parts| parts.len());
        let published = (0..channels).map(|_| CachePadded::default()).collect();
        Self {
            window,
            published,
            parts,
        }
    }

    /// Waits until `channel` has room for a message, and counts it; false: it was too late.
    pub(super) fn enter(&self, channel: usize, until: Option<Instant>) -> bool {
        if !wait(until, || self.on_their_way(channel) < self.window) {
            return false;
        }
        // Relaxed: a count; the message itself is handed over by the hub.
        self.published[channel].fetch_add(1, Ordering::Relaxed);
        true
    }

    /// Messages published so far, on all channels.
    pub(super) fn published(&self) -> usize {
        // Relaxed: only shown.
        self.published
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .sum()
    }

    /// Waits until nothing is on its way, or gives up.
    pub(super) fn wait_until_drained(&self, until: Instant) {
        for channel in 0..self.published.len() {
            wait(Some(until), || self.on_their_way(channel) == 0);
        }
    }

    /// Messages of `channel` that the slowest drainer still has to drain, rounded up.
    fn on_their_way(&self, channel: usize) -> usize {
        // Relaxed: a count; if it is old, the publisher waits a little longer.
        let published = self.published[channel].load(Ordering::Relaxed);
        let behind = |part: &Part| {
            // Acquire: pairs with the Release in `Drainer::run`.
            let drained = part.drained.load(Ordering::Acquire);
            (published * part.clients)
                .saturating_sub(drained)
                .div_ceil(part.clients.max(1))
        };
        self.parts
            .iter()
            .map(|parts| behind(&parts[channel]))
            .max()
            .unwrap_or(0)
    }
}

/// Spins, and gives way to other threads now and then, until `ready` or too late.
fn wait(until: Option<Instant>, ready: impl Fn() -> bool) -> bool {
    let mut spins = 0_u32;
    while !ready() {
        spins += 1;
        if spins.is_multiple_of(256) {
            if until.is_some_and(|until| Instant::now() >= until) {
                return false;
            }
            thread::yield_now();
        }
        hint::spin_loop();
    }
    true
}
