//! Wake-ups by index: one task serves many rows, and a row is woken by setting a bit.
//!
//! A [`Waker`] per receiver costs a reference count to clone and a list to join for each wake-up.
//! Here a receiver has a [`Row`] of a [`Bell`]. Waking the row sets its bit in a chunk of 64. The
//! wake-up that sets the first bit of a chunk puts the chunk on the bell's stack; the one that
//! puts the first chunk on the stack *owes a ring*: it wakes the task that listens, at once or a
//! little later ([`Rings`]). The listener takes the whole stack and swaps the bits of each chunk.
//!
//! ```text
//!   ring.push ──► row 70 ──► chunk 1: bits |= 1 << 6
//!                               │ bits were 0
//!                               ▼
//!                   bell.stack: chunk 1 ─► chunk 4 ─► null
//!                               │ the stack was empty
//!                               ▼
//!                         owes a ring ──► the listener's Waker
//! ```
//!
//! # Loss
//!
//! A wake-up that begins after [`Bell::take`] has swapped the bits of its chunk is in a later
//! `take`. What the waking thread wrote before [`Row::wake`] is visible to the thread that has
//! taken the bit.
//!
//! A row that was freed and handed out again may be woken by its former holder: in vain, and no
//! wake-up of the new holder is lost.
//!
//! # Progress
//!
//! Waking takes no lock: one `fetch_or`, and a compare-exchange for the first row of a chunk. A
//! thread that stops between setting the first bit of a chunk and ringing holds back the wake-ups
//! that find bits set, until the listener runs for another reason. [`Bell::ring`],
//! [`Bell::register`] and the allocation of rows take a lock for a few instructions.
//!
//! # Memory
//!
//! One cache line for 64 rows, and 4 bytes for each free row. Chunks never move, and live as long
//! as the bell, which lives as long as its handles and rows.
//!
//! # Invariants
//!
//! 1. A chunk is on the stack, or on a list that a `take` is walking, or about to be pushed by the
//!    thread that has turned its bits from zero, if and only if its bits are not zero.
//! 2. `Chunk::next` belongs to the thread that has turned the bits from zero, until the chunk is
//!    on the stack; then to the `take` that has the list, until it swaps the bits.
//! 3. A [`RowCell`] that is not null owns one reference to the bell of its chunk.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::mem;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::ptr::null_mut;
use std::task::Waker;

use smallvec::SmallVec;

use crate::quiet::quietly;
use crate::raw::shared::Shared;
use crate::sync::Mutex;
use crate::sync::atomic::AtomicPtr;
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering;

/// How many rows share a chunk. Under loom so few that three rows need two chunks.
const ROWS: u32 = if cfg!(throng_loom) { 2 } else { 64 };

/// The rows of one task. A cheap clone.
#[derive(Clone)]
pub(crate) struct Bell(Shared<State>);

struct State {
    /// The bit of the bell among those of a hub, or 0.
    mark: u64,
    /// Chunks with a bit set, the last one pushed first.
    stack: AtomicPtr<Chunk>,
    /// The listener, while it waits.
    task: Mutex<Option<Waker>>,
    rows: Mutex<Rows>,
}

#[derive(Default)]
struct Rows {
    chunks: Vec<NonNull<Chunk>>,
    free: BinaryHeap<Reverse<u32>>,
}

/// 64 rows. Aligned so that the low six bits of its address can name one of them.
#[repr(align(64))]
struct Chunk {
    bits: AtomicU64,
    next: AtomicPtr<Self>,
    /// The bell, as [`Shared::into_raw`] gives it; not counted.
    bell: *mut (),
    /// The number of the first row.
    first: u32,
    /// The bit of the bell among those of a hub, or 0.
    mark: u64,
}

impl Bell {
    /// A bell without rows. `mark` is a bit that tells it from others, or 0.
    pub(crate) fn new(mark: u64) -> Self {
        Self(Shared::new(State {
            mark,
            stack: AtomicPtr::new(null_mut()),
            task: Mutex::default(),
            rows: Mutex::default(),
        }))
    }

    /// Returns a row that is not in use: the one with the lowest number.
    pub(crate) fn row(&self) -> Row {
        let mut rows = self.0.rows.lock();
        if rows.free.is_empty() {
            self.add_chunk(&mut rows);
        }
        let Some(Reverse(number)) = rows.free.pop() else {
            unreachable!("a chunk was added");
        };
        Row {
            bell: self.clone(),
            chunk: rows.chunks[(number / ROWS) as usize],
            number,
        }
    }

