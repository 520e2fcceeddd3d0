//! A client that reads no faster than its link carries, and records what it gets.

use std::io;
use std::net::SocketAddr;
use std::str;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use throng::tune::ClientClass;
use throng::tune::Got;
use throng::tune::Rehearsal;
use tokio::time;
use tokio::time::MissedTickBehavior;

use crate::bench::ws::Received;
use crate::bench::ws::Socket;
use crate::tune::peer::subscribed;

/// How often a client reads.
const STEP: Duration = Duration::from_millis(5);

/// How long a client stays after the end.
const AFTER: Duration = Duration::from_millis(500);

/// What the kernel is asked to hold for a client of this class that does not read, in bytes: what
/// its link carries in 20 ms.
pub(super) fn receive_buffer(class: &ClientClass) -> u32 {
    let bytes = (class.bandwidth / 50).clamp(8 << 10, 128 << 10);
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// A client, and what it got.
pub(super) struct Client {
    number: usize,
    server: SocketAddr,
    channels: Arc<[String]>,
    rehearsal: Arc<Rehearsal>,
    receive_buffer: u32,
    pub(super) got: Vec<Got>,
    /// Whether it was ever closed.
    pub(super) was_closed: bool,
}

impl Client {
    pub(super) fn new(
        number: usize,
        server: SocketAddr,
        channels: &Arc<[String]>,
        rehearsal: &Arc<Rehearsal>,
        receive_buffer: u32,
    ) -> Self {
        Self {
            number,
            server,
            channels: Arc::clone(channels),
            rehearsal: Arc::clone(rehearsal),
            receive_buffer,
            got: Vec::new(),
            was_closed: false,
        }
    }

    /// Connects and subscribes; the user is the number.
    pub(super) async fn connect(&self) -> io::Result<Socket> {
        let names: Vec<&str> = self.channels.iter().map(String::as_str).collect();
        let path = format!("/ws?user={}", self.number);
        subscribed(self.server, &path, &names, Some(self.receive_buffer)).await
    }

    /// Reads from `begin` on, until a while after the end, when everything was counted; connects
    /// again whenever it was closed.
    pub(super) async fn run(mut self, mut socket: Socket, begin: Instant) -> Self {
        let end = self.rehearsal.end() + AFTER;
        // Bytes that the link could have carried so far, and that were read or not wanted.
        let mut used = 0_u64;
        let mut step = time::interval_at(begin.into(), STEP);
        step.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            step.tick().await;
            let now = begin.elapsed();
            if now >= end {
                return self;
            }
            let carried = self.rehearsal.carries(self.number, Duration::ZERO, now);
            match self
                .read(&mut socket, carried - used.min(carried), begin)
                .await
            {
                Ok(read) => used += read,
                Err(_) => {
                    self.was_closed = true;
                    time::sleep(self.rehearsal.reconnect(self.number)).await;
                    match self.connect().await {
                        Ok(again) => socket = again,
                        Err(_) => return self,
                    }
                }
            }
            // What was not used is not saved up, but for what two steps may read.
            let earlier = now.saturating_sub(2 * STEP);
            let saved = self.rehearsal.carries(self.number, earlier, now);
            used = used.max(carried.saturating_sub(saved));
        }
    }

    /// Reads what is there, as much as the link may carry now.
    async fn read(&mut self, socket: &mut Socket, budget: u64, begin: Instant) -> io::Result<u64> {
        let mut read = 0;
        while read < budget {
            let most = usize::try_from(budget - read).unwrap_or(usize::MAX);
            let got = &mut self.got;
            let mut is_closed = false;
            let each = |received: Received<'_>| match received {
                Received::Close(_) => is_closed = true,
                Received::Message(message) => {
                    let number = number(message);
                    got.extend(number.map(|number| Got {
                        at: begin.elapsed(),
                        number,
                    }));
                }
            };
            let some = time::timeout(Duration::ZERO, socket.read_at_most(most, each)).await;
            socket.pong().await?;
            if is_closed {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            match some {
                Ok(some) => read += some? as u64,
                Err(_) => break,
            }
        }
        Ok(read)
    }
}

/// The payload of a message: its number between two signs, and what fills it up.
pub(super) fn payload(number: usize, size: usize) -> String {
    let mut text = format!("{SIGN}{number}{SIGN}");
    let missing = size.saturating_sub(text.len());
    text.push_str(&"x".repeat(missing));
    text
}

/// The number of a message, wherever it stands in a push.
fn number(message: &[u8]) -> Option<usize> {
    let sign = |from: usize| {
        let found = message
            .get(from..)?
            .iter()
            .position(|byte| *byte == SIGN as u8)?;
        Some(from + found)
    };
    let first = sign(0)? + 1;
    let last = sign(first)?;
    str::from_utf8(message.get(first..last)?).ok()?.parse().ok()
}

/// Stands in no name, key or envelope.
const SIGN: char = '~';
