//! Frames received together, and given back together.

use std::fmt;

use crate::hub::frame::Frame;
use crate::raw::shared::release_runs;

/// Frames received together.
///
/// It belongs to no outbox, keeps its memory when cleared, and lowers the reference count of a
/// frame once for each run of it: who drains many outboxes into one batch pays for a broadcast's
/// count once, not once per client.
///
/// ```
/// use throng::{Batch, ConnectOptions, Hub, Message};
///
/// let hub = Hub::new();
/// let (_a, mut a) = hub.connect(ConnectOptions::new())?;
/// let (_b, mut b) = hub.connect(ConnectOptions::new())?;
/// hub.broadcast(Message::text("to all"))?;
///
/// let mut batch = Batch::new();
/// a.try_recv_batch(&mut batch, 32)?;
/// b.try_recv_batch(&mut batch, 32)?;
/// assert!(batch.iter().all(|frame| frame.payload() == "to all"));
/// batch.clear();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
pub struct Batch {
    frames: Vec<Frame>,
}

impl Batch {
    /// An empty batch; allocates with the first frame.
    #[must_use]
    pub const fn new() -> Self {
        Self { frames: Vec::new() }
    }

    /// Gives all frames back; keeps the memory.
    #[inline]
    pub fn clear(&mut self) {
        release_runs(self.frames.drain(..).map(Frame::into_shared));
    }

    /// The frames, in the order in which they were received.
    pub fn iter(&self) -> std::slice::Iter<'_, Frame> {
        self.frames.iter()
    }

    /// The frames as a slice.
    #[must_use]
    pub fn as_slice(&self) -> &[Frame] {
        &self.frames
    }

    /// How many frames there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    #[inline(always)]
    pub(super) fn push(&mut self, frame: Frame) {
        self.frames.push(frame);
    }

    #[cfg(feature = "ws")]
    pub(super) fn pop(&mut self) -> Option<Frame> {
        self.frames.pop()
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.clear();
    }
}

impl<'a> IntoIterator for &'a Batch {
    type Item = &'a Frame;
    type IntoIter = std::slice::Iter<'a, Frame>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.frames).finish()
    }
}
