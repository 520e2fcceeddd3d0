//! One state whose operations are applied one at a time, and nobody waits for anybody.
//!
//! A caller that finds the state idle becomes its *owner*: it applies its own operation in place,
//! then whatever others left meanwhile, and leaves. A caller that finds it owned leaves its
//! operation in a list and goes on with its own business at once.
//!
//! # Order
//!
//! All operations of a combiner are applied in one total order. The operations of one thread are
//! applied in the order of its calls, whether handed over or applied in place. A call made from
//! inside [`Machine::apply`] is handed over and takes its turn after the current operation.
//!
//! # Progress
//!
//! No call waits for another caller. A caller that is not elected tries a compare-exchange again
//! only because another caller's succeeded, so some caller always gets on (lock-free, though not
//! wait-free). A caller that is elected owes, besides its own operation:
//!
//! * what was queued at its election, applied before its own operation;
//! * what is queued later, until the list is empty or another caller takes over. After each
//!   [`BUDGET`] operations of others it offers the ownership for a short, bounded time, and
//!   whoever calls [`Combiner::run`] or [`Combiner::serve`] in that time takes it. It is kept
//!   longer only if nobody calls in any of these moments.
//!
//! An owner that is stopped in the middle of an operation holds back the later operations of this
//! combiner, never a caller. [`Combiner::post`] on an idle combiner leaves work that nobody owns:
//! it waits for the next `run` or `serve`.
//!
//! # Memory
//!
//! An operation applied in place by a caller that was elected at once is not allocated. One that
//! is handed over takes one box until it is applied. The number of boxes is at most the greatest
//! `limit` that [`Combiner::run`] is given, plus what is posted or run without a limit; operations
//! still queued when the combiner is dropped are dropped with it, once each.
//!
//! # Panics
//!
//! A panic in [`Machine::apply`], or in the drop of an output, reaches the caller that runs it,
//! which need not be the one whose operation it was. The operation that panicked is gone. So is
//! the caller's own, if it had not come to it yet. All others stay queued for the next caller. The
//! machine stays as the panic left it: there is no poisoning.
//!
//! # Protocol
//!
//! Everything is decided by one word: the newest node of a list, and two bits.
//!
//! ```text
//!             run: 0 -> OWNED                      post: 0 -> node|OFFERED
//!           .------------------------ idle (0) ------------------------.
//!           v                            ^                             v
//!     list|OWNED  --- leave: OWNED -> 0 -'                       list|OFFERED
//!       |  ^  '--- hand back: list|OWNED -> list|OFFERED ------------> |  ^  |
//!       '--'                                                           '--'  |
//!       push: list|OWNED -> node|OWNED    push: list|OFFERED -> node|OFFERED |
//!           ^                                                                |
//!           '---- run, serve, reclaim: list|OFFERED -> OWNED (list taken) ---'
//! ```
//!
//! # Invariants
//!
//! 1. Only the caller that set `OWNED` touches the cell, until it clears the bit. A [`Turn`] is
//!    the proof of it.
//! 2. The word is 0 only if nothing is queued: no list, and an empty backlog in the cell.
//! 3. `OFFERED` without `OWNED` means that something is queued and nobody is at it. The two bits
//!    are never set together.
//! 4. A node in the list or the backlog is owned by it; the backlog is older than the list.
//! 5. `queued` is at least the number of nodes in the list and the backlog.
//!
//! # Source
//!
//! Flat combining (Hendler, Incze, Shavit, Tzafrir, SPAA 2010): one thread at a time applies the
//! operations of all. There, as in delegation locks and in the MCS queue they grew from, a caller
//! publishes a request and waits until it is answered, or until the turn is passed to it. Here a
//! caller never waits: it learns that its operation was handed over, and gets no output. For that
//! the requests are boxed rather than kept in the callers' own records, and the ownership is
//! passed on by offering it to whoever comes next rather than to a chosen successor.

mod list;
#[cfg(all(test, throng_loom))]
mod model;
#[cfg(all(test, not(throng_loom)))]
mod tests;
mod turn;

use std::ptr;

use self::list::Backlog;
use self::list::Node;
use self::list::OFFERED;
use self::list::OWNED;
use self::list::is_offered;
use self::list::is_owned;
use self::list::list_of;
use self::turn::Turn;
use crate::sync::UnsafeCell;
use crate::sync::atomic::AtomicPtr;
use crate::sync::atomic::AtomicUsize;
use crate::sync::atomic::Ordering;

/// A state that is changed by one operation at a time.
pub(crate) trait Machine {
    /// What a caller asks for.
    type Op;

    /// What an operation gives to the caller that applied it in place. The output of one that was
    /// handed over is dropped by the owner.
    type Output;

