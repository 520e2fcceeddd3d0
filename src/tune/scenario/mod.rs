//! A scenario: a feed, its clients, the bounds to keep, and the settings to try.
//!
//! # File format
//!
//! TOML, and every part has a default:
//!
//! ```
//! use throng::tune::Scenario;
//!
//! let scenario = Scenario::from_toml(r#"
//!     name = "ticks"
//!     values = "newest"       # or "all"
//!     seed = 3
//!     duration = "2m"
//!     population = 60         # clients that are simulated
//!     pace = "500us"          # the flusher's pace; measured where it is absent
//!
//!     [[feed]]
//!     rate = 120.0            # messages a second
//!     size = { mean = 120, spread = 0.2 }
//!     burst = { messages = 400, every = "12s", spacing = "50us" }
//!     keys = { count = 400, skew = 1.05 }
//!
//!     [[clients]]
//!     class = "fixed"
//!     share = 0.91
//!
//!     [[clients]]
//!     class = "weak"
//!     share = 0.09
//!     bandwidth = "190kbit"
//!     rtt = "200ms"
//!     stall = { every = "30s", lasts = "1.2s" }
//!
//!     [bounds]
//!     lost = 0.01
//!     closed_per_hour = 2.0
//!
//!     [sweep]
//!     outbox = [64, 128, 256]
//! "#)?;
//! assert_eq!(scenario.name, "ticks");
//! # Ok::<(), throng::tune::InvalidScenario>(())
//! ```

mod check;
mod flags;
mod preset;
mod sweep;

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::tune::units::as_rate;
use crate::tune::units::as_span;

pub use self::check::InvalidScenario;
pub use self::flags::parse_duration;
pub use self::flags::parse_part;
pub use self::sweep::Sweep;

/// A feed, its clients, the bounds to keep, and the settings to try.
///
/// Created by [`Scenario::from_toml`], [`Scenario::preset`] or [`Scenario::default`]; every field
/// may be changed afterwards. It is checked when it is used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Scenario {
    /// The name of the feed, for reports and file names. Default `feed`.
    pub name: String,
    /// Which values matter to a client. Default [`Values::Newest`].
    pub values: Values,
    /// The seed of all random numbers. Default 1.
    pub seed: u64,
    /// Seeds on which the best settings are measured, from [`Self::seed`] on. Default 5; 1 to 100.
    pub seeds: u64,
    /// How long is simulated and measured, per seed, after a warm-up of a twelfth of it. Default 2
    /// minutes; a second to a day.
    #[serde(with = "as_span")]
    pub duration: Duration,
    /// Clients that are simulated, of all classes together. Default 60; 1 to 100,000.
    pub population: usize,
    /// The flusher's pace: the time from one visit of a connection to the next while there is
    /// something to write. `None` until it is measured; then 1 ms is assumed.
    #[serde(with = "pace", skip_serializing_if = "Option::is_none")]
    pub pace: Option<Duration>,
    /// Whether the publisher waits for the flushers, as it does over WebSocket and HTTP, and with
    /// `Gateway::publish_paced`. Default `true`. A publisher that uses `Channel::publish` does not.
    pub publisher_waits: bool,
    /// Bytes that the envelope and the WebSocket frame add to a payload and its key. Default 150.
    pub overhead: u64,
    /// What is published. Every feed is a channel, to which every client is subscribed.
    #[serde(rename = "feed")]
    pub feeds: Vec<Feed>,
    /// The classes of clients.
    pub clients: Vec<ClientClass>,
    /// What a setting has to keep.
    pub bounds: Bounds,
    /// The settings to try.
    pub sweep: Sweep,
}

/// Which values matter to a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Values {
    /// The newest value of each key; a value that a newer one has superseded is not lost.
    #[default]
    Newest,
    /// Every message: of two settings that are equally fresh, the one that conflates less is
    /// better.
    All,
}

/// Messages that are published to one channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Feed {
    /// Messages a second, besides the bursts. Default 120.
    pub rate: f64,
    /// How the messages are spread over time. Default [`Timing::Random`].
    pub timing: Timing,
    /// Payload sizes.
    pub size: Size,
    /// Many messages at once, now and then. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<Burst>,
    /// Conflation keys. Default none: the channel is one value that changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<Keys>,
}

/// How messages are spread over time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Timing {
    /// At even distances.
    Even,
    /// A Poisson process.
    #[default]
    Random,
}

