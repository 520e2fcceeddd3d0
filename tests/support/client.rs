//! One client of the model: what waits for it, and what becomes of what does not fit.

use std::collections::HashMap;
use std::collections::VecDeque;

use throng::Disconnect;
use throng::SlowConsumer;

use super::Item;
use super::MAX_SUBSCRIPTIONS;
use super::Member;
use super::What;

/// How many control messages may wait for one client.
const MAX_CONTROL: usize = 64;

/// Whether producers may take what waits for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sharing {
    /// Its receiver has never been used: nobody has it for good.
    Fresh,
    /// The receiver has it alone.
    Alone,
    /// The receiver is going to share from its next use on.
    Asked,
    Shared,
}

#[derive(Clone, Debug)]
pub(super) enum Control {
    /// What was lost of a membership, when it is received.
    Gap(usize),
    Item(Item),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Loss {
    pub(super) channel: usize,
    pub(super) life: usize,
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) missed: u64,
}

impl Loss {
    fn item(&self) -> Item {
        Item {
            what: What::Gap {
                first: self.first,
                last: self.last,
                missed: self.missed,
            },
            channel: Some(self.channel),
            position: None,
        }
    }
}

/// What a client brings along.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) max_messages: usize,
    pub(crate) max_bytes: usize,
    pub(crate) policy: Option<SlowConsumer>,
    pub(crate) gap_notices: bool,
    pub(crate) join_notices: bool,
    pub(crate) member: Member,
}

pub(crate) struct Client {
    pub(crate) options: Options,
    pub(crate) closed: Option<Disconnect>,
    pub(crate) has_outbox: bool,
    sharing: Sharing,
    control: VecDeque<Control>,
    losses: Vec<Loss>,
    ready: VecDeque<Item>,
    pending: VecDeque<Item>,
    ring: VecDeque<Item>,
    /// The life of each channel it is in, and the number of its membership there.
    pub(super) memberships: Vec<(usize, usize)>,
    behind_since: Option<u64>,
    pub(super) reported: bool,
    pub(crate) received: u64,
    pub(crate) dropped: u64,
    pub(crate) evicted: u64,
    pub(crate) conflated: u64,
    pub(crate) high_water: usize,
}

/// What became of a message on its way into an outbox.
pub(super) enum Pushed {
    Closed,
    Disconnected,
    Dropped,
    Stored { evicted: usize },
}

/// Why nothing was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Nothing {
    Closed(Disconnect),
    Empty,
}

impl Client {
    pub(super) fn new(options: Options, policy: SlowConsumer) -> Self {
        Self {
            options,
            closed: None,
            has_outbox: true,
            sharing: if evicts(policy) {
                Sharing::Shared
            } else {
                Sharing::Fresh
            },
            control: VecDeque::new(),
            losses: Vec::new(),
            ready: VecDeque::new(),
            pending: VecDeque::new(),
            ring: VecDeque::new(),
            memberships: Vec::new(),
            behind_since: None,
            reported: false,
            received: 0,
            dropped: 0,
            evicted: 0,
            conflated: 0,
            high_water: 0,
        }
    }

