//! Small values of one kind, packed into chunks of a page each.
//!
//! A value that a publish touches should lie next to others that it touches, and not next to what
//! is read once a minute: so the values of an [`Arena`] stand side by side, 63 to a page, in the
//! order in which they were placed while nothing leaves.
//!
//! ```text
//!  chunk, aligned to its size
//! ┌────────┬───────┬───────┬───────┬─ ─ ─┬───────┐
//! │ header │ seat 0│ seat 1│ seat 2│      │ seat n│    header: arena, seats taken, neighbours
//! └────────┴───────┴───────┴───────┴─ ─ ─┴───────┘
//! ```
//!
//! # Memory
//!
//! A new value goes into the fullest chunk that has a free seat, and a chunk is freed with its last
//! value. The worst that can remain is a chunk for each value: when so many came at once as filled
//! the chunks, and all went but one of each. What comes later fills those chunks first.
//!
//! # Progress
//!
//! Placing and removing a value takes the arena's lock for a few steps, and at times for one
//! allocation. Using a value takes nothing.
//!
//! # Invariants
//!
//! 1. A seat is initialised while its bit in `taken` is set, and a [`Seat`] of it exists.
//! 2. `taken` and the links of a chunk are read and written under the lock of its arena only;
//!    `arena` never changes.
//! 3. A chunk is in the list of its level while some of its seats are free, and in none when it is
//!    full. No chunk is empty: whoever frees the last seat unlinks the chunk and frees it.
//! 4. A chunk owns its arena, so that the arena lives for as long as a seat does; an arena owns no
//!    chunk, so that the two do not keep each other alive.

use std::alloc::Layout;
use std::alloc::alloc;
use std::alloc::dealloc;
use std::alloc::handle_alloc_error;
use std::mem::MaybeUninit;
use std::ops::Deref;
use std::ptr::NonNull;

use crate::sync::Arc;
use crate::sync::Mutex;

/// Seats in a chunk. Under loom so few that a model fills one.
const SEATS: usize = if cfg!(throng_loom) { 2 } else { 63 };

/// Bits of `taken` when all seats are.
const FULL: u64 = (1 << SEATS) - 1;

/// Where values are placed.
pub(crate) struct Arena<T> {
    shelves: Mutex<Shelves<T>>,
}

/// The chunks that have free seats, by how many seats are taken.
struct Shelves<T> {
    /// The first chunk of each level; the level is the number of seats taken.
    levels: [Option<NonNull<Chunk<T>>>; SEATS],
    /// A bit for each level that is not empty.
    inhabited: u64,
}

#[repr(C)]
#[cfg_attr(not(throng_loom), repr(align(4096)))]
#[cfg_attr(throng_loom, repr(align(1024)))]
struct Chunk<T> {
    header: Header<T>,
    seats: [MaybeUninit<T>; SEATS],
}

struct Header<T> {
    arena: Arc<Arena<T>>,
    /// A bit for each seat.
    taken: u64,
    before: Option<NonNull<Chunk<T>>>,
    after: Option<NonNull<Chunk<T>>>,
}

/// A place with a value in it; the value is dropped, and the place freed, with it.
pub(crate) struct Seat<T> {
    at: NonNull<T>,
    /// Whether it is a box of its own, in no arena.
    alone: bool,
}

impl<T> Arena<T> {
    pub(crate) fn new() -> Arc<Self> {
        let shelves = Mutex::default();
        Arc::new(Self { shelves })
    }

    /// Places `value`.
    pub(crate) fn place(arena: &Arc<Self>, value: T) -> Seat<T> {
        let at = arena.shelves.lock().take_seat(arena);
        // SAFETY: the seat was free, and is now this caller's alone (invariant 1).
        unsafe { at.write(value) };
        Seat { at, alone: false }
    }
}

impl<T> Seat<T> {
    /// Places `value` in a box of its own.
    pub(crate) fn alone(value: T) -> Self {
        let at = NonNull::from(Box::leak(Box::new(value)));
        Self { at, alone: true }
    }

    /// Where the value is, for as long as this seat lives.
    pub(in crate::raw) fn address(&self) -> NonNull<T> {
        self.at
    }

