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
            policy: SlowConsumer::DropNewest,
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

/// Something in the ring.
struct Waiting {
    item: Item,
    /// Its membership has ended, so it is not received.
    is_cut: bool,
}

pub(crate) struct Client {
    pub(crate) options: Options,
    pub(crate) closed: Option<Disconnect>,
    pub(crate) has_outbox: bool,
    sharing: Sharing,
    /// Its receiver is to look for control messages, and for what was handed over.
    called: bool,
    /// It is at it.
    answers: bool,
    /// The memberships that it may ask for more, and perhaps some that have nothing more.
    pub(super) asking: Vec<usize>,
    /// What its channels have been handed over for it: messages, bytes, and how many of them belong
    /// to the channel of all clients.
    pub(super) handed: (usize, u64, usize),
    control: VecDeque<Control>,
    losses: Vec<Loss>,
    backlog: Backlog,
    ring: VecDeque<Waiting>,
    /// The lives of channels that it has left since it last came, with something queued.
    cuts: Vec<usize>,
    /// The life of each channel it is in, and the number of its membership there.
    pub(super) memberships: Vec<(usize, usize)>,
    behind_since: Option<u64>,
    /// The grace that it was given when it fell behind, in milliseconds.
    grace: Option<u64>,
    pub(super) reported: bool,
    pub(crate) abandoned: u64,
    pub(crate) received: u64,
    pub(crate) dropped: u64,
    pub(crate) evicted: u64,
    pub(crate) conflated: u64,
    pub(crate) high_water: usize,
}

