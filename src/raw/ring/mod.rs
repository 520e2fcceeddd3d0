//! A bounded queue of many producers and one consumer, with the wake-up folded in.
//!
//! The bounded array queue of Dmitry Vyukov ("Bounded MPMC queue", 1024cores.net), changed in
//! four ways: slots hold pointers and no stamp, and there are few of them while the consumer keeps
//! up ([`slots`]); the bound is in messages *and* bytes, both kept in one word ([`word`]); that
//! word also says whether the consumer is parked, so that the one compare-exchange of a push learns
//! whether to wake it; and the consumer's part can be taken, for a moment, by a producer that
//! wants to make room ([`role`]).
//!
//! ```text
//!            head ── what the consumer has given back            tail ── next to be claimed
//!              ▼                                                   ▼
//!   ┌─────┬─────┬─────┬─────┬─────┬─────┬─────┬─────┐
//!   │ old │ kept│  A  │  B  │  C  │ ... │     │     │    used = tail − head ≤ limits
//!   └─────┴─────┴─────┴─────┴─────┴─────┴─────┴─────┘
//!                 ▲ read: known to the consumer alone
//! ```
//!
//! # Order
//!
//! Items are taken in the order in which their pushes claimed their positions. Pushes of one
//! thread claim in program order.
//!
//! # Progress
//!
//! A push takes no lock. It retries only because another push, the consumer or a flag changed
//! the tail in between: lock-free. A producer that stops between claiming a position and filling
//! it holds back what was pushed after it to *this* ring, and nothing else. The consumer waits
//! for nobody either, except for a producer that holds its part ([`Ring::steal`]).
//!
//! # Closing
//!
//! After [`Ring::close`] every push is refused; what was accepted before is still taken.
//!
//! # Memory
//!
//! One cache line, the [`Line`], is all that a push or a take touches until more than four items
//! wait at a time; it stands in an [`Arena`] beside those of other rings. What is needed less often
//! is in the [`Ring`], wherever that is: 80 bytes at most on a machine of 64 bits, with a state of
//! 8. When more than four have waited, there are also 8 bytes for each message of the limit,
//! rounded up to a power of two. What many rings hold together is bounded by their [`Budget`].
//!
//! # Invariants
//!
//! 1. `head` ≤ `read` ≤ `tail`, and `tail − head` is within the limits.
//! 2. A position is claimed by the compare-exchange that moves the tail over it, and filled by
//!    that producer alone. It is claimed only when the item that had its slot before was taken.
//! 3. The consumer's part (the head, `read`, the state beside it, and taking slots) belongs to
//!    whom [`role`] says, to one at a time.
//! 4. The waker cell belongs to the consumer while the tail has neither PARKED nor NOTIFYING;
//!    while PARKED it belongs to nobody; whoever clears PARKED sets NOTIFYING, unless it is the
//!    consumer itself, and owns the cell until it clears NOTIFYING.
//! 5. A ring gets a row at most once, while the consumer is not parked. From then on the cell is
//!    not used, and NOTIFYING is not set.
//! 6. While the head has no BESIDE, `read` is where the head is, whatever is noted, and the state
//!    is idle: then the line alone says all about the ring.

mod budget;
mod consume;
mod line;
mod park;
mod role;
mod slots;
mod tap;
mod word;

use std::task::Waker;

use crate::quiet::quietly;
use crate::sync::UnsafeCell;
use crate::sync::atomic::AtomicBool;
use crate::sync::atomic::AtomicU32;
use crate::sync::atomic::Ordering;

use crate::raw::arena::Arena;
use crate::raw::arena::Seat;
use crate::raw::bell::Bell;
#[cfg(all(test, throng_loom))]
use crate::raw::bell::Rings;
use crate::raw::shared::Shared;
use crate::sync::Arc;

pub(crate) use self::budget::Budget;
pub(crate) use self::consume::Beside;
pub(crate) use self::consume::Consume;
pub(crate) use self::consume::Seen;
pub(crate) use self::line::Line;
pub(crate) use self::line::Plain;
pub(crate) use self::park::Park;
pub(crate) use self::role::Receiver;
pub(crate) use self::tap::Ringed;
pub(crate) use self::tap::Tap;
pub(crate) use self::word::Held;
pub(crate) use self::word::MOST_MESSAGES;
pub(crate) use self::word::is_before;

