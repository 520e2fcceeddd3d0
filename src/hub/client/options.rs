//! What a client brings along when it connects, and when it subscribes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::hub::client::core::Identity;
use crate::hub::filter::Filter;
use crate::hub::frame::StreamPosition;
use crate::limits::OutboxLimits;
use crate::limits::SlowConsumer;

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
    pub(in crate::hub) gap_notices: bool,
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
    pub fn for_user(&self) -> Option<&str> {
        self.identity.as_ref()?.user.as_deref()
    }

    /// Credentials for the [`Authorizer`](crate::Authorizer); the hub does not look into them.
    pub fn auth(mut self, auth: impl Into<Bytes>) -> Self {
        self.identity.get_or_insert_default().auth = auth.into();
        self
    }

    /// Adds something the application wants to know about the client later.
    pub fn metadata(mut self, key: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        let metadata = &mut self.identity.get_or_insert_default().metadata;
        metadata.push((key.into(), value.into()));
        self
    }

    /// How long a transport may hold back what waits for this client, to write more of it at once;
    /// default: what the transport was set to. The hub itself never waits.
    pub fn flush_delay(mut self, delay: Duration) -> Self {
        self.identity.get_or_insert_default().flush_delay = Some(delay);
        self
    }

    /// How much may wait for this client; default: what the hub was built with.
    pub fn outbox(mut self, limits: OutboxLimits) -> Self {
        self.outbox = Some(limits);
        self
    }

    /// This client's own policy; it comes before the channel's and the hub's.
    pub fn slow_consumer(mut self, policy: SlowConsumer) -> Self {
        self.slow_consumer = Some(policy);
        self
    }

    /// Tells the client in band what it has lost, with [`Event::Gap`](crate::Event::Gap).
    /// Off by default. Conflated messages are not losses.
    pub fn gap_notices(mut self, on: bool) -> Self {
        self.gap_notices = on;
        self
    }

    /// Tells the client in band of each channel it has joined, with
    /// [`Event::Joined`](crate::Event::Joined). Off by default; presence channels always do.
    pub fn join_notices(mut self, on: bool) -> Self {
        self.join_notices = on;
        self
    }
}

/// How a client joins one channel.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct SubscribeOptions {
    pub(in crate::hub) auth: Option<Bytes>,
    pub(in crate::hub) filter: Option<Filter>,
    pub(in crate::hub) since: Option<StreamPosition>,
}

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

    /// Only the messages that `filter` wants are wanted; what is not a message comes all the same.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }

    /// Everything after this position is wanted. [`Joined::recovered`](crate::Joined::recovered)
    /// says whether that can be kept: a channel without history can only if nothing was published
    /// since.
    ///
    /// What was missed is given as the client takes it, up to half of its outbox at a time, and more
    /// when the outbox is empty. So a client that receives no faster than its other channels
    /// publish gets no further; what the history forgets before it was given is lost, counted and
    /// told as what an outbox drops is.
    pub fn since(mut self, position: StreamPosition) -> Self {
        self.since = Some(position);
        self
    }
}
