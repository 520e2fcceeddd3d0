//! Taking from a ring: the consumer's turn.

use crate::raw::ring::Receiver;
use crate::raw::ring::Ring;
use crate::raw::ring::Weigh;
use crate::raw::ring::role::Theft;
use crate::raw::ring::role::Turn;
use crate::raw::ring::word::Word;
use crate::raw::shared::Shared;
use crate::sync::atomic::Ordering;

/// What belongs to whoever has the consumer's part, besides the head.
#[repr(C)]
pub(super) struct Local<S> {
    /// The end of what was taken. The head is behind it by what is kept.
    pub(super) read: Word,
    state: S,
}

impl<S> Local<S> {
    pub(super) fn new(state: S) -> Self {
        Self {
            read: Word(0),
            state,
        }
    }
}

impl<T: Weigh, S> Ring<T, S> {
    /// The one receiver of this ring.
    ///
    /// The ring must not move while it is used, or the receiver stops working.
    pub(crate) fn receiver(&self) -> Option<Receiver> {
        Receiver::claim(&self.role, self.address())
    }

    /// Takes the call down, before acting on it.
    pub(crate) fn answer(&self) {
        // Acquire: pairs with the Release of `raise`: what was called for is visible. A call that
        // comes later raises the flag again.
        self.tail.fetch_and(!Word::CALLED, Ordering::Acquire);
    }

    /// Begins the receiver's turn. `None` while a thief is in the middle of one.
    #[inline(always)]
    #[expect(clippy::needless_pass_by_ref_mut, reason = "one turn at a time")]
    pub(crate) fn consume<'a>(&'a self, receiver: &'a mut Receiver) -> Option<Consume<'a, T, S>> {
        receiver.check(self.address());
        self.role.begin().map(|turn| self.turn(turn))
    }

    /// Takes what is there, at most `max` items, if that needs no more than taking: nobody called,
    /// nothing is kept, and the state is `idle`. Else takes nothing, and a
    /// [turn](Ring::consume) has to be begun. Returns how many were taken.
    ///
    /// `put` must not panic, or the ring is stuck.
    #[inline(always)]
    pub(crate) fn take_plainly(
        &self,
        receiver: &mut Receiver,
        max: usize,
        idle: impl FnOnce(&S) -> bool,
        mut put: impl FnMut(Shared<T>),
    ) -> usize {
        let Some(mut turn) = self.consume(receiver) else {
            return 0;
        };
        let (tail, was) = (turn.tail, turn.head);
        let most = tail.since(was).messages.min(max);
        if most == 0 || tail.has(Word::CALLED) {
            return 0;
        }
        if !turn.with(|_, local| local.read == was && idle(&local.state)) {
            return 0;
        }
        let mut head = was;
        for _ in 0..most {
            // SAFETY: this turn has the consumer's part (invariant 3), and takes in order.
            let item: Option<Shared<T>> = unsafe { self.take(head.position(), tail) };
            let Some(item) = item else { break };
            head = head.forward(1, item.weight());
            put(item);
        }
        turn.with(|_, local| local.read = head);
        turn.head = head;
        turn.forget_overflow();
        drop(turn);
        head.since(was).messages
    }

    /// Begins a turn in the consumer's place. `None` while it can't be had; the receiver learns
    /// that somebody wanted to.
    pub(crate) fn steal(&self) -> Option<Consume<'_, T, S>> {
        match self.role.steal() {
            Theft::Held => Some(self.turn(Turn::Shared)),
            Theft::Asked => {
                self.call();
                None
            }
            Theft::Busy => None,
        }
    }

    #[inline(always)]
    fn turn(&self, turn: Turn) -> Consume<'_, T, S> {
        // Acquire: pairs with the Release of `raise`; a flag's cause is visible with it. It comes
        // after the turn has begun, so `read` is not ahead of this tail.
        let tail = Word(self.tail.load(Ordering::Acquire));
        // Relaxed: the head is written by whoever has the consumer's part, now this turn.
        let head = Word(self.head.load(Ordering::Relaxed));
        Consume {
            ring: self,
            turn,
            tail,
            head,
            was: head,
        }
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

/// A turn as the consumer; one at a time. What was taken is given back to the limits at its end.
pub(crate) struct Consume<'a, T: Weigh, S> {
    ring: &'a Ring<T, S>,
    turn: Turn,
    /// The tail when the turn began: it takes nothing that was pushed later.
    tail: Word,
    /// The head as it will be when the turn ends.
    head: Word,
    /// The head when the turn began.
    was: Word,
}

/// What a turn saw, for parking after it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(super) tail: Word,
    pub(super) drained: bool,
}