    /// Frees the seat of the value, which has been dropped.
    ///
    /// # Safety
    ///
    /// The seat is in an arena, and nobody uses it any more.
    unsafe fn free(at: NonNull<T>) {
        let chunk = chunk_of(at);
        // SAFETY: the seat's bit is set until below, so the chunk lives, and `arena` never changes
        // (invariants 1 and 2).
        let arena = Arc::clone(unsafe { &(*chunk.as_ptr()).header.arena });
        let emptied = arena.shelves.lock().free_seat(chunk, at);
        if emptied {
            // SAFETY: it was unlinked as empty, so nobody else knows of it (invariant 3).
            unsafe { free_chunk(chunk) };
        }
    }
}

impl<T> Deref for Seat<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the value lives for as long as its seat (invariant 1).
        unsafe { self.at.as_ref() }
    }
}

impl<T> Drop for Seat<T> {
    fn drop(&mut self) {
        if self.alone {
            // SAFETY: it came from a box, in `alone`, and ends here.
            drop(unsafe { Box::from_raw(self.at.as_ptr()) });
            return;
        }
        // SAFETY: the value is initialised, and this seat its only owner (invariant 1).
        unsafe { self.at.drop_in_place() };
        // SAFETY: the value was placed in an arena, and has been dropped.
        unsafe { Self::free(self.at) };
    }
}

impl<T> Default for Shelves<T> {
    fn default() -> Self {
        Self {
            levels: [None; SEATS],
            inhabited: 0,
        }
    }
}

impl<T> Shelves<T> {
    /// A free seat of the fullest chunk that has one, now taken.
    fn take_seat(&mut self, arena: &Arc<Arena<T>>) -> NonNull<T> {
        let chunk = match self.inhabited.checked_ilog2() {
            Some(level) => self.take_chunk(level as usize),
            None => new_chunk(arena),
        };
        // SAFETY: the chunk lives, and its header is used under the lock (invariant 2).
        let header = unsafe { &mut (*chunk.as_ptr()).header };
        let index = header.taken.trailing_ones() as usize;
        header.taken |= 1 << index;
        self.put_chunk(chunk);
        seat(chunk, index)
    }

    /// Notes that a seat is free. Says whether its chunk is empty, and now nobody's.
    fn free_seat(&mut self, chunk: NonNull<Chunk<T>>, at: NonNull<T>) -> bool {
        // SAFETY: the chunk lives, and its header is used under the lock (invariant 2).
        let taken = unsafe { (*chunk.as_ptr()).header.taken };
        self.unlink(chunk, taken);
        let index = (at.addr().get() - seat(chunk, 0).addr().get()) / size_of::<T>();
        let left = taken & !(1 << index);
        // SAFETY: as above.
        unsafe { (*chunk.as_ptr()).header.taken = left };
        if left != 0 {
            self.put_chunk(chunk);
        }
        left == 0
    }

    /// The first chunk of a level that has one, taken out of it.
    fn take_chunk(&mut self, level: usize) -> NonNull<Chunk<T>> {
        let Some(chunk) = self.levels[level] else {
            unreachable!("the level is inhabited");
        };
        // SAFETY: the chunk lives, and its header is used under the lock (invariant 2).
        let taken = unsafe { (*chunk.as_ptr()).header.taken };
        self.unlink(chunk, taken);
        chunk
    }

    /// Puts a chunk into the list of its level, unless it is full.
    fn put_chunk(&mut self, chunk: NonNull<Chunk<T>>) {
        // SAFETY: the chunk lives, and its header is used under the lock (invariant 2).
        let header = unsafe { &mut (*chunk.as_ptr()).header };
        if header.taken == FULL {
            return;
        }
        let level = header.taken.count_ones() as usize;
        header.before = None;
        header.after = self.levels[level];
        if let Some(after) = header.after {
            // SAFETY: as above; a chunk in a list lives (invariant 3).
            unsafe { (*after.as_ptr()).header.before = Some(chunk) };
        }
        self.levels[level] = Some(chunk);
        self.inhabited |= 1 << level;
    }

