//! Replaying a recording: the same publishes to the hub in virtual time, and links that carry what
//! the network took.
//!
//! While a client was behind, its link carries what was taken; while it was not, more than the
//! feed. What the network took had left the kernel, so nothing is in flight here.

use std::collections::HashMap;
use std::time::Duration;

use crate::tune::arrivals::Arrivals;
use crate::tune::link::Link;
use crate::tune::recording::Recording;
use crate::tune::recording::What;
use crate::tune::scenario::ClientClass;
use crate::tune::scenario::Feed;
use crate::tune::scenario::Keys;
use crate::tune::scenario::Scenario;
use crate::tune::scenario::Size;
use crate::tune::units::whole;
use crate::tune::world::Initial;
use crate::tune::world::PING;
use crate::tune::world::Peer;
use crate::tune::world::Stage;
use crate::tune::world::nanos;
use crate::tune::world::probes;

/// The classes of a replay, in their order.
const FAST: usize = 0;
const BEHIND: usize = 1;

/// Clients that were never behind and are replayed: they are all alike.
const MOST_OTHERS: u32 = 2;

/// Bytes a second of a client that is not behind.
const PLENTY: u64 = 1 << 30;

impl Recording {
    /// Returns a scenario like the recording: its feeds on average, the clients that kept up as the
    /// class `fast`, and those that were behind as the class `behind`. Change its bounds and its
    /// sweep before [`Tuning::replay`](crate::tune::Tuning::replay).
    #[must_use]
    pub fn scenario(&self, name: &str) -> Scenario {
        let seconds = self.duration().as_secs_f64().max(1.0);
        let behind = self.behind();
        let all = behind as f64 + f64::from(self.others);
        let taken = self.records.iter().filter_map(|record| match record.what {
            What::Taken {
                bytes,
                behind: true,
                ..
            } => Some(u64::from(bytes)),
            _ => None,
        });
        let rate = taken.sum::<u64>() as f64 / seconds / behind.max(1) as f64;
        let class = |name: &str, share: f64, bandwidth: u64| ClientClass {
            name: name.to_owned(),
            share,
            bandwidth,
            rtt: Duration::ZERO,
            ..ClientClass::default()
        };
        let fast = (f64::from(self.others) / all.max(1.0)).max(1e-6);
        let slow = (behind as f64 / all.max(1.0)).max(1e-6);
        Scenario {
            name: name.to_owned(),
            seeds: 1,
            duration: Duration::from_secs_f64(seconds),
            population: (behind + 2).min(100_000),
            overhead: self.overhead.into(),
            feeds: self.feeds(seconds),
            clients: vec![
                class("fast", fast, PLENTY),
                class("behind", slow, whole(rate).max(100)),
            ],
            ..Scenario::default()
        }
    }

    fn feeds(&self, seconds: f64) -> Vec<Feed> {
        let mut feeds: Vec<(u64, u64, Vec<u32>)> = Vec::new();
        for record in &self.records {
            if let What::Publish { channel, key, size } = record.what {
                let at = usize::from(channel);
                if feeds.len() <= at {
                    feeds.resize_with(at + 1, || (0, 0, Vec::new()));
                }
                feeds[at].0 += 1;
                feeds[at].1 += u64::from(size);
                feeds[at].2.push(key);
            }
        }
        let feed = |(messages, bytes, mut keys): (u64, u64, Vec<u32>)| {
            keys.sort_unstable();
            keys.dedup();
            let has_keys = keys.iter().any(|key| *key > 0);
            Feed {
                rate: (messages as f64 / seconds).max(1e-3),
                size: Size::new((bytes / messages.max(1)).max(1), 0.0),
                keys: has_keys.then(|| Keys::new(keys.len(), 0.0)),
                ..Feed::default()
            }
        };
        let feeds: Vec<Feed> = feeds.into_iter().map(feed).collect();
        if feeds.is_empty() {
            vec![Feed::default()]
        } else {
            feeds
        }
    }

    /// Sets the stage: everything that is the same for every setting.
    pub(in crate::tune) fn stage(&self, scenario: &Scenario) -> Stage {
        let horizon = nanos(self.duration());
        let arrivals = self.arrivals(scenario.feeds.len());
        let mut peers: Vec<Peer> = (0..self.others.min(MOST_OTHERS))
            .map(|_| peer(FAST, Link::traced(&[], PLENTY)))
            .collect();
        for client in self.clients() {
            peers.push(self.client(client));
        }
        Stage {
            probes: probes(&arrivals, scenario.seed, horizon),
            horizon,
            warm_up: 0,
            pace: nanos(scenario.pace.unwrap_or(Duration::from_millis(1))),
            overhead: self.overhead.into(),
            arrivals,
            classes: scenario.clients.len(),
            watched: peers.iter().position(|peer| peer.class == BEHIND),
            peers,
        }
    }

    fn arrivals(&self, feeds: usize) -> Arrivals {
        let mut keys = HashMap::new();
        let mut names = Vec::new();
        let mut drawn = Vec::new();
        for record in &self.records {
            let What::Publish { channel, key, size } = record.what else {
                continue;
            };
            let number = *keys.entry((channel, key)).or_insert_with(|| {
                let name = (key > 0).then(|| format!("{key:08x}").into());
                names.push(name);
                names.len() - 1
            });
            let feed = usize::from(channel).min(feeds.saturating_sub(1));
            drawn.push((record.at * 1_000, feed, number, u64::from(size)));
        }
        Arrivals::new(feeds, names, drawn)
    }

    fn client(&self, number: u16) -> Peer {
        let mut pieces = Vec::new();
        let mut initial = Initial::default();
        let mut last = 0;
        for record in &self.records {
            match record.what {
                What::Begin {
                    client,
                    unsent,
                    queued,
                } if client == number => {
                    // It was seen first when it had fallen behind: before, it had kept up.
                    if record.at > LATE {
                        pieces.push((last * 1_000, PLENTY));
                    } else {
                        initial = Initial {
                            unsent: unsent.into(),
                            queued,
                        };
                    }
                    last = record.at;
                }
                What::Taken {
                    client,
                    bytes,
                    behind,
                } if client == number && record.at > last => {
                    let rate = u64::from(bytes) * 1_000_000 / (record.at - last);
                    pieces.push((last * 1_000, if behind { rate } else { PLENTY.max(rate) }));
                    last = record.at;
                }
                _ => {}
            }
        }
        Peer {
            initial,
            ..peer(BEHIND, Link::traced(&pieces, 0))
        }
    }
}

/// Microseconds after which a client that is seen for the first time was not behind from the
/// beginning.
const LATE: u64 = 500_000;

fn peer(class: usize, link: Link) -> Peer {
    Peer {
        class,
        link,
        window: 0,
        grain: 1,
        latency: 0,
        reconnect: 1_000_000_000,
        first_ping: PING,
        initial: Initial::default(),
    }
}
