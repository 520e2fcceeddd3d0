//! Which outbox and which policy fit a feed and its clients?
//!
//! [`Tuning::run`] runs the real hub with the real policies in virtual time, once for each setting
//! of a [`Scenario`] and each seed, with modelled links between outboxes and clients, and ranks the
//! settings by what clients see. `throng tune` is its command line.
//!
//! ```
//! use std::time::Duration;
//! use throng::SlowConsumer;
//! use throng::tune::{Scenario, Tuning};
//!
//! // Prices: only the newest value of each symbol counts.
//! let mut scenario = Scenario::preset("ticker").unwrap_or_default();
//! scenario.duration = Duration::from_secs(10);
//! scenario.population = 8;
//! scenario.seeds = 1;
//! scenario.sweep.outbox = vec![16, 256];
//! scenario.sweep.policy = vec![SlowConsumer::KeepLatest, SlowConsumer::DropNewest];
//! let tuning = Tuning::run(&scenario, |_| ())?;
//! let best = tuning.ranked.first();
//! assert_eq!(best.map(|best| best.figures.setting.policy), Some(SlowConsumer::KeepLatest));
//! # Ok::<(), throng::tune::TuneError>(())
//! ```
//!
//! # The model
//!
//! * Arrivals, links and interruptions are drawn once per seed and are the same for every setting.
//! * The hub is a [`Hub`](crate::Hub) with a [`ManualClock`](crate::ManualClock): outboxes,
//!   policies, history, graces and counters are the real ones.
//! * The flusher visits connections in passes that are at least one *pace* apart. The pace is an
//!   input: it depends on the machine and the number of connections.
//! * A socket takes a message while less than the unsent mark is unsent, and more when half of the
//!   mark is sent. A link carries so many bytes a second, nothing while it is down, and delivers
//!   half a round trip later.
//! * The server pings every 25 s; a client that answers too late, or whose socket takes nothing for
//!   too long, is closed. It connects again, and resumes if the setting has a history.
//!
//! Not modelled: TLS and compression, retransmission after a loss, clients that share a link,
//! publishers that are held up by each other, and what a garbage collector does to a client.
//!
//! # What is measured
//!
//! *Staleness*: for how long what the client shows has been out of date. It is 0 while the client
//! has the newest value of a key. Every tenth of a second keys are looked at, each as often as it
//! changes. A message is *superseded* if a newer value of its key replaced it in the outbox, and
//! *lost* if it was neither delivered nor superseded.
//!
//! # Determinism
//!
//! The same scenario with the same pace gives the same figures on the same machine, however many
//! cores there are.
//!
//! # Memory
//!
//! Each core holds one run: its clients, and 8 bytes for each client and key. All cores share the
//! arrivals of all seeds, 32 bytes each. [`Scenario::check`] bounds both.

mod advice;
mod arrivals;
mod figures;
mod link;
mod observe;
mod proof;
mod rank;
mod recording;
mod rehearsal;
mod report;
mod rng;
mod scenario;
mod setting;
mod sweep;
mod units;
mod words;
mod world;

use std::error::Error;
use std::fmt;

use crate::hub::BuildError;

use self::sweep::Sweeper;
use self::sweep::stages;
use self::world::Stage;

pub use self::advice::Advice;
pub use self::advice::Reason;
pub use self::figures::ClassFigures;
pub use self::figures::Figure;
pub use self::figures::Figures;
pub use self::proof::Pair;
pub use self::proof::Proof;
pub use self::proof::Proved;
pub use self::rank::Broken;
pub use self::rank::Ranked;
pub use self::recording::InvalidRecording;
pub use self::recording::Recorder;
pub use self::recording::Recording;
pub use self::rehearsal::Got;
pub use self::rehearsal::Planned;
pub use self::rehearsal::Rehearsal;
pub use self::rehearsal::Seen;
pub use self::report::Terminal;
pub use self::scenario::Bounds;
pub use self::scenario::Burst;
pub use self::scenario::ClientClass;
pub use self::scenario::Cycle;
pub use self::scenario::Feed;
pub use self::scenario::InvalidScenario;
pub use self::scenario::Keys;
pub use self::scenario::Scenario;
pub use self::scenario::Size;
pub use self::scenario::Sweep;
pub use self::scenario::Timing;
pub use self::scenario::Values;
pub use self::scenario::parse_duration;
pub use self::scenario::parse_part;
pub use self::setting::Setting;
pub use self::setting::parse_policy;
pub use self::setting::policy_text;
pub use self::sweep::Progress;

