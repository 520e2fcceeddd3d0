//! A storm on many threads: broadcasts, publications to every kind of channel, members who come
//! and go, clients that connect and disconnect, and clients that never receive. Nothing is timed.
//!
//! What is looked at:
//!
//! * every publisher gets through what it set out to publish;
//! * each client gets the publications of a channel in the order of their offsets;
//! * what was delivered is what was received, evicted, conflated, abandoned or waits; what was
//!   dropped is what the clients say was; and who asked for gap notices can account for every
//!   offset;
//! * whoever joined a presence channel left it once, as the hook, the others and the roster say;
//! * in the end nothing is left.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;

use bytes::Bytes;
use throng::AuthRequest;
use throng::Authorization;
use throng::Batch;
use throng::Channel;
use throng::ChannelName;
use throng::Client;
use throng::ConnectOptions;
use throng::Delivery;
use throng::Disconnect;
use throng::Event;
use throng::Frame;
use throng::Hub;
use throng::Member;
use throng::Message;
use throng::Outbox;
use throng::OutboxLimits;
use throng::PresenceChange;
use throng::PresenceEvent;
use throng::PublishError;
use throng::SlowConsumer;

const CLIENTS: usize = 4_000;
/// Of these, the first so many never receive.
const STALLED: usize = 400;
/// Channels of each kind.
const CHANNELS: usize = 128;
const PUBLISHERS: usize = 3;
const CHURNERS: usize = 2;
/// Unoptimised code gets a smaller storm.
const SCALE: usize = if cfg!(debug_assertions) { 1 } else { 4 };
const BROADCASTS: usize = 80 * SCALE;
const PUBLICATIONS: usize = 8_000 * SCALE;
const CHURNS: usize = 4_000 * SCALE;

const POLICIES: [SlowConsumer; 4] = [
    SlowConsumer::DISCONNECT,
    SlowConsumer::DropNewest,
    SlowConsumer::DropOldest,
    SlowConsumer::KeepLatest,
];

#[test]
fn a_storm_leaves_nothing_behind() {
    let roster = Roster::default();
    let payloads = Arc::new(AtomicUsize::new(0));
    let hub = hub(&roster);
    let channels = channels(&hub);
    let mut residents: Vec<_> = (0..CLIENTS)
        .map(|number| Resident::new(&hub, number))
        .collect();
    let (stalled, lively) = residents.split_at_mut(STALLED);

    let running = AtomicUsize::new(PUBLISHERS + CHURNERS);
    let (accepted, churned) = thread::scope(|scope| {
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|seed| {
                let (hub, channels, payloads, running) = (&hub, &channels, &payloads, &running);
                scope.spawn(move || {
                    let _until = Until(running);
                    storm(hub, channels, payloads, Dice::new(seed))
                })
            })
            .collect();
        let churners: Vec<_> = (0..CHURNERS)
            .map(|seed| {
                let (hub, running) = (&hub, &running);
                scope.spawn(move || {
                    let _until = Until(running);
                    churn(hub, Dice::new(PUBLISHERS + seed))
                })
            })
            .collect();
        scope.spawn(|| {
            while running.load(Ordering::Acquire) > 0 {
                lively.iter_mut().for_each(Resident::receive);
                thread::yield_now();
            }
        });
        let accepted: u64 = publishers.into_iter().map(|it| it.join().unwrap()).sum();
        let churned: Vec<_> = churners
            .into_iter()
            .flat_map(|it| it.join().unwrap())
            .collect();
        (accepted, churned)
    });

    assert_disconnected_or_full(stalled);
    residents.iter_mut().for_each(Resident::receive);
    let changes = roster.0.lock().unwrap().changes;
    let stats = hub.stats();
    assert_eq!(stats.published, accepted + changes, "publications");
    let clients: Vec<_> = residents
        .iter()
        .map(|it| &it.client)
        .chain(&churned)
        .collect();
    assert_accounted(&hub, &clients);
    residents
        .iter()
        .for_each(|it| it.assert_complete(&channels));
    roster.assert_agrees(&hub);

    drop(churned);
    thread::scope(|scope| {
        let half = residents.split_off(CLIENTS / 2);
        scope.spawn(move || drop(residents));
        scope.spawn(move || drop(half));
    });
    roster.assert_empty();
    assert_eq!(hub.client_count(), 0);
    assert_eq!(hub.stats().subscriptions, 0);
    assert_eq!(hub.channel_count(), 3 * CHANNELS, "the handles hold them");
    drop(channels);
    assert_eq!(hub.channel_count(), 0);
    assert_eq!(payloads.load(Ordering::Relaxed), 0, "payloads alive");
}

