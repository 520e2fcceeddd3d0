//! What connections have read and written, counted.
//!
//! A connection counts for itself, and one writer at a time owns its counters. What the gateway
//! counts for a whole transport is added up in a [`Tally`] first, and folded in once for many
//! writes.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;

/// How a client is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// A transport of the embedder's own, see `Conn`.
    Other,
    /// Server-sent events.
    Sse,
    /// WebSocket.
    Ws,
}

impl Transport {
    /// The name, as metrics and logs show it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::Sse => "sse",
            Self::Ws => "ws",
        }
    }
}

/// What one connection has done so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionStats {
    /// How it is connected.
    pub transport: Transport,
    /// Bytes read.
    pub bytes_in: u64,
    /// Bytes written.
    pub bytes_out: u64,
    /// Messages read, control frames not among them.
    pub frames_in: u64,
    /// Frames written.
    pub frames_out: u64,
    /// Writes: system calls, or chunks of an HTTP body.
    pub writes: u64,
    /// Writes after which the socket took no more.
    pub blocked: u64,
    /// Bytes that the kernel has taken and not sent yet. `None` where that is not known: it is for
    /// WebSocket and for event streams over HTTP/1.1 of this crate's server, over plain TCP on
    /// Linux, unless the connection is busy at that moment.
    pub unsent: Option<u64>,
}

/// What all connections of one transport have done since the gateway was made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransportStats {
    /// Connections open now.
    pub open: usize,
    /// Connections opened ever.
    pub opened: u64,
    /// Bytes read.
    pub bytes_in: u64,
    /// Bytes written.
    pub bytes_out: u64,
    /// Messages read, control frames not among them.
    pub frames_in: u64,
    /// Frames written.
    pub frames_out: u64,
    /// Writes: system calls, or chunks of an HTTP body.
    pub writes: u64,
    /// Writes after which the socket took no more.
    pub blocked: u64,
    /// From a client's outbox having something to what was there being written; for event streams
    /// over HTTP/2 or under another server, being handed to the HTTP library.
    pub flush_latency: LatencyStats,
    /// How connections ended: close codes and how often each. 1006 stands for those that ended
    /// without one.
    pub closes: Vec<(u16, u64)>,
}

impl TransportStats {
    /// Frames for each write, on average; 0 before the first.
    #[must_use]
    pub fn frames_per_write(&self) -> f64 {
        if self.writes == 0 {
            return 0.0;
        }
        self.frames_out as f64 / self.writes as f64
    }
}

/// How long something took, to within a factor of two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LatencyStats {
    /// How often it was measured.
    pub count: u64,
    /// Half took at most so long.
    pub p50: Duration,
    /// Ninety-nine of a hundred took at most so long.
    pub p99: Duration,
    /// None took longer.
    pub max: Duration,
}

/// The counters of one connection. One writer at a time: whoever holds the connection.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    frames_in: AtomicU64,
    frames_out: AtomicU64,
    writes: AtomicU64,
    blocked: AtomicU64,
}

impl Counters {
    pub(crate) fn add(&self, tally: &Tally) {
        let add = |counter: &AtomicU64, count: u64| {
            if count > 0 {
                // Relaxed: figures for people, with one writer at a time.
                counter.store(counter.load(Ordering::Relaxed) + count, Ordering::Relaxed);
            }
        };
        add(&self.bytes_in, tally.bytes_in);
        add(&self.bytes_out, tally.bytes_out);
        add(&self.frames_in, tally.frames_in);
        add(&self.frames_out, tally.frames_out);
        add(&self.writes, tally.writes);
        add(&self.blocked, tally.blocked);
    }

    pub(super) fn stats(&self, transport: Transport) -> ConnectionStats {
        // Relaxed: figures for people.
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ConnectionStats {
            transport,
            bytes_in: read(&self.bytes_in),
            bytes_out: read(&self.bytes_out),
            frames_in: read(&self.frames_in),
            frames_out: read(&self.frames_out),
            writes: read(&self.writes),
            blocked: read(&self.blocked),
            unsent: None,
        }
    }
}

/// Counts on their way into counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) frames_in: u64,
    pub(crate) frames_out: u64,
    pub(crate) writes: u64,
    pub(crate) blocked: u64,
}

