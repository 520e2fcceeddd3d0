//! What is being written to one socket.

use std::collections::VecDeque;
use std::io;
use std::io::IoSlice;

use bytes::Buf;
use bytes::Bytes;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;

/// Whole WebSocket frames in the order in which they are written.
#[derive(Debug, Default)]
pub(super) struct Output {
    frames: VecDeque<Bytes>,
    /// Bytes of replies that were added since the output was last empty.
    owed: usize,
}

impl Output {
    /// Adds a frame of the hub.
    pub(super) fn push(&mut self, frame: Bytes) {
        self.frames.push_back(frame);
    }

    /// Adds a frame that the client asked for by sending one.
    pub(super) fn reply(&mut self, frame: Bytes) {
        self.owed += frame.len();
        self.push(frame);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Whether the client may ask for more before it has taken what it asked for.
    pub(super) fn takes_requests(&self) -> bool {
        self.owed < MAX_OWED
    }

    /// Writes as much as the socket takes at once.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, nothing was written.
    pub(super) async fn write_to<W>(&mut self, writer: &mut W) -> io::Result<()>
    where
        W: AsyncWrite + Unpin,
    {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let mut count = 0;
        for (slice, frame) in slices.iter_mut().zip(&self.frames) {
            *slice = IoSlice::new(frame);
            count += 1;
        }
        match writer.write_vectored(&slices[..count]).await? {
            0 => Err(io::ErrorKind::WriteZero.into()),
            written => {
                self.advance(written);
                Ok(())
            }
        }
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(frame) = self.frames.front_mut() {
            if written < frame.len() {
                frame.advance(written);
                return;
            }
            written -= frame.len();
            self.frames.pop_front();
        }
        self.owed = 0;
    }
}

/// How many frames one system call writes.
const MAX_SLICES: usize = 32;

/// How many bytes of replies may wait before the client's commands have to.
const MAX_OWED: usize = 64 * 1024;
