//! What a client brings along when it connects, and when it subscribes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::hub::client::core::Identity;
use crate::hub::client::core::Rare;
use crate::hub::filter::Filter;
use crate::hub::frame::StreamPosition;
use crate::limits::GapNotices;
use crate::limits::OutboxLimits;
use crate::limits::SlowConsumer;
use crate::quiet::Quiet;

/// What a client brings along when it connects.
///
/// ```
/// use throng::{ConnectOptions, Hub, OutboxLimits, SlowConsumer};
///
/// let hub = Hub::new();
/// let options = ConnectOptions::new()
///     .user("ada")
///     .outbox(OutboxLimits::new().messages(256))
///     .slow_consumer(SlowConsumer::DropOldest);
/// let (client, outbox) = hub.connect(options)?;
/// assert_eq!(client.user(), Some("ada"));
/// assert!(outbox.is_empty());
/// # Ok::<(), throng::ConnectError>(())
/// ```
#[derive(Debug, Default)]
#[must_use]
pub struct ConnectOptions {
    pub(in crate::hub) identity: Option<Box<Identity>>,
    pub(in crate::hub) outbox: Option<OutboxLimits>,
    pub(in crate::hub) slow_consumer: Option<SlowConsumer>,
    pub(in crate::hub) gap_notices: GapNotices,
    pub(in crate::hub) join_notices: bool,
}

impl ConnectOptions {
    /// An anonymous client with the hub's limits and policy.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whose client it is. Users may have many.
    pub fn user(mut self, user: impl Into<Arc<str>>) -> Self {
        self.identity.get_or_insert_default().user = Some(user.into());
        self
    }

    /// Whose client it is going to be, as [`ConnectOptions::user`] said.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        self.identity.as_ref()?.user.as_deref()
    }

    /// The first value that is noted under `key`.
    #[cfg(feature = "ws")]
    pub(crate) fn metadata_of(&self, key: &str) -> Option<&str> {
        let mut metadata = self.identity.as_ref()?.metadata.iter();
        metadata
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value)
    }

    /// Credentials for the [`Authorizer`](crate::Authorizer); the hub does not look into them.
    pub fn auth(mut self, auth: impl Into<Bytes>) -> Self {
        self.rare().auth = Quiet::new(auth.into());
        self
    }

    /// Adds something the application wants to know about the client later.
    ///
    /// # Memory
    ///
    /// The bytes of the key and the value and at most 4 more, for as long as the client is
    /// connected. All pairs of a client share one allocation.
    pub fn metadata(mut self, key: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        let metadata = &mut self.identity.get_or_insert_default().metadata;
        metadata.push(key.as_ref(), value.as_ref());
        self
    }

    /// How long a transport may hold back what waits for this client, to write more of it at once;
    /// default: what the transport was set to. The hub itself never waits.
    pub fn flush_delay(mut self, delay: Duration) -> Self {
        self.rare().flush_delay = Some(delay);
        self
    }

    /// How much may wait for this client; default: what the hub was built with.
    ///
    /// [`OutboxLimits::max_bytes`] must be at least
    /// [`Limits::max_payload`](crate::Limits::max_payload) (default 1 MiB), so that every message
    /// fits an empty outbox: for smaller outboxes lower `max_payload` when the hub is built.
    /// Otherwise [`Hub::connect`](crate::Hub::connect) returns
    /// [`ConnectError::Outbox`](crate::ConnectError::Outbox).
    ///
    /// ```
    /// use throng::{ConnectOptions, Hub, Limits, OutboxLimits};
    ///
    /// let small = || ConnectOptions::new().outbox(OutboxLimits::new().bytes(64 << 10));
    /// let error = Hub::new().connect(small()).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "outbox limits of the client: OutboxLimits::max_bytes is 65536, at least \
    ///      Limits::max_payload (1048576) is required: raise OutboxLimits::max_bytes or lower \
    ///      Limits::max_payload"
    /// );
    /// let hub = Hub::builder().limits(Limits::new().payload(64 << 10)).build()?;
    /// let (_client, _outbox) = hub.connect(small())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn outbox(mut self, limits: OutboxLimits) -> Self {
        self.outbox = Some(limits);
        self
    }

    /// This client's own policy; it comes before the channel's and the hub's.
    pub fn slow_consumer(mut self, policy: SlowConsumer) -> Self {
        self.slow_consumer = Some(policy);
        self
    }

    /// Tells the client in band what it has lost, with [`Event::Gap`](crate::Event::Gap): `true`,
    /// or [`GapNotices`] that list keys. Off by default. Conflated messages are not losses.
    pub fn gap_notices(mut self, notices: impl Into<GapNotices>) -> Self {
        self.gap_notices = notices.into();
        self
    }

    /// How many keys a gap notice is to list.
    #[cfg(feature = "ws")]
    pub(crate) fn gap_keys(&self) -> usize {
        self.gap_notices.keys()
    }

    /// Tells the client in band of each channel it has joined, with
    /// [`Event::Joined`](crate::Event::Joined). Off by default; presence channels always do.
    pub fn join_notices(mut self, on: bool) -> Self {
        self.join_notices = on;
        self
    }

    fn rare(&mut self) -> &mut Rare {
        let identity = self.identity.get_or_insert_default();
        identity.rare.get_or_insert_default()
    }
}

/// How a client joins one channel.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct SubscribeOptions {
    pub(in crate::hub) auth: Option<Bytes>,
    pub(in crate::hub) filter: Option<Filter>,
    pub(in crate::hub) since: Option<StreamPosition>,
    /// Set if the join was decided about already, and the authorizer is not to be asked.
    pub(in crate::hub) granted: Option<Granted>,
}

/// A join that was decided about, with what members of a presence channel are shown.
#[derive(Clone, Debug)]
pub(in crate::hub) struct Granted(pub(in crate::hub) Bytes);

impl SubscribeOptions {
    /// A plain join.
    pub fn new() -> Self {
        Self::default()
    }

    /// Credentials for this channel, in place of those given when connecting.
    pub fn auth(mut self, auth: impl Into<Bytes>) -> Self {
        self.auth = Some(auth.into());
        self
    }

    /// The join was decided about already: the authorizer is not asked. In a presence channel the
    /// client is shown with `info`.
    #[cfg(feature = "ws")]
    pub(crate) fn granted(mut self, info: Bytes) -> Self {
        self.granted = Some(Granted(info));
        self
    }

    /// Only the messages that `filter` wants are wanted; what is not a message comes all the same.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }

    /// Everything after this position is wanted. [`Joined::recovered`](crate::Joined::recovered)
    /// says whether that can be kept: a channel without history can only if nothing was published
    /// since.
    ///
    /// What was missed is given as the client takes it, up to half of its outbox at a time, and
    /// more when the outbox is empty. So a client that receives no faster than its other channels
    /// publish gets no further; what the history forgets before it was given is lost, counted and
    /// told as what an outbox drops is.
    pub fn since(mut self, position: StreamPosition) -> Self {
        self.since = Some(position);
        self
    }
}
