//! What is published: a payload, its format, and perhaps a key to conflate by.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

/// One message: a payload that is stored once, however many clients receive it.
///
/// Cloning bumps a reference count; the payload is never copied.
///
/// ```
/// use throng::{Format, Message};
///
/// let tick = Message::text(r#"{"sym":"XY","px":101}"#).key("XY");
/// assert_eq!(tick.format(), Format::Text);
/// assert_eq!(tick.conflation_key().unwrap(), "XY");
/// ```
#[derive(Clone)]
pub struct Message {
    payload: Bytes,
    key: Option<Bytes>,
    attachment: Option<Arc<dyn Any + Send + Sync>>,
    format: Format,
    ephemeral: bool,
    attached_bytes: u32,
}

impl Message {
    /// A text message that owns its payload; no copy is made.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(Bytes::from(text.into()), Format::Text)
    }

    /// A text message whose payload lives in the program itself; nothing is allocated.
    #[must_use]
    pub const fn static_text(text: &'static str) -> Self {
        Self::new(Bytes::from_static(text.as_bytes()), Format::Text)
    }

    /// A binary message; no copy is made of anything that already is [`Bytes`] or a `Vec<u8>`.
    #[must_use]
    pub fn binary(payload: impl Into<Bytes>) -> Self {
        Self::new(payload.into(), Format::Binary)
    }

    /// A text message from bytes that are checked, not copied.
    ///
    /// # Errors
    ///
    /// Gives the bytes back when they are not UTF-8.
    pub fn from_utf8(payload: Bytes) -> Result<Self, Bytes> {
        match std::str::from_utf8(&payload) {
            Ok(_) => Ok(Self::new(payload, Format::Text)),
            Err(_) => Err(payload),
        }
    }

    /// Sets the key that [`SlowConsumer::KeepLatest`] conflates by: of all messages of one
    /// channel with the same key that wait for a slow client, the last one remains.
    ///
    /// [`SlowConsumer::KeepLatest`]: crate::SlowConsumer::KeepLatest
    #[must_use]
    pub fn key(mut self, key: impl Into<Bytes>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Attaches something that travels with the message and that the hub does not look into: what
    /// a layer on top of it knows about the message. It takes the place of what was attached
    /// before, and is no part of the payload: it is not sent, and counts only in what a
    /// [history](crate::HistoryOptions) keeps, as large as a `T` is in itself.
    #[must_use]
    pub fn attach<T: Any + Send + Sync>(self, attachment: Arc<T>) -> Self {
        self.attach_sized(attachment, size_of::<T>())
    }

    /// [`Message::attach`] for something that owns memory besides: `bytes` is what it takes in all.
    #[must_use]
    pub fn attach_sized<T: Any + Send + Sync>(mut self, attachment: Arc<T>, bytes: usize) -> Self {
        self.attachment = Some(attachment);
        self.attached_bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self
    }

    /// How much memory the attachment takes.
    pub(crate) fn attached_bytes(&self) -> usize {
        self.attached_bytes as usize
    }

    /// What was attached, if it is a `T`.
    #[must_use]
    pub fn attachment<T: Any>(&self) -> Option<&T> {
        self.attachment.as_ref()?.downcast_ref()
    }

    /// Says that the message means nothing later: no [history](crate::HistoryOptions) keeps it. So
    /// it does not reach a subscriber that is still given what it has
    /// [missed](crate::SubscribeOptions::since) either.
    #[must_use]
    pub fn ephemeral(mut self) -> Self {
        self.ephemeral = true;
        self
    }

    /// Whether the message means nothing later.
    #[must_use]
    pub fn is_ephemeral(&self) -> bool {
        self.ephemeral
    }

    /// The payload.
    #[must_use]
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// The key set by [`Message::key`].
    #[must_use]
    pub fn conflation_key(&self) -> Option<&Bytes> {
        self.key.as_ref()
    }

    /// Whether the payload is text or binary.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    const fn new(payload: Bytes, format: Format) -> Self {
        Self {
            payload,
            key: None,
            attachment: None,
            format,
            ephemeral: false,
            attached_bytes: 0,
        }
    }
}

/// Equal payloads of one format, under the same key, and with the very same attachment.
impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        let attached = match (&self.attachment, &other.attachment) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        };
        attached
            && self.payload == other.payload
            && self.key == other.key
            && self.format == other.format
    }
}

impl Eq for Message {}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("format", &self.format)
            .field("len", &self.payload.len())
            .field("key", &self.key)
            .finish()
    }
}

/// How a payload is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "WebSocket has these two data opcodes and no third"
)]
pub enum Format {
    /// Opaque bytes (WebSocket opcode 0x2).
    Binary,
    /// UTF-8 (WebSocket opcode 0x1).
    Text,
}
