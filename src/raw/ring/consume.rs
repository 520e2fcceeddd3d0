//! Taking from a ring: the consumer's turn.

use crate::raw::ring::Held;
#[cfg(test)]
use crate::raw::ring::Plain;
use crate::raw::ring::Receiver;
use crate::raw::ring::Ring;
use crate::raw::ring::Weigh;
use crate::raw::ring::role::Theft;
use crate::raw::ring::role::Turn;
use crate::raw::ring::slots::FEW;
use crate::raw::ring::word::Word;
use crate::raw::shared::Shared;
use crate::sync::atomic::Ordering;

/// A state that goes with the consumer's part.
pub(crate) trait Beside {
    /// Whether it has nothing that the consumer should look at.
    fn is_idle(&self) -> bool;
}

impl Beside for () {
    fn is_idle(&self) -> bool {
        true
    }
}

impl<T: Beside> Beside for Option<Box<T>> {
    fn is_idle(&self) -> bool {
        self.as_ref().is_none_or(|state| state.is_idle())
    }
}

/// What belongs to whoever has the consumer's part, besides the head.
pub(super) struct Local<S> {
    /// The end of what was taken, if the head says BESIDE; the head is behind it by what is kept.
    /// Else they are the same, and this is of no use.
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

impl<T: Weigh, S: Beside> Ring<T, S> {
    /// The one receiver of this ring.
    pub(crate) fn receiver(&self) -> Option<Receiver> {
        Receiver::claim(&self.received, self.line.address().addr().get())
    }

    /// Takes the call down, before acting on it.
    pub(crate) fn answer(&self) {
        // Acquire: pairs with the Release of `raise`: what was called for is visible. A call that
        // comes later raises the flag again.
        self.line.tail.fetch_and(!Word::CALLED, Ordering::Acquire);
    }

    /// Begins the receiver's turn. `None` while a thief is in the middle of one.
    #[inline(always)]
    #[expect(clippy::needless_pass_by_ref_mut, reason = "one turn at a time")]
    pub(crate) fn consume<'a>(&'a self, receiver: &'a mut Receiver) -> Option<Consume<'a, T, S>> {
        receiver.check(self.line.address().addr().get());
        self.line.role.begin().map(|turn| self.turn(turn))
    }

    /// Lets others [steal](Ring::steal) from now on without having to ask first.
    #[cfg(any(feature = "ws", all(test, throng_loom)))]
    #[expect(clippy::needless_pass_by_ref_mut, reason = "between two turns")]
    pub(crate) fn offer(&self, receiver: &mut Receiver) {
        receiver.check(self.line.address().addr().get());
        self.line.role.offer();
    }

    /// Takes what is there, at most `max` items, if that needs no more than taking: nobody called,
    /// nothing is kept, and the state is idle. Else takes nothing, and a
    /// [turn](Ring::consume) has to be begun.
    ///
    /// `put` must not panic, or the ring is stuck.
    #[inline(always)]
    #[cfg(test)]
    pub(crate) fn take_plainly(
        &self,
        receiver: &mut Receiver,
        max: usize,
        put: impl FnMut(Shared<T>),
    ) -> Plain {
        // SAFETY: the line is this ring's.
        unsafe { self.line.take_plainly(|| self, receiver, max, put) }
    }

    /// Begins a turn in the consumer's place. `None` while it can't be had; the receiver learns
    /// that somebody wanted to.
    pub(crate) fn steal(&self) -> Option<Consume<'_, T, S>> {
        match self.line.role.steal() {
            Theft::Held => Some(self.turn(Turn::Shared)),
            Theft::Asked => {
                self.call();
                None
            }
            Theft::Busy => None,
        }
    }

    /// Returns the next item that the receiver takes, unless `first` finds one beside the ring.
    /// `None` if nothing is there, and while the receiver would have to be asked: it notices
    /// nothing.
    pub(crate) fn glance(&self, first: impl FnOnce(&S) -> Option<Shared<T>>) -> Option<Shared<T>> {
        let turn = self.line.role.glance()?;
        let mut turn = self.turn(turn);
        if turn.beside
            && let Some(found) = turn.with(|local| first(&local.state))
        {
            return Some(found);
        }
        turn.peek()
    }

