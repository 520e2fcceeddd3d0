//! The seam between the sessions of a gateway and the bytes on its connections.
//!
//! A WebSocket client speaks the native protocol, or a dialect that it asks for by sub-protocol.
//! A [`Dialect`] translates what the client sends into requests, and pushes into messages. It is
//! one for all connections, and pure: it reads no clock, and does no I/O.

use std::fmt;

use bytes::Bytes;

use crate::disconnect::Disconnect;
use crate::hub::EncodingSlot;
use crate::hub::Frame;
use crate::message::Message;
use crate::quiet::quietly;

use super::Fault;
use super::Push;
use super::Request;

/// A language that WebSocket clients of a [gateway](crate::GatewayBuilder::dialect) may speak.
///
/// A dialect that panics ends nothing but the connection that it was called for; a frame that it
/// was to encode for all is not sent.
pub trait Dialect: Send + Sync + 'static {
    /// The sub-protocols that name the dialect, in `Sec-WebSocket-Protocol`.
    fn subprotocols(&self) -> &'static [&'static str];

    /// Returns the requests that a connection begins with, from the query of its URL. Default:
    /// none. They are carried out in this order, before anything that the client sends.
    ///
    /// # Errors
    ///
    /// The connection is closed for this reason.
    fn opening(&self, query: &str) -> Result<Vec<Request>, Disconnect> {
        let _unread = query;
        Ok(Vec::new())
    }

    /// Returns the meaning of a message of the client: text or binary, at most as large as
    /// [`WsConfig::max_message`](crate::transport::ws::WsConfig::max_message) says. Of a message,
    /// only payload and format count.
    fn hear(&self, message: Message) -> Heard;

    /// Returns the message that tells the client of `push`.
    ///
    /// A [`Push::Frame`] is encoded once for all clients of the dialect, so its message must depend
    /// on the frame alone.
    fn say(&self, push: Push<'_>) -> Said;
}

/// The meaning of a message of a client.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a dialect makes these")]
pub enum Heard {
    /// It asks for this.
    Request(Request),
    /// It cannot be read: the fault is said to the client, as a [`Push::Error`].
    Refused(Fault),
    /// It is answered with this message, and asks the server for nothing.
    Answered(Message),
    /// It means nothing.
    Nothing,
    /// It ends the connection, for this reason.
    Close(Disconnect),
}

/// The message that tells a client of a push.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a dialect makes these")]
pub enum Said {
    /// Its payload, as text or binary.
    Message(Message),
    /// The client is not told.
    Nothing,
    /// The client is told by the end of its connection, for this reason. A [`Push::Frame`] ends no
    /// connection: it is [not told](Said::Nothing).
    Close(Disconnect),
}

/// A dialect of a gateway, and the slot in which frames keep its encoding.
#[derive(Clone, Copy)]
pub(crate) struct Spoken {
    dialect: &'static dyn Dialect,
    slot: EncodingSlot,
}

impl Spoken {
    pub(crate) const fn new(dialect: &'static dyn Dialect, slot: EncodingSlot) -> Self {
        Self { dialect, slot }
    }

    /// Returns the name among `offered` sub-protocols that is one of this dialect's.
    pub(crate) fn subprotocol(self, offered: &str) -> Option<&'static str> {
        let names = self.dialect.subprotocols().iter().copied();
        names.into_iter().find(|name| *name == offered)
    }

    /// See [`Dialect::opening`].
    pub(crate) fn opening(self, query: &str) -> Result<Vec<Request>, Disconnect> {
        quietly(|| self.dialect.opening(query)).unwrap_or(Err(Disconnect::INTERNAL))
    }

    /// See [`Dialect::hear`].
    pub(crate) fn hear(self, message: Message) -> Heard {
        quietly(|| self.dialect.hear(message)).unwrap_or(Heard::Close(Disconnect::INTERNAL))
    }

    /// See [`Dialect::say`].
    pub(crate) fn say(self, push: Push<'_>) -> Said {
        quietly(|| self.dialect.say(push)).unwrap_or(Said::Close(Disconnect::INTERNAL))
    }

    /// Returns the encoding of a frame, made by `encode` for the first client; empty if clients of
    /// this dialect are not told of it.
    pub(crate) fn of(self, frame: &Frame, encode: impl FnOnce(&Message) -> Bytes) -> &Bytes {
        frame.encoded(self.slot, |frame| match self.say(Push::Frame(frame)) {
            Said::Message(message) => encode(&message),
            Said::Nothing | Said::Close(_) => Bytes::new(),
        })
    }
}

impl PartialEq for Spoken {
    fn eq(&self, other: &Self) -> bool {
        self.slot == other.slot && std::ptr::addr_eq(self.dialect, other.dialect)
    }
}

impl Eq for Spoken {}

impl fmt::Debug for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.dialect.subprotocols();
        f.debug_tuple("Spoken").field(&names).finish()
    }
}
