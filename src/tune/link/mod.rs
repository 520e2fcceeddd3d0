//! A link and the socket in front of it, in virtual time.
//!
//! ```text
//!   outbox ──▶ kernel: unsent │ in flight ──▶ link (bytes/s, or down) ──▶ the client, rtt/2 later
//!                   ▲ mark    │ window
//! ```
//!
//! What the link has carried is acknowledged a few segments at a time; so much is sent anew then.
//! The kernel takes a message while less than the mark is unsent, so it may exceed the mark by one
//! message, and takes more when half of the mark is sent, as Linux does. Without a mark it takes 4
//! MB, and more when a third of that is free.
//!
//! Arithmetic is exact, in bytes times nanoseconds, so that how often a socket is looked at does
//! not change what the link carries.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use crate::tune::rng::Rng;
use crate::tune::scenario::ClientClass;
use crate::tune::scenario::Cycle;
use crate::tune::units::whole;

/// What a link carries over time: pieces of a constant rate.
#[derive(Clone, Debug)]
pub(super) struct Link {
    /// Each piece ends where the next one begins; the last one lasts for ever.
    pieces: Vec<Piece>,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    from: u64,
    /// Bytes a second.
    rate: u64,
}

impl Link {
    /// Creates the link of one client of a class, with its interruptions up to `horizon`.
    pub(super) fn of(class: &ClientClass, horizon: u64, rng: &mut Rng) -> Self {
        let mut downs = Vec::new();
        for cycle in class.stall.iter().chain(&class.sleep) {
            interruptions(cycle, horizon, rng, &mut downs);
        }
        downs.sort_unstable();
        let mut pieces = Vec::new();
        let mut up_from = 0;
        for (from, to) in downs {
            if from > up_from || pieces.is_empty() {
                let rate = class.bandwidth;
                pieces.push(Piece {
                    from: up_from,
                    rate,
                });
                pieces.push(Piece { from, rate: 0 });
            }
            up_from = up_from.max(to);
        }
        pieces.push(Piece {
            from: up_from,
            rate: class.bandwidth,
        });
        Self { pieces }
    }

    /// Creates a link from what it carried: from each time on so many bytes a second, and `rest`
    /// where there is none.
    pub(super) fn traced(pieces: &[(u64, u64)], rest: u64) -> Self {
        let piece = |&(from, rate): &(u64, u64)| Piece { from, rate };
        let mut pieces: Vec<Piece> = pieces.iter().map(piece).collect();
        if pieces.first().is_none_or(|first| first.from > 0) {
            pieces.insert(
                0,
                Piece {
                    from: 0,
                    rate: rest,
                },
            );
        }
        Self { pieces }
    }

    /// Returns `true` if the link carries something at this time.
    pub(super) fn is_up(&self, at: u64) -> bool {
        self.pieces[self.piece(at)].rate > 0
    }

    /// Returns the bytes that the link carries between two times.
    pub(super) fn carries(&self, from: u64, to: u64) -> u64 {
        let mut carried = 0_u128;
        let first = self.piece(from);
        for (at, piece) in self.pieces.iter().enumerate().skip(first) {
            let end = self.pieces.get(at + 1).map_or(to, |next| next.from.min(to));
            let begin = piece.from.max(from);
            if begin >= to {
                break;
            }
            carried += u128::from(end.saturating_sub(begin)) * u128::from(piece.rate);
        }
        u64::try_from(carried / u128::from(SECOND)).unwrap_or(u64::MAX)
    }

    /// Returns the next time from `at` on at which the link carries something.
    pub(super) fn up_from(&self, at: u64) -> u64 {
        let rest = &self.pieces[self.piece(at)..];
        let up = rest.iter().find(|piece| piece.rate > 0);
        up.map_or(NEVER, |piece| piece.from.max(at))
    }

