//! Taking from a ring: the consumer's turn.

use crate::sync::atomic::Ordering;

use crate::raw::ring::Receiver;
use crate::raw::ring::Ring;
use crate::raw::ring::Weigh;
use crate::raw::ring::role::Theft;
use crate::raw::ring::role::Turn;
use crate::raw::ring::word::Held;
use crate::raw::ring::word::Word;
use crate::raw::shared::Shared;

/// What belongs to whoever has the consumer's part.
pub(super) struct Local<S> {
    /// The end of what was taken.
    pub(super) read: Word,
    /// What the ring's head says.
    given: Word,
    /// How much was taken but still counts, because the holder keeps it.
    owed: Held,
    state: S,
}

impl<S> Local<S> {
    pub(super) fn new(state: S) -> Self {
        Self {
            read: Word(0),
            given: Word(0),
            owed: Held::default(),
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
    pub(crate) fn consume(&self, receiver: &mut Receiver) -> Option<Consume<'_, T, S>> {
        receiver.check(self.address());
        self.role.begin().map(|turn| self.turn(turn))
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
        Consume {
            ring: self,
            turn,
            tail,
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
        let end = self.tail.position();
        self.with(|ring, local| {
            if local.read.position() == end {
                return None;
            }
            // SAFETY: this turn has the consumer's part (invariant 3), and `read` moves on below.
            let item: Shared<T> = unsafe { ring.slots.take(local.read.position()) }?;
            local.read = local.read.forward(1, item.weight());
            Some(item)
        })
    }

    /// Whether all that was pushed before this turn has been taken.
    pub(crate) fn is_drained(&mut self) -> bool {
        let end = self.tail.position();
        self.with(|_, local| local.read.position() == end)
    }

    /// How much counts against the message limit after this turn.
    #[inline(always)]
    pub(crate) fn waiting(&mut self) -> usize {
        let tail = self.tail;
        self.with(|_, local| tail.since(local.read).messages + local.owed.messages)
    }

    /// Ends the turn and says what it saw.
    pub(crate) fn finish(mut self) -> Seen {
        Seen {
            tail: self.tail,
            drained: self.is_drained(),
        }
    }

    /// Lets an item that was taken count on, for it is kept.
    pub(crate) fn keep(&mut self, weight: u64) {
        self.with(|_, local| {
            local.owed.messages += 1;
            local.owed.bytes += weight;
        });
    }

    /// Lets a kept item no longer count.
    pub(crate) fn settle(&mut self, weight: u64) {
        self.with(|_, local| {
            local.owed.messages -= 1;
            local.owed.bytes -= weight;
        });
    }

    /// Whether `weight` more would fit if this turn ended now.
    pub(crate) fn would_admit(&mut self, weight: u64) -> bool {
        // Relaxed: an estimate; the push that follows decides.
        let tail = Word(self.ring.tail.load(Ordering::Relaxed));
        let (messages, bytes) = (self.ring.max_messages as usize, self.ring.max_bytes);
        self.with(|_, local| {
            let held = tail.since(local.read.back(local.owed.messages, local.owed.bytes));
            held.messages < messages && held.bytes + weight <= bytes
        })
    }

    /// The state that goes with the consumer's part.
    #[inline(always)]
    pub(crate) fn state<R>(&mut self, f: impl FnOnce(&mut S) -> R) -> R {
        self.with(|_, local| f(&mut local.state))
    }

    #[inline(always)]
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
        let given = self.with(|_, local| {
            let head = local.read.back(local.owed.messages, local.owed.bytes);
            let moved = head != local.given;
            local.given = head;
            moved.then_some(head)
        });
        if let Some(head) = given {
            // Release: pairs with the Acquire in `push`; the slots before it are read for the
            // last time.
            self.ring.head.store(head.0, Ordering::Release);
        }
        self.ring.role.end(self.turn);
    }
}
