//! What the scans of this thread have cost.
//!
//! A scan reports how many entries it has examined, found or not. A transport takes the sum after
//! each command that it carries out, and lets other tasks have their turn when it is large.

use std::cell::Cell;

thread_local! {
    static EXAMINED: Cell<u64> = const { Cell::new(0) };
}

/// Adds entries that a scan has examined.
pub(crate) fn examined(entries: usize) {
    EXAMINED.with(|sum| sum.set(sum.get().saturating_add(entries as u64)));
}

/// Returns how many entries were examined since the last call.
#[cfg_attr(not(feature = "ws"), expect(dead_code, reason = "for transports"))]
pub(crate) fn take() -> u64 {
    EXAMINED.with(Cell::take)
}
