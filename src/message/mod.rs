//! What is published: a payload, its format, and perhaps a key to conflate by.

mod text;

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

pub use self::text::Text;

/// One message: a payload that is stored once, however many clients receive it.
///
/// Cloning bumps a reference count; the payload is never copied. Text that is `&'static str`,
/// `String`, `Box<str>` or `Cow<'static, str>`, and binary data that is `Bytes`, `&'static [u8]`,
/// `Vec<u8>` or `Box<[u8]>`, becomes a message without a copy, by `From` too. Text in [`Bytes`] is
/// checked by [`Message::from_utf8`], and not copied either.
///
/// ```
/// use throng::{Format, Message};
///
/// let tick = Message::text(r#"{"sym":"XY","px":101}"#).key("XY");
/// assert_eq!(tick.format(), Format::Text);
/// assert_eq!(tick.conflation_key().unwrap(), "XY");
///
/// let blob = Message::from(vec![1, 2, 3]);
/// assert_eq!(blob.format(), Format::Binary);
/// assert_eq!(Message::from("static"), Message::text(String::from("static")));
/// ```
#[derive(Clone)]
pub struct Message {
    payload: Bytes,
    key: Option<Bytes>,
    attachment: Option<Arc<dyn Any + Send + Sync>>,
    format: Format,
    ephemeral: bool,
    attached_bytes: u32,
    /// Milliseconds that it is worth receiving for; 0: always.
    lifetime: u32,
    /// The time of its own, if it has one.
    time: OwnTime,
}

/// Milliseconds since 1970 in 48 bits, the lowest first; all of them set if there is no time.
#[derive(Clone, Copy)]
struct OwnTime([u16; 3]);

impl OwnTime {
    const NONE: Self = Self([u16::MAX; 3]);

    /// The last time that there is: in the year 10889.
    const LAST: u64 = (1 << 48) - 2;

    #[expect(clippy::cast_possible_truncation, reason = "16 bits each")]
    fn new(millis: u64) -> Self {
        let millis = millis.min(Self::LAST);
        Self([0, 16, 32].map(|shift| (millis >> shift) as u16))
    }

    #[inline(always)]
    fn millis(self) -> Option<u64> {
        let [low, middle, high] = self.0.map(u64::from);
        let millis = high << 32 | middle << 16 | low;
        (millis <= Self::LAST).then_some(millis)
    }
}

impl Message {
    /// Creates a text message. The text is not copied: see [`Text`] for the types that become one.
    #[must_use]
    pub fn text(text: impl Into<Text>) -> Self {
        Self::new(text.into().into_bytes(), Format::Text)
    }

    /// [`Message::text`] of a literal, for constants. Allocates nothing.
    #[must_use]
    pub const fn static_text(text: &'static str) -> Self {
        Self::new(Bytes::from_static(text.as_bytes()), Format::Text)
    }

    /// A binary message; no copy is made of anything that already is [`Bytes`] or a `Vec<u8>`.
    #[must_use]
    pub fn binary(payload: impl Into<Bytes>) -> Self {
        Self::new(payload.into(), Format::Binary)
    }

    /// Creates a text message from bytes. They are checked, not copied.
    ///
    /// # Errors
    ///
    /// Returns the bytes if they are not UTF-8.
    pub fn from_utf8(payload: Bytes) -> Result<Self, Bytes> {
        match std::str::from_utf8(&payload) {
            Ok(_) => Ok(Self::new(payload, Format::Text)),
            Err(_) => Err(payload),
        }
    }

    /// Creates a text message from bytes that are known to be UTF-8.
    #[cfg(feature = "ws")]
    pub(crate) const fn of_utf8(payload: Bytes) -> Self {
        Self::new(payload, Format::Text)
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

    /// Drops the message where it was not received within `lifetime` of its publish. Default: a
    /// message does not expire. Whole milliseconds, 1 to 4,294,967,295 (49 days); other values
    /// count as the nearest of these.
    ///
    /// An expired message stays in the outbox, and counts against its limits, until the client
    /// would receive it. It is then dropped, counted in
    /// [`ClientStats::expired`](crate::ClientStats::expired), and reported as a
    /// [gap](crate::Event::Gap) to clients that asked for notices. No history gives it to anybody
    /// any more. What a transport has taken out of the outbox in time is sent.
    ///
    /// ```
    /// use std::time::Duration;
    /// use throng::{ConnectOptions, Hub, ManualClock, Message};
    ///
    /// let clock = ManualClock::new();
    /// let hub = Hub::builder().clock(clock.clone()).build()?;
    /// let (client, mut outbox) = hub.connect(ConnectOptions::new())?;
    /// client.subscribe_blocking("cursors")?;
    /// let second = Duration::from_secs(1);
    /// hub.publish("cursors", Message::text("x=1").expires_after(second))?;
    /// clock.advance(second);
    /// hub.publish("cursors", Message::text("x=2").expires_after(second))?;
    /// assert_eq!(outbox.try_recv()?.payload(), "x=2");
    /// assert_eq!(client.stats().expired, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn expires_after(mut self, lifetime: Duration) -> Self {
        let millis = u32::try_from(lifetime.as_millis()).unwrap_or(u32::MAX);
        self.lifetime = millis.max(1);
        self
    }