/// What became of a message on its way into an outbox.
pub(super) enum Pushed {
    HandedOver,
    Closed,
    Disconnected,
    Dropped { evicted: usize },
    StoredMessage { evicted: usize },
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
            called: false,
            answers: false,
            asking: Vec::new(),
            handed: (0, 0, 0),
            control: VecDeque::new(),
            losses: Vec::new(),
            backlog: Backlog::default(),
            ring: VecDeque::new(),
            cuts: Vec::new(),
            memberships: Vec::new(),
            behind_since: None,
            grace: None,
            reported: false,
            abandoned: 0,
            received: 0,
            dropped: 0,
            evicted: 0,
            conflated: 0,
            high_water: 0,
        }
    }

    /// What waits, oldest first.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Item> {
        let beside = self.backlog.items.iter().map(|(_, item)| item);
        beside.chain(self.ring.iter().map(|waiting| &waiting.item))
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
            self.store(item);
            return Pushed::StoredMessage { evicted: 0 };
        }
        let may_fit = item.weight() <= self.options.max_bytes as u64;
        if !evicts(policy) || !may_fit {
            return self.refuse(policy, 0, now);
        }
        if !self.steal() {
            if policy == SlowConsumer::KeepLatest && self.hand_over(item, None) {
                return Pushed::HandedOver;
            }
            return self.refuse(policy, 0, now);
        }
        match self.make_room(item) {
            Ok(evicted) => Pushed::StoredMessage { evicted },
            Err(evicted) => self.refuse(policy, evicted, now),
        }
    }

    /// Counts `item` as handed over, in the place of another of so many bytes.
    pub(super) fn hand_over(&mut self, item: &Item, instead: Option<u64>) -> bool {
        let (messages, bytes, plain) = self.handed;
        let messages = messages + usize::from(instead.is_none());
        let bytes = bytes + item.weight() - instead.unwrap_or(0);
        let fits = messages <= self.options.max_messages && bytes <= self.options.max_bytes as u64;
        if fits {
            let is_plain = item.channel.is_none() && instead.is_none();
            self.handed = (messages, bytes, plain + usize::from(is_plain));
        }
        fits
    }

    /// Counts off `item`, which was handed over.
    pub(super) fn hand_back(&mut self, item: &Item) {
        self.handed.0 -= 1;
        self.handed.1 -= item.weight();
        self.handed.2 -= usize::from(item.channel.is_none());
    }

    /// Puts in what was handed over. Says whether that went, and how many were evicted for it.
    pub(super) fn put(&mut self, item: &Item, policy: SlowConsumer) -> (bool, usize) {
        if self.fits(item) {
            self.store(item);
            return (true, 0);
        }
        let may_fit = item.weight() <= self.options.max_bytes as u64;
        if !evicts(policy) || !may_fit || !self.steal() {
            return (false, 0);
        }
        match self.make_room(item) {
            Ok(evicted) => (true, evicted),
            Err(evicted) => (false, evicted),
        }
    }

    /// What becomes of a message for which there is no room.
    pub(super) fn refuse(&mut self, policy: SlowConsumer, evicted: usize, now: u64) -> Pushed {
        if let SlowConsumer::Disconnect { grace } = policy
            && self.has_used_up(grace.as_millis(), now)
        {
            self.dropped += 1;
            self.closed = Some(Disconnect::SLOW);
            return Pushed::Disconnected;
        }
        self.dropped += 1;
        if self.behind_since.is_none() {
            self.behind_since = Some(now);
            self.grace = match policy {
                SlowConsumer::Disconnect { grace } => grace.as_millis().try_into().ok(),
                _ => None,
            };
        }
        Pushed::Dropped { evicted }
    }

    /// When its grace is over, if that is now or before and it has not caught up.
    pub(super) fn grace_is_over(&mut self, now: u64) -> Option<u64> {
        let due = self.behind_since? + self.grace?;
        if due > now || self.closed.is_some() {
            return None;
        }
        let policy = self.options.policy;
        if policy.is_some_and(|own| !matches!(own, SlowConsumer::Disconnect { .. })) {
            self.grace = None;
            return None;
        }
        Some(due)
    }

    fn store(&mut self, item: &Item) {
        self.ring.push_back(Waiting {
            item: item.clone(),
            is_cut: false,
        });
        self.high_water = self.high_water.max(self.queued_messages());
    }

    /// Whether the client has been behind for `grace` milliseconds, under whichever policy.
    fn has_used_up(&self, grace: u128, now: u64) -> bool {
        if grace == 0 {
            return true;
        }
        let since = self.behind_since.unwrap_or(now);
        u128::from(now - since) >= grace
    }

    /// Asks for the receiver's part; `false` while the receiver does not share it.
    pub(super) fn steal(&mut self) -> bool {
        self.called |= self.sharing == Sharing::Alone;
        self.sharing = match self.sharing {
            Sharing::Fresh | Sharing::Shared => Sharing::Shared,
            Sharing::Alone | Sharing::Asked => Sharing::Asked,
        };
        self.sharing == Sharing::Shared
    }

    /// Moves all that waits into the backlog, and puts `item` there in the place of others. Says
    /// how many those were, also where `item` does not fit.
    fn make_room(&mut self, item: &Item) -> Result<usize, usize> {
        let own = self.options.policy;
        let abandoned = self.abandoned;
        let before = self.queued_messages();
        self.backlog.set_own(own);
        self.take_cuts();
        while let Some(newer) = self.pop() {
            self.backlog.append(newer);
        }
        let abandoned = usize::try_from(self.abandoned - abandoned).unwrap();
        let mut evicted = before - self.queued_messages() - abandoned;
        self.conflated += evicted as u64;
        if self.fits(item) {
            self.store(item);
            return Ok(evicted);
        }
        let stays = |item: &&Item| class_of(item, own) == Class::Keeps;
        let rest: u64 = self.waiting().filter(stays).map(Item::weight).sum();
        let stays = self.waiting().filter(stays).count();
        let max_bytes = self.options.max_bytes as u64;
        if stays >= self.options.max_messages
            || stays == self.queued_messages()
            || rest + item.weight() > max_bytes
        {
            return Err(evicted);
        }
        let between = self.backlog.supersede(item);
        evicted += usize::from(between);
        self.conflated += u64::from(between);
        while !self.fits(item) {
            evicted += 1;
            if self.backlog.take_superseded() {
                self.conflated += 1;
            } else {
                let oldest = self.backlog.evict();
                self.evicted += 1;
                if self.options.gap_notices {
                    self.note_eviction(&oldest);
                }
            }
        }
        self.backlog.push(item.clone());
        self.high_water = self.high_water.max(self.queued_messages());
        Ok(evicted)
    }

    /// It has left a channel: what is queued of this life of it is not received.
    pub(super) fn cut(&mut self, life: usize) {
        if self.queued_messages() == 0 {
            return;
        }
        for waiting in &mut self.ring {
            waiting.is_cut |= waiting.item.position.is_some_and(|(of, _)| of == life);
        }
        self.cuts.push(life);
        self.called = true;
    }

    /// Takes cuts up: what is beside the ring goes now, and what is in it when its turn comes.
    fn take_cuts(&mut self) {
        let before = self.queued_messages();
        for life in std::mem::take(&mut self.cuts) {
            self.backlog.cut(life);
            self.losses.retain(|loss| loss.life != life);
        }
        self.abandoned += (before - self.queued_messages()) as u64;
    }

    /// The first in the ring, those before it that are cut being gone.
    fn pop(&mut self) -> Option<Item> {
        while let Some(waiting) = self.ring.pop_front() {
            if !waiting.is_cut {
                return Some(waiting.item);
            }
            self.abandoned += 1;
        }
        None
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

    /// Begins to receive. Says whether the client was called, and is to ask its channels.
    pub(super) fn begin(&mut self) -> bool {
        self.sharing = match self.sharing {
            Sharing::Fresh | Sharing::Alone => Sharing::Alone,
            Sharing::Asked | Sharing::Shared => Sharing::Shared,
        };
        if self.answers || !self.called {
            return false;
        }
        self.called = false;
        self.answers = true;
        true
    }

    /// Has the receiver look for what was handed over.
    pub(super) fn call(&mut self) {
        self.called = true;
    }

    pub(super) fn receive(
        &mut self,
        max: usize,
        gaps: &mut HashMap<usize, Loss>,
    ) -> Result<Vec<Item>, Nothing> {
        if self.answers {
            self.take_cuts();
        }
        let mut items = Vec::new();
        while self.answers && items.len() < max {
            match self.control.pop_front() {
                Some(Control::Gap(membership)) => {
                    items.extend(gaps.remove(&membership).map(|loss| loss.item()));
                }
                Some(Control::Item(item)) => items.push(item),
                None => self.answers = false,
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
        self.backlog.next().or_else(|| self.pop())
    }

    /// Puts a control message into its lane; `false` if that is full.
    pub(super) fn control(&mut self, control: Control) -> bool {
        let fits = self.control.len() < MAX_CONTROL;
        if fits {
            self.control.push_back(control);
            self.called = true;
        }
        fits
    }

    pub(super) fn clear(&mut self) {
        self.has_outbox = false;
        self.control.clear();
        self.losses.clear();
        self.backlog.items.clear();
        self.backlog.superseded.clear();
        self.ring.clear();
    }
}

/// What has been moved out of the ring: of each key the oldest and the newest, in order.
#[derive(Default)]
struct Backlog {
    /// With numbers that only rise.
    items: VecDeque<(usize, Item)>,
    numbers: usize,
    /// The numbers of those that have a successor; in this order it is drawn from them.
    superseded: Vec<usize>,
    draws: u32,
    own: Option<SlowConsumer>,
}

impl Backlog {
    fn set_own(&mut self, own: Option<SlowConsumer>) {
        let class = |own: Option<SlowConsumer>| own.map(Class::of);
        if class(self.own) == class(own) {
            return;
        }
        self.own = own;
        self.superseded.clear();
        for (_, item) in std::mem::take(&mut self.items) {
            self.append(item);
        }
    }

    /// Takes out what is of this life of a channel.
    fn cut(&mut self, life: usize) {
        let is_of_it = |item: &Item| item.position.is_some_and(|(of, _)| of == life);
        if !self.items.iter().any(|(_, item)| is_of_it(item)) {
            return;
        }
        self.superseded.clear();
        for (_, item) in std::mem::take(&mut self.items) {
            if !is_of_it(&item) {
                self.append(item);
            }
        }
    }

    fn append(&mut self, item: Item) {
        self.supersede(&item);
        self.push(item);
    }

    fn push(&mut self, item: Item) {
        self.items.push_back((self.numbers, item));
        self.numbers += 1;
    }

    /// Says whether one between the oldest of the key and `item` was taken out.
    fn supersede(&mut self, item: &Item) -> bool {
        let own = self.own;
        let conflates = |item: &Item| class_of(item, own) == Class::Conflates;
        let of_key = self
            .items
            .iter()
            .filter(|(_, older)| conflates(item) && conflates(older) && item.conflates_with(older));
        let numbers: Vec<_> = of_key.map(|(number, _)| *number).collect();
        match numbers[..] {
            [] => false,
            [first] => {
                if !self.superseded.contains(&first) {
                    self.superseded.push(first);
                }
                false
            }
            [_, between] => {
                self.items.retain(|(number, _)| *number != between);
                true
            }
            _ => unreachable!("two of a key at most"),
        }
    }

    fn take_superseded(&mut self) -> bool {
        let count = self.superseded.len();
        if count == 0 {
            return false;
        }
        let place = draw(self.draws) % count;
        self.draws += 1;
        let taken = self.superseded.swap_remove(place);
        self.items.retain(|(number, _)| *number != taken);
        true
    }

    fn evict(&mut self) -> Item {
        let own = self.own;
        let mut items = self.items.iter();
        let oldest = items.position(|(_, item)| class_of(item, own) != Class::Keeps);
        self.items.remove(oldest.unwrap()).unwrap().1
    }

    fn next(&mut self) -> Option<Item> {
        let (number, item) = self.items.pop_front()?;
        let place = self.superseded.iter().position(|it| *it == number);
        place.map(|place| self.superseded.swap_remove(place));
        Some(item)
    }
}

/// SplitMix64, as in the crate: nobody is promised which superseded message goes.
fn draw(draws: u32) -> usize {
    let mut number = u64::from(draws).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    number = (number ^ number >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (number >> 33) as usize
}

/// What may become of what waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Conflates,
    Evicts,
    Keeps,
}

impl Class {
    fn of(policy: SlowConsumer) -> Self {
        match policy {
            SlowConsumer::KeepLatest => Self::Conflates,
            SlowConsumer::DropOldest => Self::Evicts,
            _ => Self::Keeps,
        }
    }
}

fn class_of(item: &Item, own: Option<SlowConsumer>) -> Class {
    Class::of(own.unwrap_or(item.policy))
}

pub(super) fn evicts(policy: SlowConsumer) -> bool {
    matches!(policy, SlowConsumer::DropOldest | SlowConsumer::KeepLatest)
}
