//! The hub as a dull model: lists that are searched from the front, one operation at a time.
//!
//! It follows what the crate documents: the policies ([`SlowConsumer`]), the limits, the order of
//! offsets, gap notices, rosters. Two things it takes over although nobody is promised them, so
//! that everything else can be compared exactly: the order of a channel's subscribers (a leaver's
//! place is taken by the last one), and that a channel's consequences (closes, callbacks) are seen
//! to after the operation, first come first served.

mod client;

use std::collections::HashMap;
use std::collections::VecDeque;

use throng::Disconnect;
use throng::SlowConsumer;

use self::client::Control;
use self::client::Loss;
use self::client::Pushed;
use self::client::evicts;

pub(crate) use self::client::Client;
pub(crate) use self::client::Nothing;
pub(crate) use self::client::Options;

/// The channels there can be, by their index.
pub(crate) const NAMES: [&str; 6] = [
    "a",
    "b",
    "private-a",
    "private-shut",
    "presence-a",
    "presence-b",
];
/// The channel that nobody may join.
pub(crate) const SHUT: usize = 3;
pub(crate) const MAX_CHANNELS: usize = 4;
pub(crate) const MAX_CLIENTS: usize = 6;
pub(crate) const MAX_MEMBERS: usize = 2;
pub(crate) const MAX_PAYLOAD: usize = 12;
pub(crate) const MAX_SUBSCRIPTIONS: usize = 3;

/// A member: the id is `u` and one digit, the info so many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Member {
    pub(crate) user: u8,
    pub(crate) info: u8,
}

/// A message: a number of its own, its size, its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) number: u32,
    pub(crate) size: usize,
    pub(crate) key: Option<u8>,
}

/// A channel's life and an offset in it.
pub(crate) type Position = (usize, u64);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Added(Member),
    Gap { first: u64, last: u64, missed: u64 },
    Joined(Joined),
    Left,
    Message(Note),
    Removed(Member),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) position: Position,
    pub(crate) recovered: bool,
    /// Sorted.
    pub(crate) members: Vec<Member>,
}

/// What a client receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) what: What,
    pub(crate) channel: Option<usize>,
    pub(crate) position: Option<Position>,
    /// Of the channel, or of the hub.
    pub(crate) policy: SlowConsumer,
}

impl Item {
    fn weight(&self) -> u64 {
        match self.what {
            What::Message(note) => note.size.max(1) as u64,
            What::Added(member) | What::Removed(member) => 2 + u64::from(member.info),
            What::Gap { .. } | What::Joined(_) | What::Left => 1,
        }
    }

    /// Waiting messages of the same channel with the same key are conflated.
    fn conflates_with(&self, other: &Self) -> bool {
        match (&self.what, &other.what) {
            (What::Message(one), What::Message(other_note)) => {
                self.channel.is_some()
                    && self.channel == other.channel
                    && one.key.is_some()
                    && one.key == other_note.key
            }
            _ => false,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) addressed: usize,
    pub(crate) delivered: usize,
    pub(crate) dropped: usize,
    pub(crate) disconnected: usize,
    pub(crate) evicted: usize,
    pub(crate) position: Option<Position>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) published: u64,
    pub(crate) delivered: u64,
    pub(crate) dropped: u64,
    pub(crate) disconnected: u64,
    pub(crate) evicted: u64,
}

impl Figures {
    fn add(&mut self, delivery: &Delivery) {
        self.published += 1;
        self.delivered += delivery.delivered as u64;
        self.dropped += delivery.dropped as u64;
        self.disconnected += delivery.disconnected as u64;
        self.evicted += delivery.evicted as u64;
    }

    fn merge(&mut self, other: &Self) {
        self.published += other.published;
        self.delivered += other.delivered;
        self.dropped += other.dropped;
        self.disconnected += other.disconnected;
        self.evicted += other.evicted;
    }
}

