//! What the API shows of the hub, as JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

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
use crate::protocol::MemberView;
use crate::server::accept::AcceptStats;
use crate::transport::ConnectionStats;
use crate::transport::Gateway;
use crate::transport::LatencyStats;
use crate::transport::Transport;
use crate::transport::TransportStats;

/// The counters of the hub, of the transports and of the listener.
#[derive(Debug, Serialize)]
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
    delivered: u64,
    dropped: u64,
    evicted: u64,
    disconnected_slow: u64,
    history_messages: usize,
    history_bytes: u64,
    sessions: SessionsView,
    listener: ListenerView,
    transports: BTreeMap<&'static str, TransportView>,
}

/// The sessions of clients.
#[derive(Debug, Serialize)]
struct SessionsView {
    open: usize,
    /// Their connection is lost; they are kept for a while.
    lost: usize,
}

#[derive(Debug, Serialize)]
struct ListenerView {
    accepted: u64,
    refused: u64,
    failed: u64,
    no_tls: u64,
}

#[derive(Debug, Serialize)]
struct TransportView {
    open: usize,
    opened: u64,
    bytes_in: u64,
    bytes_out: u64,
    frames_in: u64,
    frames_out: u64,
    writes: u64,
    blocked: u64,
    frames_per_write: f64,
    flush_latency: LatencyView,
    closes: BTreeMap<String, u64>,
}

#[derive(Debug, Serialize)]
struct LatencyView {
    count: u64,
    p50_us: f64,
    p99_us: f64,
    max_us: f64,
}

impl StatsView {
    pub(super) fn of(gateway: &Gateway, listener: AcceptStats, uptime: Duration) -> Self {
        let layers = gateway.layers();
        let presence = layers.and_then(Layers::presence);
        let stats = gateway.hub().stats();
        let transports = [Transport::Other, Transport::Sse, Transport::Ws];
        let view = |kind: Transport| (kind.as_str(), TransportView::of(&gateway.stats(kind)));
        Self {
            uptime_ms: u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX),
            users: layers.map_or(0, |layers| layers.users().user_count()),
            present: presence.map_or(0, |presence| presence.counts().present),
            rooms: layers.and_then(Layers::rooms).map_or(0, Rooms::count),
            listener: ListenerView::of(listener),
            transports: transports.into_iter().map(view).collect(),
            clients: stats.clients,
            channels: stats.channels,
            subscriptions: stats.subscriptions,
            connected: stats.connected,
            published: stats.published,
            delivered: stats.delivered,
            dropped: stats.dropped,
            evicted: stats.evicted,
            disconnected_slow: stats.disconnected_slow,
            history_messages: stats.history_messages,
            history_bytes: stats.history_bytes,
            sessions: SessionsView::of(gateway),
        }
    }
}

impl SessionsView {
    fn of(gateway: &Gateway) -> Self {
        let sessions = gateway.layers().and_then(Layers::sessions);
        let (all, lost) = sessions.map_or((0, 0), Sessions::count);
        Self {
            open: all - lost,
            lost,
        }
    }
}

impl ListenerView {
    fn of(stats: AcceptStats) -> Self {
        Self {
            accepted: stats.accepted,
            refused: stats.refused,
            failed: stats.failed,
            no_tls: stats.no_tls,
        }
    }
}

impl TransportView {
    fn of(stats: &TransportStats) -> Self {
        let code = |(code, count): &(u16, u64)| (code.to_string(), *count);
        Self {
            open: stats.open,
            opened: stats.opened,
            bytes_in: stats.bytes_in,
            bytes_out: stats.bytes_out,
            frames_in: stats.frames_in,
            frames_out: stats.frames_out,
            writes: stats.writes,
            blocked: stats.blocked,
            frames_per_write: stats.frames_per_write(),
            flush_latency: LatencyView::of(stats.flush_latency),
            closes: stats.closes.iter().map(code).collect(),
        }
    }
}

impl LatencyView {
    fn of(stats: LatencyStats) -> Self {
        let micros = |time: Duration| time.as_nanos() as f64 / 1000.0;
        Self {
            count: stats.count,
            p50_us: micros(stats.p50),
            p99_us: micros(stats.p99),
            max_us: micros(stats.max),
        }
    }
}

/// One client.
#[derive(Debug, Serialize)]
pub(super) struct ClientView {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    channels: Vec<String>,
    #[serde(flatten)]
    outbox: OutboxView,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<ConnectionView>,
}

#[derive(Debug, Serialize)]
struct ConnectionView {
    transport: &'static str,
    bytes_in: u64,
    bytes_out: u64,
    frames_in: u64,
    frames_out: u64,
    writes: u64,
    blocked: u64,
}

impl ClientView {
    pub(super) fn of(client: &Client, gateway: &Gateway) -> Self {
        let mut channels = client.subscriptions();
        channels.sort_unstable();
        let connection = gateway.connection(client.id());
        Self {
            id: client.id().to_string(),
            user: client.user().map(str::to_owned),
            channels: channels.iter().map(ToString::to_string).collect(),
            outbox: OutboxView::of(&client.stats()),
            connection: connection.as_ref().map(ConnectionView::of),
        }
    }
}

impl ConnectionView {
    fn of(stats: &ConnectionStats) -> Self {
        Self {
            transport: stats.transport.as_str(),
            bytes_in: stats.bytes_in,
            bytes_out: stats.bytes_out,
            frames_in: stats.frames_in,
            frames_out: stats.frames_out,
            writes: stats.writes,
            blocked: stats.blocked,
        }
    }
}

/// The channels there are, in the order of their names.
#[derive(Debug, Serialize)]
pub(super) struct ChannelList {
    channels: Vec<ChannelLine>,
}

#[derive(Debug, Serialize)]
struct ChannelLine {
    name: String,
    kind: &'static str,
    subscribers: usize,
}

impl ChannelList {
    pub(super) fn of(hub: &Hub) -> Self {
        let mut names = hub.channels();
        names.retain(|name| !is_reserved(name));
        names.sort_unstable();
        let line = |name: &ChannelName| ChannelLine {
            name: name.to_string(),
            kind: name.kind().as_str(),
            subscribers: hub.subscriber_count(name),
        };
        Self {
            channels: names.iter().map(line).collect(),
        }
    }
}

/// One channel.
#[derive(Debug, Serialize)]
pub(super) struct ChannelView {
    name: String,
    kind: &'static str,
    subscribers: usize,
    sequence: u64,
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
            sequence: stats.position.offset,
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
pub(super) struct SlowList {
    clients: Vec<SlowLine>,
}

#[derive(Debug, Serialize)]
struct SlowLine {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(flatten)]
    outbox: OutboxView,
}

/// What waits for a client, and what became of what did.
#[derive(Debug, Serialize)]
struct OutboxView {
    queued_messages: usize,
    queued_bytes: u64,
    high_water: usize,
    received: u64,
    dropped: u64,
    evicted: u64,
    conflated: u64,
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
            id: id.to_string(),
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
            high_water: stats.high_water,
            received: stats.received,
            dropped: stats.dropped,
            evicted: stats.evicted,
            conflated: stats.conflated,
        }
    }
}
