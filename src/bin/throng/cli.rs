//! The arguments.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::num::NonZeroUsize;
use std::time::Duration;

use clap::Args;
use clap::Parser;
use clap::Subcommand;
use clap::ValueEnum;
use throng::SlowConsumer;

use crate::auth::AuthOptions;
use crate::bench;
use crate::content::ContentOptions;
use crate::edge::EdgeOptions;
use crate::history::HistoryFlags;
use crate::key;
use crate::layers::LayerOptions;
use crate::limits::LimitOptions;
use crate::record;
use crate::tls::TlsOptions;
use crate::token;
use crate::tune;

/// An embeddable, sharded realtime hub, and the server built from it.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeOptions,
}

impl Cli {
    /// The command; `serve` when none is named.
    pub(crate) fn command(self) -> Command {
        self.command
            .unwrap_or_else(|| Command::Serve(Box::new(self.serve)))
    }
}

impl ServeOptions {
    /// The most bytes in a message that is published: one that an empty outbox has room for.
    pub(crate) fn max_payload(&self) -> usize {
        match self.max_payload {
            Some(bytes) => bytes.get(),
            None => self.outbox_bytes.get().min(1 << 20),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measure how fast messages reach their clients.
    #[command(subcommand)]
    Bench(bench::Command),
    /// Make, list, rotate and revoke API keys.
    #[command(subcommand)]
    Key(key::Command),
    /// Record what a live server publishes and how fast its slow clients take it, for `throng
    /// tune`.
    Record(record::Options),
    /// Serve HTTP, WebSocket and the page (the default).
    Serve(Box<ServeOptions>),
    /// Make signed tokens, and show what is in them.
    #[command(subcommand)]
    Token(token::Command),
    /// Find the outbox and the policy that fit a feed and its clients.
    Tune(Box<tune::Options>),
}

#[derive(Debug, Args)]
pub(crate) struct ServeOptions {
    /// Address to listen on. On any other than a loopback address, authentication is required.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,

    /// Messages that may wait for one client. With keep-latest twice the number of keys that a
    /// client is subscribed to: 1000 for 500 symbols.
    #[arg(long, value_name = "N", default_value = "64")]
    pub(crate) outbox_messages: NonZeroUsize,

    /// Payload bytes that may wait for one client.
    #[arg(long, value_name = "BYTES", default_value = "1048576")]
    pub(crate) outbox_bytes: NonZeroUsize,

    /// Payload bytes that may wait for all clients that lag (more than four messages wait for
    /// them), together; unbounded if not given. In the second half of it, those with more than
    /// their share of the first are treated as if their outbox were full.
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_outbox_bytes: Option<NonZeroUsize>,

    /// Keys that a `gap` push lists at most: those of which the client lacks the present value. At
    /// most 64.
    #[arg(long, value_name = "N", default_value = "0", value_parser = clap::value_parser!(u8).range(..=64))]
    pub(crate) gap_keys: u8,

    /// Policy for a message that does not fit the outbox of a client: drop-newest, drop-oldest,
    /// keep-latest, disconnect, or disconnect:MS for a grace time in milliseconds. With keep-latest
    /// no last value is lost if --outbox-messages is at least the number of keys; set it to twice
    /// that.
    #[arg(long, value_name = "POLICY", default_value = "drop-newest", value_parser = slow_consumer)]
    pub(crate) slow_consumer: SlowConsumer,

    /// Clients at a time.
    #[arg(long, value_name = "N", default_value = "100000")]
    pub(crate) max_clients: NonZeroUsize,

    /// Bytes in a message that is published; 1 MiB, or what may wait for a client if that is less.
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_payload: Option<NonZeroUsize>,

    /// Bytes in a message that a client sends.
    #[arg(long, value_name = "BYTES", default_value = "65536")]
    pub(crate) max_message: NonZeroUsize,

    /// Bytes in a frame that a client sends; as many as in a message if not given.
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_frame: Option<NonZeroUsize>,

    /// Compress messages for WebSocket clients that offer it (permessage-deflate), at this level.
    #[arg(
        long,
        value_name = "LEVEL",
        num_args = 0..=1,
        default_missing_value = "3",
        value_parser = clap::value_parser!(u8).range(1..=9)
    )]
    pub(crate) deflate: Option<u8>,