use self::budget::Told;
use self::consume::Local;
use self::role::Limits;
use self::slots::Many;
use self::slots::Shape;
use self::word::Word;

/// How many bytes of a ring's limit an item takes.
pub(crate) trait Weigh {
    /// Always the same for the same item, and at least 1.
    fn weight(&self) -> u64;
}

/// The queue. `S` is a state that goes with the consumer's part.
pub(crate) struct Ring<T, S> {
    /// All that is touched while the consumer keeps up.
    line: Seat<Line<T>>,
    many: Many,
    local: UnsafeCell<Local<S>>,
    /// The most that waited at a time, if that was more than the few.
    high_water: AtomicU32,
    laps: AtomicU32,
    /// Whether the one [`Receiver`] has been given out.
    received: AtomicBool,
    told: Told,
    budget: Option<Arc<Budget>>,
    // Touched only when a consumer that has no row parks or is woken.
    waker: UnsafeCell<Option<Waker>>,
}

/// Where rings have their lines.
pub(crate) type Lines<T> = Arc<Arena<Line<T>>>;

/// Why a push did not happen; the item comes back.
pub(crate) struct Refused<T> {
    pub(crate) item: Shared<T>,
    pub(crate) why: Why,
}

/// Why a push did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Closed,
    Full,
}

impl<T: Weigh, S: Beside> Ring<T, S> {
    /// An empty ring with a line of its own. When `stealable`, producers may
    /// [`steal`](Ring::steal) from the start; else a receiver that has begun must first learn that
    /// somebody wants to.
    ///
    /// # Panics
    ///
    /// When a limit is zero or above [`MOST_MESSAGES`] or `MOST_BYTES`.
    pub(crate) fn new(max_messages: usize, max_bytes: u64, stealable: bool, state: S) -> Self {
        let limits = Limits::new(max_messages, max_bytes);
        Self::at(Seat::alone(Line::new(limits, stealable)), None, state)
    }

    /// [`Ring::new`], with its line beside those of others, and perhaps a budget with them.
    ///
    /// # Panics
    ///
    /// As [`Ring::new`].
    pub(crate) fn new_in(
        lines: &Lines<T>,
        budget: Option<Arc<Budget>>,
        max_messages: usize,
        max_bytes: u64,
        stealable: bool,
        state: S,
    ) -> Self {
        let limits = Limits::new(max_messages, max_bytes);
        let line = Arena::place(lines, Line::new(limits, stealable));
        Self::at(line, budget, state)
    }

    fn at(line: Seat<Line<T>>, budget: Option<Arc<Budget>>, state: S) -> Self {
        Self {
            line,
            many: Many::new(),
            local: UnsafeCell::new(Local::new(state)),
            high_water: AtomicU32::new(0),
            laps: AtomicU32::new(0),
            received: AtomicBool::new(false),
            told: Told::default(),
            budget,
            waker: UnsafeCell::new(None),
        }
    }

    /// Appends `item` and wakes the consumer if it is parked.
    ///
    /// # Errors
    ///
    /// Gives the item back when the ring is closed, or when a limit would be exceeded.
    #[inline]
    pub(crate) fn push(&self, item: Shared<T>) -> Result<(), Refused<T>> {
        // SAFETY: the line is this ring's.
        if unsafe { self.line.put(|| self, item)? } {
            self.notify().inspect(Bell::ring);
        }
        Ok(())
    }

    /// [`Ring::push`] as one of many: if it owes a ring, the ring is added to `rings`.
    ///
    /// # Errors
    ///
    /// As [`Ring::push`].
    #[cfg(all(test, throng_loom))]
    pub(crate) fn push_with(&self, item: Shared<T>, rings: &mut Rings) -> Result<(), Refused<T>> {
        // SAFETY: the line is this ring's.
        if unsafe { self.line.put(|| self, item)? }
            && let Some(bell) = self.notify()
        {
            rings.owe(bell);
        }
        Ok(())
    }

