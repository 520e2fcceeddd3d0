//! The heads of frames, which may come in parts.

use std::io::Cursor;
use std::mem;

use tungstenite::protocol::frame::FrameHeader;

use crate::transport::ws::reader::Violation;

/// What has come of a head.
#[derive(Debug, Default)]
pub(super) struct Heads {
    bytes: [u8; LONGEST],
    len: u8,
}

impl Heads {
    /// Whether no part of a head has come.
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes a head off the front of `input`, and says how long the payload is that follows.
    /// After `None` all of `input` is taken.
    pub(super) fn next(
        &mut self,
        input: &mut &mut [u8],
    ) -> Result<Option<(FrameHeader, u64)>, Violation> {
        let had = usize::from(self.len);
        let room = &mut self.bytes[had..];
        let added = room.len().min(input.len());
        room[..added].copy_from_slice(&input[..added]);
        let mut bytes = Cursor::new(&self.bytes[..had + added]);
        let Some((head, payload)) =
            FrameHeader::parse(&mut bytes).map_err(|_| Violation::OPCODE)?
        else {
            self.len += u8::try_from(added).unwrap_or_default();
            *input = &mut mem::take(input)[added..];
            return Ok(None);
        };
        let size = head.len(payload);
        if bytes.position() != size as u64 || payload >> 63 == 1 {
            return Err(Violation::LENGTH);
        }
        self.len = 0;
        *input = &mut mem::take(input)[size - had..];
        Ok(Some((head, payload)))
    }
}

/// 2 bytes, 8 of the length, 4 of the mask.
const LONGEST: usize = 14;
