//! A value that several look after, one at a time, and that nobody need wait for.
//!
//! Those who have something for it [ask](Relay::ask) for a visit; one of them arranges it. A
//! [visitor](Relay::visit) does not wait: whoever has the value learns that somebody called, and
//! sees to it that he comes again.
//!
//! # What holds
//!
//! What happened before an [`ask`](Relay::ask) is seen by a visit that begins after it, or by the
//! next one that its caller, or whoever is told of a missed visit, arranges.
//!
//! # Progress
//!
//! [`Relay::ask`] and [`Relay::visit`] never wait. [`Relay::enter`] waits for whoever is in.

use crate::sync::Mutex;
use crate::sync::atomic::AtomicBool;
use crate::sync::atomic::Ordering;
use crate::sync::atomic::fence;

/// A value and its visitors.
#[derive(Debug, Default)]
pub(crate) struct Relay<T> {
    value: Mutex<T>,
    /// A visit was asked for, and has not begun.
    asked: AtomicBool,
    /// A visitor found the value taken.
    missed: AtomicBool,
}

impl<T> Relay<T> {
    /// Asks for a visit; whether the caller is the one to arrange it.
    pub(crate) fn ask(&self) -> bool {
        // Release: pairs with the Acquire in `visit`: a visit that takes up what another has asked
        // for sees what came before this, too. Acquire is not needed: who is not the first does
        // nothing, and who is the first only arranges.
        !self.asked.swap(true, Ordering::Release)
    }

    /// Does what was asked for; `None` if somebody has the value, who is told of it.
    pub(crate) fn visit<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        // Acquire: pairs with the Release in `ask`. A read-modify-write, so that it takes up every
        // asking before it: whatever comes later asks anew.
        self.asked.swap(false, Ordering::Acquire);
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
        // SeqCst: pairs with the fence in `visit`.
        fence(Ordering::SeqCst);
        // Relaxed: ordered by the fence.
        let missed = self.missed.load(Ordering::Relaxed);
        if missed {
            // Relaxed: the visit that is arranged now comes after all that were missed.
            self.missed.store(false, Ordering::Relaxed);
        }
        (done, missed)
    }
}

#[cfg(all(test, throng_loom))]
mod model;
#[cfg(all(test, not(throng_loom)))]
mod tests;
