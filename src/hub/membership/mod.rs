//! One client's hold on one channel.

use std::sync::Arc;
use std::sync::OnceLock;

use crate::hub::backlog::Loss;
use crate::hub::channel::Core;
use crate::hub::cuts::Cut;
use crate::hub::filter::Filter;
use crate::hub::frame::Frame;
use crate::hub::frame::Gap;
use crate::hub::frame::Member;
use crate::hub::lost_keys::LostKeys;
use crate::id::ChannelName;
use crate::sync::Mutex;
use crate::sync::atomic::AtomicBool;
use crate::sync::atomic::AtomicU8;
use crate::sync::atomic::AtomicU32;
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering;
use crate::sync::atomic::fence;

/// One client's hold on one channel: made when it asks to join, and known to both.
///
/// A join and a leave of the same membership may reach the channel in either order; `wanted` makes
/// the result the same. A leave takes it back before it is sent, and a join that comes later finds
/// it gone.
pub(crate) struct Membership {
    channel: Arc<Core>,
    member: Option<Member>,
    filter: Option<Filter>,
    wanted: AtomicBool,
    /// Whether the channel's owner has found the client closed.
    dead: AtomicBool,
    /// The index of the subscriber in the channel, or [`ABSENT`]. The channel's owner writes it.
    index: AtomicU32,
    /// Whether it is still to be given what it has missed: see [`Membership::ask`].
    replay: AtomicU8,
    /// Made with the first loss that the client is to be told of.
    gap: OnceLock<Arc<OpenGap>>,
    /// Made when the client leaves, and not when it is closed.
    cut: OnceLock<Arc<Cut>>,
}

const ABSENT: u32 = u32::MAX;

/// It gets what is published.
const LIVE: u8 = 0;
/// It is behind, and nobody has asked for more.
const BEHIND: u8 = 1;
/// It is behind, and the channel was asked for more.
const ASKED: u8 = 2;
/// It is behind, nobody has asked for more, and it is to ask before its outbox is empty.
const OWED: u8 = 3;

impl Membership {
    pub(super) fn new(channel: Arc<Core>, member: Option<Member>, filter: Option<Filter>) -> Self {
        channel.hold();
        Self {
            channel,
            member,
            filter,
            wanted: AtomicBool::new(true),
            dead: AtomicBool::new(false),
            index: AtomicU32::new(ABSENT),
            replay: AtomicU8::new(LIVE),
            gap: OnceLock::new(),
            cut: OnceLock::new(),
        }
    }

    pub(super) fn channel(&self) -> &Arc<Core> {
        &self.channel
    }

    pub(super) fn name(&self) -> Option<&ChannelName> {
        self.channel.name()
    }

    pub(super) fn member(&self) -> Option<&Member> {
        self.member.as_ref()
    }

    /// Which messages are wanted; all of them without one.
    pub(super) fn filter(&self) -> Option<&Filter> {
        self.filter.as_ref()
    }

    pub(super) fn is_wanted(&self) -> bool {
        // Relaxed: the operations that it matters to are ordered by the channel, see `renounce`.
        self.wanted.load(Ordering::Relaxed)
    }

    /// Takes the wish back, and says whether it was there. The leave that follows is handed to the
    /// channel afterwards, with a Release of its own: a join that is applied after that leave sees
    /// this.
    pub(super) fn renounce(&self) -> bool {
        // Relaxed: published by handing over the leave.
        self.wanted.swap(false, Ordering::Relaxed)
    }

    /// Notes that the client was found closed, and says whether that is news.
    pub(super) fn note_dead(&self) -> bool {
        // Relaxed: only the owner of the channel's state reads and writes it.
        let news = !self.dead.load(Ordering::Relaxed);
        // Relaxed: as above.
        self.dead.store(true, Ordering::Relaxed);
        news
    }

    pub(super) fn index(&self) -> Option<usize> {
        // Relaxed: only the owner of the channel's state reads and writes it.
        let index = self.index.load(Ordering::Relaxed);
        (index != ABSENT).then_some(index as usize)
    }

    pub(super) fn set_index(&self, index: Option<usize>) {
        let index = index.map_or(ABSENT, |index| u32::try_from(index).unwrap_or(ABSENT));
        // Relaxed: as in `index`.
        self.index.store(index, Ordering::Relaxed);
    }

