//! The one loop from a frame to many outboxes.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::iter;
use std::sync::Arc;

use crate::hub::after::Effect;
use crate::hub::channel::core::Face;
use crate::hub::channel::handover::Values;
use crate::hub::client::ClientCore;
use crate::hub::delivery::Delivery;
use crate::hub::filter::Filter;
use crate::hub::frame::Body;
use crate::hub::frame::Frame;
use crate::hub::frame::What;
use crate::hub::membership::Lost;
use crate::hub::membership::Membership;
use crate::hub::queue::Controlled;
use crate::hub::queue::Overflow;
use crate::id::ClientId;
use crate::limits::SlowConsumer;
use crate::raw::bell::Rings;
use crate::raw::ring::Refused;
use crate::raw::ring::Tap;
use crate::raw::ring::Weigh;
use crate::raw::ring::Why;
use crate::raw::shared::Loan;
use crate::raw::shared::Shared;

/// The subscribers of a channel.
#[derive(Default)]
pub(super) struct Subscribers {
    /// Those who want every message.
    all: List,
    /// Those who want only some, by the identity of their filter.
    filtered: BTreeMap<usize, Group>,
    /// Those who are still given what they have missed.
    pub(super) behind: Vec<Behind>,
    /// How many of those get what was handed over, and are live but for that.
    owing: usize,
    len: usize,
    pub(super) found: Found,
}

/// What a fan-out has found, to be seen to afterwards.
#[derive(Default)]
pub(super) struct Found {
    /// Subscribers found closed, still to be removed.
    dead: Vec<Arc<Membership>>,
    /// Subscribers that get the frame later.
    pub(super) handed: Vec<(Subscriber, Frame)>,
}

/// Subscribers with the same filter.
struct Group {
    filter: Filter,
    members: List,
}

/// Subscribers, dense, in no order.
#[derive(Default)]
struct List(Vec<Subscriber>);

#[derive(Clone)]
pub(super) struct Subscriber {
    pub(super) client: Tap<ClientCore>,
    pub(super) membership: Arc<Membership>,
    pub(super) id: ClientId,
}

/// A subscriber that is still given what it has missed, or what was handed over for it.
pub(super) struct Behind {
    pub(super) subscriber: Subscriber,
    /// What was handed over, if that is all; then nothing below counts.
    pub(super) values: Option<Box<Values>>,
    /// The last publication that it was given, or did not want.
    pub(super) after: u64,
    /// The last publication before it joined: the members that it was told of are those of then.
    pub(super) joined: u64,
}

/// How many subscribers ahead of the one being served the next outbox is fetched.
const AHEAD: usize = 16;

/// A fan-out rings the tasks that it has woken rows of once, at its end, and after every so many
/// subscribers: a task that is rung earlier finds little to do, one that is rung later lets the
/// first of many subscribers wait for the last.
const RING_AFTER: usize = 1024;

impl Subscriber {
    pub(super) fn new(client: Arc<ClientCore>, membership: Arc<Membership>) -> Self {
        Self {
            id: client.id,
            client: Tap::new(client),
            membership,
        }
    }
}

impl List {
    fn insert(&mut self, subscriber: Subscriber) {
        subscriber.membership.set_index(Some(self.0.len()));
        self.0.push(subscriber);
    }

    /// Removes the subscriber at `index`, in constant time: the last one takes its place.
    fn remove(&mut self, index: usize) -> Subscriber {
        let all = &mut self.0;
        let removed = all.swap_remove(index);
        if let Some(moved) = all.get(index) {
            moved.membership.set_index(Some(index));
        }
        if all.len() * 4 < all.capacity() && all.capacity() > 64 {
            all.shrink_to(all.len() * 2);
        }
        removed
    }

    /// Puts a frame into every outbox.
    ///
    /// The frame's count is raised once for all of them, and lowered once for those that refused.
    /// Nothing is closed or removed in here; it is noted for afterwards.
    fn fan_out(&self, sending: &Sending<'_>, found: &mut Found, rings: &mut Rings) -> Delivery {
        let mut pass = Pass::new(sending, found, rings, self.0.len());
        let except = sending.except;
        for (index, subscriber) in self.0.iter().enumerate() {
            if let Some(later) = self.0.get(index + AHEAD) {
                later.client.prefetch();
            }
            if Some(subscriber.id) != except {
                pass.serve(subscriber);
            }
            if index % RING_AFTER == RING_AFTER - 1 {
                pass.rings.pay();
            }
        }
        pass.delivery
    }
}

