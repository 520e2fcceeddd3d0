//! What `throng bench compare` can be told.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::bench::failed::Failed;
use crate::bench::options::count;
use crate::bench::options::seconds;
use crate::bench::options::seconds_or_none;
use crate::bench::ws::Case;
use crate::bench::ws::LEAST_SIZE;

use super::contender::Contender;

/// What `throng bench compare` can be told.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// A server, as `NAME=COMMAND`; may be repeated, and the first is what the others are compared
    /// with. The shell runs the command. It must listen on a port of its own choice, speak throng's
    /// protocol, and first print `listening on http://ADDRESS:PORT`.
    #[arg(long, required = true, value_parser = Contender::parse)]
    pub(super) start: Vec<Contender>,

    /// WebSocket clients, each number in its turn; 1 to 1000000.
    #[arg(long, default_value = "1000,10000", value_delimiter = ',', value_parser = count::<1, 1_000_000>)]
    pub(super) clients: Vec<usize>,

    /// Messages that may be on their way to the clients, each number in its turn; 1 to 4096.
    #[arg(long, default_value = "1,8", value_delimiter = ',', value_parser = count::<1, 4_096>)]
    pub(super) window: Vec<usize>,

    /// Bytes of a payload; 32 to 1048576.
    #[arg(long, default_value = "128", value_parser = count::<LEAST_SIZE, 1_048_576>)]
    pub(super) size: usize,

    /// How often to measure each server in each case; 1 to 1000.
    #[arg(long, default_value = "5", value_parser = count::<1, 1_000>)]
    pub(super) rounds: usize,

    /// How long to measure each time; 0.01 to 86400.
    #[arg(long, default_value = "5", value_parser = seconds)]
    pub(super) seconds: Duration,

    /// How long to publish before that; 0 to 86400.
    #[arg(long, default_value = "1", value_parser = seconds_or_none)]
    pub(super) warm_up: Duration,

    /// Where the servers have their WebSocket.
    #[arg(long, default_value = "/ws")]
    pub(super) path: String,

    /// Print all that was found as one JSON array instead of the table.
    #[arg(long, conflicts_with = "write")]
    pub(super) json: bool,

    /// Instead of printing the table: write it into this file, between the lines
    /// `<!-- compare:... -->` and `<!-- /compare:... -->`.
    #[arg(long)]
    pub(super) write: Option<PathBuf>,
}

impl Options {
    /// Refuses what each option allows but all together do not.
    pub(super) fn check(&self) -> Result<(), Failed> {
        for (at, contender) in self.start.iter().enumerate() {
            if self.start[..at]
                .iter()
                .any(|other| other.name == contender.name)
            {
                let what = format!("two servers are called `{}`", contender.name);
                return Err(Failed::new(what));
            }
        }
        Ok(())
    }

    /// Each number of clients with each window.
    pub(super) fn cases(&self) -> Vec<Case> {
        let size = self.size;
        let with = |&clients: &usize| {
            let case = move |&window| Case {
                clients,
                window,
                size,
            };
            self.window.iter().map(case)
        };
        self.clients.iter().flat_map(with).collect()
    }
}