struct Seat {
    member: Member,
    connections: usize,
}

/// A subscriber for whom something was handed over: of each key the last.
struct Owing {
    client: usize,
    membership: usize,
    values: VecDeque<Item>,
    /// The client may ask for it, and has not.
    may_ask: bool,
}

pub(crate) struct Channel {
    pub(crate) name: Option<usize>,
    pub(crate) life: usize,
    pub(crate) handles: usize,
    pub(crate) offset: u64,
    pub(crate) figures: Figures,
    pub(crate) policy: Option<SlowConsumer>,
    /// Clients, with the numbers of their memberships.
    subscribers: Vec<(usize, usize)>,
    /// Those for whom something was handed over.
    owing: Vec<Owing>,
    /// Subscribers found closed.
    dead: Vec<(usize, usize)>,
    roster: Vec<Seat>,
}

impl Channel {
    fn new(name: Option<usize>, life: usize) -> Self {
        Self {
            name,
            life,
            handles: 0,
            offset: 0,
            figures: Figures::default(),
            policy: None,
            subscribers: Vec::new(),
            owing: Vec::new(),
            dead: Vec::new(),
            roster: Vec::new(),
        }
    }

    pub(crate) fn subscriber_count(&self) -> usize {
        self.subscribers.len() + self.owing.len()
    }

    /// Sorted.
    pub(crate) fn members(&self) -> Vec<Member> {
        let mut members: Vec<_> = self.roster.iter().map(|seat| seat.member).collect();
        members.sort_unstable();
        members
    }

    fn is_presence(&self) -> bool {
        self.name.is_some_and(is_presence)
    }

    fn position(&self) -> Option<Position> {
        self.name.map(|_| (self.life, self.offset))
    }
}

fn is_presence(name: usize) -> bool {
    NAMES[name].starts_with("presence-")
}

/// What the application is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Denied(usize, usize),
    Disconnected(usize),
    Dropping(usize, Option<usize>),
    Joined(usize, Member),
    Left(usize, Member),
}

enum Effect {
    Retire(usize),
    Tell(Line),
}

/// Why a client could not connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectError {
    Closed,
    Outbox,
    TooManyClients,
}

/// Why a client could not join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SubscribeError {
    AlreadySubscribed,
    Closed(Disconnect),
    HubClosed,
    TooManyChannels,
    TooManyMembers,
    TooManySubscriptions,
    Unauthorized,
}

/// What became of a message to one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    Closed,
    Full,
    StoredMessage,
    Unknown,
}

pub(crate) struct Model {
    pub(crate) policy: SlowConsumer,
    pub(crate) now: u64,
    pub(crate) is_closed: bool,
    pub(crate) clients: Vec<Client>,
    pub(crate) client_count: usize,
    /// The first is the channel of all clients.
    pub(crate) channels: Vec<Channel>,
    /// Of channels that are gone, and of what was sent to one client.
    figures: Figures,
    lives: usize,
    memberships: usize,
    /// What is lost of a membership and not told yet.
    gaps: HashMap<usize, Loss>,
    effects: VecDeque<Effect>,
    is_serving: bool,
    /// What the application has been told.
    pub(crate) lines: Vec<Line>,
}

/// The life of the channel of all clients.
const EVERYONE: usize = 0;

impl Model {
    pub(crate) fn new(policy: SlowConsumer) -> Self {
        Self {
            policy,
            now: 0,
            is_closed: false,
            clients: Vec::new(),
            client_count: 0,
            channels: vec![Channel::new(None, EVERYONE)],
            figures: Figures::default(),
            lives: 1,
            memberships: 0,
            gaps: HashMap::new(),
            effects: VecDeque::new(),
            is_serving: false,
            lines: Vec::new(),
        }
    }

