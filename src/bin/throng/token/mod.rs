//! `throng token`: makes tokens and shows what is in them.

mod inspect;
mod make;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;
use throng::policy::jwt::Algorithm;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what is in a token, and whether a key has signed it.
    Inspect(inspect::Options),
    /// Make a signed token, and print it.
    Make(Box<make::Options>),
}

impl Command {
    pub(crate) fn run(self) -> ExitCode {
        let done = match self {
            Self::Inspect(options) => inspect::run(&options),
            Self::Make(options) => make::run(&options).map(|()| ExitCode::SUCCESS),
        };
        done.unwrap_or_else(|error| {
            eprintln!("throng token: {error}");
            ExitCode::FAILURE
        })
    }
}

fn algorithm(name: &str) -> Result<Algorithm, String> {
    name.parse().map_err(|error| format!("{error}"))
}

fn read(path: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    let read = fs::read(path);
    read.map_err(|error| format!("cannot read {}: {error}", path.display()).into())
}
