//! `throng bench`: load generators, and the table of what was measured.
//!
//! Everything here uses the public API only: what it measures is what an embedder, or a client of
//! a server, gets.

mod compare;
mod environment;
mod failed;
mod fanout;
mod html;
mod latency;
mod marked;
mod options;
mod process;
mod progress;
mod recovery;
mod segments;
mod sse;
mod table;
pub(crate) mod ws;

use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;
use serde::Serialize;

use self::environment::Environment;
use self::failed::Failed;
use self::html::Sheet;

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measure several servers beside each other, as `ws` does, and make a table of it.
    Compare(compare::Options),
    /// Print the machine and the build, as they stand beside every table.
    Env {
        /// Print one JSON object instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Publish to many clients inside this process, without any network.
    Fanout(fanout::Options),
    /// Cut off WebSocket clients of a throng server, and have all of them come back at once.
    Recovery(recovery::Options),
    /// Publish to many clients of server-sent events, of WebSockets, and of a bare stream of hyper.
    Sse(sse::Options),
    /// Serve that bare stream.
    #[command(hide = true)]
    SseFloor,
    /// Make a table from what `cargo bench` has measured.
    #[command(hide = true)]
    Table(table::Options),
    /// Publish to many WebSocket clients of a throng server.
    Ws(Box<ws::Options>),
}

impl Command {
    /// Measures, and prints what was found on the standard output, or else why nothing was.
    pub(crate) fn run(self) -> ExitCode {
        let outcome = match self {
            Self::Compare(options) => compare::run(&options),
            Self::Env { json: true } => print(&Environment::read()),
            Self::Env { json: false } => {
                println!("{}", Environment::read());
                Ok(())
            }
            Self::Fanout(options) => fanout::run(&options),
            Self::Recovery(options) => recovery::run(&options),
            Self::Sse(options) => sse::run(&options),
            Self::SseFloor => sse::serve_floor(),
            Self::Table(options) => table::run(&options),
            Self::Ws(options) => ws::run(&options),
        };
        match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(failed) => {
                eprintln!("throng: {failed}");
                ExitCode::FAILURE
            }
        }
    }
}

/// A report, and where it was made.
#[derive(Serialize)]
struct Made<'a, T> {
    #[serde(flatten)]
    report: &'a T,
    environment: &'a Environment,
}

/// Prints each report with the machine and the build: as one JSON object on a line of its own, or
/// as text.
fn print_reports<T: Display + Serialize + Sheet>(
    reports: &[T],
    json: bool,
    html: Option<(&Path, &str)>,
) -> Result<(), Failed> {
    let environment = Environment::read();
    if let Some((file, title)) = html {
        html::write(file, title, reports, &environment)?;
    }
    for report in reports {
        if json {
            let environment = &environment;
            print(&Made {
                report,
                environment,
            })?;
        } else {
            println!("{report}");
        }
    }
    if !json {
        println!("measured   on {environment}");
    }
    Ok(())
}

/// Prints a value as JSON on one line.
fn print(value: &impl Serialize) -> Result<(), Failed> {
    let json = serde_json::to_string(value);
    let json = json.map_err(|error| Failed::new(format!("cannot write the report: {error}")))?;
    println!("{json}");
    Ok(())
}
