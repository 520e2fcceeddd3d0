//! `throng bench compare`: several servers beside each other.
//!
//! For each number of clients and each window, the servers take turns, again and again, each time a
//! new process: what slows the machine down for a while slows all of them. What is told is the
//! median of the rounds; a ratio is the median of the ratios within each round.

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
    let cases = options.cases();
    let total = cases.len() * options.rounds * options.start.len();
    let progress = Progress::new("runs", total);
    let mut runs = Vec::with_capacity(total);
    for round in 0..options.rounds {
        for &case in &cases {
            for contender in turns(&options.start, round) {
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
    }
    drop(progress);
    if options.json {
        return print_json(&runs);
    }
    let table = Table::new(options, &runs).to_string();
    match &options.write {
        Some(file) => marked::write(file, "compare", |_| Ok(table.clone())),
        None => {
            print!("{table}");
            Ok(())
        }
    }
}

/// Every contender once; in each round another one is the first.
fn turns(contenders: &[Contender], round: usize) -> impl Iterator<Item = &Contender> {
    let count = contenders.len();
    let order = contenders.iter().cycle().skip(round % count);
    order.take(count)
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
        clients, window, ..
    } = case;
    if report.missing > 0 {
        eprintln!(
            "throng: {} lost {} deliveries at {clients} clients, window {window}",
            contender.name, report.missing
        );
    }
}