    pub(crate) fn connect(&mut self, options: Options) -> Result<(), ConnectError> {
        if options.max_bytes < MAX_PAYLOAD {
            return Err(ConnectError::Outbox);
        }
        if self.is_closed {
            return Err(ConnectError::Closed);
        }
        if self.client_count == MAX_CLIENTS {
            return Err(ConnectError::TooManyClients);
        }
        let policy = options.policy.unwrap_or(self.policy);
        let client = self.clients.len();
        self.clients.push(Client::new(options, policy));
        self.client_count += 1;
        let membership = self.member_of(client, EVERYONE);
        self.channel(EVERYONE)
            .subscribers
            .push((client, membership));
        Ok(())
    }

    pub(crate) fn drop_outbox(&mut self, client: usize) {
        self.close_quietly(client, &Disconnect::RECEIVER_DROPPED);
        self.clients[client].clear();
        self.serve();
        self.sweep();
    }

    pub(crate) fn close(&mut self, client: usize, why: &Disconnect) {
        self.close_quietly(client, why);
        self.serve();
        self.sweep();
    }

    /// Callbacks are left to the caller.
    fn close_quietly(&mut self, client: usize, why: &Disconnect) {
        if self.clients[client].closed.is_none() {
            self.clients[client].closed = Some(why.clone());
            self.retire(client);
        }
    }

    pub(crate) fn close_hub(&mut self, why: &Disconnect) {
        self.is_closed = true;
        for client in 0..self.clients.len() {
            self.close_quietly(client, why);
        }
        self.serve();
        self.sweep();
    }

    pub(crate) fn subscribe(
        &mut self,
        client: usize,
        name: usize,
        since: Option<Position>,
    ) -> Result<Joined, SubscribeError> {
        let joined = self.try_subscribe(client, name, since);
        self.serve();
        self.sweep();
        joined
    }

    fn try_subscribe(
        &mut self,
        client: usize,
        name: usize,
        since: Option<Position>,
    ) -> Result<Joined, SubscribeError> {
        if name == SHUT {
            self.tell(Line::Denied(client, name));
            return Err(SubscribeError::Unauthorized);
        }
        if self.is_closed {
            return Err(SubscribeError::HubClosed);
        }
        let Some(life) = self.open(name) else {
            return Err(SubscribeError::TooManyChannels);
        };
        let peer = &self.clients[client];
        if let Some(why) = &peer.closed {
            return Err(SubscribeError::Closed(why.clone()));
        }
        if peer.memberships.iter().any(|(held, _)| *held == life) {
            return Err(SubscribeError::AlreadySubscribed);
        }
        // The channel of all clients is not counted.
        if peer.memberships.len() > MAX_SUBSCRIPTIONS {
            return Err(SubscribeError::TooManySubscriptions);
        }
        let joined = self.join(client, life, since);
        self.bury(life);
        joined
    }

    fn join(
        &mut self,
        client: usize,
        life: usize,
        since: Option<Position>,
    ) -> Result<Joined, SubscribeError> {
        let recovered = since.is_some() && since == self.channel(life).position();
        if self.channel(life).is_presence() {
            self.admit(client, life)?;
        }
        if self.channel(life).policy.is_some_and(evicts) {
            self.clients[client].steal();
        }
        let membership = self.member_of(client, life);
        let channel = self.channel(life);
        channel.subscribers.push((client, membership));
        let joined = Joined {
            position: (life, channel.offset),
            recovered,
            members: channel.members(),
        };
        if channel.is_presence() || self.clients[client].options.join_notices {
            let item = Item {
                what: What::Joined(joined.clone()),
                channel: self.channel(life).name,
                position: Some(joined.position),
                policy: self.policy,
            };
            self.control(client, Control::Item(item));
        }
        Ok(joined)
    }

