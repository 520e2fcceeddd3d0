//! What is done from time to time: what is too old, or too much, is removed.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use crate::layers::messages::error::MessageError;
use crate::layers::messages::pending::Pending;
use crate::layers::messages::store::Cleaned;
use crate::layers::name::RoomId;
use crate::time::SystemClock;

use super::Inner;
use super::Messages;

/// How many rooms are kept before others have their turn.
const MOST_SAVED: usize = 1000;

/// How long the next cleanup waits while there is more to remove.
const SOON: Duration = Duration::from_secs(1);

impl Messages {
    /// When to call [`Messages::tick`] next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let clean_at = *self.inner.clean_at.lock();
        let save_at = *self.inner.save_at.lock();
        match self.inner.threads {
            Some(_) => Some(clean_at.min(save_at)),
            None => Some(clean_at),
        }
    }

    /// Does what is due at `now`.
    pub fn tick(&self, now: Instant) {
        self.save_rooms(now);
        let mut clean_at = self.inner.clean_at.lock();
        if now < *clean_at {
            return;
        }
        *clean_at = now + self.inner.config.cleanup_interval;
        drop(clean_at);
        // What came of it is of no use here; the next one does what is left.
        let _cleaning = self.later(move |inner: &Arc<Inner>, giver| {
            let cleaned = inner.clean();
            if cleaned.as_ref().is_ok_and(|cleaned| cleaned.more) {
                let mut clean_at = inner.clean_at.lock();
                *clean_at = (*clean_at).min(now + SOON);
            }
            giver.give(cleaned);
        });
    }
}

impl Messages {
    /// Keeps the rooms that have changed, if it is time to.
    fn save_rooms(&self, now: Instant) {
        if self.inner.threads.is_none() {
            return;
        }
        let mut save_at = self.inner.save_at.lock();
        if now < *save_at {
            return;
        }
        *save_at = now + self.inner.config.save_interval;
        drop(save_at);
        self.save_some(MOST_SAVED);
    }

    fn save_some(&self, most: usize) -> usize {
        let inner = &self.inner;
        let mut save = |room: &RoomId, snapshot| inner.keep_room(room, snapshot);
        inner.rooms.save_changed(most, &mut save)
    }

    /// Keeps all rooms that have changed, and waits until all changes that were asked for are made.
    /// Parks the thread.
    pub fn flush(&self) {
        let Some(threads) = &self.inner.threads else {
            return;
        };
        while self.save_some(MOST_SAVED) > 0 {}
        let (giver, pending) = Pending::later();
        threads.barrier(Box::new(move || giver.give(())));
        pending.wait();
    }
}

impl Inner {
    fn clean(&self) -> Result<Cleaned, MessageError> {
        let now = SystemClock::new().since_unix_epoch().as_millis();
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        let most = self.config.cleanup_most;
        let cleaned = self.store.clean(now, &self.config.retention, most);
        cleaned.map_err(MessageError::Store)
    }
}
