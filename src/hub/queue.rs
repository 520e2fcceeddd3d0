//! The queue under one outbox: a ring for data, a small one for control, and the policies.
//!
//! A publisher pushes here; what a full ring means is decided here, by the client's policy, and
//! nowhere else. Nothing here waits: an evicting policy takes the consumer's part for a moment, and
//! where that can't be had (the client is receiving at this very moment) the new message is handed
//! over to the channel under `KeepLatest`, and dropped and counted under `DropOldest`.

use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;
use std::time::Instant;

use crate::disconnect::Disconnect;
use crate::hub::backlog::Backlog;
use crate::hub::cuts::Cut;
use crate::hub::cuts::NewCuts;
use crate::hub::cuts::apply;
use crate::hub::eviction::Eviction;
use crate::hub::eviction::Made;
use crate::hub::frame::Body;
use crate::hub::frame::Frame;
use crate::hub::handed::Handed;
use crate::hub::policy::Class;
use crate::hub::policy::evicts;
use crate::limits::OutboxLimits;
use crate::limits::SlowConsumer;
use crate::raw::ring::Budget;
use crate::raw::ring::Consume;
use crate::raw::ring::Held;
use crate::raw::ring::Lines as LinesOf;
use crate::raw::ring::MOST_MESSAGES;
use crate::raw::ring::Ring;
use crate::raw::ring::Weigh;
use crate::raw::ring::Why;
use crate::raw::shared::Shared;
use crate::sync::Arc as SharedArc;
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering;
use crate::sync::atomic::fence;

/// What goes with the consumer's part of the ring.
pub(crate) type Side = Option<Box<Backlog>>;

/// Where the lines of rings are.
pub(super) type Lines = LinesOf<Body>;

/// How many control messages may wait, besides gap notices; a client that lets more pile up is
/// disconnected.
pub(super) const CONTROL_LIMIT: usize = 64;

/// How many bytes of control messages may wait. Only rosters are large: 8 bytes a member, counted
/// as 1 MiB at most.
const CONTROL_BYTES: u64 = 16 << 20;

/// How often a push tries to make room while others are in the way, or faster.
const ATTEMPTS: usize = 4;

/// No grace, of a client that was given one before.
const NO_GRACE: u64 = u64::MAX;

/// What waits for one client.
pub(super) struct Queue {
    pub(super) ring: Ring<Body, Side>,
    /// Made for the first control message; `None` if the outbox was dropped before.
    control: OnceLock<Option<Box<Ring<Body, ()>>>>,
    pub(super) counters: Counters,
    pub(super) cuts: NewCuts,
    pub(super) handed: Handed,
    /// Milliseconds since the hub began, at the first message that did not fit since the client
    /// had last emptied its queue.
    behind_since: AtomicU64,
    /// One more than the milliseconds of the grace that the client was given, or [`NO_GRACE`]; zero
    /// while it is not among the [`Graces`](super::graces::Graces).
    grace: AtomicU64,
    why: OnceLock<Box<Disconnect>>,
    notices: Notices,
}

/// What a client is told of losses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Notices {
    /// For how many channels they are recorded; 0 if the client is told nothing.
    pub(super) channels: u32,
    /// How many keys a notice lists.
    pub(super) keys: usize,
}

/// What happened to the messages of one client.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) abandoned: AtomicU64,
    /// Those that came or went and never were in the ring.
    pub(super) beside: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) evicted: AtomicU64,
    pub(super) expired: AtomicU64,
    pub(super) conflated: AtomicU64,
    pub(super) handed_over: AtomicU64,
}

