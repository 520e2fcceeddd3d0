//! What `throng bench recovery` can be told.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::bench::options::count;
use crate::bench::options::seconds;
use crate::bench::ws::Address;
use crate::bench::ws::LEAST_SIZE;

/// What `throng bench recovery` can be told.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Where the server's WebSocket is: `ws://host:port/path`. Its channels must remember:
    /// `--history 'bench.*:messages=1000'`.
    #[arg(long, default_value = "ws://127.0.0.1:8080/ws", value_parser = Address::parse::<true>)]
    pub(super) url: Address,

    /// WebSocket clients; 1 to 100000.
    #[arg(long, default_value = "1000", value_parser = count::<1, 100_000>)]
    pub(super) clients: usize,

    /// Channels, all of which each client subscribes to; 1 to 32.
    #[arg(long, default_value = "2", value_parser = count::<1, 32>)]
    pub(super) channels: usize,

    /// What the channels are called, before a number.
    #[arg(long, default_value = "bench.")]
    pub(super) channel: String,

    /// Messages that are published meanwhile, to the channels in turn; 1 to 1000000.
    #[arg(long, default_value = "500", value_parser = count::<1, 1_000_000>)]
    pub(super) messages: usize,

    /// Bytes of a payload; 32 to 65536.
    #[arg(long, default_value = "128", value_parser = count::<{ LEAST_SIZE }, 65_536>)]
    pub(super) size: usize,

    /// How long to wait for a client that has come back and lacks something; 0.01 to 86400.
    #[arg(long, default_value = "30", value_parser = seconds)]
    pub(super) patience: Duration,

    /// Threads of this load generator; 1 to 64.
    #[arg(long, default_value = "1", value_parser = count::<1, 64>)]
    pub(super) threads: usize,

    /// The server's process, on this machine and of the same user: its processor time is reported
    /// too.
    #[arg(long)]
    pub(super) pid: Option<u32>,

    /// Also write the report as a page, with a histogram of the latencies, into this file.
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,

    /// Print one JSON object instead of text.
    #[arg(long)]
    pub(super) json: bool,
}

impl Options {
    /// The name of a channel.
    pub(super) fn channel(&self, number: usize) -> String {
        format!("{}{number}", self.channel)
    }
}
