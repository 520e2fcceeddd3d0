//! One run: a real hub with real policies, in virtual time, and modelled sockets.
//!
//! # Order
//!
//! What happens at the same nanosecond happens in a fixed order: events of connections in the order
//! in which they were scheduled, then a publish, then a pass of the flusher, then a look at the
//! clients. One thread does everything, so a run with the same stage and setting gives the same
//! figures, but for [`Run::publish_nanos`].
//!
//! # Progress
//!
//! A run publishes every arrival of its stage and ends; the time it takes is proportional to
//! arrivals times clients.

mod connection;
mod stage;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use bytes::Bytes;

use crate::hub::BuildError;
use crate::hub::Channel;
use crate::hub::ConnectOptions;
use crate::hub::HistoryOptions;
use crate::hub::Hub;
use crate::hub::StreamPosition;
use crate::hub::SubscribeOptions;
use crate::limits::Limits;
use crate::limits::OutboxLimits;
use crate::message::Message;
use crate::time::Clock;
use crate::time::ManualClock;
use crate::time::SystemClock;
use crate::tune::link::NEVER;
use crate::tune::link::SECOND;
use crate::tune::observe::ClassRun;
use crate::tune::observe::Run;
use crate::tune::setting::Setting;

use self::connection::Connection;
use self::connection::FEED;
use self::connection::Later;

pub(super) use self::stage::Initial;
pub(super) use self::stage::LOOK;
pub(super) use self::stage::PING;
pub(super) use self::stage::Peer;
pub(super) use self::stage::Stage;
pub(super) use self::stage::nanos;
pub(super) use self::stage::probes;

/// Runs one setting.
///
/// # Errors
///
/// [`BuildError`] if the hub refuses the setting.
pub(super) fn run(stage: &Stage, setting: &Setting) -> Result<Run, BuildError> {
    Ok(World::new(stage, setting)?.run())
}

/// The hub of a run.
fn hub(stage: &Stage, setting: &Setting, clock: &ManualClock) -> Result<Hub, BuildError> {
    let limits = Limits::new()
        .clients(stage.peers.len() * 2 + 1)
        .subscriptions(stage.arrivals.by_feed.len());
    let mut builder = Hub::builder()
        .shards(1)
        .limits(limits)
        .outbox(OutboxLimits::new().messages(setting.outbox))
        .slow_consumer(setting.policy)
        .clock(clock.clone());
    if setting.history > 0 {
        let options = HistoryOptions::new()
            .messages(setting.history)
            .bytes(usize::MAX >> 8)
            .age(Duration::from_secs(86_400));
        builder = builder.history(move |_| Some(options.clone()));
    }
    builder.build()
}

/// A message that was queued before anything was recorded: of a usual size.
const REST: &[u8] = &[b'x'; 120];

/// A hub, its clients, and what is to happen.
struct World<'a> {
    stage: &'a Stage,
    setting: &'a Setting,
    hub: Hub,
    clock: ManualClock,
    channels: Vec<Channel>,
    connections: Vec<Connection<'a>>,
    agenda: BinaryHeap<Reverse<Event>>,
    scheduled: u64,
    now: u64,
    /// The next arrival.
    next: usize,
    /// When the flusher makes its next pass.
    pass_at: u64,
    /// When it may make one.
    free_at: u64,
    look_at: u64,
    looks: usize,
    /// For each key, the messages published.
    published: Vec<u32>,
    payload: Bytes,
    /// What was counted before the warm-up was over.
    before: Vec<Counts>,
    out: Run,
}

/// Something that is to happen, in the order of its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    at: u64,
    /// The order in which events were scheduled.
    number: u64,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// Something with a client, on its connection of that number.
    Client(usize, u64, Later),
    /// The hub is told the time.
    Tick,
    /// Counting begins.
    Begin,
}

/// What was counted for one client.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    published: u64,
    delivered: u64,
    conflated: u64,
    on_its_way: u64,
    closed_slow: u64,
    closed_timeout: u64,
}

