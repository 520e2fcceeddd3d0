//! Messages that an outbox could not take, although the policy makes room for them.
//!
//! Under `KeepLatest` a publisher takes the consumer's part of an outbox to make room. While the
//! receiver or another publisher has that part, the channel keeps the message for the subscriber:
//! it is *handed over*. A channel has one owner at a time, so handing over conflates by key with no
//! synchronisation, also while a thread that has the part is suspended.
//!
//! # Promises
//!
//! * **Order**: as long as something is handed over, the later publications of the channel follow
//!   it, in order; then the subscriber goes live again, in the same operation.
//! * **Progress**: each later publication first puts in what was handed over, and the receiver asks
//!   for it when it is called, and when its outbox is empty.
//! * **Memory**: a client has, over all its channels, at most its outbox's limits once more. Of
//!   each channel and key only the last message is kept. Beyond that the new message is dropped.
//! * **Closing**: what is handed over goes when the client leaves the channel or is closed, and is
//!   counted as abandoned.

use std::sync::Arc;

use crate::hub::backlog::Backlog;
use crate::hub::backlog::weight;
use crate::hub::channel::core::Face;
use crate::hub::channel::fanout::Behind;
use crate::hub::channel::fanout::Pass;
use crate::hub::channel::fanout::Sending;
use crate::hub::channel::fanout::Subscriber;
use crate::hub::channel::fanout::Subscribers;
use crate::hub::channel::replay::Given;
use crate::hub::delivery::Delivery;
use crate::hub::frame::Frame;
use crate::hub::policy::Class;
use crate::hub::queue::Overflow;
use crate::hub::queue::Room;
use crate::hub::queue::count;
use crate::limits::SlowConsumer;
use crate::raw::bell::Rings;
use crate::raw::ring::Held;

/// What is handed over for one subscriber, in the order of publication.
pub(super) struct Values(Backlog);

impl Values {
    fn new() -> Self {
        let mut values = Backlog::default();
        let _nothing = values.set_own(Some(Class::Conflates));
        Self(values)
    }

    /// Appends a message, and returns the older one of its key.
    fn add(&mut self, frame: Frame) -> Option<Frame> {
        let _none = self.0.append(frame);
        self.0.take_superseded()
    }
}

impl Values {
    /// How much is handed over.
    fn held(&self) -> Held {
        // All of it is of a class that yields.
        self.0.yielding()
    }

    /// Gives up all of it, as the subscriber leaves.
    pub(super) fn discard(self, subscriber: &Subscriber) {
        let is_plain = self
            .0
            .front()
            .is_some_and(|frame| frame.channel().is_none());
        subscriber.client.queue.abandon(self.held(), is_plain);
    }
}

impl Behind {
    /// Puts what is handed over into the outbox, as far as there is room. Returns how far that
    /// went, and how many older messages were evicted or conflated for it.
    pub(super) fn give_values(&mut self, face: &Face) -> (Given, usize) {
        let Self {
            subscriber: Subscriber {
                client, membership, ..
            },
            values: Some(values),
            ..
        } = self
        else {
            return (Given::All(0), 0);
        };
        // First, so that a client which receives what is put in below may ask for more.
        client.let_ask_at_once(membership);
        let queue = &client.queue;
        let own = client.policy.get();
        let policy = own.unwrap_or_else(|| face.policy());
        let (mut given, mut evicted) = (0, 0);
        while let Some(frame) = values.0.front() {
            let (bytes, is_plain) = (weight(frame), frame.channel().is_none());
            match queue.put(frame.clone().into_shared(), policy, own) {
                Room::StoredMessage { evicted: more } => {
                    drop(values.0.next());
                    queue.handed.release(Held { messages: 1, bytes }, is_plain);
                    given += 1;
                    evicted += more;
                }
                Room::Closed { evicted: more, .. } => {
                    return (Given::Closed(given), evicted + more);
                }
                Room::Contested { evicted: more, .. } | Room::Nothing { evicted: more, .. } => {
                    if given == 0 {
                        // It may have received all before it could see that it may ask.
                        queue.ring.call();
                    }
                    return (Given::Part(given), evicted + more);
                }
            }
        }
        (Given::All(given), evicted)
    }

