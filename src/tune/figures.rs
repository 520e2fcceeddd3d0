//! Figures of one setting, over all seeds on which it was measured.

use serde::Serialize;

use crate::tune::observe::ClassRun;
use crate::tune::observe::Moment;
use crate::tune::observe::Run;
use crate::tune::observe::Staleness;
use crate::tune::setting::Setting;

/// A figure, and its range over the seeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Figure {
    /// The mean over the seeds.
    pub mid: f64,
    /// The least.
    pub low: f64,
    /// The greatest.
    pub high: f64,
}

impl Figure {
    pub(crate) fn over(values: impl IntoIterator<Item = f64>) -> Self {
        let values: Vec<f64> = values.into_iter().collect();
        let sum: f64 = values.iter().sum();
        Self {
            mid: sum / values.len().max(1) as f64,
            low: values.iter().copied().reduce(f64::min).unwrap_or(0.0),
            high: values.iter().copied().reduce(f64::max).unwrap_or(0.0),
        }
    }
}

/// Figures of the clients of one class.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ClassFigures {
    /// The name of the class.
    pub class: String,
    /// The share of the messages that was lost, superseded ones not counted.
    pub lost: Figure,
    /// The share that was superseded: conflated by a newer value of the same key.
    pub superseded: Figure,
    /// How long what a client shows has been out of date, in seconds: the mean over time.
    pub stale_mean: Figure,
    /// The median over time.
    pub stale_p50: Figure,
    /// What it does not exceed for 90 % of the time.
    pub stale_p90: Figure,
    /// What it does not exceed for 99 % of the time.
    pub stale_p99: Figure,
    /// Closes by the policy, per client and hour.
    pub closed_slow: Figure,
    /// Closes by a timeout, per client and hour.
    pub closed_timeout: Figure,
}

/// Figures of one setting.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Figures {
    /// The setting.
    pub setting: Setting,
    /// Seeds on which it was measured.
    pub seeds: u64,
    /// For each class.
    pub classes: Vec<ClassFigures>,
    /// The most messages that waited in all outboxes at a time.
    pub peak_waiting: u64,
    /// The most bytes in outboxes and in the kernel at a time, per client. A payload counts for
    /// each outbox that it waits in, although it is stored once.
    pub memory: u64,
    /// The most bytes that the kernel held unsent for one client.
    pub unsent: u64,
    /// Nanoseconds of real time that one delivery took to publish. Not part of the JSON: it differs
    /// from run to run.
    #[serde(skip)]
    pub publish_nanos: f64,
    #[serde(skip)]
    pub(super) curves: Curves,
}

/// What only pictures show.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Curves {
    /// For each class, the share of the time that is staler than [`stale_at`] each point.
    pub(super) beyond: Vec<Vec<f64>>,
    /// Messages that waited in all outboxes, every tenth of a second, on the first seed.
    pub(super) waiting: Vec<u64>,
    /// One client's state over time, on the first seed.
    pub(super) watched: Vec<Moment>,
}

/// Points of the curve of staleness.
pub(crate) const POINTS: usize = 97;

/// The staleness in seconds at a point: from 0.1 s to 100 s, by equal factors.
pub(crate) fn stale_at(point: usize) -> f64 {
    let decades = point as f64 / (POINTS - 1) as f64 * 3.0;
    0.1 * 10.0_f64.powf(decades)
}

impl Figures {
    /// Sums up runs of one setting on several seeds, each of which measured so many hours.
    pub(super) fn of(setting: Setting, names: &[String], hours: f64, runs: &[&Run]) -> Self {
        let class = |(at, name): (usize, &String)| {
            let runs: Vec<&ClassRun> = runs.iter().map(|run| &run.classes[at]).collect();
            ClassFigures::of(name.clone(), hours, &runs)
        };
        let most = |of: fn(&Run) -> u64| runs.iter().map(|run| of(run)).max().unwrap_or(0);
        let clients = |run: &Run| run.classes.iter().map(|class| class.clients).sum::<u64>();
        let deliveries: u64 = runs.iter().map(|run| run.deliveries).sum();
        let nanos: u64 = runs.iter().map(|run| run.publish_nanos).sum();
        Self {
            setting,
            seeds: runs.len() as u64,
            classes: names.iter().enumerate().map(class).collect(),
            peak_waiting: most(|run| run.peak_waiting as u64),
            memory: runs
                .iter()
                .map(|run| run.peak_bytes / clients(run).max(1))
                .max()
                .unwrap_or(0),
            unsent: most(|run| run.peak_unsent),
            publish_nanos: nanos as f64 / deliveries.max(1) as f64,
            curves: Curves::of(names.len(), runs),
        }
    }

    /// Returns the figures of a class by its place in the scenario.
    #[must_use]
    pub fn class(&self, at: usize) -> Option<&ClassFigures> {
        self.classes.get(at)
    }
}

impl ClassFigures {
    fn of(class: String, hours: f64, runs: &[&ClassRun]) -> Self {
        let share = |of: fn(&ClassRun) -> u64| {
            Figure::over(
                runs.iter()
                    .map(|run| of(run) as f64 / run.addressed.max(1) as f64),
            )
        };
        let per_hour = |of: fn(&ClassRun) -> u64| {
            let hours = |run: &ClassRun| run.clients.max(1) as f64 * hours;
            Figure::over(runs.iter().map(|run| of(run) as f64 / hours(run)))
        };
        let quantile =
            |quantile: f64| Figure::over(runs.iter().map(|run| run.staleness.quantile(quantile)));
        Self {
            class,
            lost: share(|run| run.lost),
            superseded: share(|run| run.superseded),
            stale_mean: Figure::over(runs.iter().map(|run| run.staleness.mean())),
            stale_p50: quantile(0.5),
            stale_p90: quantile(0.9),
            stale_p99: quantile(0.99),
            closed_slow: per_hour(|run| run.closed_slow),
            closed_timeout: per_hour(|run| run.closed_timeout),
        }
    }
}

impl Curves {
    fn of(classes: usize, runs: &[&Run]) -> Self {
        let curve = |class: usize| {
            let mut all = Staleness::default();
            runs.iter()
                .for_each(|run| all.add(&run.classes[class].staleness));
            (0..POINTS)
                .map(|point| all.beyond(stale_at(point)))
                .collect()
        };
        let first = runs.first();
        Self {
            beyond: (0..classes).map(curve).collect(),
            waiting: first.map(|run| run.waiting.clone()).unwrap_or_default(),
            watched: first.map(|run| run.watched.clone()).unwrap_or_default(),
        }
    }
}
