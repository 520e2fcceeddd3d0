//! How a hub is set up.

use std::fmt;
use std::sync::Arc;
use std::sync::OnceLock;

use crossbeam_queue::SegQueue;

use crate::hub::Client;
use crate::hub::Filter;
use crate::hub::Hub;
use crate::hub::Shared;
use crate::hub::after::After;
use crate::hub::after::HubEvent;
use crate::hub::after::Logger;
use crate::hub::after::PresenceEvent;
use crate::hub::after::PresenceHook;
use crate::hub::agenda::Agenda;
use crate::hub::authorize::Authorizer;
use crate::hub::channel::Core;
use crate::hub::common::Common;
use crate::hub::common::HistoryRule;
use crate::hub::common::Recipients;
use crate::hub::error::AllowedValues;
use crate::hub::error::BuildError;
use crate::hub::graces::Graces;
use crate::hub::handle::Handle;
use crate::hub::history::Budget;
use crate::hub::history::HistoryOptions;
use crate::hub::stats::HubCounters;
use crate::hub::turns::Turns;
use crate::id::ChannelName;
use crate::limits::Limits;
use crate::limits::OutboxLimits;
use crate::limits::SlowConsumer;
use crate::raw::combiner::Combiner;
use crate::raw::ring::Budget as OutboxBudget;
use crate::sync::Arc as SharedArc;
use crate::sync::atomic::AtomicU64;
use crate::time::Clock;
use crate::time::SystemClock;
use crate::time::millis;

/// How a hub is set up; each setting has a default.
///
/// ```
/// use throng::{Hub, Limits, OutboxLimits, SlowConsumer};
///
/// let hub = Hub::builder()
///     .outbox(OutboxLimits::new().messages(256).bytes(1 << 20))
///     .slow_consumer(SlowConsumer::KeepLatest)
///     .limits(Limits::new().clients(10_000))
///     .build()?;
/// # let _ = hub;
/// # Ok::<(), throng::BuildError>(())
/// ```
#[must_use]
pub struct HubBuilder {
    shards: usize,
    outbox: OutboxLimits,
    slow_consumer: SlowConsumer,
    limits: Limits,
    authorizer: Option<Arc<dyn Authorizer>>,
    recipients: Option<Recipients>,
    on_presence: Option<PresenceHook>,
    logger: Option<Logger>,
    clock: Arc<dyn Clock>,
    history: Option<HistoryRule>,
}

/// The most shards a hub may have.
const MOST_SHARDS: usize = 1 << 16;

impl HubBuilder {
    pub(super) fn new() -> Self {
        Self {
            shards: 64,
            outbox: OutboxLimits::new(),
            slow_consumer: SlowConsumer::default(),
            limits: Limits::new(),
            authorizer: None,
            recipients: None,
            on_presence: None,
            logger: None,
            clock: Arc::new(SystemClock::new()),
            history: None,
        }
    }

    /// Into how many shards the tables of clients and of channels are split. Default 64; 1 to
    /// 65,536, rounded up to a power of two. About 256 bytes each while empty. Only connecting,
    /// disconnecting and looking up by name or id use the tables.
    pub fn shards(mut self, shards: usize) -> Self {
        self.shards = shards;
        self
    }

    /// How much may wait for a client that does not bring limits of its own. Default 64 messages
    /// and 1 MiB.
    pub fn outbox(mut self, limits: OutboxLimits) -> Self {
        self.outbox = limits;
        self
    }

    /// The policy where neither client nor channel has one. Default
    /// [`SlowConsumer::DropNewest`].
    pub fn slow_consumer(mut self, policy: SlowConsumer) -> Self {
        self.slow_consumer = policy;
        self
    }

    /// The bounds of the hub as a whole. Default [`Limits::new`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Who decides about joins of private and presence channels. Without one they are denied.
    pub fn authorizer(mut self, authorizer: impl Authorizer) -> Self {
        self.authorizer = Some(Arc::new(authorizer));
        self
    }