    fn piece(&self, at: u64) -> usize {
        self.pieces
            .partition_point(|piece| piece.from <= at)
            .saturating_sub(1)
    }
}

fn interruptions(cycle: &Cycle, horizon: u64, rng: &mut Rng, downs: &mut Vec<(u64, u64)>) {
    let (every, lasts) = (cycle.every.as_nanos() as f64, cycle.lasts.as_nanos() as f64);
    let mut at = whole(rng.exponential(every));
    while at < horizon {
        let to = at + whole(lasts * rng.between(0.5, 1.5));
        downs.push((at, to));
        at = to + whole(rng.exponential(every));
    }
}

/// Something on its way to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// A message, by its place among the arrivals.
    Message(u32),
    /// A ping.
    Ping,
    /// What a client had not taken when it was first seen.
    Rest,
}

/// How much the kernel takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kernel {
    /// It takes something while less than this is unsent, in bytes.
    full: u64,
    /// It takes something again when no more than this is unsent.
    again: u64,
    /// Bytes that are sent and not acknowledged, at most.
    window: u64,
    /// Bytes that are acknowledged at a time.
    grain: u64,
}

impl Kernel {
    /// Creates the kernel's side of a connection with this unsent mark, 0 for none; with so many
    /// bytes in flight, acknowledged in such pieces.
    pub(super) fn new(mark: u32, window: u64, grain: u64) -> Self {
        let (full, again) = match u64::from(mark) {
            0 => (
                BUFFER.saturating_sub(window),
                (BUFFER / 3 * 2).saturating_sub(window),
            ),
            mark => (mark, mark / 2),
        };
        Self {
            full,
            again,
            window,
            grain,
        }
    }
}

/// What is written to one socket.
#[derive(Debug)]
pub(super) struct Socket {
    kernel: Kernel,
    /// Bytes that the kernel has taken.
    written: u64,
    /// Bytes that the link has carried, times [`SECOND`].
    carried: u128,
    /// When that was.
    at: u64,
    /// The piece of the link at that time.
    piece: usize,
    /// Half of a round trip.
    latency: u64,
    /// What the link has not carried yet, each with the byte after its last.
    queue: VecDeque<(u64, Item)>,
    /// What the link has carried, each with the time at which the client has it.
    air: VecDeque<(u64, Item)>,
    is_full: bool,
}

impl Socket {
    pub(super) fn new(kernel: Kernel, latency: u64, at: u64, link: &Link) -> Self {
        Self {
            kernel,
            written: 0,
            carried: 0,
            at,
            piece: link.piece(at),
            latency,
            queue: VecDeque::new(),
            air: VecDeque::new(),
            is_full: false,
        }
    }

    /// Moves on to `now`, and reports what the client has got by then, with the time.
    pub(super) fn advance(&mut self, link: &Link, now: u64, mut got: impl FnMut(Item, u64)) {
        while self.at < now {
            if self.queue.is_empty() {
                self.at = now;
                self.piece = link.piece(now).max(self.piece);
                break;
            }
            let (end, item) = self.queue[0];
            let left = u128::from(end) * u128::from(SECOND) - self.carried;
            let (until, rate) = self.span(link, now);
            let could = u128::from(until - self.at) * u128::from(rate);
            if could < left {
                self.carried += could;
                self.at = until;
                self.next_piece(link);
                continue;
            }
            // `could` reaches `left`, so the rate is not 0, and the time fits.
            let took = u64::try_from(left.div_ceil(u128::from(rate))).unwrap_or(u64::MAX);
            self.carried += u128::from(took) * u128::from(rate);
            self.at += took;
            self.next_piece(link);
            self.queue.pop_front();
            self.air.push_back((self.at + self.latency, item));
            self.cut();
        }
        while let Some((at, item)) = self.air.front().copied().filter(|(at, _)| *at <= now) {
            self.air.pop_front();
            got(item, at);
        }
    }

