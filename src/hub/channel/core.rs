//! What a channel is made of.

use std::sync::Arc;
use std::sync::Weak;

use crate::hub::agenda::Due;
use crate::hub::agenda::NEVER;
use crate::hub::channel::state::Op;
use crate::hub::channel::state::Output;
use crate::hub::channel::state::State;
use crate::hub::common::Common;
use crate::hub::delivery::Delivery;
use crate::hub::frame::Frame;
use crate::hub::history::HistoryOptions;
use crate::hub::policy::PolicyCell;
use crate::hub::stats::ChannelCounters;
use crate::id::ChannelKind;
use crate::id::ChannelName;
use crate::id::ClientId;
use crate::limits::SlowConsumer;
use crate::quiet::quietly;
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
    /// Whether it is among those to be looked at.
    queued: AtomicBool,
    /// Until when it stays for those who have held it.
    stays_until: AtomicU64,
    /// When what it remembers is to be looked at.
    aging: Due,
    /// When it is to be reclaimed.
    lingering: Due,
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
    /// For how long what is published is remembered, in milliseconds; zero if it is not.
    age: AtomicU64,
    /// When the newest publication is too old, in milliseconds since the hub began; zero if there
    /// never was one.
    forgets_at: AtomicU64,
    /// When the oldest publication is too old, or before that; [`NEVER`] if nothing is remembered.
    ages_at: AtomicU64,
    /// The channel itself.
    core: Weak<Core>,
    pub(super) common: Arc<Common>,
}

impl Face {
    /// Returns the policy for clients that have none of their own.
    pub(super) fn policy(&self) -> SlowConsumer {
        self.policy.get().unwrap_or(self.common.slow_consumer)
    }

    pub(super) fn take_missed(&self) -> u64 {
        // Relaxed: a count that nothing else hangs on; what is missed while we look is told with
        // the next publication.
        self.missed.swap(0, Ordering::Relaxed)
    }

    /// Notes for how long what is published is remembered.
    pub(super) fn set_age(&self, millis: u64) {
        // Relaxed: one who reclaims has seen all holders leave, and what they did before.
        self.age.store(millis, Ordering::Relaxed);
    }

    /// Notes when the newest publication is too old.
    pub(super) fn set_forgets_at(&self, millis: u64) {
        // Relaxed: as above.
        self.forgets_at.store(millis, Ordering::Relaxed);
    }

    /// Notes that no publication so far is remembered for longer than that.
    pub(super) fn forget_by(&self, millis: u64) {
        // Relaxed: as above.
        self.forgets_at.fetch_min(millis, Ordering::Relaxed);
    }

    /// Notes when the oldest publication is too old, and has somebody come then.
    pub(super) fn set_ages_at(&self, millis: u64) {
        // Relaxed: published by the queue that the channel is put into.
        self.ages_at.store(millis, Ordering::Relaxed);
        if millis != NEVER
            && let Some(core) = self.core.upgrade()
        {
            core.have_looked_at();
        }
    }
}

/// For how long a channel is kept at most, in milliseconds, that nobody holds and that has nothing
/// to remember.
const MOST_EMPTY: u64 = 60_000;

impl Core {
    pub(crate) fn new(
        name: Option<ChannelName>,
        options: Option<HistoryOptions>,
        common: Arc<Common>,
    ) -> Arc<Self> {
        Arc::new_cyclic(|core| {
            let epoch = common.next_epoch();
            let face = Arc::new(Face {
                name,
                policy: PolicyCell::new(None),
                counters: ChannelCounters::new(epoch),
                missed: AtomicU64::new(0),
                age: AtomicU64::new(0),
                forgets_at: AtomicU64::new(0),
                ages_at: AtomicU64::new(NEVER),
                core: Weak::clone(core),
                common,
            });
            let state = Combiner::new(State::new(Arc::clone(&face), epoch, options));
            Self {
                face,
                holds: AtomicUsize::new(0),
                queued: AtomicBool::new(false),
                stays_until: AtomicU64::new(0),
                aging: Due::default(),
                lingering: Due::default(),
                state,
            }
        })
    }