    /// Channels at a time.
    #[arg(long, value_name = "N", default_value = "1000000")]
    pub(crate) max_channels: NonZeroUsize,

    /// Bytes in the name of a channel, at most 65535.
    #[arg(long, value_name = "BYTES", default_value = "164")]
    pub(crate) max_channel_name: NonZeroUsize,

    /// Members of one presence channel; a newcomer is told all of them.
    #[arg(long, value_name = "N", default_value = "10000")]
    pub(crate) max_members: NonZeroUsize,

    /// Bytes in the id of a member.
    #[arg(long, value_name = "BYTES", default_value = "128")]
    pub(crate) max_member_id: NonZeroUsize,

    /// Publications of one channel that may wait while another publisher is in the middle of it.
    #[arg(long, value_name = "N", default_value = "4096")]
    pub(crate) max_channel_backlog: NonZeroUsize,

    /// Channels that one client may be subscribed to.
    #[arg(long, value_name = "N", default_value = "256")]
    pub(crate) max_subscriptions: NonZeroUsize,

    #[command(flatten)]
    pub(crate) limits: LimitOptions,

    #[command(flatten)]
    pub(crate) content: ContentOptions,

    /// For development only: takes the `user` of the query for the user of a client, and lets every
    /// client join private-... and presence-... channels, which are refused otherwise.
    #[arg(long)]
    pub(crate) insecure_trust_query_user: bool,

    /// Publishing by clients. Unless given, they may where the server listens on loopback only, and
    /// elsewhere by permission.
    #[arg(long, value_name = "WHETHER")]
    pub(crate) client_publish: Option<Publishes>,

    /// Another origin whose pages may connect and use the API, such as https://example.com,
    /// example.com:8080 or *.example.com; may be given several times. `*` stands for every origin.
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) allow_origin: Vec<String>,

    /// Connections at a time, those of clients included; beyond it they wait to be accepted.
    /// Unless given, 1,024 more than clients.
    #[arg(long, value_name = "N")]
    pub(crate) max_connections: Option<NonZeroUsize>,

    /// Connections that may wait to be accepted; the operating system may allow fewer.
    #[arg(long, value_name = "N", default_value = "4096")]
    pub(crate) listen_backlog: NonZeroU32,

    /// Tasks that accept connections; one for each core unless given.
    #[arg(long, value_name = "N")]
    pub(crate) acceptors: Option<NonZeroUsize>,

    /// Bytes of a connection that the kernel may hold unsent: what a slow client does not take
    /// waits in its outbox, where `--slow-consumer` decides, and not beyond it. 0 leaves it to the
    /// kernel, which takes megabytes. Linux only, and in force for TCP only.
    #[arg(long, value_name = "BYTES", default_value = "16384")]
    pub(crate) unsent_mark: u32,

    /// Bytes in the head of a request, at least 8192.
    #[arg(long, value_name = "BYTES", default_value = "16384")]
    pub(crate) max_head: NonZeroUsize,

    /// Headers of a request over HTTP/1.1.
    #[arg(long, value_name = "N", default_value = "100")]
    pub(crate) max_headers: NonZeroUsize,

    /// Requests at a time on one connection over HTTP/2.
    #[arg(long, value_name = "N", default_value = "200")]
    pub(crate) max_streams: NonZeroU32,

    #[command(flatten)]
    pub(crate) edge: EdgeOptions,

    #[command(flatten)]
    pub(crate) tls: TlsOptions,

    /// Milliseconds between pings.
    #[arg(long, value_name = "MS", default_value = "25000", value_parser = millis)]
    pub(crate) ping_interval: Duration,

    /// Milliseconds that a client has to answer a ping.
    #[arg(long, value_name = "MS", default_value = "10000", value_parser = millis)]
    pub(crate) pong_timeout: Duration,

    /// Milliseconds for which a socket may take nothing before it is dropped.
    #[arg(long, value_name = "MS", default_value = "10000", value_parser = millis)]
    pub(crate) write_timeout: Duration,

    /// Milliseconds for which what waits for a client may wait for more, to be written together.
    #[arg(long, value_name = "MS", default_value = "0", value_parser = millis)]
    pub(crate) flush_delay: Duration,

    /// Milliseconds for which a client may ask for nothing before it is closed; for ever unless
    /// given.
    #[arg(long, value_name = "MS", value_parser = millis)]
    pub(crate) ws_idle_timeout: Option<Duration>,

    /// Milliseconds that a client may take to hang up after a close.
    #[arg(long, value_name = "MS", default_value = "2000", value_parser = millis)]
    pub(crate) close_timeout: Duration,

    /// Milliseconds that a client may take to send the head of a request.
    #[arg(long, value_name = "MS", default_value = "10000", value_parser = millis)]
    pub(crate) head_timeout: Duration,

    /// Milliseconds that a client may take to send the body of a request.
    #[arg(long, value_name = "MS", default_value = "30000", value_parser = millis)]
    pub(crate) body_timeout: Duration,

    /// Milliseconds over which the closing of connections is spread when draining.
    #[arg(long, value_name = "MS", default_value = "5000", value_parser = millis)]
    pub(crate) drain_window: Duration,

    /// Milliseconds within which clients are to come back after draining, each at a moment of its
    /// own.
    #[arg(long, value_name = "MS", default_value = "5000", value_parser = millis)]
    pub(crate) reconnect_window: Duration,

    #[command(flatten)]
    pub(crate) auth: AuthOptions,

    #[command(flatten)]
    pub(crate) history: HistoryFlags,

    #[command(flatten)]
    pub(crate) layers: LayerOptions,

    #[command(flatten)]
    pub(crate) sse: SseOptions,

    /// Milliseconds that draining may take once the server is told to stop.
    #[arg(long, value_name = "MS", default_value = "15000", value_parser = millis)]
    pub(crate) drain_timeout: Duration,
}

