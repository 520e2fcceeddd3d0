//! What the owner of a combiner does, from its election to its leave.

use std::mem::ManuallyDrop;
use std::ptr;

use super::BUDGET;
use super::Combiner;
use super::Machine;
use super::PATIENCE;
use super::list::Node;
use super::list::OFFERED;
use super::list::OWNED;
use super::list::is_offered;
use super::list::list_of;
use crate::sync::atomic::Ordering;
use crate::sync::hint;

/// The ownership of a combiner's cell (invariant 1).
///
/// Dropping it hands the combiner back: what is left undone is offered to the next caller. This is
/// what happens when `apply` unwinds.
pub(super) struct Turn<'a, M: Machine> {
    combiner: &'a Combiner<M>,
    /// How many operations of others were applied since this turn began.
    pub(super) spent: usize,
}

#[expect(
    clippy::needless_pass_by_ref_mut,
    reason = "who uses the cell must have the turn for itself"
)]
impl<'a, M: Machine> Turn<'a, M> {
    /// Starts to own a cell, with the list that was taken off the word.
    #[inline]
    pub(super) fn begin(combiner: &'a Combiner<M>, newest: *mut Node<M::Op>) -> Self {
        let mut turn = Self { combiner, spent: 0 };
        if !newest.is_null() {
            turn.stack(newest);
        }
        turn
    }

    /// Applies what was queued before this turn, then `op`, then what was queued since.
    #[inline]
    pub(super) fn run(mut self, op: M::Op) -> M::Output {
        while !self.backlog_is_empty() {
            self.apply_next();
        }
        let output = self.apply(op);
        self.leave();
        output
    }

    /// Applies what is queued until nothing is, or until another caller has taken over.
    #[inline]
    pub(super) fn leave(mut self) {
        loop {
            while !self.backlog_is_empty() {
                if self.spent >= BUDGET {
                    let Some(reclaimed) = self.offer() else {
                        return;
                    };
                    self = reclaimed;
                }
                self.apply_next();
            }
            let Err(kept) = self.release() else {
                return;
            };
            self = kept;
            self.gather();
        }
    }

    /// Ends the turn if nothing was pushed meanwhile, else gives it back. The backlog is empty.
    #[inline]
    fn release(self) -> Result<(), Self> {
        let owned = ptr::without_provenance_mut(OWNED);
        let word = &self.combiner.word;
        // Release: pairs with the Acquire in `claim`. The next owner sees the cell as we left it.
        // - If a push came before, this fails, and `gather` finds its node.
        // - If it comes after, it finds the word idle: its caller elects itself, or offers.
        // Relaxed: on failure nothing is read but that it failed.
        let (won, lost) = (Ordering::Release, Ordering::Relaxed);
        match word.compare_exchange(owned, ptr::null_mut(), won, lost) {
            Ok(_) => {
                // The word is released already: the turn's drop must not do it again.
                let _released = ManuallyDrop::new(self);
                Ok(())
            }
            Err(_) => Err(self),
        }
    }

    /// Takes what was pushed since the list was taken last, and keeps the ownership.
    fn gather(&mut self) {
        let owned = ptr::without_provenance_mut(OWNED);
        // Acquire: pairs with the Release in `push`. We see the nodes we take.
        let word = self.combiner.word.swap(owned, Ordering::Acquire);
        self.stack(list_of(word));
    }

    /// Lets another caller take over for a short time. Gives the ownership back if none did.
    #[cold]
    pub(super) fn offer(self) -> Option<Self> {
        let combiner = self.combiner;
        drop(self);
        for _ in 0..PATIENCE {
            hint::spin_loop();
            // Relaxed: a guess; if it is true, another has taken over and we need to see nothing.
            if !is_offered(combiner.word.load(Ordering::Relaxed)) {
                return None;
            }
        }
        // Relaxed: a guess, which the compare-exchange in `claim` confirms.
        let word = combiner.word.load(Ordering::Relaxed);
        combiner.claim(word, is_offered)
    }

    /// Applies one operation. The reference to the machine ends with it, so that the next may
    /// belong to another caller.
    #[inline]
    fn apply(&mut self, op: M::Op) -> M::Output {
        self.combiner.cell.with_mut(|inner| {
            // SAFETY: this turn owns the cell (invariant 1). What `apply` calls on the combiner
            // finds it owned and does not touch the cell.
            let machine = unsafe { &mut (*inner).machine };
            machine.apply(op)
        })
    }

    /// Takes the oldest operation off the backlog and applies it.
    pub(super) fn apply_next(&mut self) {
        let op = self.combiner.cell.with_mut(|inner| {
            // SAFETY: this turn owns the cell (invariant 1), and no operation is being applied.
            let backlog = unsafe { &mut (*inner).backlog };
            backlog.pop()
        });
        if let Some(op) = op {
            self.combiner.unreserve();
            self.spent += 1;
            self.apply(op);
        }
    }

    /// Puts a list taken off the word, its newest node first, behind the backlog.
    fn stack(&mut self, newest: *mut Node<M::Op>) {
        self.combiner.cell.with_mut(|inner| {
            // SAFETY: this turn owns the cell (invariant 1), and no operation is being applied.
            let backlog = unsafe { &mut (*inner).backlog };
            // SAFETY: whoever takes a list off the word owns it (invariant 4).
            unsafe { backlog.append(newest) };
        });
    }

    #[inline]
    pub(super) fn backlog_is_empty(&self) -> bool {
        self.combiner.cell.with(|inner| {
            // SAFETY: this turn owns the cell (invariant 1), and no operation is being applied.
            let backlog = unsafe { &(*inner).backlog };
            backlog.is_empty()
        })
    }
}

impl<M: Machine> Drop for Turn<'_, M> {
    fn drop(&mut self) {
        let done = self.backlog_is_empty();
        // Relaxed: a guess, which the compare-exchange confirms; no node is looked into.
        let mut word = self.combiner.word.load(Ordering::Relaxed);
        loop {
            let list = list_of(word);
            let tag = if done && list.is_null() { 0 } else { OFFERED };
            let next = list.map_addr(|address| address | tag);
            // Release: pairs with the Acquire in `claim`. The next owner sees the cell as we
            // left it.
            // Relaxed: on failure the word is only a guess again.
            let (won, lost) = (Ordering::Release, Ordering::Relaxed);
            let swapped = self
                .combiner
                .word
                .compare_exchange_weak(word, next, won, lost);
            match swapped {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
    }
}
