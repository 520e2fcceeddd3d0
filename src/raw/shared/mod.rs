//! A value that many hold and that is counted in bulk.
//!
//! `Arc` with two additions that a fan-out needs: the count can be raised by any number in one
//! atomic operation ([`Shared::lend`]), and lowered by any number in one ([`release_run`]). So one
//! publish to a million subscribers costs two operations on the count, not two million.
//!
//! # Invariants
//!
//! 1. The count equals the number of owners: `Shared`s, plus counts that a [`Loan`] holds and has
//!    not handed out, plus those a pointer made by [`Shared::into_raw`] stands for.
//! 2. The value is dropped, and the memory freed, by whoever lowers the count to zero, once.

use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr::NonNull;

use crate::quiet::quietly;
use crate::sync::atomic::AtomicUsize;
use crate::sync::atomic::Ordering;
use crate::sync::atomic::fence;

/// A shared owner of a `T`.
pub(crate) struct Shared<T> {
    inner: NonNull<Inner<T>>,
    owns: PhantomData<Inner<T>>,
}

/// Aligned to 8 so that the low three bits of its address are free for tags.
#[repr(align(8))]
struct Inner<T> {
    count: AtomicUsize,
    value: T,
}

/// More owners than could exist unless owners were leaked in a loop, as in `Arc`.
const MOST_OWNERS: usize = usize::MAX / 2;

impl<T> Shared<T> {
    /// How large what is shared is, with its count.
    #[cfg(not(throng_loom))]
    pub(crate) const SIZE: usize = size_of::<Inner<T>>();

    pub(crate) fn new(value: T) -> Self {
        let inner = Box::new(Inner {
            count: AtomicUsize::new(1),
            value,
        });
        Self {
            inner: NonNull::from(Box::leak(inner)),
            owns: PhantomData,
        }
    }

    /// Raises the count by `owners` at once and lends them out one by one.
    #[inline]
    pub(crate) fn lend(&self, owners: usize) -> Loan<'_, T> {
        self.raise(owners);
        Loan {
            shared: self,
            left: owners,
        }
    }

    pub(crate) fn ptr_eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }

    /// This owner as a pointer whose low three bits are zero. The count goes with it.
    #[inline(always)]
    pub(in crate::raw) fn into_raw(self) -> *mut () {
        ManuallyDrop::new(self).inner.as_ptr().cast()
    }

    /// The owner that a pointer stands for.
    ///
    /// # Safety
    ///
    /// `raw` came from [`Shared::into_raw`] of the same `T`, and is turned back only once.
    #[inline(always)]
    pub(in crate::raw) unsafe fn from_raw(raw: *mut ()) -> Self {
        // SAFETY: the caller's pointer is that of a live `Inner`, which is never null.
        let inner = unsafe { NonNull::new_unchecked(raw.cast()) };
        Self {
            inner,
            owns: PhantomData,
        }
    }

    #[inline(always)]
    fn inner(&self) -> &Inner<T> {
        // SAFETY: this owner is counted (invariant 1), so the value has not been dropped.
        unsafe { self.inner.as_ref() }
    }

    #[inline]
    fn raise(&self, owners: usize) {
        // Relaxed: the caller is an owner, so the value is alive and visible to it; whoever gets
        // the new owner gets it by some other synchronisation.
        let before = self.inner().count.fetch_add(owners, Ordering::Relaxed);
        if before > MOST_OWNERS {
            // As `Arc` does: owners must have been leaked on purpose; a wrapped count would free
            // a value in use.
            std::process::abort();
        }
    }

    /// Lowers the count by `owners` without touching this `Shared`'s drop.
    ///
    /// # Safety
    ///
    /// The caller gives up `owners` owners, this one among them when it is the last.
    #[inline]
    unsafe fn lower(inner: NonNull<Inner<T>>, owners: usize) {
        // SAFETY: the caller's owners are counted until the next line.
        let count = unsafe { &inner.as_ref().count };
        // Release: what these owners did with the value happens before it is dropped, by whoever
        // reads the count as the last (the Acquire fence below).
        let before = count.fetch_sub(owners, Ordering::Release);
        // In models and tests, an owner that is given up twice is found.
        if cfg!(any(throng_loom, debug_assertions)) {
            assert!(before >= owners, "an owner was given up twice");
        }
        if before != owners {
            return;
        }
        // Acquire: pairs with the Release of all other owners, so their uses come before the drop.
        fence(Ordering::Acquire);
        // SAFETY: the count is zero, so nobody else holds the value (invariant 2).
        let last = unsafe { Box::from_raw(inner.as_ptr()) };
        // The value may be foreign, and the last owner in the middle of something.
        let _dropped = quietly(|| drop(last));
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.inner().value
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        self.raise(1);
        Self {
            inner: self.inner,
            owns: PhantomData,
        }
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // SAFETY: this owner ends here.
        unsafe { Self::lower(self.inner, 1) }
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

// SAFETY:
// - `T: Sync`, for all owners read the one value, from whichever thread they are on.
// - `T: Send`, for the last owner drops the value, on whichever thread it is.
unsafe impl<T: Send + Sync> Send for Shared<T> {}

// SAFETY: a `&Shared` can be cloned into a `Shared`, so the bounds are those of `Send`, for the
// same two reasons.
unsafe impl<T: Send + Sync> Sync for Shared<T> {}

/// Owners that were counted in advance and not yet handed out; what is left when it is dropped
/// goes back in one operation.
pub(crate) struct Loan<'a, T> {
    shared: &'a Shared<T>,
    left: usize,
}