/// What became of a message that did not fit.
pub(super) enum Overflow {
    /// Somebody else has closed the client meanwhile: the message is not for it any more. So many
    /// older ones were thrown away before that was seen.
    Closed { item: Shared<Body>, evicted: usize },
    /// It was dropped, and the client is disconnected for it.
    Disconnected(Shared<Body>),
    /// It was dropped, perhaps after so many older ones had been thrown away in vain, for others
    /// took the room; perhaps as the first since the client had last emptied its queue.
    Dropped {
        item: Shared<Body>,
        evicted: usize,
        first: bool,
    },
    /// It is to be handed over: others are in the way, and it is counted.
    HandedOver { item: Shared<Body>, evicted: usize },
    /// It was put in after all; so many older ones were dropped or conflated for it.
    StoredMessage { evicted: usize },
}

/// What came of making room for a message; so many older ones were taken out for it.
pub(super) enum Room {
    /// The client is closed.
    Closed { item: Shared<Body>, evicted: usize },
    /// Others are in the way at this moment.
    Contested { item: Shared<Body>, evicted: usize },
    /// Nothing that is queued may be taken out for it.
    Nothing { item: Shared<Body>, evicted: usize },
    /// It was put in.
    StoredMessage { evicted: usize },
}

/// What became of a client that has lost what it was still to get.
pub(super) enum Losing {
    /// Somebody else has closed it.
    Closed,
    /// It is disconnected for it.
    Disconnected,
    /// It goes on; perhaps this is the first loss since it had last emptied its queue.
    Dropped { first: bool },
}

impl Queue {
    /// An empty queue, whose ring has its line in `lines`, and shares `budget` with others.
    pub(super) fn new(
        lines: &Lines,
        budget: Option<SharedArc<Budget>>,
        limits: OutboxLimits,
        policy: SlowConsumer,
        notices: Notices,
    ) -> Self {
        let (messages, bytes) = (limits.max_messages, limits.max_bytes as u64);
        Self {
            ring: Ring::new_in(lines, budget, messages, bytes, evicts(policy), None),
            control: OnceLock::new(),
            counters: Counters::default(),
            cuts: NewCuts::default(),
            handed: Handed::default(),
            behind_since: AtomicU64::new(0),
            grace: AtomicU64::new(0),
            why: OnceLock::new(),
            notices,
        }
    }

    /// What to do with `item`, which the ring has refused as full. `own` is the client's own
    /// policy.
    pub(super) fn overflow(
        &self,
        item: Shared<Body>,
        policy: SlowConsumer,
        own: Option<SlowConsumer>,
        now: impl FnOnce() -> u64,
    ) -> Overflow {
        if !evicts(policy) {
            return self.refuse(item, policy, 0, now);
        }
        match self.make_room(item, policy, own) {
            Room::StoredMessage { evicted } => Overflow::StoredMessage { evicted },
            Room::Closed { item, evicted } => Overflow::Closed { item, evicted },
            Room::Nothing { item, evicted } => self.refuse(item, policy, evicted, now),
            Room::Contested { item, evicted } => {
                let frame = Frame(item);
                let hands_over = policy == SlowConsumer::KeepLatest;
                let counted = hands_over && self.hand_over(&frame, None);
                let item = frame.into_shared();
                if counted {
                    Overflow::HandedOver { item, evicted }
                } else {
                    self.refuse(item, policy, evicted, now)
                }
            }
        }
    }

    /// What to do with `item`, for which there is no room and none can be made.
    pub(super) fn refuse(
        &self,
        item: Shared<Body>,
        policy: SlowConsumer,
        evicted: usize,
        now: impl FnOnce() -> u64,
    ) -> Overflow {
        let SlowConsumer::Disconnect { grace } = policy else {
            return self.drop_newest(item, evicted, now);
        };
        if grace.is_zero() {
            return self.disconnect_slow(item);
        }
        let now = now();
        if self.is_in_grace(grace, now) {
            return self.drop_newest(item, evicted, || now);
        }
        self.disconnect_slow(item)
    }

    /// Counts `frame` as handed over, in the place of an older one of so many bytes if there is
    /// one. `false` if as much is handed over as may be.
    pub(super) fn hand_over(&self, frame: &Frame, instead: Option<u64>) -> bool {
        let (bytes, is_plain) = (frame.0.weight(), frame.channel().is_none());
        let limits = self.ring.limits();
        let counted = self.handed.reserve(bytes, instead, is_plain, limits);
        if counted {
            count(&self.counters.handed_over);
        }
        counted
    }