    #[inline(always)]
    fn turn(&self, turn: Turn) -> Consume<'_, T, S> {
        // Acquire: pairs with the Release of `raise`; a flag's cause is visible with it. It comes
        // after the turn has begun, so `read` is not ahead of this tail.
        let tail = Word(self.line.tail.load(Ordering::Acquire));
        // Relaxed: the head is written by whoever has the consumer's part, now this turn.
        let head = Word(self.line.head.load(Ordering::Relaxed));
        let mut turn = Consume {
            ring: self,
            turn,
            tail,
            head,
            was: head,
            read: head,
            beside: head.has(Word::BESIDE),
            lagged: tail.has(Word::DEEP) || tail.since(head).messages > FEW,
        };
        if turn.beside {
            turn.read = turn.with(|local| local.read);
        }
        turn
    }
}

/// A turn as the consumer; one at a time. What was taken is given back to the limits at its end.
pub(crate) struct Consume<'a, T: Weigh, S: Beside> {
    ring: &'a Ring<T, S>,
    turn: Turn,
    /// The tail when the turn began, or [looked again](Self::look_again): it takes nothing that was
    /// pushed later.
    tail: Word,
    /// The head as it will be when the turn ends.
    head: Word,
    /// The head when the turn began.
    was: Word,
    /// The end of what was taken.
    read: Word,
    /// Something may be kept, or the state may not be idle.
    beside: bool,
    /// More than the few may have waited: the [budget](super::Budget) is told.
    lagged: bool,
}

/// What a turn saw, for parking after it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(super) tail: Word,
    pub(super) drained: bool,
}

