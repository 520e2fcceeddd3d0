//! One client of a run: its outbox in the hub, its socket, and what it shows.

use crate::hub::Client;
use crate::hub::Frame;
use crate::hub::Outbox;
use crate::hub::TryRecvError;
use crate::tune::link::Item;
use crate::tune::link::Kernel;
use crate::tune::link::NEVER;
use crate::tune::link::Socket;
use crate::tune::observe::Moment;
use crate::tune::setting::Setting;
use crate::tune::world::stage::Peer;
use crate::tune::world::stage::Stage;
use crate::tune::world::stage::nanos;

/// One client of a run.
pub(super) struct Connection<'a> {
    pub(super) peer: &'a Peer,
    link: Option<Open>,
    /// For each key, the newest version that it has got.
    have: Vec<u32>,
    /// For each feed, the offset of the last message that it has got.
    pub(super) positions: Vec<u32>,
    pub(super) delivered: u64,
    /// Messages in its outbox that were queued before anything was recorded, evicted ones included.
    rest: usize,
    /// Conflated on connections that are closed.
    conflated: u64,
    pub(super) closed_slow: u64,
    pub(super) closed_timeout: u64,
    /// Counts connections, so that an event for an old one is known.
    pub(super) epoch: u64,
}

/// A client while it is connected.
struct Open {
    client: Client,
    /// `None` once the hub has closed it; what the socket holds is still on its way.
    outbox: Option<Outbox>,
    socket: Socket,
    ping: Ping,
    /// Since when something is queued that waits for more.
    queued_since: Option<u64>,
    /// Whether an event is due at which the socket takes more.
    is_awaited: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ping {
    None,
    Queued,
    /// Written, to be answered by then, and perhaps answered at a time that is known.
    Written {
        by: u64,
        answered: Option<u64>,
    },
}

/// What is to happen later with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Later {
    /// Its socket takes more.
    Writable,
    /// Its socket has taken nothing for too long.
    WriteTimeout,
    /// A ping is to be sent.
    Ping,
    /// A ping should have been answered.
    Pong,
    /// It connects again.
    Reconnect,
}

impl<'a> Connection<'a> {
    pub(super) fn new(peer: &'a Peer, stage: &Stage) -> Self {
        Self {
            peer,
            link: None,
            have: vec![0; stage.arrivals.times.len()],
            positions: vec![0; stage.arrivals.by_feed.len()],
            delivered: 0,
            rest: 0,
            conflated: 0,
            closed_slow: 0,
            closed_timeout: 0,
            epoch: 0,
        }
    }

    pub(super) fn open(&mut self, client: Client, outbox: Outbox, setting: &Setting, now: u64) {
        let kernel = Kernel::new(setting.unsent_mark, self.peer.window, self.peer.grain);
        self.epoch += 1;
        self.link = Some(Open {
            client,
            outbox: Some(outbox),
            socket: Socket::new(kernel, self.peer.latency, now, &self.peer.link),
            ping: Ping::None,
            queued_since: None,
            is_awaited: false,
        });
        self.rest = 0;
        if let Some(open) = &mut self.link
            && now == 0
        {
            self.rest = open.outbox.as_ref().map_or(0, Outbox::len);
            if self.peer.initial.unsent > 0 {
                open.socket.write(Item::Rest, self.peer.initial.unsent);
            }
        }
    }

    /// Messages in its outbox.
    pub(super) fn waiting(&self) -> usize {
        let outbox = self.link.as_ref().and_then(|open| open.outbox.as_ref());
        outbox.map_or(0, Outbox::len)
    }

    /// Bytes in its outbox, and in its socket unsent.
    pub(super) fn bytes(&self) -> (u64, u64) {
        self.link.as_ref().map_or((0, 0), |open| {
            (open.client.stats().queued_bytes, open.socket.unsent())
        })
    }

