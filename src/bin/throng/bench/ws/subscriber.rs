//! One client that subscribes.

use std::cmp::max;
use std::io;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use crate::bench::options::is_slow;

use super::events::Events;
use super::options::Options;
use super::options::Speaks;
use super::shared::Shared;
use super::socket::Dial;
use super::socket::Received;
use super::socket::Socket;
use super::socket::closed_with;
use super::socket::write_text;
use super::stamp::Finder;
use super::stamp::MessageHeader;

/// A client that has subscribed.
pub(super) struct Subscriber {
    index: usize,
    feed: Feed,
}

/// The source of the messages.
enum Feed {
    Sse(Events),
    Ws(Socket),
}

impl Subscriber {
    /// Connects client number `index`, subscribes, and waits until the server says that it did.
    pub(super) async fn open(index: usize, dial: &Dial, options: &Options) -> io::Result<Self> {
        let Options {
            url,
            header,
            channel,
            ..
        } = options;
        let feed = match options.speaks {
            Speaks::Sse => {
                let mut events = Events::open(dial, url, header, channel).await?;
                events.joined().await?;
                Feed::Sse(events)
            }
            Speaks::Ws => {
                let mut socket = Socket::open(dial, url, header).await?;
                subscribe(&mut socket, channel).await?;
                Feed::Ws(socket)
            }
        };
        Ok(Self { index, feed })
    }

    /// Whether it is one of those that stop reading.
    pub(super) fn is_slow(&self, options: &Options) -> bool {
        is_slow(self.index, options.slow_share)
    }

    /// Receives until the connection ends.
    pub(super) async fn run(mut self, shared: Arc<Shared>) {
        let mut finder = Finder::default();
        let mut stamps = Vec::new();
        let mut code = None;
        let mut next = 0;
        while code.is_none() {
            stamps.clear();
            let each = |received: Received<'_>| match received {
                Received::Close(close) => code = Some(close),
                Received::Message(message) => stamps.extend(finder.find(message)),
            };
            let read = self.feed.read(each).await;
            let first = next;
            next = stamps
                .iter()
                .map(|stamp: &MessageHeader| stamp.number as usize + 1)
                .fold(next, max);
            shared.receive(self.index, &stamps, next - first);
            if read.is_err() {
                break;
            }
        }
        shared.close(code.unwrap_or(NO_CLOSE_FRAME));
    }
}

impl Feed {
    /// Reads once, and answers what keeps the connection open.
    async fn read(&mut self, each: impl FnMut(Received<'_>)) -> io::Result<()> {
        match self {
            Self::Sse(events) => events.read(each).await,
            Self::Ws(socket) => {
                socket.read(each).await?;
                socket.pong().await
            }
        }
    }
}

/// Subscribes, and waits until the server confirms it.
async fn subscribe(socket: &mut Socket, channel: &str) -> io::Result<()> {
    let command = json!({
        "type": "subscribe",
        "id": REQUEST,
        "channel_id": channel,
    });
    let mut frame = Vec::new();
    write_text(&command.to_string(), &mut frame)?;
    socket.send(&frame).await?;
    let mut answer = None;
    while answer.is_none() {
        socket
            .read(|received| answer = answer.take().or_else(|| answered(&received)))
            .await?;
        socket.pong().await?;
    }
    match answer {
        Some(Err(why)) => Err(io::Error::other(why)),
        _ => Ok(()),
    }
}

/// A push of the server, as far as it matters here.
#[derive(Deserialize)]
pub(super) struct Push {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) reply_to: Option<String>,
}

/// Whether the server has answered the request to subscribe, and how.
fn answered(received: &Received<'_>) -> Option<Result<(), String>> {
    match received {
        Received::Close(code) => Some(Err(closed_with(*code))),
        Received::Message(message) => {
            let push: Push = serde_json::from_slice(message).ok()?;
            if push.reply_to.as_deref() != Some(REQUEST) {
                return None;
            }
            let error = || String::from_utf8_lossy(message).into_owned();
            Some(if push.kind == "error" {
                Err(error())
            } else {
                Ok(())
            })
        }
    }
}

/// How the request to subscribe is called.
const REQUEST: &str = "subscribe";

/// What is reported for connections that ended without a close frame.
const NO_CLOSE_FRAME: u16 = 1006;
