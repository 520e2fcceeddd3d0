//! Scenarios and classes of clients by name.

use std::time::Duration;

use crate::tune::scenario::Burst;
use crate::tune::scenario::ClientClass;
use crate::tune::scenario::Cycle;
use crate::tune::scenario::Feed;
use crate::tune::scenario::Keys;
use crate::tune::scenario::Scenario;
use crate::tune::scenario::Size;
use crate::tune::scenario::Values;

impl Scenario {
    /// The names that [`Scenario::preset`] takes.
    pub const PRESETS: [&'static str; 4] = ["chat", "scores", "telemetry", "ticker"];

    /// Returns a scenario by name: `chat`, `scores`, `telemetry` or `ticker`.
    #[must_use]
    pub fn preset(name: &str) -> Option<Self> {
        // A busy feed shows in a minute what others show in two.
        let (feed, values, seconds) = match name {
            "chat" => (chat(), Values::All, 120),
            "scores" => (scores(), Values::Newest, 120),
            "telemetry" => (telemetry(), Values::Newest, 60),
            "ticker" => (ticker(), Values::Newest, 120),
            _ => return None,
        };
        Some(Self {
            name: name.to_owned(),
            values,
            duration: Duration::from_secs(seconds),
            feeds: vec![feed],
            clients: ClientClass::mix(),
            ..Self::default()
        })
    }
}

impl ClientClass {
    /// The names that [`ClientClass::preset`] takes.
    pub const PRESETS: [&'static str; 4] = ["fixed", "mobile", "sleepy", "weak"];

    /// Returns a class by name: `fixed`, `mobile`, `sleepy` or `weak`.
    #[must_use]
    pub fn preset(name: &str) -> Option<Self> {
        let class = match name {
            "fixed" => Self::default(),
            "mobile" => Self {
                bandwidth: 250_000,
                rtt: Duration::from_millis(60),
                stall: Some(cycle(30_000, 1_200)),
                ..Self::default()
            },
            "weak" => Self {
                bandwidth: 23_750,
                rtt: Duration::from_millis(200),
                stall: Some(cycle(20_000, 1_500)),
                ..Self::default()
            },
            "sleepy" => Self {
                bandwidth: 250_000,
                rtt: Duration::from_millis(60),
                sleep: Some(cycle(60_000, 20_000)),
                ..Self::default()
            },
            _ => return None,
        };
        Some(Self {
            name: name.to_owned(),
            ..class
        })
    }

    /// The clients of all presets: 55 % fixed, 33 % mobile, 9 % weak, 3 % sleepy.
    fn mix() -> Vec<Self> {
        let shares = [
            ("fixed", 0.55),
            ("mobile", 0.33),
            ("weak", 0.09),
            ("sleepy", 0.03),
        ];
        let of = |(name, share)| {
            let class = Self::preset(name).unwrap_or_default();
            Self { share, ..class }
        };
        shares.into_iter().map(of).collect()
    }
}

/// Prices of 400 symbols, of which a few change most; all of them move together now and then.
fn ticker() -> Feed {
    Feed {
        rate: 120.0,
        burst: Some(Burst::new(400, Duration::from_secs(12))),
        keys: Some(Keys::new(400, 1.05)),
        ..Feed::default()
    }
}

/// A busy room: texts of every length, and a rush now and then.
fn chat() -> Feed {
    Feed {
        rate: 8.0,
        size: Size::new(180, 0.8),
        burst: Some(Burst {
            messages: 60,
            every: Duration::from_secs(30),
            spacing: Duration::from_millis(20),
        }),
        ..Feed::default()
    }
}

/// Readings of 200 devices, each some twice a second.
fn telemetry() -> Feed {
    Feed {
        rate: 400.0,
        size: Size::new(80, 0.2),
        keys: Some(Keys::new(200, 0.0)),
        ..Feed::default()
    }
}

/// Scores of 40 games: rare, and all of them at once when a round ends.
fn scores() -> Feed {
    Feed {
        rate: 2.0,
        size: Size::new(300, 0.3),
        burst: Some(Burst::new(120, Duration::from_secs(20))),
        keys: Some(Keys::new(40, 0.4)),
        ..Feed::default()
    }
}

fn cycle(every_ms: u64, lasts_ms: u64) -> Cycle {
    Cycle::new(
        Duration::from_millis(every_ms),
        Duration::from_millis(lasts_ms),
    )
}
