//! What a client is made of, shared by its handle, its outbox and the channels it is in.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::Weak;
use std::time::Duration;

use bytes::Bytes;
use crossbeam_queue::SegQueue;

use crate::disconnect::Disconnect;
use crate::hub::after::Effect;
use crate::hub::after::HubEvent;
use crate::hub::channel::Core;
use crate::hub::channel::Op;
use crate::hub::client::subscriptions::Subscriptions;
use crate::hub::common::Common;
use crate::hub::error::SubscribeError;
use crate::hub::filter::Filter;
use crate::hub::frame::Body;
use crate::hub::frame::Member;
use crate::hub::membership::Membership;
use crate::hub::policy::PolicyCell;
use crate::hub::queue::Closing;
use crate::hub::queue::Grace;
use crate::hub::queue::Queue;
use crate::hub::queue::Side;
use crate::hub::stats::ClientStats;
use crate::hub::stats::read;
use crate::id::ChannelName;
use crate::id::ClientId;
use crate::limits::SlowConsumer;
use crate::pairs::Pairs;
use crate::quiet::Quiet;
use crate::raw::ring::Ring;
use crate::raw::ring::Ringed;
use crate::sync::Mutex;
use crate::sync::atomic::AtomicBool;
use crate::sync::atomic::AtomicU32;
use crate::sync::atomic::Ordering;
use crate::sync::atomic::fence;

/// A client.
pub(crate) struct ClientCore {
    pub(in crate::hub) queue: Queue,
    pub(in crate::hub) policy: PolicyCell,
    pub(in crate::hub) id: ClientId,
    pub(in crate::hub) identity: Option<Box<Identity>>,
    join_notices: bool,
    /// Whether publications may come by several ways.
    has_copies: AtomicBool,
    /// The channels the client is in or about to be in.
    subscriptions: Mutex<Subscriptions>,
    /// How many of them have still to give it what it has missed.
    behind: AtomicU32,
    /// Those that it may ask to, and perhaps some that have nothing for it any more. Made for the
    /// first.
    asking: OnceLock<Box<SegQueue<Weak<Membership>>>>,
    pub(in crate::hub) common: Arc<Common>,
}

/// Who a client says it is, and what the application noted about it.
///
/// # Memory
///
/// 48 bytes, and one block for all of the metadata: see [`Pairs`].
#[derive(Debug, Default)]
pub(in crate::hub) struct Identity {
    pub(in crate::hub) user: Option<Arc<str>>,
    pub(in crate::hub) metadata: Pairs,
    pub(in crate::hub) rare: Option<Box<Rare>>,
}

/// The part of an identity that few clients have.
#[derive(Debug, Default)]
pub(in crate::hub) struct Rare {
    pub(in crate::hub) auth: Quiet<Bytes>,
    pub(in crate::hub) flush_delay: Option<Duration>,
}

/// How many names are copied at a time.
const COPIED: usize = 256;

/// How many memberships that have nothing to ask for any more may stand among those that have.
const STALE: usize = 64;

impl Ringed for ClientCore {
    type Item = Body;
    type State = Side;

    #[inline(always)]
    fn ring(&self) -> &Ring<Body, Side> {
        &self.queue.ring
    }
}

impl ClientCore {
    pub(in crate::hub) fn new(
        id: ClientId,
        queue: Queue,
        policy: PolicyCell,
        identity: Option<Box<Identity>>,
        join_notices: bool,
        common: Arc<Common>,
    ) -> Self {
        Self {
            queue,
            policy,
            id,
            identity,
            join_notices,
            has_copies: AtomicBool::new(false),
            subscriptions: Mutex::default(),
            behind: AtomicU32::new(0),
            asking: OnceLock::new(),
            common,
        }
    }

    pub(in crate::hub) fn user(&self) -> Option<&Arc<str>> {
        self.identity.as_ref()?.user.as_ref()
    }

    pub(crate) fn wants_join_notices(&self) -> bool {
        self.join_notices
    }

