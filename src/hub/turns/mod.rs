//! Turns: publishers that can wait let the tasks that drain outboxes keep up.
//!
//! A publish never waits, so one publisher could fill an outbox while the task that drains it has
//! no turn, although the client reads as fast as it can. A transport whose tasks drain many
//! outboxes in passes therefore registers a [`Turn`] for each task. A fan-out counts itself at the
//! tasks whose rows it reached; a pass tells how far it has come. A publisher that may wait asks
//! before its next publish whether one of the tasks that its last one reached is *half a default
//! outbox* behind, and if so waits until that task has made a full pass ([`Wait`]).
//!
//! ```text
//!   published ─────────────────────────────┬──────────► counted at the end of each fan-out
//!   done      ────────┬────────────────────┘            `published` as the last full pass began
//!                     └ behind = published − done       at half an outbox: publishers wait
//! ```
//!
//! # Guarantee
//!
//! An outbox that each pass drains holds at most what was published since the last full pass
//! began, because that pass has drained it at some time after its beginning.
//!
//! # Progress
//!
//! Counting takes no lock unless the task is half an outbox behind; then it is woken, under a lock
//! that is held for a swap. A wait ends when the pass does, and when the task does, in whatever
//! way; the waiting side [gives up](Wait::give_up) after a time of its own in which the task did
//! [nothing](Wait::has_moved). A task on which a publisher has given up is not waited for until it
//! has made a pass.
//!
//! # Memory
//!
//! 64 tasks have turns, some 150 bytes for each that there ever was at a time. Further tasks work
//! without: publishers do not wait for them.

use std::mem;
use std::sync::Arc;
use std::sync::OnceLock;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use smallvec::SmallVec;

#[cfg(feature = "ws")]
use crate::hub::Hub;
use crate::limits::OutboxLimits;
use crate::raw::bell::Bell;
use crate::sync::Mutex;
use crate::sync::atomic::AtomicBool;
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering;

/// The turns of a hub.
pub(crate) struct Turns {
    slots: [OnceLock<Box<Slot>>; MOST],
    /// Which of them are in use, by bit.
    used: Mutex<u64>,
    half: Amount,
    waits: AtomicU64,
    timeouts: AtomicU64,
}

/// The most tasks that have turns: one for each bit of a set.
const MOST: usize = u64::BITS as usize;

/// Publications, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Amount {
    messages: u64,
    bytes: u64,
}

impl Amount {
    fn reaches(self, other: Self) -> bool {
        self.messages >= other.messages || self.bytes >= other.bytes
    }
}

/// One task's place.
#[derive(Default)]
struct Slot {
    published: Counts,
    /// What was published before the last full pass began.
    done: Counts,
    /// Whether publishers wait for the task: not after it has ended, nor after a wait has timed
    /// out, until the next pass.
    is_awaited: AtomicBool,
    /// Counts what the task does within a pass, so that a long pass is told from none.
    steps: AtomicU64,
    bell: Mutex<Option<Bell>>,
    waiters: Mutex<Vec<Waker>>,
}

#[derive(Default)]
struct Counts {
    messages: AtomicU64,
    bytes: AtomicU64,
}

impl Counts {
    fn read(&self) -> Amount {
        Amount {
            // Relaxed: published by the messages, which are counted after them.
            bytes: self.bytes.load(Ordering::Relaxed),
            // Acquire: pairs with the Release in `add`: the rows of what is counted are woken.
            messages: self.messages.load(Ordering::Acquire),
        }
    }

    /// Counts one more.
    fn add(&self, bytes: u64) {
        // Relaxed: see `read`.
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        // Release: pairs with the Acquire in `read`.
        self.messages.fetch_add(1, Ordering::Release);
    }

    fn set(&self, amount: Amount) {
        // Relaxed: see `read`.
        self.bytes.store(amount.bytes, Ordering::Relaxed);
        // Release: pairs with the Acquire in `read`: who sees a pass as over sees its work.
        self.messages.store(amount.messages, Ordering::Release);
    }
}

impl Turns {
    pub(super) fn new(outbox: OutboxLimits) -> Self {
        Self {
            slots: std::array::from_fn(|_| OnceLock::new()),
            used: Mutex::default(),
            half: Amount {
                messages: (outbox.max_messages as u64 / 2).max(1),
                bytes: (outbox.max_bytes as u64 / 2).max(1),
            },
            waits: AtomicU64::new(0),
            timeouts: AtomicU64::new(0),
        }
    }

