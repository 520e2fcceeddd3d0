//! What a client sends (RFC 6455): bytes in, messages and control frames out. No I/O.
//!
//! ```text
//!   input ──► Heads ──► Frame ──► whole text or binary message     borrowed from the input
//!             (a head   (masked   part of a message ──► Message    owned, once it is whole
//!              in parts) payload) control frame                    at once, also amid a message
//! ```
//!
//! tungstenite's header codec is used, not its state machine: that refuses compressed messages
//! and keeps a read buffer for each connection.
//!
//! # Order
//!
//! Events come in the order of their last bytes. How the bytes are split into inputs makes no
//! difference to them.
//!
//! # Memory
//!
//! Between two messages nothing is on the heap. While a frame or a message is incomplete, there are
//! some 110 bytes of state and what arrived of the message or of the control frame. What a frame
//! announces is checked against [`ReaderLimits`] first, but never reserved; a message in parts
//! takes at most twice what arrived of it, and at most [`ReaderLimits::max_message`].

mod frame;
mod head;
mod message;

use std::borrow::Cow;
use std::str;

use tungstenite::protocol::frame::coding::Control;
use tungstenite::protocol::frame::coding::OpCode;

use crate::disconnect::Disconnect;
use crate::transport::ws::reader::frame::Frame;
use crate::transport::ws::reader::head::Heads;
use crate::transport::ws::reader::message::Message;

/// The receiving half of the WebSocket protocol, of a server.
///
/// # Memory
///
/// 32 bytes. Only while a frame or a message is incomplete, one allocation more and the bytes
/// received of the message.
#[derive(Debug)]
pub(super) struct Reader {
    limits: ReaderLimits,
    inflate: Option<Inflate>,
    /// `None` between two messages.
    partial: Option<Box<Partial>>,
}

/// The parts received of a frame and of a message.
#[derive(Debug, Default)]
struct Partial {
    heads: Heads,
    /// The frame whose payload is still to come.
    frame: Option<Frame>,
    /// The message whose last frame is still to come.
    message: Option<Message>,
    /// What has come of a control frame.
    control: Vec<u8>,
}

/// How much a client may send at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReaderLimits {
    /// The longest payload of one frame, as it is on the wire.
    pub(super) max_frame: usize,
    /// The longest message, inflated and put together.
    pub(super) max_message: usize,
}

/// Inflates a whole message (RFC 7692) to at most so many bytes.
pub(super) type Inflate = fn(&[u8], usize) -> Result<Vec<u8>, Violation>;

/// What the client's bytes come to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received<'a> {
    /// A binary message.
    Binary(Cow<'a, [u8]>),
    /// The client closes, with this code and reason. Nothing is to be read after it.
    Close(Option<(u16, Box<str>)>),
    /// A ping, with at most 125 bytes that the pong is to carry.
    Ping(Cow<'a, [u8]>),
    /// A pong, with at most 125 bytes.
    Pong(Cow<'a, [u8]>),
    /// A text message.
    Text(Cow<'a, str>),
}

/// How a client broke the protocol: the code and the reason of the close that answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Violation {
    code: u16,
    reason: &'static str,
}

impl Reader {
    /// A reader that refuses compressed messages unless it is told how to inflate them.
    pub(super) fn new(limits: ReaderLimits, inflate: Option<Inflate>) -> Self {
        Self {
            limits,
            inflate,
            partial: None,
        }
    }

    /// Takes the next event out of the front of `input`, which is unmasked in place. After
    /// `None` all of `input` is taken, and more is needed.
    ///
    /// What lies whole in `input` is borrowed from it: a message of one frame, a control frame.
    ///
    /// # Errors
    ///
    /// The client broke the protocol, as early as its bytes show it. The reader is of no use then.
    pub(super) fn next<'a>(
        &mut self,
        input: &mut &'a mut [u8],
    ) -> Result<Option<Received<'a>>, Violation> {
        let mut boxed = self.partial.take();
        let mut own = Partial::default();
        let partial = boxed.as_deref_mut().unwrap_or(&mut own);
        let received = partial.next(input, self.limits, self.inflate)?;
        if !partial.is_empty() {
            self.partial = boxed.or_else(|| Some(Box::new(own)));
        }
        Ok(received)
    }

    /// Returns the bytes on the heap that hold what was received.
    #[cfg(any(test, fuzzing))]
    pub(super) fn held(&self) -> usize {
        let partial = self.partial.as_ref();
        partial.map_or(0, |partial| partial.held())
    }
}

impl Partial {
    fn is_empty(&self) -> bool {
        self.heads.is_empty()
            && self.frame.is_none()
            && self.message.is_none()
            && self.control.is_empty()
    }

