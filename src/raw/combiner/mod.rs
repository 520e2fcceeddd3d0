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

#[cfg(all(test, throng_loom))]
mod model;
#[cfg(all(test, not(throng_loom)))]
mod tests;

use std::mem;
use std::mem::ManuallyDrop;
use std::ptr;

use crate::sync::UnsafeCell;
use crate::sync::atomic::AtomicPtr;
use crate::sync::atomic::AtomicUsize;
use crate::sync::atomic::Ordering;
use crate::sync::hint;

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

/// The ownership of a combiner's cell (invariant 1).
///
/// Dropping it hands the combiner back: what is left undone is offered to the next caller. This is
/// what happens when `apply` unwinds.
struct Turn<'a, M: Machine> {
    combiner: &'a Combiner<M>,
    /// How many operations of others were applied since this turn began.
    spent: usize,
}

/// What only the owner touches.
struct Inner<M: Machine> {
    machine: M,
    backlog: Backlog<M::Op>,
}

/// Operations taken off the word and not yet begun, the oldest first.
struct Backlog<Op> {
    first: *mut Node<Op>,
    /// Invariant: the node that follows all others, unless `first` is null.
    last: *mut Node<Op>,
}

/// An operation that was handed over. Its address leaves the bits of `TAGS` free.
struct Node<Op> {
    op: Op,
    /// In the list the next older node, in the backlog the next younger.
    next: *mut Node<Op>,
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
    #[cfg(test)]
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
                Ok(_) => return Some(Turn::begin(self, list_of(word))),
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

impl<'a, M: Machine> Turn<'a, M> {
    /// Starts to own a cell, with the list that was taken off the word.
    #[inline]
    fn begin(combiner: &'a Combiner<M>, newest: *mut Node<M::Op>) -> Self {
        let mut turn = Self { combiner, spent: 0 };
        if !newest.is_null() {
            turn.stack(newest);
        }
        turn
    }

    /// Applies what was queued before this turn, then `op`, then what was queued since.
    #[inline]
    fn run(mut self, op: M::Op) -> M::Output {
        while !self.backlog_is_empty() {
            self.apply_next();
        }
        let output = self.apply(op);
        self.leave();
        output
    }

    /// Applies what is queued until nothing is, or until another caller has taken over.
    #[inline]
    fn leave(mut self) {
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
    fn offer(self) -> Option<Self> {
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
    fn apply_next(&mut self) {
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
    fn backlog_is_empty(&self) -> bool {
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

impl<Op> Backlog<Op> {
    const fn new() -> Self {
        Self {
            first: ptr::null_mut(),
            last: ptr::null_mut(),
        }
    }

    /// Puts a list whose newest node is the first behind the rest, in the order it was pushed.
    ///
    /// # Safety
    ///
    /// `newest` is null, or the head of a list of nodes from [`Node::new`], linked by `next`,
    /// which nobody else has or looks into from now on.
    unsafe fn append(&mut self, newest: *mut Node<Op>) {
        let mut oldest = ptr::null_mut();
        let mut rest = newest;
        while !rest.is_null() {
            // SAFETY: a node of the list that the caller gave us.
            let link = unsafe { &mut (*rest).next };
            let next = mem::replace(link, oldest);
            oldest = mem::replace(&mut rest, next);
        }
        if oldest.is_null() {
            return;
        }
        if self.first.is_null() {
            self.first = oldest;
        } else {
            // SAFETY: `last` is a node of the backlog, unless that is empty.
            unsafe { (*self.last).next = oldest };
        }
        self.last = newest;
    }

    #[inline]
    fn pop(&mut self) -> Option<Op> {
        if self.first.is_null() {
            return None;
        }
        // SAFETY: a node of the backlog, which is unlinked here and so freed once.
        let node = unsafe { Box::from_raw(self.first) };
        let Node { op, next } = *node;
        self.first = next;
        Some(op)
    }

    const fn is_empty(&self) -> bool {
        self.first.is_null()
    }
}

impl<Op> Drop for Backlog<Op> {
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}

impl<Op> Node<Op> {
    fn new(op: Op) -> Box<Self> {
        const { assert!(align_of::<Self>() > TAGS, "the bits must be free") };
        Box::new(Self {
            op,
            next: ptr::null_mut(),
        })
    }
}

fn is_owned<Op>(word: *mut Node<Op>) -> bool {
    word.addr() & OWNED != 0
}

fn is_offered<Op>(word: *mut Node<Op>) -> bool {
    word.addr() & OFFERED != 0
}

fn list_of<Op>(word: *mut Node<Op>) -> *mut Node<Op> {
    word.map_addr(|address| address & !TAGS)
}

/// Bit of the word: a caller owns the cell.
const OWNED: usize = 0b01;

/// Bit of the word: operations are queued and nobody owns the cell.
const OFFERED: usize = 0b10;

const TAGS: usize = OWNED | OFFERED;

/// How many operations of others an owner applies before it offers the ownership. Under loom so
/// few that a model gets there.
pub(crate) const BUDGET: usize = if cfg!(throng_loom) { 2 } else { 64 };

/// How many spin hints an offer stands before the owner takes it back.
const PATIENCE: usize = if cfg!(throng_loom) { 1 } else { 64 };