    /// Puts in what was handed over, if there is room or if `policy` makes some.
    pub(super) fn put(
        &self,
        item: Shared<Body>,
        policy: SlowConsumer,
        own: Option<SlowConsumer>,
    ) -> Room {
        let Err(refused) = self.ring.push(item) else {
            return Room::StoredMessage { evicted: 0 };
        };
        let (item, evicted) = (refused.item, 0);
        match refused.why {
            Why::Closed => Room::Closed { item, evicted },
            Why::Full if evicts(policy) => self.make_room(item, policy, own),
            Why::Full => Room::Nothing { item, evicted },
        }
    }

    /// Returns the message that the client receives next, as far as it is known: not while the
    /// client receives at this moment, nor one whose publisher has not finished.
    pub(super) fn oldest(&self) -> Option<Frame> {
        let first = |side: &Side| side.as_ref().and_then(|side| side.first());
        let oldest = self.ring.glance(|side| first(side).map(Frame::into_shared));
        oldest.map(Frame)
    }

    /// Gives up what was handed over and is not going to be put in.
    pub(super) fn abandon(&self, handed: Held, is_plain: bool) {
        self.handed.release(handed, is_plain);
        let messages = handed.messages as u64;
        // Relaxed: figures for people.
        self.counters
            .abandoned
            .fetch_add(messages, Ordering::Relaxed);
        // Relaxed: as above; these count as gone, and never were in the outbox.
        self.counters.beside.fetch_add(messages, Ordering::Relaxed);
    }

    /// What to do as so many messages, which were still to be put in, are there no more.
    pub(super) fn lose(&self, messages: u64, policy: SlowConsumer, now: u64) -> Losing {
        if let SlowConsumer::Disconnect { grace } = policy
            && !self.is_in_grace(grace, now)
        {
            if self.close(Disconnect::SLOW) == Closing::Again {
                return Losing::Closed;
            }
            self.count_dropped(messages);
            return Losing::Disconnected;
        }
        self.count_dropped(messages);
        let first = self.fall_behind(|| now);
        Losing::Dropped { first }
    }

    fn is_in_grace(&self, grace: Duration, now: u64) -> bool {
        u128::from(now.saturating_sub(self.behind_since(now))) < grace.as_millis()
    }

    /// When the first message since the client had last emptied its queue did not fit.
    fn behind_since(&self, now: u64) -> u64 {
        if self.ring.is_overflown() {
            // Relaxed: a time stamp; of two racing first overflows either will do.
            self.behind_since.load(Ordering::Relaxed)
        } else {
            now
        }
    }

    /// Notes that the client was given a grace, and says whether it was not before.
    pub(super) fn begin_grace(&self, grace: Duration) -> bool {
        let millis = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        // AcqRel: either this finds that the client is among the graces, and the one who takes it
        // out afterwards sees since when it is behind; or it is put there.
        self.grace
            .swap(millis.min(NO_GRACE - 2) + 1, Ordering::AcqRel)
            == 0
    }

    /// The client has fallen behind under another policy.
    pub(super) fn forget_grace(&self) {
        let among = |grace| (grace != 0).then_some(NO_GRACE);
        // AcqRel: as in `begin_grace`.
        // Relaxed (on failure): it is not among the graces, so there is nothing to be forgotten.
        let (won, lost) = (Ordering::AcqRel, Ordering::Relaxed);
        let _was_among = self.grace.fetch_update(won, lost, among);
    }

    /// When the grace ends, in milliseconds since the hub began.
    pub(super) fn grace_ends(&self) -> u64 {
        // Relaxed: what is found too early is looked at again.
        let grace = match self.grace.load(Ordering::Relaxed) {
            // It is over as soon as it is looked at.
            NO_GRACE => 0,
            grace => grace.saturating_sub(1),
        };
        // Relaxed: as above.
        let since = self.behind_since.load(Ordering::Relaxed);
        since.saturating_add(grace)
    }