impl<'a> World<'a> {
    fn new(stage: &'a Stage, setting: &'a Setting) -> Result<Self, BuildError> {
        let clock = ManualClock::new();
        let feeds = stage.arrivals.by_feed.len();
        let hub = hub(stage, setting, &clock)?;
        let channel = |feed| hub.channel(&format!("{FEED}{feed}")).ok();
        let channels: Vec<_> = (0..feeds).filter_map(channel).collect();
        let largest = stage
            .arrivals
            .all
            .iter()
            .map(|arrival| arrival.size as usize)
            .max();
        Ok(Self {
            channels,
            hub,
            clock,
            connections: stage
                .peers
                .iter()
                .map(|peer| Connection::new(peer, stage))
                .collect(),
            agenda: BinaryHeap::new(),
            scheduled: 0,
            now: 0,
            next: 0,
            pass_at: NEVER,
            free_at: 0,
            look_at: LOOK,
            looks: 0,
            published: vec![0; stage.arrivals.times.len()],
            payload: Bytes::from(vec![b'x'; largest.unwrap_or(0)]),
            before: vec![Counts::default(); stage.peers.len()],
            out: Run {
                classes: vec![ClassRun::default(); stage.classes],
                ..Run::default()
            },
            stage,
            setting,
        })
    }

    fn run(mut self) -> Run {
        for client in 0..self.connections.len() {
            self.connect(client);
            // What a recorded client had not taken may have filled its socket.
            self.flush(client);
            let first_ping = self.connections[client].peer.first_ping;
            self.schedule(first_ping, What::Client(client, NEVER, Later::Ping));
        }
        self.schedule(SECOND, What::Tick);
        self.schedule(self.stage.warm_up, What::Begin);
        while self.step() {}
        self.finish()
    }

    /// Does what happens next; `false` at the end.
    fn step(&mut self) -> bool {
        let arrival = self.stage.arrivals.all.get(self.next);
        let arrival_at = arrival.map_or(NEVER, |arrival| arrival.at);
        let event_at = self.agenda.peek().map_or(NEVER, |Reverse(event)| event.at);
        let at = event_at.min(arrival_at).min(self.pass_at).min(self.look_at);
        if at >= self.stage.horizon {
            self.move_to(self.stage.horizon);
            return false;
        }
        self.move_to(at);
        if event_at == at {
            if let Some(Reverse(event)) = self.agenda.pop() {
                self.happen(event.what);
            }
        } else if arrival_at == at {
            self.publish();
        } else if self.pass_at == at {
            self.pass();
        } else {
            self.look();
        }
        true
    }

    fn move_to(&mut self, at: u64) {
        if at > self.now {
            self.clock.advance(Duration::from_nanos(at - self.now));
            self.now = at;
        }
    }

