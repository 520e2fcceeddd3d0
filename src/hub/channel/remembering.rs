//! What a channel does with its history: it remembers, forgets, is looked into, and gives those who
//! are behind what they have missed.

use std::sync::Arc;

use crate::hub::agenda::NEVER;
use crate::hub::channel::replay::Given;
use crate::hub::channel::replay::is_remembered;
use crate::hub::channel::state::State;
use crate::hub::frame::Frame;
use crate::hub::history::History;
use crate::hub::history::HistoryOptions;
use crate::hub::history::HistoryPage;
use crate::hub::history::HistoryQuery;
use crate::hub::membership::Membership;
use crate::id::ClientId;

impl State {
    /// Remembers the last publication, if it is of a kind that is.
    pub(super) fn keep(&mut self, frame: Frame, except: Option<ClientId>) {
        let Some(history) = &mut self.history else {
            return;
        };
        if is_remembered(&frame.0.what, history.mode()) {
            let now = self.face.common.millis();
            let was_empty = history.ages_at() == NEVER;
            history.push(self.position.offset, frame, except, now);
            self.face.set_forgets_at(history.forgets_at(now));
            self.face.counters.remember(history.size());
            if was_empty {
                self.await_age();
            }
        }
    }

    /// Forgets what is too old.
    pub(super) fn expire(&mut self) {
        if let Some(history) = &mut self.history {
            history.expire(self.face.common.millis());
            self.face.counters.remember(history.size());
        }
    }

    /// Forgets one publication, whatever its age.
    pub(super) fn retract(&mut self, number: u64) {
        if let Some(history) = &mut self.history {
            history.retract(number);
            self.face.counters.remember(history.size());
        }
    }

    /// Has somebody come when the oldest that is remembered is too old; until then the oldest may
    /// have become another one, and that is seen then.
    pub(super) fn await_age(&self) {
        let history = self.history.as_ref();
        let ages_at = history.map_or(NEVER, |history| history.ages_at());
        self.face.set_ages_at(ages_at);
    }

    pub(super) fn remember(&mut self, options: Option<HistoryOptions>) {
        let options = self.face.common.in_bounds(options);
        let budget = &self.face.common.history_budget;
        let made = |options| {
            Box::new(History::new(
                options,
                self.position.offset,
                Arc::clone(budget),
            ))
        };
        match (options, &mut self.history) {
            (Some(options), Some(history)) => {
                let now = self.face.common.millis();
                history.set(options, now);
                self.face.forget_by(history.forgets_at(now));
            }
            (Some(options), history) => *history = Some(made(options)),
            (None, history) => {
                *history = None;
                self.face.set_forgets_at(0);
            }
        }
        let history = self.history.as_ref();
        let size = history.map_or((0, 0), |history| history.size());
        self.face.counters.remember(size);
        let age = history.map_or(0, |history| history.max_age_ms());
        self.face.set_age(age);
        self.await_age();
    }

    pub(super) fn page(&mut self, query: &HistoryQuery) -> HistoryPage {
        let mut page = HistoryPage {
            position: self.position,
            floor: self.position.offset,
            ..HistoryPage::default()
        };
        self.expire();
        if let Some(history) = &self.history {
            (page.frames, page.more) = history.page(query, || self.face.common.millis());
            page.floor = history.floor();
        }
        page
    }

    /// Gives a subscriber that is behind as much of what it has missed as there is room for.
    pub(super) fn catch_up(&mut self, membership: &Arc<Membership>) {
        if !membership.is_behind() {
            return;
        }
        let Some(index) = membership.index() else {
            return;
        };
        self.expire();
        let Some(behind) = self.subscribers.behind(index) else {
            return;
        };
        if behind.values.is_some() {
            let (given, evicted) = behind.give_values(&self.face);
            self.face.counters.evict(evicted);
            match given {
                Given::All(_) => self.subscribers.go_live(index),
                Given::Closed(_) => self.subscribers.found_dead(membership),
                Given::Part(_) => {}
            }
            return;
        }
        let given = match &self.history {
            Some(history) => behind.give(history, &self.face),
            // Forgotten meanwhile.
            None => behind.lose_all(self.position.offset, &self.face),
        };
        match given {
            Given::All(frames) => {
                self.face.counters.replay(frames);
                self.subscribers.go_live(index);
            }
            Given::Part(frames) => self.face.counters.replay(frames),
            Given::Closed(frames) => {
                self.face.counters.replay(frames);
                self.subscribers.found_dead(membership);
            }
        }
    }
}