    /// Seats a client's member, and tells the others if it is new there.
    fn admit(&mut self, client: usize, life: usize) -> Result<(), SubscribeError> {
        let member = self.clients[client].options.member;
        let roster = &mut self.channel(life).roster;
        let seat = roster
            .iter_mut()
            .find(|seat| seat.member.user == member.user);
        if let Some(seat) = seat {
            seat.connections += 1;
            return Ok(());
        }
        if roster.len() == MAX_MEMBERS {
            return Err(SubscribeError::TooManyMembers);
        }
        roster.push(Seat {
            member,
            connections: 1,
        });
        self.announce(life, What::Added(member), None);
        let name = self.channel(life).name.unwrap();
        self.tell(Line::Joined(name, member));
        Ok(())
    }

    pub(crate) fn unsubscribe(&mut self, client: usize, name: usize) -> bool {
        let Some(life) = self.find(name) else {
            return false;
        };
        let memberships = &mut self.clients[client].memberships;
        let Some(index) = memberships.iter().position(|(held, _)| *held == life) else {
            return false;
        };
        let (_, membership) = memberships.swap_remove(index);
        // A notice that is under way is not given any more.
        self.gaps.remove(&membership);
        self.leave(life, client, membership);
        self.clients[client].cut(life);
        self.serve();
        self.sweep();
        true
    }

    pub(crate) fn force_unsubscribe(&mut self, client: usize, name: usize) -> bool {
        let was_there = self.unsubscribe(client, name);
        if was_there {
            let item = Item {
                what: What::Left,
                channel: Some(name),
                position: None,
                policy: self.policy,
            };
            self.control(client, Control::Item(item));
            self.serve();
            self.sweep();
        }
        was_there
    }

    /// Publishes to a channel that may be there.
    pub(crate) fn publish(&mut self, name: usize, note: Note, except: Option<usize>) -> Delivery {
        match self.find(name) {
            Some(life) => self.publish_to(life, note, except),
            None => Delivery::default(),
        }
    }

    pub(crate) fn broadcast(&mut self, note: Note) -> Delivery {
        self.publish_to(EVERYONE, note, None)
    }

    fn publish_to(&mut self, life: usize, note: Note, except: Option<usize>) -> Delivery {
        let delivery = self.announce(life, What::Message(note), except);
        self.bury(life);
        self.serve();
        self.sweep();
        delivery
    }

    pub(crate) fn send(&mut self, client: usize, note: Note) -> Sent {
        let peer = &mut self.clients[client];
        if peer.closed.is_some() {
            return Sent::Unknown;
        }
        let item = Item {
            what: What::Message(note),
            channel: None,
            position: None,
            policy: self.policy,
        };
        let policy = peer.options.policy.unwrap_or(self.policy);
        let mut delivery = Delivery::default();
        let pushed = if peer.handed.2 > 0 {
            // It must not overtake.
            if policy == SlowConsumer::KeepLatest && peer.hand_over(&item, None) {
                Pushed::HandedOver
            } else {
                peer.refuse(policy, 0, self.now)
            }
        } else {
            peer.push(&item, policy, self.now)
        };
        let sent = match pushed {
            Pushed::Closed => unreachable!("looked at above"),
            Pushed::HandedOver => {
                delivery.delivered = 1;
                let everyone = |it: &&(usize, usize)| it.0 == EVERYONE;
                let membership = self.clients[client].memberships.iter().find(everyone);
                let membership = membership.unwrap().1;
                let evicted = self.owe(EVERYONE, client, membership, item);
                self.channel(EVERYONE).figures.evicted += evicted as u64;
                Sent::StoredMessage
            }
            Pushed::StoredMessage { evicted } => {
                delivery.delivered = 1;
                delivery.evicted = evicted;
                Sent::StoredMessage
            }
            Pushed::Dropped { evicted } => {
                delivery.dropped = 1;
                delivery.evicted = evicted;
                self.report_drop(client, None);
                Sent::Full
            }
            Pushed::Disconnected => {
                delivery.dropped = 1;
                delivery.disconnected = 1;
                self.effects.push_back(Effect::Retire(client));
                Sent::Closed
            }
        };
        self.figures.add(&delivery);
        self.serve();
        self.sweep();
        sent
    }