    /// Whether it is still to be given what it has missed. The channel's owner decides it.
    pub(super) fn is_behind(&self) -> bool {
        // Relaxed: only the owner of the channel's state makes it so and ends it.
        self.replay.load(Ordering::Relaxed) != LIVE
    }

    /// Has it be behind; its client has nothing to ask for yet.
    pub(super) fn fall_behind(&self) {
        // Relaxed: the client asks only once it is let.
        self.replay.store(ASKED, Ordering::Relaxed);
    }

    /// Lets its client ask for more, and says whether it was not let before. Called before what
    /// there is room for is put into the outbox: a client that has received that sees that it may
    /// ask. Between one who asks and this, nobody else writes.
    pub(super) fn let_ask(&self) -> bool {
        // Release: pairs with the Acquire in `ask`. A client that has emptied its outbox after
        // this sees it by what was put in, or by the call where nothing was.
        self.replay.swap(BEHIND, Ordering::Release) == ASKED
    }

    /// [`Membership::let_ask`], and has its client ask when it is called, not only when nothing is
    /// queued.
    pub(super) fn let_ask_at_once(&self) -> bool {
        // Release: as in `let_ask`.
        self.replay.swap(OWED, Ordering::Release) == ASKED
    }

    /// Whether its client may ask for more and has not.
    pub(super) fn may_ask(&self) -> bool {
        // Relaxed: who finds it ended keeps nothing that is of use.
        matches!(self.replay.load(Ordering::Relaxed), BEHIND | OWED)
    }

    /// Ends that it is behind, and says whether it was.
    pub(super) fn end_behind(&self) -> bool {
        // Relaxed: a client that still asks is told nothing, and needs nothing.
        self.replay.swap(LIVE, Ordering::Relaxed) != LIVE
    }

    /// Whether the client is to ask the channel for more, which it does once for each time that
    /// it may.
    pub(super) fn ask(&self) -> bool {
        self.ask_if(BEHIND) || self.ask_if(OWED)
    }

    /// [`Membership::ask`], for a client that was called and may have more queued.
    pub(super) fn ask_at_once(&self) -> bool {
        self.ask_if(OWED)
    }

    fn ask_if(&self, state: u8) -> bool {
        // Acquire: pairs with the Release in `let_ask`.
        // Relaxed (on failure): nothing is to be asked.
        let (won, lost) = (Ordering::Acquire, Ordering::Relaxed);
        let asked = self.replay.compare_exchange(state, ASKED, won, lost);
        asked.is_ok()
    }

    /// Has what is queued for it not be received any more: see [`Cut`].
    pub(super) fn cut(&self) -> Arc<Cut> {
        let cut = self
            .cut
            .get_or_init(|| Cut::new(self.channel.counters().position().epoch));
        // SeqCst: either the channel's owner sees the cut in `note_loss`, or this sees its gap.
        fence(Ordering::SeqCst);
        if let Some(gap) = self.gap.get() {
            gap.silence();
        }
        Arc::clone(cut)
    }

    /// Nothing more is put in for it: `end` is behind what was, unless it never was in the channel.
    /// Called by the channel's owner.
    pub(super) fn end(&self, end: Option<usize>) {
        if let Some(cut) = self.cut.get() {
            cut.end_at(end);
        }
    }

    /// Notes that the publications at `lost` were dropped, the last of them `frame` if it is known.
    /// Gives what a notice has to be sent of: nothing if one is on its way, since it is going to
    /// tell of this loss too. It lists at most `keys` keys.
    pub(super) fn note_loss(
        &self,
        lost: Lost,
        frame: Option<&Frame>,
        keys: usize,
    ) -> Option<&Arc<OpenGap>> {
        let channel = self.name()?;
        let gap = self.gap.get_or_init(|| OpenGap::new(channel));
        // SeqCst: see `cut`.
        fence(Ordering::SeqCst);
        if self.cut.get().is_some() {
            return None;
        }
        if keys > 0 {
            // First, so that a notice which counts the loss has the key as well.
            gap.note_key(frame, keys);
        }
        (gap.cell.note(lost) == Notice::Send).then_some(gap)
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.channel.let_go();
    }
}

/// What a membership has lost, while its notice is on the way. It knows the channel by its name
/// only: a notice that is never received must not hold the channel.
#[derive(Debug)]
pub(super) struct OpenGap {
    channel: ChannelName,
    cell: GapCell,
    /// Tried by the channel's owner, which does not wait for the client.
    keys: Mutex<LostKeys>,
    /// The client had the keys when one was to be noted.
    more: AtomicBool,
    /// The client has left, and is not to be told.
    silent: AtomicBool,
}

