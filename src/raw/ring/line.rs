//! The one cache line of a ring that is touched while its consumer keeps up.

use std::marker::PhantomData;

use crate::raw::bell::RowCell;
use crate::raw::prefetch::prefetch;
use crate::raw::prefetch::prefetch_at;
use crate::raw::ring::Beside;
use crate::raw::ring::Receiver;
use crate::raw::ring::Refused;
use crate::raw::ring::Ring;
use crate::raw::ring::Seen;
use crate::raw::ring::Weigh;
use crate::raw::ring::Why;
use crate::raw::ring::role::Limits;
use crate::raw::ring::role::Role;
use crate::raw::ring::slots::FEW;
use crate::raw::ring::slots::Few;
use crate::raw::ring::word::Word;
use crate::raw::shared::Shared;
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering;
use crate::sync::atomic::fence;

/// What came of a plain take.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Plain {
    /// So many items were taken.
    Took(usize),
    /// Nothing is there, in the ring or beside it, and nobody has called or closed: what was seen,
    /// for parking.
    Idle(Seen),
    /// A turn has to be begun to know.
    Look,
}

/// What a push, or a plain take, touches.
///
/// ```text
///   0       8       16          24       32       40       48       56       64
///  ┌───────┬───────┬───────────┬────────┬────────┬────────┬────────┬────────┐
///  │ tail  │ head  │ role,     │ row    │ slot 0 │ slot 1 │ slot 2 │ slot 3 │
///  │       │       │ limits    │        │        │        │        │        │
///  └───────┴───────┴───────────┴────────┴────────┴────────┴────────┴────────┘
/// ```
///
/// Producers and consumer share it on purpose: an outbox is served by one of them at a time, and
/// with many outboxes the number of lines counts, not who had them last.
#[repr(C)]
#[cfg_attr(not(throng_loom), repr(align(64)))]
pub(crate) struct Line<T> {
    pub(super) tail: AtomicU64,
    pub(super) head: AtomicU64,
    pub(super) role: Role,
    /// The row that is woken, of a consumer that has one.
    pub(super) row: RowCell,
    pub(super) few: Few,
    _items: PhantomData<Shared<T>>,
}

impl<T> Line<T> {
    pub(super) fn new(limits: Limits, stealable: bool) -> Self {
        Self {
            tail: AtomicU64::new(0),
            head: AtomicU64::new(0),
            role: Role::new(limits, stealable),
            row: RowCell::default(),
            few: Few::new(),
            _items: PhantomData,
        }
    }

    #[inline(always)]
    pub(super) fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// The word of a producer that is going to [`notify`](Ring::notify) the parked consumer: with
    /// NOTIFYING if it has to take a waker out of the cell.
    pub(super) fn waking(&self, parked: Word) -> Word {
        // Acquire: pairs with the Release in `try_park`: a producer that has seen PARKED sees
        // whether there is a row.
        fence(Ordering::Acquire);
        let awake = parked.without(Word::PARKED);
        if self.row.is_set() {
            awake
        } else {
            awake.with(Word::NOTIFYING)
        }
    }

    /// Returns the mark of the bell that the consumer is woken by, or 0.
    #[inline(always)]
    pub(super) fn mark(&self) -> u64 {
        // Without transports there are no rows, and nothing to look for.
        if cfg!(feature = "ws") {
            self.row.mark()
        } else {
            0
        }
    }

    /// Asks the processor to fetch what a push is going to touch.
    #[inline(always)]
    pub(super) fn prefetch(&self) {
        prefetch(self, 1);
    }