    /// Notes a wish to be in a channel.
    ///
    /// # Errors
    ///
    /// When the client is closed, has the channel already, or has as many as it may.
    pub(in crate::hub) fn hold(
        &self,
        channel: &Arc<Core>,
        member: Option<Member>,
        filter: Option<Filter>,
    ) -> Result<Arc<Membership>, SubscribeError> {
        // The router is foreign: asked outside of the lock.
        if !self.has_copies() && channel.is_target() {
            // Relaxed: all who publish after this subscribe have seen it by the channel.
            self.has_copies.store(true, Ordering::Relaxed);
        }
        let held = self.try_hold(channel, member, filter);
        // A closer that found the lock taken leaves the work to us.
        self.detach_if_closed();
        held
    }

    fn try_hold(
        &self,
        channel: &Arc<Core>,
        member: Option<Member>,
        filter: Option<Filter>,
    ) -> Result<Arc<Membership>, SubscribeError> {
        let mut subscriptions = self.subscriptions.lock();
        if let Some(why) = self.queue.why() {
            return Err(SubscribeError::Closed(why.clone()));
        }
        if subscriptions.holds(channel) {
            return Err(SubscribeError::AlreadySubscribed);
        }
        let limit = self.common.limits.max_subscriptions;
        // The channel of all clients, which has no name, is no subscription of theirs.
        if channel.name().is_some() && subscriptions.named() >= limit {
            return Err(SubscribeError::TooManySubscriptions { limit });
        }
        let membership = Arc::new(Membership::new(Arc::clone(channel), member, filter));
        subscriptions.push(Arc::clone(&membership));
        Ok(membership)
    }

    /// Takes back a wish to be in the channel of this name, and leaves it: the one that `is_meant`.
    /// `None` if there was no such wish.
    pub(in crate::hub) fn release(
        &self,
        channel: &str,
        is_meant: impl Fn(&Membership) -> bool,
    ) -> Option<Arc<Membership>> {
        let membership = {
            let subscriptions = self.subscriptions.lock();
            let held = subscriptions.get(channel).filter(|held| is_meant(held));
            held.filter(|held| held.renounce()).map(Arc::clone)
        };
        self.detach_if_closed();
        let membership = membership?;
        let cut = membership.cut();
        leave(&membership);
        if !self.queue.cut(cut) {
            self.close_quietly(Disconnect::CONTROL_OVERFLOW);
        }
        // Only now: until the leave is on its way, and what is queued is cut, a new join must not
        // overtake them.
        let forgotten = self.subscriptions.lock().remove(&membership);
        drop(forgotten);
        self.detach_if_closed();
        self.common.serve();
        Some(membership)
    }

    /// Whether publications may come by several ways: the client has joined a target of routes.
    #[inline(always)]
    pub(in crate::hub) fn has_copies(&self) -> bool {
        // Relaxed: what may be a copy comes by the ring, after the join.
        self.has_copies.load(Ordering::Relaxed)
    }

    /// Whether the client is in the channel of this name, or about to be.
    pub(in crate::hub) fn is_subscribed(&self, channel: &str) -> bool {
        let is_there = {
            let subscriptions = self.subscriptions.lock();
            subscriptions
                .get(channel)
                .is_some_and(|held| held.is_wanted())
        };
        self.detach_if_closed();
        is_there
    }

    /// The names of the channels that the client is in or about to be in, and that are `wanted`.
    /// They are copied some at a time, so that no join waits for all of them.
    pub(in crate::hub) fn subscriptions(
        &self,
        wanted: impl Fn(&ChannelName) -> bool,
    ) -> Vec<ChannelName> {
        let mut names = Vec::new();
        let (mut end, mut first) = (usize::MAX, true);
        while end > 0 {
            let subscriptions = self.subscriptions.lock();
            let (some, begin) = subscriptions.before(end, COPIED);
            let there = some.iter().rev().filter(|held| held.is_wanted());
            let named = there.filter_map(|held| held.name());
            names.extend(named.filter(|name| wanted(name)).cloned());
            drop(subscriptions);
            self.detach_if_closed();
            first &= begin == 0;
            end = begin;
        }
        if !first {
            // One that was moved meanwhile may have been seen twice.
            names.sort_unstable();
            names.dedup();
        } else {
            names.reverse();
        }
        names
    }

