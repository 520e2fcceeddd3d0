//! Recordings as bytes.

use std::error::Error;
use std::fmt;

use crate::tune::recording::Record;
use crate::tune::recording::Recording;
use crate::tune::recording::What;

const MAGIC: &[u8; 8] = b"throngrc";
const VERSION: u32 = 1;
const HEADER: usize = 32;
pub(super) const RECORD: usize = 16;

/// The error returned when bytes are no recording.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidRecording {
    /// It does not begin as a recording does.
    Magic,
    /// It has a version that this one does not read; version 1 is read.
    Version(u32),
    /// It ends in the middle of the header, or of a record.
    Length(usize),
    /// A record has a kind that does not exist, or times go back; with the number of the record,
    /// from 0.
    Record(usize),
}

impl fmt::Display for InvalidRecording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => f.write_str("no recording: it does not begin with `throngrc`"),
            Self::Version(version) => write!(
                f,
                "a recording of version {version}, version {VERSION} is read"
            ),
            Self::Length(bytes) => write!(
                f,
                "a recording of {bytes} bytes, {HEADER} and a multiple of {RECORD} are required"
            ),
            Self::Record(number) => write!(
                f,
                "record {number} of the recording has no kind from 1 to 4, or is older than the one before"
            ),
        }
    }
}

impl Error for InvalidRecording {}

impl Recording {
    /// Returns `true` if these bytes begin as a recording does.
    #[must_use]
    pub fn is_recording(bytes: &[u8]) -> bool {
        bytes.starts_with(MAGIC)
    }

    /// Writes the recording in its format.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + RECORD * self.records.len());
        bytes.extend_from_slice(MAGIC);
        for number in [VERSION, self.overhead, self.others, 0] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&self.lost.to_le_bytes());
        for record in &self.records {
            bytes.extend_from_slice(&record.to_bytes());
        }
        bytes
    }

    /// Reads a recording.
    ///
    /// # Errors
    ///
    /// [`InvalidRecording`] says what is wrong with the bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidRecording> {
        if !Self::is_recording(bytes) {
            return Err(InvalidRecording::Magic);
        }
        let (Some(header), Some(rest)) = (bytes.get(..HEADER), bytes.get(HEADER..)) else {
            return Err(InvalidRecording::Length(bytes.len()));
        };
        let version = four(header, 8);
        if version != VERSION {
            return Err(InvalidRecording::Version(version));
        }
        let (records, tail) = rest.as_chunks::<RECORD>();
        if !tail.is_empty() {
            return Err(InvalidRecording::Length(bytes.len()));
        }
        let mut recording = Self {
            overhead: four(header, 12),
            others: four(header, 16),
            lost: u64::from(four(header, 24)) | u64::from(four(header, 28)) << 32,
            records: Vec::with_capacity(records.len()),
        };
        let mut last = 0;
        for (number, record) in records.iter().enumerate() {
            let record = Record::from_bytes(record).filter(|record| record.at >= last);
            let record = record.ok_or(InvalidRecording::Record(number))?;
            last = record.at;
            recording.records.push(record);
        }
        Ok(recording)
    }
}

impl Record {
    pub(super) fn to_bytes(self) -> [u8; RECORD] {
        let (kind, a, b, c) = match self.what {
            What::Publish { channel, key, size } => (1, channel, key, size),
            What::Taken {
                client,
                bytes,
                behind,
            } => (2, client, bytes, u32::from(behind)),
            What::Closed { client, code } => (3, client, code, 0),
            What::Begin {
                client,
                unsent,
                queued,
            } => (4, client, unsent, queued),
        };
        let mut bytes = [0; RECORD];
        bytes[..5].copy_from_slice(&self.at.to_le_bytes()[..5]);
        bytes[5] = kind;
        bytes[6..8].copy_from_slice(&a.to_le_bytes());
        bytes[8..12].copy_from_slice(&b.to_le_bytes());
        bytes[12..].copy_from_slice(&c.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; RECORD]) -> Option<Self> {
        let mut at = [0; 8];
        at[..5].copy_from_slice(&bytes[..5]);
        let a = u16::from_le_bytes([bytes[6], bytes[7]]);
        let (b, c) = (four(bytes, 8), four(bytes, 12));
        let what = match bytes[5] {
            1 => What::Publish {
                channel: a,
                key: b,
                size: c,
            },
            2 => What::Taken {
                client: a,
                bytes: b,
                behind: c == 1,
            },
            3 => What::Closed { client: a, code: b },
            4 => What::Begin {
                client: a,
                unsent: b,
                queued: c,
            },
            _ => return None,
        };
        Some(Self {
            at: u64::from_le_bytes(at),
            what,
        })
    }
}

/// Four bytes as a number; all callers have checked that they are there.
fn four(bytes: &[u8], at: usize) -> u32 {
    let four = bytes.get(at..).and_then(|rest| rest.first_chunk());
    four.map_or(0, |four| u32::from_le_bytes(*four))
}