    /// Takes the item of `position`, unless its producer has not finished.
    ///
    /// # Safety
    ///
    /// The line is that of `ring`. The caller has the consumer's part, `position` is before
    /// `tail`, a tail seen in this turn, and has not been taken, and all before it have.
    #[inline(always)]
    pub(super) unsafe fn take<'a, S: 'a>(
        &self,
        ring: impl FnOnce() -> &'a Ring<T, S>,
        position: usize,
        tail: Word,
    ) -> Option<Shared<T>>
    where
        T: 'a,
    {
        // SAFETY: the caller's promise.
        let item = unsafe { self.few.take(position) };
        if item.is_some() || !tail.has(Word::DEEP) {
            return item;
        }
        // What is not in the few is in the many, or not yet put anywhere.
        let ring = ring();
        // SAFETY: the caller's promise, and the ring's one shape.
        unsafe { ring.many.take(ring.shape(), position) }
    }
}

impl<T: Weigh> Line<T> {
    /// Appends `item`; asks for the ring only when more than the line is needed. `true` if the
    /// consumer was parked, and has to be [notified](Ring::notify).
    ///
    /// # Safety
    ///
    /// The line is that of `ring`.
    #[inline(always)]
    pub(super) unsafe fn put<'a, S: 'a>(
        &self,
        ring: impl Fn() -> &'a Ring<T, S>,
        item: Shared<T>,
    ) -> Result<bool, Refused<T>>
    where
        T: 'a,
    {
        let weight = item.weight();
        let limits = self.role.limits();
        // Relaxed: only a guess; the compare-exchange below settles it.
        let mut tail = Word(self.tail.load(Ordering::Relaxed));
        let claimed = loop {
            if tail.has(Word::CLOSED) {
                let why = Why::Closed;
                return Err(Refused { item, why });
            }
            // Acquire: pairs with the Release in `Consume::drop` and `take_plainly`; the slots
            // before this head have been read for the last time (invariant 2).
            let head = Word(self.head.load(Ordering::Acquire));
            let held = tail.since(head);
            let lags = held.messages >= FEW;
            if !limits.admit(held, weight) || lags && !ring().affords(held, weight) {
                // Relaxed: the tail alone is of interest. If it has not moved since before the
                // head was read, both were true at once, and the ring is full.
                let again = Word(self.tail.load(Ordering::Relaxed));
                if again == tail {
                    let why = Why::Full;
                    return Err(Refused { item, why });
                }
                tail = again;
                continue;
            }
            let mut next = tail.forward(1, weight);
            if lags {
                next = next.with(Word::DEEP);
            }
            if next.has(Word::PARKED) {
                next = self.waking(next);
            }
            // AcqRel: Acquire pairs with the Release in `Ring::park`; whoever clears PARKED sees
            // the waker. Release pairs with the Acquire in `Ring::held`: who sees this tail sees
            // the head that left room for it. The item is published by its slot, not by this word.
            // Relaxed (on failure): again only a guess.
            let claim = self.tail.compare_exchange_weak(
                tail.0,
                next.0,
                Ordering::AcqRel,
                Ordering::Relaxed,
            );
            match claim {
                Ok(_) => break next,
                Err(now) => tail = Word(now),
            }
        };
        let position = tail.position();
        if claimed.has(Word::DEEP) {
            // SAFETY: the compare-exchange claimed this position in the many (invariant 2).
            unsafe { ring().put_deep(position, item) };
            ring().tell();
        } else {
            // SAFETY: the compare-exchange claimed this position in the few (invariant 2).
            unsafe { self.few.put(position, item) };
        }
        Ok(tail.has(Word::PARKED))
    }

