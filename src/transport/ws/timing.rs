//! What is to happen when: pings, the answers to them, and the end of patience. Told the time.

use std::num::NonZeroU32;
use std::time::Duration;
use std::time::Instant;

use crate::id::ClientId;
use crate::transport::spread::spread;
use crate::transport::ws::WsConfig;

/// The deadlines of one connection.
///
/// # Memory
///
/// 56 bytes, and 48 more on the heap while there is a deadline other than those of pings.
#[derive(Debug)]
pub(super) struct Timing {
    ping_interval: Millis,
    pong_timeout: Millis,
    write_timeout: Millis,
    idle_timeout: Option<Millis>,
    next_ping: Instant,
    ping: Ping,
    /// `None` while all of them are.
    limits: Option<Box<Limits>>,
}

/// The deadlines that few connections have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Limits {
    /// When the socket must have taken something; `None` while nothing is to be written.
    write_by: Option<Instant>,
    /// When everything must have been written; `None` while the connection is open.
    flush_by: Option<Instant>,
    /// When the client must have asked for something; `None` if it need not.
    ask_by: Option<Instant>,
}

/// A duration in whole milliseconds, rounded up, because those are the steps of the runtime's
/// timer; at most 49 days. One more is stored, so that an `Option` takes no more room.
#[derive(Clone, Copy, Debug)]
struct Millis(NonZeroU32);

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
        let mut timing = Self {
            ping_interval: Millis::of(ping_interval),
            pong_timeout: Millis::of(config.pong_timeout),
            write_timeout: Millis::of(config.write_timeout),
            idle_timeout: config.idle_timeout.map(Millis::of),
            next_ping: now + ping_interval,
            ping: Ping::None,
            limits: None,
        };
        timing.asked(now);
        timing
    }

    /// The client asked for something.
    pub(super) fn asked(&mut self, now: Instant) {
        let ask_by = self.idle_timeout.map(|timeout| now + timeout.duration());
        self.limit(|limits| limits.ask_by = ask_by);
    }

    /// Whether it matters when the client asks for something.
    pub(super) fn minds_idleness(&self) -> bool {
        self.idle_timeout.is_some()
    }

    /// All has been written and the peer is to hang up; until when it may take its time.
    pub(super) fn hang_up(&mut self, now: Instant, close_timeout: Duration) {
        self.ping = Ping::None;
        self.limit(|limits| {
            *limits = Limits {
                flush_by: Some(now + close_timeout),
                ..Limits::default()
            };
        });
    }

    /// The peer sent something: it lives.
    pub(super) fn heard(&mut self) {
        self.ping = Ping::None;
    }

    /// The socket took something, and perhaps everything.
    pub(super) fn wrote(&mut self, now: Instant, everything: bool) {
        self.limit(|limits| limits.write_by = None);
        if everything && let Ping::Queued = self.ping {
            self.ping = Ping::Awaited(now + self.pong_timeout.duration());
        }
    }

    /// Everything is written; returns the next deadline.
    pub(super) fn settle(&mut self) -> Instant {
        self.limit(|limits| limits.write_by = None);
        self.deadline()
    }

    /// Sees to it that what waits to be written is written in time; returns the next deadline.
    pub(super) fn watch(
        &mut self,
        now: Instant,
        everything_written: bool,
        closing: bool,
    ) -> Instant {
        let by = now + self.write_timeout.duration();
        self.limit(|limits| {
            if everything_written {
                limits.write_by = None;
            } else {
                limits.write_by.get_or_insert(by);
            }
            if closing {
                limits.flush_by.get_or_insert(by);
            }
        });
        self.deadline()
    }

    /// What is due now. While the peer is not read, its silence does not count.
    pub(super) fn due(&mut self, now: Instant, reads: bool) -> impl Iterator<Item = Due> + use<> {
        let late = |by: Option<Instant>| by.is_some_and(|by| by <= now);
        let limits = self.limits();
        let give_up = late(limits.write_by) || late(limits.flush_by);
        let idle = late(limits.ask_by);
        if idle {
            self.limit(|limits| limits.ask_by = None);
        }
        let mut no_pong = false;
        if let Ping::Awaited(by) = self.ping
            && by <= now
        {
            no_pong = reads;
            self.ping = if reads {
                Ping::None
            } else {
                Ping::Awaited(now + self.pong_timeout.duration())
            };
        }
        let mut ping = false;
        if self.next_ping <= now {
            self.next_ping = now + self.ping_interval.duration();
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
        let limits = self.limits();
        let others = [pong_by, limits.write_by, limits.flush_by, limits.ask_by];
        others
            .into_iter()
            .flatten()
            .fold(self.next_ping, Instant::min)
    }

    /// Whether there are deadlines other than those of pings.
    #[cfg(test)]
    pub(super) fn has_limits(&self) -> bool {
        self.limits.is_some()
    }

    fn limits(&self) -> Limits {
        self.limits.as_deref().copied().unwrap_or_default()
    }

    /// Changes the deadlines that few connections have, and frees their memory if none is left.
    fn limit(&mut self, change: impl FnOnce(&mut Limits)) {
        let mut limits = self.limits();
        change(&mut limits);
        match &mut self.limits {
            _ if limits == Limits::default() => self.limits = None,
            Some(old) => **old = limits,
            None => self.limits = Some(Box::new(limits)),
        }
    }
}

impl Millis {
    fn of(duration: Duration) -> Self {
        let millis = duration.as_nanos().div_ceil(1_000_000);
        let millis = u32::try_from(millis).unwrap_or(u32::MAX);
        Self(NonZeroU32::MIN.saturating_add(millis))
    }

    fn duration(self) -> Duration {
        Duration::from_millis((self.0.get() - 1).into())
    }
}

/// The interval give or take a tenth, the same for the same client, so that clients that came
/// together are not pinged together.
fn jittered(interval: Duration, client: ClientId) -> Duration {
    let tenths = 0.9 + 0.2 * spread(client);
    interval.mul_f64(tenths).max(Duration::from_millis(1))
}