    /// Nothing is carried that was not written.
    fn cut(&mut self) {
        self.carried = self
            .carried
            .min(u128::from(self.written) * u128::from(SECOND));
    }

    /// The time up to which the rate is what it is, at most `now`, and the rate.
    fn span(&self, link: &Link, now: u64) -> (u64, u64) {
        let next = link.pieces.get(self.piece + 1);
        let until = next.map_or(now, |piece| piece.from.min(now));
        (until, link.pieces[self.piece].rate)
    }

    fn next_piece(&mut self, link: &Link) {
        let next = link.pieces.get(self.piece + 1);
        if next.is_some_and(|piece| piece.from <= self.at) {
            self.piece += 1;
        }
    }

    /// Returns `true` if the kernel takes nothing now.
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Messages on their way.
    pub(super) fn on_its_way(&self) -> usize {
        let items = self.queue.iter().chain(&self.air);
        items
            .filter(|(_, item)| matches!(item, Item::Message(_)))
            .count()
    }

    /// Bytes that the kernel holds and has not sent.
    pub(super) fn unsent(&self) -> u64 {
        let acknowledged = match self.written - self.held() {
            all if all == self.written => all,
            carried => carried / self.kernel.grain * self.kernel.grain,
        };
        (self.written - acknowledged).saturating_sub(self.kernel.window)
    }

    /// Bytes that the kernel holds, those in flight included.
    pub(super) fn held(&self) -> u64 {
        self.written - u64::try_from(self.carried / u128::from(SECOND)).unwrap_or(u64::MAX)
    }

    /// Writes an item; only while the socket is not full.
    pub(super) fn write(&mut self, item: Item, bytes: u64) {
        if self.queue.is_empty() {
            // What the link could have carried meanwhile is not saved up.
            self.carried = u128::from(self.written) * u128::from(SECOND);
        }
        self.written += bytes;
        self.queue.push_back((self.written, item));
        self.is_full = self.unsent() >= self.kernel.full;
    }

    /// Takes more again, if enough was sent.
    pub(super) fn look_again(&mut self) {
        if self.unsent() <= self.kernel.again {
            self.is_full = false;
        }
    }

    /// Returns when the kernel takes more.
    pub(super) fn writable_at(&self, link: &Link) -> u64 {
        let kernel = &self.kernel;
        let acknowledged = self.written.saturating_sub(kernel.again + kernel.window);
        let carried = acknowledged.div_ceil(kernel.grain) * kernel.grain;
        self.when(link, self.written.saturating_sub(carried))
    }

    /// Returns when the client has everything.
    pub(super) fn drained_at(&self, link: &Link) -> u64 {
        self.when(link, 0).saturating_add(self.latency)
    }

    /// Returns when no more than `level` bytes are held.
    fn when(&self, link: &Link, level: u64) -> u64 {
        let target = u128::from(self.written.saturating_sub(level)) * u128::from(SECOND);
        let mut left = target.saturating_sub(self.carried);
        let (mut at, mut piece) = (self.at, self.piece);
        while left > 0 {
            let rate = u128::from(link.pieces[piece].rate);
            let next = link.pieces.get(piece + 1);
            let could = next.map_or(u128::MAX, |next| {
                u128::from(next.from.saturating_sub(at)) * rate
            });
            if left <= could {
                if rate == 0 {
                    return NEVER;
                }
                let took = u64::try_from(left.div_ceil(rate)).unwrap_or(NEVER);
                return at.saturating_add(took);
            }
            left -= could;
            piece += 1;
            at = link.pieces[piece].from;
        }
        at
    }
}

/// Nanoseconds in a second.
pub(super) const SECOND: u64 = 1_000_000_000;

/// Later than any time.
pub(super) const NEVER: u64 = u64::MAX;

/// What the kernel takes without a mark: the largest send buffer of Linux as it is shipped, less
/// what its bookkeeping takes.
const BUFFER: u64 = 3_900_000;