    /// Closes the queue if the grace is over. Unless that lasts, the client is among the graces no
    /// more; a policy of its own may have taken it off them.
    pub(super) fn end_grace(&self, own: Option<SlowConsumer>, now: u64) -> Grace {
        // Acquire: pairs with the AcqRel in `begin_grace`.
        let grace = self.grace.load(Ordering::Acquire);
        let is_own = own.is_none_or(|own| matches!(own, SlowConsumer::Disconnect { .. }));
        let lasts = is_own && grace != NO_GRACE && self.ring.is_overflown();
        if self.is_closed() || !lasts {
            // AcqRel: see `begin_grace`.
            // Relaxed (on failure): the client has fallen behind again, and stays.
            let (won, lost) = (Ordering::AcqRel, Ordering::Relaxed);
            let ended = self.grace.compare_exchange(grace, 0, won, lost);
            return ended.map_or(Grace::Lasts, |_| Grace::None);
        }
        if self.grace_ends() > now {
            return Grace::Lasts;
        }
        match self.close(Disconnect::SLOW) {
            Closing::First => Grace::Over,
            Closing::Again => Grace::None,
        }
    }

    fn drop_newest(
        &self,
        item: Shared<Body>,
        evicted: usize,
        now: impl FnOnce() -> u64,
    ) -> Overflow {
        count(&self.counters.dropped);
        Overflow::Dropped {
            item,
            evicted,
            first: self.fall_behind(now),
        }
    }

    /// Notes that something did not get in, and says whether it is the first since the client had
    /// last emptied its queue.
    fn fall_behind(&self, now: impl FnOnce() -> u64) -> bool {
        let first = !self.ring.is_overflown();
        if first {
            // Relaxed: as in `behind_since`.
            self.behind_since.store(now(), Ordering::Relaxed);
            self.ring.note_overflow();
        }
        first
    }

    fn disconnect_slow(&self, item: Shared<Body>) -> Overflow {
        match self.close(Disconnect::SLOW) {
            Closing::First => {
                count(&self.counters.dropped);
                Overflow::Disconnected(item)
            }
            Closing::Again => Overflow::Closed { item, evicted: 0 },
        }
    }

    /// Puts `item` in, in the place of others if need be. A member may be larger than the outbox.
    fn make_room(
        &self,
        mut item: Shared<Body>,
        policy: SlowConsumer,
        own: Option<SlowConsumer>,
    ) -> Room {
        let mut evicted = 0;
        if !self.ring.could_hold(item.weight()) {
            return Room::Nothing { item, evicted };
        }
        for _ in 0..ATTEMPTS {
            let Some(turn) = self.ring.steal() else { break };
            let mut eviction = Eviction {
                turn,
                counters: &self.counters,
                cuts: &self.cuts,
                own: own.map(Class::of),
                notices: self.notices,
                evicted,
            };
            let made = eviction.make_room(Frame(item), Class::of(policy));
            evicted = eviction.evicted;
            drop(eviction);
            match made {
                Made::Placed => return Room::StoredMessage { evicted },
                Made::Nothing(frame) => {
                    let item = frame.into_shared();
                    return Room::Nothing { item, evicted };
                }
                Made::Contested(frame) => item = frame.into_shared(),
                Made::Room(frame) => match self.ring.push(frame.into_shared()) {
                    Ok(()) => return Room::StoredMessage { evicted },
                    Err(refused) => {
                        item = refused.item;
                        if refused.why == Why::Closed {
                            return Room::Closed { item, evicted };
                        }
                    }
                },
            }
        }
        Room::Contested { item, evicted }
    }

    /// Has what a membership has put in not be received any more. Returns `false` if the receiver
    /// does not come for as many cuts as may be.
    pub(super) fn cut(&self, cut: Arc<Cut>) -> bool {
        if cut.is_empty() || !cut.is_open() && self.held().messages == 0 {
            return true;
        }
        let added = self.cuts.add(cut);
        self.ring.call();
        added
    }

