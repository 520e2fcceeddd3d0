//! Ranking: bounds, then freshness, then for `all` the superseded, then memory.
//!
//! Freshness is that of the class that is worst off, clients that sleep left out: first the median
//! of the staleness over time, then what it does not exceed for 99 % of the time. Two figures whose
//! ranges over the seeds overlap are a tie, and the next figure decides. Of what is a tie in every
//! figure, a setting with a history or a timeout of its own comes last.

use serde::Serialize;

use crate::tune::figures::ClassFigures;
use crate::tune::figures::Figure;
use crate::tune::figures::Figures;
use crate::tune::scenario::Scenario;
use crate::tune::scenario::Values;
use crate::tune::setting::Setting;

/// A bound that a setting breaks.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Broken {
    /// Which bound: `lost`, `closed_per_hour` or `memory`.
    pub bound: &'static str,
    /// The class that breaks it; `None` for memory.
    pub class: Option<String>,
    /// The figure.
    pub value: f64,
    /// The bound.
    pub limit: f64,
}

/// A setting in its place.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Ranked {
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
    /// The bounds that it breaks.
    pub broken: Vec<Broken>,
    /// Whether it is only there to be compared with: the defaults, where the sweep does not have
    /// them.
    pub reference: bool,
}

impl Ranked {
    pub(super) fn new(scenario: &Scenario, figures: Figures) -> Self {
        let broken = broken(scenario, &figures);
        let shipped = Setting::shipped();
        let reference = figures.setting == shipped && !scenario.sweep.settings().contains(&shipped);
        Self {
            figures,
            broken,
            reference,
        }
    }

    /// How far it is beyond its bounds.
    fn excess(&self) -> f64 {
        let beyond = |broken: &Broken| (broken.value / broken.limit.max(1e-6)).max(1.0);
        self.broken.iter().map(beyond).sum()
    }
}

/// The bounds that a setting breaks.
fn broken(scenario: &Scenario, figures: &Figures) -> Vec<Broken> {
    let bounds = &scenario.bounds;
    let mut broken = Vec::new();
    for (at, class) in figures.classes.iter().enumerate() {
        let mut check = |bound, value: f64, limit: f64| {
            if value > limit {
                let class = Some(class.class.clone());
                broken.push(Broken {
                    bound,
                    class,
                    value,
                    limit,
                });
            }
        };
        if scenario.can_carry(at) {
            check("lost", class.lost.mid, bounds.lost);
        }
        let sleeps = scenario.clients[at].sleep.is_some();
        let timeouts = if sleeps {
            0.0
        } else {
            class.closed_timeout.mid
        };
        check(
            "closed_per_hour",
            class.closed_slow.mid + timeouts,
            bounds.closed_per_hour,
        );
    }
    if let Some(memory) = bounds.memory
        && figures.memory > memory
    {
        let (value, limit) = (figures.memory as f64, memory as f64);
        broken.push(Broken {
            bound: "memory",
            class: None,
            value,
            limit,
        });
    }
    broken
}

impl Scenario {
    /// Returns `true` if the links of a class can carry the feed, and its clients do not sleep;
    /// then the bound of what may be lost holds for it.
    pub(crate) fn can_carry(&self, class: usize) -> bool {
        let class = &self.clients[class];
        class.sleep.is_none() && class.carries() >= self.bytes_per_second()
    }
}

/// Puts settings in order, the best first.
pub(super) fn rank(scenario: &Scenario, mut all: Vec<Ranked>) -> Vec<Ranked> {
    // By what is no tie anywhere, so that the order of the sweep decides nothing.
    all.sort_by(|one, other| {
        let key = |it: &Ranked| (it.figures.memory, it.figures.setting.outbox);
        key(one).cmp(&key(other))
    });
    let (mut good, mut bad): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|it| it.broken.is_empty());
    // Those that were measured on more seeds were better so far.
    let mut ranked = Vec::new();
    good.sort_by_key(|it| std::cmp::Reverse(it.figures.seeds));
    while let Some(first) = good.first() {
        let seeds = first.figures.seeds;
        let same = good
            .iter()
            .take_while(|it| it.figures.seeds == seeds)
            .count();
        ranked.extend(by_figures(scenario, good.drain(..same).collect(), 0));
    }
    bad.sort_by(|one, other| one.excess().total_cmp(&other.excess()));
    ranked.extend(bad);
    ranked
}

/// Sorts by the figure number `figure`, ties by the next one.
fn by_figures(scenario: &Scenario, mut all: Vec<Ranked>, figure: usize) -> Vec<Ranked> {
    if all.len() < 2 {
        return all;
    }
    let Some(of) = figures(scenario).get(figure).copied() else {
        all.sort_by_key(|it| (it.figures.setting.extras(), it.figures.memory));
        return all;
    };
    all.sort_by(|one, other| of(scenario, one).mid.total_cmp(&of(scenario, other).mid));
    let mut sorted = Vec::new();
    while let Some(first) = all.first() {
        let best = of(scenario, first);
        let ties = all
            .iter()
            .take_while(|it| is_tie(best, of(scenario, it)))
            .count();
        let ties = all.drain(..ties.max(1)).collect();
        sorted.extend(by_figures(scenario, ties, figure + 1));
    }
    sorted
}

type Of = fn(&Scenario, &Ranked) -> Figure;

/// The figures that decide, in their order.
fn figures(scenario: &Scenario) -> &'static [Of] {
    match scenario.values {
        Values::Newest => &[median, tail],
        Values::All => &[median, tail, superseded],
    }
}

/// Whether two figures cannot be told apart: their ranges overlap, or they differ by less than what
/// is seen.
fn is_tie(best: Figure, other: Figure) -> bool {
    other.low <= best.high || other.mid - best.mid <= (0.02 * best.mid).max(0.005)
}

fn median(scenario: &Scenario, ranked: &Ranked) -> Figure {
    worst(scenario, ranked, |class| class.stale_p50)
}

fn tail(scenario: &Scenario, ranked: &Ranked) -> Figure {
    worst(scenario, ranked, |class| class.stale_p99)
}

fn superseded(_scenario: &Scenario, ranked: &Ranked) -> Figure {
    let classes = ranked.figures.classes.iter();
    let worst = classes.map(|class| class.superseded);
    worst.reduce(greater).unwrap_or_default()
}

/// The figure of the class that is worst off. Clients that sleep count only if all do.
fn worst(scenario: &Scenario, ranked: &Ranked, of: fn(&ClassFigures) -> Figure) -> Figure {
    let awake = scenario.clients.iter().any(|class| class.sleep.is_none());
    let classes = ranked.figures.classes.iter().zip(&scenario.clients);
    let counted = classes.filter(|(_, class)| !awake || class.sleep.is_none());
    counted
        .map(|(figures, _)| of(figures))
        .reduce(greater)
        .unwrap_or_default()
}

fn greater(one: Figure, other: Figure) -> Figure {
    if other.mid > one.mid { other } else { one }
}