    fn schedule(&mut self, at: u64, what: What) {
        let number = self.scheduled;
        self.scheduled += 1;
        self.agenda.push(Reverse(Event { at, number, what }));
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Tick => {
                self.hub.tick();
                self.ask_for_pass();
                self.schedule(self.now + SECOND, What::Tick);
            }
            What::Begin => self.begin(),
            What::Client(client, _, Later::Ping) => {
                self.connections[client].ping(self.stage, self.now);
                self.flush(client);
                self.schedule(self.now + PING, What::Client(client, NEVER, Later::Ping));
            }
            What::Client(client, epoch, later) if self.connections[client].epoch == epoch => {
                self.go_on(client, later);
            }
            What::Client(..) => {}
        }
    }

    fn go_on(&mut self, client: usize, later: Later) {
        let (stage, now) = (self.stage, self.now);
        match later {
            Later::Writable => {
                self.connections[client].writable();
                self.flush(client);
            }
            Later::WriteTimeout => self.end_timeout(client),
            Later::Pong => {
                if self.connections[client].misses_pong(stage, now) {
                    self.end_timeout(client);
                }
            }
            Later::Reconnect => {
                self.connections[client].forget(stage, now);
                self.connect(client);
                self.flush(client);
            }
            Later::Ping => unreachable!("pings belong to no connection"),
        }
    }

    fn connect(&mut self, client: usize) {
        let Ok((handle, outbox)) = self.hub.connect(ConnectOptions::new()) else {
            unreachable!("there is room for twice the clients");
        };
        let connection = &mut self.connections[client];
        for (feed, channel) in self.channels.iter().enumerate() {
            let position = StreamPosition {
                offset: connection.positions[feed].into(),
                epoch: channel.stats().position.epoch,
            };
            let mut options = SubscribeOptions::new();
            if self.setting.history > 0 && self.now > 0 {
                options = options.since(position);
            }
            // Refused only if the client is in too many channels; there is one for each feed.
            drop(handle.subscribe_detached(channel.name().as_str(), options));
        }
        if self.now == 0 {
            // What was queued before is queued again, up to what this setting has room for.
            for _ in 0..connection.peer.initial.queued {
                drop(handle.send(Message::binary(REST)));
            }
        }
        connection.open(handle, outbox, self.setting, self.now);
    }

    fn end_timeout(&mut self, client: usize) {
        let mut todo = Vec::new();
        let connection = &mut self.connections[client];
        connection.end_timeout(self.now, |at, later| todo.push((at, later)));
        self.remember(client, todo);
    }

    fn flush(&mut self, client: usize) {
        let mut todo = Vec::new();
        let connection = &mut self.connections[client];
        connection.flush(self.stage, self.setting, self.now, |at, later| {
            todo.push((at, later));
        });
        self.remember(client, todo);
    }

    fn remember(&mut self, client: usize, todo: Vec<(u64, Later)>) {
        let epoch = self.connections[client].epoch;
        for (at, later) in todo {
            self.schedule(at, What::Client(client, epoch, later));
        }
    }

    fn publish(&mut self) {
        let arrival = self.stage.arrivals.all[self.next];
        self.next += 1;
        self.published[arrival.key as usize] = arrival.version;
        let mut message = Message::binary(self.payload.slice(..arrival.size as usize));
        if let Some(key) = &self.stage.arrivals.names[arrival.key as usize] {
            message = message.key(key.clone());
        }
        let clock = SystemClock::new();
        let begin = clock.now();
        let published = self.channels[arrival.feed as usize].publish(message);
        self.out.publish_nanos += nanos(clock.now() - begin);
        if let Ok(delivery) = published {
            self.out.deliveries += delivery.addressed() as u64;
        }
        self.ask_for_pass();
    }

    fn ask_for_pass(&mut self) {
        self.pass_at = self.pass_at.min(self.now.max(self.free_at));
    }

    /// The flusher goes through the connections that have something to write.
    fn pass(&mut self) {
        let waiting: usize = self.connections.iter().map(Connection::waiting).sum();
        self.out.peak_waiting = self.out.peak_waiting.max(waiting);
        self.pass_at = NEVER;
        self.free_at = self.now + self.stage.pace;
        for client in 0..self.connections.len() {
            match self.connections[client].due(self.setting, self.now) {
                Some(at) if at <= self.now => self.flush(client),
                Some(at) => self.pass_at = self.pass_at.min(at.max(self.free_at)),
                None => {}
            }
        }
    }

    /// Looks at what every client shows, and at the memory.
    fn look(&mut self) {
        self.look_at += LOOK;
        let keys = self.stage.probes.get(self.looks);
        self.looks += 1;
        let (stage, now) = (self.stage, self.now);
        let counts = now >= stage.warm_up;
        let (mut waiting, mut bytes) = (0, 0);
        for connection in &mut self.connections {
            connection.advance(stage, now);
            waiting += connection.waiting();
            let (queued, unsent) = connection.bytes();
            bytes += queued + unsent;
            self.out.peak_unsent = self.out.peak_unsent.max(unsent);
            let staleness = &mut self.out.classes[connection.peer.class].staleness;
            for key in keys.iter().copied().flatten().filter(|_| counts) {
                staleness.record(connection.stale(stage, &self.published, *key, now));
            }
        }
        self.out.peak_bytes = self.out.peak_bytes.max(bytes);
        if counts {
            self.out.waiting.push(waiting as u64);
            if let Some(watched) = stage.watched {
                self.out.watched.push(self.connections[watched].moment(now));
            }
        }
    }

    /// Counts begin here.
    fn begin(&mut self) {
        self.out.peak_waiting = 0;
        self.out.peak_bytes = 0;
        self.out.peak_unsent = 0;
        self.before = (0..self.connections.len())
            .map(|client| self.counts(client))
            .collect();
    }

    fn counts(&mut self, client: usize) -> Counts {
        let connection = &mut self.connections[client];
        connection.advance(self.stage, self.now);
        Counts {
            published: self.next as u64,
            delivered: connection.delivered,
            conflated: connection.conflated(),
            on_its_way: connection.on_its_way(),
            closed_slow: connection.closed_slow,
            closed_timeout: connection.closed_timeout,
        }
    }

    fn finish(mut self) -> Run {
        for client in 0..self.connections.len() {
            let (before, now) = (self.before[client], self.counts(client));
            let class = &mut self.out.classes[self.connections[client].peer.class];
            let addressed = now.published - before.published + before.on_its_way;
            let delivered = now.delivered - before.delivered;
            let superseded = now.conflated - before.conflated;
            let accounted = delivered + superseded + now.on_its_way;
            class.clients += 1;
            class.addressed += addressed;
            class.delivered += delivered;
            class.superseded += superseded;
            class.lost += addressed.saturating_sub(accounted);
            class.closed_slow += now.closed_slow - before.closed_slow;
            class.closed_timeout += now.closed_timeout - before.closed_timeout;
        }
        self.out
    }
}
