//! Whether the log beside the file is damaged where that loses what was committed.
//!
//! `SQLite` reads a log up to the first frame whose checksum is wrong, and takes the rest for what
//! the end of the power has left of a transaction that was never committed. Where two transactions
//! follow that are whole, the first of them was on the disk before the second began, and so was
//! everything before it: then it is damage.

use std::fs;
use std::io;
use std::path::Path;

/// Two 32-bit words that are carried on from frame to frame.
type Sum = (u32, u32);

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
/// What the header begins with where checksums read words in little endian, as ours do.
const MAGIC: u32 = 0x377f_0682;
/// The size of our pages.
const PAGE: usize = 4096;

/// Where the log at this path is damaged, if it is.
pub(super) fn damage(path: &Path) -> io::Result<Option<String>> {
    let log = match fs::read(path) {
        Ok(log) => log,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(damaged_frame(&log).map(|at| format!("frame {at} of its log cannot be read")))
}

/// A frame of the log.
#[derive(Clone, Copy)]
struct Frame<'a> {
    /// Page and size of the file after a commit.
    head: &'a [u8],
    salt: &'a [u8],
    sum: Sum,
    page: &'a [u8],
}

impl Frame<'_> {
    fn follows(&self, before: Sum) -> bool {
        add(add(before, self.head), self.page) == self.sum
    }

    fn commits(&self) -> bool {
        self.head[4..] != [0; 4]
    }
}

/// The first frame that is not whole, counted from 1 and zero for the header, where two
/// transactions that are whole follow.
fn damaged_frame(log: &[u8]) -> Option<usize> {
    let (header, frames) = log.split_at_checked(HEADER)?;
    let frames: Vec<_> = frames
        .chunks_exact(FRAME_HEADER + PAGE)
        .map(frame)
        .collect();
    let sum = (
        word(&header[24..], u32::from_be_bytes),
        word(&header[28..], u32::from_be_bytes),
    );
    let is_whole = word(header, u32::from_be_bytes) == MAGIC && add((0, 0), &header[..24]) == sum;
    let salt = if is_whole {
        &header[16..24]
    } else {
        frames.first()?.salt
    };
    let read = frames.iter().scan(sum, |before, frame| {
        let before = std::mem::replace(before, frame.sum);
        (frame.salt == salt && frame.follows(before)).then_some(())
    });
    let read = if is_whole { read.count() } else { 0 };
    // The first one that cannot be read is no ground to judge the next one by.
    let rest = frames.get(read..)?;
    let whole = rest.windows(2).filter(|two| {
        let [before, frame] = two else { return false };
        frame.salt == salt && frame.follows(before.sum)
    });
    let commits = whole.filter(|two| two[1].commits()).count();
    (commits >= 2).then_some(if is_whole { read + 1 } else { 0 })
}

fn frame(bytes: &[u8]) -> Frame<'_> {
    let (head, page) = bytes.split_at(FRAME_HEADER);
    Frame {
        head: &head[..8],
        salt: &head[8..16],
        sum: (
            word(&head[16..], u32::from_be_bytes),
            word(&head[20..], u32::from_be_bytes),
        ),
        page,
    }
}

/// Carries a checksum on over these bytes, a whole number of pairs of words.
fn add(sum: Sum, bytes: &[u8]) -> Sum {
    bytes.chunks_exact(8).fold(sum, |(one, two), pair| {
        let one = one
            .wrapping_add(word(pair, u32::from_le_bytes))
            .wrapping_add(two);
        let next = word(&pair[4..], u32::from_le_bytes);
        (one, two.wrapping_add(next).wrapping_add(one))
    })
}

/// The word that the bytes begin with; zero where there are too few.
fn word(bytes: &[u8], read: fn([u8; 4]) -> u32) -> u32 {
    bytes.first_chunk().copied().map_or(0, read)
}