    /// Takes new cuts up. For the receiver, who waits for whoever is adding one.
    pub(super) fn take_cuts(&self, turn: &mut Consume<'_, Body, Side>) {
        if self.cuts.any() {
            apply(turn, self.cuts.take(), &self.counters);
        }
    }

    /// Puts a frame into the control lane. A client that lets it fill is disconnected.
    pub(super) fn control(&self, frame: Frame) -> Controlled {
        let lane = self.control.get_or_init(|| {
            let limit = self.control_limit();
            Some(Box::new(Ring::new(limit, CONTROL_BYTES, false, ())))
        });
        let Some(lane) = lane else {
            return Controlled::Refused;
        };
        match lane.push(frame.into_shared()) {
            Ok(()) => {
                self.ring.call();
                Controlled::StoredMessage
            }
            Err(_) => match self.close(Disconnect::CONTROL_OVERFLOW) {
                Closing::First => Controlled::Disconnected,
                Closing::Again => Controlled::Refused,
            },
        }
    }

    /// Each channel may have a gap notice under way; those have places of their own.
    fn control_limit(&self) -> usize {
        CONTROL_LIMIT
            .saturating_add(self.notices.channels as usize)
            .min(MOST_MESSAGES)
    }

    pub(super) fn control_lane(&self) -> Option<&Ring<Body, ()>> {
        self.control.get()?.as_deref()
    }

    /// Has the control lane refuse everything from now on: nobody is going to take it.
    pub(super) fn close_control(&self) {
        if let Some(lane) = self.control.get_or_init(|| None) {
            let _first = lane.close();
        }
    }

    /// Counts messages that will not come.
    fn count_dropped(&self, messages: u64) {
        // Relaxed: a figure for people.
        self.counters.dropped.fetch_add(messages, Ordering::Relaxed);
    }

    /// Closes the queue; the first reason stands.
    pub(super) fn close(&self, why: Disconnect) -> Closing {
        self.why.get_or_init(|| Box::new(why));
        if self.ring.close() {
            Closing::First
        } else {
            Closing::Again
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.ring.is_closed()
    }

    /// Whether it is closed, for one who has just let go of a lock that the closer may have found
    /// taken.
    pub(super) fn is_closed_for_sure(&self) -> bool {
        // SeqCst: the closer closes, then tries the lock; we have let go of the lock, then look.
        // - If the closer's attempt came after we let go, it got the lock and does the work.
        // - If it came before, its fence comes before this one, and we see the queue closed.
        fence(Ordering::SeqCst);
        self.is_closed()
    }

    pub(super) fn why(&self) -> Option<&Disconnect> {
        if self.is_closed() {
            self.why.get().map(|why| &**why)
        } else {
            None
        }
    }

    pub(super) fn held(&self) -> Held {
        self.ring.held()
    }

    /// How many channels gap notices are remembered for.
    pub(super) fn max_losses(&self) -> usize {
        self.notices.channels as usize
    }

    pub(super) fn wants_gap_notices(&self) -> bool {
        self.notices.channels > 0
    }

    /// How many keys a gap notice lists.
    pub(super) fn max_keys(&self) -> usize {
        self.notices.keys
    }
}

/// What was found of a grace.
pub(super) enum Grace {
    /// There is none.
    None,
    Lasts,
    /// It is over, and the client disconnected for it.
    Over,
}

/// Whether a close was the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closing {
    Again,
    First,
}

/// What became of a control message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Controlled {
    Disconnected,
    Refused,
    StoredMessage,
}

pub(super) fn count(counter: &AtomicU64) {
    // Relaxed: a figure for people.
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Milliseconds since `start`.
pub(super) fn millis(start: Instant, now: Instant) -> u64 {
    u64::try_from(now.saturating_duration_since(start).as_millis()).unwrap_or(u64::MAX)
}
