//! The `throng` binary.

mod bench;

use std::process::ExitCode;

use clap::Parser;
use clap::Subcommand;

/// An embeddable, sharded realtime hub: one message to very many clients.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure how fast messages reach their clients.
    #[command(subcommand)]
    Bench(bench::Command),
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Bench(command) => command.run(),
    }
}