#[test]
fn closing_the_hub_in_a_storm_leaves_nothing_behind() {
    let roster = Roster::default();
    let payloads = Arc::new(AtomicUsize::new(0));
    let hub = hub(&roster);
    let channels = channels(&hub);
    let residents: Vec<_> = (0..CLIENTS / 8)
        .map(|number| Resident::new(&hub, number))
        .collect();
    thread::scope(|scope| {
        for seed in 0..PUBLISHERS {
            let (hub, channels, payloads) = (&hub, &channels, &payloads);
            scope.spawn(move || storm(hub, channels, payloads, Dice::new(seed)));
        }
        scope.spawn(|| drop(churn(&hub, Dice::new(PUBLISHERS))));
        scope.spawn(|| hub.close(Disconnect::SHUTDOWN));
    });
    assert_eq!(hub.client_count(), 0);
    assert_eq!(hub.stats().subscriptions, 0);
    roster.assert_empty();
    drop(residents);
    drop(channels);
    assert_eq!(hub.channel_count(), 0);
    assert_eq!(payloads.load(Ordering::Relaxed), 0, "payloads alive");
}

fn hub(roster: &Roster) -> Hub {
    let roster = roster.clone();
    let hub = Hub::builder()
        .authorizer(|request: &AuthRequest| match request.user() {
            Some(user) => Authorization::AllowAs(Member::new(user, Bytes::new())),
            None => Authorization::deny("nobody"),
        })
        .on_presence(move |event| roster.hear(event))
        .build();
    hub.unwrap()
}

/// A handle to each channel: public, private and presence, one after the other.
fn channels(hub: &Hub) -> Vec<Channel> {
    let names = (0..CHANNELS).flat_map(names);
    names.map(|name| hub.channel(&name).unwrap()).collect()
}

fn names(number: usize) -> [String; 3] {
    ["", "private-", "presence-"].map(|kind| format!("{kind}{}", number % CHANNELS))
}

/// Publishes and broadcasts so many times; says how often that was accepted. Only a publisher that
/// is stopped in the middle of a channel lets its backlog fill.
fn storm(hub: &Hub, channels: &[Channel], alive: &Arc<AtomicUsize>, mut dice: Dice) -> u64 {
    let mut accepted = 0;
    for turn in 0..PUBLICATIONS {
        let channel = &channels[dice.roll(channels.len())];
        let published = match turn % 4 {
            0 => hub.publish(channel.name(), message(alive, &mut dice)),
            _ => channel.publish(message(alive, &mut dice)),
        };
        accepted += note(published);
        if turn % (PUBLICATIONS / BROADCASTS) == 0 {
            accepted += note(hub.broadcast(message(alive, &mut dice)));
        }
    }
    accepted
}

fn note(published: Result<Delivery, PublishError>) -> u64 {
    match published {
        Ok(delivery) => {
            let sum = delivery.delivered() + delivery.dropped();
            assert_eq!(sum, delivery.addressed());
            assert!(delivery.disconnected() <= delivery.dropped());
            1
        }
        Err(PublishError::Backlogged(_) | PublishError::Closed(_)) => 0,
        Err(error) => panic!("{error}"),
    }
}

