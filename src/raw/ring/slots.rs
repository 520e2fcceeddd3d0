//! The slots of a ring: a few beside its words, and many more for when those are full.
//!
//! A client that keeps up has a handful of messages waiting at most. Those go through the [`Few`]
//! slots, in the one cache line that the ring's words are in, so that serving the client touches
//! that line and no other memory, however large its limit. When the few are full, the push that
//! finds them so makes the ring *deep*, and everything goes to the [`Many`] until the consumer has
//! emptied the ring.
//!
//! # Invariants
//!
//! 1. A slot is null, or holds the item of one position between the head and the tail.
//! 2. While the ring is not deep, all items are in the few. It becomes deep by the push that also
//!    claims the first position in the many, and shallow again only when it is empty.
//! 3. Both kinds have at least as many slots as they hold positions at a time, so that two
//!    positions in use never share a slot.

use std::mem::ManuallyDrop;
use std::ptr::null_mut;

use crate::raw::shared::Shared;
use crate::sync::atomic::AtomicPtr;
use crate::sync::atomic::Ordering;

/// How many slots stand beside the ring's words: as many as the rest of their cache line holds.
/// Under loom so few that every model with two messages goes deep.
pub(super) const FEW: usize = if cfg!(throng_loom) { 1 } else { 4 };

type Slot = AtomicPtr<()>;

/// The slots beside the ring's words.
pub(super) struct Few([Slot; FEW]);

impl Few {
    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicPtr::new(null_mut())))
    }

    /// Puts `item` where `position` says.
    ///
    /// # Safety
    ///
    /// The caller has claimed `position` in the few.
    #[inline(always)]
    pub(super) unsafe fn put<T>(&self, position: usize, item: Shared<T>) {
        put(&self.0[position % FEW], item);
    }

    /// Takes what is at `position`, or nothing if it is elsewhere or has not been put there yet.
    ///
    /// # Safety
    ///
    /// The caller is the consumer, `position` is before the tail and has not been taken, and all
    /// before it have.
    #[inline(always)]
    pub(super) unsafe fn take<T>(&self, position: usize) -> Option<Shared<T>> {
        // SAFETY: the caller's promise; by invariant 3 the slot is no other position's.
        unsafe { take(&self.0[position % FEW]) }
    }

    /// Returns what is at `position`, as [`Few::take`] does, and leaves it there.
    ///
    /// # Safety
    ///
    /// As [`Few::take`].
    pub(super) unsafe fn peek<T>(&self, position: usize) -> Option<Shared<T>> {
        // SAFETY: the caller's promise, as in `take`.
        unsafe { peek(&self.0[position % FEW]) }
    }
}

/// The slots of a ring that has become deep once: allocated then, and kept.
pub(super) struct Many {
    /// The first of the slots, or null. Set once, from null.
    first: AtomicPtr<Slot>,
}

/// How many slots the many are: log2 of it.
#[derive(Clone, Copy)]
pub(super) struct Shape(u8);

impl Shape {
    /// Room for at least `messages`.
    pub(super) fn of(messages: usize) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "a logarithm is at most 63")]
        Self(messages.next_power_of_two().ilog2() as u8)
    }

    fn count(self) -> usize {
        1 << self.0
    }
}

impl Many {
    pub(super) fn new() -> Self {
        Self {
            first: AtomicPtr::new(null_mut()),
        }
    }

    /// Puts `item` where `position` says.
    ///
    /// # Safety
    ///
    /// The caller has claimed `position` in the many; `shape` is the ring's.
    #[inline(always)]
    pub(super) unsafe fn put<T>(&self, shape: Shape, position: usize, item: Shared<T>) {
        // Acquire: pairs with the Release of `allocate`, so the slots are seen initialised.
        let mut first = self.first.load(Ordering::Acquire);
        if first.is_null() {
            first = self.allocate(shape);
        }
        // SAFETY: `first` is not null, and the shape is the ring's.
        put(unsafe { self.slot(first, shape, position) }, item);
    }

    /// Takes what is at `position`, or nothing if it is elsewhere or has not been put there yet.
    ///
    /// # Safety
    ///
    /// As [`Few::take`]; `shape` is the ring's.
    #[inline(always)]
    pub(super) unsafe fn take<T>(&self, shape: Shape, position: usize) -> Option<Shared<T>> {
        // Acquire: pairs with the Release of `allocate`, as in `put`.
        let first = self.first.load(Ordering::Acquire);
        if first.is_null() {
            return None;
        }
        // SAFETY: `first` is not null, and the shape is the ring's.
        let slot = unsafe { self.slot(first, shape, position) };
        // SAFETY: the caller's promise; by invariant 3 the slot is no other position's.
        unsafe { take(slot) }
    }

