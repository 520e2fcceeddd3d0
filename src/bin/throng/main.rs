//! The `throng` binary.

use std::process::ExitCode;

use clap::Parser;
use clap::Subcommand;

mod bench;

/// An embeddable, sharded realtime hub: one message to very many clients.
#[derive(Parser)]
#[command(name = "throng", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure how fast messages reach their clients.
    #[command(subcommand)]
    Bench(bench::Command),
}

fn main() -> ExitCode {
    let Command::Bench(command) = Arguments::parse().command;
    match command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            eprintln!("throng: {failed}");
            ExitCode::FAILURE
        }
    }
}
