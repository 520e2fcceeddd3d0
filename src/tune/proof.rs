//! What real sockets gave, beside what the model promised.

use serde::Serialize;

use crate::tune::figures::Figure;
use crate::tune::setting::Setting;
use crate::tune::words::seconds;

/// The result of a proof on real sockets.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Proof {
    /// Seconds for which each setting was measured.
    pub seconds: f64,
    /// Clients that were connected.
    pub clients: usize,
    /// One row for each setting and class.
    pub rows: Vec<Proved>,
}

/// One setting for the clients of one class.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Proved {
    /// The setting.
    pub setting: Setting,
    /// The name of the class.
    pub class: String,
    /// The share that was lost.
    pub lost: Pair,
    /// The share that was superseded, by the counters of the server.
    pub superseded: Pair,
    /// The median of the staleness over time, in seconds.
    pub stale_p50: Pair,
    /// What it does not exceed for 90 % of the time.
    pub stale_p90: Pair,
}

/// A figure of the model, and the real one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Pair {
    /// By the model, over its seeds.
    pub model: Figure,
    /// On real sockets.
    pub real: f64,
}

impl Pair {
    /// Creates a pair.
    #[must_use]
    pub const fn new(model: Figure, real: f64) -> Self {
        Self { model, real }
    }

    /// By how much reality exceeds the model, as a part of it; 0 within its range.
    fn beyond(&self) -> f64 {
        if (self.model.low..=self.model.high).contains(&self.real) {
            return 0.0;
        }
        (self.real - self.model.mid) / self.model.mid.max(1e-3)
    }

    /// Whether a span holds: within 20 %, within the range of the model, or too short to be seen.
    fn holds(&self) -> bool {
        self.beyond().abs() <= SPAN || (self.real - self.model.mid).abs() <= UNSEEN
    }
}

/// By how much the share of what is lost may differ.
const SHARE: f64 = 0.02;
/// By which part a staleness may differ.
const SPAN: f64 = 0.2;
/// Seconds that are not seen: how often clients are looked at.
const UNSEEN: f64 = 0.1;

impl Proved {
    /// Creates a row.
    #[must_use]
    pub fn new(setting: Setting, class: &str, shares: [Pair; 2], spans: [Pair; 2]) -> Self {
        let [lost, superseded] = shares;
        let [stale_p50, stale_p90] = spans;
        Self {
            setting,
            class: class.to_owned(),
            lost,
            superseded,
            stale_p50,
            stale_p90,
        }
    }

    /// Returns `true` if what is lost is within 2 points of the model.
    #[must_use]
    pub fn loss_holds(&self) -> bool {
        (self.lost.real - self.lost.model.mid).abs() <= SHARE
    }

    /// Returns `true` if the loss holds, and the median and the 90th percentile of the staleness
    /// are within 20 % or within the range of the model.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.loss_holds() && self.stale_p50.holds() && self.stale_p90.holds()
    }

    /// Returns the verdict: `holds`, or what does not.
    #[must_use]
    pub fn verdict(&self) -> String {
        let points = (self.lost.real - self.lost.model.mid) * 100.0;
        if !self.loss_holds() {
            return format!("loses {points:+.1} points");
        }
        for (pair, name) in [(&self.stale_p50, "p50"), (&self.stale_p90, "p90")] {
            if !pair.holds() && pair.model.mid < UNSEEN {
                return format!(
                    "{name} is {}, not {}",
                    seconds(pair.real),
                    seconds(pair.model.mid)
                );
            }
            if !pair.holds() {
                let beyond = pair.beyond();
                let what = if beyond > 0.0 {
                    "optimistic"
                } else {
                    "pessimistic"
                };
                return format!("{name} too {what} by {:.0} %", beyond.abs() * 100.0);
            }
        }
        "holds".to_owned()
    }
}

impl Proof {
    /// Creates a proof.
    #[must_use]
    pub fn new(seconds: f64, clients: usize, rows: Vec<Proved>) -> Self {
        Self {
            seconds,
            clients,
            rows,
        }
    }

    /// Returns how many rows hold.
    #[must_use]
    pub fn holding(&self) -> usize {
        self.rows.iter().filter(|row| row.holds()).count()
    }

    /// Returns the pairs of rows of one class whose order reality reverses: the model puts the
    /// first ahead by 20 % of the median staleness or more, and reality puts it behind.
    #[must_use]
    pub fn reversed(&self) -> Vec<(&Proved, &Proved)> {
        let mut reversed = Vec::new();
        let Some(best) = self.rows.first() else {
            return reversed;
        };
        for first in self.rows.iter().filter(|row| row.setting == best.setting) {
            for other in self.rows.iter().filter(|row| row.class == first.class) {
                let promised =
                    first.stale_p50.model.mid * (1.0 + SPAN) + UNSEEN < other.stale_p50.model.mid;
                if promised && first.stale_p50.real > other.stale_p50.real {
                    reversed.push((first, other));
                }
            }
        }
        reversed
    }
}
