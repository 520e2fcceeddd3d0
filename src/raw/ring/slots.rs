//! The slots of a ring: pointers tagged with the parity of the lap that filled them.
//!
//! A consumer knows a slot is filled by its tag alone: lap 0 writes tag 1, lap 1 writes tag 0,
//! and so on, and fresh memory is all zero. So a taken slot need not be cleared, eight slots
//! share a cache line, and slots are not allocated before the first push.

use std::ptr::null_mut;

use crate::sync::atomic::AtomicPtr;
use crate::sync::atomic::Ordering;

use crate::raw::shared::Shared;

/// The slots of one ring, allocated when first pushed to.
pub(super) struct Slots {
    /// The first of `1 << log2` slots, or null. Set once, from null.
    first: AtomicPtr<Slot>,
    /// Log2 of the number of slots.
    log2: u32,
}

type Slot = AtomicPtr<()>;

impl Slots {
    /// Room for at least `messages`.
    pub(super) fn new(messages: usize) -> Self {
        Self {
            first: AtomicPtr::new(null_mut()),
            log2: messages.next_power_of_two().ilog2(),
        }
    }

    /// Puts `item` where `position` says.
    ///
    /// # Safety
    ///
    /// The caller has claimed `position`, so nobody else writes to its slot until the consumer
    /// has passed it.
    #[inline(always)]
    pub(super) unsafe fn fill<T>(&self, position: usize, item: Shared<T>) {
        // Acquire: pairs with the Release of `allocate`, so the slots are seen initialised.
        let mut first = self.first.load(Ordering::Acquire);
        if first.is_null() {
            first = self.allocate();
        }
        let tag = self.tag(position);
        let tagged = item.into_raw().map_addr(|address| address | tag);
        // SAFETY: `first` is the slots', which live as long as `self`.
        let slot = unsafe { self.slot(first, position) };
        // Release: pairs with the Acquire in `take`; the consumer that sees the pointer sees
        // what it points to.
        slot.store(tagged, Ordering::Release);
    }

    /// Takes what is at `position`, or nothing if it has not been filled yet.
    ///
    /// # Safety
    ///
    /// The caller is the consumer, has not taken `position` before, and has taken all before it.
    #[inline(always)]
    pub(super) unsafe fn take<T>(&self, position: usize) -> Option<Shared<T>> {
        // Acquire: pairs with the Release of `allocate`, as in `fill`.
        let first = self.first.load(Ordering::Acquire);
        if first.is_null() {
            return None;
        }
        // SAFETY: `first` is the slots', which live as long as `self`.
        let slot = unsafe { self.slot(first, position) };
        // Acquire: pairs with the Release in `fill`.
        let tagged = slot.load(Ordering::Acquire);
        let tag = self.tag(position);
        if tagged.addr() & 1 != tag || tagged.is_null() {
            return None;
        }
        let raw = tagged.map_addr(|address| address & !1);
        // SAFETY: the tag says that the producer which claimed `position` has put its owner here,
        // and the caller takes each position once.
        Some(unsafe { Shared::from_raw(raw) })
    }

    /// The tag of a filled slot at `position`: 1 in even laps, 0 in odd ones.
    #[inline(always)]
    fn tag(&self, position: usize) -> usize {
        !(position >> self.log2) & 1
    }

    fn count(&self) -> usize {
        1 << self.log2
    }

    /// The slot of `position`.
    ///
    /// # Safety
    ///
    /// `first` is what `self.first` holds, and is not null.
    #[inline(always)]
    unsafe fn slot(&self, first: *mut Slot, position: usize) -> &Slot {
        let index = position & (self.count() - 1);
        // SAFETY: the index is below the number of slots allocated.
        let slot = unsafe { first.add(index) };
        // SAFETY: slots are initialised before `first` is published, and freed with `self`.
        unsafe { &*slot }
    }

    #[cold]
    fn allocate(&self) -> *mut Slot {
        let fresh = Box::into_raw(empty_slots(self.count())).cast::<Slot>();
        // Release: whoever sees the pointer sees the slots empty.
        // Acquire (on failure): sees the slots that another producer has put here first.
        let set =
            self.first
                .compare_exchange(null_mut(), fresh, Ordering::Release, Ordering::Acquire);
        match set {
            Ok(_) => fresh,
            Err(first) => {
                // SAFETY: `fresh` came from a box of this many slots and was shown to nobody.
                unsafe { free(fresh, self.count()) };
                first
            }
        }
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // Relaxed: `&mut self` is handed over by whatever made it exclusive.
        let first = self.first.load(Ordering::Relaxed);
        if !first.is_null() {
            // SAFETY: set once by `allocate`, from a box of this many slots.
            unsafe { free(first, self.count()) }
        }
    }
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