    /// Returns what is at `position`, as [`Many::take`] does, and leaves it there.
    ///
    /// # Safety
    ///
    /// As [`Many::take`].
    pub(super) unsafe fn peek<T>(&self, shape: Shape, position: usize) -> Option<Shared<T>> {
        // Acquire: as in `take`.
        let first = self.first.load(Ordering::Acquire);
        if first.is_null() {
            return None;
        }
        // SAFETY: `first` is not null, and the shape is the ring's.
        let slot = unsafe { self.slot(first, shape, position) };
        // SAFETY: the caller's promise, as in `take`.
        unsafe { peek(slot) }
    }

    /// Frees the slots; what they point to is not dropped. `shape` is the ring's.
    #[expect(clippy::needless_pass_by_ref_mut, reason = "nobody else may be at it")]
    pub(super) fn free(&mut self, shape: Shape) {
        // Relaxed: `&mut self` is handed over by whatever made it exclusive.
        let first = self.first.load(Ordering::Relaxed);
        // Relaxed: as above.
        self.first.store(null_mut(), Ordering::Relaxed);
        if !first.is_null() {
            // SAFETY: set once by `allocate`, from a box of as many slots as the ring's one shape
            // says, and forgotten above.
            unsafe { free(first, shape.count()) }
        }
    }

    /// The slot of `position`.
    ///
    /// # Safety
    ///
    /// `first` is what `self.first` holds, and is not null; `shape` is the ring's.
    #[inline(always)]
    unsafe fn slot(&self, first: *mut Slot, shape: Shape, position: usize) -> &Slot {
        let index = position & (shape.count() - 1);
        // SAFETY: the index is below the number of slots allocated.
        let slot = unsafe { first.add(index) };
        // SAFETY: slots are initialised before `first` is published, and freed with the ring.
        unsafe { &*slot }
    }

    #[cold]
    fn allocate(&self, shape: Shape) -> *mut Slot {
        let fresh = Box::into_raw(empty_slots(shape.count())).cast::<Slot>();
        // Release: whoever sees the pointer sees the slots empty.
        // Acquire (on failure): sees the slots that another producer has put here first.
        let (won, lost) = (Ordering::Release, Ordering::Acquire);
        match self.first.compare_exchange(null_mut(), fresh, won, lost) {
            Ok(_) => fresh,
            Err(first) => {
                // SAFETY: `fresh` came from a box of this many slots and was shown to nobody.
                unsafe { free(fresh, shape.count()) };
                first
            }
        }
    }
}

#[inline(always)]
fn put<T>(slot: &Slot, item: Shared<T>) {
    // Release: pairs with the Acquire in `take`; the consumer that sees the pointer sees what it
    // points to.
    slot.store(item.into_raw(), Ordering::Release);
}

/// Takes what is in `slot`, if anything is.
///
/// # Safety
///
/// The caller is the consumer, and what is in the slot was [`put`] there as a `Shared<T>`.
#[inline(always)]
unsafe fn take<T>(slot: &Slot) -> Option<Shared<T>> {
    // Acquire: pairs with the Release in `put`.
    let raw = slot.load(Ordering::Acquire);
    if raw.is_null() {
        return None;
    }
    // Relaxed: no producer looks; the next to put something here has seen the head move past
    // this position, and that comes after.
    slot.store(null_mut(), Ordering::Relaxed);
    // SAFETY: the caller's promise, and the slot was emptied, so it is taken once.
    Some(unsafe { Shared::from_raw(raw) })
}

/// Returns another owner of the item in `slot`, if it has one.
///
/// # Safety
///
/// As [`take`].
unsafe fn peek<T>(slot: &Slot) -> Option<Shared<T>> {
    // Acquire: as in `take`.
    let raw = slot.load(Ordering::Acquire);
    if raw.is_null() {
        return None;
    }
    // SAFETY: the caller's promise; the slot keeps its owner, for this one is never dropped.
    let item = ManuallyDrop::new(unsafe { Shared::from_raw(raw) });
    Some(Shared::clone(&item))
}

/// Frees slots made by [`empty_slots`]; what they point to is not dropped.
///
/// # Safety
///
/// `first` came from a box of `count` slots and is not used again.
unsafe fn free(first: *mut Slot, count: usize) {
    let slots = std::ptr::slice_from_raw_parts_mut(first, count);
    // SAFETY: the caller's promise.
    drop(unsafe { Box::from_raw(slots) });
}

#[cfg(not(throng_loom))]
fn empty_slots(count: usize) -> Box<[Slot]> {
    // Zeroed at once, so that the operating system may give a large ring its memory page by page
    // as it is used.
    let zeroed: Box<[usize]> = vec![0; count].into_boxed_slice();
    let slots = Box::into_raw(zeroed) as *mut [Slot];
    // SAFETY: an atomic pointer has the size, alignment and, when null, the bits of a zero usize.
    unsafe { Box::from_raw(slots) }
}

#[cfg(throng_loom)]
fn empty_slots(count: usize) -> Box<[Slot]> {
    (0..count).map(|_| AtomicPtr::new(null_mut())).collect()
}
