//! Hints to the processor about what is going to be needed.

/// The size of a cache line, near enough everywhere.
const LINE: usize = 64;

/// Asks the processor to fetch the first `lines` cache lines of a value, which are going to be
/// written; a hint without effect on what the program does. What lies behind the value may be
/// fetched with it.
#[inline(always)]
pub(crate) fn prefetch<T: ?Sized>(value: &T, lines: usize) {
    let start: *const i8 = std::ptr::from_ref(value).cast();
    for line in 0..lines {
        prefetch_at(start.wrapping_add(line * LINE));
    }
}

/// Asks the processor to fetch the cache line at an address, at which nothing need be.
#[inline(always)]
pub(crate) fn prefetch_at(line: *const i8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch of any address is allowed; it does not fault.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(line);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}