impl Subscribers {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn insert(&mut self, subscriber: Subscriber) {
        self.len += 1;
        let Some(filter) = subscriber.membership.filter() else {
            return self.all.insert(subscriber);
        };
        let group = self.filtered.entry(filter.identity());
        let group = group.or_insert_with(|| Group {
            filter: filter.clone(),
            members: List::default(),
        });
        group.members.insert(subscriber);
    }

    /// Removes a subscriber, in constant time. `None` if it was not there.
    pub(super) fn remove(&mut self, membership: &Membership) -> Option<Subscriber> {
        let index = membership.index()?;
        membership.set_index(None);
        self.len -= 1;
        if membership.end_behind() {
            Some(self.take_behind(index))
        } else {
            self.remove_live(membership, index)
        }
    }

    fn remove_live(&mut self, membership: &Membership, index: usize) -> Option<Subscriber> {
        let Some(filter) = membership.filter() else {
            return Some(self.all.remove(index));
        };
        let Entry::Occupied(mut group) = self.filtered.entry(filter.identity()) else {
            return None;
        };
        let removed = group.get_mut().members.remove(index);
        if group.get().members.0.is_empty() {
            group.remove();
        }
        Some(removed)
    }

    /// Has a live subscriber be given first what is handed over for it. Returns its index among
    /// those who are behind.
    pub(super) fn make_owing(&mut self, subscriber: Subscriber, values: Box<Values>) -> usize {
        if let Some(index) = subscriber.membership.index() {
            self.remove_live(&subscriber.membership, index);
        }
        self.owing += 1;
        self.push_behind(Behind {
            subscriber,
            values: Some(values),
            after: 0,
            joined: 0,
        })
    }

    fn push_behind(&mut self, behind: Behind) -> usize {
        let index = self.behind.len();
        let Subscriber {
            client, membership, ..
        } = &behind.subscriber;
        client.fall_behind();
        membership.fall_behind();
        membership.set_index(Some(index));
        self.behind.push(behind);
        index
    }

    /// The clients, in no order.
    pub(super) fn ids(&self) -> Vec<ClientId> {
        self.every().map(|subscriber| subscriber.id).collect()
    }

    /// All of them, in no order.
    fn every(&self) -> impl Iterator<Item = &Subscriber> {
        let behind = self.behind.iter().map(|behind| &behind.subscriber);
        self.live().chain(behind)
    }

    /// Those who get what is published, in no order.
    fn live(&self) -> impl Iterator<Item = &Subscriber> {
        let filtered = self.filtered.values().map(|group| &group.members);
        let lists = iter::once(&self.all).chain(filtered);
        lists.flat_map(|list| &list.0)
    }

    /// Has a new subscriber be given first what came after `after`; it joins at `joined`.
    pub(super) fn insert_behind(&mut self, subscriber: Subscriber, after: u64, joined: u64) {
        self.len += 1;
        self.push_behind(Behind {
            subscriber,
            values: None,
            after,
            joined,
        });
    }

    /// The one at this index of those who are still given what they have missed.
    pub(super) fn behind(&mut self, index: usize) -> Option<&mut Behind> {
        self.behind.get_mut(index)
    }

    /// Has the one at this index get what is published from now on.
    pub(super) fn go_live(&mut self, index: usize) {
        let subscriber = self.take_behind(index);
        let _was_behind = subscriber.membership.end_behind();
        self.len -= 1;
        self.insert(subscriber);
    }

    fn take_behind(&mut self, index: usize) -> Subscriber {
        let taken = self.behind.swap_remove(index);
        if let Some(moved) = self.behind.get(index) {
            moved.subscriber.membership.set_index(Some(index));
        }
        taken.subscriber.client.end_behind();
        if let Some(values) = taken.values {
            self.owing -= 1;
            values.discard(&taken.subscriber);
        }
        taken.subscriber
    }