/// How streams of server-sent events are kept.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct SseOptions {
    /// Milliseconds after which a stream with nothing to say says that it is there.
    #[arg(long, value_name = "MS", default_value = "15000", value_parser = millis)]
    pub(crate) sse_heartbeat: Duration,

    /// Bytes in the body of a request that changes the subscriptions of a stream.
    #[arg(long, value_name = "BYTES", default_value = "65536")]
    pub(crate) sse_max_body: NonZeroUsize,

    /// Channels that one request for a stream, or to change it, may name.
    #[arg(long, value_name = "N", default_value = "64")]
    pub(crate) sse_max_channels: NonZeroUsize,

    /// Bytes in the id of an event, which names all channels of its stream.
    #[arg(long, value_name = "BYTES", default_value = "4096")]
    pub(crate) sse_max_id: NonZeroUsize,

    /// Milliseconds after which clients come back when a stream breaks off.
    #[arg(long, value_name = "MS", default_value = "3000", value_parser = millis)]
    pub(crate) sse_retry: Duration,

    /// Milliseconds for which a stream may take nothing before its client is disconnected.
    #[arg(long, value_name = "MS", default_value = "10000", value_parser = millis)]
    pub(crate) sse_write_timeout: Duration,
}

/// Publishing by clients: where it is allowed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Publishes {
    /// They may, to public channels and to those they are subscribed to.
    Allow,
    /// They may to the channels that their tokens name: the claim `perms.pub`.
    Permitted,
    /// Only the API publishes.
    Refuse,
}

fn slow_consumer(text: &str) -> Result<SlowConsumer, String> {
    match text.split_once(':') {
        Some(("disconnect", grace)) => Ok(SlowConsumer::Disconnect {
            grace: millis(grace)?,
        }),
        None if text == "disconnect" => Ok(SlowConsumer::DISCONNECT),
        None if text == "drop-newest" => Ok(SlowConsumer::DropNewest),
        None if text == "drop-oldest" => Ok(SlowConsumer::DropOldest),
        None if text == "keep-latest" => Ok(SlowConsumer::KeepLatest),
        _ => Err("use drop-newest, drop-oldest, keep-latest, disconnect or disconnect:MS".into()),
    }
}

pub(crate) fn millis(text: &str) -> Result<Duration, String> {
    match text.parse::<u32>() {
        Ok(millis) => Ok(Duration::from_millis(millis.into())),
        Err(_) => Err(format!(
            "a whole number of milliseconds, at most {}",
            u32::MAX
        )),
    }
}