    /// One more channel has to give it what it has missed.
    pub(in crate::hub) fn fall_behind(&self) {
        // Release: as in `Membership::let_ask`, which follows.
        self.behind.fetch_add(1, Ordering::Release);
        // Until now the receiver need not look whether it may ask.
        self.queue.ring.call();
    }

    /// One channel has given it all that it had missed, or was left.
    pub(in crate::hub) fn end_behind(&self) {
        // Relaxed: a client that still looks finds nothing to ask for.
        self.behind.fetch_sub(1, Ordering::Relaxed);
    }

    /// Lets the client ask this channel for more: see [`Membership::let_ask`].
    pub(in crate::hub) fn let_ask(&self, membership: &Arc<Membership>) {
        if membership.let_ask() {
            self.note_asking(membership);
        }
    }

    /// [`ClientCore::let_ask`], and has the client ask when it is called.
    pub(in crate::hub) fn let_ask_at_once(&self, membership: &Arc<Membership>) {
        if membership.let_ask_at_once() {
            self.note_asking(membership);
        }
    }

    fn note_asking(&self, membership: &Arc<Membership>) {
        let asking = self.asking.get_or_init(Box::default);
        asking.push(Arc::downgrade(membership));
        // Relaxed: a bound for what has no use any more, and need not be exact.
        let behind = self.behind.load(Ordering::Relaxed) as usize;
        if asking.len() > 2 * behind + STALE {
            for _ in 0..asking.len() {
                let Some(some) = asking.pop() else { break };
                if some.upgrade().is_some_and(|some| some.may_ask()) {
                    asking.push(some);
                }
            }
            // The receiver may have looked while some were out.
            self.queue.ring.call();
        }
    }

    /// Whether a channel has to give it what it has missed: a receiver that finds none need not
    /// look again until it is called.
    pub(in crate::hub) fn is_behind(&self) -> bool {
        // Acquire: pairs with the Release in `fall_behind`.
        self.behind.load(Ordering::Acquire) > 0
    }

    /// Asks the channels that have more for this client to give it; called when nothing waits.
    /// Says whether any was asked: then it is to look again.
    #[inline]
    pub(in crate::hub) fn ask_for_more(&self) -> bool {
        self.is_behind() && self.ask_channels(Membership::ask, 1)
    }

    /// Asks the channels that have been handed something over for this client to give it; called
    /// when the receiver was called.
    pub(in crate::hub) fn ask_at_once(&self) {
        if self.is_behind() {
            // In the order of the last time.
            self.ask_channels(Membership::ask_at_once, 0);
        }
    }

    /// The membership in the channel of all clients, unless the client is closed.
    pub(in crate::hub) fn everyone(&self) -> Option<Arc<Membership>> {
        let everyone = self.subscriptions.lock().unnamed().map(Arc::clone);
        self.detach_if_closed();
        everyone
    }

    #[cold]
    fn ask_channels(&self, ask: fn(&Membership) -> bool, first: usize) -> bool {
        let Some(asking) = self.asking.get() else {
            return false;
        };
        let there = (0..asking.len()).map_while(|_| asking.pop());
        let mut memberships: Vec<_> = there.filter_map(|some| some.upgrade()).collect();
        if !memberships.is_empty() {
            // The first may take all the room that there is. They come back in this order.
            let first = first % memberships.len();
            memberships.rotate_left(first);
        }
        let mut any = false;
        for membership in memberships {
            if ask(&membership) {
                any = true;
                let channel = Arc::clone(membership.channel());
                channel.run_quietly(Op::CatchUp(membership));
            } else if membership.may_ask() {
                asking.push(Arc::downgrade(&membership));
            }
        }
        if any {
            self.common.serve();
        }
        any
    }

    /// Closes the queue, and has the client taken off its channels.
    pub(in crate::hub) fn close(&self, why: Disconnect) {
        self.close_quietly(why);
        self.common.serve();
    }