    /// Notes that a subscriber was found closed; it is removed later.
    pub(super) fn found_dead(&mut self, membership: &Arc<Membership>) {
        if membership.note_dead() {
            self.found.dead.push(Arc::clone(membership));
        }
    }

    /// Those that were found closed since the last call, each once.
    pub(super) fn take_dead(&mut self) -> Vec<Arc<Membership>> {
        std::mem::take(&mut self.found.dead)
    }

    /// Puts a frame into every outbox but that of `except`, and those of subscribers that do not
    /// want it.
    pub(super) fn fan_out(&mut self, sending: &Sending<'_>) -> Delivery {
        // Paid when this is dropped, also by a filter that panics.
        let mut rings = Rings::default();
        let mut delivery = self.all.fan_out(sending, &mut self.found, &mut rings);
        if !self.filtered.is_empty() {
            let message = sending.frame.message();
            let groups = self.filtered.values();
            delivery = groups
                .filter(|group| message.is_none_or(|message| group.filter.wants(message)))
                .map(|group| {
                    let members = &group.members;
                    members.fan_out(sending, &mut self.found, &mut rings)
                })
                .fold(delivery, Delivery::and);
        }
        if self.owing > 0 || !self.found.handed.is_empty() {
            delivery = delivery.and(self.serve_owing(sending, &mut rings));
        }
        // Now that the rows are woken: a pass that begins after this takes them.
        let turns = &sending.face.common.turns;
        turns.count(delivery.reached, sending.frame.0.weight());
        delivery
    }

    /// Tells those who want to know that they have lost what they might have wanted. Those who are
    /// still given what they have missed get only what is remembered.
    pub(super) fn lose(&mut self, lost: Lost, face: &Face) {
        let told = |it: &&Subscriber| tell_loss(it, lost, None, face) == Controlled::Disconnected;
        let owing = self.behind.iter().filter(|behind| behind.values.is_some());
        let owing = owing.map(|behind| &behind.subscriber);
        let dead: Vec<_> = self.live().chain(owing).filter(told).collect();
        let dead = dead.iter().map(|it| Arc::clone(&it.membership));
        for membership in dead.collect::<Vec<_>>() {
            self.found_dead(&membership);
        }
    }
}

/// One frame, and to whom it goes.
pub(super) struct Sending<'a> {
    pub(super) frame: &'a Frame,
    /// The number that it has here; zero where nothing is numbered.
    pub(super) number: u64,
    pub(super) except: Option<ClientId>,
    /// For clients without a policy of their own.
    pub(super) policy: SlowConsumer,
    pub(super) face: &'a Face,
}

impl<'a> Sending<'a> {
    /// Whether `subscriber` wants it, and is not left out.
    pub(super) fn is_for(&self, subscriber: &Subscriber) -> bool {
        let (filter, message) = (subscriber.membership.filter(), self.frame.message());
        let wants = |(filter, message): (&Filter, _)| filter.wants(message);
        Some(subscriber.id) != self.except && filter.zip(message).is_none_or(wants)
    }

    /// A frame of the channel itself, which is published under `policy`.
    pub(super) fn of(
        frame: &'a Frame,
        except: Option<ClientId>,
        policy: SlowConsumer,
        face: &'a Face,
    ) -> Self {
        Self {
            frame,
            number: frame.offset(),
            except,
            policy,
            face,
        }
    }
}

/// One frame on its way to the subscribers of one list.
pub(super) struct Pass<'a> {
    sending: &'a Sending<'a>,
    found: &'a mut Found,
    rings: &'a mut Rings,
    loan: Loan<'a, Body>,
    delivery: Delivery,
}

impl<'a> Pass<'a> {
    #[inline(always)]
    pub(super) fn new(
        sending: &'a Sending<'a>,
        found: &'a mut Found,
        rings: &'a mut Rings,
        subscribers: usize,
    ) -> Self {
        Self {
            sending,
            found,
            rings,
            loan: sending.frame.0.lend(subscribers),
            delivery: Delivery::nobody(),
        }
    }

