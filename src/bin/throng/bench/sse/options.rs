//! The options of `throng bench sse`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::bench::compare::Contender;
use crate::bench::failed::Failed;
use crate::bench::options::count;
use crate::bench::options::seconds;
use crate::bench::options::seconds_or_none;
use crate::bench::ws::Case;
use crate::bench::ws::LEAST_SIZE;

/// The options of `throng bench sse`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// A server, as `NAME=COMMAND`; may be repeated [default: this program]. The shell runs the
    /// command. The server must listen on a port of its own choice, and first print `listening on
    /// http://ADDRESS:PORT`.
    #[arg(long, value_parser = Contender::parse)]
    pub(super) start: Vec<Contender>,

    /// Clients that subscribe; 1 to 1000000.
    #[arg(long, default_value = "1000", value_parser = count::<1, 1_000_000>)]
    pub(super) clients: usize,

    /// Messages that may be on their way to the clients, each number in its turn; each has a
    /// publisher of its own; 1 to 64.
    #[arg(long, default_value = "1,8", value_delimiter = ',', value_parser = count::<1, 64>)]
    pub(super) window: Vec<usize>,

    /// Bytes of a payload; 32 to 1048576.
    #[arg(long, default_value = "128", value_parser = count::<LEAST_SIZE, 1_048_576>)]
    pub(super) size: usize,

    /// How often to measure each server in each case; 1 to 1000.
    #[arg(long, default_value = "3", value_parser = count::<1, 1_000>)]
    pub(super) rounds: usize,

    /// How long to measure each time; 0.01 to 86400.
    #[arg(long, default_value = "5", value_parser = seconds)]
    pub(super) seconds: Duration,

    /// How long to publish before that; 0 to 86400.
    #[arg(long, default_value = "1", value_parser = seconds_or_none)]
    pub(super) warm_up: Duration,

    /// Also write the report as a page, with a histogram of the latencies, into this file.
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,

    /// Print all that was found as one JSON object instead of the table.
    #[arg(long)]
    pub(super) json: bool,
}

impl Options {
    /// Refuses what each option allows but all together do not.
    pub(super) fn check(&self) -> Result<(), Failed> {
        for (at, contender) in self.start.iter().enumerate() {
            let is_known = |other: &Contender| other.name == contender.name;
            if self.start[..at].iter().any(is_known) {
                let what = format!("two servers are called `{}`", contender.name);
                return Err(Failed::new(what));
            }
        }
        Ok(())
    }

    /// The cases to measure in their turn.
    pub(super) fn cases(&self) -> impl Iterator<Item = Case> {
        self.window.iter().map(|window| Case {
            clients: self.clients,
            rate: None,
            window: *window,
            size: self.size,
            slow_share: 0.0,
        })
    }
}