/// Members come and go, and whole clients. Gives every client there was.
fn churn(hub: &Hub, mut dice: Dice) -> Vec<Client> {
    let mut all = Vec::new();
    let mut crowd: Vec<_> = (0..32)
        .filter_map(|_| guest(hub, &mut dice, &mut all))
        .collect();
    for _ in 0..CHURNS {
        if crowd.is_empty() {
            break;
        }
        let at = dice.roll(crowd.len());
        let [_, _, presence] = names(dice.roll(CHANNELS));
        match dice.roll(8) {
            0 => {
                let gone: Resident = crowd.swap_remove(at);
                if dice.roll(2) == 0 {
                    gone.client.close(Disconnect::KICKED);
                }
                drop(gone);
                crowd.extend(guest(hub, &mut dice, &mut all));
            }
            1 => crowd[at].receive(),
            2..5 => {
                let subscribed = crowd[at].client.subscriptions();
                for name in subscribed {
                    // Whoever was too slow is off its channels by now.
                    let _gone = crowd[at].client.unsubscribe(&name);
                }
            }
            _ => {
                let _refused = crowd[at].client.subscribe_blocking(&presence);
            }
        }
    }
    all
}

/// A client of no long stay, unless the hub is closed.
fn guest(hub: &Hub, dice: &mut Dice, all: &mut Vec<Client>) -> Option<Resident> {
    let number = dice.roll(CLIENTS);
    let (client, outbox) = hub.connect(options(number, 8)).ok()?;
    all.push(client.clone());
    Some(Resident::of(client, outbox, POLICIES[number % 4]))
}

fn options(number: usize, messages: usize) -> ConnectOptions {
    ConnectOptions::new()
        // Some users have two connections.
        .user(format!("user-{}", number % (CLIENTS * 3 / 4)))
        .outbox(OutboxLimits::new().messages(messages))
        .slow_consumer(POLICIES[number % 4])
        .gap_notices(true)
        .join_notices(true)
}

/// Those who never receive were disconnected, or hold as much as they may.
fn assert_disconnected_or_full(stalled: &[Resident]) {
    for resident in stalled {
        let stats = resident.client.stats();
        let is_strict = resident.policy == SlowConsumer::DISCONNECT;
        assert_eq!(resident.client.is_closed(), is_strict, "{stats:?}");
        assert!(stats.queued_messages <= 64, "{stats:?}");
        assert_eq!(stats.high_water, 64, "{stats:?}");
    }
}

/// What the hub counted is what its clients counted.
fn assert_accounted(hub: &Hub, clients: &[&Client]) {
    let (mut delivered, mut dropped, mut evicted) = (0, 0, 0);
    for client in clients {
        let stats = client.stats();
        let kept = stats.received + stats.queued_messages as u64;
        delivered += kept + stats.evicted + stats.conflated + stats.abandoned;
        dropped += stats.dropped;
        evicted += stats.evicted + stats.conflated;
    }
    let stats = hub.stats();
    assert_eq!(stats.delivered, delivered, "delivered");
    assert_eq!(stats.dropped, dropped, "dropped");
    assert_eq!(stats.evicted, evicted, "evicted");
}

/// A client, and what it has received.
struct Resident {
    client: Client,
    outbox: Outbox,
    policy: SlowConsumer,
    batch: Batch,
    messages: u64,
    streams: HashMap<ChannelName, Stream>,
}

/// What a client knows of a channel.
#[derive(Default)]
struct Stream {
    told: u64,
    joined: u64,
    last: u64,
    received: u64,
    missed: u64,
}

impl Resident {
    /// A client in one channel of each kind.
    fn new(hub: &Hub, number: usize) -> Self {
        let (client, outbox) = hub.connect(options(number, 64)).unwrap();
        let mut resident = Self::of(client, outbox, POLICIES[number % 4]);
        for name in names(number / 4) {
            // A strict client that does not receive while others join may be too slow already.
            resident.receive();
            resident.client.subscribe_blocking(&name).unwrap();
        }
        resident
    }

    fn of(client: Client, outbox: Outbox, policy: SlowConsumer) -> Self {
        Self {
            client,
            outbox,
            policy,
            batch: Batch::new(),
            messages: 0,
            streams: HashMap::new(),
        }
    }

