//! The hub: clients, channels, and one message to all of them.
//!
//! ```text
//!   publish ──▶ Channel ──▶ its subscribers, one at a time ──▶ Outbox ──▶ recv
//!              (order,      ┌─ ring of the first client  ──▶  one receiver each,
//!               offsets,    ├─ ring of the second              any executor or none
//!               roster)     └─ …
//! ```
//!
//! No runtime, no thread and no I/O is in here: whoever calls does the work.

mod after;
mod agenda;
mod authorize;
mod backlog;
mod batch;
mod builder;
mod channel;
mod client;
mod common;
mod copies;
mod cuts;
mod delivery;
mod encodings;
mod error;
mod eviction;
mod expiry;
mod filter;
mod frame;
mod graces;
mod handed;
mod handle;
#[cfg(feature = "ws")]
mod handout;
mod history;
mod lost_keys;
mod membership;
mod outbox;
mod policy;
mod publish;
mod queue;
mod reply;
mod router;
mod set;
mod shared;
mod stats;
mod table;
mod taking;
#[cfg_attr(
    not(any(feature = "ws", test)),
    expect(dead_code, reason = "only transports have turns")
)]
mod turns;

use std::fmt;
use std::sync::Arc;

use crate::disconnect::Disconnect;
use crate::id::ChannelName;
use crate::id::ClientId;
use crate::limits::Limits;
use crate::limits::OutboxLimits;
use crate::message::Message;
use crate::sync::atomic::Ordering;

use self::channel::Core;
use self::channel::Op;
use self::client::ClientCore;
use self::handle::Handle;
use self::policy::PolicyCell;
use self::queue::Notices;
use self::queue::Queue;
use self::reply::Reply;
use self::shared::Shared;

pub use self::after::ChannelEvent;
pub use self::after::HubEvent;
pub use self::after::PresenceChange;
pub use self::after::PresenceEvent;
pub use self::authorize::AuthRequest;
pub use self::authorize::Authorization;
pub use self::authorize::Authorizer;
pub use self::batch::Batch;
pub use self::builder::HubBuilder;
pub use self::channel::Channel;
pub use self::client::Client;
pub use self::client::ConnectOptions;
pub use self::client::SubscribeOptions;
pub use self::delivery::Delivery;
pub use self::encodings::EncodingSlot;
pub use self::error::AllowedValues;
pub use self::error::BuildError;
pub use self::error::ChannelError;
pub use self::error::Closed;
pub use self::error::ConnectError;
pub use self::error::NotSubscribed;
pub use self::error::PublishError;
pub use self::error::SendError;
pub use self::error::SubscribeError;
pub use self::error::TryRecvError;
pub use self::error::UnknownClient;
pub use self::filter::Filter;
pub use self::filter::WeakFilter;
pub use self::frame::Event;
pub use self::frame::Frame;
pub use self::frame::Gap;
pub use self::frame::Joined;
pub use self::frame::Member;
pub use self::frame::StreamPosition;
pub use self::frame::Unsubscribed;
pub use self::history::HistoryMode;
pub use self::history::HistoryOptions;
pub use self::history::HistoryPage;
pub use self::history::HistoryQuery;
pub use self::outbox::Outbox;
pub use self::publish::Publish;
pub use self::router::Router;
pub use self::set::OutboxKey;
pub use self::set::OutboxSet;
pub use self::stats::ChannelStats;
pub use self::stats::ClientStats;
pub use self::stats::HubStats;
pub use self::stats::SlowClient;

#[cfg(feature = "ws")]
pub(crate) use self::turns::Reached;
#[cfg(feature = "ws")]
pub(crate) use self::turns::Turn;
#[cfg(feature = "ws")]
pub(crate) use self::turns::Turns;
#[cfg(feature = "ws")]
pub(crate) use self::turns::Wait;

/// The root: connects clients, finds channels, publishes. A cheap clone.
///
/// ```
/// use throng::{ConnectOptions, Hub, Message};
///
/// let hub = Hub::new();
/// let (ada, mut outbox) = hub.connect(ConnectOptions::new().user("ada"))?;
/// ada.subscribe_blocking("scores")?;
///
/// let delivery = hub.publish("scores", Message::text("2:1"))?;
/// assert_eq!(delivery.delivered(), 1);
/// assert_eq!(outbox.try_recv()?.payload(), "2:1");
///
/// // For the hot path: the channel is looked up once.
/// let scores = hub.channel("scores")?;
/// assert_eq!(scores.publish("3:1")?.delivered(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Closing
///
/// A `Hub`, a [`Channel`], a [`Client`], and what holds one of them, such as a `Gateway`, are
/// *handles*. When the last handle of a hub is dropped, nothing can be published to it any more, so
/// it is closed with [`Disconnect::CLOSED`]: each [`Outbox`] ends after what it holds. An outbox is
/// no handle; a `Client` [made from one](Outbox::client) is. A callback that owns a handle to its
/// own hub keeps that hub open for ever.
#[derive(Clone)]
pub struct Hub {
    shared: Handle,
}

