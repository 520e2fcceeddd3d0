//! A shared owner of a ring that knows where its line is.

use std::fmt;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;
use std::task::Waker;

use crate::raw::bell::Rings;
use crate::raw::ring::Beside;
use crate::raw::ring::Line;
use crate::raw::ring::Park;
use crate::raw::ring::Plain;
use crate::raw::ring::Receiver;
use crate::raw::ring::Refused;
use crate::raw::ring::Ring;
use crate::raw::ring::Seen;
use crate::raw::ring::Weigh;
use crate::raw::shared::Shared;

/// Something that has a ring: always the same one.
pub(crate) trait Ringed {
    type Item: Weigh;
    type State: Beside;

    fn ring(&self) -> &Ring<Self::Item, Self::State>;
}

/// An [`Arc`] of something that has a ring, and the address of that ring's line: pushing and
/// taking touch the line, and the owner only when more is needed.
///
/// # Invariants
///
/// 1. `line` is that of `owner.ring()`, and lives for as long as `owner` is held: `Ringed::ring`
///    lends the ring for any lifetime for which the owner is borrowed, also for one as long as
///    this `Arc` is there, and a ring keeps its line.
pub(crate) struct Tap<C: Ringed> {
    line: NonNull<Line<C::Item>>,
    owner: Arc<C>,
}

impl<C: Ringed> Tap<C> {
    pub(crate) fn new(owner: Arc<C>) -> Self {
        let line = owner.ring().line.address();
        Self { line, owner }
    }

    #[inline(always)]
    fn line(&self) -> &Line<C::Item> {
        // SAFETY: the line lives (invariant 1).
        unsafe { self.line.as_ref() }
    }

    /// [`Ring::push`] as one of many: if it owes a ring, the ring is added to `rings`.
    ///
    /// # Errors
    ///
    /// As [`Ring::push`].
    #[inline(always)]
    pub(crate) fn push_with(
        &self,
        item: Shared<C::Item>,
        rings: &mut Rings,
    ) -> Result<(), Refused<C::Item>> {
        // SAFETY: the line is that of the owner's ring (invariant 1).
        let parked = unsafe { self.line().put(|| self.owner.ring(), item)? };
        if !parked {
            return Ok(());
        }
        // A row is all on the line, and a waker is not.
        let row = &self.line().row;
        let bell = if row.is_set() {
            row.wake()
        } else {
            self.owner.ring().notify()
        };
        if let Some(bell) = bell {
            rings.owe(bell);
        }
        Ok(())
    }

    /// [`Ring::mark`].
    #[inline(always)]
    pub(crate) fn mark(&self) -> u64 {
        self.line().mark()
    }

    /// [`Ring::take_plainly`].
    #[inline(always)]
    pub(crate) fn take_plainly(
        &self,
        receiver: &mut Receiver,
        max: usize,
        put: impl FnMut(Shared<C::Item>),
    ) -> Plain {
        let ring = || self.owner.ring();
        // SAFETY: the line is that of the owner's ring (invariant 1).
        unsafe { self.line().take_plainly(ring, receiver, max, put) }
    }

    /// [`Ring::park`].
    ///
    /// # Panics
    ///
    /// As [`Ring::park`].
    #[inline]
    pub(crate) fn park(&self, receiver: &mut Receiver, seen: Seen, waker: Option<&Waker>) -> Park {
        let ring = || self.owner.ring();
        // SAFETY: the line is that of the owner's ring (invariant 1).
        unsafe { self.line().park(ring, receiver, seen, waker) }
    }

    /// Prefetches what receiving for a client that came a little later is going to touch, if it is
    /// there.
    #[inline(always)]
    pub(crate) fn prefetch_neighbour(&self) {
        self.line().prefetch_neighbour();
    }

    /// Asks the processor to fetch what a push is going to touch, and touches nothing but this.
    #[inline(always)]
    pub(crate) fn prefetch(&self) {
        self.line().prefetch();
    }
}

impl<C: Ringed> Clone for Tap<C> {
    fn clone(&self) -> Self {
        Self {
            line: self.line,
            owner: Arc::clone(&self.owner),
        }
    }
}

impl<C: Ringed> Deref for Tap<C> {
    type Target = Arc<C>;

    #[inline(always)]
    fn deref(&self) -> &Arc<C> {
        &self.owner
    }
}

impl<C: Ringed> fmt::Debug for Tap<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tap").field(&self.line).finish()
    }
}

// SAFETY: the line is used as the owner's ring is, whose own bounds are asked for.
unsafe impl<C: Ringed + Send + Sync> Send for Tap<C> where Ring<C::Item, C::State>: Sync {}

// SAFETY: as for `Send`.
unsafe impl<C: Ringed + Send + Sync> Sync for Tap<C> where Ring<C::Item, C::State>: Sync {}
