//! What `throng bench compare` can be told.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::bench::failed::Failed;
use crate::bench::options::count;
use crate::bench::options::seconds;
use crate::bench::options::seconds_or_none;
use crate::bench::options::share;
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
    #[arg(long, default_value = "1,8,32", value_delimiter = ',', value_parser = count::<1, 4_096>)]
    pub(super) window: Vec<usize>,

    /// Instead of what a delivery costs: how long it takes while this share of the clients has
    /// stopped reading, and how long without them; 0 to 1. See --rate.
    #[arg(long, value_parser = share, conflicts_with = "window")]
    pub(super) stalled: Option<f64>,

    /// With --stalled: messages per second, at even distances; 1 to 1000000.
    #[arg(long, default_value = "100", value_parser = count::<1, 1_000_000>)]
    pub(super) rate: usize,

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

    /// Also write the report as a page, with a histogram of the latencies, into this file.
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,

    /// Print all that was found as one JSON array instead of the table.
    #[arg(long, conflicts_with = "write")]
    pub(super) json: bool,

    /// Instead of printing the table: write it into this file, between the lines
    /// `<!-- compare:... -->` and `<!-- /compare:... -->`; with --stalled it is `stalled` there.
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

    /// What is measured of one contender with so many clients.
    pub(super) fn cases_with(&self, clients: usize) -> Vec<Case> {
        let case = Case {
            clients,
            rate: self.stalled.map(|_| self.rate),
            window: 1,
            size: self.size,
            slow_share: 0.0,
        };
        match self.stalled {
            Some(slow_share) => vec![case, Case { slow_share, ..case }],
            None => {
                let with = |&window| Case { window, ..case };
                self.window.iter().map(with).collect()
            }
        }
    }

    /// One round: those stand together that are compared with each other.
    pub(super) fn round(&self, round: usize) -> Vec<(&Contender, Case)> {
        let count = self.start.len();
        // In each round another one is the first.
        let turns = || self.start.iter().cycle().skip(round % count).take(count);
        let mut all = Vec::new();
        for &clients in &self.clients {
            let cases = self.cases_with(clients);
            if self.stalled.is_some() {
                all.extend(turns().flat_map(|this| cases.iter().map(move |&case| (this, case))));
            } else {
                all.extend(
                    cases
                        .iter()
                        .flat_map(|&case| turns().map(move |this| (this, case))),
                );
            }
        }
        all
    }
}
