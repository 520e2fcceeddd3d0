//! `throng bench`: load generators, and the table of what was measured.
//!
//! Everything here uses the public API only: what it measures is what an embedder, or a client of
//! a server, gets.

mod compare;
mod failed;
mod fanout;
mod latency;
mod marked;
mod options;
mod process;
mod progress;
mod recovery;
mod segments;
mod table;
mod ws;

use std::process::ExitCode;

use clap::Subcommand;
use serde::Serialize;

use self::failed::Failed;

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measure several servers beside each other, as `ws` does, and make a table of it.
    Compare(compare::Options),
    /// Publish to many clients inside this process, without any network.
    Fanout(fanout::Options),
    /// Cut off WebSocket clients of a throng server, and have all of them come back at once.
    Recovery(recovery::Options),
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
            Self::Fanout(options) => fanout::run(&options),
            Self::Recovery(options) => recovery::run(&options),
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

/// Prints a report as one JSON object.
fn print_json(report: &impl Serialize) -> Result<(), Failed> {
    let json = serde_json::to_string(report);
    let json = json.map_err(|error| Failed::new(format!("cannot write the report: {error}")))?;
    println!("{json}");
    Ok(())
}
