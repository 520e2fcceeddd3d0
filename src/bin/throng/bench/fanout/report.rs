//! What was found.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::bench::html::Sheet;
use crate::bench::latency::Percentiles;
use crate::bench::latency::nanos;

use super::Load;
use super::options::Options;
use super::world::World;

/// What was found; the fields are those of `--json`.
#[derive(Serialize)]
pub(super) struct Report {
    subscribers: usize,
    slow: usize,
    channels: usize,
    publishers: usize,
    drainers: usize,
    size: usize,
    window: usize,
    outbox: usize,
    policy: &'static str,
    seconds: f64,
    /// Messages that were published.
    messages: u64,
    /// How often a channel refused one for a moment.
    backlogged: u64,
    /// Clients that the messages were for, counted once per message.
    addressed: u64,
    /// Of these, outboxes that took the message.
    delivered: u64,
    /// And those that did not.
    dropped: u64,
    /// Older messages that made room.
    evicted: u64,
    /// Clients that were disconnected for being slow.
    disconnected: u64,
    /// Messages that were drained.
    received: u64,
    deliveries_per_second: f64,
    /// All the time, divided by what was addressed.
    ns_per_delivery: f64,
    /// Time inside of `publish`, divided by what was addressed.
    publish_ns_per_delivery: f64,
    /// Resident memory of a client that has not received anything yet.
    idle_bytes_per_client: f64,
    /// And after the messages.
    used_bytes_per_client: f64,
    latency: Option<Percentiles>,
    /// Age of the newest message that each client has, every 50 ms; none unless clients are slow,
    /// which have received no message.
    freshness: Option<Percentiles>,
}

impl Report {
    /// `resident`: memory before the clients, with them, and after the messages.
    pub(super) fn new(options: &Options, world: &World, load: &Load, resident: [u64; 3]) -> Self {
        let stats = world.hub().stats();
        let [before, connected, after] = resident;
        let per_client = |now: u64| now.saturating_sub(before) as f64 / options.subscribers as f64;
        let addressed = stats.delivered + stats.dropped;
        let per_delivery = |time: Duration| nanos(time) as f64 / addressed.max(1) as f64;
        let seconds = load.elapsed.as_secs_f64();
        Self {
            subscribers: options.subscribers,
            slow: world.slow(),
            channels: options.channels,
            publishers: options.publishers,
            drainers: options.drainers,
            size: options.size,
            window: options.window,
            outbox: options.outbox(),
            policy: options.policy.name(),
            seconds,
            messages: load.published.messages,
            backlogged: load.published.backlogged,
            addressed,
            delivered: stats.delivered,
            dropped: stats.dropped,
            evicted: stats.evicted,
            disconnected: stats.disconnected_slow,
            received: load.received,
            deliveries_per_second: load.received as f64 / seconds,
            ns_per_delivery: per_delivery(load.elapsed),
            publish_ns_per_delivery: per_delivery(load.published.inside),
            idle_bytes_per_client: per_client(connected),
            used_bytes_per_client: per_client(after),
            latency: load.latencies.percentiles(),
            freshness: load.ages.percentiles(),
        }
    }
}

impl Sheet for Report {
    fn name(&self) -> String {
        format!("{} clients, {}", self.subscribers, self.policy)
    }

    fn figures(&self) -> Vec<(&'static str, String)> {
        vec![
            ("clients", self.subscribers.to_string()),
            ("of them slow", self.slow.to_string()),
            ("messages", self.messages.to_string()),
            ("addressed", self.addressed.to_string()),
            ("dropped", self.dropped.to_string()),
            ("evicted", self.evicted.to_string()),
            (
                "received a second",
                format!("{:.0}", self.deliveries_per_second),
            ),
            ("ns per delivery", format!("{:.1}", self.ns_per_delivery)),
            (
                "of it in publish",
                format!("{:.1}", self.publish_ns_per_delivery),
            ),
            (
                "bytes of an idle client",
                format!("{:.0}", self.idle_bytes_per_client),
            ),
        ]
    }

    fn latency(&self) -> Option<&Percentiles> {
        self.latency.as_ref()
    }

    fn freshness(&self) -> Option<&Percentiles> {
        self.freshness.as_ref()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            subscribers,
            slow,
            channels,
            publishers,
            drainers,
            size,
            window,
            ..
        } = self;
        writeln!(
            f,
            "{subscribers} clients ({slow} slow) on {channels} channels; {publishers} publishers, \
             {drainers} drainers; {size} bytes, window {window}, outbox {}, {}",
            self.outbox, self.policy
        )?;
        writeln!(
            f,
            "messages   {} in {:.2} s ({} backlogged)",
            self.messages, self.seconds, self.backlogged
        )?;
        writeln!(
            f,
            "addressed  {} = {} delivered + {} dropped; {} evicted, {} clients disconnected",
            self.addressed, self.delivered, self.dropped, self.evicted, self.disconnected
        )?;
        writeln!(
            f,
            "received   {}, {:.0} a second; {:.1} ns each, {:.1} ns of it in publish",
            self.received,
            self.deliveries_per_second,
            self.ns_per_delivery,
            self.publish_ns_per_delivery
        )?;
        writeln!(
            f,
            "memory     {:.0} bytes per idle client, {:.0} after the messages",
            self.idle_bytes_per_client, self.used_bytes_per_client
        )?;
        match &self.latency {
            Some(latency) => write!(f, "latency    {latency}"),
            None => write!(f, "latency    no client was sampled"),
        }
    }
}