    fn next<'a>(
        &mut self,
        input: &mut &'a mut [u8],
        limits: ReaderLimits,
        inflate: Option<Inflate>,
    ) -> Result<Option<Received<'a>>, Violation> {
        while let Some(mut frame) = self.frame(input, limits, inflate)? {
            let payload = frame.take(input);
            let is_whole = frame.is_whole();
            let opcode = frame.opcode();
            let is_last = is_whole && frame.is_final();
            if !is_whole {
                self.frame = Some(frame);
            }
            let received = match opcode {
                OpCode::Control(control) => self.control(control, payload, is_whole)?,
                OpCode::Data(_) => self.data(payload, is_last, limits)?,
            };
            if received.is_some() {
                return Ok(received);
            }
            if !is_whole {
                break;
            }
        }
        Ok(None)
    }

    #[cfg(any(test, fuzzing))]
    fn held(&self) -> usize {
        self.control.capacity() + self.message.as_ref().map_or(0, Message::capacity)
    }

    /// The frame that the input goes on with, if its head is there.
    fn frame(
        &mut self,
        input: &mut &mut [u8],
        limits: ReaderLimits,
        inflate: Option<Inflate>,
    ) -> Result<Option<Frame>, Violation> {
        if let Some(frame) = self.frame.take() {
            return Ok(Some(frame));
        }
        let Some((head, length)) = self.heads.next(input)? else {
            return Ok(None);
        };
        let frame = Frame::new(&head, length)?;
        if let OpCode::Data(kind) = head.opcode {
            let message = Message::of(kind, &head, self.message.take(), inflate)?;
            message.check_room(length, limits)?;
            self.message = Some(message);
        }
        Ok(Some(frame))
    }

    fn control<'a>(
        &mut self,
        control: Control,
        payload: &'a [u8],
        is_whole: bool,
    ) -> Result<Option<Received<'a>>, Violation> {
        if !is_whole || !self.control.is_empty() {
            self.control.extend_from_slice(payload);
        }
        if !is_whole {
            return Ok(None);
        }
        let payload = if self.control.is_empty() {
            Cow::Borrowed(payload)
        } else {
            Cow::Owned(std::mem::take(&mut self.control))
        };
        Ok(Some(match control {
            Control::Ping => Received::Ping(payload),
            Control::Pong => Received::Pong(payload),
            Control::Close | Control::Reserved(_) => Received::Close(close(&payload)?),
        }))
    }

    fn data<'a>(
        &mut self,
        payload: &'a [u8],
        is_last: bool,
        limits: ReaderLimits,
    ) -> Result<Option<Received<'a>>, Violation> {
        let Some(mut message) = self.message.take() else {
            return Err(Violation::NO_MESSAGE);
        };
        if is_last {
            let whole = message.end(payload, limits)?;
            return Ok(Some(whole));
        }
        message.push(payload, limits)?;
        self.message = Some(message);
        Ok(None)
    }
}

/// The code and reason in the payload of a close frame.
fn close(payload: &[u8]) -> Result<Option<(u16, Box<str>)>, Violation> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        let is_empty = payload.is_empty();
        return if is_empty {
            Ok(None)
        } else {
            Err(Violation::HALF_CODE)
        };
    };
    let code = u16::from_be_bytes(*code);
    // RFC 6455 §7.4.2 and what has been registered since.
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Violation::CLOSE_CODE);
    }
    let reason = str::from_utf8(reason).map_err(|_| Violation::REASON_UTF8)?;
    Ok(Some((code, reason.into())))
}

impl Violation {
    pub(super) const CLOSE_CODE: Self = Self::protocol("close code not allowed");
    pub(super) const CONTROL_IN_PARTS: Self = Self::protocol("fragmented control frame");
    pub(super) const CONTROL_TOO_LONG: Self = Self::protocol("control frame longer than 125 bytes");
    pub(super) const FRAME_TOO_LARGE: Self = Self::new(1009, "frame too large");
    pub(super) const HALF_CODE: Self = Self::protocol("close frame of one byte");
    pub(super) const LENGTH: Self = Self::protocol("malformed length");
    pub(super) const MESSAGE_TOO_LARGE: Self = Self::new(1009, "message too large");
    pub(super) const NO_MESSAGE: Self = Self::protocol("continuation of no message");
    pub(super) const OPCODE: Self = Self::protocol("reserved opcode");
    pub(super) const REASON_UTF8: Self = Self::new(1007, "close reason is not UTF-8");
    pub(super) const RESERVED: Self = Self::protocol("reserved bit set");
    pub(super) const TEXT_UTF8: Self = Self::new(1007, "text is not UTF-8");
    pub(super) const UNFINISHED: Self = Self::protocol("new message amid an unfinished one");
    pub(super) const UNMASKED: Self = Self::protocol("frame not masked");

    const fn protocol(reason: &'static str) -> Self {
        Self::new(1002, reason)
    }

    pub(super) const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason }
    }

    /// Why the client is closed: its code is 1002, 1007 or 1009.
    pub(super) fn disconnect(self) -> Disconnect {
        Disconnect::known(self.code, self.reason)
    }
}

#[cfg(test)]
mod tests;