    /// Receives all there is.
    fn receive(&mut self) {
        let mut batch = std::mem::take(&mut self.batch);
        while self.outbox.try_recv_batch(&mut batch, 32).is_ok() {
            for frame in &batch {
                self.hear(frame);
            }
            batch.clear();
        }
        self.batch = batch;
    }

    fn hear(&mut self, frame: &Frame) {
        let stream = frame
            .channel()
            .map(|name| self.streams.entry(name.clone()).or_default());
        match (frame.event(), stream) {
            (Event::Joined(joined), Some(stream)) => stream.joined = joined.position.offset,
            (Event::Gap(gap), Some(stream)) => {
                assert!(gap.first <= gap.last, "{gap:?}");
                assert!(gap.missed <= gap.last - gap.first + 1, "{gap:?}");
                stream.missed += gap.missed;
                stream.told = stream.told.max(gap.last);
            }
            (_, Some(stream)) => {
                assert!(stream.last < frame.offset(), "{}: {frame:?}", stream.last);
                stream.last = frame.offset();
                stream.received += 1;
                self.messages += 1;
            }
            (_, None) => self.messages += 1,
        }
    }

    /// Every publication since the join was received, or its loss is known.
    fn assert_complete(&self, channels: &[Channel]) {
        let stats = self.client.stats();
        assert_eq!(self.messages, stats.received, "{stats:?}");
        let (mut published, mut known) = (0, 0);
        for (name, stream) in &self.streams {
            let channel = channels.iter().find(|channel| channel.name() == name);
            let end = match self.client.is_closed() {
                true => stream.last.max(stream.joined).max(stream.told),
                false => channel.unwrap().position().offset,
            };
            published += end - stream.joined;
            known += stream.received + stream.missed;
        }
        assert_eq!(published, known + stats.conflated, "{stats:?}");
    }
}

/// Who is in which presence channel, as the hook tells it.
#[derive(Clone, Default)]
struct Roster(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    present: HashMap<ChannelName, HashSet<String>>,
    changes: u64,
    wrong: Vec<PresenceEvent>,
}

impl Roster {
    fn hear(&self, event: &PresenceEvent) {
        let mut told = self.0.lock().unwrap();
        told.changes += 1;
        let present = told.present.entry(event.channel.clone()).or_default();
        let is_news = match event.change {
            PresenceChange::Joined => present.insert(event.member.id().to_owned()),
            PresenceChange::Left => present.remove(event.member.id()),
        };
        if !is_news {
            told.wrong.push(event.clone());
        }
    }

    /// The hub's rosters are those that the hook was told.
    fn assert_agrees(&self, hub: &Hub) {
        let told = self.0.lock().unwrap();
        assert!(told.wrong.is_empty(), "{:?}", told.wrong);
        for (channel, present) in &told.present {
            let members = hub.presence(channel);
            let members: HashSet<_> = members.iter().map(|it| it.id().to_owned()).collect();
            assert_eq!(members, *present, "{channel}");
        }
    }

    /// Everyone who joined has left.
    fn assert_empty(&self) {
        let told = self.0.lock().unwrap();
        assert!(told.wrong.is_empty(), "{:?}", told.wrong);
        assert!(told.changes > 0);
        assert!(
            told.present.values().all(HashSet::is_empty),
            "{:?}",
            told.present
        );
    }
}

/// Counts a thread off when it is done, even by a panic.
struct Until<'a>(&'a AtomicUsize);

impl Drop for Until<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

/// A message whose payload is counted while it lives.
fn message(alive: &Arc<AtomicUsize>, dice: &mut Dice) -> Message {
    alive.fetch_add(1, Ordering::Relaxed);
    let payload = Payload {
        bytes: [7; 32],
        alive: Arc::clone(alive),
    };
    let message = Message::binary(Bytes::from_owner(payload));
    match dice.roll(8) {
        key @ 0..4 => message.key(["k0", "k1", "k2", "k3"][key]),
        _ => message,
    }
}

struct Payload {
    bytes: [u8; 32],
    alive: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Numbers that look random, the same in every run (xorshift).
struct Dice(u64);

impl Dice {
    fn new(seed: usize) -> Self {
        Self((seed as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    /// A number below `sides`.
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
}