    /// [`ClientCore::close`], but leaves it to the caller to have the callbacks called: one that
    /// panics must find everything done.
    pub(in crate::hub) fn close_quietly(&self, why: Disconnect) {
        if self.queue.close(why) == Closing::First {
            self.retire();
        }
    }

    /// What follows the first close: the client no longer counts, and leaves its channels.
    pub(crate) fn retire(&self) {
        // Relaxed: a figure, and the bound of `Shared::connect`.
        self.common.counters.clients.fetch_sub(1, Ordering::Relaxed);
        self.detach();
    }

    /// Takes a closed client off its channels, without waiting: whoever has the lock does it
    /// instead, after letting go of it.
    fn detach(&self) {
        // SeqCst: see `Queue::is_closed_for_sure`.
        fence(Ordering::SeqCst);
        let Some(mut subscriptions) = self.subscriptions.try_lock() else {
            return;
        };
        let left = std::mem::take(&mut *subscriptions);
        drop(subscriptions);
        for membership in left.into_all() {
            leave(&membership);
        }
    }

    fn detach_if_closed(&self) {
        if self.queue.is_closed_for_sure() {
            self.detach();
            self.common.serve();
        }
    }

    /// The client begins to lose messages: has it logged, and if `policy` gives it a grace, has
    /// that end in time.
    pub(in crate::hub) fn begin_losing(
        self: &Arc<Self>,
        policy: SlowConsumer,
        channel: Option<&ChannelName>,
    ) {
        match policy {
            SlowConsumer::Disconnect { grace } => {
                if self.queue.begin_grace(grace) {
                    self.common.graces.begin(self);
                }
            }
            _ => self.queue.forget_grace(),
        }
        if self.common.logs() {
            self.common.after(Effect::Log(HubEvent::DroppingStarted {
                client: self.id,
                channel: channel.cloned(),
            }));
        }
    }

    /// Disconnects the client if its grace is over. Callbacks are left to the caller.
    pub(in crate::hub) fn end_grace(self: &Arc<Self>) {
        match self
            .queue
            .end_grace(self.policy.get(), self.common.millis())
        {
            Grace::None => {}
            Grace::Lasts => self.common.graces.begin(self),
            Grace::Over => {
                self.common.counters.disconnect();
                self.common.after(Effect::Retire(Arc::clone(self)));
            }
        }
    }

    /// Returns the age of the message that is received next, if that can be known now.
    pub(in crate::hub) fn oldest_waiting(&self) -> Option<Duration> {
        if self.queue.held().messages == 0 {
            return None;
        }
        let oldest = self.queue.oldest()?;
        let now = Duration::from_millis(self.common.unix_millis());
        Some(now.saturating_sub(oldest.published_at()))
    }

    pub(in crate::hub) fn stats(&self) -> ClientStats {
        let held = self.queue.held();
        let counters = &self.queue.counters;
        // What is gone was received, evicted, conflated, abandoned or had expired; the counts of
        // the latter may be a little ahead.
        let gone = self.queue.ring.gone() + read(&counters.beside);
        let lost = read(&counters.evicted) + read(&counters.conflated) + read(&counters.expired);
        let abandoned = read(&counters.abandoned);
        let copies = self.queue.cuts.copies();
        ClientStats {
            abandoned,
            conflated: read(&counters.conflated),
            copies,
            dropped: read(&counters.dropped),
            evicted: read(&counters.evicted),
            expired: read(&counters.expired),
            handed_over: read(&counters.handed_over),
            high_water: self.queue.ring.high_water().max(held.messages),
            oldest_waiting: None,
            queued_bytes: held.bytes,
            queued_messages: held.messages,
            received: gone.saturating_sub(lost + abandoned + copies),
        }
    }
}

/// Leaves a channel; done once it is this operation's turn there. Callbacks are left to the caller.
fn leave(membership: &Arc<Membership>) {
    let _first = membership.renounce();
    let leave = Op::Leave(Arc::clone(membership));
    membership.channel().run_quietly(leave);
}
