//! What is published when: drawn from a scenario, the same for every setting.

use bytes::Bytes;

use crate::tune::link::SECOND;
use crate::tune::rng::Rng;
use crate::tune::rng::Stream;
use crate::tune::scenario::Feed;
use crate::tune::scenario::Scenario;
use crate::tune::scenario::Size;
use crate::tune::scenario::Timing;
use crate::tune::units::whole;

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    /// Nanoseconds since the beginning.
    pub(super) at: u64,
    /// Which feed.
    pub(super) feed: u32,
    /// Which key, over all feeds; a feed without keys is one.
    pub(super) key: u32,
    /// How many messages of the key there are up to this one.
    pub(super) version: u32,
    /// Its offset in the channel of its feed.
    pub(super) offset: u32,
    /// Bytes of the payload.
    pub(super) size: u32,
}

/// Everything that is published.
#[derive(Clone, Debug, Default)]
pub(super) struct Arrivals {
    /// In the order of their times.
    pub(super) all: Vec<Arrival>,
    /// For each feed, its messages, by their places in `all`: offset 1 first.
    pub(super) by_feed: Vec<Vec<u32>>,
    /// For each key, when its messages are published.
    pub(super) times: Vec<Vec<u64>>,
    /// For each key, what it is called; `None` for a feed without keys.
    pub(super) names: Vec<Option<Bytes>>,
}

impl Arrivals {
    /// Draws the arrivals of the first `horizon` nanoseconds.
    pub(super) fn of(scenario: &Scenario, seed: u64, horizon: u64, least_spacing: u64) -> Self {
        let mut drawn = Vec::new();
        let mut names = Vec::new();
        for (number, feed) in scenario.feeds.iter().enumerate() {
            let first = names.len();
            let keys = feed.keys.map_or(1, |keys| keys.count);
            let name = |key| feed.keys.map(|_| Bytes::from(format!("{number}:{key}")));
            names.extend((0..keys).map(name));
            for (at, key, size) in draw(feed, number, seed, horizon, least_spacing) {
                drawn.push((at, number, first + key, size));
            }
        }
        // Stable, so that equal times keep the order of the feeds.
        drawn.sort_by_key(|(at, ..)| *at);
        Self::new(scenario.feeds.len(), names, drawn)
    }

    /// Creates arrivals from times, feeds, keys and sizes, in the order of the times.
    pub(super) fn new(
        feeds: usize,
        names: Vec<Option<Bytes>>,
        drawn: impl IntoIterator<Item = (u64, usize, usize, u64)>,
    ) -> Self {
        let mut arrivals = Self {
            all: Vec::new(),
            by_feed: vec![Vec::new(); feeds],
            times: vec![Vec::new(); names.len()],
            names,
        };
        for (at, feed, key, size) in drawn {
            arrivals.by_feed[feed].push(small(arrivals.all.len()));
            arrivals.times[key].push(at);
            arrivals.all.push(Arrival {
                at,
                feed: small(feed),
                key: small(key),
                version: small(arrivals.times[key].len()),
                offset: small(arrivals.by_feed[feed].len()),
                size: small(usize::try_from(size).unwrap_or(usize::MAX)),
            });
        }
        arrivals
    }
}

/// Every count here is bounded far below by the check of the scenario.
pub(super) fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The times, keys and sizes of one feed.
fn draw(
    feed: &Feed,
    number: usize,
    seed: u64,
    horizon: u64,
    least_spacing: u64,
) -> Vec<(u64, usize, u64)> {
    let mut rng = Rng::new(seed, Stream::Arrivals(number));
    let ranks = Ranks::of(feed);
    let mut times = Vec::new();
    if feed.rate > 0.0 {
        let gap = SECOND as f64 / feed.rate;
        let mut at = rng.between(0.0, gap);
        while whole(at) < horizon {
            times.push(whole(at));
            at += match feed.timing {
                Timing::Even => gap,
                Timing::Random => rng.exponential(gap),
            };
        }
    }
    if let Some(burst) = &feed.burst {
        let mut rng = Rng::new(seed, Stream::Bursts(number));
        let every = burst.every.as_nanos() as f64;
        let spacing = nanos(burst.spacing).max(least_spacing);
        let mut begin = whole(rng.between(0.2, 1.0) * every);
        while begin < horizon {
            times.extend((0..burst.messages).map(|n| begin + n * spacing));
            begin += whole(rng.between(0.75, 1.25) * every);
        }
        times.retain(|at| *at < horizon);
    }
    times.sort_unstable();
    let pick = |at| {
        let key = ranks.pick(rng.unit());
        (at, key, size(feed.size, &mut rng))
    };
    times.into_iter().map(pick).collect()
}

fn nanos(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

fn size(size: Size, rng: &mut Rng) -> u64 {
    if size.spread == 0.0 {
        return size.mean;
    }
    let exponent = size.spread * rng.normal() - size.spread * size.spread / 2.0;
    whole(size.mean as f64 * exponent.exp()).clamp(1, 1 << 20)
}

/// Keys by how often they change.
struct Ranks {
    /// For each key, the share of all messages up to it.
    sums: Vec<f64>,
}

impl Ranks {
    fn of(feed: &Feed) -> Self {
        let Some(keys) = &feed.keys else {
            return Self { sums: vec![1.0] };
        };
        let weight = |rank: usize| (rank as f64 + 1.0).powf(-keys.skew);
        let all: f64 = (0..keys.count).map(weight).sum();
        let sum = |sum: &mut f64, rank| {
            *sum += weight(rank) / all;
            Some(*sum)
        };
        let sums = (0..keys.count).scan(0.0, sum);
        Self {
            sums: sums.collect(),
        }
    }

    fn pick(&self, at: f64) -> usize {
        let key = self.sums.partition_point(|sum| *sum <= at);
        key.min(self.sums.len() - 1)
    }
}