    /// Sets the filter of what each subscriber receives, besides the filter that it asks for
    /// itself: called once at each join with the client and the name of the channel, and `None`
    /// lets everything pass. A filter that several subscribers share is evaluated once for all of
    /// them. A function that panics lets nothing pass. Rooms, patterns and users have channels too:
    /// `ChannelTarget::of` returns which. Default: none, at no cost.
    ///
    /// ```
    /// use throng::{Client, ConnectOptions, Filter, Hub, Message};
    ///
    /// let short = Filter::new(|message: &Message| message.payload().len() < 100);
    /// let hub = Hub::builder()
    ///     .recipients(move |client: &Client, _: &str| match client.metadata("plan") {
    ///         Some("full") => None,
    ///         _ => Some(short.clone()),
    ///     })
    ///     .build()?;
    /// let (client, mut outbox) = hub.connect(ConnectOptions::new())?;
    /// client.subscribe_blocking("news")?;
    /// let _delivery = hub.publish("news", Message::text("x".repeat(100)))?;
    /// assert!(outbox.try_recv().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn recipients(
        mut self,
        recipients: impl Fn(&Client, &str) -> Option<Filter> + Send + Sync + 'static,
    ) -> Self {
        self.recipients = Some(Arc::new(recipients));
        self
    }

    /// Called once for each coming and going of a member of a presence channel, for one channel in
    /// the order in which they happened, and never twice at a time. It runs on the thread that
    /// caused or found it, outside of every lock, so it should not take long; it may use the hub.
    /// A panic in it is caught and [counted](crate::HubStats::panics).
    pub fn on_presence(mut self, hook: impl Fn(&PresenceEvent) + Send + Sync + 'static) -> Self {
        self.on_presence = Some(Arc::new(hook));
        self
    }

    /// Called for what is worth a line in a log, as [`on_presence`](Self::on_presence) is. With
    /// the feature `tracing`, the same goes to `tracing` at the debug level.
    pub fn on_event(mut self, logger: impl Fn(&HubEvent) + Send + Sync + 'static) -> Self {
        self.logger = Some(Arc::new(logger));
        self
    }

    /// Which channels remember their last publications, and how many. Asked before a channel is
    /// made, and by each [publish by name](crate::Hub::publish) to one that is not there, so it
    /// should be quick; outside of every lock, so it may look into the hub. A panic in it reaches
    /// that call. Without it no channel remembers anything, unless it is
    /// [told to](crate::Channel::set_history).
    ///
    /// ```
    /// use throng::{HistoryOptions, Hub, HistoryQuery, Message};
    ///
    /// let news = |name: &throng::ChannelName| {
    ///     name.starts_with("news").then(|| HistoryOptions::new().messages(1000))
    /// };
    /// let hub = Hub::builder().history(news).build()?;
    /// hub.publish("news.today", Message::text("rain"))?;
    /// let page = hub.channel("news.today")?.history(&HistoryQuery::new());
    /// assert_eq!(page.frames[0].payload(), "rain");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn history(
        mut self,
        rule: impl Fn(&ChannelName) -> Option<HistoryOptions> + Send + Sync + 'static,
    ) -> Self {
        self.history = Some(Box::new(rule));
        self
    }

    /// The clock. Default [`SystemClock`].
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Builds the hub.
    ///
    /// # Errors
    ///
    /// [`BuildError`] names the setting that is out of range or at odds with another one.
    pub fn build(self) -> Result<Hub, BuildError> {
        self.check()?;
        let start = self.clock.now();
        let wall = self.clock.unix_time();
        let wall = wall.unwrap_or_else(|| SystemClock::new().since_unix_epoch());
        let on_channel = Arc::new(OnceLock::new());
        let logs = self.logger.is_some() || cfg!(feature = "tracing");
        let common = Common {
            limits: self.limits,
            outbox: self.outbox,
            slow_consumer: self.slow_consumer,
            authorizer: self.authorizer,
            recipients: self.recipients,
            router: OnceLock::new(),
            after: Combiner::new(After {
                on_channel: Arc::clone(&on_channel),
                on_presence: self.on_presence,
                logger: self.logger,
            }),
            counters: HubCounters::default(),
            logs,
            on_channel,
            clock: self.clock,
            start,
            started_at: millis(wall),
            epoch: AtomicU64::new(first_epoch()),
            changed: SegQueue::new(),
            aging: Agenda::new(Core::aging),
            lingering: Agenda::new(Core::lingering),
            graces: Graces::new(),
            history: self.history,
            turns: Arc::new(Turns::new(self.outbox)),
            history_budget: Arc::new(Budget::new(self.limits.max_history_bytes)),
            outbox_budget: outbox_budget(&self.limits),
        };
        let shared = Shared::new(common, self.shards.next_power_of_two());
        Ok(Hub {
            shared: Handle::first(shared),
        })
    }

    fn check(&self) -> Result<(), BuildError> {
        let limits = &self.limits;
        range("shards", self.shards, 1, MOST_SHARDS)?;
        range("Limits::max_backlog", limits.max_backlog, 1, usize::MAX)?;
        range(
            "Limits::max_channel_name",
            limits.max_channel_name,
            1,
            65_535,
        )?;
        range("Limits::max_channels", limits.max_channels, 1, usize::MAX)?;
        range("Limits::max_clients", limits.max_clients, 1, usize::MAX)?;
        range("Limits::max_member_id", limits.max_member_id, 1, usize::MAX)?;
        range("Limits::max_members", limits.max_members, 1, usize::MAX)?;
        range(
            "Limits::max_outbox_bytes",
            limits.max_outbox_bytes,
            1,
            usize::MAX,
        )?;
        range(
            "Limits::max_subscriptions",
            limits.max_subscriptions,
            1,
            usize::MAX,
        )?;
        check_outbox(&self.outbox, limits)
    }
}

