//! One frame: what its head may say, and its payload unmasked.

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::OpCode;

use crate::transport::ws::reader::Violation;

/// A frame whose payload is being read.
#[derive(Debug)]
pub(super) struct Frame {
    opcode: OpCode,
    is_final: bool,
    /// As it applies to the next byte.
    mask: [u8; 4],
    left: u64,
}

impl Frame {
    /// Checks all that can be told from the head alone, but for the first reserved bit of data.
    pub(super) fn new(head: &FrameHeader, length: u64) -> Result<Self, Violation> {
        let is_control = matches!(head.opcode, OpCode::Control(_));
        if head.rsv2 || head.rsv3 || head.rsv1 && is_control {
            return Err(Violation::RESERVED);
        }
        if is_control && !head.is_final {
            return Err(Violation::CONTROL_IN_PARTS);
        }
        if is_control && length > LONGEST_CONTROL {
            return Err(Violation::CONTROL_TOO_LONG);
        }
        Ok(Self {
            opcode: head.opcode,
            is_final: head.is_final,
            mask: head.mask.ok_or(Violation::UNMASKED)?,
            left: length,
        })
    }

    /// Takes as much of the payload off the front of `input` as there is, and unmasks it.
    pub(super) fn take<'a>(&mut self, input: &mut &'a mut [u8]) -> &'a [u8] {
        let count = usize::try_from(self.left).map_or(input.len(), |left| left.min(input.len()));
        let payload = input.split_off_mut(..count).unwrap_or_default();
        unmask(payload, self.mask);
        self.mask.rotate_left(count % 4);
        self.left -= count as u64;
        payload
    }

    pub(super) fn opcode(&self) -> OpCode {
        self.opcode
    }

    pub(super) fn is_final(&self) -> bool {
        self.is_final
    }

    /// Whether all of the payload has been taken.
    pub(super) fn is_whole(&self) -> bool {
        self.left == 0
    }
}

/// Takes the mask off, eight bytes at a time.
fn unmask(payload: &mut [u8], [a, b, c, d]: [u8; 4]) {
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip([a, b, c, d].iter().cycle()) {
        *byte ^= mask;
    }
}

const LONGEST_CONTROL: u64 = 125;