impl OpenGap {
    fn new(channel: &ChannelName) -> Arc<Self> {
        Arc::new(Self {
            channel: channel.clone(),
            cell: GapCell::default(),
            keys: Mutex::default(),
            more: AtomicBool::new(false),
            silent: AtomicBool::new(false),
        })
    }

    fn silence(&self) {
        // Release: pairs with the Acquire in `take`.
        self.silent.store(true, Ordering::Release);
    }

    fn note_key(&self, frame: Option<&Frame>, most: usize) {
        match (self.keys.try_lock(), frame) {
            (Some(mut keys), Some(frame)) => keys.note(frame, most),
            (Some(mut keys), None) => keys.note_unknown(),
            // Relaxed: published with the loss, by the cell.
            (None, _) => self.more.store(true, Ordering::Relaxed),
        }
    }

    /// What was lost since the last notice.
    pub(super) fn take(&self) -> Option<Loss> {
        // Acquire: pairs with the Release in `silence`.
        if self.silent.load(Ordering::Acquire) {
            return None;
        }
        let (first, last, missed) = self.cell.take()?;
        let mut keys = std::mem::take(&mut *self.keys.lock());
        // Relaxed: as in `note_key`.
        if self.more.swap(false, Ordering::Relaxed) {
            keys.note_unknown();
        }
        let gap = Gap {
            channel: self.channel.clone(),
            first,
            last,
            missed,
            keys: Vec::new(),
            more: false,
        };
        Some(Loss::new(gap, keys))
    }
}

/// A run of publications that were dropped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lost {
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Lost {
    /// The one at this offset.
    pub(super) const fn one(offset: u64) -> Self {
        Self {
            first: offset,
            last: offset,
        }
    }

    pub(super) fn count(self) -> u64 {
        self.last - self.first + 1
    }
}

/// Whether a gap notice has to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notice {
    Send,
    UnderWay,
}

/// A loss that grows until it is told. The channel's owner writes; the client takes.
#[derive(Debug, Default)]
struct GapCell {
    first: AtomicU64,
    last: AtomicU64,
    missed: AtomicU64,
}

impl GapCell {
    fn note(&self, lost: Lost) -> Notice {
        // Relaxed: a newer `last` than what is counted only makes the range wider, and it is
        // published by `missed` below.
        self.last.store(lost.last, Ordering::Relaxed);
        // Acquire: pairs with the Release in `take`; once it is zero, `first` is ours again.
        // Release: the taker sees `first` and `last`.
        if self.missed.load(Ordering::Acquire) != 0 {
            // AcqRel: as above.
            if self.missed.fetch_add(lost.count(), Ordering::AcqRel) != 0 {
                return Notice::UnderWay;
            }
            // It was taken in between: this loss begins a new gap, already counted.
            // Relaxed: published by the Release below.
            self.first.store(lost.first, Ordering::Relaxed);
            // Release: the taker sees `first`.
            self.missed.store(lost.count(), Ordering::Release);
            return Notice::Send;
        }
        // Relaxed: published by the Release below.
        self.first.store(lost.first, Ordering::Relaxed);
        // Release: the taker sees `first` and `last`.
        self.missed.store(lost.count(), Ordering::Release);
        Notice::Send
    }

    fn take(&self) -> Option<(u64, u64, u64)> {
        // Acquire: pairs with the Release in `note`; `first` belongs to this count, and `last` is
        // at least that of the last one counted.
        let mut missed = self.missed.load(Ordering::Acquire);
        loop {
            if missed == 0 {
                return None;
            }
            // Relaxed: stable while `missed` is not zero.
            let first = self.first.load(Ordering::Relaxed);
            // Relaxed: perhaps that of the next one, which is then told again; no later one, for
            // the count would have changed and the compare-exchange would fail.
            let last = self.last.load(Ordering::Relaxed);
            // Release: both were read before the owner, which sees the zero, writes them again.
            // Acquire (on failure): as above.
            let taken =
                self.missed
                    .compare_exchange(missed, 0, Ordering::Release, Ordering::Acquire);
            match taken {
                Ok(_) => return Some((first, last, missed)),
                Err(now) => missed = now,
            }
        }
    }
}

#[cfg(all(test, throng_loom))]
mod model;