    /// Applies one operation. It may call the combiner it stands in: such calls are handed over.
    fn apply(&mut self, op: Self::Op) -> Self::Output;
}

/// What became of an operation given to [`Combiner::run`].
#[derive(Debug)]
pub(crate) enum Run<Op, Output> {
    /// It was applied by this caller.
    Applied(Output),
    /// The owner of the moment, or the next, applies it.
    HandedOver,
    /// Someone else owns the machine and as many operations as allowed are queued already.
    Refused(Op),
}

/// A machine that callers share, and whose operations are applied by whoever comes first.
///
/// The promises are on the [module](self).
pub(crate) struct Combiner<M: Machine> {
    /// The newest node of the list, and the bits `OWNED` and `OFFERED`.
    word: AtomicPtr<Node<M::Op>>,
    /// Operations handed over or about to be, and not yet begun.
    queued: AtomicUsize,
    cell: UnsafeCell<Inner<M>>,
}

// SAFETY:
// - `M: Send`, since the machine goes with the combiner.
// - `M::Op: Send`, since so do the operations queued in it.
// - `M::Output: Send` is not needed: no output is ever stored.
unsafe impl<M: Machine + Send> Send for Combiner<M> where M::Op: Send {}

// SAFETY:
// - `M: Send`, since whichever thread owns the machine uses it by `&mut`, one after the other.
// - `M: Sync` is not needed: no two threads have a reference to the machine at the same time
//   (invariant 1), and a shared combiner gives none out.
// - `M::Op: Send`, since an operation is moved from its caller to the owner.
// - `M::Op: Sync` is not needed: an operation is only moved, its caller keeps no reference.
// - `M::Output: Send` is not needed: an output is returned or dropped where it was made.
unsafe impl<M: Machine + Send> Sync for Combiner<M> where M::Op: Send {}

/// What only the owner touches.
struct Inner<M: Machine> {
    machine: M,
    backlog: Backlog<M::Op>,
}

impl<M: Machine> Combiner<M> {
    pub(crate) fn new(machine: M) -> Self {
        Self {
            word: AtomicPtr::new(ptr::null_mut()),
            queued: AtomicUsize::new(0),
            cell: UnsafeCell::new(Inner {
                machine,
                backlog: Backlog::new(),
            }),
        }
    }

