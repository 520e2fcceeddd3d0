//! `throng bench compare`: several servers beside each other.
//!
//! For each number of clients and each window, the servers take turns, again and again, each time a
//! new process: what slows the machine down for a while slows all of them. What is told is the
//! median of the rounds; a ratio is the median of the ratios within each round. With `--stalled`,
//! each server is compared with itself.

mod contender;
mod options;
mod table;

use std::time::Duration;

use serde::Serialize;

use super::failed::Failed;
use super::marked;
use super::print_json;
use super::progress::Progress;
use super::ws;
use super::ws::Case;
use super::ws::Report;

use self::contender::Contender;
pub(crate) use self::options::Options;
use self::table::Table;

/// What was found of one contender in one round.
#[derive(Serialize)]
struct Run<'a> {
    contender: &'a str,
    round: usize,
    #[serde(flatten)]
    case: Case,
    report: Report,
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
    if options.json {
        return print_json(&runs);
    }
    let table = Table::new(options, &runs).to_string();
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
        ws::measured(&ws::Options::of(url, started.id(), case, time))
            .map_err(|error| Failed::new(format!("{}: {error}", self.name)))
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
            "throng: {} lost {} deliveries at {clients} clients, {load}",
            contender.name, report.missing
        );
    }
}
