//! What a client is made of, shared by its handle, its outbox and the channels it is in.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::disconnect::Disconnect;
use crate::hub::after::Effect;
use crate::hub::after::HubEvent;
use crate::hub::channel::Core;
use crate::hub::channel::Op;
use crate::hub::common::Common;
use crate::hub::error::SubscribeError;
use crate::hub::filter::Filter;
use crate::hub::frame::Member;
use crate::hub::membership::Membership;
use crate::hub::policy::PolicyCell;
use crate::hub::queue::Closing;
use crate::hub::queue::Queue;
use crate::hub::stats::ClientStats;
use crate::hub::stats::read;
use crate::id::ChannelName;
use crate::id::ClientId;
use crate::sync::Mutex;
use crate::sync::atomic::AtomicU32;
use crate::sync::atomic::Ordering;
use crate::sync::atomic::fence;

/// A client.
///
/// The queue comes first and is aligned for the ring in it.
#[repr(C, align(64))]
pub(crate) struct ClientCore {
    pub(in crate::hub) queue: Queue,
    pub(in crate::hub) policy: PolicyCell,
    pub(in crate::hub) id: ClientId,
    pub(in crate::hub) identity: Option<Box<Identity>>,
    join_notices: bool,
    /// The channels the client is in or about to be in.
    subscriptions: Mutex<Subscriptions>,
    /// How many of them have still to give it what it has missed.
    behind: AtomicU32,
    /// How often they were asked to: another one is asked first each time.
    rounds: AtomicU32,
    pub(in crate::hub) common: Arc<Common>,
}

/// Who a client says it is, and what the application noted about it.
#[derive(Debug, Default)]
pub(in crate::hub) struct Identity {
    pub(in crate::hub) user: Option<Arc<str>>,
    pub(in crate::hub) auth: Bytes,
    pub(in crate::hub) metadata: Vec<(Arc<str>, Arc<str>)>,
    pub(in crate::hub) flush_delay: Option<Duration>,
}

type Subscriptions = SmallVec<[Arc<Membership>; 2]>;

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
            subscriptions: Mutex::default(),
            behind: AtomicU32::new(0),
            rounds: AtomicU32::new(0),
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
        if subscriptions
            .iter()
            .any(|membership| Arc::ptr_eq(membership.channel(), channel))
        {
            return Err(SubscribeError::AlreadySubscribed);
        }
        let limit = self.common.limits.max_subscriptions;
        // The channel of all clients, which has no name, is no subscription of theirs.
        let named = subscriptions.iter().filter(|held| held.name().is_some());
        if channel.name().is_some() && named.count() >= limit {
            return Err(SubscribeError::TooManySubscriptions { limit });
        }
        let membership = Arc::new(Membership::new(Arc::clone(channel), member, filter));
        subscriptions.push(Arc::clone(&membership));
        Ok(membership)
    }

    /// Takes back a wish to be in a channel, and leaves it. `None` if there was no such wish.
    pub(in crate::hub) fn release(
        &self,
        which: impl Fn(&Membership) -> bool,
    ) -> Option<Arc<Membership>> {
        let membership = {
            let subscriptions = self.subscriptions.lock();
            let mut found = subscriptions.iter().filter(|held| which(held));
            found.find(|held| held.renounce()).map(Arc::clone)
        };
        self.detach_if_closed();
        let membership = membership?;
        leave(&membership);
        // Only now: until the leave is on its way, a new join must not overtake it.
        let forgotten = {
            let mut subscriptions = self.subscriptions.lock();
            let mut held = subscriptions.iter();
            let index = held.position(|held| Arc::ptr_eq(held, &membership));
            index.map(|index| subscriptions.swap_remove(index))
        };
        drop(forgotten);
        self.detach_if_closed();
        self.common.serve();
        Some(membership)
    }

    pub(in crate::hub) fn memberships(&self) -> Subscriptions {
        let memberships = self.subscriptions.lock().clone();
        self.detach_if_closed();
        memberships
    }

    /// One more channel has to give it what it has missed.
    pub(in crate::hub) fn fall_behind(&self) {
        // Release: as in `Membership::let_ask`, which follows.
        self.behind.fetch_add(1, Ordering::Release);
    }

    /// One channel has given it all that it had missed, or was left.
    pub(in crate::hub) fn end_behind(&self) {
        // Relaxed: a client that still looks finds nothing to ask for.
        self.behind.fetch_sub(1, Ordering::Relaxed);
    }

    /// Asks the channels that have more for this client to give it; called when nothing waits.
    /// Says whether any was asked: then it is to look again.
    #[inline]
    pub(in crate::hub) fn ask_for_more(&self) -> bool {
        // Acquire: pairs with the Release in `fall_behind`.
        self.behind.load(Ordering::Acquire) > 0 && self.ask_channels()
    }

    #[cold]
    fn ask_channels(&self) -> bool {
        let mut any = false;
        let mut memberships = self.memberships();
        // Relaxed: whose turn it is; the one that receives comes alone.
        let round = self.rounds.fetch_add(1, Ordering::Relaxed) as usize;
        // The first may take all the room that there is.
        let first = round % memberships.len().max(1);
        memberships.rotate_left(first);
        for membership in memberships {
            if membership.ask() {
                any = true;
                let channel = Arc::clone(membership.channel());
                channel.run_quietly(Op::CatchUp(membership));
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
        for membership in left {
            leave(&membership);
        }
    }

    fn detach_if_closed(&self) {
        if self.queue.is_closed_for_sure() {
            self.detach();
            self.common.serve();
        }
    }

    /// Has it logged that the client begins to lose messages.
    pub(in crate::hub) fn report_drop(&self, channel: Option<&ChannelName>) {
        if self.common.logs() {
            self.common.after(Effect::Log(HubEvent::Dropping {
                client: self.id,
                channel: channel.cloned(),
            }));
        }
    }

    pub(in crate::hub) fn stats(&self) -> ClientStats {
        let held = self.queue.held();
        let counters = &self.queue.counters;
        // What is gone was received, evicted or conflated; the counts of the latter may be a
        // little ahead.
        let gone = self.queue.ring.gone();
        let lost = read(&counters.evicted) + read(&counters.conflated);
        ClientStats {
            conflated: read(&counters.conflated),
            dropped: read(&counters.dropped),
            evicted: read(&counters.evicted),
            high_water: self.queue.ring.high_water().max(held.messages),
            queued_bytes: held.bytes,
            queued_messages: held.messages,
            received: gone.saturating_sub(lost),
        }
    }
}

/// Leaves a channel; done once it is this operation's turn there. Callbacks are left to the caller.
fn leave(membership: &Arc<Membership>) {
    let _first = membership.renounce();
    let leave = Op::Leave(Arc::clone(membership));
    membership.channel().run_quietly(leave);
}
