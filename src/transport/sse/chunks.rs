//! What is to be written next, gathered into chunks.

use std::collections::VecDeque;
use std::mem;

use bytes::Bytes;

/// Events in order. Small ones are copied together, so that what was there together is written
/// together; one that stands alone, or is large, is not copied.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    done: VecDeque<Chunk>,
    last: Chunk,
    /// Bytes in all of them.
    bytes: usize,
}

/// What is handed over at once.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) bytes: Bytes,
    /// What was gathered behind `bytes`; one of the two is empty once the chunk is done.
    gathered: Vec<u8>,
    /// How many events end in it.
    pub(super) events: usize,
}

impl Chunks {
    /// Whether so much is there that it should go first.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= MOST
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Adds an event that others share.
    pub(super) fn share(&mut self, event: &Bytes) {
        if event.len() >= LARGE {
            self.finish();
        }
        if self.last.is_empty() {
            self.last.bytes = event.clone();
            self.count(event.len());
        } else {
            self.write(|out| out.extend_from_slice(event));
        }
    }

    /// Adds an event that `write` appends to what it is given.
    pub(super) fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let last = &mut self.last;
        if last.bytes.len() >= LARGE {
            self.finish();
        }
        let last = &mut self.last;
        if last.gathered.is_empty() && !last.bytes.is_empty() {
            last.gathered.extend_from_slice(&mem::take(&mut last.bytes));
        }
        let before = last.gathered.len();
        write(&mut last.gathered);
        let written = last.gathered.len() - before;
        self.count(written);
    }

    /// The next chunk.
    pub(super) fn take(&mut self) -> Option<Chunk> {
        self.finish();
        let chunk = self.done.pop_front()?;
        self.bytes -= chunk.bytes.len();
        Some(chunk)
    }

    fn count(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.last.events += 1;
    }

    fn finish(&mut self) {
        if self.last.is_empty() {
            return;
        }
        let mut chunk = mem::take(&mut self.last);
        if chunk.bytes.is_empty() {
            chunk.bytes = mem::take(&mut chunk.gathered).into();
        }
        self.done.push_back(chunk);
    }
}

impl Chunk {
    fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.gathered.is_empty()
    }
}

/// How many bytes are gathered at most before they are written: they have left the outbox, and no
/// policy reaches them.
const MOST: usize = 16 << 10;

/// From this size on, an event is not copied.
const LARGE: usize = 8 << 10;
