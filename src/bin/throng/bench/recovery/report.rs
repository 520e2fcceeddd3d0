//! What `throng bench recovery` has found.

use std::fmt;

use serde::Serialize;

use crate::bench::html::Sheet;
use crate::bench::latency::Latencies;
use crate::bench::latency::Percentiles;
use crate::bench::process::Work;

use super::client::Back;
use super::options::Options;

/// What was found; the fields are those of `--json`.
#[derive(Serialize)]
pub(super) struct Report {
    clients: usize,
    channels: usize,
    /// Messages that were published while the clients were away.
    messages: usize,
    size: usize,
    /// What the clients got of them when they came back, all together.
    deliveries: usize,
    /// What they should have got, and did not.
    missing: usize,
    /// Subscriptions of which the server said that nothing is missing.
    recovered: usize,
    /// From when they were to come back until the last one had everything.
    seconds: f64,
    deliveries_per_second: f64,
    /// The same time, for each client.
    back: Option<Percentiles>,
    server: Option<Server>,
}

/// Processor time of the server while the clients came back, see `--pid`.
#[derive(Serialize)]
struct Server {
    user_ms: f64,
    system_ms: f64,
    ns_per_delivery: f64,
}

impl Report {
    pub(super) fn new(options: &Options, back: &[Back], work: Option<Work>) -> Self {
        let mut latencies = Latencies::new();
        for back in back {
            latencies.record(back.nanos);
        }
        let last = back.iter().map(|back| back.nanos).max();
        let seconds = last.unwrap_or_default() as f64 / 1e9;
        let deliveries = back.iter().map(|back| back.messages).sum::<usize>();
        let expected = options.clients * options.messages;
        Self {
            clients: options.clients,
            channels: options.channels,
            messages: options.messages,
            size: options.size,
            deliveries,
            missing: expected.saturating_sub(deliveries),
            recovered: back.iter().map(|back| back.recovered).sum(),
            seconds,
            deliveries_per_second: deliveries as f64 / seconds,
            back: latencies.percentiles(),
            server: work.map(|work| Server::new(work, deliveries)),
        }
    }
}

impl Server {
    fn new(work: Work, deliveries: usize) -> Self {
        let nanos = (work.user_nanos + work.system_nanos) as f64;
        Self {
            user_ms: work.user_nanos as f64 / 1e6,
            system_ms: work.system_nanos as f64 / 1e6,
            ns_per_delivery: nanos / deliveries.max(1) as f64,
        }
    }
}

impl Sheet for Report {
    fn name(&self) -> String {
        format!("{} clients", self.clients)
    }

    fn figures(&self) -> Vec<(&'static str, String)> {
        vec![
            ("clients", self.clients.to_string()),
            ("channels", self.channels.to_string()),
            ("messages missed", self.messages.to_string()),
            ("deliveries", self.deliveries.to_string()),
            ("missing", self.missing.to_string()),
            ("subscriptions recovered", self.recovered.to_string()),
            (
                "seconds until the last was back",
                format!("{:.2}", self.seconds),
            ),
            (
                "deliveries a second",
                format!("{:.0}", self.deliveries_per_second),
            ),
        ]
    }

    fn latency(&self) -> Option<&Percentiles> {
        self.back.as_ref()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            clients,
            channels,
            messages,
            size,
            ..
        } = self;
        writeln!(
            f,
            "{clients} clients on {channels} channels each missed {messages} messages of {size} \
             bytes"
        )?;
        writeln!(
            f,
            "deliveries {} in {:.2} s, {:.0} a second; {} missing, {} subscriptions recovered",
            self.deliveries, self.seconds, self.deliveries_per_second, self.missing, self.recovered
        )?;
        if let Some(server) = &self.server {
            writeln!(
                f,
                "server     {:.0} ms user + {:.0} ms system, {:.0} ns per delivery",
                server.user_ms, server.system_ms, server.ns_per_delivery
            )?;
        }
        match &self.back {
            Some(back) => write!(f, "back after {back}"),
            None => write!(f, "back after nothing was received"),
        }
    }
}
