//! `throng bench sse`: clients of server-sent events, beside those of WebSockets and beside a bare
//! stream of hyper.
//!
//! The servers take turns, each time a new process, because one that has had clients before keeps
//! memory for them. Messages are posted over HTTP to all of them. The bare stream, the *floor*, has
//! a queue of tokio and a body of hyper for each client and nothing else; its events are as long as
//! those of throng.

mod floor;
mod options;
mod table;

use std::env;

use serde::Serialize;

use super::compare::Contender;
use super::environment::Environment;
use super::failed::Failed;
use super::html;
use super::html::Sheet;
use super::latency::Percentiles;
use super::print;
use super::progress::Progress;
use super::ws;
use super::ws::Case;
use super::ws::Report;
use super::ws::Speaks;

use self::table::Table;

pub(super) use self::floor::serve as serve_floor;
pub(crate) use self::options::Options;

/// A server, and the protocol in which its clients speak to it.
struct Target {
    name: String,
    contender: Contender,
    path: &'static str,
    speaks: Speaks,
}

/// The figures of one target in one round.
#[derive(Serialize)]
struct Run<'a> {
    target: &'a str,
    round: usize,
    #[serde(flatten)]
    case: Case,
    report: Report,
}

/// All figures; the fields are those of `--json`.
#[derive(Serialize)]
struct Found<'a> {
    environment: Environment,
    runs: Vec<Run<'a>>,
}

/// Measures all, and prints the table.
pub(super) fn run(options: &Options) -> Result<(), Failed> {
    options.check()?;
    let targets = targets(options)?;
    let total = options.rounds * targets.len() * options.window.len();
    let progress = Progress::new("runs", total);
    let mut runs = Vec::with_capacity(total);
    for round in 0..options.rounds {
        for case in options.cases() {
            // Each round begins with another target.
            let turns = targets.iter().cycle().skip(round % targets.len());
            for target in turns.take(targets.len()) {
                progress.set(runs.len());
                runs.push(Run {
                    target: &target.name,
                    round,
                    case,
                    report: target.measure(options, case)?,
                });
            }
        }
    }
    drop(progress);
    let environment = Environment::read();
    if let Some(file) = &options.html {
        let last = runs.len() - targets.len();
        html::write(file, "throng bench sse", &runs[last..], &environment)?;
    }
    if options.json {
        return print(&Found { environment, runs });
    }
    let names = targets.iter().map(|target| target.name.as_str()).collect();
    let table = Table::new(options, names, &runs);
    print!("{table}\nMeasured on {environment}.\n");
    Ok(())
}

/// The servers to measure, each over both protocols, and the floor.
fn targets(options: &Options) -> Result<Vec<Target>, Failed> {
    let program = env::current_exe();
    let program = program.map_err(|error| Failed::io("cannot find this program", error))?;
    let program = program.display().to_string().replace('\'', r"'\''");
    let of_this = |name: &str, arguments: &str| Contender {
        name: name.to_owned(),
        command: format!("'{program}' {arguments}"),
    };
    let mut servers = options.start.clone();
    if servers.is_empty() {
        let arguments = "serve --listen 127.0.0.1:0 --max-anonymous 0";
        servers.push(of_this("throng", arguments));
    }
    let mut targets = Vec::new();
    for contender in servers {
        for (kind, path, speaks) in [("sse", "/sse", Speaks::Sse), ("ws", "/ws", Speaks::Ws)] {
            targets.push(Target {
                name: format!("{} {kind}", contender.name),
                contender: contender.clone(),
                path,
                speaks,
            });
        }
    }
    targets.push(Target {
        name: "floor".to_owned(),
        contender: of_this("floor", "bench sse-floor"),
        path: "/sse",
        speaks: Speaks::Sse,
    });
    Ok(targets)
}

impl Target {
    fn measure(&self, options: &Options, case: Case) -> Result<Report, Failed> {
        let started = self.contender.start()?;
        let url = started.url(self.path)?;
        let time = [options.warm_up, options.seconds];
        let options = ws::Options::of(url, started.id(), case, time);
        let mut reports = ws::measured(&options.posted_to(self.speaks, case.window))
            .map_err(|error| Failed::new(format!("{}: {error}", self.name)))?;
        // One load was asked for.
        Ok(reports.remove(0))
    }
}

impl Sheet for Run<'_> {
    fn name(&self) -> String {
        self.target.to_owned()
    }

    fn figures(&self) -> Vec<(&'static str, String)> {
        self.report.figures()
    }

    fn latency(&self) -> Option<&Percentiles> {
        self.report.latency.as_ref()
    }
}