    /// Registers a task.
    pub(crate) fn register(self: &Arc<Self>) -> Turn {
        let number = {
            let mut used = self.used.lock();
            let free = used.trailing_ones();
            (free < u64::BITS).then(|| {
                *used |= 1 << free;
                free
            })
        };
        let bell = Bell::new(number.map_or(0, |number| 1 << number));
        let slot = number.and_then(|number| self.slots.get(number as usize));
        if let Some(slot) = slot {
            let slot = slot.get_or_init(Box::default);
            slot.done.set(slot.published.read());
            *slot.bell.lock() = Some(bell.clone());
            // Release: what this slot had of another task is over.
            slot.is_awaited.store(true, Ordering::Release);
        }
        Turn {
            turns: Arc::clone(self),
            number,
            bell,
        }
    }

    /// Counts a publication of so many bytes at the tasks that it reached.
    #[inline]
    pub(super) fn count(&self, reached: Reached, bytes: u64) {
        if reached != Reached::NOBODY {
            self.count_at(reached, bytes);
        }
    }

    fn count_at(&self, reached: Reached, bytes: u64) {
        for (_, slot) in self.slots(reached) {
            slot.published.add(bytes);
            if slot.is_late(self.half) {
                slot.ring();
            }
        }
    }

    fn slots(&self, reached: Reached) -> impl Iterator<Item = (usize, &Slot)> {
        reached.filter_map(|number| Some((number, &**self.slots[number].get()?)))
    }

    /// What to wait for before the next publish, if the last one reached these tasks; `None` if
    /// none of them is late.
    pub(crate) fn wait_for(self: &Arc<Self>, reached: Reached) -> Option<Wait> {
        let late = self.slots(reached).filter(|(_, slot)| {
            // Acquire: pairs with the Release in `register`.
            slot.is_awaited.load(Ordering::Acquire) && slot.is_late(self.half)
        });
        let marks: SmallVec<_> = late
            .map(|(number, slot)| (number, slot.published.read().messages))
            .collect();
        if marks.is_empty() {
            return None;
        }
        // Relaxed: a figure for people.
        self.waits.fetch_add(1, Ordering::Relaxed);
        let mut wait = Wait {
            turns: Arc::clone(self),
            marks,
            steps: 0,
        };
        wait.has_moved();
        Some(wait)
    }

    /// How often a publisher has waited, and how often in vain.
    pub(super) fn stats(&self) -> (u64, u64) {
        // Relaxed: figures for people.
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.waits), read(&self.timeouts))
    }
}

impl Slot {
    /// Whether the task is half an outbox behind.
    fn is_late(&self, half: Amount) -> bool {
        let done = self.done.read();
        let published = self.published.read();
        let behind = Amount {
            messages: published.messages.saturating_sub(done.messages),
            bytes: published.bytes.saturating_sub(done.bytes),
        };
        behind.reaches(half)
    }

    fn ring(&self) {
        let bell = self.bell.lock().clone();
        if let Some(bell) = bell {
            bell.ring();
        }
    }

    fn wake_waiters(&self) {
        let waiters = mem::take(&mut *self.waiters.lock());
        waiters.into_iter().for_each(Waker::wake);
    }

    /// Whether a pass has begun after `mark` and is over, or the task is late no more, or no pass
    /// is to be waited for.
    fn has_passed(&self, mark: u64, half: Amount) -> bool {
        // Acquire: pairs with the Release in `register` and of whoever has ended the waits.
        let is_awaited = self.is_awaited.load(Ordering::Acquire);
        !is_awaited || self.done.read().messages >= mark || !self.is_late(half)
    }
}

/// Which tasks a publish reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reached(u64);

impl Reached {
    pub(crate) const NOBODY: Self = Self(0);
    /// Where it is not known.
    pub(crate) const ANY: Self = Self(u64::MAX);

    #[inline(always)]
    pub(super) fn add(&mut self, bit: u64) {
        self.0 |= bit;
    }

    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Iterator for Reached {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let bit = self.0.trailing_zeros();
        self.0 &= self.0 - 1;
        Some(bit as usize)
    }
}

/// The turn of one task; dropping it ends the waits for it.
pub(crate) struct Turn {
    turns: Arc<Turns>,
    number: Option<u32>,
    bell: Bell,
}

/// Where the publications stood when a pass began.
#[derive(Clone, Copy)]
pub(crate) struct Mark(Amount);

