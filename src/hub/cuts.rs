//! Memberships that have ended while publications of theirs were queued.
//!
//! A leave *cuts*: what the channel has put into the outbox for the membership is not received any
//! more. Each [`Cut`] names the life of the channel, and where in the outbox it ends: the channel
//! notes that with the leave, after which it puts nothing in for this membership. A new membership
//! of the same channel, whose publications may be the very same frames, puts them in behind the
//! end.
//!
//! Whoever begins a turn as the consumer of the outbox, the receiver or a publisher that makes
//! room, takes the new cuts up before it takes anything else. So what was moved out of the ring
//! before is of memberships that the cut is for, and what is still in the ring is told by its
//! position. The receiver learns of new cuts by the call of the ring, so it pays for them only
//! after a leave.
//!
//! # Memory
//!
//! One cut for each leave since the receiver last came, and none if nothing was queued then. A
//! client with more than [`MOST_CUTS`] that it does not come for, of different channels, is
//! disconnected.

use std::mem;
use std::sync::Arc;
use std::sync::OnceLock;

use crate::hub::backlog::weight;
use crate::hub::frame::Body;
use crate::hub::frame::Frame;
use crate::hub::queue::Counters;
use crate::hub::queue::Side;
use crate::hub::queue::count;
use crate::raw::ring::Consume;
use crate::raw::ring::is_before;
use crate::sync::Mutex;
use crate::sync::atomic::AtomicBool;
use crate::sync::atomic::AtomicU32;
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering;

/// The end of a membership, as its outbox sees it.
#[derive(Debug)]
pub(super) struct Cut {
    /// The life of the channel, see [`Frame::of`].
    of: u64,
    /// The position in the ring behind everything that the membership has put in, [`OPEN`] while it
    /// may still put something in, or [`NOWHERE`].
    end: AtomicU32,
}

const OPEN: u32 = u32::MAX;
/// It never put anything in.
const NOWHERE: u32 = u32::MAX - 1;

impl Cut {
    pub(super) fn new(of: u64) -> Arc<Self> {
        Arc::new(Self {
            of,
            end: AtomicU32::new(OPEN),
        })
    }

    /// Ends the membership: nothing more is put in for it. `end` is the position of the ring's
    /// tail, unless it was never in the channel.
    pub(super) fn end_at(&self, end: Option<usize>) {
        let end = end.and_then(|end| u32::try_from(end).ok());
        // Release: pairs with the Acquire in `end`. What was put in before is before the end. What
        // is put in later for another membership of the channel comes after this, so whoever takes
        // that sees the end.
        self.end.store(end.unwrap_or(NOWHERE), Ordering::Release);
    }

    /// Whether nothing was put in.
    pub(super) fn is_empty(&self) -> bool {
        self.end() == NOWHERE
    }

    pub(super) fn is_open(&self) -> bool {
        self.end() == OPEN
    }

    /// Whether a frame that was taken from this position of the ring is not to be received.
    fn covers(&self, position: usize, frame: &Frame) -> bool {
        frame.of() == self.of
            && match self.end() {
                OPEN => true,
                NOWHERE => false,
                end => is_before(position, end as usize),
            }
    }

    /// Whether nothing that `earlier` is for is beyond this. One that has not ended yet may turn
    /// out to have put nothing in.
    fn covers_all_of(&self, earlier: &Self) -> bool {
        earlier.of == self.of && !matches!(self.end(), OPEN | NOWHERE)
    }

    /// Whether everything before its end has been taken out of the ring, which was read up to here.
    fn is_past(&self, read: usize) -> bool {
        match self.end() {
            OPEN => false,
            NOWHERE => true,
            end => !is_before(read, end as usize),
        }
    }

    fn end(&self) -> u32 {
        // Acquire: pairs with the Release in `end_at`.
        self.end.load(Ordering::Acquire)
    }
}

/// The cuts of one outbox that have not been taken up yet. Made for the first.
#[derive(Debug)]
pub(super) struct NewCuts(OnceLock<Box<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    any: AtomicBool,
    cuts: Mutex<Vec<Arc<Cut>>>,
    /// Copies of publications that were dropped. Here, as few clients have either.
    copies: AtomicU64,
}

/// How many cuts may wait for a receiver that does not come.
pub(super) const MOST_CUTS: usize = 1 << 12;

impl Default for NewCuts {
    fn default() -> Self {
        let cuts = OnceLock::new();
        if cfg!(throng_loom) {
            // A model does not see that the cell orders what is made in it.
            let _first = cuts.set(Box::default());
        }
        Self(cuts)
    }
}

impl NewCuts {
    /// Adds a cut. `false` if there are too many.
    pub(super) fn add(&self, cut: Arc<Cut>) -> bool {
        let waiting = self.0.get_or_init(Box::default);
        let mut cuts = waiting.cuts.lock();
        if cuts.len() >= MOST_CUTS {
            cuts.retain(|known| !cut.covers_all_of(known));
        }
        if cuts.len() >= MOST_CUTS {
            return false;
        }
        cuts.push(cut);
        // Release: pairs with the Acquire in `any`.
        waiting.any.store(true, Ordering::Release);
        true
    }

