//! The table of `throng bench sse`, in Markdown.

use std::fmt;

use crate::bench::compare::median;
use crate::bench::marked::grouped;
use crate::bench::ws::Case;
use crate::bench::ws::Report;

use super::Options;
use super::Run;

/// A table for each window; the figures are medians of the rounds.
pub(super) struct Table<'a> {
    options: &'a Options,
    targets: Vec<&'a str>,
    runs: &'a [Run<'a>],
}

impl<'a> Table<'a> {
    pub(super) fn new(options: &'a Options, targets: Vec<&'a str>, runs: &'a [Run<'a>]) -> Self {
        Self {
            options,
            targets,
            runs,
        }
    }

    fn median(&self, target: &str, case: Case, of: impl Fn(&Report) -> Option<f64>) -> Option<f64> {
        let runs = self.runs.iter();
        let these = runs.filter(|run| run.target == target && run.case == case);
        median(these.filter_map(|run| of(&run.report)).collect())
    }

    fn lost(&self, target: &str, case: Case) -> usize {
        let runs = self.runs.iter();
        let these = runs.filter(|run| run.target == target && run.case == case);
        these.map(|run| run.report.missing).sum()
    }

    fn write_case(&self, case: Case, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| {} clients, {} bytes, window {} | deliveries a second | CPU per delivery | user | \
             idle client | lost |\n|---|---:|---:|---:|---:|---:|",
            grouped(case.clients as u64),
            case.size,
            case.window
        )?;
        for target in &self.targets {
            let figure = |of: fn(&Report) -> Option<f64>| self.median(target, case, of);
            let rate = figure(|report| Some(report.deliveries_per_second));
            let total = figure(|report| Some(report.server.as_ref()?.total() / 1_000.0));
            let user = figure(|report| Some(report.server.as_ref()?.user_ns_per_delivery));
            let idle =
                figure(|report| Some(report.server.as_ref()?.idle_bytes_per_client / 1_024.0));
            writeln!(
                f,
                "| {target} | {} | {} | {} | {} | {} |",
                cell(rate, 0, ""),
                cell(total, 2, " µs"),
                cell(user, 0, " ns"),
                cell(idle, 1, " KiB"),
                self.lost(target, case)
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, case) in self.options.cases().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            self.write_case(case, f)?;
        }
        Ok(())
    }
}

fn cell(value: Option<f64>, digits: usize, unit: &str) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}{unit}"))
}
