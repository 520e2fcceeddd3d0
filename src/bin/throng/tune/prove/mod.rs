//! `throng tune --prove`: the recommendation, three other settings and the defaults on real
//! sockets.
//!
//! For each setting a server in this process listens on loopback. Clients are slow because they
//! read slowly: each takes no more than its link carries, nothing while the link is down, and its
//! receive buffer is small. So what is in flight is what the kernel of the client holds; it is
//! measured first, as is what a message takes on the wire, and the model is run again with both.
//! The round trip of loopback is none.

mod client;
mod play;

use std::io;
use std::time::Duration;

use throng::SlowConsumer;
use throng::tune::ClassFigures;
use throng::tune::Figure;
use throng::tune::Figures;
use throng::tune::Pair;
use throng::tune::Proof;
use throng::tune::Proved;
use throng::tune::Rehearsal;
use throng::tune::Scenario;
use throng::tune::Setting;
use throng::tune::Tuning;
use tokio::runtime::Builder;

use self::play::Played;
use self::play::play;
use self::play::probe;

/// Proves what was found; `each` is called before each setting, with its number and how many there
/// are.
pub(super) fn prove(
    tuning: &Tuning,
    time: Duration,
    each: impl Fn(usize, usize, &Setting),
) -> Result<Proof, String> {
    let runtime = Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
    let failed = |error: io::Error| format!("cannot prove on real sockets: {error}");
    let settings = settings(tuning);
    let mark = settings.first().map_or(0, |setting| setting.unsent_mark);
    let wire = runtime
        .block_on(probe(&tuning.scenario, mark))
        .map_err(failed)?;
    let scenario = scenario(&tuning.scenario, time, &wire);
    let (models, same) = models(&scenario, &settings)?;
    let rehearsal = Rehearsal::new(&scenario).map_err(|error| error.to_string())?;
    let mut rows = Vec::new();
    let models = models.iter().zip(&same);
    for (number, (setting, models)) in settings.iter().zip(models).enumerate() {
        each(number + 1, settings.len(), setting);
        let played = runtime
            .block_on(play(&rehearsal, &scenario, setting))
            .map_err(failed)?;
        rows.extend(proved(&scenario, setting, models, &played));
    }
    runtime.shutdown_background();
    let clients = rehearsal.classes().len();
    Ok(Proof::new(time.as_secs_f64(), clients, rows))
}

/// What was measured of a message and of a connection.
#[derive(Clone, Debug, Default)]
struct Wire {
    /// Bytes that come on top of a payload.
    overhead: u64,
    /// For each class, bytes that are in flight, at most.
    windows: Vec<u64>,
}

/// The scenario as it is here: few clients, a short time, no round trip.
fn scenario(scenario: &Scenario, time: Duration, wire: &Wire) -> Scenario {
    let mut scenario = scenario.clone();
    scenario.duration = time;
    scenario.population = scenario.population.min(MOST_CLIENTS);
    scenario.overhead = wire.overhead;
    for (class, window) in scenario.clients.iter_mut().zip(&wire.windows) {
        class.rtt = Duration::ZERO;
        class.in_flight = Some(*window);
        // The kernel of a client says that it has room when half of what it holds was read.
        class.acknowledged = Some(*window / 2);
    }
    scenario
}

/// The best setting, three others, and the defaults: the best of each other policy comes first
/// among the others.
fn settings(tuning: &Tuning) -> Vec<Setting> {
    let ranked = || tuning.ranked.iter().map(|it| it.figures.setting);
    let best = tuning.best().map(|best| best.figures.setting);
    let mut settings: Vec<Setting> = best.or_else(|| ranked().next()).into_iter().collect();
    let mut add = |setting: Option<Setting>| {
        if let Some(setting) = setting
            && settings.len() <= OTHERS
            && !settings.contains(&setting)
        {
            settings.push(setting);
        }
    };
    let best = best
        .or_else(|| ranked().next())
        .unwrap_or(Setting::shipped());
    let others = [
        SlowConsumer::DropOldest,
        SlowConsumer::DropNewest,
        SlowConsumer::KeepLatest,
    ];
    for policy in others.into_iter().filter(|policy| *policy != best.policy) {
        add(ranked().find(|it| it.policy == policy && it.unsent_mark > 0));
    }
    add(ranked()
        .filter(|it| it.outbox < best.outbox && it.policy == best.policy)
        .max_by_key(|it| it.outbox));
    ranked()
        .filter(|it| it.unsent_mark > 0)
        .for_each(|it| add(Some(it)));
    if !settings.contains(&Setting::shipped()) {
        settings.push(Setting::shipped());
    }
    settings
}

/// What the model promises: over all seeds, and for the arrivals that are published here.
fn models(
    scenario: &Scenario,
    settings: &[Setting],
) -> Result<(Vec<Figures>, Vec<Figures>), String> {
    let measure = |seeds: u64| {
        let mut scenario = scenario.clone();
        scenario.seeds = seeds;
        Tuning::measure(&scenario, settings, |_| ()).map_err(|error| error.to_string())
    };
    Ok((measure(scenario.seeds)?, measure(1)?))
}

/// The rows of a setting: each class but those that sleep.
fn proved(
    scenario: &Scenario,
    setting: &Setting,
    (all, same): (&Figures, &Figures),
    played: &[Played],
) -> Vec<Proved> {
    let row = |class: usize| {
        let (all, same, real) = (all.class(class)?, same.class(class)?, played.get(class)?);
        let pair = |of: fn(&ClassFigures) -> Figure, real: f64| {
            let mut model = of(all);
            // Its range is that over the seeds.
            model.mid = of(same).mid;
            Pair::new(model, real)
        };
        let shares = [
            pair(|it| it.lost, real.lost),
            pair(|it| it.superseded, real.superseded),
        ];
        let [p50, p90] = [0.5, 0.9].map(|quantile| real.seen.quantile(quantile));
        let spans = [pair(|it| it.stale_p50, p50), pair(|it| it.stale_p90, p90)];
        Some(Proved::new(*setting, &all.class, shares, spans))
    };
    let awake = (0..scenario.clients.len()).filter(|at| scenario.clients[*at].sleep.is_none());
    awake.filter_map(row).collect()
}

/// Settings besides the best and the defaults.
const OTHERS: usize = 3;

/// Clients that are connected: each takes a part of this machine.
const MOST_CLIENTS: usize = 24;