/// The budget of all outboxes together, if it is bounded.
fn outbox_budget(limits: &Limits) -> Option<SharedArc<OutboxBudget>> {
    let bytes = limits.max_outbox_bytes;
    (bytes < usize::MAX).then(|| OutboxBudget::new(bytes as u64))
}

/// Checks the limits of an outbox, and that every payload the hub allows fits an empty one.
pub(super) fn check_outbox(outbox: &OutboxLimits, limits: &Limits) -> Result<(), BuildError> {
    let most = OutboxLimits::MAX_MESSAGES;
    range("OutboxLimits::max_messages", outbox.max_messages, 1, most)?;
    range(
        "OutboxLimits::max_bytes",
        outbox.max_bytes,
        1,
        OutboxLimits::MAX_BYTES,
    )?;
    if outbox.max_bytes < limits.max_payload {
        return Err(BuildError {
            setting: "OutboxLimits::max_bytes",
            value: outbox.max_bytes as u128,
            allowed: AllowedValues::AtLeast("Limits::max_payload", limits.max_payload as u128),
        });
    }
    Ok(())
}

fn range(setting: &'static str, value: usize, least: usize, most: usize) -> Result<(), BuildError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let allowed = AllowedValues::Range(least as u128, most as u128);
    Err(BuildError {
        setting,
        value: value as u128,
        allowed,
    })
}

/// The microseconds since 1970, which no earlier process is likely to have used, as an integer
/// that JavaScript reads without loss.
fn first_epoch() -> u64 {
    let micros = SystemClock::new().since_unix_epoch().as_micros();
    u64::try_from(micros).unwrap_or_default() & ((1 << 53) - 1)
}

impl fmt::Debug for HubBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubBuilder")
            .field("shards", &self.shards)
            .field("outbox", &self.outbox)
            .field("slow_consumer", &self.slow_consumer)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
