//! `throng bench compare`: several servers beside each other.
//!
//! For each number of clients and each window, the servers take turns, again and again, each time a
//! new process: what slows the machine down for a while slows all of them. What is told is the
//! median of the rounds; a ratio is the median of the ratios within each round. With `--stalled`,
//! each server is compared with itself.

mod contender;
mod options;
mod settings;
mod table;

use std::time::Duration;

use serde::Serialize;

use super::environment::Environment;
use super::failed::Failed;
use super::html;
use super::html::Sheet;
use super::latency::Percentiles;
use super::marked;
use super::print;
use super::progress::Progress;
use super::ws;
use super::ws::Case;
use super::ws::Report;

pub(super) use self::contender::Contender;
pub(crate) use self::options::Options;
use self::settings::Settings;
use self::table::Table;
pub(super) use self::table::median;

/// What was found of one contender in one round.
#[derive(Serialize)]
struct Run<'a> {
    contender: &'a str,
    round: usize,
    #[serde(flatten)]
    case: Case,
    report: Report,
}

/// The last round of each contender with the most clients in the last case, for the page.
fn last<'a>(runs: &'a [Run<'a>]) -> Vec<&'a Run<'a>> {
    let mut last: Vec<&Run<'_>> = Vec::new();
    for run in runs {
        last.retain(|known| {
            known.contender != run.contender || known.case.clients > run.case.clients
        });
        if last.iter().all(|known| known.contender != run.contender) {
            last.push(run);
        }
    }
    last
}

impl Sheet for &Run<'_> {
    fn name(&self) -> String {
        self.contender.to_owned()
    }

    fn figures(&self) -> Vec<(&'static str, String)> {
        self.report.figures()
    }

    fn latency(&self) -> Option<&Percentiles> {
        self.report.latency.as_ref()
    }

    fn freshness(&self) -> Option<&Percentiles> {
        self.report.freshness()
    }
}

/// What was found; the fields are those of `--json`.
#[derive(Serialize)]
struct Found<'a> {
    environment: Environment,
    settings: String,
    runs: Vec<Run<'a>>,
}

/// Measures all, and prints or writes the table.
pub(super) fn run(options: &Options) -> Result<(), Failed> {
    options.check()?;
    let rounds = (0..options.rounds).map(|round| (round, options.round(round)));
    let total = options.rounds * options.round(0).len();
    let progress = Progress::new("runs", total);
    let mut runs = Vec::with_capacity(total);
    for (round, turns) in rounds {
        for (contender, case) in turns {
            progress.set(runs.len());
            let report = contender.measure(options, case)?;
            warn(contender, case, &report);
            runs.push(Run {
                contender: &contender.name,
                round,
                case,
                report,
            });
        }
    }
    drop(progress);
    let environment = Environment::read();
    if let Some(file) = &options.html {
        html::write(file, "throng bench compare", &last(&runs), &environment)?;
    }
    if options.json {
        return print(&Found {
            environment,
            settings: Settings(options).to_string(),
            runs,
        });
    }
    let settings = Settings(options);
    let table = Table::new(options, &runs);
    let table = format!("{table}\nMeasured on {environment}.\n{settings}\n");
    let kind = options.stalled.map_or("compare", |_| "stalled");
    match &options.write {
        Some(file) => marked::write(file, kind, |_| Ok(table.clone())),
        None => {
            print!("{table}");
            Ok(())
        }
    }
}

impl Contender {
    fn measure(&self, options: &Options, case: Case) -> Result<Report, Failed> {
        let started = self.start()?;
        let url = started.url(&options.path)?;
        let time: [Duration; 2] = [options.warm_up, options.seconds];
        let mut reports = ws::measured(&ws::Options::of(url, started.id(), case, time))
            .map_err(|error| Failed::new(format!("{}: {error}", self.name)))?;
        // One load was asked for.
        Ok(reports.remove(0))
    }
}

/// A server that loses messages is not to be admired for its speed.
fn warn(contender: &Contender, case: Case, report: &Report) {
    let Case {
        clients,
        rate,
        window,
        ..
    } = case;
    if report.missing > 0 {
        let load = match rate {
            Some(rate) => format!("{rate} messages a second"),
            None => format!("window {window}"),
        };
        eprintln!(
            "throng: {} lost {} of {} deliveries at {clients} clients, {load}",
            contender.name, report.missing, report.expected
        );
    }
}