    #[cold]
    fn add_chunk(&self, rows: &mut Rows) {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "2^32 connections do not fit"
        )]
        let first = rows.chunks.len() as u32 * ROWS;
        let bell = self.0.clone().into_raw();
        // SAFETY: made by `into_raw` on the line above. The count goes back: chunks do not own
        // their bell, which owns them.
        drop(unsafe { Shared::<State>::from_raw(bell) });
        let chunk = Box::new(Chunk {
            bits: AtomicU64::new(0),
            next: AtomicPtr::new(null_mut()),
            bell,
            first,
            mark: self.0.mark,
        });
        rows.chunks.push(NonNull::from(Box::leak(chunk)));
        rows.free.extend((first..first + ROWS).map(Reverse));
    }

    /// Lets `number` be handed out again. Its former holder may still wake it, in vain.
    pub(crate) fn free(&self, number: u32) {
        self.0.rows.lock().free.push(Reverse(number));
    }

    /// Whether a row was woken that no [`take`](Self::take) has taken.
    pub(crate) fn is_woken(&self) -> bool {
        // Relaxed: `take` synchronises. With `register`, the lock orders this load: see there.
        !self.0.stack.load(Ordering::Relaxed).is_null()
    }

    /// Sets the waker for the next ring. Check [`Bell::is_woken`] afterwards, before waiting.
    ///
    /// A ring that comes before this was owed by a wake-up that the check sees, because both take
    /// the lock; a ring that comes after this finds the waker.
    pub(crate) fn register(&self, waker: &Waker) {
        let mut task = self.0.task.lock();
        match &mut *task {
            Some(task) => task.clone_from(waker),
            None => *task = Some(waker.clone()),
        }
    }

    /// Wakes the listener if it waits.
    pub(crate) fn ring(&self) {
        let task = self.0.task.lock().take();
        if let Some(task) = task {
            // A fan-out may ring several bells, each of which has to be rung.
            let _woken = quietly(|| task.wake());
        }
    }

    /// Takes all rows that were woken, oldest chunk first, and appends them to `woken`.
    pub(crate) fn take(&self, woken: &mut Vec<Woken>) {
        let old = woken.len();
        // Acquire: pairs with the Release in `Chunk::push`, so that `next` is seen. Pushes are
        // read-modify-writes, so the newest one carries what those before it released.
        let mut rest = self.0.stack.swap(null_mut(), Ordering::Acquire);
        // SAFETY: chunks live as long as the bell, which `self` holds.
        while let Some(chunk) = unsafe { rest.as_ref() } {
            // Relaxed: seen by the Acquire above; ours until the next line (invariant 2).
            rest = chunk.next.load(Ordering::Relaxed);
            // AcqRel: Acquire pairs with the Release of each `wake`: what came before it is
            // visible to the row's holder. Release pairs with the Acquire of the next `wake`: it
            // writes `next` after it was read here.
            let bits = chunk.bits.swap(0, Ordering::AcqRel);
            woken.push(Woken {
                first: chunk.first,
                bits,
            });
        }
        woken[old..].reverse();
    }
}

impl Drop for State {
    fn drop(&mut self) {
        for chunk in mem::take(&mut self.rows.lock().chunks) {
            // SAFETY: from `Box::leak` in `add_chunk`, and freed once. No row is left, because
            // each holds the bell.
            drop(unsafe { Box::from_raw(chunk.as_ptr()) });
        }
    }
}

// SAFETY: the chunks are owned by the state, and used only through their atomics and what never
// changes.
unsafe impl Send for State {}

// SAFETY: as for `Send`; the list of chunks is behind a lock.
unsafe impl Sync for State {}

/// Rows of one chunk that were woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Woken {
    first: u32,
    bits: u64,
}

impl Iterator for Woken {
    type Item = u32;

    /// Returns the number of the next row.
    #[inline]
    fn next(&mut self) -> Option<u32> {
        if self.bits == 0 {
            return None;
        }
        let bit = self.bits.trailing_zeros();
        self.bits &= self.bits - 1;
        Some(self.first + bit)
    }
}

impl Chunk {
    /// Sets the bit of a row. `true` if that owes a ring.
    #[inline]
    fn wake(&self, bit: u32) -> bool {
        // AcqRel: Release pairs with the Acquire in `take`. Acquire pairs with its Release: if the
        // bits were zero, `next` has been read (invariant 2).
        let before = self.bits.fetch_or(1 << bit, Ordering::AcqRel);
        before == 0 && self.push()
    }

    /// Puts the chunk on the stack. `true` if the stack was empty.
    fn push(&self) -> bool {
        let bell = self.bell();
        let stack = &bell.0.stack;
        // Relaxed: only a guess; the compare-exchange below settles it.
        let mut head = stack.load(Ordering::Relaxed);
        loop {
            // Relaxed: published by the compare-exchange.
            self.next.store(head, Ordering::Relaxed);
            let chunk = std::ptr::from_ref(self).cast_mut();
            // Release: pairs with the Acquire in `take`, which then sees `next`.
            // Relaxed (on failure): again only a guess.
            let (won, lost) = (Ordering::Release, Ordering::Relaxed);
            match stack.compare_exchange_weak(head, chunk, won, lost) {
                Ok(_) => return head.is_null(),
                Err(now) => head = now,
            }
        }
    }

