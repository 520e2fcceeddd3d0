//! What is to happen when: pings, the answers to them, and the end of patience. Told the time.

use std::time::Duration;
use std::time::Instant;

use crate::id::ClientId;
use crate::transport::rate::spread;
use crate::transport::ws::WsConfig;

/// The deadlines of one connection.
#[derive(Debug)]
pub(super) struct Timing {
    ping_interval: Duration,
    pong_timeout: Duration,
    write_timeout: Duration,
    next_ping: Instant,
    ping: Ping,
    /// When the socket must have taken something; `None` while nothing is to be written.
    write_by: Option<Instant>,
    /// When everything must have been written; `None` while the connection is open.
    flush_by: Option<Instant>,
    /// When the client must have asked for something; `None` if it need not.
    ask_by: Option<Instant>,
    idle_timeout: Option<Duration>,
}

/// The ping on its way.
#[derive(Clone, Copy, Debug)]
enum Ping {
    /// It is written, and is to be answered by then.
    Awaited(Instant),
    /// There is none.
    None,
    /// It waits behind other frames.
    Queued,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// The peer takes too long to read, or to hang up.
    GiveUp,
    /// The client has asked for nothing for too long.
    Idle,
    /// The peer did not answer a ping.
    NoPong,
    /// A ping is to be sent.
    Ping,
}

impl Timing {
    pub(super) fn new(config: &WsConfig, client: ClientId, now: Instant) -> Self {
        let ping_interval = jittered(config.ping_interval, client);
        Self {
            ping_interval,
            pong_timeout: config.pong_timeout,
            write_timeout: config.write_timeout,
            next_ping: now + ping_interval,
            ping: Ping::None,
            write_by: None,
            flush_by: None,
            ask_by: config.idle_timeout.map(|timeout| now + timeout),
            idle_timeout: config.idle_timeout,
        }
    }

    /// The client asked for something.
    pub(super) fn asked(&mut self, now: Instant) {
        self.ask_by = self.idle_timeout.map(|timeout| now + timeout);
    }

    /// Whether it matters when the client asks for something.
    pub(super) fn minds_idleness(&self) -> bool {
        self.idle_timeout.is_some()
    }

    /// All has been written and the peer is to hang up; until when it may take its time.
    pub(super) fn hang_up(&mut self, now: Instant, close_timeout: Duration) {
        self.write_by = None;
        self.ping = Ping::None;
        self.ask_by = None;
        self.flush_by = Some(now + close_timeout);
    }

    /// The peer sent something: it lives.
    pub(super) fn heard(&mut self) {
        self.ping = Ping::None;
    }

    /// The socket took something, and perhaps everything.
    pub(super) fn wrote(&mut self, now: Instant, everything: bool) {
        self.write_by = None;
        if everything && let Ping::Queued = self.ping {
            self.ping = Ping::Awaited(now + self.pong_timeout);
        }
    }

    /// Everything is written; returns the next deadline.
    pub(super) fn settle(&mut self) -> Instant {
        self.write_by = None;
        self.deadline()
    }

    /// Sees to it that what waits to be written is written in time; returns the next deadline.
    pub(super) fn watch(
        &mut self,
        now: Instant,
        everything_written: bool,
        closing: bool,
    ) -> Instant {
        if everything_written {
            self.write_by = None;
        } else {
            self.write_by.get_or_insert(now + self.write_timeout);
        }
        if closing {
            self.flush_by.get_or_insert(now + self.write_timeout);
        }
        self.deadline()
    }

    /// What is due now. While the peer is not read, its silence does not count.
    pub(super) fn due(&mut self, now: Instant, reads: bool) -> impl Iterator<Item = Due> + use<> {
        let late = |by: Option<Instant>| by.is_some_and(|by| by <= now);
        let give_up = late(self.write_by) || late(self.flush_by);
        let idle = late(self.ask_by);
        if idle {
            self.ask_by = None;
        }
        let mut no_pong = false;
        if let Ping::Awaited(by) = self.ping
            && by <= now
        {
            no_pong = reads;
            self.ping = if reads {
                Ping::None
            } else {
                Ping::Awaited(now + self.pong_timeout)
            };
        }
        let mut ping = false;
        if self.next_ping <= now {
            self.next_ping = now + self.ping_interval;
            ping = matches!(self.ping, Ping::None) && !no_pong;
            if ping {
                self.ping = Ping::Queued;
            }
        }
        let due = [
            (give_up, Due::GiveUp),
            (no_pong, Due::NoPong),
            (idle, Due::Idle),
            (ping, Due::Ping),
        ];
        due.into_iter()
            .filter(|(is_due, _)| *is_due)
            .map(|(_, due)| due)
    }

    /// When something is due next.
    pub(super) fn deadline(&self) -> Instant {
        let pong_by = match self.ping {
            Ping::Awaited(by) => Some(by),
            Ping::None | Ping::Queued => None,
        };
        let others = [pong_by, self.write_by, self.flush_by, self.ask_by];
        others
            .into_iter()
            .flatten()
            .fold(self.next_ping, Instant::min)
    }
}

/// The interval give or take a tenth, the same for the same client, so that clients that came
/// together are not pinged together.
fn jittered(interval: Duration, client: ClientId) -> Duration {
    let tenths = 0.9 + 0.2 * spread(client);
    interval.mul_f64(tenths).max(Duration::from_millis(1))
}