    /// Hands over `frame` behind what is handed over already, or refuses it.
    fn follow(
        &mut self,
        frame: Frame,
        policy: SlowConsumer,
        now: impl FnOnce() -> u64,
    ) -> Overflow {
        let (client, values) = (&self.subscriber.client, &mut self.values);
        let queue = &client.queue;
        let Some(values) = values
            .as_mut()
            .filter(|_| policy == SlowConsumer::KeepLatest)
        else {
            return queue.refuse(frame.into_shared(), policy, 0, now);
        };
        let older = values.0.weight_of_key(&frame);
        if !queue.hand_over(&frame, older) {
            return queue.refuse(frame.into_shared(), policy, 0, now);
        }
        let older = values.add(frame);
        if older.is_some() {
            // It counts as gone, and never was in the outbox.
            count(&queue.counters.conflated);
            count(&queue.counters.beside);
        }
        Overflow::StoredMessage {
            evicted: usize::from(older.is_some()),
        }
    }
}

impl Subscribers {
    /// Serves those for whom something is handed over already, and keeps what this publication has
    /// to have handed over.
    #[cold]
    pub(super) fn serve_owing(&mut self, sending: &Sending<'_>, rings: &mut Rings) -> Delivery {
        let mut delivery = Delivery::nobody();
        // From the end: one that goes live is replaced by one that was served.
        for index in (0..self.behind.len()).rev() {
            let Some(behind) = self.behind.get_mut(index) else {
                continue;
            };
            if behind.values.is_none() {
                continue;
            }
            let (given, evicted) = behind.give_values(sending.face);
            delivery.evicted += evicted;
            let membership = Arc::clone(&behind.subscriber.membership);
            if let Given::Closed(_) = given {
                self.found_dead(&membership);
                continue;
            }
            if sending.is_for(&behind.subscriber) {
                delivery = delivery.and(self.serve_one(sending, rings, index, &given));
            }
            if let Given::All(_) = given {
                self.go_live(index);
            }
        }
        for (subscriber, frame) in std::mem::take(&mut self.found.handed) {
            delivery.evicted += self.owe(subscriber, frame, sending.face);
        }
        delivery
    }

    /// Serves one for whom something was handed over, of which `given` is in the outbox now.
    fn serve_one(
        &mut self,
        sending: &Sending<'_>,
        rings: &mut Rings,
        index: usize,
        given: &Given,
    ) -> Delivery {
        let Some(behind) = self.behind.get_mut(index) else {
            return Delivery::nobody();
        };
        let mut pass = Pass::new(sending, &mut self.found, rings, 1);
        if matches!(given, Given::All(_)) {
            pass.serve(&behind.subscriber);
            return pass.delivery();
        }
        let frame = Frame(pass.lend());
        let own = behind.subscriber.client.policy.get();
        let policy = own.unwrap_or(sending.policy);
        let common = &sending.face.common;
        let overflow = behind.follow(frame, policy, || common.millis());
        pass.settle(&behind.subscriber, overflow);
        pass.delivery()
    }

    /// Has a subscriber get `frame` later, and first. Returns how many messages were evicted or
    /// conflated for what there is room for after all.
    pub(super) fn owe(&mut self, subscriber: Subscriber, frame: Frame, face: &Face) -> usize {
        let membership = Arc::clone(&subscriber.membership);
        let index = match membership.index() {
            Some(index) if membership.is_behind() => index,
            Some(_) => self.make_owing(subscriber, Box::new(Values::new())),
            None => {
                // It has left meanwhile.
                let bytes = weight(&frame);
                let is_plain = frame.channel().is_none();
                let held = Held { messages: 1, bytes };
                subscriber.client.queue.abandon(held, is_plain);
                return 0;
            }
        };
        let Some(behind) = self.behind.get_mut(index) else {
            return 0;
        };
        if let Some(values) = &mut behind.values {
            // A message of its own, or the first of its key.
            let _none = values.add(frame);
        }
        let (given, evicted) = behind.give_values(face);
        match given {
            Given::All(_) => self.go_live(index),
            Given::Closed(_) => self.found_dead(&membership),
            Given::Part(_) => {}
        }
        evicted
    }
}
