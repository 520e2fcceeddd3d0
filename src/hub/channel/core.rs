//! What a channel is made of.

use std::sync::Arc;

use crate::hub::channel::state::Op;
use crate::hub::channel::state::Output;
use crate::hub::channel::state::State;
use crate::hub::common::Common;
use crate::hub::frame::Frame;
use crate::hub::policy::PolicyCell;
use crate::hub::stats::ChannelCounters;
use crate::id::ChannelKind;
use crate::id::ChannelName;
use crate::id::ClientId;
use crate::raw::combiner::Combiner;
use crate::raw::combiner::Run;
use crate::sync::atomic::AtomicBool;
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::AtomicUsize;
use crate::sync::atomic::Ordering;

/// A channel: what does not change, the counters anyone may read, and the state in its combiner.
///
/// It is *held* by handles and by memberships. Once nobody holds it, it becomes a candidate for
/// being taken out of the table, which whoever may take the table's lock does.
pub(crate) struct Core {
    face: Arc<Face>,
    holds: AtomicUsize,
    /// Whether it waits to be reclaimed later.
    lingers: AtomicBool,
    state: Combiner<State>,
}

/// What the state of a channel shares with those who look at it from outside.
pub(super) struct Face {
    /// `None` for the channel of all clients, which has no name and no offsets.
    pub(super) name: Option<ChannelName>,
    pub(super) policy: PolicyCell,
    pub(super) counters: ChannelCounters,
    /// Publications of other channels that were not passed on, since too many waited.
    missed: AtomicU64,
    /// Until when something is remembered, in milliseconds since the hub began; zero if nothing
    /// ever was.
    keeps_until: AtomicU64,
    /// For how long what is published is remembered, in milliseconds.
    keeps_for: AtomicU64,
    pub(super) common: Arc<Common>,
}

impl Face {
    pub(super) fn take_missed(&self) -> u64 {
        // Relaxed: a count that nothing else hangs on; what is missed while we look is told with
        // the next publication.
        self.missed.swap(0, Ordering::Relaxed)
    }

    /// Notes until when something is remembered.
    pub(super) fn keep_until(&self, millis: u64) {
        // Relaxed: one who reclaims has seen all holders leave, and what they did before.
        self.keeps_until.store(millis, Ordering::Relaxed);
    }

    /// Notes for how long what is published is remembered.
    pub(super) fn keep_for(&self, millis: u64) {
        // Relaxed: as above.
        self.keeps_for.store(millis, Ordering::Relaxed);
    }
}

/// For how long a channel is kept at most, in milliseconds, that nobody holds and that has nothing
/// to remember.
const MOST_EMPTY: u64 = 60_000;

impl Core {
    pub(crate) fn new(name: Option<ChannelName>, common: Arc<Common>) -> Self {
        let epoch = common.next_epoch();
        let face = Arc::new(Face {
            name,
            policy: PolicyCell::new(None),
            counters: ChannelCounters::new(epoch),
            missed: AtomicU64::new(0),
            keeps_until: AtomicU64::new(0),
            keeps_for: AtomicU64::new(0),
            common,
        });
        let state = Combiner::new(State::new(Arc::clone(&face), epoch));
        Self {
            face,
            holds: AtomicUsize::new(0),
            lingers: AtomicBool::new(false),
            state,
        }
    }

    /// Counts a holder. The caller has another, or the lock of the table.
    pub(crate) fn hold(&self) {
        // Relaxed: the first holder comes by the table's lock, others from a holder.
        self.holds.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a holder off; after the last, the channel is a candidate for reclaiming.
    pub(crate) fn let_go(self: &Arc<Self>) {
        // AcqRel: what holders did comes before what the one who reclaims does.
        if self.holds.fetch_sub(1, Ordering::AcqRel) == 1 && self.name().is_some() {
            self.face.common.unheld.push(Arc::clone(self));
        }
    }

    /// Whether nobody holds it; settled under the table's lock, without which no first holder
    /// comes.
    pub(crate) fn is_unheld(&self) -> bool {
        // Acquire: pairs with the AcqRel in `let_go`.
        self.holds.load(Ordering::Acquire) == 0
    }

    /// Until when something is remembered, in milliseconds since the hub began.
    pub(crate) fn keeps_until(&self) -> u64 {
        // Relaxed: see `Face::keep_until`.
        self.face.keeps_until.load(Ordering::Relaxed)
    }

    /// For how long it is kept after the last holder has gone, in milliseconds: as long as what
    /// it remembers, so that who was there may come back to the same life of it; not that long if
    /// nothing was ever remembered, for such channels cost nothing to make.
    pub(crate) fn keeps_for(&self) -> u64 {
        // Relaxed: see `Face::keep_until`.
        let millis = self.face.keeps_for.load(Ordering::Relaxed);
        if self.keeps_until() == 0 {
            millis.min(MOST_EMPTY)
        } else {
            millis
        }
    }

    /// Notes whether it waits to be reclaimed later, and says whether it did.
    pub(crate) fn set_lingering(&self, lingers: bool) -> bool {
        // Relaxed: both that set it have the lock of those that linger.
        self.lingers.swap(lingers, Ordering::Relaxed)
    }

    pub(crate) fn name(&self) -> Option<&ChannelName> {
        self.face.name.as_ref()
    }

    pub(crate) fn kind(&self) -> ChannelKind {
        self.name().map_or(ChannelKind::Public, ChannelName::kind)
    }

    pub(crate) fn policy(&self) -> &PolicyCell {
        &self.face.policy
    }

    pub(crate) fn counters(&self) -> &ChannelCounters {
        &self.face.counters
    }

    /// Applies `op`, or leaves it to whoever is in the middle of the channel; never waits, never
    /// refuses.
    pub(crate) fn run(&self, op: Op) -> Option<Output> {
        match self.try_run(op, usize::MAX) {
            Run::Applied(output) => Some(output),
            Run::HandedOver | Run::Refused(_) => None,
        }
    }

    /// Passes a publication of another channel on to the subscribers of this one; callbacks are
    /// left to the caller. When too many wait it is missed, and the next one says so.
    pub(crate) fn pass_on(&self, frame: &Frame, except: Option<ClientId>) {
        let frame = frame.clone();
        let limit = self.face.common.limits.max_backlog;
        if let Run::Refused(_) = self.state.run(Op::Routed { frame, except }, limit) {
            // Relaxed: see `Face::take_missed`.
            self.face.missed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Like [`Core::run`] without an answer, and leaves callbacks to the caller.
    pub(crate) fn run_quietly(&self, op: Op) {
        let _applied_or_handed_over = self.state.run(op, usize::MAX);
    }

    /// Like [`Core::run`], but gives `op` back when `limit` operations wait already.
    #[inline]
    pub(crate) fn try_run(&self, op: Op, limit: usize) -> Run<Op, Output> {
        let run = self.state.run(op, limit);
        // What the channel left to be done outside it: closes, callbacks.
        self.face.common.serve();
        run
    }
}
