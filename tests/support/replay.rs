//! Operations on a hub, and what carries each out on the hub and on the model and compares.

mod compare;
mod operation;

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use throng::AuthRequest;
use throng::Authorization;
use throng::Batch;
use throng::Channel;
use throng::ChannelError;
use throng::Client;
use throng::ConnectError;
use throng::ConnectOptions;
use throng::Delivery;
use throng::Disconnect;
use throng::Hub;
use throng::HubEvent;
use throng::Limits;
use throng::ManualClock;
use throng::Member;
use throng::Message;
use throng::Outbox;
use throng::OutboxLimits;
use throng::PresenceEvent;
use throng::PublishError;
use throng::SendError;
use throng::SlowConsumer;
use throng::StreamPosition;
use throng::SubscribeError;
use throng::SubscribeOptions;

use crate::model;
use crate::model::Line;
use crate::model::Model;
use crate::model::NAMES;
use crate::model::Note;
use crate::model::Sent;

use self::compare::compare_nothing;

pub(crate) use self::operation::Newcomer;
pub(crate) use self::operation::Operation;
pub(crate) use self::operation::Parcel;
pub(crate) use self::operation::Policy;

/// Payloads that are counted while they live.
#[derive(Clone, Default)]
struct Payloads {
    alive: Arc<AtomicUsize>,
    made: u32,
}

struct Owner {
    bytes: Vec<u8>,
    alive: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Payloads {
    /// A message and what the model knows of it.
    fn make(&mut self, parcel: Parcel) -> (Message, Note) {
        self.made += 1;
        self.alive.fetch_add(1, Ordering::Relaxed);
        let note = Note {
            number: self.made,
            size: usize::from(parcel.size) % (model::MAX_PAYLOAD + 1),
            key: parcel.key.map(u8::from),
        };
        let owner = Owner {
            bytes: content(note),
            alive: Arc::clone(&self.alive),
        };
        let message = Message::binary(Bytes::from_owner(owner));
        let message = match note.key {
            Some(key) => message.key(vec![key]),
            None => message,
        };
        (message, note)
    }
}

/// What the payload of a message holds: its number, over and over.
fn content(note: Note) -> Vec<u8> {
    let number = note.number.to_le_bytes();
    number.into_iter().cycle().take(note.size).collect()
}

struct Peer {
    client: Client,
    outbox: Option<Outbox>,
    /// The last offset received, by channel and epoch.
    offsets: HashMap<(String, u64), u64>,
    /// Where it joined each channel last, as the hub and the model say it.
    joined: HashMap<usize, (StreamPosition, model::Position)>,
}

/// What the hub tells the application, in the model's words but for the names of clients.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<Heard>>>);

enum Heard {
    Log(HubEvent),
    Presence(PresenceEvent),
}

impl Told {
    fn hear(&self, heard: Heard) {
        self.0.lock().unwrap().push(heard);
    }
}

/// A hub and the model of it.
pub(crate) struct Replay {
    hub: Hub,
    clock: ManualClock,
    model: Model,
    peers: Vec<Peer>,
    /// Handles, with the lives they are of.
    handles: Vec<(usize, usize, Channel)>,
    payloads: Payloads,
    told: Told,
    /// How many of the model's lines have been compared.
    lines: usize,
    /// The epoch of each life of a channel.
    epochs: BTreeMap<usize, u64>,
    batch: Batch,
}

impl Replay {
    pub(crate) fn new(policy: Policy) -> Self {
        let told = Told::default();
        let clock = ManualClock::new();
        let limits = Limits::new()
            .channels(model::MAX_CHANNELS)
            .clients(model::MAX_CLIENTS)
            .members(model::MAX_MEMBERS)
            .payload(model::MAX_PAYLOAD)
            .subscriptions(model::MAX_SUBSCRIPTIONS);
        let presence = told.clone();
        let log = told.clone();
        let hub = Hub::builder()
            .shards(2)
            .slow_consumer(policy.into())
            .limits(limits)
            .clock(clock.clone())
            .authorizer(authorize)
            .on_presence(move |event| presence.hear(Heard::Presence(event.clone())))
            .on_event(move |event| log.hear(Heard::Log(event.clone())))
            .build();
        Self {
            hub: hub.unwrap(),
            clock,
            model: Model::new(policy.into()),
            peers: Vec::new(),
            handles: Vec::new(),
            payloads: Payloads::default(),
            told,
            lines: 0,
            epochs: BTreeMap::new(),
            batch: Batch::new(),
        }
    }

