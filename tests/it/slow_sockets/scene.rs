//! A server, clients that keep up, and what is published.

use std::cell::Cell;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use crate::binary::PATIENCE;
use crate::binary::Throng;
use crate::binary::Ws;

/// A server, clients that keep up, and what is published.
pub(super) struct Scene {
    throng: Throng,
    policy: String,
    healthy: Vec<Ws>,
    /// Open files of the server, with the healthy clients.
    descriptors: usize,
    /// Messages, all of one channel.
    published: u64,
    totals: Totals,
}

/// What the server said of the deliveries, summed up.
#[derive(Default)]
struct Totals {
    addressed: u64,
    delivered: u64,
    dropped: u64,
    evicted: u64,
    disconnected: u64,
}

impl Scene {
    /// Keys that the messages have in turn; fewer than an outbox has room for.
    pub(super) const KEYS: u64 = 4;

    pub(super) fn start(policy: &str, arguments: &[&str]) -> Self {
        let ours = [
            "--insecure",
            "--slow-consumer",
            policy,
            "--outbox-messages",
            "8",
        ];
        // Reachable from other network namespaces as well.
        let throng = Throng::start_at("0.0.0.0:0", &[&ours, arguments].concat());
        let healthy = (0..HEALTHY).map(|_| throng.ws_joined("c")).collect();
        let descriptors = throng.descriptors();
        Self {
            throng,
            policy: policy.to_owned(),
            healthy,
            descriptors,
            published: 0,
            totals: Totals::default(),
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.throng.address
    }

    /// Waits until so many are subscribed, beside the healthy ones.
    pub(super) fn subscribed(&self, others: usize) {
        let subscriptions = HEALTHY + others;
        self.throng
            .stats_until(|stats| stats["subscriptions"] == subscriptions);
    }

    /// Resident memory of the server.
    pub(super) fn memory(&self) -> u64 {
        self.throng.memory()
    }

    /// What the server may need for so many slow clients, and far less than what [`Self::flood`]
    /// publishes: for each what its outbox may hold and what is on its way to the socket; and what
    /// an allocator keeps.
    pub(super) fn bound(&self, slow: usize) -> u64 {
        let bound = slow as u64 * ((1 << 20) + 3 * SIZE as u64) + (16 << 20);
        assert!(bound < self.published * SIZE as u64 / 2);
        bound
    }

    /// Publishes until every slow client has lost something, and at least 64 MiB; every healthy
    /// client gets each message before the next one. `meanwhile` is called after each.
    pub(super) fn flood(&mut self, mut meanwhile: impl FnMut()) {
        while self.published * (SIZE as u64) < 64 << 20 {
            self.publish("");
            meanwhile();
        }
    }

    /// Publishes until only the healthy clients are there.
    pub(super) fn publish_until_alone(&mut self) {
        let start = Instant::now();
        let alone = Cell::new(false);
        while !alone.get() {
            self.publish("");
            alone.set(self.throng.stats()["clients"] == HEALTHY);
            assert!(start.elapsed() < PATIENCE, "{}", self.throng.stats());
        }
        self.publish("last");
        self.alone();
    }

    /// Waits until nothing remains of all but the healthy clients.
    pub(super) fn alone(&self) {
        self.subscribed(0);
        self.throng.descriptors_until(self.descriptors);
    }

    /// How many messages were published.
    pub(super) fn published(&self) -> u64 {
        self.published
    }

    /// Publishes a message that slow clients wait for.
    pub(super) fn publish_last(&mut self) {
        self.publish("last");
    }

    fn publish(&mut self, text: &str) {
        self.published += 1;
        let text = format!("{text}{}{}", self.published, "x".repeat(SIZE));
        let key = format!("k{}", self.published % Self::KEYS);
        let body = json!({"text": text, "key": key}).to_string();
        let path = "/api/v1/channels/c/publish";
        let response = self.throng.post(path, "application/json", body);
        assert_eq!(response.status, 200, "{response:?}");
        self.totals.add(&response.json());
        for client in &mut self.healthy {
            let message = client.expect("message");
            assert_eq!(message["offset"], self.published);
            assert!(message["text"] == text, "the text comes as it was sent");
        }
    }

    /// Whether the right counters tell of the slow clients, which have these ids.
    pub(super) fn check_counters(&self, slow: &HashSet<String>) {
        let stats = self.throng.stats();
        let Totals {
            addressed,
            delivered,
            dropped,
            evicted,
            disconnected,
        } = self.totals;
        assert_eq!(addressed, delivered + dropped, "{stats}");
        assert_eq!(stats["delivered"], delivered);
        assert_eq!(stats["dropped"], dropped);
        assert_eq!(stats["evicted"], evicted);
        assert_eq!(stats["disconnected_slow"], disconnected);
        if self.policy == "disconnect" {
            assert_eq!(disconnected, slow.len() as u64);
            return;
        }
        assert_eq!(disconnected, 0);
        let list = self.throng.get("/api/v1/clients/slow?n=100").json();
        let lossy = list["clients"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|line| lost(line) > 0);
        let lossy: Vec<_> = lossy.collect();
        let ids: HashSet<_> = lossy
            .iter()
            .map(|line| line["client_id"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(ids, *slow, "{list}");
        for line in lossy {
            let which = ["dropped", "evicted", "conflated"].map(|name| line[name] != 0);
            let expected = match &*self.policy {
                "drop-newest" => [true, false, false],
                "drop-oldest" => [false, true, false],
                "keep-latest" => [false, false, true],
                other => panic!("{other} is no policy of this test"),
            };
            assert_eq!(which, expected, "{line}");
            assert!(line["high_water"].as_u64() <= Some(8), "{line}");
            assert!(line["queued_bytes"].as_u64() <= Some(1 << 20), "{line}");
        }
    }
}

impl Totals {
    fn add(&mut self, report: &Value) {
        let number = |name: &str| report[name].as_u64().unwrap();
        self.addressed += number("addressed");
        self.delivered += number("delivered");
        self.dropped += number("dropped");
        self.evicted += number("evicted");
        self.disconnected += number("disconnected");
    }
}

/// What a client has lost, in whichever way.
fn lost(line: &Value) -> u64 {
    let names = ["dropped", "evicted", "conflated"];
    names.iter().map(|name| line[name].as_u64().unwrap()).sum()
}

/// Clients that keep up.
const HEALTHY: usize = 3;

/// Bytes of a payload, and a little more.
const SIZE: usize = 128 << 10;
