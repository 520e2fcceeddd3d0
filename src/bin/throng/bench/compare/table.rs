//! The table of a comparison, in Markdown.

use std::fmt;

use crate::bench::marked::grouped;
use crate::bench::ws::Case;
use crate::bench::ws::Server;

use super::Options;
use super::Run;

/// One table for each number of clients.
pub(super) struct Table<'a> {
    options: &'a Options,
    runs: &'a [Run<'a>],
}

impl<'a> Table<'a> {
    pub(super) fn new(options: &'a Options, runs: &'a [Run<'a>]) -> Self {
        Self { options, runs }
    }

    /// What was found of one contender in one case, in the order of the rounds.
    fn all(&self, name: &str, case: Case, of: impl Fn(&Server) -> Option<f64>) -> Vec<f64> {
        let runs = self.runs.iter();
        let these = runs.filter(|run| run.contender == name && run.case == case);
        let servers = these.filter_map(|run| run.report.server.as_ref());
        servers.filter_map(of).collect()
    }

    /// Processor time, with the ratio to the first contender, user time, and writes.
    fn cells(&self, name: &str, case: Case) -> [String; 3] {
        let first = &self.options.start[0].name;
        let total = self.all(name, case, |server| Some(server.total()));
        let firsts = self.all(first, case, |server| Some(server.total()));
        let user = self.all(name, case, |server| Some(server.user_ns_per_delivery));
        let writes = self.all(name, case, |server| server.segments_per_delivery);
        let ratios = total.iter().zip(&firsts).map(|(this, first)| this / first);
        let micros = median(total.clone()).map(|nanos| format!("{:.2} µs", nanos / 1_000.0));
        let ratio = median(ratios.collect()).map(|ratio| format!(" ({ratio:.1}x)"));
        let ratio = ratio.filter(|_| name != first);
        [
            micros.map_or_else(none, |micros| micros + &ratio.unwrap_or_default()),
            median(user).map_or_else(none, |nanos| format!("{nanos:.0} ns")),
            median(writes).map_or_else(none, |writes| format!("{writes:.2}")),
        ]
    }

    /// Of all runs with so many clients.
    fn memory(&self, name: &str, clients: usize) -> String {
        let cases = self.options.cases().into_iter();
        let these = cases.filter(|case| case.clients == clients);
        let bytes = |server: &Server| Some(server.idle_bytes_per_client);
        let all = these.flat_map(|case| self.all(name, case, bytes)).collect();
        median(all).map_or_else(none, |bytes| format!("{:.1} KiB", bytes / 1_024.0))
    }
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Options {
            start,
            clients,
            window,
            ..
        } = self.options;
        for (at, &clients) in clients.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            write!(f, "| {} clients |", grouped(clients as u64))?;
            for window in window {
                write!(f, " window {window}: CPU | user | writes |")?;
            }
            let numbers = "---:|".repeat(3 * window.len() + 1);
            writeln!(f, " idle client |\n|---|{numbers}")?;
            let cases = || self.options.cases().into_iter();
            for contender in start {
                write!(f, "| {} |", contender.name)?;
                for case in cases().filter(|case| case.clients == clients) {
                    for cell in self.cells(&contender.name, case) {
                        write!(f, " {cell} |")?;
                    }
                }
                writeln!(f, " {} |", self.memory(&contender.name, clients))?;
            }
        }
        Ok(())
    }
}

fn none() -> String {
    "–".to_owned()
}

/// The number in the middle, or between the two in the middle.
fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.retain(|number| number.is_finite());
    numbers.sort_by(f64::total_cmp);
    let upper = *numbers.get(numbers.len() / 2)?;
    let lower = numbers[(numbers.len() - 1) / 2];
    Some(f64::midpoint(lower, upper))
}