/// What came of tuning.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Tuning {
    /// The scenario.
    pub scenario: Scenario,
    /// All settings, the best first. Those that break a bound come last.
    pub ranked: Vec<Ranked>,
}

impl Tuning {
    /// Measures the settings of a scenario and ranks them, on all cores. `progress` is called after
    /// each run, from any of its threads.
    ///
    /// # Errors
    ///
    /// [`TuneError`] if the scenario or a setting of it is out of range.
    pub fn run(scenario: &Scenario, progress: impl Fn(Progress) + Sync) -> Result<Self, TuneError> {
        scenario.check().map_err(TuneError::Scenario)?;
        let stages = stages(scenario);
        let ranked = Sweeper::new(scenario, stages, &progress).sweep()?;
        Ok(Self {
            scenario: scenario.clone(),
            ranked,
        })
    }

    /// Measures the settings of a scenario on what was recorded, and ranks them. The scenario is
    /// that of [`Recording::scenario`], perhaps with other bounds and another sweep.
    ///
    /// # Errors
    ///
    /// As [`Tuning::run`]; also if the scenario has not the two classes of a recording.
    pub fn replay(
        recording: &Recording,
        scenario: &Scenario,
        progress: impl Fn(Progress) + Sync,
    ) -> Result<Self, TuneError> {
        let stages = replayed(recording, scenario)?;
        let ranked = Sweeper::new(scenario, stages, &progress).sweep()?;
        Ok(Self {
            scenario: scenario.clone(),
            ranked,
        })
    }

    /// Measures these settings on what was recorded, without ranking; returns their figures in this
    /// order.
    ///
    /// # Errors
    ///
    /// As [`Tuning::replay`].
    pub fn replay_settings(
        recording: &Recording,
        scenario: &Scenario,
        settings: &[Setting],
    ) -> Result<Vec<Figures>, TuneError> {
        let stages = replayed(recording, scenario)?;
        Sweeper::new(scenario, stages, &|_| ()).measure_all(settings)
    }

    /// Measures these settings on all seeds of a scenario, without ranking; returns their figures
    /// in this order. `progress` is called as by [`Tuning::run`].
    ///
    /// # Errors
    ///
    /// As [`Tuning::run`].
    pub fn measure(
        scenario: &Scenario,
        settings: &[Setting],
        progress: impl Fn(Progress) + Sync,
    ) -> Result<Vec<Figures>, TuneError> {
        scenario.check().map_err(TuneError::Scenario)?;
        Sweeper::new(scenario, stages(scenario), &progress).measure_all(settings)
    }

    /// Returns the recommended setting; `None` if every setting breaks a bound.
    #[must_use]
    pub fn best(&self) -> Option<&Ranked> {
        let mut passing = self.ranked.iter().filter(|it| it.broken.is_empty());
        passing.find(|it| !it.reference)
    }
}

/// The stage of a recording.
fn replayed(recording: &Recording, scenario: &Scenario) -> Result<Vec<Stage>, TuneError> {
    scenario.check().map_err(TuneError::Scenario)?;
    let names: Vec<&str> = scenario
        .clients
        .iter()
        .map(|class| class.name.as_str())
        .collect();
    if names != ["fast", "behind"] {
        let why = "the classes of a recording must be `fast` and `behind`";
        return Err(TuneError::Scenario(InvalidScenario::new(why)));
    }
    Ok(vec![recording.stage(scenario)])
}

/// The error returned when a scenario cannot be tuned.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TuneError {
    /// The hub refuses a setting.
    Build(BuildError),
    /// The scenario is out of range.
    Scenario(InvalidScenario),
}

impl fmt::Display for TuneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Build(error) => error.fmt(f),
            Self::Scenario(error) => error.fmt(f),
        }
    }
}

impl Error for TuneError {}