    /// [`Ring::take_plainly`], which asks for the ring only when more than the line is needed.
    ///
    /// # Safety
    ///
    /// The line is that of `ring`.
    #[inline(always)]
    pub(super) unsafe fn take_plainly<'a, S: Beside + 'a>(
        &self,
        ring: impl Fn() -> &'a Ring<T, S>,
        receiver: &mut Receiver,
        max: usize,
        mut put: impl FnMut(Shared<T>),
    ) -> Plain
    where
        T: 'a,
    {
        receiver.check(self.address());
        let Some(turn) = self.role.begin() else {
            return Plain::Look;
        };
        // Acquire: pairs with the Release of `raise`; a flag's cause is visible with it. It comes
        // after the turn has begun, so the head is not ahead of this tail.
        let tail = Word(self.tail.load(Ordering::Acquire));
        // Relaxed: the head is written by whoever has the consumer's part, now this turn.
        let was = Word(self.head.load(Ordering::Relaxed));
        let mut most = tail.since(was).messages.min(max);
        if tail.has(Word::CALLED) || was.has(Word::BESIDE) {
            most = 0;
        }
        let mut head = was;
        for _ in 0..most {
            // SAFETY: this turn has the consumer's part (invariant 3), and takes in order.
            let item = unsafe { self.take(&ring, head.position(), tail) };
            let Some(item) = item else { break };
            head = head.forward(1, item.weight());
            put(item);
        }
        let taken = head.since(was).messages;
        if taken > 0 {
            if tail.has(Word::DEEP | Word::OVERFLOWN) && head.position() == tail.position() {
                self.surface(self.forget_overflow(tail));
            }
            let head = self.count(&ring, tail, was, head);
            // Release: pairs with the Acquire in `push`; the slots before it are read for the
            // last time.
            self.head.store(head.0, Ordering::Release);
            if tail.has(Word::DEEP) {
                ring().tell();
            }
        }
        self.role.end(turn);
        if taken > 0 {
            Plain::Took(taken)
        } else if tail.is_quiet() && !was.has(Word::BESIDE) && tail.position() == was.position() {
            let drained = true;
            Plain::Idle(Seen { tail, drained })
        } else {
            Plain::Look
        }
    }

    /// Asks the processor to fetch the line that stands behind this one, which in an arena is
    /// often the one of a client that came a little later, and is served a little later.
    #[inline(always)]
    pub(super) fn prefetch_neighbour(&self) {
        let neighbour = std::ptr::from_ref(self).wrapping_add(1);
        prefetch_at(neighbour.cast());
    }

    /// Goes back to the few slots if the ring is deep; called by whoever has the consumer's part
    /// and has taken all before `tail`. Returns the tail as it is then, or was.
    #[inline(always)]
    pub(super) fn surface(&self, tail: Word) -> Word {
        if !tail.has(Word::DEEP) {
            return tail;
        }
        let shallow = tail.without(Word::DEEP);
        // Relaxed: nothing is published. A producer puts an item into one of the few only after
        // it has seen, by the head, that the slot was emptied.
        // Relaxed (on failure): something was pushed or raised; the ring stays deep for now.
        let (won, lost) = (Ordering::Relaxed, Ordering::Relaxed);
        let surfaced = self.tail.compare_exchange(tail.0, shallow.0, won, lost);
        if surfaced.is_ok() { shallow } else { tail }
    }

    /// Forgets that something did not fit, as the receiver leaves nothing.
    #[inline(always)]
    pub(super) fn forget_overflow(&self, tail: Word) -> Word {
        if tail.has(Word::OVERFLOWN) {
            // Relaxed: see `Ring::note_overflow`.
            self.tail.fetch_and(!Word::OVERFLOWN, Ordering::Relaxed);
        }
        tail.without(Word::OVERFLOWN)
    }

    /// Keeps the figures of a turn that began at `was`, before the head moves on to `head`;
    /// returns the head to store.
    #[inline(always)]
    pub(super) fn count<'a, S: 'a>(
        &self,
        ring: impl FnOnce() -> &'a Ring<T, S>,
        tail: Word,
        was: Word,
        head: Word,
    ) -> Word
    where
        T: 'a,
    {
        let waited = tail.since(was).messages;
        let wrapped = head.position() < was.position();
        if waited > FEW || wrapped {
            ring().count(waited, wrapped);
            return head;
        }
        if waited > head.high() {
            head.with_high(waited)
        } else {
            head
        }
    }
}