    /// Messages that are neither lost nor delivered yet.
    pub(super) fn on_its_way(&self) -> u64 {
        let open = self.link.as_ref();
        let sent = open.map_or(0, |open| open.socket.on_its_way());
        // The oldest are evicted first.
        let evicted = open.map_or(0, |open| open.client.stats().evicted);
        let evicted = usize::try_from(evicted).unwrap_or(usize::MAX);
        let rest = self.rest.saturating_sub(evicted);
        (sent + self.waiting().saturating_sub(rest)) as u64
    }

    pub(super) fn conflated(&self) -> u64 {
        let now = self.link.as_ref().map(|open| open.client.stats().conflated);
        self.conflated + now.unwrap_or(0)
    }

    /// Moves the socket on to `now`.
    pub(super) fn advance(&mut self, stage: &Stage, now: u64) {
        let Some(open) = &mut self.link else { return };
        let (link, latency) = (&self.peer.link, self.peer.latency);
        let ping = &mut open.ping;
        open.socket.advance(link, now, |item, at| match item {
            Item::Message(number) => {
                let arrival = &stage.arrivals.all[number as usize];
                let have = &mut self.have[arrival.key as usize];
                *have = arrival.version.max(*have);
                self.positions[arrival.feed as usize] = arrival.offset;
                self.delivered += 1;
            }
            Item::Rest => {}
            Item::Ping => {
                if let Ping::Written { answered, .. } = ping {
                    *answered = link.up_from(at).checked_add(latency);
                }
            }
        });
    }

    /// For how long the value of `key` that it shows has been out of date.
    pub(super) fn stale(&self, stage: &Stage, published: &[u32], key: u32, now: u64) -> u64 {
        let have = self.have[key as usize];
        if have >= published[key as usize] {
            return 0;
        }
        now.saturating_sub(stage.arrivals.times[key as usize][have as usize])
    }

    /// Whether a pass of the flusher has something to do here; if not before some time, which.
    pub(super) fn due(&mut self, setting: &Setting, now: u64) -> Option<u64> {
        let open = self.link.as_mut()?;
        let outbox = open.outbox.as_ref()?;
        let waiting = outbox.len();
        if open.socket.is_full() || waiting == 0 && outbox.close_reason().is_none() {
            return None;
        }
        if setting.flush_delay.is_zero() || waiting * 2 >= setting.outbox {
            return Some(now);
        }
        let since = *open.queued_since.get_or_insert(now);
        Some(since.saturating_add(nanos(setting.flush_delay)))
    }

    /// Writes what the socket takes. `later` is called with what is to happen then.
    pub(super) fn flush(
        &mut self,
        stage: &Stage,
        setting: &Setting,
        now: u64,
        mut later: impl FnMut(u64, Later),
    ) {
        self.advance(stage, now);
        let Some(open) = &mut self.link else { return };
        open.socket.look_again();
        let mut closed = false;
        let mut emptied = false;
        if open.ping == Ping::Queued && !open.socket.is_full() {
            open.socket.write(Item::Ping, PING_BYTES);
            let by = now.saturating_add(nanos(setting.timeout));
            open.ping = Ping::Written { by, answered: None };
            later(by, Later::Pong);
        }
        while !open.socket.is_full()
            && let Some(outbox) = &mut open.outbox
        {
            match outbox.try_recv() {
                Ok(frame) => {
                    if let Some(number) = number(stage, &frame) {
                        let bytes = wire(stage, number);
                        open.socket.write(Item::Message(number), bytes);
                    } else if let Some(message) = frame.message() {
                        let bytes = message.payload().len() as u64 + stage.overhead;
                        open.socket.write(Item::Rest, bytes);
                        self.rest = self.rest.saturating_sub(1);
                    }
                }
                Err(TryRecvError::Empty) => {
                    emptied = true;
                    break;
                }
                Err(TryRecvError::Closed(_)) => {
                    closed = true;
                    break;
                }
            }
        }
        open.queued_since = None;
        if emptied || closed {
            open.is_awaited = false;
        }
        if closed {
            self.end_slow(now, later);
        } else if !emptied && !open.is_awaited && open.outbox.is_some() {
            self.await_socket(setting, now, later);
        }
    }

