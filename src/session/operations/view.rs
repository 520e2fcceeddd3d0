//! What the API shows of the hub, as JSON.

use std::collections::BTreeMap;

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::code::ErrorCode;
use crate::hub::Channel;
use crate::hub::Client;
use crate::hub::ClientStats;
use crate::hub::Hub;
use crate::hub::SlowClient;
use crate::id::ChannelName;
use crate::layers::Layers;
use crate::layers::is_reserved;
use crate::layers::rooms::Rooms;
use crate::layers::sessions::Sessions;
use crate::protocol::Fault;
use crate::protocol::MemberView;
use crate::protocol::Violation;
use crate::protocol::whole_millis;
use crate::session::ConnectionView;
use crate::session::Entrance;
use crate::session::HookInfo;
use crate::session::ListenerView;
use crate::session::TransportView;
use crate::time::millis;

/// The counters of the hub, of the transports and of the listener.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
pub(super) struct StatsView {
    uptime_ms: u64,
    /// Users that have a connection.
    users: usize,
    /// Users that are online, away or busy.
    present: usize,
    rooms: usize,
    clients: usize,
    channels: usize,
    subscriptions: usize,
    connected: u64,
    published: u64,
    publish_waits: u64,
    publish_waits_timed_out: u64,
    delivered: u64,
    dropped: u64,
    evicted: u64,
    expired: u64,
    disconnected_slow: u64,
    history_messages: usize,
    history_bytes: u64,
    /// Clients for which more than four messages wait, and the bytes of those; 0 unless
    /// `--max-outbox-bytes` is set.
    lagging_clients: u64,
    lagging_bytes: u64,
    sessions: SessionsView,
    #[serde(skip_serializing_if = "Option::is_none")]
    listener: Option<ListenerView>,
    transports: BTreeMap<&'static str, TransportView>,
    /// The hooks, in the order in which they are called.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hooks: Vec<HookView>,
}

/// A hook.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
struct HookView {
    name: String,
    /// The moments at which it is called.
    moments: Vec<&'static str>,
    calls: u64,
    /// Calls that panicked.
    failed: u64,
    /// Calls that took too long.
    timed_out: u64,
    /// Events that it was too slow to take.
    dropped: u64,
}

impl HookView {
    fn of(info: &HookInfo) -> Self {
        Self {
            name: info.name.to_string(),
            moments: info.moments.names().collect(),
            calls: info.calls,
            failed: info.failed,
            timed_out: info.timed_out,
            dropped: info.dropped,
        }
    }
}

/// The sessions of clients.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
struct SessionsView {
    open: usize,
    /// Their connection is lost; they are kept for a while.
    lost: usize,
}

impl StatsView {
    pub(super) fn of(entrance: &Entrance) -> Self {
        let layers = entrance.layers();
        let presence = layers.and_then(Layers::presence);
        let stats = entrance.hub().stats();
        let around = entrance.around();
        Self {
            uptime_ms: millis(entrance.age()),
            users: layers.map_or(0, |layers| layers.users().user_count()),
            present: presence.map_or(0, |presence| presence.counts().present),
            rooms: layers.and_then(Layers::rooms).map_or(0, Rooms::count),
            listener: around.as_ref().and_then(|around| around.listener()),
            transports: around.map_or_else(BTreeMap::new, |around| around.transports()),
            hooks: entrance.hooks().list().iter().map(HookView::of).collect(),
            clients: stats.clients,
            channels: stats.channels,
            subscriptions: stats.subscriptions,
            connected: stats.connected,
            published: stats.published,
            publish_waits: stats.publish_waits,
            publish_waits_timed_out: stats.publish_waits_timed_out,
            delivered: stats.delivered,
            dropped: stats.dropped,
            evicted: stats.evicted,
            expired: stats.expired,
            disconnected_slow: stats.disconnected_slow,
            history_messages: stats.history_messages,
            history_bytes: stats.history_bytes,
            lagging_clients: stats.lagging_clients,
            lagging_bytes: stats.lagging_bytes,
            sessions: SessionsView::of(layers),
        }
    }
}

impl SessionsView {
    fn of(layers: Option<&Layers>) -> Self {
        let sessions = layers.and_then(Layers::sessions);
        let (all, lost) = sessions.map_or((0, 0), Sessions::count);
        Self {
            open: all - lost,
            lost,
        }
    }
}

/// One client.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
pub(super) struct ClientView {
    client_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    channels: Vec<String>,
    #[serde(flatten)]
    outbox: OutboxView,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<ConnectionView>,
}

impl ClientView {
    pub(super) fn of(client: &Client, entrance: &Entrance) -> Self {
        let mut channels = client.subscriptions();
        channels.sort_unstable();
        let around = entrance.around();
        Self {
            client_id: client.id().to_string(),
            user: client.user().map(str::to_owned),
            channels: channels.iter().map(ToString::to_string).collect(),
            outbox: OutboxView::of(&client.stats()),
            connection: around.and_then(|around| around.connection(client.id())),
        }
    }
}