    /// Carries out `operations` and compares after each; then lets everything go, and looks for
    /// what is left.
    pub(crate) fn run(policy: Policy, operations: &[Operation]) {
        let mut replay = Self::new(policy);
        for operation in operations {
            replay.apply(operation);
            replay.compare();
        }
        replay.finish();
    }

    pub(crate) fn apply(&mut self, operation: &Operation) {
        match operation.clone() {
            Operation::Advance(millis) => self.advance(millis),
            Operation::Broadcast(parcel) => self.broadcast(parcel),
            Operation::CloseClient(client) => self.close_client(client),
            Operation::CloseHub(253..) => self.close_hub(),
            Operation::CloseHub(_) => {}
            Operation::Connect(newcomer) => self.connect(newcomer),
            Operation::DropOutbox(client) => self.drop_outbox(client),
            Operation::Expel(client, channel) => self.force_unsubscribe(client, channel),
            Operation::Hold(channel) => self.hold(channel),
            Operation::Publish(channel, parcel) => self.publish(channel, parcel, None),
            Operation::PublishExcept(channel, parcel, except) => {
                self.publish(channel, parcel, Some(except));
            }
            Operation::PublishMany(channels, parcel) => self.publish_many(channels, parcel),
            Operation::PublishThrough(handle, parcel) => self.publish_through(handle, parcel),
            Operation::Receive(client, frames) => self.receive(client, frames),
            Operation::ReceiveBatch(client, frames) => self.receive_batch(client, frames),
            Operation::Release(handle) => self.release(handle),
            Operation::Send(client, parcel) => self.send(client, parcel),
            Operation::SetChannelPolicy(handle, policy) => self.set_channel_policy(handle, policy),
            Operation::SetClientPolicy(client, policy) => self.set_client_policy(client, policy),
            Operation::Subscribe(client, channel, since) => self.subscribe(client, channel, since),
            Operation::Unsubscribe(client, channel) => self.unsubscribe(client, channel),
        }
    }

    fn advance(&mut self, millis: u8) {
        self.clock.advance(Duration::from_millis(millis.into()));
        self.hub.tick();
        self.model.advance(millis.into());
    }

    fn broadcast(&mut self, parcel: Parcel) {
        let (message, note) = self.payloads.make(parcel);
        let real = self.hub.broadcast(message);
        if self.model.is_closed {
            assert!(matches!(real, Err(PublishError::Closed(_))));
            return;
        }
        let expected = self.model.broadcast(note);
        self.compare_delivery(&real.unwrap(), &expected);
    }

    fn close_client(&mut self, client: u8) {
        let Some(client) = self.pick(client) else {
            return;
        };
        self.peers[client].client.close(Disconnect::KICKED);
        self.model.close(client, &Disconnect::KICKED);
    }

    /// Closes the hub, after all have left the presence channels: a hub closes its clients in no
    /// order, and members who see others go would tell in which.
    fn close_hub(&mut self) {
        for client in 0..self.peers.len() {
            for name in self.model.subscriptions(client) {
                if NAMES[name].starts_with("presence-") {
                    self.peers[client].client.unsubscribe(NAMES[name]).unwrap();
                    self.model.unsubscribe(client, name);
                    self.compare();
                }
            }
        }
        self.hub.close(Disconnect::SHUTDOWN);
        self.model.close_hub(&Disconnect::SHUTDOWN);
    }

