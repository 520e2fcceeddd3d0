//! Whether a scenario can be simulated.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::limits::OutboxLimits;
use crate::tune::scenario::ClientClass;
use crate::tune::scenario::Cycle;
use crate::tune::scenario::Feed;
use crate::tune::scenario::Scenario;
use crate::tune::scenario::Sweep;

/// The error returned when a scenario cannot be read or simulated; its text names the field and
/// what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidScenario {
    what: String,
}

impl InvalidScenario {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into() }
    }
}

impl fmt::Display for InvalidScenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for InvalidScenario {}

/// Messages that one seed may publish.
const MAX_MESSAGES: f64 = 20e6;
/// Messages that one seed may deliver.
const MOST_DELIVERIES: f64 = 10e9;
/// Settings in a sweep.
const MOST_SETTINGS: usize = 10_000;

impl Scenario {
    /// Checks every bound.
    ///
    /// # Errors
    ///
    /// [`InvalidScenario`] names the first field that is out of range, and what is allowed.
    pub fn check(&self) -> Result<(), InvalidScenario> {
        let name = &self.name;
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let is_named = !name.is_empty() && name.len() <= 64 && name.chars().all(good);
        ensure(is_named, || {
            "`name` must be 1 to 64 letters, digits, `-`, `_` or `.`".to_owned()
        })?;
        within("seeds", self.seeds as f64, 1.0, 100.0)?;
        lasts("duration", self.duration, Duration::from_secs(1), DAY)?;
        within("population", self.population as f64, 1.0, 100_000.0)?;
        lasts(
            "pace",
            self.pace.unwrap_or_default(),
            Duration::ZERO,
            MINUTE,
        )?;
        within("overhead", self.overhead as f64, 0.0, 65_536.0)?;
        within("bounds.lost", self.bounds.lost, 0.0, 1.0)?;
        within(
            "bounds.closed_per_hour",
            self.bounds.closed_per_hour,
            0.0,
            1e6,
        )?;
        within(
            "the number of `[[feed]]`",
            self.feeds.len() as f64,
            1.0,
            64.0,
        )?;
        within(
            "the number of `[[clients]]`",
            self.clients.len() as f64,
            1.0,
            64.0,
        )?;
        self.feeds.iter().try_for_each(Feed::check)?;
        self.clients.iter().try_for_each(ClientClass::check)?;
        let shares: f64 = self.clients.iter().map(|class| class.share).sum();
        ensure(shares > 0.0, || {
            "one `share` at least must be above 0".to_owned()
        })?;
        self.sweep.check()?;
        self.check_size()
    }

    fn check_size(&self) -> Result<(), InvalidScenario> {
        let messages = self.rate() * self.duration.as_secs_f64();
        ensure(messages <= MAX_MESSAGES, || {
            format!(
                "`duration` × `rate` is {messages:.0} messages, at most {MAX_MESSAGES:.0} are simulated"
            )
        })?;
        let deliveries = messages * self.population as f64;
        ensure(deliveries <= MOST_DELIVERIES, || {
            format!(
                "{deliveries:.0} deliveries a seed, at most {MOST_DELIVERIES:.0} are simulated: lower `population` or `duration`"
            )
        })
    }
}

impl Feed {
    fn check(&self) -> Result<(), InvalidScenario> {
        within("rate", self.rate, 0.0, 1e6)?;
        within("size.mean", self.size.mean as f64, 1.0, 1_048_576.0)?;
        within("size.spread", self.size.spread, 0.0, 3.0)?;
        if let Some(burst) = &self.burst {
            within("burst.messages", burst.messages as f64, 1.0, 1e6)?;
            lasts("burst.every", burst.every, Duration::from_millis(1), DAY)?;
            lasts("burst.spacing", burst.spacing, Duration::ZERO, MINUTE)?;
        }
        if let Some(keys) = &self.keys {
            within("keys.count", keys.count as f64, 1.0, 1e6)?;
            within("keys.skew", keys.skew, 0.0, 4.0)?;
        }
        ensure(self.mean_rate() > 0.0, || {
            "a feed needs a `rate` above 0 or a `burst`".to_owned()
        })
    }
}

impl ClientClass {
    fn check(&self) -> Result<(), InvalidScenario> {
        let is_named = !self.name.is_empty() && self.name.len() <= 32;
        ensure(is_named, || "`class` must have 1 to 32 bytes".to_owned())?;
        within("share", self.share, 0.0, 1e6)?;
        within("bandwidth", self.bandwidth as f64, 100.0, 1.25e10)?;
        lasts("rtt", self.rtt, Duration::ZERO, MINUTE)?;
        within("in_flight", self.window() as f64, 0.0, 1e9)?;
        within("acknowledged", self.grain() as f64, 1.0, 1e9)?;
        lasts("reconnect", self.reconnect, Duration::ZERO, 60 * MINUTE)?;
        self.stall
            .iter()
            .chain(&self.sleep)
            .try_for_each(Cycle::check)
    }
}

impl Cycle {
    fn check(&self) -> Result<(), InvalidScenario> {
        lasts("every", self.every, Duration::from_millis(10), DAY)?;
        lasts("lasts", self.lasts, Duration::from_millis(1), DAY)
    }
}

impl Sweep {
    fn check(&self) -> Result<(), InvalidScenario> {
        within(
            "the number of settings in `[sweep]`",
            self.len() as f64,
            1.0,
            MOST_SETTINGS as f64,
        )?;
        for outbox in &self.outbox {
            within(
                "sweep.outbox",
                *outbox as f64,
                1.0,
                OutboxLimits::MAX_MESSAGES as f64,
            )?;
        }
        for history in &self.history {
            within("sweep.history", *history as f64, 0.0, 1e6)?;
        }
        for delay in &self.flush_delay {
            lasts("sweep.flush_delay", *delay, Duration::ZERO, MINUTE)?;
        }
        for timeout in &self.timeout {
            lasts("sweep.timeout", *timeout, Duration::from_millis(1), DAY)?;
        }
        Ok(())
    }
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), InvalidScenario> {
    if holds {
        Ok(())
    } else {
        Err(InvalidScenario::new(what()))
    }
}

fn within(field: &str, value: f64, least: f64, most: f64) -> Result<(), InvalidScenario> {
    ensure((least..=most).contains(&value), || {
        format!("{field} is {value}, it must be from {least} to {most}")
    })
}

fn lasts(
    field: &str,
    value: Duration,
    least: Duration,
    most: Duration,
) -> Result<(), InvalidScenario> {
    ensure((least..=most).contains(&value), || {
        format!("{field} is {value:?}, it must be from {least:?} to {most:?}")
    })
}

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);
