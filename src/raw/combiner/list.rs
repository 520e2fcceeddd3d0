//! The word's two bits, the list behind it, and the backlog it is taken into.
//!
//! The word points to the newest node of a list that anyone may push on, newest first. The owner
//! takes the whole list at once and turns it round, so the backlog begins with the oldest.

use std::mem;
use std::ptr;

use crate::quiet::quietly;

/// Operations taken off the word and not yet begun, the oldest first.
pub(super) struct Backlog<Op> {
    first: *mut Node<Op>,
    /// Invariant: the node that follows all others, unless `first` is null.
    last: *mut Node<Op>,
}

/// An operation that was handed over. Its address leaves the bits of `TAGS` free.
pub(super) struct Node<Op> {
    pub(super) op: Op,
    /// In the list the next older node, in the backlog the next younger.
    pub(super) next: *mut Self,
}

impl<Op> Backlog<Op> {
    pub(super) const fn new() -> Self {
        Self {
            first: ptr::null_mut(),
            last: ptr::null_mut(),
        }
    }

    /// Puts a list whose newest node is the first behind the rest, in the order it was pushed.
    ///
    /// # Safety
    ///
    /// `newest` is null, or the head of a list of nodes from [`Node::new`], linked by `next`,
    /// which nobody else has or looks into from now on.
    pub(super) unsafe fn append(&mut self, newest: *mut Node<Op>) {
        let mut oldest = ptr::null_mut();
        let mut rest = newest;
        while !rest.is_null() {
            // SAFETY: a node of the list that the caller gave us.
            let link = unsafe { &mut (*rest).next };
            let next = mem::replace(link, oldest);
            oldest = mem::replace(&mut rest, next);
        }
        if oldest.is_null() {
            return;
        }
        if self.first.is_null() {
            self.first = oldest;
        } else {
            // SAFETY: `last` is a node of the backlog, unless that is empty.
            unsafe { (*self.last).next = oldest };
        }
        self.last = newest;
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<Op> {
        if self.first.is_null() {
            return None;
        }
        // SAFETY: a node of the backlog, which is unlinked here and so freed once.
        let node = unsafe { Box::from_raw(self.first) };
        let Node { op, next } = *node;
        self.first = next;
        Some(op)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.first.is_null()
    }
}

impl<Op> Drop for Backlog<Op> {
    fn drop(&mut self) {
        while let Some(op) = self.pop() {
            // One that panics must not keep the rest from being dropped.
            let _dropped = quietly(|| drop(op));
        }
    }
}

impl<Op> Node<Op> {
    pub(super) fn new(op: Op) -> Box<Self> {
        const { assert!(align_of::<Self>() > TAGS, "the bits must be free") };
        Box::new(Self {
            op,
            next: ptr::null_mut(),
        })
    }
}

pub(super) fn is_owned<Op>(word: *mut Node<Op>) -> bool {
    word.addr() & OWNED != 0
}

pub(super) fn is_offered<Op>(word: *mut Node<Op>) -> bool {
    word.addr() & OFFERED != 0
}

pub(super) fn list_of<Op>(word: *mut Node<Op>) -> *mut Node<Op> {
    word.map_addr(|address| address & !TAGS)
}

/// Bit of the word: a caller owns the cell.
pub(super) const OWNED: usize = 0b01;

/// Bit of the word: operations are queued and nobody owns the cell.
pub(super) const OFFERED: usize = 0b10;

const TAGS: usize = OWNED | OFFERED;