    fn connect(&mut self, newcomer: Newcomer) {
        let options = newcomer.options();
        let mut bring = ConnectOptions::new()
            .user(user_of(options.member))
            .auth(vec![b'i'; options.member.info.into()])
            .gap_notices(options.gap_notices)
            .join_notices(options.join_notices)
            .outbox(
                OutboxLimits::new()
                    .messages(options.max_messages)
                    .bytes(options.max_bytes),
            );
        if let Some(policy) = options.policy {
            bring = bring.slow_consumer(policy);
        }
        let real = self.hub.connect(bring);
        match self.model.connect(options) {
            Ok(()) => {
                let (client, outbox) = real.unwrap();
                self.peers.push(Peer {
                    client,
                    outbox: Some(outbox),
                    offsets: HashMap::new(),
                    joined: HashMap::new(),
                });
            }
            Err(expected) => assert_eq!(connect_error(&real.unwrap_err()), expected),
        }
    }

    fn drop_outbox(&mut self, client: u8) {
        let Some(client) = self.pick(client) else {
            return;
        };
        if self.peers[client].outbox.take().is_some() {
            self.model.drop_outbox(client);
        }
    }

    fn force_unsubscribe(&mut self, client: u8, channel: u8) {
        let Some(client) = self.pick(client) else {
            return;
        };
        let name = pick_name(channel);
        let real = self.peers[client]
            .client
            .force_unsubscribe(NAMES[name], "reason");
        assert_eq!(
            real.is_ok(),
            self.model.force_unsubscribe(client, name),
            "expelled"
        );
    }

    fn hold(&mut self, channel: u8) {
        let name = pick_name(channel);
        let real = self.hub.channel(NAMES[name]);
        match (self.model.hold(name), real) {
            (Some(life), Ok(channel)) => self.handles.push((name, life, channel)),
            (None, Err(ChannelError::Closed)) => assert!(self.model.is_closed),
            (None, Err(ChannelError::TooManyChannels { limit })) => {
                assert!(!self.model.is_closed);
                assert_eq!(limit, model::MAX_CHANNELS);
            }
            (expected, real) => panic!("a handle: {real:?}, expected {expected:?}"),
        }
    }

    fn publish(&mut self, channel: u8, parcel: Parcel, except: Option<u8>) {
        let name = pick_name(channel);
        let except = except.and_then(|except| self.pick(except));
        let (message, note) = self.payloads.make(parcel);
        let real = match except {
            None => self.hub.publish(NAMES[name], message),
            Some(except) => {
                let id = self.peers[except].client.id();
                self.hub.prepare(NAMES[name], message).except(id).publish()
            }
        };
        self.published(name, note, except, real);
    }

    fn publish_through(&mut self, handle: u8, parcel: Parcel) {
        let Some(handle) = self.pick_handle(handle) else {
            return;
        };
        let (message, note) = self.payloads.make(parcel);
        let (name, _, channel) = &self.handles[handle];
        let (name, real) = (*name, channel.publish(message));
        self.published(name, note, None, real);
    }

    fn published(
        &mut self,
        name: usize,
        note: Note,
        except: Option<usize>,
        real: Result<Delivery, PublishError>,
    ) {
        if self.model.is_closed {
            assert!(matches!(real, Err(PublishError::Closed(_))));
            return;
        }
        let expected = self.model.publish(name, note, except);
        self.compare_delivery(&real.unwrap(), &expected);
    }

    fn publish_many(&mut self, channels: [u8; 3], parcel: Parcel) {
        let names = channels.map(pick_name);
        let (message, note) = self.payloads.make(parcel);
        let real = self
            .hub
            .publish_many(names.map(|name| NAMES[name]), message);
        if self.model.is_closed {
            assert!(matches!(real, Err(PublishError::Closed(_))));
            return;
        }
        let expected = names.map(|name| self.model.publish(name, note, None));
        let real = real.unwrap();
        assert_eq!(real.len(), expected.len());
        for (real, expected) in real.iter().zip(&expected) {
            self.compare_delivery(real, expected);
        }
    }

