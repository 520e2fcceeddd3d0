//! Giving a subscriber what it has missed, no faster than it takes it.
//!
//! A subscriber that joins [since](crate::SubscribeOptions::since) some position is *behind* until
//! it has been given everything up to the last publication; then, in the same operation of the
//! channel, it goes live, so that nothing can come between. What it is given fills its outbox to
//! one half at most, whatever else is in there and however many channels it is behind in: the other
//! half is for what is published meanwhile. When its outbox is empty, the receiver asks its
//! channels for more, each time another one first.
//!
//! Should the history forget something before the subscriber was given it, the loss is counted and
//! told as any other is; under [`SlowConsumer::Disconnect`] the client is disconnected, after the
//! grace if it has one.
//!
//! [`SlowConsumer::Disconnect`]: crate::SlowConsumer::Disconnect

use std::sync::Arc;

use crate::hub::after::Effect;
use crate::hub::channel::core::Face;
use crate::hub::channel::fanout::Behind;
use crate::hub::channel::fanout::Subscriber;
use crate::hub::channel::fanout::tell_loss;
use crate::hub::frame::StreamPosition;
use crate::hub::frame::What;
use crate::hub::history::Entry;
use crate::hub::history::History;
use crate::hub::history::HistoryMode;
use crate::hub::membership::Lost;
use crate::hub::queue::Controlled;
use crate::hub::queue::Losing;
use crate::raw::ring::Weigh;
use crate::raw::ring::Why;

/// Where a subscriber begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    /// It gets everything after this.
    pub(super) after: u64,
    /// Whether that is everything that it asked for.
    pub(super) recovered: bool,
}

impl Start {
    /// Where one begins that has everything up to `since`, in a channel that is at `position`.
    pub(super) fn of(
        since: Option<StreamPosition>,
        position: StreamPosition,
        history: Option<&History>,
    ) -> Self {
        let live = Self {
            after: position.offset,
            recovered: since == Some(position),
        };
        let Some(history) = history else {
            return live;
        };
        let since = since.filter(|since| since.epoch == position.epoch);
        let since = since.map(|since| since.offset);
        match (history.mode(), since) {
            (HistoryMode::Stream, Some(since))
                if (history.floor()..position.offset).contains(&since) =>
            {
                Self {
                    after: since,
                    recovered: true,
                }
            }
            (HistoryMode::Stream, _) => live,
            (HistoryMode::Latest, since) => match history.newest() {
                Some(newest) if since.is_none_or(|since| since < newest.number) => Self {
                    after: newest.number - 1,
                    recovered: since.is_some(),
                },
                Some(_) => Self {
                    recovered: since.is_some_and(|since| since <= position.offset),
                    ..live
                },
                None => live,
            },
        }
    }
}

/// What giving came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// Everything: so many publications.
    All(usize),
    /// Some, and there is more when the outbox is empty.
    Part(usize),
    /// So many, and then the client was found closed, or has been closed.
    Closed(usize),
}

impl Behind {
    /// Gives what there is room for.
    pub(super) fn give(&mut self, history: &History, face: &Face) -> Given {
        // First, so that a client which receives what is put in below may ask for more.
        let Subscriber {
            client, membership, ..
        } = &self.subscriber;
        client.let_ask(membership);
        let mut given = 0;
        if history.mode() == HistoryMode::Latest {
            // Only the last one counts, which is there, or is lost with the others.
            let is_there = history.newest().is_some();
            let superseded = history.floor().saturating_sub(u64::from(!is_there));
            self.after = self.after.max(superseded);
        }
        if self.lose_up_to(history.floor(), face) {
            return Given::Closed(0);
        }
        for entry in history.after(self.after) {
            if self.wants(entry) {
                // An empty outbox is never half full: whoever comes again and again gets it all.
                if self.subscriber.client.queue.ring.is_half_full() {
                    return self.pause(given);
                }
                match self.put(entry, history, face) {
                    Put::Done => given += 1,
                    Put::Dropped => {}
                    Put::Full => return self.pause(given),
                    Put::Closed => return Given::Closed(given),
                }
            }
            self.after = entry.number;
        }
        Given::All(given)
    }

    /// Gives up what it has not been given, up to the last publication at `position`.
    pub(super) fn lose_all(&mut self, position: u64, face: &Face) -> Given {
        if self.lose_up_to(position, face) {
            Given::Closed(0)
        } else {
            Given::All(0)
        }
    }

    /// What it has not been given up to `last` is gone. Says whether the client is closed for it.
    fn lose_up_to(&mut self, last: u64, face: &Face) -> bool {
        if self.after >= last {
            return false;
        }
        let first = self.after + 1;
        self.after = last;
        self.lose(Lost { first, last }, face)
    }

    /// Leaves the rest until the outbox is empty.
    fn pause(&self, given: usize) -> Given {
        if given == 0 {
            // What fills it came from elsewhere. It may have been emptied by one who has not seen
            // that it may ask.
            self.subscriber.client.queue.ring.call();
        }
        Given::Part(given)
    }

    fn wants(&self, entry: &Entry) -> bool {
        if entry.except == Some(self.subscriber.id) {
            return false;
        }
        let Some(message) = entry.frame.message() else {
            // Those who came and went before it joined, it was told of when it did.
            return entry.number > self.joined;
        };
        if entry
            .frame
            .has_expired(|| self.subscriber.client.common.millis())
        {
            return false;
        }
        let filter = self.subscriber.membership.filter();
        filter.is_none_or(|filter| filter.wants(message))
    }

    fn put(&self, entry: &Entry, history: &History, face: &Face) -> Put {
        let ring = &self.subscriber.client.queue.ring;
        if !ring.could_hold(entry.frame.0.weight()) {
            let is_closed = self.lose(Lost::one(entry.number), face);
            return if is_closed { Put::Closed } else { Put::Dropped };
        }
        let mut frame = history.replayed(entry);
        if self.subscriber.client.has_copies() {
            frame = frame.replay();
        }
        match ring.push(frame.into_shared()) {
            Ok(()) => Put::Done,
            Err(refused) if refused.why == Why::Closed => Put::Closed,
            Err(_) => Put::Full,
        }
    }

    /// Notes that what it was to be given is gone. Says whether the client is closed for it.
    fn lose(&self, lost: Lost, face: &Face) -> bool {
        let Subscriber { client, .. } = &self.subscriber;
        let common = &face.common;
        let policy = client.policy.get().or_else(|| face.policy.get());
        let policy = policy.unwrap_or(common.slow_consumer);
        match client.queue.lose(lost.count(), policy, common.millis()) {
            Losing::Closed => true,
            Losing::Disconnected => {
                face.counters.lose(lost.count(), true);
                common.after(Effect::Retire(Arc::clone(client)));
                true
            }
            Losing::Dropped { first } => {
                face.counters.lose(lost.count(), false);
                if first {
                    client.begin_losing(policy, face.name.as_ref());
                }
                tell_loss(&self.subscriber, lost, None, face) == Controlled::Disconnected
            }
        }
    }
}

/// What became of one publication.
enum Put {
    Closed,
    Done,
    Dropped,
    Full,
}

/// Whether something that was announced is remembered.
pub(super) fn is_remembered(what: &What, mode: HistoryMode) -> bool {
    match what {
        What::Message(message) => !message.is_ephemeral(),
        What::MemberAdded(_) | What::MemberRemoved(_) => mode == HistoryMode::Stream,
        What::Gap(_) | What::GapIn(_) | What::Joined(_) | What::Left(_) | What::Routed(..) => false,
    }
}