impl Hub {
    /// A hub with all the defaults.
    #[must_use]
    pub fn new() -> Self {
        match Self::builder().build() {
            Ok(hub) => hub,
            Err(error) => unreachable!("the defaults are in range: {error}"),
        }
    }

    /// A hub to be set up.
    pub fn builder() -> HubBuilder {
        HubBuilder::new()
    }

    /// Connects a client: a handle to act on it, and the outbox that receives for it.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] says why not.
    pub fn connect(&self, options: ConnectOptions) -> Result<(Client, Outbox), ConnectError> {
        let shared = &self.shared;
        let limits = options.outbox.unwrap_or(shared.common.outbox);
        builder::check_outbox(&limits, &shared.common.limits).map_err(ConnectError::Outbox)?;
        if shared.is_closed() {
            return Err(ConnectError::Closed);
        }
        self.count_client()?;
        let core = Arc::new(self.core(options, limits));
        let Some(receiver) = core.queue.ring.receiver() else {
            unreachable!("a new ring has its receiver");
        };
        let outbox = Outbox::new(Arc::clone(&core), Arc::clone(shared.shared()), receiver);
        shared.enter(&core);
        if shared.is_closed() {
            // The one who closed the hub may have looked into the table too early.
            return Err(ConnectError::Closed);
        }
        self.hear_broadcasts(&core);
        shared.sweep();
        Ok((shared.client_of(&core), outbox))
    }

    fn core(&self, options: ConnectOptions, limits: OutboxLimits) -> ClientCore {
        let common = &self.shared.common;
        let policy = options.slow_consumer.unwrap_or(common.slow_consumer);
        let channels = if options.gap_notices.is_on() {
            common.limits.max_subscriptions
        } else {
            0
        };
        let notices = Notices {
            channels: u32::try_from(channels).unwrap_or(u32::MAX),
            keys: options.gap_notices.keys(),
        };
        let id = self.shared.next_client();
        let budget = common.outbox_budget.clone();
        let queue = Queue::new(self.shared.lines(id), budget, limits, policy, notices);
        ClientCore::new(
            id,
            queue,
            PolicyCell::new(options.slow_consumer),
            options.identity,
            options.join_notices,
            Arc::clone(common),
        )
    }