    /// Counts a holder. The caller has another, or the lock of the table.
    pub(crate) fn hold(&self) {
        // Relaxed: the first holder comes by the table's lock, others from a holder.
        self.holds.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a holder off; after the last, the channel is a candidate for reclaiming.
    pub(crate) fn let_go(self: &Arc<Self>) {
        let stays_for = self.stays_for();
        if stays_for > 0 {
            let until = self.face.common.millis().saturating_add(stays_for);
            // Relaxed: published by what follows. It comes first: whoever finds that nobody holds
            // the channel, not even for a moment, knows until when it stays.
            self.stays_until.fetch_max(until, Ordering::Relaxed);
        }
        // AcqRel: what holders did comes before what the one who reclaims does.
        if self.holds.fetch_sub(1, Ordering::AcqRel) == 1 && self.name().is_some() {
            self.have_looked_at();
        }
    }

    /// Has the channel looked at by whoever sweeps next.
    fn have_looked_at(self: &Arc<Self>) {
        // AcqRel: either this finds that it is queued, and the one who takes it down afterwards
        // sees what was done before; or it queues it.
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.face.common.changed.push(Arc::clone(self));
        }
    }

    /// Takes down that it is to be looked at, before it is.
    pub(crate) fn note_looked_at(&self) {
        // AcqRel: see `have_looked_at`.
        self.queued.swap(false, Ordering::AcqRel);
    }

    /// Whether nobody holds it; settled under the table's lock, without which no first holder
    /// comes.
    pub(crate) fn is_unheld(&self) -> bool {
        // Acquire: pairs with the AcqRel in `let_go`.
        self.holds.load(Ordering::Acquire) == 0
    }

    /// For how long it stays after a holder has gone, in milliseconds: as long as what it
    /// remembers, so that who was there may come back to the same life of it; not that long if
    /// nothing was ever remembered, for such channels cost nothing to make. Zero if it remembers
    /// nothing at all.
    pub(crate) fn stays_for(&self) -> u64 {
        // Relaxed: see `Face::set_age`.
        let age = self.face.age.load(Ordering::Relaxed);
        if self.forgets_at() == 0 {
            age.min(MOST_EMPTY)
        } else {
            age
        }
    }

    /// Until when it stays although nobody holds it, in milliseconds since the hub began.
    pub(crate) fn stays_until(&self) -> u64 {
        // Relaxed: see `let_go`.
        let stays_until = self.stays_until.load(Ordering::Relaxed);
        stays_until.max(self.forgets_at())
    }

    /// Like [`Core::stays_until`], but it may come to an end early.
    pub(crate) fn lingers_until(&self) -> u64 {
        self.stays_until().min(NEVER - 1)
    }

    fn forgets_at(&self) -> u64 {
        // Relaxed: see `Face::set_age`.
        self.face.forgets_at.load(Ordering::Relaxed)
    }

    /// When the oldest publication is too old, or before that, in milliseconds since the hub began.
    pub(crate) fn ages_at(&self) -> u64 {
        // Relaxed: see `Face::set_ages_at`.
        self.face.ages_at.load(Ordering::Relaxed)
    }

    /// Forgets what is too old. Callbacks are left to the caller.
    pub(crate) fn expire(&self) {
        // Relaxed: the operation comes after it, and notes it anew.
        self.face.ages_at.store(NEVER, Ordering::Relaxed);
        self.run_quietly(Op::Expire);
    }

    pub(crate) fn aging(&self) -> &Due {
        &self.aging
    }

    pub(crate) fn lingering(&self) -> &Due {
        &self.lingering
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

    /// Whether publications of other channels may go to this one.
    pub(crate) fn is_target(&self) -> bool {
        let router = self.face.common.router.get();
        router.zip(self.name()).is_some_and(|(router, name)| {
            // One that panics may mean any.
            quietly(|| router.is_target(name)).unwrap_or(true)
        })
    }

    /// Passes a publication of another channel on to the subscribers of this one; callbacks are
    /// left to the caller. When too many wait it is missed, and the next one says so. Returns what
    /// became of it, unless that is not known yet.
    pub(crate) fn pass_on(&self, frame: &Frame, except: Option<ClientId>) -> Option<Delivery> {
        let frame = frame.clone();
        let limit = self.face.common.limits.max_backlog;
        match self.state.run(Op::Routed { frame, except }, limit) {
            Run::Applied(Output::Delivery(delivery)) => Some(delivery),
            Run::Applied(Output::Replied) | Run::HandedOver => None,
            Run::Refused(_) => {
                // Relaxed: see `Face::take_missed`.
                self.face.missed.fetch_add(1, Ordering::Relaxed);
                Some(Delivery::nobody())
            }
        }
    }

    /// Whether operations are queued that the owner of the moment has not begun.
    #[cfg(feature = "ws")]
    pub(super) fn has_queued(&self) -> bool {
        self.state.queued() > 0
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
