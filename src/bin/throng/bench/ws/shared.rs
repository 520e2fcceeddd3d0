//! What all tasks of the load generator see.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::Thread;
use std::time::Duration;
use std::time::Instant;

use crossbeam_utils::CachePadded;

use crate::bench::latency::Latencies;
use crate::bench::latency::Percentiles;
use crate::bench::latency::nanos;

use super::stamp::MessageHeader;

/// What all tasks of the load generator see.
pub(super) struct Shared {
    start: Instant,
    /// Messages published before are not recorded; in nanoseconds from the start.
    recorded_from: AtomicU64,
    /// Messages that reached clients, and the reads that brought them.
    received: CachePadded<AtomicUsize>,
    /// Messages that clients have received or lost: one is lost when a later one comes.
    passed: CachePadded<AtomicUsize>,
    reads: CachePadded<AtomicUsize>,
    /// The pacer is woken as soon as so many have passed.
    wanted: AtomicUsize,
    pacer: Mutex<Option<Thread>>,
    /// Clients that read, and are connected.
    healthy: AtomicUsize,
    latencies: [Mutex<Latencies>; SHARDS],
    /// When the newest message of each client was published; 0 before the first.
    newest: Box<[AtomicU64]>,
    /// The ages of these, as they were looked at.
    ages: Mutex<Latencies>,
    events: Mutex<Events>,
}

/// What happens seldom.
#[derive(Clone, Default)]
pub(super) struct Events {
    /// Connections that have ended, by close code; 1006 for those without a close frame.
    pub(super) closed: BTreeMap<u16, usize>,
    /// How the first publisher has ended that did.
    pub(super) publisher_ended: Option<String>,
    /// Messages that the server refused.
    pub(super) refused: usize,
    /// How the server said so for the first time.
    pub(super) first_refusal: Option<String>,
}

/// How many messages had passed, and since when.
pub(super) struct Passed {
    pub(super) messages: usize,
    pub(super) at: Instant,
}

/// Counts at one moment.
#[derive(Clone, Copy)]
pub(super) struct Counts {
    pub(super) received: usize,
    pub(super) reads: usize,
}

impl Shared {
    pub(super) fn new(clients: usize, healthy: usize) -> Self {
        Self {
            start: Instant::now(),
            recorded_from: AtomicU64::new(u64::MAX),
            received: CachePadded::default(),
            passed: CachePadded::default(),
            reads: CachePadded::default(),
            wanted: AtomicUsize::new(usize::MAX),
            pacer: Mutex::new(None),
            healthy: AtomicUsize::new(healthy),
            latencies: std::array::from_fn(|_| Mutex::new(Latencies::new())),
            newest: (0..clients).map(|_| AtomicU64::new(0)).collect(),
            ages: Mutex::new(Latencies::new()),
            events: Mutex::default(),
        }
    }

    /// From this moment on, what is published is recorded; what was recorded before is not kept.
    pub(super) fn record(&self) {
        for latencies in &self.latencies {
            *lock(latencies) = Latencies::new();
        }
        *lock(&self.ages) = Latencies::new();
        // Relaxed: one message more or less does not matter.
        self.recorded_from.store(self.now(), Ordering::Relaxed);
    }

    /// Nanoseconds from the start.
    pub(super) fn now(&self) -> u64 {
        self.at(Instant::now())
    }

    /// Nanoseconds from the start to `instant`.
    pub(super) fn at(&self, instant: Instant) -> u64 {
        nanos(instant.saturating_duration_since(self.start))
    }

