//! What the API shows of the hub, as JSON.

use serde::Serialize;

use crate::hub::Channel;
use crate::hub::Hub;
use crate::hub::HubStats;
use crate::hub::SlowClient;
use crate::id::ChannelName;
use crate::protocol::MemberView;

/// The counters of the hub.
#[derive(Debug, Serialize)]
pub(super) struct StatsView {
    clients: usize,
    channels: usize,
    subscriptions: usize,
    connected: u64,
    published: u64,
    delivered: u64,
    dropped: u64,
    evicted: u64,
    disconnected_slow: u64,
}

impl StatsView {
    pub(super) fn of(stats: &HubStats) -> Self {
        Self {
            clients: stats.clients,
            channels: stats.channels,
            subscriptions: stats.subscriptions,
            connected: stats.connected,
            published: stats.published,
            delivered: stats.delivered,
            dropped: stats.dropped,
            evicted: stats.evicted,
            disconnected_slow: stats.disconnected_slow,
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