impl<T> Loan<'_, T> {
    /// One owner; the count is not touched.
    ///
    /// # Panics
    ///
    /// When more are taken than were lent.
    #[inline(always)]
    pub(crate) fn take(&mut self) -> Shared<T> {
        assert!(self.left > 0, "took more owners than were lent");
        self.left -= 1;
        Shared {
            inner: self.shared.inner,
            owns: PhantomData,
        }
    }

    /// Takes back an owner of the same value that was not needed.
    #[inline(always)]
    pub(crate) fn give_back(&mut self, owner: Shared<T>) {
        debug_assert!(
            owner.ptr_eq(self.shared),
            "gave back an owner of another value"
        );
        if owner.ptr_eq(self.shared) {
            self.left += 1;
            let _counted_in_left = ManuallyDrop::new(owner);
        }
    }
}

impl<T> Drop for Loan<'_, T> {
    fn drop(&mut self) {
        if self.left > 0 {
            // SAFETY: these owners were counted by `lend` and handed to nobody; `shared` is not
            // among them and keeps the value alive.
            unsafe { Shared::lower(self.shared.inner, self.left) }
        }
    }
}

/// Gives up all owners in `owners`, lowering each value's count once for many of them: for all
/// that come in a row, and mostly for all of few values, whatever their order.
pub(crate) fn release_runs<T>(owners: impl Iterator<Item = Shared<T>>) {
    let mut runs = [const { None::<Run<T>> }; RUNS];
    for owner in owners.map(ManuallyDrop::new) {
        let run = &mut runs[place(owner.inner)];
        match run {
            Some(run) if run.inner == owner.inner => run.owners += 1,
            _ => {
                let begun = Run {
                    inner: owner.inner,
                    owners: 1,
                };
                if let Some(ended) = run.replace(begun) {
                    ended.release();
                }
            }
        }
    }
    for run in runs.iter().flatten() {
        run.release();
    }
}

/// How many values are counted at a time.
const RUNS: usize = 16;

/// Where the owners of a value are counted.
fn place<T>(inner: NonNull<T>) -> usize {
    // Values lie at least a cache line apart, and often a multiple of some power of two.
    let line = inner.addr().get() / 64;
    (line ^ (line / RUNS) ^ (line / (RUNS * RUNS))) % RUNS
}

/// Some owners of one value, gathered by [`release_runs`].
struct Run<T> {
    inner: NonNull<Inner<T>>,
    owners: usize,
}

impl<T> Run<T> {
    fn release(&self) {
        // SAFETY: `release_runs` took this many owners of this value and kept none.
        unsafe { Shared::lower(self.inner, self.owners) }
    }
}

#[cfg(test)]
mod tests;
