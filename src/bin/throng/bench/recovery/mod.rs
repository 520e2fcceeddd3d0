//! `throng bench recovery`: all clients of a server are cut off, as when the network between them
//! restarts, and come back at once to what was published meanwhile.

mod client;
mod options;
mod report;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::TryStreamExt;
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use super::failed::Failed;
use super::print_reports;
use super::process::Process;
use super::ws;
use super::ws::Dial;
use super::ws::MessageHeader;
use super::ws::Received;
use super::ws::Socket;
use super::ws::closed_with;
use super::ws::write_text;

use self::client::Away;
use self::client::Back;
pub(crate) use self::options::Options;
use self::report::Report;

/// Has the clients go and come back, and prints how long that took.
pub(super) fn run(options: &Options) -> Result<(), Failed> {
    ws::allow_files(options.clients + ws::OTHER_FILES)?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(options.threads)
        .enable_all()
        .build()
        .map_err(|error| Failed::io("no runtime", error))?;
    let report = runtime.block_on(measured(options));
    runtime.shutdown_background();
    let html = options.html.as_deref();
    print_reports(
        &[report?],
        options.json,
        html.map(|file| (file, "throng bench recovery")),
    )
}

async fn measured(options: &Options) -> Result<Report, Failed> {
    let server = ws::resolve(&options.url).await?;
    // A channel to which nothing was ever published is forgotten a minute after the last one
    // leaves.
    publish(options, server, options.channels).await?;
    check_history(options, server).await?;
    let away = leave(options, server).await?;
    publish(options, server, options.messages).await?;
    let process = options.pid.map(Process::other);
    let work = || {
        let work = process.as_ref().map(Process::work).transpose();
        work.map_err(|error| Failed::io("cannot read the figures of --pid", error))
    };
    let before = work()?;
    let back = come_back(options, server, away).await?;
    let work = work()?.zip(before).map(|(now, before)| now.since(before));
    Ok(Report::new(options, &back, work))
}

/// Fails at once where all would wait for what nobody remembers: one client misses a message of
/// each channel, and comes back.
async fn check_history(options: &Options, server: SocketAddr) -> Result<(), Failed> {
    let failed = |error| Failed::io("cannot connect a client", error);
    let away = client::leave(0, server, options).await.map_err(failed)?;
    publish(options, server, options.channels).await?;
    match away.forgotten(server, options).await.map_err(failed)? {
        None => Ok(()),
        Some(channel) => Err(Failed::new(format!(
            "the server keeps no history of `{channel}`, so that nothing can be recovered: start it \
             with `throng serve --history '{}*'`",
            options.channel
        ))),
    }
}

/// Connects the clients, has them subscribe, and cuts them off.
async fn leave(options: &Options, server: SocketAddr) -> Result<Vec<Away>, Failed> {
    let leave = |number| client::leave(number, server, options);
    stream::iter((0..options.clients).map(leave))
        .buffer_unordered(CONNECTING)
        .try_collect()
        .await
        .map_err(|error| Failed::io("cannot connect a client", error))
}

/// Has all of them come back at once.
async fn come_back(
    options: &Options,
    server: SocketAddr,
    away: Vec<Away>,
) -> Result<Vec<Back>, Failed> {
    let options = Arc::new(options.clone());
    let begin = Instant::now();
    let mut coming = JoinSet::new();
    for client in away {
        let options = Arc::clone(&options);
        coming.spawn(async move { client.come_back(begin, server, &options).await });
    }
    let mut back = Vec::new();
    let mut open = Vec::new();
    while let Some(come) = coming.join_next().await {
        // A panic of a task is a bug, and goes on here.
        let come = come.expect("no task panics");
        let (came, socket) = come.map_err(|e| Failed::io("a client did not come back", e))?;
        back.push(came);
        open.extend(socket);
    }
    Ok(back)
}

/// Publishes so many messages, to the channels in turn.
async fn publish(options: &Options, server: SocketAddr, messages: usize) -> Result<(), Failed> {
    let published = try_publish(options, server, messages).await;
    published.map_err(|error| Failed::io("cannot publish", error))
}

/// When it returns, the server has accepted all of them.
async fn try_publish(options: &Options, server: SocketAddr, messages: usize) -> io::Result<()> {
    let dial = Dial {
        server,
        local: None,
        receive_buffer: None,
    };
    let mut socket = Socket::open(&dial, &options.url, &[]).await?;
    let mut text = String::new();
    for number in 0..messages {
        let stamp = MessageHeader {
            number: u32::try_from(number).unwrap_or(u32::MAX),
            nanos: 0,
        };
        stamp.write(options.size, &mut text);
        let command = json!({
            "type": "publish",
            "id": "p",
            "channel_id": options.channel(number % options.channels),
            "text": text,
        });
        let mut frame = Vec::new();
        write_text(&command.to_string(), &mut frame)?;
        socket.send(&frame).await?;
        accepted(&mut socket).await?;
    }
    Ok(())
}

/// Waits for the answer to the one command that is on its way.
async fn accepted(socket: &mut Socket) -> io::Result<()> {
    let mut answer = None;
    while answer.is_none() {
        let each = |received: Received<'_>| match received {
            Received::Close(code) => answer = Some(Err(closed_with(code))),
            Received::Message(message) => {
                let push = serde_json::from_slice::<Answer>(message).ok();
                if let Some(kind) = push.and_then(|push| push.reply_to.and(Some(push.kind))) {
                    let text = || String::from_utf8_lossy(message).into_owned();
                    answer = Some((kind == "ack").then_some(()).ok_or_else(text));
                }
            }
        };
        socket.read(each).await?;
        socket.pong().await?;
    }
    answer.unwrap_or(Ok(())).map_err(io::Error::other)
}

/// A push of the server, as far as it matters here.
#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "type")]
    kind: String,
    reply_to: Option<String>,
}

/// Clients that connect at the same time before they are cut off.
const CONNECTING: usize = 64;
