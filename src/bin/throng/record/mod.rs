//! `throng record`: what a live server publishes, and how fast its slow clients take it.
//!
//! One client subscribes to the channels and sees every publish. The slowest clients are found by
//! `GET /api/v1/clients/slow` each second, and looked at every 100 ms.

mod http;

use std::fs;
use std::io;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;
use std::time::Instant;

use clap::Args;
use serde_json::Value;
use throng::ClientId;
use throng::tune::Recorder;
use throng::tune::Recording;
use throng::tune::parse_duration;
use tokio::net;
use tokio::runtime::Builder;
use tokio::time;

use crate::bench::ws::Received;
use crate::bench::ws::Socket;
use crate::tune::peer::subscribed;

use self::http::Client;

/// What `throng record` can be told.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    source: Source,

    /// The file that is written: 16 bytes for each publish, and for each slow client and 100 ms.
    #[arg(long, value_name = "FILE", default_value = "throng.rec")]
    out: PathBuf,
}

/// A live server, and what of it is recorded.
#[derive(Args, Clone, Debug)]
pub(crate) struct Source {
    /// The server: http://host:port.
    #[arg(
        long = "url",
        value_name = "URL",
        default_value = "http://127.0.0.1:8080"
    )]
    pub(crate) url: String,

    /// A channel to record; may be given several times.
    #[arg(long, value_name = "NAME", required = true)]
    pub(crate) channel: Vec<String>,

    /// How long to record.
    #[arg(long = "for", value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub(crate) time: Duration,
}

