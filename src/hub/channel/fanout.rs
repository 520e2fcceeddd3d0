//! The one loop from a frame to many outboxes.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::iter;
use std::sync::Arc;

use crate::hub::after::Effect;
use crate::hub::channel::core::Face;
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
use crate::raw::ring::Refused;
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
    behind: Vec<Behind>,
    len: usize,
    /// Those found closed, still to be removed.
    dead: Vec<Arc<Membership>>,
}

/// Subscribers with the same filter.
struct Group {
    filter: Filter,
    members: List,
}

/// Subscribers, dense, in no order.
#[derive(Default)]
struct List(Vec<Subscriber>);

pub(super) struct Subscriber {
    pub(super) client: Arc<ClientCore>,
    pub(super) membership: Arc<Membership>,
    pub(super) id: ClientId,
}

/// A subscriber that is still given what it has missed.
pub(super) struct Behind {
    pub(super) subscriber: Subscriber,
    /// The last publication that it was given, or did not want.
    pub(super) after: u64,
    /// The last publication before it joined: the members that it was told of are those of then.
    pub(super) joined: u64,
}

/// How many subscribers ahead of the one being served the next outbox is fetched.
const AHEAD: usize = 16;

impl Subscriber {
    pub(super) fn new(client: Arc<ClientCore>, membership: Arc<Membership>) -> Self {
        Self {
            id: client.id,
            client,
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
    fn remove(&mut self, index: usize) {
        let all = &mut self.0;
        all.swap_remove(index);
        if let Some(moved) = all.get(index) {
            moved.membership.set_index(Some(index));
        }
        if all.len() * 4 < all.capacity() && all.capacity() > 64 {
            all.shrink_to(all.len() * 2);
        }
    }

    /// Puts a frame into every outbox.
    ///
    /// The frame's count is raised once for all of them, and lowered once for those that refused.
    /// Nothing is closed or removed in here; it is noted for afterwards.
    fn fan_out(&self, sending: &Sending<'_>, dead: &mut Vec<Arc<Membership>>) -> Delivery {
        let mut pass = Pass {
            sending,
            dead,
            loan: sending.frame.0.lend(self.0.len()),
            delivery: Delivery::nobody(),
        };
        let except = sending.except;
        for (index, subscriber) in self.0.iter().enumerate() {
            if let Some(later) = self.0.get(index + AHEAD) {
                later.client.queue.ring.prefetch();
            }
            if Some(subscriber.id) != except {
                pass.serve(subscriber);
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

    /// Removes a subscriber, in constant time. `false` if it was not there.
    pub(super) fn remove(&mut self, membership: &Membership) -> bool {
        let Some(index) = membership.index() else {
            return false;
        };
        membership.set_index(None);
        self.len -= 1;
        if membership.end_behind() {
            self.take_behind(index);
            return true;
        }
        let Some(filter) = membership.filter() else {
            self.all.remove(index);
            return true;
        };
        if let Entry::Occupied(mut group) = self.filtered.entry(filter.identity()) {
            group.get_mut().members.remove(index);
            if group.get().members.0.is_empty() {
                group.remove();
            }
        }
        true
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
        let index = self.behind.len();
        subscriber.client.fall_behind();
        subscriber.membership.fall_behind();
        subscriber.membership.set_index(Some(index));
        self.behind.push(Behind {
            subscriber,
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
        taken.subscriber
    }

    /// Notes that a subscriber was found closed; it is removed later.
    pub(super) fn found_dead(&mut self, membership: &Arc<Membership>) {
        if membership.note_dead() {
            self.dead.push(Arc::clone(membership));
        }
    }

    /// Those that were found closed since the last call, each once.
    pub(super) fn take_dead(&mut self) -> Vec<Arc<Membership>> {
        std::mem::take(&mut self.dead)
    }

    /// Puts a frame into every outbox but that of `except`, and those of subscribers that do not
    /// want it.
    pub(super) fn fan_out(&mut self, sending: &Sending<'_>) -> Delivery {
        let delivery = self.all.fan_out(sending, &mut self.dead);
        if self.filtered.is_empty() {
            return delivery;
        }
        let message = sending.frame.message();
        let groups = self.filtered.values();
        groups
            .filter(|group| message.is_none_or(|message| group.filter.wants(message)))
            .map(|group| group.members.fan_out(sending, &mut self.dead))
            .fold(delivery, Delivery::and)
    }

    /// Tells those who want to know that they have lost what they might have wanted. Those who are
    /// behind are still to be told of earlier losses, and get only what is remembered.
    pub(super) fn lose(&mut self, lost: Lost, face: &Face) {
        let told = |it: &&Subscriber| tell_loss(it, lost, face) == Controlled::Disconnected;
        let dead: Vec<_> = self.live().filter(told).collect();
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
    pub(super) face: &'a Face,
}

impl<'a> Sending<'a> {
    /// A frame of the channel itself.
    pub(super) fn of(frame: &'a Frame, except: Option<ClientId>, face: &'a Face) -> Self {
        Self {
            frame,
            number: frame.offset(),
            except,
            face,
        }
    }
}

/// One frame on its way to the subscribers of one list.
struct Pass<'a> {
    sending: &'a Sending<'a>,
    dead: &'a mut Vec<Arc<Membership>>,
    loan: Loan<'a, Body>,
    delivery: Delivery,
}

impl Pass<'_> {
    #[inline(always)]
    fn serve(&mut self, subscriber: &Subscriber) {
        match subscriber.client.queue.ring.push(self.loan.take()) {
            Ok(()) => self.delivery.delivered += 1,
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
        let policy = client
            .policy
            .get()
            .or_else(|| self.sending.face.policy.get())
            .unwrap_or(common.slow_consumer);
        match client.queue.overflow(item, policy, || common.millis()) {
            Overflow::Stored { evicted } => {
                self.delivery.delivered += 1;
                self.delivery.evicted += evicted;
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
                    client.report_drop(self.sending.face.name.as_ref());
                }
                self.dropped(subscriber);
            }
            Overflow::Disconnected(item) => {
                self.loan.give_back(item);
                self.delivery.dropped += 1;
                self.delivery.disconnected += 1;
                self.found_dead(subscriber);
                common.after(Effect::Retire(Arc::clone(client)));
            }
        }
    }

    fn found_dead(&mut self, subscriber: &Subscriber) {
        if subscriber.membership.note_dead() {
            self.dead.push(Arc::clone(&subscriber.membership));
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
        if tell_loss(subscriber, lost, self.sending.face) == Controlled::Disconnected {
            self.found_dead(subscriber);
        }
    }
}

/// Tells a subscriber that wants to know what it has lost. One that has no room even for that is
/// disconnected.
pub(super) fn tell_loss(subscriber: &Subscriber, lost: Lost, face: &Face) -> Controlled {
    let client = &subscriber.client;
    if !client.queue.wants_gap_notices() {
        return Controlled::Stored;
    }
    let Some(gap) = subscriber.membership.note_loss(lost) else {
        return Controlled::Stored;
    };
    let what = What::GapIn(Arc::clone(gap));
    let notice = Frame::new(what, face.name.as_ref(), Default::default());
    let controlled = client.queue.control(notice);
    if controlled == Controlled::Disconnected {
        face.common.after(Effect::Retire(Arc::clone(client)));
    }
    controlled
}