impl Turn {
    /// The bell of the task. It rings, too, when the task is half an outbox behind.
    pub(crate) fn bell(&self) -> &Bell {
        &self.bell
    }

    fn slot(&self) -> Option<&Slot> {
        let slot = self.turns.slots.get(self.number? as usize)?;
        slot.get().map(|slot| &**slot)
    }

    /// Whether the task is half an outbox behind: a pass is due, though no row may be woken.
    pub(crate) fn is_late(&self) -> bool {
        self.slot()
            .is_some_and(|slot| slot.is_late(self.turns.half))
    }

    /// Marks the beginning of a full pass, before it takes the rows that were woken.
    pub(crate) fn begin(&self) -> Mark {
        Mark(
            self.slot()
                .map_or_else(Amount::default, |slot| slot.published.read()),
        )
    }

    /// Marks a step within a pass: a publisher that waits goes on waiting.
    pub(crate) fn step(&self) {
        if let Some(slot) = self.slot() {
            // Relaxed: a sign of life, and nothing is read on the strength of it.
            slot.steps.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Ends a full pass: wakes the publishers that wait for it.
    pub(crate) fn end(&self, mark: Mark) {
        let Some(slot) = self.slot() else { return };
        slot.done.set(mark.0);
        self.step();
        // Release: pairs with the Acquire in `wait_for`.
        slot.is_awaited.store(true, Ordering::Release);
        slot.wake_waiters();
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let (Some(slot), Some(number)) = (self.slot(), self.number) else {
            return;
        };
        // Release: pairs with the Acquire in `has_passed`.
        slot.is_awaited.store(false, Ordering::Release);
        let bell = slot.bell.lock().take();
        drop(bell);
        slot.wake_waiters();
        *self.turns.used.lock() &= !(1 << number);
    }
}

/// Waits for the passes of tasks that are late.
pub(crate) struct Wait {
    turns: Arc<Turns>,
    /// Each task's number, and what has to be done.
    marks: SmallVec<[(usize, u64); 2]>,
    /// The steps of those tasks when they were last looked at.
    steps: u64,
}

impl Wait {
    /// Ready when each task has made a full pass, or has ended.
    ///
    /// The waker is registered before the second look: the end of a pass comes before that look,
    /// which sees it, or after it, and then wakes.
    pub(crate) fn poll(&mut self, cx: &Context<'_>) -> Poll<()> {
        while let Some((number, mark)) = self.marks.last().copied() {
            let Some(slot) = self.turns.slots[number].get() else {
                unreachable!("the slot was there when the wait began");
            };
            if !slot.has_passed(mark, self.turns.half) {
                {
                    let mut waiters = slot.waiters.lock();
                    if !waiters.iter().any(|waiter| waiter.will_wake(cx.waker())) {
                        waiters.push(cx.waker().clone());
                    }
                }
                slot.ring();
                if !slot.has_passed(mark, self.turns.half) {
                    return Poll::Pending;
                }
            }
            self.marks.pop();
        }
        Poll::Ready(())
    }

    /// Whether one of the tasks has done something since this was last asked.
    pub(crate) fn has_moved(&mut self) -> bool {
        let slots = self.marks.iter();
        let slots = slots.filter_map(|(number, _)| self.turns.slots[*number].get());
        let steps = slots.fold(0_u64, |sum, slot| {
            // Relaxed: see `Turn::step`.
            sum.wrapping_add(slot.steps.load(Ordering::Relaxed))
        });
        mem::replace(&mut self.steps, steps) != steps
    }

    /// Ends the wait, and counts it as one in vain. Nobody waits for these tasks until they have
    /// made a pass.
    pub(crate) fn give_up(self) {
        // Relaxed: a figure for people.
        self.turns.timeouts.fetch_add(1, Ordering::Relaxed);
        for (number, mark) in &self.marks {
            if let Some(slot) = self.turns.slots[*number].get()
                && !slot.has_passed(*mark, self.turns.half)
            {
                // Release: pairs with the Acquire in `has_passed`.
                slot.is_awaited.store(false, Ordering::Release);
                slot.wake_waiters();
            }
        }
    }
}

#[cfg(feature = "ws")]
impl Hub {
    pub(crate) fn turns(&self) -> &Arc<Turns> {
        &self.shared.common.turns
    }
}

#[cfg(all(test, throng_loom))]
mod model;
#[cfg(all(test, not(throng_loom)))]
mod tests;