    fn bell(&self) -> ManuallyDrop<Bell> {
        // SAFETY: made by `into_raw` of the bell that owns this chunk, and so is alive. The count
        // is not this one's to give up, hence `ManuallyDrop`.
        ManuallyDrop::new(Bell(unsafe { Shared::from_raw(self.bell) }))
    }
}

/// One receiver among those of a bell. A clone is the same row.
#[derive(Clone)]
pub(crate) struct Row {
    bell: Bell,
    chunk: NonNull<Chunk>,
    number: u32,
}

impl Row {
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Wakes the row, and rings if that is owed.
    pub(crate) fn wake(&self) {
        // SAFETY: chunks live as long as the bell, which `self` holds.
        let chunk = unsafe { self.chunk.as_ref() };
        if chunk.wake(self.number % ROWS) {
            self.bell.ring();
        }
    }
}

// SAFETY: the chunk is used only through its atomics and what never changes.
unsafe impl Send for Row {}

// SAFETY: as for `Send`.
unsafe impl Sync for Row {}

/// Eight bytes with room for a row, set at most once.
///
/// The address of the chunk, the number of the row within it in the low six bits.
#[derive(Default)]
pub(crate) struct RowCell(AtomicPtr<Chunk>);

impl RowCell {
    /// Sets the row. `false` if one was set before.
    pub(crate) fn set(&self, row: &Row) -> bool {
        let bit = (row.number % ROWS) as usize;
        let word = row.chunk.as_ptr().map_addr(|address| address | bit);
        let counted = row.bell.0.clone().into_raw();
        // Release: pairs with the Acquire in `get`; the chunk is seen initialised.
        // Relaxed (on failure): nothing is read.
        let (won, lost) = (Ordering::Release, Ordering::Relaxed);
        let set = self.0.compare_exchange(null_mut(), word, won, lost).is_ok();
        if !set {
            // SAFETY: from `into_raw` above, and turned back once.
            drop(unsafe { Shared::<State>::from_raw(counted) });
        }
        set
    }

    /// Whether a row was set.
    #[inline]
    pub(crate) fn is_set(&self) -> bool {
        // Relaxed: callers that act on it have synchronised with the one that has set it.
        !self.0.load(Ordering::Relaxed).is_null()
    }

    /// Wakes the row, if one was set. `Some` means that a ring is owed, at this bell.
    #[inline]
    pub(crate) fn wake(&self) -> Option<Bell> {
        let (chunk, bit) = self.get()?;
        chunk.wake(bit).then(|| Bell::clone(&chunk.bell()))
    }

    /// Returns the mark of the bell, or 0 if no row was set.
    #[inline(always)]
    pub(crate) fn mark(&self) -> u64 {
        self.get().map_or(0, |(chunk, _)| chunk.mark)
    }

    #[inline(always)]
    fn get(&self) -> Option<(&Chunk, u32)> {
        // Acquire: pairs with the Release in `set`.
        let word = self.0.load(Ordering::Acquire);
        #[expect(clippy::cast_possible_truncation, reason = "below 64")]
        let bit = (word.addr() & TAG) as u32;
        let chunk = word.map_addr(|address| address & !TAG);
        // SAFETY: null, or a chunk of a bell that this cell keeps alive (invariant 3).
        unsafe { chunk.as_ref() }.map(|chunk| (chunk, bit))
    }
}

impl Drop for RowCell {
    fn drop(&mut self) {
        let bell = self.get().map(|(chunk, _)| chunk.bell());
        if let Some(bell) = bell {
            drop(ManuallyDrop::into_inner(bell));
        }
    }
}

/// The bits of a chunk's address that name one of its rows.
const TAG: usize = align_of::<Chunk>() - 1;

const _: () = assert!(ROWS as usize <= TAG + 1, "each row has a tag of its own");

/// Rings that are owed, each to be paid once for many wake-ups. Dropping this pays them.
#[derive(Default)]
pub(crate) struct Rings(SmallVec<[Bell; 2]>);

impl Rings {
    /// Adds a ring that is owed.
    pub(crate) fn owe(&mut self, bell: Bell) {
        self.0.push(bell);
    }

    /// Rings the bells.
    #[inline]
    pub(crate) fn pay(&mut self) {
        if !self.0.is_empty() {
            self.0.drain(..).for_each(|bell| bell.ring());
        }
    }
}

impl Drop for Rings {
    fn drop(&mut self) {
        self.pay();
    }
}

#[cfg(all(test, throng_loom))]
mod model;
#[cfg(all(test, not(throng_loom)))]
mod tests;
