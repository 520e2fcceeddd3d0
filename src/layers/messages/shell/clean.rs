//! What is done from time to time: what is too old, or too much, is removed.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use crate::layers::messages::error::MessageError;
use crate::layers::messages::store::CleanupOutcome;

use super::Inner;
use super::Messages;

/// How long the next cleanup waits while there is more to remove.
const SOON: Duration = Duration::from_secs(1);

impl Messages {
    /// When to call [`Messages::tick`] next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let clean_at = *self.inner.clean_at.lock();
        let save_at = *self.inner.save_at.lock();
        let save_at = self.crew.threads.as_ref().and(save_at);
        let due = [clean_at, save_at, self.inner.removals.next()];
        due.into_iter().flatten().min()
    }

    /// Does what is due at `now`.
    pub fn tick(&self, now: Instant) {
        self.save_rooms(now);
        self.inner.removals.retry(now);
        self.tidy(now);
        let mut clean_at = self.inner.clean_at.lock();
        if clean_at.is_none_or(|at| now < at) {
            return;
        }
        *clean_at = now.checked_add(self.inner.config.cleanup_interval);
        drop(clean_at);
        // What came of it is of no use here; the next one does what is left.
        let _cleaning = self.keep_up(move |inner: &Arc<Inner>, giver| {
            let cleaned = inner.clean();
            if cleaned.as_ref().is_ok_and(|cleaned| cleaned.more) {
                let mut clean_at = inner.clean_at.lock();
                let soon = now + SOON;
                *clean_at = Some(clean_at.map_or(soon, |at| at.min(soon)));
            }
            giver.give(cleaned);
        });
    }
}

impl Messages {
    /// Has the store free what removed rooms have left, if it is time to.
    fn tidy(&self, now: Instant) {
        if !self.inner.removals.is_tidy_due(now) {
            return;
        }
        let _tidying = self.keep_up(|inner: &Arc<Inner>, giver| {
            let tidied = inner.store.tidy(inner.config.cleanup_batch);
            if !matches!(tidied, Ok(false)) {
                inner.removals.tidy_later();
            }
            giver.give(tidied.map_err(MessageError::Store));
        });
    }
}

impl Inner {
    fn clean(&self) -> Result<CleanupOutcome, MessageError> {
        // By the clock that messages are stamped by, or all of them could be taken for old.
        let now = self.rooms.now_for_removal();
        let most = self.config.cleanup_batch;
        let cleaned = self.store.clean(now, &self.config.retention, most);
        cleaned.map_err(MessageError::Store)
    }
}