/// Payload sizes, of a log-normal distribution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "SizeForm")]
#[non_exhaustive]
pub struct Size {
    /// The mean, in bytes. Default 120; at most 1 MiB.
    pub mean: u64,
    /// The deviation of the logarithm: 0, the default, for messages of one size; at most 3.
    pub spread: f64,
}

/// Many messages at once, now and then.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Burst {
    /// Messages in a burst.
    pub messages: u64,
    /// From the beginning of one burst to the next, give or take a quarter.
    #[serde(with = "as_span")]
    pub every: Duration,
    /// From one message of a burst to the next. Default 50 us: what one publisher on one WebSocket
    /// sends as fast as it can.
    #[serde(with = "as_span", default = "spacing")]
    pub spacing: Duration,
}

/// Conflation keys, of a Zipf distribution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Keys {
    /// How many keys there are; 1 to 1,000,000.
    pub count: usize,
    /// The exponent: 0 for keys that change equally often, 1.05 where a few change most.
    #[serde(default)]
    pub skew: f64,
}

/// Clients of one kind, and what their links are like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ClientClass {
    /// The name of the class.
    #[serde(rename = "class")]
    pub name: String,
    /// Its part of all clients; the shares of all classes are scaled to 1. Default 1.
    pub share: f64,
    /// What a link carries, in bytes a second. Default 2.5 MB (20 Mbit).
    #[serde(with = "as_rate")]
    pub bandwidth: u64,
    /// The round trip. Default 20 ms.
    #[serde(with = "as_span")]
    pub rtt: Duration,
    /// Bytes that are sent and not acknowledged yet, at most. Default: twice what the link carries
    /// in a round trip, and at least 4 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<u64>,
    /// Bytes that are acknowledged at a time. Default: 2,920 (two segments), and at most half of
    /// what is in flight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<u64>,
    /// Short interruptions: a tunnel, a busy cell. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stall: Option<Cycle>,
    /// Long interruptions: a phone in a pocket, a closed lid. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sleep: Option<Cycle>,
    /// How long a client takes to connect again. Default 1 s.
    #[serde(with = "as_span")]
    pub reconnect: Duration,
}

/// An interruption that comes again and again.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Cycle {
    /// From one to the next, on average, at random.
    #[serde(with = "as_span")]
    pub every: Duration,
    /// How long it lasts, give or take a half.
    #[serde(with = "as_span")]
    pub lasts: Duration,
}

/// What a setting has to keep; a setting that does not is not recommended.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Bounds {
    /// The share of the messages that may be lost, superseded ones not counted. Default 0.01. It
    /// holds for each class whose links can carry the feed.
    pub lost: f64,
    /// Clients that may be closed, per client and hour. Default 2. It holds for each class, without
    /// the timeouts of clients that sleep.
    pub closed_per_hour: f64,
    /// Bytes per client, in outboxes and in the kernel, at the peak. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
}

impl Scenario {
    /// Reads a scenario from TOML and checks it.
    ///
    /// # Errors
    ///
    /// [`InvalidScenario`] names the line or the field, and what is allowed.
    pub fn from_toml(text: &str) -> Result<Self, InvalidScenario> {
        let scenario: Self =
            toml::from_str(text).map_err(|error| InvalidScenario::new(error.to_string().trim()))?;
        scenario.check()?;
        Ok(scenario)
    }

    /// Writes the scenario as TOML, all defaults included.
    #[must_use]
    pub fn to_toml(&self) -> String {
        match toml::to_string(self) {
            Ok(text) => text,
            Err(error) => unreachable!("all keys are text, and tables come last: {error}"),
        }
    }

    /// Returns the shares of the classes, scaled to a sum of 1.
    pub(crate) fn shares(&self) -> Vec<f64> {
        let sum: f64 = self.clients.iter().map(|class| class.share).sum();
        self.clients.iter().map(|class| class.share / sum).collect()
    }

    /// Returns messages a second of all feeds, bursts included.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.feeds.iter().map(Feed::mean_rate).sum()
    }

    /// Returns the bytes that a client is sent in a second.
    #[must_use]
    pub fn bytes_per_second(&self) -> f64 {
        let of = |feed: &Feed| feed.mean_rate() * (feed.size.mean + self.overhead) as f64;
        self.feeds.iter().map(of).sum()
    }
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            name: "feed".to_owned(),
            values: Values::Newest,
            seed: 1,
            seeds: 5,
            duration: Duration::from_secs(120),
            population: 60,
            pace: None,
            publisher_waits: true,
            overhead: 150,
            feeds: vec![Feed::default()],
            clients: vec![ClientClass::default()],
            bounds: Bounds::default(),
            sweep: Sweep::default(),
        }
    }
}