    fn send(&mut self, client: u8, parcel: Parcel) {
        let Some(client) = self.pick(client) else {
            return;
        };
        let (message, note) = self.payloads.make(parcel);
        let real = self.hub.send_to(self.peers[client].client.id(), message);
        let real = match real {
            Ok(()) => Sent::StoredMessage,
            Err(SendError::Closed(_)) => Sent::Closed,
            Err(SendError::Full(_)) => Sent::Full,
            Err(SendError::UnknownClient(_)) => Sent::Unknown,
            Err(other) => panic!("not sent: {other:?}"),
        };
        assert_eq!(real, self.model.send(client, note));
    }

    fn receive(&mut self, client: u8, frames: u8) {
        let Some(client) = self.pick(client) else {
            return;
        };
        for _ in 0..=frames % 8 {
            let Some(outbox) = &mut self.peers[client].outbox else {
                return;
            };
            let real = outbox.try_recv();
            let expected = self.model.receive(client, 1);
            match (real, expected) {
                (Ok(frame), Ok(items)) => self.compare_frames(client, &[frame], &items),
                (Err(real), Err(expected)) => return compare_nothing(&real, &expected),
                (real, expected) => panic!("received {real:?}, expected {expected:?}"),
            }
        }
    }

    fn receive_batch(&mut self, client: u8, frames: u8) {
        let Some(client) = self.pick(client) else {
            return;
        };
        let Some(outbox) = &mut self.peers[client].outbox else {
            return;
        };
        let max = usize::from(frames % 12);
        let mut batch = std::mem::take(&mut self.batch);
        let real = outbox.try_recv_batch(&mut batch, max);
        match (real, self.model.receive(client, max)) {
            (Ok(frames), Ok(items)) => {
                assert_eq!(frames, batch.len());
                self.compare_frames(client, batch.as_slice(), &items);
            }
            (Err(real), Err(expected)) => compare_nothing(&real, &expected),
            (real, expected) => panic!("received {real:?}, {batch:?}, expected {expected:?}"),
        }
        batch.clear();
        self.batch = batch;
    }

    fn release(&mut self, handle: u8) {
        let Some(handle) = self.pick_handle(handle) else {
            return;
        };
        let (_, life, channel) = self.handles.swap_remove(handle);
        drop(channel);
        self.model.release(life);
    }

    fn set_channel_policy(&mut self, handle: u8, policy: Option<Policy>) {
        let Some(handle) = self.pick_handle(handle) else {
            return;
        };
        let policy = policy.map(SlowConsumer::from);
        let (_, life, channel) = &self.handles[handle];
        channel.set_slow_consumer(policy);
        assert_eq!(channel.slow_consumer(), policy);
        self.model.channel(*life).policy = policy;
    }

    fn set_client_policy(&mut self, client: u8, policy: Option<Policy>) {
        let Some(client) = self.pick(client) else {
            return;
        };
        let policy = policy.map(SlowConsumer::from);
        self.peers[client].client.set_slow_consumer(policy);
        assert_eq!(self.peers[client].client.slow_consumer(), policy);
        self.model.set_client_policy(client, policy);
    }

    fn subscribe(&mut self, client: u8, channel: u8, goes_on: bool) {
        let Some(client) = self.pick(client) else {
            return;
        };
        let name = pick_name(channel);
        let peer = &self.peers[client];
        let since = peer.joined.get(&name).copied().filter(|_| goes_on);
        let mut options = SubscribeOptions::new();
        if let Some((real, _)) = since {
            options = options.since(real);
        }
        let real = now(peer.client.subscribe_with(NAMES[name], options));
        let expected = self
            .model
            .subscribe(client, name, since.map(|(_, model)| model));
        match (real, expected) {
            (Ok(real), Ok(expected)) => {
                self.compare_joined(&real, &expected);
                let positions = (real.position, expected.position);
                self.peers[client].joined.insert(name, positions);
            }
            (Err(real), Err(expected)) => assert_eq!(subscribe_error(real), expected),
            (real, expected) => panic!("joined: {real:?}, expected {expected:?}"),
        }
    }