    /// Asks the processor to fetch what a push is going to touch.
    #[cfg(feature = "ws")]
    #[inline(always)]
    pub(crate) fn prefetch(&self) {
        self.line.prefetch();
    }

    /// Notes that something did not fit; forgotten when the receiver has emptied the ring.
    pub(crate) fn note_overflow(&self) {
        // Release: who sees the note sees when it was made.
        self.line.tail.fetch_or(Word::OVERFLOWN, Ordering::Release);
    }

    /// Whether something did not fit since the receiver had last emptied the ring.
    pub(crate) fn is_overflown(&self) -> bool {
        // Acquire: pairs with the Release in `note_overflow`.
        Word(self.line.tail.load(Ordering::Acquire)).has(Word::OVERFLOWN)
    }

    /// The most that waited at a time, as the consumer found it. Exact, since what waits becomes
    /// less only by the consumer, and it looks before it takes.
    pub(crate) fn high_water(&self) -> usize {
        // Relaxed: a figure for people.
        let deep = self.high_water.load(Ordering::Relaxed) as usize;
        // Relaxed: as above.
        deep.max(Word(self.line.head.load(Ordering::Relaxed)).high())
    }

    /// How many items have come and gone again: taken and not kept.
    pub(crate) fn gone(&self) -> u64 {
        loop {
            // Relaxed: a figure for people. A lap that ends meanwhile is looked at again; for the
            // moment between its two stores, the figure is a lap too high.
            let laps = self.laps.load(Ordering::Relaxed);
            // Relaxed: as above.
            let head = Word(self.line.head.load(Ordering::Relaxed));
            // Relaxed: as above.
            if self.laps.load(Ordering::Relaxed) == laps {
                return u64::from(laps) << word::POSITION_BITS | head.position() as u64;
            }
        }
    }

    /// Whether an item of this weight would fit if the ring were empty.
    pub(crate) fn could_hold(&self, weight: u64) -> bool {
        weight <= self.line.role.limits().bytes()
    }

    /// The limits, in messages and in bytes.
    pub(crate) fn limits(&self) -> Held {
        let limits = self.line.role.limits();
        Held {
            messages: limits.messages(),
            bytes: limits.bytes(),
        }
    }

    /// The position behind everything whose push has claimed its own before.
    pub(crate) fn tail_position(&self) -> usize {
        // Relaxed: the caller has pushed what it asks about, or learnt of it from who has.
        Word(self.line.tail.load(Ordering::Relaxed)).position()
    }

    /// Whether half of what may wait waits already.
    pub(crate) fn is_half_full(&self) -> bool {
        let (held, limits) = (self.held(), self.line.role.limits());
        held.messages * 2 > limits.messages() || held.bytes > limits.bytes() / 2
    }

    pub(crate) fn is_closed(&self) -> bool {
        // Acquire: pairs with the Release of `raise`; what the closer did before is visible.
        Word(self.line.tail.load(Ordering::Acquire)).has(Word::CLOSED)
    }

    /// Refuses every push from now on and wakes the consumer. Says whether it was open.
    pub(crate) fn close(&self) -> bool {
        !self.raise(Word::CLOSED).has(Word::CLOSED)
    }

    /// Makes the consumer look beside the ring: its next turn [says so](Consume::is_called).
    pub(crate) fn call(&self) {
        self.raise(Word::CALLED);
    }

    /// Sets a flag of the tail, wakes the consumer if it is parked, and returns the old tail.
    fn raise(&self, flag: u64) -> Word {
        // Relaxed: only a guess, as in `push`.
        let mut tail = Word(self.line.tail.load(Ordering::Relaxed));
        loop {
            let next = if tail.has(Word::PARKED) {
                self.line.waking(tail)
            } else {
                tail
            }
            .with(flag);
            // AcqRel: Acquire for the waker, as in `push`; Release so that whoever sees the flag
            // sees what was done before it was raised.
            // Relaxed (on failure): again only a guess.
            let set = self.line.tail.compare_exchange_weak(
                tail.0,
                next.0,
                Ordering::AcqRel,
                Ordering::Relaxed,
            );
            match set {
                Ok(_) => break,
                Err(now) => tail = Word(now),
            }
        }
        if tail.has(Word::PARKED) {
            self.notify().inspect(Bell::ring);
        }
        tail
    }
}

