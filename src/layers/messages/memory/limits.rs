//! How much is kept.

use crate::layers::messages::error::StoreError;

/// How much a [`MemoryStore`](crate::messages::MemoryStore) keeps. Beyond it the oldest messages,
/// of whatever room, are removed for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryLimits {
    /// Messages of all rooms together. Default 1,000,000; zero counts as one. One with a short
    /// text takes about half a KiB.
    pub max_messages: usize,
    /// Bytes that messages take, with what they said before and their reactions, and half a KiB for
    /// each room that has some, about. Default 256 MiB. What is known of a room without messages
    /// comes on top: about 400 bytes and its snapshot, until it is forgotten. What would make a
    /// message larger than this is refused with [`StoreError::TooMany`].
    pub max_bytes: usize,
}

impl MemoryLimits {
    /// All the defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            max_messages: 1_000_000,
            max_bytes: 256 << 20,
        }
    }

    /// Sets [`Self::max_messages`].
    #[must_use]
    pub const fn max_messages(mut self, messages: usize) -> Self {
        self.max_messages = messages;
        self
    }

    /// Sets [`Self::max_bytes`].
    #[must_use]
    pub const fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Whether there may be a message of this size.
    pub(super) fn admit(&self, bytes: usize) -> Result<(), StoreError> {
        if bytes > self.max_bytes {
            return Err(StoreError::TooMany {
                what: "bytes",
                limit: self.max_bytes,
            });
        }
        Ok(())
    }
}

impl Default for MemoryLimits {
    fn default() -> Self {
        Self::new()
    }
}
