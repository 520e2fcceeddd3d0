//! One client, before it is cut off and after it has come back.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;

use crate::bench::latency::nanos;
use crate::bench::ws::Dial;
use crate::bench::ws::Finder;
use crate::bench::ws::Received;
use crate::bench::ws::Socket;
use crate::bench::ws::closed_with;
use crate::bench::ws::local;
use crate::bench::ws::write_text;

use super::options::Options;

/// Where a client was in each channel when it was cut off.
pub(super) struct Away {
    number: usize,
    positions: Vec<Position>,
}

/// A position in a channel.
#[derive(Clone)]
struct Position {
    offset: u64,
    epoch: String,
}

/// How it went for a client.
pub(super) struct Back {
    /// From when all were to come back until it had everything, or was waited for no longer.
    pub(super) nanos: u64,
    /// What it got of the messages that it had missed.
    pub(super) messages: usize,
    /// In how many channels the server said that nothing is missing.
    pub(super) recovered: usize,
}

/// What the server says to a `subscribe`.
#[derive(Deserialize)]
struct Joined {
    reply_to: Option<String>,
    offset: Option<u64>,
    epoch: Option<String>,
    data: Option<JoinedData>,
}

#[derive(Deserialize)]
struct JoinedData {
    recovered: bool,
}

/// Connects client number `number`, subscribes, and cuts it off.
pub(super) async fn leave(
    number: usize,
    server: SocketAddr,
    options: &Options,
) -> io::Result<Away> {
    let mut socket = subscribed(number, server, options, None).await?;
    let positions = all_joined(&mut socket, options).await?;
    let positions = positions.into_iter().map(|(position, _)| position);
    Ok(Away {
        number,
        positions: positions.collect(),
    })
}

/// Waits until all channels have been joined: the position in each, and whether it was recovered.
async fn all_joined(socket: &mut Socket, options: &Options) -> io::Result<Vec<(Position, bool)>> {
    let mut channels = vec![None; options.channels];
    while channels.iter().any(Option::is_none) {
        let mut failed = None;
        let each = |received: Received<'_>| match received {
            Received::Close(code) => failed = Some(closed_with(code)),
            Received::Message(message) => match joined(message) {
                Some((channel, Some(offset), Some(epoch), recovered)) => {
                    let position = Position { offset, epoch };
                    channels[channel] = Some((position, recovered == Some(true)));
                }
                Some(_) => failed = Some(String::from_utf8_lossy(message).into_owned()),
                None => {}
            },
        };
        socket.read(each).await?;
        socket.pong().await?;
        if let Some(why) = failed {
            return Err(io::Error::other(why));
        }
    }
    Ok(channels.into_iter().flatten().collect())
}

impl Away {
    /// Comes back, and returns a channel in which the server says that something is missing.
    pub(super) async fn forgotten(
        self,
        server: SocketAddr,
        options: &Options,
    ) -> io::Result<Option<String>> {
        let since = Some(&*self.positions);
        let mut socket = subscribed(self.number, server, options, since).await?;
        let channels = all_joined(&mut socket, options).await?;
        let forgotten = channels.iter().position(|(_, recovered)| !recovered);
        Ok(forgotten.map(|channel| options.channel(channel)))
    }

    /// Comes back, and reads until it has everything. The socket is still open then, so that
    /// nobody's leaving is measured with the others' coming.
    pub(super) async fn come_back(
        self,
        begin: Instant,
        server: SocketAddr,
        options: &Options,
    ) -> io::Result<(Back, Option<Socket>)> {
        let mut back = Back {
            nanos: 0,
            messages: 0,
            recovered: 0,
        };
        let reading = async {
            let since = Some(&*self.positions);
            let mut socket = subscribed(self.number, server, options, since).await?;
            let mut finder = Finder::default();
            while back.messages < options.messages || back.recovered < options.channels {
                let mut code = None;
                let each = |received: Received<'_>| match received {
                    Received::Close(close) => code = Some(close),
                    Received::Message(message) => back.read(message, &mut finder),
                };
                socket.read(each).await?;
                socket.pong().await?;
                if let Some(code) = code {
                    return Err(io::Error::other(closed_with(code)));
                }
            }
            Ok(socket)
        };
        let in_time = timeout(options.patience, reading).await;
        let socket = in_time.ok().transpose()?;
        back.nanos = nanos(begin.elapsed());
        Ok((back, socket))
    }
}

impl Back {
    fn read(&mut self, message: &[u8], finder: &mut Finder) {
        if finder.find(message).is_some() {
            self.messages += 1;
        } else if let Some((.., Some(true))) = joined(message) {
            self.recovered += 1;
        }
    }
}

/// A channel by its number, and what else its `joined` says.
type Subscription = (usize, Option<u64>, Option<String>, Option<bool>);

/// What an answer to a `subscribe` says.
fn joined(message: &[u8]) -> Option<Subscription> {
    let joined: Joined = serde_json::from_slice(message).ok()?;
    let channel = joined.reply_to?.parse().ok()?;
    let recovered = joined.data.map(|data| data.recovered);
    Some((channel, joined.offset, joined.epoch, recovered))
}

/// Connects, and asks for all channels at once.
async fn subscribed(
    number: usize,
    server: SocketAddr,
    options: &Options,
    since: Option<&[Position]>,
) -> io::Result<Socket> {
    let dial = Dial {
        server,
        local: local(number, options.clients, server),
        receive_buffer: None,
    };
    let mut socket = Socket::open(&dial, &options.url, &[]).await?;
    let mut frames = Vec::new();
    for channel in 0..options.channels {
        let mut command = json!({
            "type": "subscribe",
            "id": channel.to_string(),
            "channel_id": options.channel(channel),
        });
        if let Some(since) = since {
            let Position { offset, epoch } = &since[channel];
            command["since"] = json!({ "offset": offset, "epoch": epoch });
        }
        write_text(&command.to_string(), &mut frames)?;
    }
    socket.send(&frames).await?;
    Ok(socket)
}