/// A page of the channels there are, in the order of their names.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
pub(super) struct ChannelList {
    channels: Vec<ChannelLine>,
    /// What the next page begins after; the last one has none.
    next: Option<String>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
struct ChannelLine {
    name: String,
    kind: &'static str,
    subscribers: usize,
}

impl ChannelList {
    pub(super) fn of(hub: &Hub, after: Option<&str>, limit: usize) -> Self {
        let mut names = hub.channels();
        names.retain(|name| !is_reserved(name) && after.is_none_or(|after| **name > *after));
        let next = first(&mut names, limit);
        let line = |name: &ChannelName| ChannelLine {
            name: name.to_string(),
            kind: name.kind().as_str(),
            subscribers: hub.subscriber_count(name),
        };
        Self {
            channels: names.iter().map(line).collect(),
            next: next.map(|name| name.to_string()),
        }
    }
}

/// Leaves the first of them, in order; gives the last of these if there are more.
fn first<T: Clone + Ord>(items: &mut Vec<T>, limit: usize) -> Option<T> {
    let has_more = items.len() > limit;
    if has_more && limit > 0 {
        items.select_nth_unstable(limit - 1);
        items.truncate(limit);
    }
    items.sort_unstable();
    items.last().filter(|_| has_more).cloned()
}

/// One channel.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
pub(super) struct ChannelView {
    name: String,
    kind: &'static str,
    subscribers: usize,
    offset: u64,
    epoch: String,
    published: u64,
    delivered: u64,
    dropped: u64,
    evicted: u64,
    disconnected_slow: u64,
    history_messages: usize,
    history_bytes: usize,
    members: Vec<MemberView>,
}

impl ChannelView {
    pub(super) fn of(channel: &Channel) -> Self {
        let stats = channel.stats();
        Self {
            name: channel.name().to_string(),
            kind: channel.kind().as_str(),
            subscribers: stats.subscribers,
            offset: stats.position.offset,
            epoch: stats.position.epoch.to_string(),
            published: stats.published,
            delivered: stats.delivered,
            dropped: stats.dropped,
            evicted: stats.evicted,
            disconnected_slow: stats.disconnected_slow,
            history_messages: stats.history_messages,
            history_bytes: stats.history_bytes,
            members: channel.presence().iter().cloned().map(MemberView).collect(),
        }
    }
}

/// The clients that keep up worst, the worst first.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
pub(super) struct SlowList {
    clients: Vec<SlowLine>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
struct SlowLine {
    client_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(flatten)]
    outbox: OutboxView,
}

/// What waits for a client, and what became of what did.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
struct OutboxView {
    queued_messages: usize,
    queued_bytes: u64,
    /// Age of the message that is sent next; `null` if none waits or it cannot be known now.
    oldest_waiting_ms: Option<u64>,
    high_water: usize,
    received: u64,
    dropped: u64,
    evicted: u64,
    expired: u64,
    conflated: u64,
    copies: u64,
}

impl SlowList {
    pub(super) fn of(hub: &Hub, n: usize) -> Self {
        Self {
            clients: hub.slow_clients(n).iter().map(SlowLine::of).collect(),
        }
    }
}

impl SlowLine {
    fn of(client: &SlowClient) -> Self {
        let SlowClient { id, stats, user } = client;
        Self {
            client_id: id.to_string(),
            user: user.as_ref().map(ToString::to_string),
            outbox: OutboxView::of(stats),
        }
    }
}

impl OutboxView {
    fn of(stats: &ClientStats) -> Self {
        Self {
            queued_messages: stats.queued_messages,
            queued_bytes: stats.queued_bytes,
            oldest_waiting_ms: stats.oldest_waiting.map(millis),
            high_water: stats.high_water,
            received: stats.received,
            dropped: stats.dropped,
            evicted: stats.evicted,
            expired: stats.expired,
            conflated: stats.conflated,
            copies: stats.copies,
        }
    }
}

/// A request that was refused, where several are answered at once.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
pub(crate) struct Refusal {
    /// The stable code, for programs.
    code: ErrorCode,
    /// The error, for people.
    message: String,
    /// The field at fault, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// The milliseconds after which the same request may succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    /// The time at which nothing of the rate limit is used that refused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reset_at: Option<String>,
    /// The application's own reason, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The rules that the message breaks, at most 16.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Violation>,
}

impl Refusal {
    pub(super) fn of(fault: &Fault) -> Self {
        Self {
            code: fault.code(),
            message: fault.message().to_owned(),
            field: fault.at().map(str::to_owned),
            retry_after_ms: fault.wait().map(whole_millis),
            reset_at: fault.limit().map(|limit| limit.reset_at.to_string()),
            reason: fault.own_reason().map(str::to_owned),
            errors: fault.errors().to_vec(),
        }
    }
}
