//! What is the same for every setting: the arrivals, the clients, their links, the moments at which
//! they are looked at.

use std::time::Duration;

use crate::tune::arrivals::Arrivals;
use crate::tune::link::Link;
use crate::tune::link::SECOND;
use crate::tune::rng::Rng;
use crate::tune::rng::Stream;
use crate::tune::scenario::Scenario;
use crate::tune::units::whole;

/// What is the same for every setting, so that settings differ by nothing else.
#[derive(Clone, Debug)]
pub(in crate::tune) struct Stage {
    /// Nanoseconds after which the run ends.
    pub(in crate::tune) horizon: u64,
    /// Nanoseconds before anything is counted.
    pub(in crate::tune) warm_up: u64,
    /// The flusher's pace in nanoseconds.
    pub(in crate::tune) pace: u64,
    /// Bytes that come on top of a payload and its key.
    pub(in crate::tune) overhead: u64,
    pub(in crate::tune) arrivals: Arrivals,
    /// For each look, the keys that are looked at.
    pub(in crate::tune) probes: Vec<[u32; PROBES]>,
    pub(in crate::tune) classes: usize,
    pub(in crate::tune) peers: Vec<Peer>,
    /// The client whose state is recorded.
    pub(in crate::tune) watched: Option<usize>,
}

/// One client as it is in every setting.
#[derive(Clone, Debug)]
pub(in crate::tune) struct Peer {
    pub(in crate::tune) class: usize,
    pub(in crate::tune) link: Link,
    /// Bytes in flight, at most.
    pub(in crate::tune) window: u64,
    /// Bytes that are acknowledged at a time.
    pub(in crate::tune) grain: u64,
    /// Half a round trip in nanoseconds.
    pub(in crate::tune) latency: u64,
    /// Nanoseconds to connect again.
    pub(in crate::tune) reconnect: u64,
    /// When the first ping is due, in nanoseconds.
    pub(in crate::tune) first_ping: u64,
    pub(in crate::tune) initial: Initial,
}

/// What a client had not taken when it was first seen.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::tune) struct Initial {
    /// Bytes in the kernel.
    pub(in crate::tune) unsent: u64,
    /// Messages in its outbox.
    pub(in crate::tune) queued: u32,
}

/// Keys that are looked at each time, for each client.
const PROBES: usize = 6;

/// How often clients are looked at.
pub(in crate::tune) const LOOK: u64 = SECOND / 10;

/// How often the server pings, as it does by default.
pub(in crate::tune) const PING: u64 = 25 * SECOND;

/// The pace where it was not measured.
pub(crate) const PACE: Duration = Duration::from_millis(1);

/// Publications after which a publisher that waits lets the flusher make a pass: half of a default
/// outbox.
const AHEAD: u64 = 32;

impl Stage {
    /// Sets the stage of a scenario for one seed.
    pub(in crate::tune) fn of(scenario: &Scenario, seed: u64) -> Self {
        let measured = nanos(scenario.duration);
        let warm_up = measured / 12;
        let horizon = warm_up + measured;
        let pace = nanos(scenario.pace.unwrap_or(PACE));
        let least_spacing = if scenario.publisher_waits {
            pace / AHEAD
        } else {
            0
        };
        let arrivals = Arrivals::of(scenario, seed, horizon, least_spacing);
        let peers = peers(scenario, seed, horizon);
        Self {
            probes: probes(&arrivals, seed, horizon),
            horizon,
            warm_up,
            pace,
            overhead: scenario.overhead,
            arrivals,
            classes: scenario.clients.len(),
            watched: slowest(scenario, &peers),
            peers,
        }
    }
}

/// The clients, each class in its share, and none with fewer than two.
fn peers(scenario: &Scenario, seed: u64, horizon: u64) -> Vec<Peer> {
    let mut peers = Vec::new();
    for (class, share) in scenario.shares().into_iter().enumerate() {
        let count = whole(share * scenario.population as f64);
        let count = if share > 0.0 { count.max(2) } else { 0 };
        let kind = &scenario.clients[class];
        for _ in 0..count {
            let mut rng = Rng::new(seed, Stream::Client(peers.len()));
            peers.push(Peer {
                class,
                first_ping: whole(rng.between(0.0, PING as f64)),
                link: Link::of(kind, horizon, &mut rng),
                window: kind.window(),
                grain: kind.grain(),
                latency: nanos(kind.rtt) / 2,
                reconnect: nanos(kind.reconnect),
                initial: Initial::default(),
            });
        }
    }
    peers
}

/// The first client of the class whose links carry least.
fn slowest(scenario: &Scenario, peers: &[Peer]) -> Option<usize> {
    let carries = |peer: &Peer| scenario.clients[peer.class].carries();
    let all = peers.iter().enumerate();
    let slowest = all.min_by(|(_, one), (_, other)| carries(one).total_cmp(&carries(other)));
    slowest.map(|(index, _)| index)
}

/// Keys weighted by how often they are published: those of messages picked at random.
pub(in crate::tune) fn probes(arrivals: &Arrivals, seed: u64, horizon: u64) -> Vec<[u32; PROBES]> {
    let mut rng = Rng::new(seed, Stream::Probes);
    let all = &arrivals.all;
    let mut key = || {
        let pick = usize::try_from(rng.next() % all.len().max(1) as u64).unwrap_or_default();
        all.get(pick).map_or(0, |arrival| arrival.key)
    };
    (0..=horizon / LOOK)
        .map(|_| std::array::from_fn(|_| key()))
        .collect()
}

pub(in crate::tune) fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
