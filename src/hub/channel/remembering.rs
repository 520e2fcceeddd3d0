//! What a channel does with its history: it remembers, forgets, is looked into, and gives those who
//! are behind what they have missed.

use std::sync::Arc;

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
            history.push(self.position.offset, frame, except, now);
            self.face.keep_until(history.keeps_until(now));
            self.face.counters.remember(history.size());
        }
    }

    pub(super) fn remember(&mut self, options: Option<HistoryOptions>) {
        let budget = &self.face.common.history_budget;
        let made = |options| {
            Box::new(History::new(
                options,
                self.position.offset,
                Arc::clone(budget),
            ))
        };
        match (options, &mut self.history) {
            (Some(options), Some(history)) => history.set(options),
            (Some(options), history) => *history = Some(made(options)),
            (None, history) => {
                *history = None;
                self.face.keep_until(0);
            }
        }
        let history = self.history.as_ref();
        let size = history.map_or((0, 0), |history| history.size());
        self.face.counters.remember(size);
        let age = history.map_or(0, |history| history.max_age_ms());
        self.face.keep_for(age);
    }

    pub(super) fn page(&mut self, query: &HistoryQuery) -> HistoryPage {
        let mut page = HistoryPage {
            position: self.position,
            floor: self.position.offset,
            ..HistoryPage::default()
        };
        if let Some(history) = &mut self.history {
            history.expire(self.face.common.millis());
            self.face.counters.remember(history.size());
            (page.frames, page.more) = history.page(query);
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
        let Some(behind) = self.subscribers.behind(index) else {
            return;
        };
        let given = match &mut self.history {
            Some(history) => {
                history.expire(self.face.common.millis());
                behind.give(history, &self.face)
            }
            // Forgotten meanwhile: what it has not been given is lost.
            None => {
                let budget = Arc::clone(&self.face.common.history_budget);
                let options = HistoryOptions::new();
                behind.give(
                    &History::new(options, self.position.offset, budget),
                    &self.face,
                )
            }
        };
        match given {
            Given::All(frames) => {
                self.face.counters.replay(frames);
                self.subscribers.go_live(index);
            }
            Given::Part(frames) => self.face.counters.replay(frames),
            Given::Closed => self.subscribers.found_dead(membership),
        }
    }
}
