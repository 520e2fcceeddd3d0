//! What was found.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::bench::html::Sheet;
use crate::bench::latency::Percentiles;

use super::Crowd;
use super::Sample;
use super::Totals;
use super::options::Load;
use super::options::Options;
use super::options::Via;
use super::shared::Events;

/// What was found; the fields are those of `--json`.
#[derive(Serialize)]
pub(in crate::bench) struct Report {
    clients: usize,
    slow: usize,
    publishers: usize,
    via: &'static str,
    size: usize,
    /// Messages a second, if that was asked for.
    rate: Option<usize>,
    /// Else the window.
    window: Option<usize>,
    /// What was measured, without the time before.
    seconds: f64,
    /// Messages published since the load before, those of the warm-up too.
    messages: usize,
    /// Messages that were due, but the server was so far behind that no time was left for them.
    unsent: usize,
    /// What the messages should have brought to healthy clients.
    pub(in crate::bench) expected: usize,
    /// What of it was lost.
    pub(in crate::bench) missing: usize,
    /// Messages the server refused, and how it said so first.
    refused: usize,
    first_refusal: Option<String>,
    /// Clients whose connection has ended, by close code.
    closed: BTreeMap<u16, usize>,
    /// Messages that reached healthy clients while it was measured.
    deliveries: usize,
    pub(in crate::bench) deliveries_per_second: f64,
    /// How many a client got with one read, on average.
    deliveries_per_read: f64,
    /// From the moment a message was due until it was read.
    pub(in crate::bench) latency: Option<Percentiles>,
    /// Where clients are slow: the age of the newest message that each client has, every 50 ms.
    freshness: Option<Percentiles>,
    pub(in crate::bench) server: Option<Server>,
}

/// What the server's process did, see `--pid`.
#[derive(Serialize)]
pub(in crate::bench) struct Server {
    pub(in crate::bench) user_ns_per_delivery: f64,
    pub(in crate::bench) system_ns_per_delivery: f64,
    /// `write` and `writev`; the kernel does not count `send`.
    writes_per_delivery: f64,
    /// TCP segments with data that the server has sent: on loopback one for each write of any
    /// kind, if the client reads it in time. None when `ss` cannot tell.
    pub(in crate::bench) segments_per_delivery: Option<f64>,
    pub(in crate::bench) idle_bytes_per_client: f64,
    used_bytes_per_client: f64,
}

impl Report {
    /// `totals`: when the load before ended, and this one; `samples`: when measuring began and
    /// ended; `resident`: the server's memory before the clients, with them, and at the end;
    /// `segments`: what it has sent per delivery.
    pub(super) fn new(
        options: &Options,
        load: Load,
        crowd: &Crowd,
        [before, now]: [Totals; 2],
        samples: &[Sample; 2],
        resident: [Option<u64>; 3],
        segments: Option<f64>,
    ) -> Self {
        let [first, last] = samples;
        let seconds = last.at.duration_since(first.at).as_secs_f64();
        let deliveries = last.counts.received - first.counts.received;
        let reads = last.counts.reads - first.counts.reads;
        let expected = now.paced.expected - before.paced.expected;
        let Events {
            closed,
            refused,
            first_refusal,
            ..
        } = crowd.shared.events();
        Self {
            clients: options.clients,
            slow: crowd.slow.len(),
            publishers: options.publishers,
            via: match options.via {
                Via::Http => "http",
                Via::Ws => "ws",
            },
            size: options.size,
            rate: match load {
                Load::Rate(rate) => Some(rate),
                Load::Window(_) => None,
            },
            window: match load {
                Load::Rate(_) => None,
                Load::Window(window) => Some(window),
            },
            seconds,
            messages: now.paced.messages - before.paced.messages,
            unsent: now.paced.unsent - before.paced.unsent,
            expected,
            missing: expected.saturating_sub(now.received - before.received),
            refused,
            first_refusal,
            closed,
            deliveries,
            deliveries_per_second: deliveries as f64 / seconds,
            deliveries_per_read: deliveries as f64 / reads.max(1) as f64,
            latency: crowd.shared.latencies().percentiles(),
            freshness: crowd.shared.freshness(crowd.slow.len()),
            server: Server::new(options, deliveries, samples, resident, segments),
        }
    }
}

