//! What is kept of messages, where, and for how long.

use std::error::Error;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::ValueEnum;
use throng::Layers;
use throng::LayersBuilder;
use throng::messages::MemoryLimits;
use throng::messages::MessagesConfig;
use throng::messages::Retention;
use throng::messages::sqlite::Durability;
use throng::messages::sqlite::SqliteOptions;
use throng::messages::sqlite::SqliteStore;

use crate::cli::millis;

/// How the messages of rooms are kept.
#[derive(Clone, Debug, Args)]
pub(crate) struct KeepOptions {
    /// Keep no messages of rooms: they are delivered, and that is all.
    #[arg(long, conflicts_with = "data")]
    no_messages: bool,

    /// Keep rooms and their messages in a file in this directory, which is made if it is not
    /// there; in memory unless given.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// Durability of a message that was acknowledged: it survives the end of the process and of the
    /// power, or only that of the process.
    #[arg(long, value_name = "HOW", default_value = "full", requires = "data")]
    durability: Survives,

    /// Do not look for damage when the file is opened, which takes about 10 s for a million
    /// messages.
    #[arg(long, requires = "data")]
    no_check: bool,

    /// Days for which messages are kept; 0 for ever.
    #[arg(
        long,
        value_name = "DAYS",
        default_value = "30",
        conflicts_with = "no_messages"
    )]
    retention_days: u32,

    /// Messages that are kept of each room; 0 for all.
    #[arg(
        long,
        value_name = "N",
        default_value = "100000",
        conflicts_with = "no_messages"
    )]
    retention_messages: u64,

    /// Milliseconds between two cleanups.
    #[arg(long, value_name = "MS", default_value = "3600000", value_parser = millis, conflicts_with = "no_messages")]
    cleanup_interval: Duration,

    /// Milliseconds after which a message can no longer be edited; for ever unless given.
    #[arg(long, value_name = "MS", value_parser = millis, conflicts_with = "no_messages")]
    edit_window: Option<Duration>,

    /// Messages that are kept in memory, of all rooms together.
    #[arg(
        long,
        value_name = "N",
        default_value = "1000000",
        conflicts_with_all = ["data", "no_messages"]
    )]
    memory_messages: usize,

    /// Bytes that they may take.
    #[arg(
        long,
        value_name = "BYTES",
        default_value = "268435456",
        conflicts_with_all = ["data", "no_messages"]
    )]
    memory_bytes: usize,
}

/// Durability of a message that was acknowledged.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Survives {
    /// The end of the power.
    Full,
    /// The end of the process.
    Normal,
}

impl KeepOptions {
    /// The folder in which things are kept, if there is one.
    pub(crate) fn data(&self) -> Option<&Path> {
        self.data.as_deref()
    }

    /// The layers, with messages kept as was said.
    pub(crate) fn build(&self, builder: LayersBuilder) -> Result<Layers, Box<dyn Error>> {
        let retention = Retention::new()
            .max_age((self.retention_days > 0).then(|| DAY * self.retention_days))
            .max_per_room((self.retention_messages > 0).then_some(self.retention_messages));
        let config = MessagesConfig::new()
            .cleanup_interval(self.cleanup_interval)
            .edit_window(self.edit_window)
            .retention(retention);
        let builder = builder.messages((!self.no_messages).then_some(config));
        let Some(data) = &self.data else {
            let limits = MemoryLimits::new()
                .max_messages(self.memory_messages)
                .max_bytes(self.memory_bytes);
            return Ok(builder.memory(limits).build());
        };
        let sync = match self.durability {
            Survives::Full => Durability::Full,
            Survives::Normal => Durability::Normal,
        };
        let options = SqliteOptions::default()
            .durability(sync)
            .check(!self.no_check);
        let store = SqliteStore::open(data, options).map_err(|error| {
            let (data, why) = (data.display(), chain(&error));
            format!("cannot keep messages in {data}: {why}")
        })?;
        let layers = builder.build_with(store).map_err(|error| {
            let (data, why) = (data.display(), chain(&error));
            format!(
                "cannot keep messages in {data}: its throng.db was read, but not understood: {why}"
            )
        })?;
        Ok(layers)
    }
}

/// An error, and what it comes from.
fn chain(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(why) = next {
        said.push_str(&format!(": {why}"));
        next = why.source();
    }
    said
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
