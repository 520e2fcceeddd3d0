//! One seed of a scenario, to be played on real sockets.

use std::time::Duration;

use bytes::Bytes;

use crate::tune::TuneError;
use crate::tune::observe::Staleness;
use crate::tune::scenario::Scenario;
use crate::tune::world::LOOK;
use crate::tune::world::Stage;
use crate::tune::world::nanos;

/// One seed of a scenario, to be played on real sockets: what is published when, what each client's
/// link carries, and what its clients saw.
///
/// The arrivals and the links are those that the model has for the same scenario and seed.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    stage: Stage,
}

/// A message that is to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Planned {
    /// Its number, from 0.
    pub number: usize,
    /// When, since the beginning.
    pub at: Duration,
    /// The feed, by its place in the scenario.
    pub feed: usize,
    /// The key.
    pub key: Option<Bytes>,
    /// Bytes of the payload.
    pub size: usize,
}

/// A message that a client got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "it is these two")]
pub struct Got {
    /// When, since the beginning.
    pub at: Duration,
    /// The number of the message.
    pub number: usize,
}

/// What the clients of one class saw.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Seen {
    staleness: Staleness,
}

impl Rehearsal {
    /// Prepares a scenario for its first seed.
    ///
    /// # Errors
    ///
    /// [`TuneError`] if the scenario is out of range.
    pub fn new(scenario: &Scenario) -> Result<Self, TuneError> {
        scenario.check().map_err(TuneError::Scenario)?;
        let stage = Stage::of(scenario, scenario.seed);
        Ok(Self { stage })
    }

    /// Returns the time before anything is counted.
    #[must_use]
    pub fn warm_up(&self) -> Duration {
        Duration::from_nanos(self.stage.warm_up)
    }

    /// Returns the time at which it ends.
    #[must_use]
    pub fn end(&self) -> Duration {
        Duration::from_nanos(self.stage.horizon)
    }

    /// Returns the messages in the order in which they are published.
    pub fn messages(&self) -> impl Iterator<Item = Planned> {
        let arrivals = &self.stage.arrivals;
        arrivals
            .all
            .iter()
            .enumerate()
            .map(|(number, arrival)| Planned {
                number,
                at: Duration::from_nanos(arrival.at),
                feed: arrival.feed as usize,
                key: arrivals.names[arrival.key as usize].clone(),
                size: arrival.size as usize,
            })
    }

    /// Returns the class of each client, by its place in the scenario.
    #[must_use]
    pub fn classes(&self) -> Vec<usize> {
        self.stage.peers.iter().map(|peer| peer.class).collect()
    }

    /// Returns the bytes that the link of a client carries between two times; 0 for a client that
    /// does not exist.
    #[must_use]
    pub fn carries(&self, client: usize, from: Duration, to: Duration) -> u64 {
        let peer = self.stage.peers.get(client);
        peer.map_or(0, |peer| peer.link.carries(nanos(from), nanos(to)))
    }

    /// Returns how long a client takes to connect again.
    #[must_use]
    pub fn reconnect(&self, client: usize) -> Duration {
        let peer = self.stage.peers.get(client);
        peer.map_or(Duration::ZERO, |peer| Duration::from_nanos(peer.reconnect))
    }

    /// Adds what a client got, in the order of the times, to what its class saw.
    pub fn look(&self, seen: &mut Seen, got: &[Got]) {
        let arrivals = &self.stage.arrivals;
        let mut have = vec![0_u32; arrivals.times.len()];
        let mut published = vec![0_usize; arrivals.times.len()];
        let (mut next, mut next_got) = (0, 0);
        for (look, keys) in self.stage.probes.iter().enumerate() {
            let now = (look as u64 + 1) * LOOK;
            if now > self.stage.horizon {
                break;
            }
            while let Some(arrival) = arrivals.all.get(next).filter(|arrival| arrival.at <= now) {
                published[arrival.key as usize] += 1;
                next += 1;
            }
            while let Some(one) = got.get(next_got).filter(|one| nanos(one.at) <= now) {
                if let Some(arrival) = arrivals.all.get(one.number) {
                    let have = &mut have[arrival.key as usize];
                    *have = arrival.version.max(*have);
                }
                next_got += 1;
            }
            for key in keys.iter().filter(|_| now >= self.stage.warm_up) {
                let (key, have) = (*key as usize, have[*key as usize] as usize);
                let is_fresh = have >= published[key];
                let since = arrivals.times[key].get(have).copied().unwrap_or(now);
                seen.staleness.record(if is_fresh {
                    0
                } else {
                    now.saturating_sub(since)
                });
            }
        }
    }
}

impl Seen {
    /// Returns the staleness in seconds that a part `quantile` of the time does not exceed.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> f64 {
        self.staleness.quantile(quantile)
    }
}