    pub(crate) fn receive(&mut self, client: usize, max: usize) -> Result<Vec<Item>, Nothing> {
        let max = max.max(1);
        loop {
            if self.clients[client].begin() {
                self.ask(client, 0);
            }
            match self.clients[client].receive(max, &mut self.gaps) {
                Err(Nothing::Empty) if self.ask(client, 1) => {}
                received => return received,
            }
        }
    }

    /// Has the channels of a client give what was handed over for it, another one first each time.
    /// Says whether any was asked. Called for, they are asked in the order of the last time.
    fn ask(&mut self, client: usize, first: usize) -> bool {
        let owes = |channel: &Channel| channel.owing.iter().any(|it| it.client == client);
        if !self.channels.iter().any(owes) {
            return false;
        }
        let peer = &mut self.clients[client];
        let lives = std::mem::take(&mut peer.asking).into_iter();
        let life_of = |membership: usize| {
            let mut held = peer.memberships.iter();
            held.find(|held| held.1 == membership).copied()
        };
        let mut asking: Vec<_> = lives.filter_map(life_of).collect();
        if !asking.is_empty() {
            let first = first % asking.len();
            asking.rotate_left(first);
        }
        let mut any = false;
        for (life, membership) in asking {
            let mut owing = self.channel(life).owing.iter_mut();
            let Some(index) = owing.position(|it| it.membership == membership && it.may_ask) else {
                continue;
            };
            self.channel(life).owing[index].may_ask = false;
            any = true;
            let (given, evicted) = self.give(life, index);
            self.channel(life).figures.evicted += evicted as u64;
            if given {
                self.go_live(life, index);
            }
            self.bury(life);
        }
        self.serve();
        any
    }

    /// Puts in what was handed over, as far as there is room. Says whether that was all, and how
    /// many were evicted for it.
    fn give(&mut self, life: usize, index: usize) -> (bool, usize) {
        let hub_policy = self.policy;
        let channel = self.channel(life);
        let policy = channel.policy.unwrap_or(hub_policy);
        let Owing {
            client,
            membership,
            values,
            may_ask,
        } = &mut channel.owing[index];
        let (client, mut values) = (*client, std::mem::take(values));
        let asking = (!std::mem::replace(may_ask, true)).then_some(*membership);
        let peer = &mut self.clients[client];
        peer.asking.extend(asking);
        let policy = peer.options.policy.unwrap_or(policy);
        let (mut given, mut evicted) = (0, 0);
        while let Some(item) = values.front() {
            let (put, more) = peer.put(item, policy);
            evicted += more;
            if !put {
                if given == 0 {
                    peer.call();
                }
                break;
            }
            peer.hand_back(item);
            values.pop_front();
            given += 1;
        }
        let all = values.is_empty();
        self.channel(life).owing[index].values = values;
        (all, evicted)
    }

    fn go_live(&mut self, life: usize, index: usize) {
        let channel = self.channel(life);
        let Owing {
            client, membership, ..
        } = channel.owing.swap_remove(index);
        channel.subscribers.push((client, membership));
    }

    /// Has a subscriber get `item` later. Says how many were evicted for what there is room for.
    fn owe(&mut self, life: usize, client: usize, membership: usize, item: Item) -> usize {
        let channel = self.channel(life);
        let mut owing = channel.owing.iter();
        let index = owing.position(|it| it.membership == membership);
        let index = index.unwrap_or_else(|| {
            let mut subscribers = channel.subscribers.iter();
            let place = subscribers.position(|it| it.1 == membership);
            channel.subscribers.swap_remove(place.unwrap());
            channel.owing.push(Owing {
                client,
                membership,
                values: VecDeque::new(),
                may_ask: false,
            });
            channel.owing.len() - 1
        });
        channel.owing[index].values.push_back(item);
        let (all, evicted) = self.give(life, index);
        if all {
            self.go_live(life, index);
        }
        evicted
    }