    /// Counts a copy that was dropped. Only the receiver does.
    #[cold]
    pub(super) fn count_copy(&self) {
        let waiting = self.0.get_or_init(Box::default);
        // Relaxed: a figure.
        waiting.copies.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the number of copies that were dropped.
    pub(super) fn copies(&self) -> u64 {
        let waiting = self.0.get();
        // Relaxed: a figure.
        waiting.map_or(0, |waiting| waiting.copies.load(Ordering::Relaxed))
    }

    /// Whether there are any.
    pub(super) fn any(&self) -> bool {
        // Acquire: pairs with the Release in `add`. Whoever may find something of a later
        // membership comes after the cut: by the call of the ring, or by what was put in.
        let waiting = self.0.get();
        waiting.is_some_and(|waiting| waiting.any.load(Ordering::Acquire))
    }

    /// Takes up all of them. Waits for whoever is adding one.
    pub(super) fn take(&self) -> Vec<Arc<Cut>> {
        let waiting = self.0.get();
        waiting.map_or_else(Vec::new, |waiting| waiting.take(&mut waiting.cuts.lock()))
    }

    /// [`NewCuts::take`], but `None` where it would have to wait.
    pub(super) fn try_take(&self) -> Option<Vec<Arc<Cut>>> {
        let Some(waiting) = self.0.get() else {
            return Some(Vec::new());
        };
        Some(waiting.take(&mut *waiting.cuts.try_lock()?))
    }
}

impl Waiting {
    fn take(&self, cuts: &mut Vec<Arc<Cut>>) -> Vec<Arc<Cut>> {
        // Relaxed: it is written under the lock; a cut that is added later sets it again.
        self.any.store(false, Ordering::Relaxed);
        mem::take(cuts)
    }
}

/// The cuts of one outbox that were taken up; part of the consumer's state.
#[derive(Debug, Default)]
pub(super) struct Cuts(Vec<Arc<Cut>>);

impl Cuts {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes up a cut. Returns the life of the channel, of which nothing that was taken out of the
    /// ring so far is to be received.
    pub(super) fn take_up(&mut self, cut: Arc<Cut>) -> u64 {
        let of = cut.of;
        self.0.retain(|known| !cut.covers_all_of(known));
        self.0.push(cut);
        of
    }

    /// Whether a frame that was taken from this position of the ring is not to be received.
    pub(super) fn cover(&self, position: usize, frame: &Frame) -> bool {
        self.0.iter().any(|cut| cut.covers(position, frame))
    }

    /// Whether a frame that was never in the ring is of a membership that has ended, and whose
    /// channel has not seen that yet.
    pub(super) fn cover_new(&self, frame: &Frame) -> bool {
        self.0
            .iter()
            .any(|cut| cut.of == frame.of() && cut.is_open())
    }

    /// Removes those of which nothing is left in the ring, which was read up to here.
    pub(super) fn retire(&mut self, read: usize) {
        self.0.retain(|cut| !cut.is_past(read));
    }
}

/// Takes new cuts up: gives up what is beside the ring of memberships that have ended.
#[cold]
pub(super) fn apply(turn: &mut Consume<'_, Body, Side>, cuts: Vec<Arc<Cut>>, counters: &Counters) {
    for cut in cuts {
        let gone = turn.state(|side| side.get_or_insert_default().cut(cut));
        for frame in gone {
            turn.settle(weight(&frame));
            count(&counters.abandoned);
        }
    }
    retire(turn);
}

/// Takes the next out of the ring that is to be received; what comes before it and is cut is given
/// up.
pub(super) fn pop(turn: &mut Consume<'_, Body, Side>, counters: &Counters) -> Option<Frame> {
    loop {
        let position = turn.position();
        let frame = Frame(turn.pop()?);
        let is_cut = |side: &mut Side| {
            let backlog = side.as_ref();
            backlog.is_some_and(|backlog| backlog.cuts.cover(position, &frame))
        };
        if !turn.state(is_cut) {
            return Some(frame);
        }
        count(&counters.abandoned);
    }
}

/// Whether some of what is in the ring may be cut.
pub(super) fn has_any(turn: &mut Consume<'_, Body, Side>) -> bool {
    turn.state(|side| side.as_ref().is_some_and(|side| !side.cuts.is_empty()))
}

/// Lets go of cuts of which nothing is left in the ring.
pub(super) fn retire(turn: &mut Consume<'_, Body, Side>) {
    let read = turn.position();
    turn.state(|side| {
        if let Some(backlog) = side {
            backlog.cuts.retire(read);
        }
    });
}

/// Frees a backlog that was made for cuts alone.
pub(super) fn forget_backlog(turn: &mut Consume<'_, Body, Side>) {
    turn.state(|side| {
        if side.as_ref().is_some_and(|backlog| backlog.is_as_new()) {
            *side = None;
        }
    });
}
