//! The sweep: which settings are measured on how many seeds.
//!
//! Every setting is measured on one seed. The better quarter goes on to a second one, and the best
//! eight to all of them (successive halving, with seeds as the resource). Then the neighbours of
//! the best are measured on all seeds: the steps between its outbox and the next, the marks beside
//! its own, and where clients sleep a history and longer timeouts. Last come the best with one part
//! changed, which are the counterfactuals of its reasons. If none of those that were measured on
//! all seeds passes its bounds, the next eight are, until one passes or none is left.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;

use crate::hub::BuildError;
use crate::tune::TuneError;
use crate::tune::figures::Figures;
use crate::tune::observe::Run;
use crate::tune::rank::Ranked;
use crate::tune::rank::rank;
use crate::tune::scenario::Scenario;
use crate::tune::setting::Setting;
use crate::tune::units::whole;
use crate::tune::world::Stage;
use crate::tune::world::run;

/// How far a sweep is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Runs that are done; a run is one setting on one seed.
    pub done: usize,
    /// Runs that are planned by now.
    pub planned: usize,
    /// Deliveries so far.
    pub deliveries: u64,
}

/// Settings in the last round.
const BEST: usize = 8;

/// How often the best setting may change while it is compared.
const ROUNDS: usize = 3;

/// The measurements of one scenario.
pub(super) struct Sweeper<'a> {
    scenario: &'a Scenario,
    stages: Vec<Stage>,
    /// In the order in which settings were thought of, with their runs by seed.
    settings: Vec<Setting>,
    runs: Vec<Vec<Arc<Run>>>,
    threads: usize,
    progress: &'a (dyn Fn(Progress) + Sync),
    so_far: Progress,
}

impl<'a> Sweeper<'a> {
    pub(super) fn new(
        scenario: &'a Scenario,
        stages: Vec<Stage>,
        progress: &'a (dyn Fn(Progress) + Sync),
    ) -> Self {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        Self {
            scenario,
            stages,
            settings: Vec::new(),
            runs: Vec::new(),
            threads,
            progress,
            so_far: Progress::default(),
        }
    }

    /// Measures everything, and returns it in its order.
    pub(super) fn sweep(mut self) -> Result<Vec<Ranked>, TuneError> {
        self.add(self.scenario.sweep.settings());
        self.add([Setting::shipped()]);
        let seeds = self.stages.len();
        let count = self.settings.len();
        let everything: Vec<usize> = (0..count).collect();
        self.measure(&everything, 1)?;
        self.measure_best(count.div_ceil(4), 2.min(seeds))?;
        self.measure_best(BEST, seeds)?;
        let near = self.neighbours();
        self.measure(&near, seeds)?;
        self.measure_anchors(seeds)?;
        while !self.has_winner() && self.measure_next(seeds)? {}
        Ok(self.ranked())
    }

    /// Measures these settings on all seeds, and returns their figures in this order.
    pub(super) fn measure_all(mut self, settings: &[Setting]) -> Result<Vec<Figures>, TuneError> {
        let places = self.add(settings.iter().copied());
        let seeds = self.stages.len();
        self.measure(&places, seeds)?;
        Ok(places
            .into_iter()
            .map(|at| self.figures(at).figures)
            .collect())
    }

    /// Adds settings; returns the places of all of them.
    fn add(&mut self, settings: impl IntoIterator<Item = Setting>) -> Vec<usize> {
        let mut places = Vec::new();
        for setting in settings {
            let known = self.settings.iter().position(|known| *known == setting);
            places.push(known.unwrap_or(self.settings.len()));
            if known.is_none() {
                self.settings.push(setting);
                self.runs.push(Vec::new());
            }
        }
        places
    }

    fn measure_best(&mut self, count: usize, seeds: usize) -> Result<(), TuneError> {
        let best = self.order();
        self.measure(&best[..count.min(best.len())], seeds)
    }

    /// Measures what the best setting is compared with: the defaults, and the best with one part
    /// changed to what the sweep has. If one of these is better, it is compared as well.
    fn measure_anchors(&mut self, seeds: usize) -> Result<(), TuneError> {
        for _ in 0..ROUNDS {
            let Some(best) = self.order().first().map(|at| self.settings[*at]) else {
                return Ok(());
            };
            let mut anchors = vec![Setting::shipped()];
            anchors.extend(self.counterfactuals(best));
            let anchors = self.add(anchors);
            self.measure(&anchors, seeds)?;
            if self.order().first().map(|at| self.settings[*at]) == Some(best) {
                break;
            }
        }
        Ok(())
    }

    /// The best setting with one part changed.
    fn counterfactuals(&self, best: Setting) -> Vec<Setting> {
        let sweep = &self.scenario.sweep;
        let policies = sweep.policy.iter().map(|policy| Setting {
            policy: *policy,
            ..best
        });
        let smaller = sweep
            .outbox
            .iter()
            .filter(|outbox| **outbox < best.outbox)
            .max();
        let larger = sweep
            .outbox
            .iter()
            .filter(|outbox| **outbox > best.outbox)
            .min();
        let outboxes = smaller.into_iter().chain(larger);
        let outboxes = outboxes.map(|outbox| Setting {
            outbox: *outbox,
            ..best
        });
        let bare = sweep.unsent_mark.contains(&0).then_some(Setting {
            unsent_mark: 0,
            ..best
        });
        policies.chain(outboxes).chain(bare).collect()
    }

