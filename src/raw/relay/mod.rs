//! A value that several threads use, one at a time, without waiting for each other.
//!
//! A [visitor](Relay::visit) does not wait: if the value is taken, the thread that has it learns
//! that a visit was missed, and has the visitor called again.
//!
//! # Guarantee
//!
//! A visit sees what happened before it was called for, or the thread that has the value learns of
//! a missed visit after that.
//!
//! # Progress
//!
//! [`Relay::visit`] does not block. [`Relay::enter`] blocks while another thread is in.

use crate::sync::Mutex;
use crate::sync::atomic::AtomicBool;
use crate::sync::atomic::Ordering;
use crate::sync::atomic::fence;

/// A value and its visitors.
#[derive(Debug, Default)]
pub(crate) struct Relay<T> {
    value: Mutex<T>,
    /// A visitor found the value taken.
    missed: AtomicBool,
}

impl<T> Relay<T> {
    /// Runs `f` on the value; `None` if another thread has it, which then learns of this.
    pub(crate) fn visit<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        if let Some(mut value) = self.value.try_lock() {
            return Some(f(&mut value));
        }
        // Relaxed: ordered by the fence.
        self.missed.store(true, Ordering::Relaxed);
        // SeqCst: pairs with the fence in `enter`. Either the value is found free below, or the one
        // who had it finds the note.
        fence(Ordering::SeqCst);
        let mut value = self.value.try_lock()?;
        // Relaxed: at worst one visit too many is arranged.
        self.missed.store(false, Ordering::Relaxed);
        Some(f(&mut value))
    }

    /// Does something with the value, for which it waits. The second value says whether a visit
    /// was missed, which the caller is then to arrange, whether or not another is asked for.
    pub(crate) fn enter<R>(&self, f: impl FnOnce(&mut T) -> R) -> (R, bool) {
        let done = f(&mut self.value.lock());
        (done, self.leave())
    }

    /// [`Relay::enter`], unless somebody else is in.
    #[cfg(feature = "ws")]
    pub(crate) fn try_enter<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<(R, bool)> {
        let done = f(&mut *self.value.try_lock()?);
        Some((done, self.leave()))
    }

    /// Whether a visit was missed while the caller was in.
    fn leave(&self) -> bool {
        // SeqCst: pairs with the fence in `visit`.
        fence(Ordering::SeqCst);
        // Relaxed: ordered by the fence.
        let missed = self.missed.load(Ordering::Relaxed);
        if missed {
            // Relaxed: the visit that is arranged now comes after all that were missed.
            self.missed.store(false, Ordering::Relaxed);
        }
        missed
    }
}

#[cfg(all(test, throng_loom))]
mod model;
#[cfg(all(test, not(throng_loom)))]
mod tests;
