//! Recordings of a live hub: what was published when, and how fast its slow clients took it.
//!
//! # Privacy
//!
//! A recording has no payloads, no names and no keys: channels and clients are numbered, and of a
//! key there is a hash with a salt that is not stored.
//!
//! # Format
//!
//! Version 1. All numbers are little-endian. A header of 32 bytes, then records of 16 bytes each,
//! in the order in which they were made:
//!
//! ```text
//! header   magic `throngrc` (8) │ version 1 (4) │ overhead (4) │ clients never behind (4) │ 0 (4) │ records lost (8)
//! record   microseconds since the beginning (5) │ kind (1) │ a (2) │ b (4) │ c (4)
//!
//! kind  record     a        b                               c
//! 1     publish    channel  hash of the key, 0 without one  bytes of the payload
//! 2     taken      client   bytes that the network took     1 if the client was behind
//!                           since the record before
//! 3     closed     client   close code                      0
//! 4     begin      client   bytes in the kernel unsent      messages in the outbox
//! ```
//!
//! *Overhead* is the number of bytes that a message takes on the wire beside its payload. A client
//! that is never behind has no records; it is only counted. A client is recorded every 100 ms, or
//! less often.
//!
//! # Memory
//!
//! A [`Recorder`] holds at most as many bytes as it was given, and then loses its oldest records,
//! which are counted. 16 MiB are a million publishes.

mod format;
mod recorder;
mod replay;

use std::time::Duration;

pub use self::format::InvalidRecording;
pub use self::recorder::Recorder;

/// What was recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    overhead: u32,
    others: u32,
    lost: u64,
    records: Vec<Record>,
}

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    /// Microseconds.
    at: u64,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Publish {
        channel: u16,
        key: u32,
        size: u32,
    },
    Taken {
        client: u16,
        bytes: u32,
        behind: bool,
    },
    Closed {
        client: u16,
        code: u32,
    },
    Begin {
        client: u16,
        unsent: u32,
        queued: u32,
    },
}

impl Recording {
    /// Returns the time of the last record.
    #[must_use]
    pub fn duration(&self) -> Duration {
        let last = self.records.iter().map(|record| record.at).max();
        Duration::from_micros(last.unwrap_or(0))
    }

    /// Returns how many messages were published.
    #[must_use]
    pub fn published(&self) -> usize {
        let is_publish = |record: &&Record| matches!(record.what, What::Publish { .. });
        self.records.iter().filter(is_publish).count()
    }

    /// Returns how many clients were behind at some time.
    #[must_use]
    pub fn behind(&self) -> usize {
        self.clients().len()
    }

    /// Returns how many clients were never behind.
    #[must_use]
    pub fn others(&self) -> u32 {
        self.others
    }

    /// Returns how many records were lost because the recorder was full.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// The numbers of the clients with records, in order.
    fn clients(&self) -> Vec<u16> {
        let number = |record: &Record| match record.what {
            What::Taken { client, .. } | What::Begin { client, .. } => Some(client),
            What::Publish { .. } | What::Closed { .. } => None,
        };
        let mut clients: Vec<u16> = self.records.iter().filter_map(number).collect();
        clients.sort_unstable();
        clients.dedup();
        clients
    }
}