    /// The settings around the best one that are not in the sweep.
    fn neighbours(&mut self) -> Vec<usize> {
        let Some(best) = self.order().first().map(|at| self.settings[*at]) else {
            return Vec::new();
        };
        let sweep = &self.scenario.sweep;
        let mut near = Vec::new();
        if sweep.outbox.len() > 1 {
            let outboxes = [best.outbox * 3 / 4, best.outbox * 3 / 2];
            near.extend(outboxes.map(|outbox| Setting { outbox, ..best }));
        }
        if sweep.unsent_mark.len() > 1 && best.unsent_mark > 1 {
            let marks = [best.unsent_mark / 2, best.unsent_mark.saturating_mul(2)];
            near.extend(marks.map(|unsent_mark| Setting {
                unsent_mark,
                ..best
            }));
        }
        let sleeps = self.scenario.clients.iter().filter_map(|class| class.sleep);
        if let Some(longest) = sleeps.map(|sleep| sleep.lasts).max() {
            if sweep.history.len() == 1 {
                near.push(Setting {
                    history: self.missed_in(longest),
                    ..best
                });
            }
            if sweep.timeout.len() == 1 {
                near.push(Setting {
                    timeout: Duration::from_secs(60),
                    ..best
                });
            }
        }
        near.retain(|setting| setting.outbox > 0);
        self.add(near)
    }

    /// A history that has what is published while a client sleeps and a half longer, rounded up to
    /// a power of two.
    fn missed_in(&self, sleep: Duration) -> usize {
        let missed = whole(self.scenario.rate() * sleep.as_secs_f64() * 1.5);
        let missed = usize::try_from(missed)
            .unwrap_or(usize::MAX)
            .clamp(256, 1 << 20);
        missed.next_power_of_two()
    }

    fn has_winner(&self) -> bool {
        let seeds = self.stages.len();
        let ranked = self.ranked();
        let mut passing = ranked
            .iter()
            .filter(|it| it.broken.is_empty() && !it.reference);
        passing
            .next()
            .is_some_and(|it| it.figures.seeds >= seeds as u64)
    }

    /// Measures the next settings on all seeds; `false` if there is none left that might pass.
    fn measure_next(&mut self, seeds: usize) -> Result<bool, TuneError> {
        let mut next = self.order();
        next.retain(|at| self.runs[*at].len() < seeds && self.figures(*at).broken.is_empty());
        next.truncate(BEST);
        self.measure(&next, seeds)?;
        Ok(!next.is_empty())
    }

    fn figures(&self, at: usize) -> Ranked {
        let names: Vec<String> = self
            .scenario
            .clients
            .iter()
            .map(|it| it.name.clone())
            .collect();
        let runs: Vec<&Run> = self.runs[at].iter().map(|run| &**run).collect();
        let hours = self.scenario.duration.as_secs_f64() / 3_600.0;
        Ranked::new(
            self.scenario,
            Figures::of(self.settings[at], &names, hours, &runs),
        )
    }

    fn ranked(&self) -> Vec<Ranked> {
        let all = (0..self.settings.len()).map(|at| self.figures(at));
        rank(self.scenario, all.collect())
    }

    /// The places of all settings, the best first.
    fn order(&self) -> Vec<usize> {
        let place = |ranked: &Ranked| {
            let setting = ranked.figures.setting;
            self.settings.iter().position(|known| *known == setting)
        };
        self.ranked().iter().filter_map(place).collect()
    }

    /// Measures settings up to so many seeds, on all cores.
    fn measure(&mut self, places: &[usize], seeds: usize) -> Result<(), TuneError> {
        let mut jobs = Vec::new();
        for at in places {
            jobs.extend((self.runs[*at].len()..seeds).map(|seed| (*at, seed)));
        }
        jobs.sort_unstable();
        jobs.dedup();
        self.so_far.planned += jobs.len();
        let results: BTreeMap<usize, _> = self.work(&jobs);
        for (job, result) in results {
            let run = result.map_err(TuneError::Build)?;
            self.runs[jobs[job].0].push(Arc::new(run));
        }
        Ok(())
    }

    fn work(&mut self, jobs: &[(usize, usize)]) -> BTreeMap<usize, Result<Run, BuildError>> {
        let next = AtomicUsize::new(0);
        let results = Mutex::new(BTreeMap::new());
        let so_far = Mutex::new(self.so_far);
        thread::scope(|scope| {
            for _ in 0..self.threads.min(jobs.len()) {
                scope.spawn(|| {
                    // Relaxed: a number, and no two threads get the same.
                    while let Some((at, seed)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let result = run(&self.stages[*seed], &self.settings[*at]);
                        let mut so_far = so_far.lock();
                        so_far.done += 1;
                        so_far.deliveries += result.as_ref().map_or(0, |run| run.deliveries);
                        (self.progress)(*so_far);
                        drop(so_far);
                        results.lock().insert((*at, *seed), result);
                    }
                });
            }
        });
        self.so_far = so_far.into_inner();
        let mut results = results.into_inner();
        let place = |(job, key): (usize, &(usize, usize))| Some((job, results.remove(key)?));
        jobs.iter().enumerate().filter_map(place).collect()
    }
}

/// Sets the stages of a scenario, one for each seed.
pub(super) fn stages(scenario: &Scenario) -> Vec<Stage> {
    let seeds = 0..scenario.seeds;
    let stage = |seed| Stage::of(scenario, scenario.seed.wrapping_add(seed));
    seeds.map(stage).collect()
}
