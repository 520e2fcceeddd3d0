//! The one loop from a frame to many outboxes.

use std::sync::Arc;

use crate::hub::after::Effect;
use crate::hub::channel::core::Face;
use crate::hub::client::ClientCore;
use crate::hub::delivery::Delivery;
use crate::hub::frame::Body;
use crate::hub::frame::Frame;
use crate::hub::frame::What;
use crate::hub::membership::Membership;
use crate::hub::queue::Controlled;
use crate::hub::queue::Overflow;
use crate::id::ClientId;
use crate::raw::ring::Refused;
use crate::raw::ring::Why;
use crate::raw::shared::Loan;
use crate::raw::shared::Shared;

/// The subscribers of a channel, dense, in no order.
#[derive(Default)]
pub(super) struct Subscribers {
    all: Vec<Subscriber>,
    /// Those found closed, still to be removed.
    dead: Vec<Arc<Membership>>,
}

pub(super) struct Subscriber {
    client: Arc<ClientCore>,
    membership: Arc<Membership>,
    id: ClientId,
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

impl Subscribers {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn insert(&mut self, subscriber: Subscriber) {
        subscriber.membership.set_index(Some(self.all.len()));
        self.all.push(subscriber);
    }

    /// Removes a subscriber, in constant time: the last one takes its place. `false` if it was
    /// not there.
    pub(super) fn remove(&mut self, membership: &Membership) -> bool {
        let Some(index) = membership.index() else {
            return false;
        };
        membership.set_index(None);
        self.all.swap_remove(index);
        if let Some(moved) = self.all.get(index) {
            moved.membership.set_index(Some(index));
        }
        if self.all.len() * 4 < self.all.capacity() && self.all.capacity() > 64 {
            self.all.shrink_to(self.all.len() * 2);
        }
        true
    }

    /// Those that were found closed since the last call, each once.
    pub(super) fn take_dead(&mut self) -> Vec<Arc<Membership>> {
        std::mem::take(&mut self.dead)
    }

    /// Puts `frame` into every outbox but that of `except`.
    ///
    /// The frame's count is raised once for all of them, and lowered once for those that refused.
    /// Nothing is closed or removed in here; it is noted for afterwards.
    pub(super) fn fan_out(
        &mut self,
        frame: &Frame,
        except: Option<ClientId>,
        face: &Face,
    ) -> Delivery {
        let Self { all, dead } = self;
        let mut pass = Pass {
            frame,
            face,
            dead,
            loan: frame.0.lend(all.len()),
            delivery: Delivery::nobody(),
        };
        for (index, subscriber) in all.iter().enumerate() {
            if let Some(later) = all.get(index + AHEAD) {
                later.client.queue.ring.prefetch();
            }
            if Some(subscriber.id) != except {
                pass.serve(subscriber);
            }
        }
        pass.delivery
    }
}

/// One frame on its way to all.
struct Pass<'a> {
    frame: &'a Frame,
    face: &'a Face,
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
        let common = &self.face.common;
        let client = &subscriber.client;
        let policy = client
            .policy
            .get()
            .or_else(|| self.face.policy.get())
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
                    client.report_drop(self.face.name.as_ref());
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
        let client = &subscriber.client;
        if !client.queue.wants_gap_notices() || self.frame.offset() == 0 {
            return;
        }
        let Some(gap) = subscriber.membership.note_loss(self.frame.offset()) else {
            return;
        };
        let what = What::GapIn(Arc::clone(gap));
        let notice = Frame::new(what, self.face.name.as_ref(), Default::default());
        if client.queue.control(notice) == Controlled::Disconnected {
            self.found_dead(subscriber);
            self.face.common.after(Effect::Retire(Arc::clone(client)));
        }
    }
}
