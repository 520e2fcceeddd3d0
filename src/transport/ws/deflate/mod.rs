//! permessage-deflate (RFC 7692) without context takeover: each message is compressed by itself,
//! so that one compressed frame serves all clients.
//!
//! # Memory
//!
//! One compressor (about 270 KB) and one decompressor (about 50 KB) for each thread that has met
//! a compressed message; nothing for a client.

use std::cell::RefCell;

use bytes::Bytes;
use flate2::Compress;
use flate2::Compression;
use flate2::Decompress;
use flate2::FlushCompress;
use flate2::FlushDecompress;
use flate2::Status;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::Data;
use tungstenite::protocol::frame::coding::OpCode;

use crate::transport::ws::reader::Inflate;
use crate::transport::ws::reader::Violation;

/// How messages are compressed for the clients that want it (permessage-deflate, RFC 7692).
///
/// A message is compressed once, whatever the number of clients, and sent as it is where it would
/// not become smaller. Both sides forget each message (`no_context_takeover`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deflate {
    /// How hard to try, from 1 to 9. Default 3: a few microseconds for each KiB, once for all
    /// clients. 1 takes half as long, and what it makes is a third larger; above 3 a typical
    /// message becomes a twentieth smaller at most, and takes up to three times as long.
    pub level: u8,
    /// The smallest message to compress, in bytes. Default 128.
    pub min_size: usize,
}

impl Deflate {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            level: 3,
            min_size: 128,
        }
    }

    /// Sets [`Self::level`]; what is beyond 1 to 9 counts as the nearest.
    #[must_use]
    pub const fn level(mut self, level: u8) -> Self {
        self.level = level;
        self
    }

    /// Sets [`Self::min_size`].
    #[must_use]
    pub const fn min_size(mut self, bytes: usize) -> Self {
        self.min_size = bytes;
        self
    }

    /// The text frame of this payload, compressed; `None` when it is too small to try or would
    /// not become smaller.
    pub(super) fn text(self, payload: &[u8]) -> Option<Bytes> {
        if payload.len() < self.min_size {
            return None;
        }
        COMPRESSOR.with_borrow_mut(|compressor| {
            let level = self.level.clamp(1, 9);
            if compressor.as_ref().is_none_or(|(of, _)| *of != level) {
                let raw = Compress::new(Compression::new(level.into()), false);
                *compressor = Some((level, raw));
            }
            let (_, compressor) = compressor.as_mut()?;
            compressor.reset();
            compress(compressor, payload)
        })
    }

    /// How to inflate what such a client sends.
    pub(super) const fn inflate(self) -> Inflate {
        inflate
    }
}

impl Default for Deflate {
    fn default() -> Self {
        Self::new()
    }
}

thread_local! {
    /// With its level.
    static COMPRESSOR: RefCell<Option<(u8, Compress)>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Decompress> = RefCell::new(Decompress::new(false));
}

fn compress(compressor: &mut Compress, payload: &[u8]) -> Option<Bytes> {
    // Room for as much as would be no gain. What does not fit into it is sent plain.
    let mut frame = Vec::with_capacity(HEADER + payload.len());
    frame.resize(HEADER, 0);
    let sync = FlushCompress::Sync;
    compressor.compress_vec(payload, &mut frame, sync).ok()?;
    let is_all = compressor.total_in() == payload.len() as u64;
    // A flush that has filled the buffer may not be over.
    if !is_all || frame.len() == frame.capacity() || !frame.ends_with(&TAIL) {
        return None;
    }
    frame.truncate(frame.len() - TAIL.len());
    let head = head(frame.len() - HEADER);
    let start = HEADER - head.len();
    frame[start..HEADER].copy_from_slice(&head);
    frame.shrink_to_fit();
    Some(Bytes::from(frame).slice(start..))
}

/// The head of a compressed text frame.
fn head(length: usize) -> Vec<u8> {
    let head = FrameHeader {
        opcode: OpCode::Data(Data::Text),
        rsv1: true,
        ..FrameHeader::default()
    };
    let mut bytes = Vec::with_capacity(HEADER);
    let written = head.format(length as u64, &mut bytes).is_ok();
    debug_assert!(written, "a Vec takes every write");
    bytes
}

/// Inflates a whole message to at most `max` bytes. However large it would become, no more than
/// that is held and no more is computed.
fn inflate(payload: &[u8], max: usize) -> Result<Vec<u8>, Violation> {
    DECOMPRESSOR.with_borrow_mut(|decompressor| {
        decompressor.reset(false);
        let mut inflated = Vec::new();
        for input in [payload, &TAIL, &END] {
            let ends = inflate_into(decompressor, input, &mut inflated, max)?;
            if let Some(rest) = ends {
                // The last block may be marked as such, and an empty one follow (§7.2.3.4).
                let is_end = matches!(rest, [] | [0]);
                return is_end.then_some(inflated).ok_or(NOT_DEFLATED);
            }
        }
        Err(NOT_DEFLATED)
    })
}

/// Inflates all of `input`, or up to a block that is marked as the last: then what is left of it.
fn inflate_into<'a>(
    decompressor: &mut Decompress,
    mut input: &'a [u8],
    inflated: &mut Vec<u8>,
    max: usize,
) -> Result<Option<&'a [u8]>, Violation> {
    loop {
        if inflated.len() == inflated.capacity() {
            // One byte more than may be shows that there are too many.
            let most = max.saturating_add(1);
            let grown = (2 * inflated.len()).clamp(256.min(most), most);
            inflated.reserve_exact(grown - inflated.len());
        }
        let before = decompressor.total_in();
        let status = decompressor
            .decompress_vec(input, inflated, FlushDecompress::Sync)
            .map_err(|_| NOT_DEFLATED)?;
        if inflated.len() > max {
            return Err(Violation::MESSAGE_TOO_LARGE);
        }
        let taken = decompressor.total_in() - before;
        input = &input[usize::try_from(taken).unwrap_or(input.len())..];
        if status == Status::StreamEnd {
            return Ok(Some(input));
        }
        if inflated.len() < inflated.capacity() {
            // It wants more input, and so has taken all.
            return Ok(None);
        }
    }
}

/// What the client sent is not what RFC 7692 makes of any message.
const NOT_DEFLATED: Violation = Violation::new(1007, "message does not inflate");

/// What ends every flushed block, and is not sent (RFC 7692 §7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xFF, 0xFF];

/// An empty block that is marked as the last: it ends the stream if a whole block came before.
const END: [u8; 2] = [3, 0];

/// The longest header of an unmasked frame.
const HEADER: usize = 10;

#[cfg(test)]
mod tests;