impl Feed {
    /// Returns messages a second, bursts included.
    pub(crate) fn mean_rate(&self) -> f64 {
        let burst = |burst: &Burst| burst.messages as f64 / burst.every.as_secs_f64();
        self.rate + self.burst.as_ref().map_or(0.0, burst)
    }
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            rate: 120.0,
            timing: Timing::Random,
            size: Size {
                mean: 120,
                spread: 0.0,
            },
            burst: None,
            keys: None,
        }
    }
}

impl Burst {
    /// Creates bursts of so many messages, 50 us apart, that begin `every` so often.
    #[must_use]
    pub fn new(messages: u64, every: Duration) -> Self {
        Self {
            messages,
            every,
            spacing: spacing(),
        }
    }
}

impl Keys {
    /// Creates `count` keys of a Zipf distribution with the exponent `skew`.
    #[must_use]
    pub const fn new(count: usize, skew: f64) -> Self {
        Self { count, skew }
    }
}

impl Size {
    /// Creates sizes with this mean, in bytes, and this deviation of the logarithm.
    #[must_use]
    pub const fn new(mean: u64, spread: f64) -> Self {
        Self { mean, spread }
    }
}

impl Cycle {
    /// Creates interruptions that come `every` so often and last so long.
    #[must_use]
    pub const fn new(every: Duration, lasts: Duration) -> Self {
        Self { every, lasts }
    }
}

impl ClientClass {
    /// Returns the bytes a second that the link carries, interruptions included.
    #[must_use]
    pub fn carries(&self) -> f64 {
        let up = |cycle: &Option<Cycle>| {
            cycle.as_ref().map_or(1.0, |cycle| {
                let (every, lasts) = (cycle.every.as_secs_f64(), cycle.lasts.as_secs_f64());
                every / (every + lasts)
            })
        };
        self.bandwidth as f64 * up(&self.stall) * up(&self.sleep)
    }

    /// Returns the bytes that are sent and not acknowledged yet, at most.
    #[must_use]
    pub fn window(&self) -> u64 {
        let nanos = self.rtt.as_nanos() * u128::from(self.bandwidth);
        let round_trip = u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX);
        self.in_flight
            .unwrap_or_else(|| round_trip.saturating_mul(2).max(4 << 10))
    }
}

impl ClientClass {
    /// Returns the bytes that are acknowledged at a time; at least one.
    pub(crate) fn grain(&self) -> u64 {
        let grain = self
            .acknowledged
            .unwrap_or_else(|| SEGMENTS.min(self.window() / 2));
        grain.max(1)
    }
}

/// Bytes of two segments of TCP over Ethernet.
const SEGMENTS: u64 = 2 * 1_460;

impl Default for ClientClass {
    fn default() -> Self {
        Self {
            name: "fixed".to_owned(),
            share: 1.0,
            bandwidth: 2_500_000,
            rtt: Duration::from_millis(20),
            in_flight: None,
            acknowledged: None,
            stall: None,
            sleep: None,
            reconnect: Duration::from_secs(1),
        }
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            lost: 0.01,
            closed_per_hour: 2.0,
            memory: None,
        }
    }
}

/// A size as it is written: a number, or a table.
#[derive(Deserialize)]
#[serde(untagged)]
enum SizeForm {
    Mean(u64),
    Full(FullSize),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FullSize {
    mean: u64,
    #[serde(default)]
    spread: f64,
}

impl From<SizeForm> for Size {
    fn from(form: SizeForm) -> Self {
        match form {
            SizeForm::Mean(mean) => Self::new(mean, 0.0),
            SizeForm::Full(FullSize { mean, spread }) => Self::new(mean, spread),
        }
    }
}

fn spacing() -> Duration {
    Duration::from_micros(50)
}

/// A pace, or `auto`.
mod pace {
    use std::time::Duration;

    use serde::Deserialize;
    use serde::Deserializer;
    use serde::Serializer;
    use serde::de::Error;

    use crate::tune::units::parse_span;
    use crate::tune::units::span;

    pub(super) fn serialize<S: Serializer>(
        pace: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match pace {
            Some(pace) => serializer.serialize_str(&span(*pace)),
            None => serializer.serialize_str("auto"),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let text = String::deserialize(deserializer)?;
        match (text.as_str(), parse_span(&text)) {
            ("auto", _) => Ok(None),
            (_, Some(pace)) => Ok(Some(pace)),
            (_, None) => Err(D::Error::custom("use auto, or a time such as 500us")),
        }
    }
}