impl Server {
    /// Processor time per delivery, in nanoseconds.
    pub(in crate::bench) fn total(&self) -> f64 {
        self.user_ns_per_delivery + self.system_ns_per_delivery
    }

    fn new(
        options: &Options,
        deliveries: usize,
        [first, last]: &[Sample; 2],
        [before, idle, used]: [Option<u64>; 3],
        segments_per_delivery: Option<f64>,
    ) -> Option<Self> {
        let work = last.work?.since(first.work?);
        let per_delivery = |count: u64| count as f64 / deliveries.max(1) as f64;
        let per_client =
            |now: u64, before: u64| now.saturating_sub(before) as f64 / options.clients as f64;
        Some(Self {
            user_ns_per_delivery: per_delivery(work.user_nanos),
            system_ns_per_delivery: per_delivery(work.system_nanos),
            writes_per_delivery: per_delivery(work.writes),
            segments_per_delivery,
            idle_bytes_per_client: per_client(idle?, before?),
            used_bytes_per_client: per_client(used?, before?),
        })
    }
}

impl Sheet for Report {
    fn name(&self) -> String {
        match (self.rate, self.window) {
            (Some(rate), _) => format!("{rate} a second"),
            (None, window) => format!("window {}", window.unwrap_or_default()),
        }
    }

    fn figures(&self) -> Vec<(&'static str, String)> {
        let server = |of: fn(&Server) -> f64| {
            let value = self.server.as_ref().map(of);
            value.map_or_else(|| "–".to_owned(), |value| format!("{value:.0}"))
        };
        vec![
            ("clients", self.clients.to_string()),
            ("of them slow", self.slow.to_string()),
            ("messages", self.messages.to_string()),
            (
                "deliveries a second",
                format!("{:.0}", self.deliveries_per_second),
            ),
            (
                "deliveries a read",
                format!("{:.2}", self.deliveries_per_read),
            ),
            ("lost", format!("{} of {}", self.missing, self.expected)),
            ("server: ns per delivery", server(Server::total)),
            (
                "server: bytes of an idle client",
                server(|it| it.idle_bytes_per_client),
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
            clients,
            slow,
            publishers,
            via,
            size,
            ..
        } = self;
        write!(
            f,
            "{clients} clients ({slow} slow), {publishers} publishers over {via}, {size} bytes, "
        )?;
        match (self.rate, self.window) {
            (Some(rate), _) => writeln!(f, "{rate} messages a second")?,
            (None, window) => writeln!(f, "window {}", window.unwrap_or_default())?,
        }
        writeln!(
            f,
            "deliveries {} in {:.2} s, {:.0} a second, {:.2} a read; {} of {} lost, {} messages \
             unsent",
            self.deliveries,
            self.seconds,
            self.deliveries_per_second,
            self.deliveries_per_read,
            self.missing,
            self.expected,
            self.unsent
        )?;
        if let Some(refusal) = &self.first_refusal {
            writeln!(f, "refused    {}, the first: {refusal}", self.refused)?;
        }
        for (code, clients) in &self.closed {
            writeln!(f, "closed     {clients} clients with {code}")?;
        }
        if let Some(server) = &self.server {
            writeln!(f, "{server}")?;
        }
        match &self.latency {
            Some(latency) => write!(f, "latency    {latency}"),
            None => write!(f, "latency    nothing was received"),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "server     {:.0} ns user + {:.0} ns system and {:.3} writes ",
            self.user_ns_per_delivery, self.system_ns_per_delivery, self.writes_per_delivery,
        )?;
        if let Some(segments) = self.segments_per_delivery {
            write!(f, "({segments:.3} segments) ")?;
        }
        write!(
            f,
            "per delivery; {:.0} bytes per idle client, {:.0} at the end",
            self.idle_bytes_per_client, self.used_bytes_per_client
        )
    }
}
