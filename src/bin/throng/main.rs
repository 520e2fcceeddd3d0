//! The `throng` binary: arguments to a configuration, and run it.

mod bench;
mod cli;
mod serve;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;
use crate::cli::Command;

fn main() -> ExitCode {
    match Cli::parse().command() {
        Command::Bench(command) => command.run(),
        Command::Serve(options) => serve::run(options),
    }
}
