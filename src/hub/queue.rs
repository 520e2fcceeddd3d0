//! The queue under one outbox: a ring for data, a small one for control, and the policies.
//!
//! A publisher pushes here; what a full ring means is decided here, by the client's policy, and
//! nowhere else. Nothing here waits: an evicting policy takes the consumer's part for a moment, and
//! where that can't be had (the client is receiving at this very moment) the new message is
//! dropped instead and counted.

use std::sync::OnceLock;
use std::time::Duration;
use std::time::Instant;

use crate::disconnect::Disconnect;
use crate::hub::backlog::Backlog;
use crate::hub::backlog::weight;
use crate::hub::frame::Body;
use crate::hub::frame::Frame;
use crate::hub::policy::evicts;
use crate::limits::OutboxLimits;
use crate::limits::SlowConsumer;
use crate::raw::ring::Consume;
use crate::raw::ring::Held;
use crate::raw::ring::MOST_MESSAGES;
use crate::raw::ring::Ring;
use crate::raw::ring::Weigh;
use crate::raw::ring::Why;
use crate::raw::shared::Shared;
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering;
use crate::sync::atomic::fence;

/// What goes with the consumer's part of the ring.
pub(super) type Side = Option<Box<Backlog>>;

/// How many control messages may wait, besides gap notices; a client that lets more pile up is
/// disconnected.
pub(super) const CONTROL_LIMIT: usize = 64;

/// How many bytes of control messages may wait. Only rosters are large: 8 bytes a member, counted
/// as 1 MiB at most.
const CONTROL_BYTES: u64 = 16 << 20;

/// How often a push tries to make room before it drops the new message: others may take the room.
const ATTEMPTS: usize = 4;

/// The ring comes first, see [`Ring`].
#[repr(C)]
pub(super) struct Queue {
    pub(super) ring: Ring<Body, Side>,
    /// Made for the first control message; `None` if the outbox was dropped before.
    control: OnceLock<Option<Box<Ring<Body, ()>>>>,
    pub(super) counters: Counters,
    /// Milliseconds since the hub began, at the first message that did not fit since the client
    /// had last emptied its queue.
    behind_since: AtomicU64,
    why: OnceLock<Box<Disconnect>>,
    /// How many channels gap notices are remembered for; none if they are not wanted.
    max_losses: u32,
}

/// What happened to the messages of one client.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) dropped: AtomicU64,
    pub(super) evicted: AtomicU64,
    pub(super) conflated: AtomicU64,
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
    /// It was put in after all; so many older ones were dropped or conflated for it.
    Stored { evicted: usize },
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
    pub(super) fn new(limits: OutboxLimits, policy: SlowConsumer, max_losses: u32) -> Self {
        let bytes = limits.max_bytes as u64;
        Self {
            ring: Ring::new(limits.max_messages, bytes, evicts(policy), None),
            control: OnceLock::new(),
            counters: Counters::default(),
            behind_since: AtomicU64::new(0),
            why: OnceLock::new(),
            max_losses,
        }
    }

    /// What to do with `item`, which the ring has refused as full.
    pub(super) fn overflow(
        &self,
        item: Shared<Body>,
        policy: SlowConsumer,
        now: impl FnOnce() -> u64,
    ) -> Overflow {
        match policy {
            SlowConsumer::DropNewest => self.drop_newest(item, 0, now),
            SlowConsumer::DropOldest => self.make_room(item, now, drop_oldest),
            SlowConsumer::KeepLatest => self.make_room(item, now, keep_latest),
            SlowConsumer::Disconnect { grace } if grace.is_zero() => self.disconnect_slow(item),
            SlowConsumer::Disconnect { grace } => {
                let now = now();
                if self.is_in_grace(grace, now) {
                    return self.drop_newest(item, 0, || now);
                }
                self.disconnect_slow(item)
            }
        }
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

    /// Makes room with `evict` until `item` fits, or drops it if that can't be done now, or ever:
    /// a member may be larger than the outbox.
    fn make_room(
        &self,
        mut item: Shared<Body>,
        now: impl FnOnce() -> u64,
        evict: fn(&mut Eviction<'_>),
    ) -> Overflow {
        if !self.ring.could_hold(item.weight()) {
            return self.drop_newest(item, 0, now);
        }
        let mut evicted = 0;
        for _ in 0..ATTEMPTS {
            let Some(turn) = self.ring.steal() else { break };
            let frame = Frame(item);
            let mut eviction = Eviction {
                queue: self,
                turn,
                frame: &frame,
                evicted: 0,
            };
            evict(&mut eviction);
            evicted += eviction.evicted;
            drop(eviction);
            match self.ring.push(frame.into_shared()) {
                Ok(()) => return Overflow::Stored { evicted },
                Err(refused) => {
                    item = refused.item;
                    if refused.why == Why::Closed {
                        return Overflow::Closed { item, evicted };
                    }
                }
            }
        }
        self.drop_newest(item, evicted, now)
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
                Controlled::Stored
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
            .saturating_add(self.max_losses as usize)
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

    pub(super) fn wants_gap_notices(&self) -> bool {
        self.max_losses > 0
    }
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
    Stored,
}

/// One attempt to make room: a turn as the consumer, and the frame it is for.
struct Eviction<'a> {
    queue: &'a Queue,
    turn: Consume<'a, Body, Side>,
    frame: &'a Frame,
    evicted: usize,
}

impl Eviction<'_> {
    fn fits(&self) -> bool {
        self.turn.would_admit(weight(self.frame))
    }

    /// Drops the oldest message. `false` when there is none that can be had.
    fn drop_one(&mut self) -> bool {
        let kept = self
            .turn
            .state(|side| side.as_mut().and_then(|side| side.evict()));
        let frame = match kept {
            Some(frame) => {
                self.turn.settle(weight(&frame));
                frame
            }
            None => match self.turn.pop() {
                Some(item) => Frame(item),
                None => return false,
            },
        };
        self.evicted += 1;
        count(&self.queue.counters.evicted);
        if self.queue.wants_gap_notices() {
            let most = self.queue.max_losses as usize;
            self.turn
                .state(|side| side.get_or_insert_default().note_loss(&frame, most));
        }
        true
    }

    fn conflated(&mut self, older: Option<Frame>) {
        if let Some(older) = older {
            self.turn.settle(weight(&older));
            self.evicted += 1;
            count(&self.queue.counters.conflated);
        }
    }
}

fn drop_oldest(eviction: &mut Eviction<'_>) {
    while !eviction.fits() && eviction.drop_one() {}
}

fn keep_latest(eviction: &mut Eviction<'_>) {
    while let Some(item) = eviction.turn.pop() {
        let frame = Frame(item);
        eviction.turn.keep(weight(&frame));
        let older = eviction
            .turn
            .state(|side| side.get_or_insert_default().conflate(frame));
        eviction.conflated(older);
    }
    let frame = eviction.frame;
    let older = eviction
        .turn
        .state(|side| side.get_or_insert_default().supersede(frame));
    eviction.conflated(older);
    drop_oldest(eviction);
}

fn count(counter: &AtomicU64) {
    // Relaxed: a figure for people.
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Milliseconds since `start`.
pub(super) fn millis(start: Instant, now: Instant) -> u64 {
    u64::try_from(now.saturating_duration_since(start).as_millis()).unwrap_or(u64::MAX)
}
