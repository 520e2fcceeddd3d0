//! What a client sends: bytes in, messages out, and the answers that the protocol itself owes.
//!
//! tungstenite reads and writes a pipe in memory, so that the socket stays ours.

use std::io;
use std::io::Read;
use std::io::Write;

use bytes::Buf;
use bytes::Bytes;
use bytes::BytesMut;
use tungstenite::Error;
use tungstenite::Message;
use tungstenite::Utf8Bytes;
use tungstenite::WebSocket;
use tungstenite::error::CapacityError;
use tungstenite::protocol::Role;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::protocol::frame::coding::CloseCode;

/// The receiving half of the WebSocket protocol.
pub(super) struct Inbound {
    socket: WebSocket<Pipe>,
}

/// What the client's bytes come to.
#[derive(Debug)]
pub(super) enum Received {
    /// A binary message, which is no command.
    Binary,
    /// The client closes, and the answer to it is ready.
    Close,
    /// A text message.
    Text(Utf8Bytes),
    /// The client broke the protocol and is to be closed with this code and reason.
    Violation(u16, &'static str),
}

impl Inbound {
    pub(super) fn new(buffered: Bytes, max_message: usize) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .max_message_size(Some(max_message))
            .max_frame_size(Some(max_message));
        let pipe = Pipe {
            inbound: buffered.into(),
            outbound: Vec::new(),
        };
        Self {
            socket: WebSocket::from_raw_socket(pipe, Role::Server, Some(config)),
        }
    }

    /// Where bytes from the socket go.
    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        let buffer = &mut self.socket.get_mut().inbound;
        buffer.reserve(READ_BUFFER);
        buffer
    }

    /// The next message; `None` when more bytes are needed. Pings are answered on the way.
    pub(super) fn next(&mut self) -> Option<Received> {
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) => return Some(Received::Text(text)),
                Ok(Message::Binary(_)) => return Some(Received::Binary),
                // The answer is written by the next read.
                Ok(Message::Close(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {
                }
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(error) => return Some(end(&error)),
            }
        }
    }

    /// The frames that the protocol owes the client: pongs, and the answer to a close.
    pub(super) fn take_answers(&mut self) -> Option<Bytes> {
        let outbound = &mut self.socket.get_mut().outbound;
        (!outbound.is_empty()).then(|| std::mem::take(outbound).into())
    }
}

fn end(error: &Error) -> Received {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => Received::Close,
        Error::Capacity(CapacityError::MessageTooLong { .. }) => {
            Received::Violation(CloseCode::Size.into(), "message too large")
        }
        Error::Utf8(_) => Received::Violation(CloseCode::Invalid.into(), "text is not UTF-8"),
        _ => Received::Violation(CloseCode::Protocol.into(), "protocol error"),
    }
}

/// A socket in memory: what it has not got yet would block, what is written is kept.
#[derive(Debug)]
struct Pipe {
    inbound: BytesMut,
    outbound: Vec<u8>,
}

impl Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.inbound.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = into.len().min(self.inbound.len());
        self.inbound.copy_to_slice(&mut into[..count]);
        Ok(count)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outbound.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How much is read from the socket at a time, and kept by tungstenite for what is partial.
const READ_BUFFER: usize = 2048;
