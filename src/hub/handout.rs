//! Handing frames to a writer that may not take them all, such as a socket.
//!
//! Receiving takes frames out of the outbox for good. A writer does not know beforehand how much
//! its socket takes, so it would have to keep the rest, beyond every limit and policy. Here it is
//! shown the frames, and what it does not take has never left: it counts against the limits of the
//! outbox all the while, is handed out next, and can be conflated and evicted as before.
//!
//! # Order
//!
//! Frames that come back are in front of all others, in their order.
//!
//! # Loss
//!
//! None by itself. While a writer is shown frames, it has the consumer's part of the ring: a
//! publisher that wants to make room meanwhile finds it taken, as during any turn of the receiver,
//! and hands its message over.
//!
//! # Progress
//!
//! The writer must not wait: it is called within the receiver's turn.

use std::task::Poll;
use std::task::Waker;

use crate::hub::batch::Batch;
use crate::hub::error::Closed;
use crate::hub::frame::Frame;
use crate::hub::outbox::Outbox;
use crate::hub::taking::Sink;

impl Outbox {
    /// Shows `write` the frames that are there, at most `max`, and how many of them, the first, are
    /// control messages and notices. `write` returns how many it has taken, from the first on; it
    /// takes all control messages. What it has taken is appended to `batch`. Returns the number of
    /// those: 0 if it has taken none. Pending and parked as [`Outbox::poll_recv`]; without
    /// a waker, the row of the outbox is woken.
    pub(crate) fn poll_hand_out(
        &mut self,
        waker: Option<&Waker>,
        batch: &mut Batch,
        max: usize,
        write: impl FnMut(&[Frame], usize) -> usize,
    ) -> Poll<Result<usize, Closed>> {
        let mut shown = Shown {
            start: batch.len(),
            batch,
            write,
            taken: 0,
        };
        self.poll_take(waker, &mut shown, max)
    }
}

/// Frames that are shown to a writer before they have left the outbox.
struct Shown<'a, W> {
    batch: &'a mut Batch,
    /// Where they begin in the batch.
    start: usize,
    write: W,
    taken: usize,
}

impl<W: FnMut(&[Frame], usize) -> usize> Sink for Shown<'_, W> {
    const IS_FINAL: bool = false;

    fn put(&mut self, frame: Frame) {
        self.batch.push(frame);
    }

    fn settle(&mut self, control: usize) {
        let frames = &self.batch.as_slice()[self.start..];
        if !frames.is_empty() {
            self.taken = (self.write)(frames, control).max(control);
        }
    }

    fn take_back(&mut self) -> Option<Frame> {
        if self.batch.len() > self.start + self.taken {
            self.batch.pop()
        } else {
            None
        }
    }
}
