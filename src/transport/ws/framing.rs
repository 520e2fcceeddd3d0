//! WebSocket frames of the server: unmasked, and so the same bytes for every client.

use bytes::Bytes;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::Control;
use tungstenite::protocol::frame::coding::Data;
use tungstenite::protocol::frame::coding::OpCode;

use crate::disconnect::Disconnect;
use crate::hub::EncodingSlot;
use crate::hub::Frame;
use crate::message::Format;
use crate::message::Message;
use crate::protocol::Push;
use crate::protocol::Said;
use crate::protocol::Spoken;
use crate::transport::output::Encode;
use crate::transport::ws::extension::Params;

/// The slot in which a frame of the hub keeps its native JSON in a WebSocket frame.
pub(crate) const NATIVE: EncodingSlot = EncodingSlot::own(0);

/// The slot in which it keeps the same compressed, or as it is where that would be no smaller.
const DEFLATED: EncodingSlot = EncodingSlot::own(1);

/// Which encoding of the hub's frames a client takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Encoding {
    deflate: Option<Params>,
    /// `None`: the native protocol.
    dialect: Option<Spoken>,
}

impl Encoding {
    pub(super) fn new(deflate: Option<Params>, dialect: Option<Spoken>) -> Self {
        Self { deflate, dialect }
    }

    /// The encoding of a dialect, uncompressed.
    pub(crate) fn speaking(dialect: Spoken) -> Self {
        Self::new(None, Some(dialect))
    }

    /// The dialect that the client speaks, unless that is the native protocol.
    pub(crate) fn dialect(self) -> Option<Spoken> {
        self.dialect
    }

    /// The frame of a push to this client alone; empty if the client is not told of it.
    ///
    /// # Errors
    ///
    /// The connection is to be closed for this reason.
    pub(crate) fn say(self, push: Push<'_>) -> Result<Bytes, Disconnect> {
        match self.dialect.map(|dialect| dialect.say(push)) {
            None => Ok(text(push)),
            Some(Said::Message(message)) => Ok(data(&message)),
            Some(Said::Nothing) => Ok(Bytes::new()),
            Some(Said::Close(why)) => Err(why),
        }
    }

    /// The bytes of a frame, made when the first client asks for them; empty if clients of the
    /// dialect are not told of it.
    pub(crate) fn of(self, frame: &Frame) -> &Bytes {
        if let Some(dialect) = self.dialect {
            return dialect.of(frame, data);
        }
        let plain = frame.encoded(NATIVE, |frame| text(Push::Frame(frame)));
        match self.deflate {
            Some(params) if plain.len() <= params.longest() => {
                let deflated = || params.text(&payload_of(plain));
                frame.encoded(DEFLATED, |_| deflated().unwrap_or_else(|| plain.clone()))
            }
            _ => plain,
        }
    }
}

impl Encode for Encoding {
    fn of(self, frame: &Frame) -> &Bytes {
        self.of(frame)
    }
}

/// A ping without a payload.
pub(crate) const PING: Bytes = Bytes::from_static(&[0x89, 0x00]);

/// A close frame without a code: the answer to such a one.
pub(crate) const CLOSE: Bytes = Bytes::from_static(&[0x88, 0x00]);

/// The longest header of an unmasked frame.
const HEADER: usize = 10;

/// The text frame of a push.
pub(crate) fn text(push: Push<'_>) -> Bytes {
    // The header goes in front once the length is known: room for the longest is left.
    let mut frame = vec![0; HEADER];
    push.write(&mut frame);
    let header = header(OpCode::Data(Data::Text), frame.len() - HEADER);
    let start = HEADER - header.len();
    frame[start..HEADER].copy_from_slice(&header);
    Bytes::from(frame).slice(start..)
}

/// The frame of a message, text or binary.
pub(crate) fn data(message: &Message) -> Bytes {
    let opcode = match message.format() {
        Format::Text => Data::Text,
        Format::Binary => Data::Binary,
    };
    let payload = message.payload();
    let mut frame = header(OpCode::Data(opcode), payload.len());
    frame.extend_from_slice(payload);
    frame.into()
}

/// The message in a frame that [`text`] or [`data`] made.
pub(crate) fn message_of(frame: &Bytes) -> Message {
    let payload = payload_of(frame);
    match frame.first() {
        Some(0x82) => Message::binary(payload),
        _ => Message::of_utf8(payload),
    }
}

/// The payload of a frame that [`text`] or [`data`] made.
pub(crate) fn payload_of(frame: &Bytes) -> Bytes {
    let header = match frame.get(1) {
        Some(127) => 10,
        Some(126) => 4,
        _ => 2,
    };
    frame.slice(header..)
}

/// The close frame of a disconnect.
pub(crate) fn close(why: &Disconnect) -> Bytes {
    close_with(why.code(), why.reason())
}

/// A close frame of this code and reason, the reason cut to what fits.
pub(crate) fn close_with(code: u16, reason: &str) -> Bytes {
    let mut end = reason.len().min(Disconnect::MAX_REASON);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let mut frame = header(OpCode::Control(Control::Close), 2 + end);
    frame.extend_from_slice(&code.to_be_bytes());
    frame.extend_from_slice(&reason.as_bytes()[..end]);
    frame.into()
}

/// A pong that carries what the ping did: at most 125 bytes.
pub(crate) fn pong(payload: &[u8]) -> Bytes {
    let mut frame = header(OpCode::Control(Control::Pong), payload.len());
    frame.extend_from_slice(payload);
    frame.into()
}

fn header(opcode: OpCode, length: usize) -> Vec<u8> {
    let header = FrameHeader {
        opcode,
        ..FrameHeader::default()
    };
    let mut bytes = Vec::with_capacity(HEADER + Disconnect::MAX_REASON);
    let written = header.format(length as u64, &mut bytes).is_ok();
    debug_assert!(written, "a Vec takes every write");
    bytes
}