    /// Returns the lifetime set by [`Message::expires_after`].
    #[must_use]
    pub fn lifetime(&self) -> Option<Duration> {
        (self.lifetime > 0).then(|| Duration::from_millis(self.lifetime.into()))
    }

    /// Milliseconds that it is worth receiving for; 0: always.
    #[inline(always)]
    pub(crate) fn lifetime_ms(&self) -> u64 {
        self.lifetime.into()
    }

    /// Sets the time of publication, since 1970 began, in UTC without leap seconds. Whole
    /// milliseconds. Default: the channel sets it when the message is published, by the clock of
    /// the hub, to a time no earlier than that of the publication before.
    ///
    /// For a message that is stored before it is published, so that its
    /// [`Frame::published_at`](crate::Frame::published_at) is the time that the store has for it.
    /// Later publications of the channel show no earlier time.
    ///
    /// ```
    /// use std::time::Duration;
    /// use throng::{ConnectOptions, Hub, Message};
    ///
    /// let hub = Hub::new();
    /// let (client, mut outbox) = hub.connect(ConnectOptions::new())?;
    /// client.subscribe_blocking("orders")?;
    /// let stored_at = Duration::from_millis(1_767_225_600_000);
    /// hub.publish("orders", Message::text("one").published_at(stored_at))?;
    /// assert_eq!(outbox.try_recv()?.published_at(), stored_at);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn published_at(mut self, since_unix_epoch: Duration) -> Self {
        let millis = u64::try_from(since_unix_epoch.as_millis());
        self.time = OwnTime::new(millis.unwrap_or(u64::MAX));
        self
    }

    /// Returns the time set by [`Message::published_at`].
    #[must_use]
    pub fn own_time(&self) -> Option<Duration> {
        self.own_millis().map(Duration::from_millis)
    }

    /// The time of its own, in milliseconds since 1970.
    #[inline(always)]
    pub(crate) fn own_millis(&self) -> Option<u64> {
        self.time.millis()
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

    /// Returns the payload of a text message; `None` for a binary one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self.format {
            Format::Text => std::str::from_utf8(&self.payload).ok(),
            Format::Binary => None,
        }
    }

    const fn new(payload: Bytes, format: Format) -> Self {
        Self {
            payload,
            key: None,
            attachment: None,
            format,
            ephemeral: false,
            attached_bytes: 0,
            lifetime: 0,
            time: OwnTime::NONE,
        }
    }
}

impl From<Text> for Message {
    /// A text message.
    fn from(text: Text) -> Self {
        Self::text(text)
    }
}

impl From<&'static str> for Message {
    /// A text message.
    fn from(text: &'static str) -> Self {
        Self::static_text(text)
    }
}

impl From<String> for Message {
    /// A text message.
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<Box<str>> for Message {
    /// A text message.
    fn from(text: Box<str>) -> Self {
        Self::text(text)
    }
}

impl From<Cow<'static, str>> for Message {
    /// A text message.
    fn from(text: Cow<'static, str>) -> Self {
        Self::text(text)
    }
}

impl From<Bytes> for Message {
    /// A binary message; for text see [`Message::from_utf8`].
    fn from(payload: Bytes) -> Self {
        Self::binary(payload)
    }
}

impl From<&'static [u8]> for Message {
    /// A binary message.
    fn from(payload: &'static [u8]) -> Self {
        Self::binary(payload)
    }
}

impl From<Vec<u8>> for Message {
    /// A binary message.
    fn from(payload: Vec<u8>) -> Self {
        Self::binary(payload)
    }
}

impl From<Box<[u8]>> for Message {
    /// A binary message.
    fn from(payload: Box<[u8]>) -> Self {
        Self::binary(payload)
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