impl<T: Weigh, S: Beside> Consume<'_, T, S> {
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
        let position = self.read.position();
        if position == self.tail.position() {
            return None;
        }
        let ring = self.ring;
        // SAFETY: this turn has the consumer's part (invariant 3), and `read` moves on below.
        let item = unsafe { ring.line.take(|| ring, position, self.tail) }?;
        let weight = item.weight();
        self.read = self.read.forward(1, weight);
        self.head = self.head.forward(1, weight);
        Some(item)
    }

    /// Returns the next item that [`Consume::pop`] would take, and leaves it there.
    pub(super) fn peek(&self) -> Option<Shared<T>> {
        let position = self.read.position();
        if position == self.tail.position() {
            return None;
        }
        // SAFETY: this turn has the consumer's part (invariant 3).
        let item = unsafe { self.ring.line.few.peek(position) };
        if item.is_some() || !self.tail.has(Word::DEEP) {
            return item;
        }
        // SAFETY: as above, and the ring's one shape.
        unsafe { self.ring.many.peek(self.ring.shape(), position) }
    }

    /// The position of the next item that [`Consume::pop`] takes.
    pub(crate) fn position(&self) -> usize {
        self.read.position()
    }

    /// Whether something may be kept beside the ring, or the state may not be idle.
    #[inline(always)]
    pub(crate) fn is_beside(&self) -> bool {
        self.beside
    }

    /// Whether all that was pushed before this turn has been taken.
    #[inline(always)]
    pub(crate) fn is_drained(&self) -> bool {
        self.read.position() == self.tail.position()
    }

    /// Has this turn take also what was pushed since it began. Says whether anything was.
    pub(crate) fn look_again(&mut self) -> bool {
        // Acquire: as in `Ring::turn`.
        let tail = Word(self.ring.line.tail.load(Ordering::Acquire));
        let more = tail.position() != self.tail.position();
        self.tail = tail;
        self.lagged |= tail.has(Word::DEEP);
        more
    }

    /// Ends the turn and says what it saw.
    pub(crate) fn finish(mut self) -> Seen {
        self.surface();
        Seen {
            tail: self.tail,
            drained: self.is_drained(),
        }
    }

    /// Goes back to the few slots if the ring is deep and empty.
    #[inline(always)]
    fn surface(&mut self) {
        if self.is_drained() {
            self.tail = self.ring.line.surface(self.tail);
        }
    }

    /// Forgets that something did not fit, if this turn, the receiver's, leaves nothing.
    #[inline(always)]
    pub(crate) fn forget_overflow(&mut self) {
        if self.head.position() == self.tail.position() {
            self.tail = self.ring.line.forget_overflow(self.tail);
        }
    }

    /// Lets an item that was taken count on, for it is kept.
    pub(crate) fn keep(&mut self, weight: u64) {
        self.head = self.head.back(1, weight);
        self.beside = true;
    }

    /// Lets a kept item no longer count.
    pub(crate) fn settle(&mut self, weight: u64) {
        self.head = self.head.forward(1, weight);
    }

    /// Whether `weight` more would fit if this turn ended now.
    pub(crate) fn would_admit(&self, weight: u64) -> bool {
        // Relaxed: an estimate; the push that follows decides.
        let tail = Word(self.ring.line.tail.load(Ordering::Relaxed));
        let limits = self.ring.line.role.limits();
        let held = tail.since(self.head);
        limits.admit(held, weight) && self.ring.affords(held, weight)
    }

    /// Whether `weight` more would fit if this turn ended now and `less` of what is kept were
    /// settled.
    pub(crate) fn could_admit(&self, weight: u64, less: Held) -> bool {
        // Relaxed: an estimate; what follows decides.
        let tail = Word(self.ring.line.tail.load(Ordering::Relaxed));
        let held = tail.since(self.head);
        let held = Held {
            messages: held.messages.saturating_sub(less.messages),
            bytes: held.bytes.saturating_sub(less.bytes),
        };
        let fits = self.ring.line.role.limits().admit(held, weight);
        fits && (weight <= less.bytes || self.ring.affords(held, weight))
    }

    /// Counts an item of `weight` that is kept and never was in the ring, in the place of what this
    /// turn has given back. Claims the bytes that are still wanting. `false` if nothing was given
    /// back, or if so many bytes are not free.
    ///
    /// What was given back is not free for others before the turn ends, so both limits stay strict,
    /// and nobody can be faster.
    pub(crate) fn admit(&mut self, weight: u64) -> bool {
        let back = self.head.since(self.was);
        if back.messages == 0 {
            return false;
        }
        let wanting = weight.saturating_sub(back.bytes);
        if wanting > 0 && !self.claim_bytes(wanting) {
            return false;
        }
        self.keep(weight);
        true
    }

    /// Takes `bytes` of the limit that nobody has, and gives them to this turn.
    fn claim_bytes(&mut self, bytes: u64) -> bool {
        // Relaxed: only a guess, as in `Ring::push`.
        let mut tail = Word(self.ring.line.tail.load(Ordering::Relaxed));
        loop {
            // The head that others see; only this turn moves it.
            let held = tail.since(self.was);
            if held.bytes + bytes > self.ring.line.role.limits().bytes()
                || !self.ring.affords(held, bytes)
            {
                return false;
            }
            let next = tail.forward(0, bytes);
            // Relaxed: bytes are claimed, nothing is published or read; on failure, a guess.
            let (won, lost) = (Ordering::Relaxed, Ordering::Relaxed);
            match self
                .ring
                .line
                .tail
                .compare_exchange_weak(tail.0, next.0, won, lost)
            {
                Ok(_) => break,
                Err(now) => tail = Word(now),
            }
        }
        // They are past the tail's end and given back at once: no item has them.
        self.tail = self.tail.forward(0, bytes);
        self.head = self.head.forward(0, bytes);
        self.read = self.read.forward(0, bytes);
        true
    }

    /// The state that goes with the consumer's part.
    #[inline(always)]
    pub(crate) fn state<R>(&mut self, f: impl FnOnce(&mut S) -> R) -> R {
        self.beside = true;
        self.with(|local| f(&mut local.state))
    }

    /// Notes for the next turn what is beside the ring, and returns the head to store.
    fn note_beside(&mut self) -> Word {
        let (head, read) = (self.head, self.read);
        let is_clear = head.position() == read.position();
        let is_clear = is_clear && self.with(|local| local.state.is_idle());
        if is_clear {
            return head.without(Word::BESIDE);
        }
        self.with(|local| local.read = read);
        head.with(Word::BESIDE)
    }

    #[inline(always)]
    #[expect(clippy::needless_pass_by_ref_mut, reason = "`f` gets a `&mut`")]
    fn with<R>(&mut self, f: impl FnOnce(&mut Local<S>) -> R) -> R {
        // SAFETY: this turn has the consumer's part (invariant 3), and `&mut self` keeps `f` from
        // being entered twice.
        self.ring.local.with_mut(|local| f(unsafe { &mut *local }))
    }
}

impl<T: Weigh, S: Beside> Drop for Consume<'_, T, S> {
    #[inline(always)]
    fn drop(&mut self) {
        self.surface();
        if self.beside {
            self.head = self.note_beside();
        }
        if self.head != self.was {
            let ring = self.ring;
            let head = ring.line.count(|| ring, self.tail, self.was, self.head);
            // Release: pairs with the Acquire in `push`; the slots before it are read for the
            // last time.
            ring.line.head.store(head.0, Ordering::Release);
        }
        if self.lagged {
            self.ring.tell();
        }
        self.ring.line.role.end(self.turn);
    }
}