/// How often a look at both ends is repeated while the head moves.
const GLANCES: usize = 4;

impl<T, S> Ring<T, S> {
    /// How much waits, as the limits count it; never more than they allow.
    pub(crate) fn held(&self) -> Held {
        let mut held = Held::default();
        for _ in 0..GLANCES {
            // Acquire: the tail below is not read before this head.
            let head = self.line.head.load(Ordering::Acquire);
            // Acquire: the head below is not read before this tail.
            let tail = Word(self.line.tail.load(Ordering::Acquire));
            held = tail.since(Word(head));
            // Relaxed: if it has not moved, both were true when the tail was read.
            if self.line.head.load(Ordering::Relaxed) == head {
                break;
            }
        }
        // Of a head that moves all the time nothing better is known than the limits.
        let limits = self.line.role.limits();
        Held {
            messages: held.messages.min(limits.messages()),
            bytes: held.bytes.min(limits.bytes()),
        }
    }

    /// Puts an item into the many.
    ///
    /// # Safety
    ///
    /// The caller has claimed `position` in the many.
    #[inline(never)]
    unsafe fn put_deep(&self, position: usize, item: Shared<T>) {
        // SAFETY: the caller's promise, and the ring's one shape.
        unsafe { self.many.put(self.shape(), position, item) };
    }

    /// How many slots the many are.
    fn shape(&self) -> Shape {
        Shape::of(self.line.role.limits().messages())
    }

    /// Keeps the figures of a turn that found so many waiting; perhaps the positions begin again.
    #[inline(never)]
    fn count(&self, waited: usize, wrapped: bool) {
        // Relaxed: figures for people, written by whoever has the consumer's part.
        if waited > self.high_water.load(Ordering::Relaxed) as usize {
            #[expect(clippy::cast_possible_truncation, reason = "within the message limit")]
            // Relaxed: as above.
            self.high_water.store(waited as u32, Ordering::Relaxed);
        }
        if wrapped {
            // Relaxed: as above.
            let lap = self.laps.load(Ordering::Relaxed).wrapping_add(1);
            // Relaxed: as above.
            self.laps.store(lap, Ordering::Relaxed);
        }
    }
}

impl<T, S> Drop for Ring<T, S> {
    fn drop(&mut self) {
        // Relaxed: `&mut self` is handed over by whatever made it exclusive.
        let tail = Word(self.line.tail.load(Ordering::Relaxed));
        // Relaxed: as above.
        let mut read = Word(self.line.head.load(Ordering::Relaxed));
        if read.has(Word::BESIDE) {
            // SAFETY: `&mut self`, so nobody has the consumer's part.
            read = self.local.with(|local| unsafe { (*local).read });
        }
        while read.position() != tail.position() {
            // SAFETY: every producer has finished, and the consumer got no further than `read`.
            let item = unsafe { self.line.take(|| &*self, read.position(), tail) };
            drop(item);
            read = read.forward(1, 0);
        }
        self.many.free(self.shape());
        self.tell_gone();
        // SAFETY: `&mut self`, so the cell is nobody else's.
        let waker = self.waker.with_mut(|cell| unsafe { (*cell).take() });
        // The last owner of the ring may be in the middle of a channel.
        let _dropped = quietly(|| drop(waker));
    }
}

// SAFETY:
// - `T: Send + Sync`, for items are shared owners that leave on another thread than they came.
// - `S: Send`, for whoever has the consumer's part uses it by `&mut`, on any thread. `S: Sync` is
//   not needed: it is never shared.
unsafe impl<T: Send + Sync, S: Send> Sync for Ring<T, S> {}

// SAFETY: as for `Sync`: owning the ring is owning its items and its state.
unsafe impl<T: Send + Sync, S: Send> Send for Ring<T, S> {}

#[cfg(all(test, throng_loom))]
mod model;
#[cfg(all(test, not(throng_loom)))]
mod tests;