    fn count_client(&self) -> Result<(), ConnectError> {
        let common = &self.shared.common;
        let limit = common.limits.max_clients;
        // Relaxed: a bound by count; the read-modify-write alone makes it strict.
        if common.counters.clients.fetch_add(1, Ordering::Relaxed) >= limit {
            // Relaxed: as above.
            common.counters.clients.fetch_sub(1, Ordering::Relaxed);
            return Err(ConnectError::TooManyClients { limit });
        }
        // Relaxed: a figure for people.
        common.counters.connected.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Has a new client join the channel of all clients.
    fn hear_broadcasts(&self, client: &Arc<ClientCore>) {
        let everyone = &self.shared.everyone;
        if let Ok(membership) = client.hold(everyone, None, None) {
            let (reply, _answer) = Reply::new();
            let client = Arc::clone(client);
            let _applied = everyone.run(Op::Join {
                client,
                membership,
                since: None,
                reply,
            });
        }
    }

    /// A handle to a channel, which is made if it is not there. Keep it for the hot path.
    ///
    /// # Errors
    ///
    /// [`ChannelError`] says why not.
    pub fn channel(&self, name: &str) -> Result<Channel, ChannelError> {
        let max = self.shared.common.limits.max_channel_name;
        let name = ChannelName::parse(name, max).map_err(ChannelError::Name)?;
        self.shared.channel(name)
    }

    /// A handle to a channel that is there; none is made, so that looking at what one
    /// [remembers](Channel::history) leaves nothing behind.
    #[must_use]
    pub fn find_channel(&self, name: &str) -> Option<Channel> {
        self.shared.existing(name)
    }

    /// Has `hook` called whenever a channel has come to be or has gone, for one channel in that
    /// order, and never twice at a time; not for channels that are there already, which
    /// [`Hub::channels`] names. It runs on the thread that caused it, outside of every lock, so it
    /// should not take long. A hub has one such hook at most; `false` if it had one already.
    pub fn on_channel(&self, hook: impl Fn(&ChannelEvent) + Send + Sync + 'static) -> bool {
        self.shared.common.on_channel.set(Arc::new(hook)).is_ok()
    }

    /// Has the publications of channels go to further ones: see [`Router`]. A hub has one router
    /// at most; `false` if it had one already.
    pub fn set_router(&self, router: impl Router) -> bool {
        self.shared.common.router.set(Box::new(router)).is_ok()
    }

    /// Does what is due: has channels forget what is too old, reclaims those that nobody holds
    /// and that have forgotten all, and disconnects clients whose
    /// [grace](crate::SlowConsumer::Disconnect) is over. So does everything that connects, leaves
    /// or looks; a hub on which nothing happens is to be called from time to time, as a gateway
    /// does. Looks at those channels only that something is due with.
    pub fn tick(&self) {
        self.shared.sweep();
        self.shared.common.serve();
    }

    /// Has something logged.
    #[cfg(feature = "ws")]
    pub(crate) fn log(&self, event: HubEvent) {
        let common = &self.shared.common;
        if common.logs() {
            common.after(after::Effect::Log(event));
            common.serve();
        }
    }

    /// Sends a message to one client.
    ///
    /// # Errors
    ///
    /// [`SendError`] gives the message back when it was not put into the outbox.
    pub fn send_to(&self, client: ClientId, message: impl Into<Message>) -> Result<(), SendError> {
        match self.client(client) {
            Some(client) => client.send(message),
            None => Err(SendError::UnknownClient(message.into())),
        }
    }

    /// The time of day by the [clock](HubBuilder::clock), in milliseconds since 1970.
    #[cfg(feature = "ws")]
    pub(crate) fn unix_millis(&self) -> u64 {
        self.shared.common.unix_millis()
    }

    /// Disconnects a client.
    ///
    /// # Errors
    ///
    /// [`UnknownClient`] if there is none of this id, or it was closed already.
    pub fn disconnect(&self, client: ClientId, why: Disconnect) -> Result<(), UnknownClient> {
        let client = self.client(client).ok_or(UnknownClient)?;
        client.close(why);
        Ok(())
    }

    /// The client of this id, unless it was closed.
    #[must_use]
    pub fn client(&self, id: ClientId) -> Option<Client> {
        let core = self
            .shared
            .client(id)
            .filter(|core| !core.queue.is_closed());
        core.map(|core| self.shared.client_of(&core))
    }

    /// Ends every client with `why`, and lets none in any more. What was accepted for a client is
    /// still received.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "every close takes its reason by value"
    )]
    pub fn close(&self, why: Disconnect) {
        self.shared.close(&why);
    }

    /// Whether the hub was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    /// The limits that it was built with.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.shared.common.limits
    }

    /// How many clients there are.
    #[must_use]
    pub fn client_count(&self) -> usize {
        // Relaxed: a figure for people.
        self.shared.common.counters.clients.load(Ordering::Relaxed)
    }

    /// How many channels there are.
    #[must_use]
    pub fn channel_count(&self) -> usize {
        self.shared.channel_count()
    }

    /// How many subscribers a channel has; none if it is not there.
    #[must_use]
    pub fn subscriber_count(&self, channel: &str) -> usize {
        self.shared
            .existing(channel)
            .map_or(0, |channel| channel.subscriber_count())
    }

    /// The names of the channels that are there now, in no order.
    #[must_use]
    pub fn channels(&self) -> Vec<ChannelName> {
        self.shared.sweep();
        let mut names = Vec::new();
        let channels = |channel: Arc<Core>| names.extend(channel.name().cloned());
        self.shared.each_channel(channels);
        names
    }

    /// Who is in a presence channel, in no order; nobody if it is not there or of another kind.
    ///
    /// # Progress
    ///
    /// As [`Channel::presence`].
    #[must_use]
    pub fn presence(&self, channel: &str) -> Arc<[Member]> {
        let channel = self.shared.existing(channel);
        channel.map_or_else(|| Arc::from([]), |channel| channel.presence())
    }

    /// The `n` clients that are furthest behind, worst first: by messages waiting, then by
    /// messages dropped, evicted, conflated or expired so far. Clients of which all these are zero,
    /// and those that were closed, are not listed. Looks at every client.
    #[must_use]
    pub fn slow_clients(&self, n: usize) -> Vec<SlowClient> {
        let mut slow = Vec::new();
        self.shared.each_client(|core| {
            let stats = core.stats();
            if !core.queue.is_closed() && lag(&stats) > (0, 0) {
                slow.push((core, stats));
            }
        });
        slow.sort_by_key(|(core, stats)| (std::cmp::Reverse(lag(stats)), core.id));
        slow.truncate(n);
        let told = slow.into_iter().map(|(core, mut stats)| {
            stats.oldest_waiting = core.oldest_waiting();
            SlowClient {
                id: core.id,
                stats,
                user: core.user().cloned(),
            }
        });
        told.collect()
    }

    /// The figures of the hub. Looks at every channel.
    #[must_use]
    pub fn stats(&self) -> HubStats {
        self.shared.sweep();
        let mut stats = self.shared.common.counters.read();
        (stats.publish_waits, stats.publish_waits_timed_out) = self.shared.common.turns.stats();
        stats.history_bytes = self.shared.common.history_budget.used();
        if let Some(budget) = &self.shared.common.outbox_budget {
            let lag = budget.lag();
            (stats.lagging_clients, stats.lagging_bytes) = (lag.rings, lag.bytes);
        }
        self.shared.each_channel(|channel| {
            stats.channels += 1;
            stats.add(&channel.counters().read());
        });
        let mut everyone = self.shared.everyone.counters().read();
        everyone.subscribers = 0;
        stats.add(&everyone);
        stats
    }
}

/// How far behind a client is: what waits, then what it has lost.
fn lag(stats: &ClientStats) -> (usize, u64) {
    (
        stats.queued_messages,
        stats.dropped + stats.evicted + stats.conflated + stats.expired,
    )
}

impl Default for Hub {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("clients", &self.client_count())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