    /// What waits, oldest first.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Item> {
        self.ready.iter().chain(&self.pending).chain(&self.ring)
    }

    pub(crate) fn queued_messages(&self) -> usize {
        self.waiting().count()
    }

    pub(crate) fn queued_bytes(&self) -> u64 {
        self.waiting().map(Item::weight).sum()
    }

    fn fits(&self, item: &Item) -> bool {
        self.queued_messages() < self.options.max_messages
            && self.queued_bytes() + item.weight() <= self.options.max_bytes as u64
    }

    pub(super) fn push(&mut self, item: &Item, policy: SlowConsumer, now: u64) -> Pushed {
        if self.closed.is_some() {
            return Pushed::Closed;
        }
        if self.fits(item) {
            return self.store(item, 0);
        }
        match policy {
            SlowConsumer::DropOldest if self.may_evict(item) => {
                let evicted = self.drop_oldest(item);
                self.store(item, evicted)
            }
            SlowConsumer::KeepLatest if self.may_evict(item) => {
                let evicted = self.conflate(item) + self.drop_oldest(item);
                self.store(item, evicted)
            }
            SlowConsumer::Disconnect { grace } if self.has_used_up(grace.as_millis(), now) => {
                self.dropped += 1;
                self.closed = Some(Disconnect::SLOW);
                Pushed::Disconnected
            }
            _ => {
                self.dropped += 1;
                self.behind_since.get_or_insert(now);
                Pushed::Dropped
            }
        }
    }

    fn store(&mut self, item: &Item, evicted: usize) -> Pushed {
        self.ring.push_back(item.clone());
        self.high_water = self.high_water.max(self.queued_messages());
        Pushed::Stored { evicted }
    }

    /// Whether the client has been behind for `grace` milliseconds, under whichever policy.
    fn has_used_up(&self, grace: u128, now: u64) -> bool {
        if grace == 0 {
            return true;
        }
        let since = self.behind_since.unwrap_or(now);
        u128::from(now - since) >= grace
    }

    /// Whether room may be made for `item`: not if it never fits, and not while the receiver
    /// does not share.
    fn may_evict(&mut self, item: &Item) -> bool {
        item.weight() <= self.options.max_bytes as u64 && self.steal()
    }

    pub(super) fn steal(&mut self) -> bool {
        self.sharing = match self.sharing {
            Sharing::Fresh | Sharing::Shared => Sharing::Shared,
            Sharing::Alone | Sharing::Asked => Sharing::Asked,
        };
        self.sharing == Sharing::Shared
    }

    /// Moves all that waits into the backlog, keeping the last of each key, and takes out what
    /// `item` is going to follow. What is ready is left alone.
    fn conflate(&mut self, item: &Item) -> usize {
        let before = self.queued_messages();
        while let Some(newer) = self.ring.pop_front() {
            self.pending.retain(|older| !newer.conflates_with(older));
            self.pending.push_back(newer);
        }
        self.pending.retain(|older| !item.conflates_with(older));
        let conflated = before - self.queued_messages();
        self.conflated += conflated as u64;
        conflated
    }

    fn drop_oldest(&mut self, item: &Item) -> usize {
        let mut evicted = 0;
        while !self.fits(item) {
            let oldest = self
                .ready
                .pop_front()
                .or_else(|| self.pending.pop_front())
                .or_else(|| self.ring.pop_front());
            let Some(oldest) = oldest else { break };
            evicted += 1;
            self.evicted += 1;
            if self.options.gap_notices {
                self.note_eviction(&oldest);
            }
        }
        evicted
    }

    fn note_eviction(&mut self, item: &Item) {
        let (Some(channel), Some((life, offset))) = (item.channel, item.position) else {
            return;
        };
        if let Some(loss) = self.losses.iter_mut().find(|loss| loss.life == life) {
            loss.last = offset;
            loss.missed += 1;
            return;
        }
        if self.losses.len() >= MAX_SUBSCRIPTIONS {
            self.losses.remove(0);
        }
        self.losses.push(Loss {
            channel,
            life,
            first: offset,
            last: offset,
            missed: 1,
        });
    }

    pub(super) fn receive(
        &mut self,
        max: usize,
        gaps: &mut HashMap<usize, Loss>,
    ) -> Result<Vec<Item>, Nothing> {
        let max = max.max(1);
        self.sharing = match self.sharing {
            Sharing::Fresh | Sharing::Alone => Sharing::Alone,
            Sharing::Asked | Sharing::Shared => Sharing::Shared,
        };
        let mut items = Vec::new();
        while items.len() < max
            && let Some(control) = self.control.pop_front()
        {
            match control {
                Control::Gap(membership) => {
                    items.extend(gaps.remove(&membership).map(|loss| loss.item()));
                }
                Control::Item(item) => items.push(item),
            }
        }
        if !items.is_empty() {
            return Ok(items);
        }
        while items.len() < max && !self.losses.is_empty() {
            items.push(self.losses.remove(0).item());
        }
        while items.len() < max
            && let Some(item) = self.next()
        {
            items.push(item);
            self.received += 1;
        }
        if let (true, Some(why)) = (items.is_empty(), &self.closed) {
            return Err(Nothing::Closed(why.clone()));
        }
        if self.queued_messages() == 0 {
            self.behind_since = None;
            self.reported = false;
        }
        if items.is_empty() {
            return Err(Nothing::Empty);
        }
        Ok(items)
    }

    fn next(&mut self) -> Option<Item> {
        if self.ready.is_empty() {
            self.ready.append(&mut self.pending);
        }
        self.ready.pop_front().or_else(|| self.ring.pop_front())
    }

    /// Puts a control message into its lane; `false` if that is full.
    pub(super) fn control(&mut self, control: Control) -> bool {
        let fits = self.control.len() < MAX_CONTROL;
        if fits {
            self.control.push_back(control);
        }
        fits
    }

    pub(super) fn clear(&mut self) {
        self.has_outbox = false;
        self.control.clear();
        self.losses.clear();
        self.ready.clear();
        self.pending.clear();
        self.ring.clear();
    }
}

pub(super) fn evicts(policy: SlowConsumer) -> bool {
    matches!(policy, SlowConsumer::DropOldest | SlowConsumer::KeepLatest)
}
