//! The table of a comparison, in Markdown.

use std::fmt;

use crate::bench::latency::Percentiles;
use crate::bench::marked::grouped;
use crate::bench::ws::Case;
use crate::bench::ws::Report;
use crate::bench::ws::Server;

use super::Options;
use super::Run;
use super::contender::Contender;

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
    fn reports(&self, name: &str, case: Case) -> impl Iterator<Item = &Report> {
        let runs = self.runs.iter();
        let these = runs.filter(move |run| run.contender == name && run.case == case);
        these.map(|run| &run.report)
    }

    fn all(&self, name: &str, case: Case, of: impl Fn(&Server) -> Option<f64>) -> Vec<f64> {
        let reports = self.reports(name, case);
        reports
            .filter_map(|report| of(report.server.as_ref()?))
            .collect()
    }

    fn latencies(&self, name: &str, case: Case, of: impl Fn(&Percentiles) -> f64) -> Vec<f64> {
        let reports = self.reports(name, case);
        reports
            .filter_map(|report| report.latency.as_ref().map(&of))
            .collect()
    }

    /// The share of the deliveries that were lost, of all rounds together.
    fn lost(&self, name: &str, case: Case) -> String {
        let sum = |of: fn(&Report) -> usize| self.reports(name, case).map(of).sum::<usize>();
        let (lost, expected) = (sum(|report| report.missing), sum(|report| report.expected));
        match lost as f64 / expected.max(1) as f64 {
            0.0 => "0".to_owned(),
            share @ ..0.0001 => format!("{:.0} ppm", share * 1e6),
            share => format!("{:.2} %", share * 100.0),
        }
    }

    /// Processor time, with the ratio to the first contender, user time, writes, and losses.
    fn cells(&self, name: &str, case: Case) -> [String; 4] {
        let first = &self.options.start[0].name;
        let total = self.all(name, case, |server| Some(server.total()));
        let firsts = self.all(first, case, |server| Some(server.total()));
        let user = self.all(name, case, |server| Some(server.user_ns_per_delivery));
        let writes = self.all(name, case, |server| server.segments_per_delivery);
        let micros = median(total.clone()).map(|nanos| format!("{:.2} µs", nanos / 1_000.0));
        let ratio = ratio(&total, &firsts).map(|ratio| format!(" ({ratio:.1}x)"));
        let ratio = ratio.filter(|_| name != first);
        [
            micros.map_or_else(none, |micros| micros + &ratio.unwrap_or_default()),
            median(user).map_or_else(none, |nanos| format!("{nanos:.0} ns")),
            median(writes).map_or_else(none, |writes| format!("{writes:.2}")),
            self.lost(name, case),
        ]
    }

    /// Of all runs with so many clients.
    fn memory(&self, name: &str, clients: usize) -> String {
        let cases = self.options.cases_with(clients).into_iter();
        let bytes = |server: &Server| Some(server.idle_bytes_per_client);
        let all = cases.flat_map(|case| self.all(name, case, bytes)).collect();
        median(all).map_or_else(none, |bytes| format!("{:.1} KiB", bytes / 1_024.0))
    }
}

impl Table<'_> {
    /// What a delivery costs, one column for each window.
    fn write_costs(&self, clients: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let windows = &self.options.window;
        write!(f, "| {} clients |", grouped(clients as u64))?;
        for window in windows {
            write!(f, " window {window}: CPU | user | writes | lost |")?;
        }
        let numbers = "---:|".repeat(4 * windows.len() + 1);
        writeln!(f, " idle client |\n|---|{numbers}")?;
        for Contender { name, .. } in &self.options.start {
            write!(f, "| {name} |")?;
            for case in self.options.cases_with(clients) {
                for cell in self.cells(name, case) {
                    write!(f, " {cell} |")?;
                }
            }
            writeln!(f, " {} |", self.memory(name, clients))?;
        }
        Ok(())
    }

    /// How long a delivery takes with all clients reading, and with some that do not.
    fn write_latencies(&self, clients: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Options { rate, stalled, .. } = self.options;
        writeln!(
            f,
            "| {} clients, {} messages a second | p50 | p99 | {:.0} % stalled: p50 | p99 | p99 with and \
             without |\n|---|---:|---:|---:|---:|---:|",
            grouped(clients as u64),
            grouped(*rate as u64),
            stalled.unwrap_or_default() * 100.0,
        )?;
        for Contender { name, .. } in &self.options.start {
            write!(f, "| {name} |")?;
            let mut p99s = Vec::new();
            for case in self.options.cases_with(clients) {
                let p99 = self.latencies(name, case, |latency| latency.p99_us);
                let p50 = self.latencies(name, case, |latency| latency.p50_us);
                write!(f, " {} | {} |", millis(p50), millis(p99.clone()))?;
                p99s.push(p99);
            }
            let ratio = ratio(&p99s[1], &p99s[0]);
            let ratio = ratio.map_or_else(none, |ratio| format!("{ratio:.2}x"));
            writeln!(f, " {ratio} |")?;
        }
        Ok(())
    }
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, &clients) in self.options.clients.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            match self.options.stalled {
                Some(_) => self.write_latencies(clients, f)?,
                None => self.write_costs(clients, f)?,
            }
        }
        Ok(())
    }
}

/// The median, which is in microseconds.
fn millis(micros: Vec<f64>) -> String {
    median(micros).map_or_else(none, |micros| format!("{:.2} ms", micros / 1_000.0))
}

/// The median of the ratios within each round.
fn ratio(these: &[f64], those: &[f64]) -> Option<f64> {
    let pairs = these.iter().zip(those);
    median(pairs.map(|(this, that)| this / that).collect())
}

fn none() -> String {
    "–".to_owned()
}

/// The number in the middle, or between the two in the middle.
pub(in crate::bench) fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.retain(|number| number.is_finite());
    numbers.sort_by(f64::total_cmp);
    let upper = *numbers.get(numbers.len() / 2)?;
    let lower = numbers[(numbers.len() - 1) / 2];
    Some(f64::midpoint(lower, upper))
}
