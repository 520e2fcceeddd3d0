//! What `throng bench ws` can be told.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::ValueEnum;
use serde::Serialize;

use crate::bench::failed::Failed;
use crate::bench::options::count;
use crate::bench::options::seconds;
use crate::bench::options::seconds_or_none;
use crate::bench::options::share;

use super::address::Address;
use super::stamp;

/// What `throng bench ws` can be told.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Where the server's WebSocket is: `ws://host:port/path`.
    #[arg(long, default_value = "ws://127.0.0.1:8080/ws", value_parser = Address::parse::<WS>)]
    pub(super) url: Address,

    /// WebSocket clients that subscribe; 1 to 1000000.
    #[arg(long, default_value = "1000", value_parser = count::<1, 1_000_000>)]
    pub(super) clients: usize,

    /// The channel they subscribe to.
    #[arg(long, default_value = "bench")]
    pub(super) channel: String,

    /// Connections that publish; 1 to 64.
    #[arg(long, default_value = "1", value_parser = count::<1, 64>)]
    pub(super) publishers: usize,

    /// How they publish.
    #[arg(long, value_enum, default_value = "ws")]
    pub(super) via: Via,

    /// Where `--via http` posts to [default: the server's own address for the channel].
    #[arg(long, value_parser = Address::parse::<HTTP>)]
    pub(super) post: Option<Address>,

    /// A header for every request, such as `Authorization: Bearer ...`; may be repeated.
    #[arg(long, value_parser = header)]
    pub(super) header: Vec<String>,

    /// Messages per second, all publishers together, at even distances whatever the server does;
    /// 1 to 1000000.
    #[arg(long, value_parser = count::<1, 1_000_000>, conflicts_with = "window")]
    pub(super) rate: Option<usize>,

    /// Without `--rate`: messages that may be on their way to the clients, several numbers in their
    /// turn over the same connections; 1 to 4096.
    #[arg(long, default_value = "1", value_delimiter = ',', value_parser = count::<1, 4_096>)]
    pub(super) window: Vec<usize>,

    /// Bytes of a payload, which is a text and says when it was published; 32 to 1048576.
    #[arg(long, default_value = "128", value_parser = count::<{ stamp::LEAST }, 1_048_576>)]
    pub(super) size: usize,

    /// How long to measure; 0.01 to 86400.
    #[arg(long, default_value = "10", value_parser = seconds)]
    pub(super) seconds: Duration,

    /// How long to publish before that; 0 to 86400.
    #[arg(long, default_value = "1", value_parser = seconds_or_none)]
    pub(super) warm_up: Duration,

    /// The share of the clients that stop reading once they have subscribed; 0 to 1.
    #[arg(long, default_value = "0", value_parser = share)]
    pub(super) slow_share: f64,

    /// Connections that are being made at the same time; 1 to 1024.
    #[arg(long, default_value = "64", value_parser = count::<1, 1_024>)]
    pub(super) connecting: usize,

    /// Threads of this load generator; 1 to 64.
    #[arg(long, default_value = "1", value_parser = count::<1, 64>)]
    pub(super) threads: usize,

    /// The server's process, on this machine and of the same user: its processor time, write
    /// calls and memory are reported too.
    #[arg(long)]
    pub(super) pid: Option<u32>,

    /// Also write the report as a page, with a histogram of the latencies, into this file.
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,

    /// Print one JSON object instead of text.
    #[arg(long)]
    pub(super) json: bool,

    /// The protocol of the clients that subscribe.
    #[arg(skip)]
    pub(super) speaks: Speaks,
}

impl Options {
    /// The defaults, but for this server, `case` and time.
    pub(in crate::bench) fn of(url: Address, pid: u32, case: Case, time: [Duration; 2]) -> Self {
        let [warm_up, seconds] = time;
        Self {
            url,
            clients: case.clients,
            channel: "bench".to_owned(),
            publishers: 1,
            via: Via::Ws,
            post: None,
            header: Vec::new(),
            rate: case.rate,
            window: vec![case.window],
            size: case.size,
            seconds,
            warm_up,
            slow_share: case.slow_share,
            connecting: 64,
            threads: 1,
            pid: Some(pid),
            html: None,
            json: false,
            speaks: Speaks::Ws,
        }
    }

    /// The same, with clients that speak `speaks`, and messages that so many publishers post.
    pub(in crate::bench) fn posted_to(self, speaks: Speaks, publishers: usize) -> Self {
        Self {
            publishers,
            speaks,
            via: Via::Http,
            ..self
        }
    }

    /// The loads to measure in their turn.
    pub(super) fn loads(&self) -> Vec<Load> {
        match self.rate {
            Some(rate) => vec![Load::Rate(rate)],
            None => self.window.iter().copied().map(Load::Window).collect(),
        }
    }

    /// Refuses what each option allows but all together do not.
    pub(super) fn check(&self) -> Result<(), Failed> {
        if self.post.is_some() && matches!(self.via, Via::Ws) {
            return Err(Failed::new("--post is of use with --via http only"));
        }
        if self.channel.is_empty() {
            return Err(Failed::new("--channel must not be empty"));
        }
        Ok(())
    }
}

/// How many clients get how much.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(in crate::bench) struct Case {
    /// Clients that subscribe.
    pub(in crate::bench) clients: usize,
    /// Messages a second, if it is given.
    pub(in crate::bench) rate: Option<usize>,
    /// Else messages that may be on their way to the clients.
    pub(in crate::bench) window: usize,
    /// Bytes of a payload.
    pub(in crate::bench) size: usize,
    /// The share of the clients that stop reading.
    pub(in crate::bench) slow_share: f64,
}

/// The protocol of the clients that subscribe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::bench) enum Speaks {
    /// Server-sent events over HTTP/1.1; then the address is that of the stream.
    Sse,
    #[default]
    Ws,
}

/// When to publish.
#[derive(Clone, Copy, Debug)]
pub(super) enum Load {
    /// So many messages a second.
    Rate(usize),
    /// When fewer than so many messages are on their way.
    Window(usize),
}

/// How to publish.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Via {
    /// A POST per message; each publisher waits for the answer before its next one.
    Http,
    /// Commands on a WebSocket, without waiting for answers.
    Ws,
}

fn header(text: &str) -> Result<String, String> {
    let printable = text.chars().all(|c| c == ' ' || c.is_ascii_graphic());
    match text.split_once(": ") {
        Some((name, _)) if printable && !name.is_empty() => Ok(text.to_owned()),
        _ => Err("must be `Name: value`, in printable ASCII".to_owned()),
    }
}

/// The scheme of `--url`.
const WS: bool = true;

/// The scheme of `--post`.
const HTTP: bool = false;