impl<T: Weigh, S> Consume<'_, T, S> {
    /// Somebody [called](Ring::call) before this turn and was not answered.
    #[inline(always)]
    pub(crate) fn is_called(&self) -> bool {
        self.tail.has(Word::CALLED)
    }

    /// The ring was closed before this turn.
    pub(crate) fn is_closed(&self) -> bool {
        self.tail.has(Word::CLOSED)
    }

    /// The next item that was pushed before this turn, unless its producer has not finished.
    #[inline(always)]
    pub(crate) fn pop(&mut self) -> Option<Shared<T>> {
        let tail = self.tail;
        let (item, weight) = self.with(|ring, local| {
            let position = local.read.position();
            if position == tail.position() {
                return None;
            }
            // SAFETY: this turn has the consumer's part (invariant 3), and `read` moves on below.
            let item: Shared<T> = unsafe { ring.take(position, tail) }?;
            let weight = item.weight();
            local.read = local.read.forward(1, weight);
            Some((item, weight))
        })?;
        self.head = self.head.forward(1, weight);
        Some(item)
    }

    /// Whether all that was pushed before this turn has been taken.
    pub(crate) fn is_drained(&mut self) -> bool {
        let end = self.tail.position();
        self.with(|_, local| local.read.position() == end)
    }

    /// Ends the turn and says what it saw.
    pub(crate) fn finish(mut self) -> Seen {
        let drained = self.is_drained();
        self.surface();
        Seen {
            tail: self.tail,
            drained,
        }
    }

    /// Goes back to the few slots if the ring is deep and empty.
    #[inline(always)]
    fn surface(&mut self) {
        if !self.tail.has(Word::DEEP) || !self.is_drained() {
            return;
        }
        let shallow = self.tail.without(Word::DEEP);
        // Relaxed: nothing is published. A producer puts an item into one of the few only after
        // it has seen, by the head, that the slot was emptied.
        // Relaxed (on failure): something was pushed or raised; the ring stays deep for now.
        let (won, lost) = (Ordering::Relaxed, Ordering::Relaxed);
        let surfaced = self
            .ring
            .tail
            .compare_exchange(self.tail.0, shallow.0, won, lost);
        if surfaced.is_ok() {
            self.tail = shallow;
        }
    }

    /// Forgets that something did not fit, if this turn, the receiver's, leaves nothing.
    #[inline(always)]
    pub(crate) fn forget_overflow(&self) {
        if self.ring.is_overflown() && self.head.position() == self.tail.position() {
            // Relaxed: see `Ring::note_overflow`.
            self.ring.overflown.store(false, Ordering::Relaxed);
        }
    }

    /// Lets an item that was taken count on, for it is kept.
    pub(crate) fn keep(&mut self, weight: u64) {
        self.head = self.head.back(1, weight);
    }

    /// Lets a kept item no longer count.
    pub(crate) fn settle(&mut self, weight: u64) {
        self.head = self.head.forward(1, weight);
    }

    /// Whether `weight` more would fit if this turn ended now.
    pub(crate) fn would_admit(&self, weight: u64) -> bool {
        // Relaxed: an estimate; the push that follows decides.
        let tail = Word(self.ring.tail.load(Ordering::Relaxed));
        let held = tail.since(self.head);
        held.messages < self.ring.max_messages as usize
            && held.bytes + weight <= self.ring.max_bytes
    }

    /// The state that goes with the consumer's part.
    #[inline(always)]
    pub(crate) fn state<R>(&mut self, f: impl FnOnce(&mut S) -> R) -> R {
        self.with(|_, local| f(&mut local.state))
    }

    /// Keeps the figures, before the head moves on.
    #[inline(always)]
    fn count(&self) {
        let Ring {
            high_water, laps, ..
        } = self.ring;
        let waited = self.tail.since(self.was).messages;
        // Relaxed: figures for people, written by whoever has the consumer's part.
        if waited > high_water.load(Ordering::Relaxed) as usize {
            #[expect(clippy::cast_possible_truncation, reason = "within the message limit")]
            // Relaxed: as above.
            high_water.store(waited as u32, Ordering::Relaxed);
        }
        if self.head.position() < self.was.position() {
            // Relaxed: as above.
            let lap = laps.load(Ordering::Relaxed).wrapping_add(1);
            // Relaxed: as above.
            laps.store(lap, Ordering::Relaxed);
        }
    }

    #[inline(always)]
    #[expect(clippy::needless_pass_by_ref_mut, reason = "`f` gets a `&mut`")]
    fn with<R>(&mut self, f: impl FnOnce(&Ring<T, S>, &mut Local<S>) -> R) -> R {
        // SAFETY: this turn has the consumer's part (invariant 3), and `&mut self` keeps `f` from
        // being entered twice.
        self.ring
            .local
            .with_mut(|local| f(self.ring, unsafe { &mut *local }))
    }
}

impl<T: Weigh, S> Drop for Consume<'_, T, S> {
    #[inline(always)]
    fn drop(&mut self) {
        self.surface();
        if self.head != self.was {
            self.count();
            // Release: pairs with the Acquire in `push`; the slots before it are read for the
            // last time.
            self.ring.head.store(self.head.0, Ordering::Release);
        }
        self.ring.role.end(self.turn);
    }
}