    /// Hands `item` over behind what is handed over already, or refuses it.
    fn follow(&mut self, life: usize, index: usize, item: &Item, policy: SlowConsumer) -> Pushed {
        let now = self.now;
        let owing = &mut self.channel(life).owing[index];
        let (client, mut values) = (owing.client, std::mem::take(&mut owing.values));
        let peer = &mut self.clients[client];
        let older = values.iter().position(|older| item.conflates_with(older));
        let instead = older.map(|older| values[older].weight());
        let hands_over = policy == SlowConsumer::KeepLatest && peer.hand_over(item, instead);
        let pushed = if hands_over {
            let older = older.and_then(|older| values.remove(older));
            peer.conflated += u64::from(older.is_some());
            values.push_back(item.clone());
            let evicted = usize::from(older.is_some());
            Pushed::StoredMessage { evicted }
        } else {
            peer.refuse(policy, 0, now)
        };
        self.channel(life).owing[index].values = values;
        pushed
    }

    /// What is handed over.
    pub(crate) fn handed_over(&self) -> impl Iterator<Item = &Item> {
        let owing = self.channels.iter().flat_map(|channel| &channel.owing);
        owing.flat_map(|owing| &owing.values)
    }

    pub(crate) fn set_client_policy(&mut self, client: usize, policy: Option<SlowConsumer>) {
        let client = &mut self.clients[client];
        client.options.policy = policy;
        if policy.is_some_and(evicts) {
            client.steal();
        }
    }

    /// Takes a handle; `None` if there are too many channels or the hub is closed.
    pub(crate) fn hold(&mut self, name: usize) -> Option<usize> {
        let life = self.open(name).filter(|_| !self.is_closed)?;
        self.channel(life).handles += 1;
        Some(life)
    }

    pub(crate) fn release(&mut self, life: usize) {
        self.channel(life).handles -= 1;
        self.sweep();
    }

    /// The life of the channel of this name, if it is there.
    pub(crate) fn find(&self, name: usize) -> Option<usize> {
        let channel = self.channels.iter().find(|it| it.name == Some(name));
        channel.map(|channel| channel.life)
    }

    pub(crate) fn channel(&mut self, life: usize) -> &mut Channel {
        let channel = self.channels.iter_mut().find(|it| it.life == life);
        channel.unwrap()
    }

    /// The figures of the hub.
    pub(crate) fn figures(&self) -> Figures {
        let mut figures = self.figures;
        for channel in &self.channels {
            figures.merge(&channel.figures);
        }
        figures
    }

    /// The names of the channels a client is in, sorted.
    pub(crate) fn subscriptions(&self, client: usize) -> Vec<usize> {
        let held = &self.clients[client].memberships;
        let is_held = |channel: &&Channel| held.iter().any(|(life, _)| *life == channel.life);
        let held = self.channels.iter().filter(is_held);
        let mut names: Vec<_> = held.filter_map(|channel| channel.name).collect();
        names.sort_unstable();
        names
    }

    fn open(&mut self, name: usize) -> Option<usize> {
        if let Some(life) = self.find(name) {
            return Some(life);
        }
        if self.is_closed || self.channels.len() > MAX_CHANNELS {
            return None;
        }
        let life = self.lives;
        self.lives += 1;
        self.channels.push(Channel::new(Some(name), life));
        Some(life)
    }

    fn member_of(&mut self, client: usize, life: usize) -> usize {
        let membership = self.memberships;
        self.memberships += 1;
        self.clients[client].memberships.push((life, membership));
        membership
    }