    fn unsubscribe(&mut self, client: u8, channel: u8) {
        let Some(client) = self.pick(client) else {
            return;
        };
        let name = pick_name(channel);
        let real = self.peers[client].client.unsubscribe(NAMES[name]);
        assert_eq!(real.is_ok(), self.model.unsubscribe(client, name), "was in");
    }

    /// Lets go of everything, in no special order, and sees to it that nothing is left.
    pub(crate) fn finish(mut self) {
        while let Some((_, life, channel)) = self.handles.pop() {
            drop(channel);
            self.model.release(life);
        }
        for client in 0..self.peers.len() {
            if self.peers[client].outbox.take().is_some() {
                self.model.drop_outbox(client);
                self.compare();
            }
        }
        assert_eq!(self.hub.client_count(), 0);
        assert_eq!(self.hub.channel_count(), 0);
        assert_eq!(self.hub.stats().subscriptions, 0);
        assert_eq!(self.payloads.alive.load(Ordering::Relaxed), 0);
        self.assert_balanced();
    }

    /// Whoever came went, once.
    fn assert_balanced(&self) {
        let mut present = Vec::new();
        for line in &self.model.lines {
            match line {
                Line::Joined(channel, member) => {
                    assert!(!present.contains(&(*channel, *member)), "twice: {line:?}");
                    present.push((*channel, *member));
                }
                Line::Left(channel, member) => {
                    let place = present.iter().position(|it| *it == (*channel, *member));
                    present.swap_remove(place.expect("who leaves was there"));
                }
                Line::Denied(..) | Line::Disconnected(_) | Line::Dropping(..) => {}
            }
        }
        assert!(present.is_empty(), "never left: {present:?}");
    }

    fn pick(&self, client: u8) -> Option<usize> {
        usize::from(client).checked_rem(self.peers.len())
    }

    fn pick_handle(&self, handle: u8) -> Option<usize> {
        usize::from(handle).checked_rem(self.handles.len())
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay").finish_non_exhaustive()
    }
}

fn authorize(request: &AuthRequest) -> Authorization {
    let name = request.channel().as_str();
    if name == NAMES[model::SHUT] {
        return Authorization::deny("shut");
    }
    if name.starts_with("private-") {
        return Authorization::Allow;
    }
    let user = request.user().unwrap_or_default();
    let allowed = Authorization::AllowAs(Member::new(user, request.auth().clone()));
    if name.ends_with('b') {
        return Authorization::later(std::future::ready(allowed));
    }
    allowed
}

fn user_of(member: model::Member) -> String {
    format!("u{}", member.user)
}

fn pick_name(channel: u8) -> usize {
    usize::from(channel) % NAMES.len()
}

fn connect_error(error: &ConnectError) -> model::ConnectError {
    match error {
        ConnectError::Closed => model::ConnectError::Closed,
        ConnectError::Outbox(_) => model::ConnectError::Outbox,
        ConnectError::TooManyClients { .. } => model::ConnectError::TooManyClients,
        other => panic!("{other:?}"),
    }
}

fn subscribe_error(error: SubscribeError) -> model::SubscribeError {
    match error {
        SubscribeError::AlreadySubscribed => model::SubscribeError::AlreadySubscribed,
        SubscribeError::Channel(ChannelError::Closed) => model::SubscribeError::HubClosed,
        SubscribeError::Channel(ChannelError::TooManyChannels { .. }) => {
            model::SubscribeError::TooManyChannels
        }
        SubscribeError::Closed(why) => model::SubscribeError::Closed(why),
        SubscribeError::TooManyMembers { .. } => model::SubscribeError::TooManyMembers,
        SubscribeError::TooManySubscriptions { .. } => model::SubscribeError::TooManySubscriptions,
        SubscribeError::Unauthorized { .. } => model::SubscribeError::Unauthorized,
        other => panic!("{other:?}"),
    }
}

/// The output of a future that has nobody to wait for.
fn now<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("there is nobody to wait for"),
    }
}
