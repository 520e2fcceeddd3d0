//! Making room in a full outbox, in the consumer's place.
//!
//! A publisher takes the consumer's part of the ring for a moment, moves what is queued into the
//! [backlog](super::backlog), and puts its own message there in the place of one that it takes out.
//! The room never becomes free for others in between, so a publisher that has the part is not
//! overtaken, and no message is taken out for one that does not come.

use crate::hub::backlog::Backlog;
use crate::hub::backlog::weight;
use crate::hub::cuts::NewCuts;
use crate::hub::cuts::apply;
use crate::hub::cuts::pop;
use crate::hub::cuts::retire;
use crate::hub::frame::Body;
use crate::hub::frame::Frame;
use crate::hub::policy::Class;
use crate::hub::queue::Counters;
use crate::hub::queue::Notices;
use crate::hub::queue::Side;
use crate::hub::queue::count;
use crate::raw::ring::Consume;

/// What came of making room for a message.
pub(super) enum Made {
    /// Others are in the way at this moment.
    Contested(Frame),
    /// Nothing that is queued may be taken out for it.
    Nothing(Frame),
    /// It is queued.
    Placed,
    /// There was room in the ring, as the turn ended.
    Room(Frame),
}

/// One attempt to make room: a turn as the consumer.
pub(super) struct Eviction<'a> {
    pub(super) turn: Consume<'a, Body, Side>,
    pub(super) counters: &'a Counters,
    pub(super) cuts: &'a NewCuts,
    /// The class that the client's own policy gives to its frames.
    pub(super) own: Option<Class>,
    pub(super) notices: Notices,
    /// Messages taken out so far.
    pub(super) evicted: usize,
}

impl Eviction<'_> {
    /// Queues `frame`, which is of `class` for this client, or makes room for it.
    pub(super) fn make_room(&mut self, frame: Frame, class: Class) -> Made {
        if self.turn.is_closed() {
            // Pushing it says so.
            return Made::Room(frame);
        }
        let own = self.own;
        for older in self.backlog(|backlog| backlog.set_own(own)) {
            self.conflated(&older);
        }
        let all = self.absorb();
        if self.backlog(|backlog| backlog.cuts.cover_new(&frame)) {
            // The client has left, and the channel has still to see that.
            count(&self.counters.abandoned);
            count(&self.counters.beside);
            return Made::Placed;
        }
        let weight = weight(&frame);
        if self.turn.would_admit(weight) {
            return Made::Room(frame);
        }
        // What is still on its way into the ring may be of the same channel, and came before.
        if !all && class == Class::Conflates {
            return Made::Contested(frame);
        }
        let yielding = self.backlog(|backlog| backlog.yielding());
        if yielding.messages == 0 || !self.turn.could_admit(weight, yielding) {
            return if all {
                Made::Nothing(frame)
            } else {
                Made::Contested(frame)
            };
        }
        if all {
            return self.place(frame, class);
        }
        while !self.turn.would_admit(weight) {
            if !self.take_one(class) {
                return Made::Contested(frame);
            }
        }
        Made::Room(frame)
    }

    /// Moves what is in the ring into the backlog. `false` if some is still on its way.
    fn absorb(&mut self) -> bool {
        while let Some(frame) = self.backlog(Backlog::take_set_aside) {
            if let Some(older) = self.backlog(|backlog| backlog.append(frame)) {
                self.conflated(&older);
            }
        }
        loop {
            if self.cuts.any() {
                let Some(cuts) = self.cuts.try_take() else {
                    // Somebody is adding one at this moment.
                    return false;
                };
                apply(&mut self.turn, cuts, self.counters);
            }
            while let Some(frame) = pop(&mut self.turn, self.counters) {
                self.turn.keep(weight(&frame));
                if let Some(older) = self.backlog(|backlog| backlog.append(frame)) {
                    self.conflated(&older);
                }
            }
            retire(&mut self.turn);
            if !self.turn.is_drained() {
                return false;
            }
            if !self.turn.look_again() {
                return true;
            }
        }
    }

    /// Puts `frame` into the backlog, in the place of others.
    fn place(&mut self, frame: Frame, class: Class) -> Made {
        let weight = weight(&frame);
        if let Some(older) = self.backlog(|backlog| backlog.supersede(&frame)) {
            self.conflated(&older);
        }
        while !self.turn.admit(weight) {
            if !self.take_one(class) {
                return Made::Contested(frame);
            }
        }
        self.backlog(|backlog| backlog.push(frame));
        count(&self.counters.beside);
        Made::Placed
    }

    /// Takes out one message: one that is superseded, or else the one queued longest of those that
    /// may be evicted. `false` if there is none, or if a successor may still be on its way.
    fn take_one(&mut self, class: Class) -> bool {
        if self.take_superseded() {
            return true;
        }
        // A small message may have found room in bytes meanwhile, and be a successor.
        if self.turn.look_again() {
            let all = self.absorb();
            if self.take_superseded() {
                return true;
            }
            if !all && class == Class::Conflates {
                return false;
            }
        }
        let Some(frame) = self.backlog(Backlog::evict) else {
            return false;
        };
        self.turn.settle(weight(&frame));
        self.evicted += 1;
        count(&self.counters.evicted);
        if self.notices.channels > 0 {
            let notices = self.notices;
            self.backlog(|backlog| backlog.losses.note(&frame, notices));
        }
        true
    }

    fn take_superseded(&mut self) -> bool {
        let older = self.backlog(Backlog::take_superseded);
        if let Some(older) = &older {
            self.conflated(older);
        }
        older.is_some()
    }

    fn conflated(&mut self, older: &Frame) {
        self.turn.settle(weight(older));
        self.evicted += 1;
        count(&self.counters.conflated);
    }

    fn backlog<R>(&mut self, f: impl FnOnce(&mut Backlog) -> R) -> R {
        self.turn.state(|side| f(side.get_or_insert_default()))
    }
}