    /// Gives `what` the next offset, and puts it into every outbox.
    fn announce(&mut self, life: usize, what: What, except: Option<usize>) -> Delivery {
        let now = self.now;
        let hub_policy = self.policy;
        let channel = self.channel(life);
        let policy = channel.policy.unwrap_or(hub_policy);
        if channel.name.is_some() {
            channel.offset += 1;
        }
        let item = Item {
            what,
            channel: channel.name,
            position: channel.position(),
            policy,
        };
        let mut delivery = Delivery {
            position: item.position,
            ..Delivery::default()
        };
        let mut later = Vec::new();
        for (client, membership) in channel.subscribers.clone() {
            if Some(client) == except {
                continue;
            }
            let peer = &mut self.clients[client];
            let policy = peer.options.policy.unwrap_or(policy);
            let pushed = peer.push(&item, policy, now);
            if matches!(pushed, Pushed::HandedOver) {
                later.push((client, membership));
            }
            self.settle(life, client, membership, &item, &pushed, &mut delivery);
        }
        for index in (0..self.channel(life).owing.len()).rev() {
            let owing = &self.channel(life).owing[index];
            let (client, membership) = (owing.client, owing.membership);
            if self.clients[client].closed.is_some() {
                self.channel(life).dead.push((client, membership));
                continue;
            }
            let (all, evicted) = self.give(life, index);
            delivery.evicted += evicted;
            if Some(client) != except {
                let peer = &mut self.clients[client];
                let policy = peer.options.policy.unwrap_or(policy);
                let pushed = if all {
                    peer.push(&item, policy, now)
                } else {
                    self.follow(life, index, &item, policy)
                };
                if matches!(pushed, Pushed::HandedOver) {
                    later.push((client, membership));
                }
                self.settle(life, client, membership, &item, &pushed, &mut delivery);
            }
            if all {
                self.go_live(life, index);
            }
        }
        for (client, membership) in later {
            delivery.evicted += self.owe(life, client, membership, item.clone());
        }
        self.channel(life).figures.add(&delivery);
        delivery
    }

    /// Does what follows from what became of `item`.
    fn settle(
        &mut self,
        life: usize,
        client: usize,
        membership: usize,
        item: &Item,
        pushed: &Pushed,
        delivery: &mut Delivery,
    ) {
        delivery.addressed += usize::from(!matches!(pushed, Pushed::Closed));
        match *pushed {
            Pushed::Closed => self.channel(life).dead.push((client, membership)),
            Pushed::HandedOver => delivery.delivered += 1,
            Pushed::StoredMessage { evicted } => {
                delivery.delivered += 1;
                delivery.evicted += evicted;
            }
            Pushed::Dropped { evicted } => {
                delivery.dropped += 1;
                delivery.evicted += evicted;
                self.dropped(client, membership, item);
            }
            Pushed::Disconnected => {
                delivery.dropped += 1;
                delivery.disconnected += 1;
                self.channel(life).dead.push((client, membership));
                self.effects.push_back(Effect::Retire(client));
            }
        }
    }

    fn report_drop(&mut self, client: usize, channel: Option<usize>) {
        let peer = &mut self.clients[client];
        if !peer.reported {
            peer.reported = true;
            self.tell(Line::Dropping(client, channel));
        }
    }

    fn dropped(&mut self, client: usize, membership: usize, item: &Item) {
        self.report_drop(client, item.channel);
        let (Some(channel), Some((life, offset))) = (item.channel, item.position) else {
            return;
        };
        if !self.clients[client].options.gap_notices {
            return;
        }
        if let Some(loss) = self.gaps.get_mut(&membership) {
            loss.last = offset;
            loss.missed += 1;
            return;
        }
        self.gaps.insert(
            membership,
            Loss {
                channel,
                life,
                first: offset,
                last: offset,
                missed: 1,
            },
        );
        self.control(client, Control::Gap(membership));
        if self.clients[client].closed.is_some() {
            self.channel(life).dead.push((client, membership));
        }
    }

    fn control(&mut self, client: usize, control: Control) {
        let peer = &mut self.clients[client];
        if !peer.control(control) && peer.closed.is_none() {
            peer.closed = Some(Disconnect::CONTROL_OVERFLOW);
            self.effects.push_back(Effect::Retire(client));
        }
    }