    fn await_socket(&mut self, setting: &Setting, now: u64, mut later: impl FnMut(u64, Later)) {
        let Some(open) = &mut self.link else { return };
        open.is_awaited = true;
        let writable = open.socket.writable_at(&self.peer.link).max(now);
        let given_up = now.saturating_add(nanos(setting.timeout));
        if writable > given_up {
            later(given_up, Later::WriteTimeout);
        } else {
            later(writable, Later::Writable);
        }
    }

    /// The socket takes more, as was foreseen.
    pub(super) fn writable(&mut self) {
        if let Some(open) = &mut self.link {
            open.is_awaited = false;
        }
    }

    /// A ping is due; none is sent while one is not answered.
    pub(super) fn ping(&mut self, stage: &Stage, now: u64) {
        self.advance(stage, now);
        let Some(open) = &mut self.link else { return };
        let is_answered = match open.ping {
            Ping::None => true,
            Ping::Queued => false,
            Ping::Written { answered, .. } => answered.is_some_and(|at| at <= now),
        };
        if is_answered && open.outbox.is_some() {
            open.ping = Ping::Queued;
        }
    }

    /// Whether a ping was not answered that should have been by `now`.
    pub(super) fn misses_pong(&mut self, stage: &Stage, now: u64) -> bool {
        self.advance(stage, now);
        let Some(open) = &mut self.link else {
            return false;
        };
        match open.ping {
            Ping::Written { by, answered } if by <= now => {
                open.ping = Ping::None;
                // A server that has more to write than the socket takes waits for no answer.
                open.outbox.is_some()
                    && answered.is_none_or(|at| at > now)
                    && !open.socket.is_full()
            }
            _ => false,
        }
    }

    /// The hub has closed it: it gets what was accepted, and then connects again.
    fn end_slow(&mut self, now: u64, mut later: impl FnMut(u64, Later)) {
        let Some(open) = &mut self.link else { return };
        self.closed_slow += 1;
        self.conflated += open.client.stats().conflated;
        open.outbox = None;
        let told = open.socket.drained_at(&self.peer.link).max(now);
        if told < NEVER {
            later(told.saturating_add(self.peer.reconnect), Later::Reconnect);
        }
    }

    /// The server drops it: what was not delivered is lost, and it connects again once it notices.
    pub(super) fn end_timeout(&mut self, now: u64, mut later: impl FnMut(u64, Later)) {
        let Some(open) = self.link.take() else { return };
        self.closed_timeout += 1;
        self.conflated += open.client.stats().conflated;
        let noticed = self.peer.link.up_from(now);
        if noticed < NEVER {
            later(
                noticed + self.peer.latency + self.peer.reconnect,
                Later::Reconnect,
            );
        }
    }

    /// Forgets a connection whose client has got everything.
    pub(super) fn forget(&mut self, stage: &Stage, now: u64) {
        self.advance(stage, now);
        self.link = None;
    }

    pub(super) fn moment(&self, now: u64) -> Moment {
        Moment {
            at: now,
            waiting: self.waiting(),
            held: self.link.as_ref().map_or(0, |open| open.socket.held()),
            is_up: self.peer.link.is_up(now),
        }
    }
}

/// Which message a frame is.
fn number(stage: &Stage, frame: &Frame) -> Option<u32> {
    frame.channel()?;
    frame.message()?;
    let feed = match stage.arrivals.by_feed.len() {
        1 => 0,
        _ => frame.channel()?.as_str().strip_prefix(FEED)?.parse().ok()?,
    };
    let offset = usize::try_from(frame.offset()).ok()?;
    let numbers: &Vec<u32> = stage.arrivals.by_feed.get(feed)?;
    numbers.get(offset.checked_sub(1)?).copied()
}

/// Bytes of a message on the wire.
fn wire(stage: &Stage, number: u32) -> u64 {
    u64::from(stage.arrivals.all[number as usize].size) + stage.overhead
}

/// What the channel of a feed begins with.
pub(super) const FEED: &str = "feed-";

/// Bytes of a WebSocket ping on the wire.
const PING_BYTES: u64 = 2;