    /// Takes a chunk with these seats taken out of the list of its level, if it is in one.
    fn unlink(&mut self, chunk: NonNull<Chunk<T>>, taken: u64) {
        if taken == FULL {
            return;
        }
        // SAFETY: the chunk lives, and its header is used under the lock (invariant 2).
        let header = unsafe { &(*chunk.as_ptr()).header };
        let (before, after) = (header.before, header.after);
        let level = taken.count_ones() as usize;
        if let Some(after) = after {
            // SAFETY: as above; a chunk in a list lives (invariant 3).
            unsafe { (*after.as_ptr()).header.before = before };
        }
        if let Some(before) = before {
            // SAFETY: as above.
            unsafe { (*before.as_ptr()).header.after = after };
        } else {
            self.levels[level] = after;
        }
        if self.levels[level].is_none() {
            self.inhabited &= !(1 << level);
        }
    }
}

/// The seat of this number.
fn seat<T>(chunk: NonNull<Chunk<T>>, index: usize) -> NonNull<T> {
    // SAFETY: the place of the seats in a chunk that lives; nothing is read.
    let seats: *mut MaybeUninit<T> = unsafe { (&raw mut (*chunk.as_ptr()).seats).cast() };
    // SAFETY: the index is below `SEATS`.
    let seat = unsafe { seats.add(index) };
    // SAFETY: an address within an allocation is not null.
    unsafe { NonNull::new_unchecked(seat.cast()) }
}

/// The chunk that a seat is in: chunks are aligned to their size.
fn chunk_of<T>(seat: NonNull<T>) -> NonNull<Chunk<T>> {
    let mask = align_of::<Chunk<T>>() - 1;
    let chunk = seat.as_ptr().map_addr(|address| address & !mask);
    // SAFETY: the seat is behind the chunk's header, so the chunk does not begin at zero.
    unsafe { NonNull::new_unchecked(chunk.cast()) }
}

/// A chunk with all seats free.
fn new_chunk<T>(arena: &Arc<Arena<T>>) -> NonNull<Chunk<T>> {
    const {
        assert!(
            size_of::<Chunk<T>>() == align_of::<Chunk<T>>(),
            "a chunk is found from its seats by its alignment"
        );
    }
    let layout = Layout::new::<Chunk<T>>();
    // SAFETY: the layout is not empty.
    let raw = unsafe { alloc(layout) };
    let Some(chunk) = NonNull::new(raw.cast::<Chunk<T>>()) else {
        handle_alloc_error(layout);
    };
    let header = Header {
        arena: Arc::clone(arena),
        taken: 0,
        before: None,
        after: None,
    };
    // SAFETY: a place in the new memory; nothing is read.
    let place = unsafe { &raw mut (*chunk.as_ptr()).header };
    // SAFETY: the memory is large enough; the seats stay uninitialised.
    unsafe { place.write(header) };
    chunk
}

/// Frees a chunk, and lets go of its arena.
///
/// # Safety
///
/// No seat of it is taken, it is in no list, and nobody else knows of it.
unsafe fn free_chunk<T>(chunk: NonNull<Chunk<T>>) {
    // SAFETY: the caller's promise: the chunk lives.
    let place = unsafe { &raw mut (*chunk.as_ptr()).header };
    // SAFETY: the header is initialised, and is not used in its place again.
    let header = unsafe { place.read() };
    // SAFETY: it was allocated with this layout, in `new_chunk`.
    unsafe { dealloc(chunk.as_ptr().cast(), Layout::new::<Chunk<T>>()) };
    drop(header);
}

// SAFETY: a seat owns its value as a box does, and may be freed on any thread, for its chunk is
// used under a lock. `T: Send`, for the value is dropped there.
unsafe impl<T: Send> Send for Seat<T> {}

// SAFETY: a `&Seat` gives a `&T`, so `T: Sync`, and nothing else.
unsafe impl<T: Sync> Sync for Seat<T> {}

// SAFETY: the pointers are to chunks that are used under the lock only; the values are their
// seats' alone, so that of `T` only what a chunk's last seat needs is asked: `Send`.
unsafe impl<T: Send> Send for Shelves<T> {}

#[cfg(all(test, throng_loom))]
mod model;
#[cfg(all(test, not(throng_loom)))]
mod tests;