    /// Lends an owner of the frame for one of the subscribers.
    pub(super) fn lend(&mut self) -> Shared<Body> {
        self.loan.take()
    }

    pub(super) fn delivery(self) -> Delivery {
        self.delivery
    }

    #[inline(always)]
    pub(super) fn serve(&mut self, subscriber: &Subscriber) {
        let client = &subscriber.client;
        match client.push_with(self.loan.take(), self.rings) {
            Ok(()) => {
                self.delivery.delivered += 1;
                self.delivery.reached.add(client.mark());
            }
            Err(refused) => self.refused(subscriber, refused),
        }
    }

    #[inline(never)]
    fn refused(&mut self, subscriber: &Subscriber, refused: Refused<Body>) {
        let Refused { item, why } = refused;
        if why == Why::Closed {
            return self.closed(subscriber, item);
        }
        let common = &self.sending.face.common;
        let client = &subscriber.client;
        let own = client.policy.get();
        let policy = own.unwrap_or(self.sending.policy);
        let now = || common.millis();
        let overflow = client.queue.overflow(item, policy, own, now);
        self.settle(subscriber, overflow);
    }

    /// Does what follows from a message that did not fit at once.
    pub(super) fn settle(&mut self, subscriber: &Subscriber, overflow: Overflow) {
        let client = &subscriber.client;
        match overflow {
            Overflow::StoredMessage { evicted } => {
                self.delivery.delivered += 1;
                self.delivery.reached.add(client.mark());
                self.delivery.evicted += evicted;
            }
            Overflow::HandedOver { item, evicted } => {
                self.delivery.delivered += 1;
                self.delivery.evicted += evicted;
                self.found.handed.push((subscriber.clone(), Frame(item)));
            }
            Overflow::Closed { item, evicted } => {
                self.delivery.evicted += evicted;
                self.closed(subscriber, item);
            }
            Overflow::Dropped {
                item,
                evicted,
                first,
            } => {
                self.delivery.evicted += evicted;
                self.loan.give_back(item);
                if first {
                    let policy = client.policy.get().unwrap_or(self.sending.policy);
                    client.begin_losing(policy, self.sending.face.name.as_ref());
                }
                self.dropped(subscriber);
            }
            Overflow::Disconnected(item) => {
                self.loan.give_back(item);
                self.delivery.dropped += 1;
                self.delivery.disconnected += 1;
                self.found_dead(subscriber);
                let common = &self.sending.face.common;
                common.after(Effect::Retire(Arc::clone(client)));
            }
        }
    }

    fn found_dead(&mut self, subscriber: &Subscriber) {
        if subscriber.membership.note_dead() {
            self.found.dead.push(Arc::clone(&subscriber.membership));
        }
    }

    fn closed(&mut self, subscriber: &Subscriber, item: Shared<Body>) {
        self.loan.give_back(item);
        self.found_dead(subscriber);
    }

    fn dropped(&mut self, subscriber: &Subscriber) {
        self.delivery.dropped += 1;
        if self.sending.number == 0 {
            return;
        }
        let lost = Lost::one(self.sending.number);
        let frame = Some(self.sending.frame);
        if tell_loss(subscriber, lost, frame, self.sending.face) == Controlled::Disconnected {
            self.found_dead(subscriber);
        }
    }
}

/// Tells a subscriber that wants to know what it has lost. One that has no room even for that is
/// disconnected.
pub(super) fn tell_loss(
    subscriber: &Subscriber,
    lost: Lost,
    frame: Option<&Frame>,
    face: &Face,
) -> Controlled {
    let client = &subscriber.client;
    if !client.queue.wants_gap_notices() {
        return Controlled::StoredMessage;
    }
    let keys = client.queue.max_keys();
    let Some(gap) = subscriber.membership.note_loss(lost, frame, keys) else {
        return Controlled::StoredMessage;
    };
    let what = What::GapIn(Arc::clone(gap));
    // The gap has its time when it is taken: nothing is read for each client here.
    let notice = Frame::new(what, face.name.as_ref(), Default::default(), 0);
    let controlled = client.queue.control(notice);
    if controlled == Controlled::Disconnected {
        face.common.after(Effect::Retire(Arc::clone(client)));
    }
    controlled
}
