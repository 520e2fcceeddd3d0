//! The `throng` binary: arguments to a configuration, and run it.

mod auth;
mod bench;
mod cli;
mod content;
mod edge;
mod history;
mod keeping;
mod key;
mod layers;
mod limits;
mod record;
mod serve;
mod span;
mod token;
mod tune;

#[cfg(feature = "tls")]
mod tls;

#[cfg(not(feature = "tls"))]
#[path = "no_tls.rs"]
mod tls;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;
use crate::cli::Command;

fn main() -> ExitCode {
    match Cli::parse().command() {
        Command::Bench(command) => command.run(),
        Command::Key(command) => command.run(),
        Command::Record(options) => record::run(&options),
        Command::Serve(options) => serve::run(*options),
        Command::Token(command) => command.run(),
        Command::Tune(options) => tune::run(&options),
    }
}