/// Records, and writes the file.
pub(crate) fn run(options: &Options) -> ExitCode {
    let written = record(&options.source).and_then(|recording| {
        let file = options.out.display();
        fs::write(&options.out, recording.to_bytes())
            .map_err(|error| format!("cannot write {file}: {error}"))?;
        println!("{}", summary(&recording));
        println!("  tune for it with  throng tune {file}");
        Ok(())
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("throng: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What is in a recording, in a line.
pub(crate) fn summary(recording: &Recording) -> String {
    format!(
        "  recorded {} publishes in {:.1} s; {} clients were behind, {} were not",
        recording.published(),
        recording.duration().as_secs_f64(),
        recording.behind(),
        recording.others(),
    )
}

/// Records a live server.
pub(crate) fn record(source: &Source) -> Result<Recording, String> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
    let url = &source.url;
    let recording = runtime.block_on(watch(source));
    runtime.shutdown_background();
    recording.map_err(|error| format!("cannot record {url}: {error}"))
}

async fn watch(source: &Source) -> io::Result<Recording> {
    let host = source
        .url
        .strip_prefix("http://")
        .map(|rest| rest.trim_end_matches('/'));
    let host = host.ok_or_else(|| io::Error::other("the address must begin with http://"))?;
    let server = net::lookup_host(host).await?.next();
    let server = server.ok_or_else(|| io::Error::other("no such host"))?;
    if io::stderr().is_terminal() {
        eprintln!("  recording for {:?}", source.time);
    }
    let channels: Vec<&str> = source.channel.iter().map(String::as_str).collect();
    let socket = subscribed(server, "/ws", &channels, None).await?;
    let begin = Instant::now();
    let recorder = Arc::new(OnceLock::new());
    let looking = tokio::spawn(look(
        server,
        host.to_owned(),
        begin,
        source.time,
        Arc::clone(&recorder),
    ));
    listen(socket, begin, source.time, &recorder).await?;
    let clients = looking.await.map_err(io::Error::other)??;
    let recorder = recorder
        .get()
        .ok_or_else(|| io::Error::other("nothing was published"))?;
    // The one that listens is none of them.
    Ok(recorder.recording(clients.saturating_sub(1)))
}

/// Records what is published.
async fn listen(
    mut socket: Socket,
    begin: Instant,
    time: Duration,
    recorder: &OnceLock<Recorder>,
) -> io::Result<()> {
    while let Some(rest) = time
        .checked_sub(begin.elapsed())
        .filter(|rest| !rest.is_zero())
    {
        let mut closed = None;
        let each = |received: Received<'_>| match received {
            Received::Close(code) => closed = Some(code),
            Received::Message(message) => {
                if let Some(publish) = Published::read(message) {
                    let at = begin.elapsed();
                    let recorder =
                        recorder.get_or_init(|| Recorder::new(MAX_BYTES, publish.overhead));
                    recorder.publish(at, &publish.channel, publish.key.as_deref(), publish.size);
                }
            }
        };
        match time::timeout(rest, socket.read(each)).await {
            Ok(read) => read?,
            Err(_) => return Ok(()),
        }
        socket.pong().await?;
        if let Some(code) = closed {
            return Err(io::Error::other(format!("closed with {code}")));
        }
    }
    Ok(())
}

/// A message as it came over the WebSocket.
struct Published {
    channel: String,
    key: Option<Vec<u8>>,
    size: usize,
    overhead: u32,
}

impl Published {
    fn read(message: &[u8]) -> Option<Self> {
        let push: Value = serde_json::from_slice(message).ok()?;
        if push["type"] != "message" {
            return None;
        }
        let size = match (&push["text"], &push["base64"], push.get("data")) {
            (Value::String(text), ..) => text.len(),
            (_, Value::String(text), _) => text.len() / 4 * 3,
            (.., Some(data)) => data.to_string().len(),
            _ => 0,
        };
        let header = if message.len() < 126 { 2 } else { 4 };
        Some(Self {
            channel: push["channel_id"].as_str()?.to_owned(),
            key: push["key"].as_str().map(|key| key.as_bytes().to_vec()),
            size,
            overhead: u32::try_from((message.len() + header).saturating_sub(size))
                .unwrap_or(u32::MAX),
        })
    }
}

/// Looks at the slowest clients; returns how many clients there are.
async fn look(
    server: SocketAddr,
    host: String,
    begin: Instant,
    time: Duration,
    recorder: Arc<OnceLock<Recorder>>,
) -> io::Result<usize> {
    let mut client = Client::connect(server, host).await?;
    let mut slow: Vec<u64> = Vec::new();
    let mut step = time::interval(STEP);
    let mut steps = 0_u32;
    while begin.elapsed() < time {
        step.tick().await;
        let Some(recorder) = recorder.get() else {
            continue;
        };
        if steps.is_multiple_of(10) {
            let list = client
                .get(&format!("/api/v1/clients/slow?n={MOST_CLIENTS}"))
                .await?;
            let ids = list["clients"].as_array().into_iter().flatten();
            for id in ids.filter_map(|line| line["client_id"].as_str()?.parse().ok()) {
                if !slow.contains(&id) && slow.len() < MOST_CLIENTS {
                    slow.push(id);
                }
            }
        }
        steps += 1;
        let mut gone = Vec::new();
        for id in &slow {
            let figures = client.get(&format!("/api/v1/clients/{id}/stats")).await?;
            let at = begin.elapsed();
            let number = |name: &str| figures["connection"][name].as_u64();
            match (number("bytes_out"), figures["queued_messages"].as_u64()) {
                (Some(bytes), Some(queued)) => {
                    let queued = usize::try_from(queued).unwrap_or(usize::MAX);
                    let unsent = number("unsent").unwrap_or(0);
                    recorder.client(at, ClientId::new(*id), bytes, unsent, queued);
                }
                _ => gone.push(*id),
            }
        }
        for id in gone {
            recorder.closed(begin.elapsed(), ClientId::new(id), NO_CODE);
            slow.retain(|known| *known != id);
        }
    }
    let stats = client.get("/api/v1/stats").await?;
    let clients = stats["clients"].as_u64().unwrap_or(0);
    Ok(usize::try_from(clients).unwrap_or(usize::MAX))
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}

/// Slow clients that are looked at.
const MOST_CLIENTS: usize = 64;

/// Bytes of a recording in memory.
const MAX_BYTES: usize = 64 << 20;

const STEP: Duration = Duration::from_millis(100);

/// A connection that ended without a code that is known here.
const NO_CODE: u16 = 1006;