    /// A read brought client number `client` messages with these stamps; with what it lost before
    /// them, so many have `passed`.
    pub(super) fn receive(&self, client: usize, stamps: &[MessageHeader], passed: usize) {
        if stamps.is_empty() {
            return;
        }
        let now = self.now();
        // Relaxed: see `record`.
        let from = self.recorded_from.load(Ordering::Relaxed);
        let mut latencies = lock(&self.latencies[client % SHARDS]);
        for stamp in stamps.iter().filter(|stamp| stamp.nanos >= from) {
            latencies.record(now.saturating_sub(stamp.nanos));
        }
        drop(latencies);
        if let (Some(newest), Some(stamp)) = (self.newest.get(client), stamps.last()) {
            // Relaxed: a figure.
            newest.store(stamp.nanos, Ordering::Relaxed);
        }
        // Relaxed: figures.
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.received.fetch_add(stamps.len(), Ordering::Relaxed);
        // SeqCst: this, then `wanted`; `wait_for` does the reverse.
        // - If our count comes first, the pacer sees it before it sleeps.
        // - If its wish comes first, we see it, and wake the pacer.
        let passed = self.passed.fetch_add(passed, Ordering::SeqCst) + passed;
        // SeqCst: see above.
        if passed >= self.wanted.load(Ordering::SeqCst)
            && let Some(pacer) = &*lock(&self.pacer)
        {
            pacer.unpark();
        }
    }

    /// Names the thread that waits in [`Shared::wait_for`].
    pub(super) fn set_pacer(&self, pacer: Thread) {
        *lock(&self.pacer) = Some(pacer);
    }

    /// Waits until so many messages have passed, or none has for as long as `patience`. To be
    /// called by one thread at a time, the pacer.
    pub(super) fn wait_for(&self, wanted: usize, patience: Duration) -> Passed {
        // SeqCst: see `receive`.
        self.wanted.store(wanted, Ordering::SeqCst);
        let mut last = Passed {
            messages: usize::MAX,
            at: Instant::now(),
        };
        loop {
            // SeqCst: see `receive`.
            let messages = self.passed.load(Ordering::SeqCst);
            if messages != last.messages {
                let at = Instant::now();
                last = Passed { messages, at };
            }
            if messages >= wanted || last.at.elapsed() >= patience {
                break;
            }
            thread::park_timeout(patience / 8);
        }
        // SeqCst: see `receive`.
        self.wanted.store(usize::MAX, Ordering::SeqCst);
        last
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            // Relaxed: figures.
            received: self.received.load(Ordering::Relaxed),
            reads: self.reads.load(Ordering::Relaxed),
        }
    }

    /// Clients that a message can reach.
    pub(super) fn healthy(&self) -> usize {
        // Relaxed: a figure.
        self.healthy.load(Ordering::Relaxed)
    }

    /// A client has ended with this close code.
    pub(super) fn close(&self, code: u16) {
        // Relaxed: a figure.
        self.healthy.fetch_sub(1, Ordering::Relaxed);
        *lock(&self.events).closed.entry(code).or_default() += 1;
    }

    /// The server has refused a message.
    pub(super) fn refuse(&self, why: &str) {
        let mut events = lock(&self.events);
        events.refused += 1;
        events.first_refusal.get_or_insert_with(|| why.to_owned());
    }

    /// The connection of a publisher has ended.
    pub(super) fn end_publisher(&self, why: String) {
        lock(&self.events).publisher_ended.get_or_insert(why);
    }

    pub(super) fn events(&self) -> Events {
        lock(&self.events).clone()
    }

    /// Looks at how old the newest message is that each client has; to be called every 50 ms.
    pub(super) fn look(&self) {
        let now = self.now();
        let mut ages = lock(&self.ages);
        for newest in &self.newest {
            // Relaxed: a figure. A client that has stopped reading has what it had in the
            // beginning.
            ages.record(now.saturating_sub(newest.load(Ordering::Relaxed)).max(1));
        }
    }

    /// How old the newest messages of the clients were; `None` if none of the clients is slow.
    pub(super) fn freshness(&self, slow: usize) -> Option<Percentiles> {
        (slow > 0).then(|| lock(&self.ages).percentiles())?
    }

    pub(super) fn latencies(&self) -> Latencies {
        let mut all = Latencies::new();
        for latencies in &self.latencies {
            all.add(&lock(latencies));
        }
        all
    }
}

/// Nothing panics with one of these locks held.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Histograms, so that the threads seldom wait for each other.
const SHARDS: usize = 16;