    /// The machine itself. Operations still queued have not been applied to it.
    #[expect(
        clippy::needless_pass_by_ref_mut,
        reason = "nobody else may be at the machine"
    )]
    #[cfg(test)]
    pub(crate) fn get_mut(&mut self) -> &mut M {
        // SAFETY: `&mut self` keeps everyone else away for as long as the reference lives.
        self.cell.with_mut(|inner| unsafe { &mut (*inner).machine })
    }

    /// Applies `op` here if nobody owns the machine, else leaves it to the owner.
    ///
    /// It is refused only if someone else owns the machine while `limit` operations are queued.
    /// With `usize::MAX` it never is. The bound is strict: however many callers race, no more than
    /// `limit` of the operations that were given this limit are queued. Callers that race for the
    /// last place may see each other's attempts, and be refused one place early.
    ///
    /// # Progress
    ///
    /// Never waits. The elected caller applies what others left, see the [module](self).
    #[inline]
    pub(crate) fn run(&self, op: M::Op, limit: usize) -> Run<M::Op, M::Output> {
        match self.elect() {
            Some(turn) => Run::Applied(turn.run(op)),
            None => self.hand_over(op, limit),
        }
    }

    /// Leaves `op` for another to apply: nothing is applied on this thread, nothing is refused.
    ///
    /// If nobody owns the machine, the operation waits for the next [`run`](Self::run) or
    /// [`serve`](Self::serve), for which the caller has to see.
    pub(crate) fn post(&self, op: M::Op) {
        // Relaxed: a count and no more; the node is published by `push`.
        self.queued.fetch_add(1, Ordering::Relaxed);
        let mut node = Node::new(op);
        while let Err(unpushed) = self.push(node, |_| true) {
            node = unpushed;
        }
    }

    /// Applies what is queued, if there is anything and nobody owns it.
    ///
    /// # Progress
    ///
    /// As [`run`](Self::run).
    pub(crate) fn serve(&self) {
        // Relaxed: a guess, which the compare-exchange in `claim` confirms.
        let word = self.word.load(Ordering::Relaxed);
        if let Some(turn) = self.claim(word, is_offered) {
            turn.leave();
        }
    }

    /// How many operations are handed over and not yet begun, for limits and statistics.
    ///
    /// A caller about to hand over, or to be refused, is counted for a moment.
    pub(crate) fn queued(&self) -> usize {
        // Relaxed: a count and no more, out of date when it is read.
        self.queued.load(Ordering::Relaxed)
    }

    /// Makes this caller the owner unless there is one. On an idle combiner this is the whole
    /// cost of entering: one compare-exchange, with no load before it.
    #[inline]
    fn elect(&self) -> Option<Turn<'_, M>> {
        self.claim(ptr::null_mut(), |word| !is_owned(word))
    }

    /// Makes this caller the owner, for as long as the word is one that `may` be claimed.
    #[inline]
    fn claim(
        &self,
        mut word: *mut Node<M::Op>,
        may: impl Fn(*mut Node<M::Op>) -> bool,
    ) -> Option<Turn<'_, M>> {
        while may(word) {
            let owned = ptr::without_provenance_mut(OWNED);
            // Acquire: pairs with the Release in `release`, `Turn::drop` and `push`. We see what
            // the last owner did to the cell, and the nodes of the list we take. Pushes in
            // between are read-modify-writes, so they carry the last owner's Release on.
            // Relaxed: on failure the word is only a guess again.
            let (won, lost) = (Ordering::Acquire, Ordering::Relaxed);
            match self.word.compare_exchange_weak(word, owned, won, lost) {
                Ok(was) => return Some(Turn::begin(self, list_of(was))),
                Err(now) => word = now,
            }
        }
        None
    }

    /// Leaves `op` to the owner, or becomes the owner after all if the last one has gone.
    #[cold]
    fn hand_over(&self, op: M::Op, limit: usize) -> Run<M::Op, M::Output> {
        if !self.reserve(limit) {
            return Run::Refused(op);
        }
        let mut node = Node::new(op);
        loop {
            match self.push(node, is_owned) {
                Ok(()) => return Run::HandedOver,
                Err(unpushed) => node = unpushed,
            }
            if let Some(turn) = self.elect() {
                self.unreserve();
                return Run::Applied(turn.run(node.op));
            }
        }
    }

    /// Pushes `node` for as long as the word is one that `may` be pushed on, else gives it back.
    fn push(
        &self,
        mut node: Box<Node<M::Op>>,
        may: impl Fn(*mut Node<M::Op>) -> bool,
    ) -> Result<(), Box<Node<M::Op>>> {
        // Relaxed: a guess, which the compare-exchange confirms; no node is looked into.
        let mut word = self.word.load(Ordering::Relaxed);
        while may(word) {
            node.next = list_of(word);
            let raw = Box::into_raw(node);
            // An idle combiner has work from now on, and nobody at it (invariant 3).
            let tag = if is_owned(word) { OWNED } else { OFFERED };
            let pushed = raw.map_addr(|address| address | tag);
            // Release: pairs with the Acquire in `claim` and `gather`. Who takes the list sees
            // the node as it was written above, and all that this thread did before.
            // Relaxed: on failure the word is only a guess again.
            let (won, lost) = (Ordering::Release, Ordering::Relaxed);
            match self.word.compare_exchange_weak(word, pushed, won, lost) {
                Ok(_) => return Ok(()),
                Err(now) => word = now,
            }
            // SAFETY: `raw` comes from the box above and was not published.
            node = unsafe { Box::from_raw(raw) };
        }
        Err(node)
    }

    /// Takes a place among the queued, if fewer than `limit` are taken.
    fn reserve(&self, limit: usize) -> bool {
        // Relaxed: a count and no more. That there are never more than `limit` places follows
        // from the read-modify-write alone; the load before it spares the line when it is full.
        if self.queued.load(Ordering::Relaxed) >= limit {
            return false;
        }
        // Relaxed: as above.
        if self.queued.fetch_add(1, Ordering::Relaxed) < limit {
            return true;
        }
        self.unreserve();
        false
    }

    /// Gives a place among the queued back.
    fn unreserve(&self) {
        // Relaxed: a count and no more.
        self.queued.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<M: Machine> Drop for Combiner<M> {
    fn drop(&mut self) {
        // Relaxed: `&mut self` came to us by a synchronisation that everyone else's last call
        // happened before.
        let newest = list_of(self.word.load(Ordering::Relaxed));
        self.cell.with_mut(|inner| {
            // SAFETY: nobody else is left. The backlog drops its nodes with the cell.
            let backlog = unsafe { &mut (*inner).backlog };
            // SAFETY: the list is ours (invariant 4), and the word is not read again.
            unsafe { backlog.append(newest) };
        });
    }
}

/// How many operations of others an owner applies before it offers the ownership. Under loom so
/// few that a model gets there.
pub(crate) const BUDGET: usize = if cfg!(throng_loom) { 2 } else { 64 };

/// How many spin hints an offer stands before the owner takes it back.
const PATIENCE: usize = if cfg!(throng_loom) { 1 } else { 64 };
