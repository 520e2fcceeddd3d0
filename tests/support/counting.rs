//! The system's allocator, counted: one for the whole process, so a test that uses it has a binary
//! of its own.

use std::alloc::GlobalAlloc;
use std::alloc::Layout;
use std::alloc::System;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

/// The system's allocator, counted.
pub(crate) struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static BLOCKS: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);

/// Returns the number of allocations since the start.
pub(crate) fn allocations() -> usize {
    // Relaxed: a figure; the caller waits for the threads that matter.
    ALLOCATIONS.load(Ordering::Relaxed)
}

/// Returns the number of allocations that are live now.
pub(crate) fn blocks() -> usize {
    // Relaxed: see `allocations`.
    BLOCKS.load(Ordering::Relaxed)
}

/// Returns the bytes that are allocated now, as they were asked for.
pub(crate) fn bytes() -> usize {
    // Relaxed: see `allocations`.
    BYTES.load(Ordering::Relaxed)
}

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: every call goes to `System`, with the arguments it came with.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Relaxed: a count.
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        BLOCKS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // Relaxed: a count.
        BLOCKS.fetch_sub(1, Ordering::Relaxed);
        BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `GlobalAlloc::dealloc`.
        unsafe { System.dealloc(ptr, layout) }
    }
}