    fn leave(&mut self, life: usize, client: usize, membership: usize) {
        if let Some(member) = self.remove(life, client, membership) {
            self.tell_left(life, member);
        }
        self.bury(life);
    }

    /// Removes a subscriber, and gives the member that has gone with it.
    fn remove(&mut self, life: usize, client: usize, membership: usize) -> Option<Member> {
        let user = self.clients[client].options.member.user;
        let channel = self.channel(life);
        let subscribers = &mut channel.subscribers;
        let place = subscribers.iter().position(|it| it.1 == membership);
        if let Some(place) = place {
            subscribers.swap_remove(place);
        } else {
            let mut owing = channel.owing.iter();
            let place = owing.position(|it| it.membership == membership)?;
            let owing = channel.owing.swap_remove(place);
            for item in &owing.values {
                self.clients[client].hand_back(item);
                self.clients[client].abandoned += 1;
            }
        }
        let channel = self.channel(life);
        if !channel.is_presence() {
            return None;
        }
        let place = channel
            .roster
            .iter()
            .position(|seat| seat.member.user == user);
        let place = place.unwrap();
        channel.roster[place].connections -= 1;
        let is_gone = channel.roster[place].connections == 0;
        is_gone.then(|| channel.roster.remove(place).member)
    }

    fn tell_left(&mut self, life: usize, member: Member) {
        let name = self.channel(life).name.unwrap();
        self.announce(life, What::Removed(member), None);
        self.tell(Line::Left(name, member));
    }

    /// Removes the subscribers that were found closed, and then tells of those who are gone.
    fn bury(&mut self, life: usize) {
        while !self.channel(life).dead.is_empty() {
            let dead = std::mem::take(&mut self.channel(life).dead);
            let mut gone = Vec::new();
            for (client, membership) in dead {
                gone.extend(self.remove(life, client, membership));
            }
            for member in gone {
                self.tell_left(life, member);
            }
        }
    }

    fn tell(&mut self, line: Line) {
        self.effects.push_back(Effect::Tell(line));
    }

    /// Does what channels have left to be done, unless somebody is at it.
    fn serve(&mut self) {
        if self.is_serving {
            return;
        }
        self.is_serving = true;
        while let Some(effect) = self.effects.pop_front() {
            match effect {
                Effect::Retire(client) => {
                    self.lines.push(Line::Disconnected(client));
                    self.retire(client);
                }
                Effect::Tell(line) => self.lines.push(line),
            }
        }
        self.is_serving = false;
    }

    /// Takes a closed client off its channels.
    fn retire(&mut self, client: usize) {
        self.client_count -= 1;
        for (life, membership) in std::mem::take(&mut self.clients[client].memberships) {
            self.leave(life, client, membership);
        }
    }

    /// Time goes on, and the hub is told.
    pub(crate) fn advance(&mut self, millis: u64) {
        self.now += millis;
        let now = self.now;
        let clients = self.clients.iter_mut().enumerate();
        let over = clients.filter_map(|(client, peer)| Some((peer.grace_is_over(now)?, client)));
        let mut over: Vec<_> = over.collect();
        over.sort_unstable();
        for (_, client) in over {
            self.clients[client].closed = Some(Disconnect::SLOW);
            self.figures.disconnected += 1;
            self.effects.push_back(Effect::Retire(client));
        }
        self.serve();
        self.sweep();
    }

    /// Forgets the channels that have no subscriber and no handle.
    fn sweep(&mut self) {
        let is_held = |channel: &Channel| {
            channel.name.is_none() || channel.handles > 0 || channel.subscriber_count() > 0
        };
        for channel in self.channels.iter().filter(|channel| !is_held(channel)) {
            self.figures.merge(&channel.figures);
        }
        self.channels.retain(is_held);
    }
}