impl Tally {
    /// One write of so many bytes, that finished so many frames.
    pub(crate) fn wrote(&mut self, bytes: usize, frames: usize) {
        self.writes += 1;
        self.bytes_out += bytes as u64;
        self.frames_out += frames as u64;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.frames_in += other.frames_in;
        self.frames_out += other.frames_out;
        self.writes += other.writes;
        self.blocked += other.blocked;
    }
}

/// The counters of all transports.
#[derive(Debug, Default)]
pub(crate) struct AllTotals([Totals; 3]);

impl AllTotals {
    pub(crate) fn of(&self, transport: Transport) -> &Totals {
        match transport {
            Transport::Other => &self.0[0],
            Transport::Sse => &self.0[1],
            Transport::Ws => &self.0[2],
        }
    }
}

/// The counters of one transport.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    open: AtomicUsize,
    opened: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    frames_in: AtomicU64,
    frames_out: AtomicU64,
    writes: AtomicU64,
    blocked: AtomicU64,
    latency: Histogram,
    closes: Mutex<BTreeMap<u16, u64>>,
}

impl Totals {
    pub(super) fn opened(&self) {
        // Relaxed: figures for people.
        self.open.fetch_add(1, Ordering::Relaxed);
        // Relaxed: as above.
        self.opened.fetch_add(1, Ordering::Relaxed);
    }

    /// Says that one has ended, with this close code; whether none is left.
    pub(super) fn closed(&self, code: u16) {
        *self.closes.lock().entry(code).or_default() += 1;
        // Relaxed: a figure for people.
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn add(&self, tally: &Tally) {
        let add = |counter: &AtomicU64, count: u64| {
            if count > 0 {
                // Relaxed: figures for people.
                counter.fetch_add(count, Ordering::Relaxed);
            }
        };
        add(&self.bytes_in, tally.bytes_in);
        add(&self.bytes_out, tally.bytes_out);
        add(&self.frames_in, tally.frames_in);
        add(&self.frames_out, tally.frames_out);
        add(&self.writes, tally.writes);
        add(&self.blocked, tally.blocked);
    }

    /// Notes how long so many flushes took at most.
    pub(crate) fn flushed(&self, took: Duration, flushes: u64) {
        self.latency.record(took, flushes);
    }

    pub(super) fn stats(&self) -> TransportStats {
        // Relaxed: figures for people.
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        TransportStats {
            // Relaxed: as above.
            open: self.open.load(Ordering::Relaxed),
            opened: read(&self.opened),
            bytes_in: read(&self.bytes_in),
            bytes_out: read(&self.bytes_out),
            frames_in: read(&self.frames_in),
            frames_out: read(&self.frames_out),
            writes: read(&self.writes),
            blocked: read(&self.blocked),
            flush_latency: self.latency.stats(),
            closes: self.closes.lock().iter().map(|(c, n)| (*c, *n)).collect(),
        }
    }
}

/// Durations by the power of two that they are below: 256 ns, 512 ns, and so on.
#[derive(Debug, Default)]
struct Histogram([AtomicU64; Self::BUCKETS]);

impl Histogram {
    /// The last one is for everything from 2^38 ns, over four minutes, up.
    const BUCKETS: usize = 32;

    /// The first one is for everything below 2^8 ns.
    const FIRST: usize = 8;

    fn record(&self, took: Duration, times: u64) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let bucket = (u64::BITS - (nanos >> Self::FIRST).leading_zeros()) as usize;
        // Relaxed: a figure for people.
        self.0[bucket.min(Self::BUCKETS - 1)].fetch_add(times, Ordering::Relaxed);
    }

    fn stats(&self) -> LatencyStats {
        // Relaxed: figures for people.
        let counts = self.0.each_ref().map(|count| count.load(Ordering::Relaxed));
        let count: u64 = counts.iter().sum();
        let at = |share: u64| {
            let rank = (count * share).div_ceil(100);
            let mut seen = 0;
            let bucket = counts.iter().position(|count| {
                seen += count;
                seen >= rank && rank > 0
            });
            bucket.map_or(Duration::ZERO, |bucket| {
                Duration::from_nanos(1 << (bucket + Self::FIRST))
            })
        };
        LatencyStats {
            count,
            p50: at(50),
            p99: at(99),
            max: at(100),
        }
    }
}
