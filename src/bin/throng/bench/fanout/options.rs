//! What `throng bench fanout` can be told.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::ValueEnum;
use throng::OutboxLimits;
use throng::SlowConsumer;

use crate::bench::failed::Failed;
use crate::bench::options::count;
use crate::bench::options::seconds;
use crate::bench::options::seconds_or_none;
use crate::bench::options::share;

/// What `throng bench fanout` can be told.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Clients in all, spread evenly over the channels; 1 to 10000000.
    #[arg(long, default_value = "1000", value_parser = count::<1, 10_000_000>)]
    pub(super) subscribers: usize,

    /// Channels, at most one per subscriber; 1 to 1000000.
    #[arg(long, default_value = "1", value_parser = count::<1, 1_000_000>)]
    pub(super) channels: usize,

    /// Threads that publish; each takes every n-th channel in turn; 1 to 256.
    #[arg(long, default_value = "1", value_parser = count::<1, 256>)]
    pub(super) publishers: usize,

    /// Threads that drain; each has an even part of every channel; 1 to 64.
    #[arg(long, default_value = "1", value_parser = count::<1, 64>)]
    pub(super) drainers: usize,

    /// Bytes of a payload; the first eight tell when it was published; 8 to 1048576.
    #[arg(long, default_value = "128", value_parser = count::<8, 1_048_576>)]
    pub(super) size: usize,

    /// Messages of a channel on their way to its healthy clients; 1 to 16384.
    #[arg(long, default_value = "16", value_parser = count::<1, 16_384>)]
    pub(super) window: usize,

    /// Messages an outbox holds, at least three times what may be on its way; 1 to 65536
    /// [default: 64, or as many as the window needs].
    #[arg(long, value_parser = count::<1, 65_536>)]
    pub(super) outbox: Option<usize>,

    /// What is done about a client whose outbox is full.
    #[arg(long, value_enum, default_value = "drop-newest")]
    pub(super) policy: Policy,

    /// Seconds a client may be behind before `--policy disconnect` disconnects it; 0 to 86400.
    #[arg(long, default_value = "0", value_parser = seconds_or_none)]
    pub(super) grace: Duration,

    /// The share of the clients that never drain; 0 to 1.
    #[arg(long, default_value = "0", value_parser = share)]
    pub(super) slow_share: f64,

    /// How long to publish; 0.01 to 86400.
    #[arg(long, default_value = "5", value_parser = seconds, conflicts_with = "messages")]
    pub(super) seconds: Duration,

    /// How many messages each publisher publishes, instead of a time; 1 to 1000000000.
    #[arg(long, value_parser = count::<1, 1_000_000_000>)]
    pub(super) messages: Option<usize>,

    /// Latencies are read from every n-th client; 1 to 1000000.
    #[arg(long, default_value = "16", value_parser = count::<1, 1_000_000>)]
    pub(super) sample: usize,

    /// Also write the report as a page, with a histogram of the latencies, into this file.
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,

    /// Print one JSON object instead of text.
    #[arg(long)]
    pub(super) json: bool,
}

impl Options {
    /// Refuses what each option allows but all together do not.
    pub(super) fn check(&self) -> Result<(), Failed> {
        if self.channels > self.subscribers {
            let Self {
                channels,
                subscribers,
                ..
            } = self;
            return Err(Failed::new(format!(
                "--channels {channels} is more than --subscribers {subscribers}"
            )));
        }
        let needed = self.outbox_needed();
        if self.outbox() < needed {
            let outbox = self.outbox();
            return Err(Failed::new(format!(
                "--outbox {outbox} is too small for this window and these publishers: healthy \
                 clients would lose messages; at least {needed} is needed"
            )));
        }
        if self.outbox_bytes() > OutboxLimits::MAX_BYTES {
            let most = OutboxLimits::MAX_BYTES;
            return Err(Failed::new(format!(
                "--outbox times --size is more than the {most} bytes that an outbox may hold"
            )));
        }
        Ok(())
    }

    /// Messages an outbox holds.
    pub(super) fn outbox(&self) -> usize {
        self.outbox.unwrap_or_else(|| self.outbox_needed().max(64))
    }

    /// Bytes an outbox holds: as many as its messages have, so that this is not the limit.
    pub(super) fn outbox_bytes(&self) -> usize {
        self.outbox() * self.size
    }

    pub(super) fn slow_consumer(&self) -> SlowConsumer {
        match self.policy {
            Policy::Disconnect => SlowConsumer::Disconnect { grace: self.grace },
            Policy::DropNewest => SlowConsumer::DropNewest,
            Policy::DropOldest => SlowConsumer::DropOldest,
            Policy::KeepLatest => SlowConsumer::KeepLatest,
        }
    }

    /// See the module's page: *e* times what is on its way, rounded up to three times.
    fn outbox_needed(&self) -> usize {
        3 * (self.window + self.publishers.div_ceil(self.channels) - 1)
    }
}

/// What is done about a client whose outbox is full.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Policy {
    /// It is disconnected, at once or after the grace.
    Disconnect,
    /// It does not get the new message.
    DropNewest,
    /// It loses the oldest message that waits for it.
    DropOldest,
    /// The new message replaces the waiting one of the same key.
    KeepLatest,
}

impl Policy {
    /// As it is written on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Disconnect => "disconnect",
            Self::DropNewest => "drop-newest",
            Self::DropOldest => "drop-oldest",
            Self::KeepLatest => "keep-latest",
        }
    }
}
