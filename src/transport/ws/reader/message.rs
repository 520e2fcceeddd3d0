//! One message, which may come in parts.

use std::borrow::Cow;
use std::str;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::Data;

use crate::transport::ws::reader::Inflate;
use crate::transport::ws::reader::ReaderLimits;
use crate::transport::ws::reader::Received;
use crate::transport::ws::reader::Violation;

/// A message whose end is still to come.
#[derive(Debug)]
pub(super) struct Message {
    is_text: bool,
    /// How to inflate it, if it is compressed.
    inflate: Option<Inflate>,
    /// What has come, as it is on the wire.
    bytes: Vec<u8>,
    /// How many of the bytes are whole characters.
    checked: usize,
}

impl Message {
    /// The message that a data frame is part of: the one that was begun, or a new one.
    pub(super) fn of(
        kind: Data,
        head: &FrameHeader,
        begun: Option<Self>,
        inflate: Option<Inflate>,
    ) -> Result<Self, Violation> {
        match (kind, begun) {
            (Data::Continue, Some(_)) if head.rsv1 => Err(Violation::RESERVED),
            (Data::Continue, Some(begun)) => Ok(begun),
            (Data::Continue, None) => Err(Violation::NO_MESSAGE),
            (_, Some(_)) => Err(Violation::UNFINISHED),
            (_, None) if head.rsv1 && inflate.is_none() => Err(Violation::RESERVED),
            (_, None) => Ok(Self {
                is_text: kind == Data::Text,
                inflate: inflate.filter(|_| head.rsv1),
                bytes: Vec::new(),
                checked: 0,
            }),
        }
    }

    /// Checks that so many bytes more may come in one frame.
    pub(super) fn check_room(&self, length: u64, limits: ReaderLimits) -> Result<(), Violation> {
        if length > limits.max_frame as u64 {
            return Err(Violation::FRAME_TOO_LARGE);
        }
        if length > (self.most(limits) - self.bytes.len()) as u64 {
            return Err(Violation::MESSAGE_TOO_LARGE);
        }
        Ok(())
    }

    /// Adds to a message that goes on.
    pub(super) fn push(&mut self, payload: &[u8], limits: ReaderLimits) -> Result<(), Violation> {
        self.append(payload, limits);
        if !self.is_text || self.inflate.is_some() {
            return Ok(());
        }
        match str::from_utf8(&self.bytes[self.checked..]) {
            Ok(_) => self.checked = self.bytes.len(),
            // The last character may be whole when more has come.
            Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
            Err(_) => return Err(Violation::TEXT_UTF8),
        }
        Ok(())
    }

    /// The message, of which this is the end.
    pub(super) fn end<'a>(
        mut self,
        payload: &'a [u8],
        limits: ReaderLimits,
    ) -> Result<Received<'a>, Violation> {
        let mut whole = Cow::Borrowed(payload);
        if !self.bytes.is_empty() {
            self.append(payload, limits);
            whole = Cow::Owned(self.bytes);
        }
        if let Some(inflate) = self.inflate {
            whole = Cow::Owned(inflate(&whole, limits.max_message)?);
        }
        if self.is_text {
            text(whole).map(Received::Text)
        } else {
            Ok(Received::Binary(whole))
        }
    }

    /// How many bytes it holds on the heap.
    #[cfg(any(test, fuzzing))]
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// There is room for it: `check_room` has said so.
    fn append(&mut self, payload: &[u8], limits: ReaderLimits) {
        let len = self.bytes.len() + payload.len();
        if len > self.bytes.capacity() {
            let grown = (2 * self.bytes.capacity()).clamp(len, self.most(limits));
            self.bytes.reserve_exact(grown - self.bytes.len());
        }
        self.bytes.extend_from_slice(payload);
    }

    /// The most bytes it may have on the wire. What cannot be compressed grows when it is, by an
    /// eighth at worst.
    fn most(&self, limits: ReaderLimits) -> usize {
        let plain = limits.max_message;
        match self.inflate {
            Some(_) => plain.saturating_add(plain / 8 + 64),
            None => plain,
        }
    }
}

fn text(bytes: Cow<'_, [u8]>) -> Result<Cow<'_, str>, Violation> {
    let text = match bytes {
        Cow::Borrowed(bytes) => str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    };
    text.ok_or(Violation::TEXT_UTF8)
}
