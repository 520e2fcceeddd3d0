//! Who is there: pure state, told the time.
//!
//! ```text
//!              connected                     last connection gone
//!   (unknown) ───────────▶ there as it says ──────────────────────▶ grace ──┐ comes back: nothing
//!       ▲   └ set ───────▶ there until `timeout` after the last touch       │ has happened
//!       │                                      │                            │
//!       └──────────── `remember` ────────────  gone  ◀──────────────────────┘ `grace`
//! ```
//!
//! A user that is there is what it has chosen to be, *online* unless it says otherwise. Activity
//! and further connections never change that; being gone does.

mod index;
mod record;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use ahash::RandomState;
use hashbrown::HashMap;

use crate::id::ClientId;
use crate::layers::name::UserId;
use crate::layers::presence::status::Status;
use crate::layers::presence::update::Device;
use crate::layers::presence::update::PresenceUpdate;
use crate::layers::wheel::Wheel;

pub(super) use self::index::Index;
pub(super) use self::index::Place;
pub(super) use self::index::Position;
pub(super) use self::record::Look;
pub(super) use self::record::Record;

/// How long things last, and how much is kept.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) grace: Duration,
    pub(super) timeout: Duration,
    pub(super) remember: Duration,
    pub(super) history: usize,
    pub(super) max_offline_users: usize,
}

/// What others saw before, and what they see now; never the same.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) user: UserId,
    pub(super) before: Look,
    pub(super) now: Look,
}

/// The presence of some users.
///
/// # Progress
///
/// Every verb is O(log *n*) in the users and O(*c*) in the connections of the one user. A tick
/// looks at those users alone of whom something has lasted its time.
#[derive(Debug)]
pub(super) struct State {
    rules: Rules,
    records: HashMap<UserId, Record, RandomState>,
    index: Index,
    timers: Wheel<UserId>,
}

impl State {
    pub(super) fn new(start: Instant, rules: Rules) -> Self {
        Self {
            rules,
            records: HashMap::default(),
            index: Index::default(),
            timers: Wheel::new(start, TICK),
        }
    }

    /// A connection of the user has come.
    pub(super) fn connected(
        &mut self,
        now: Instant,
        user: &UserId,
        connection: ClientId,
        device: Option<Arc<Device>>,
    ) -> Option<Change> {
        self.change(now, user, |record, _| {
            record.connect(now, connection, device);
        })
    }

    /// A connection of the user has gone.
    pub(super) fn disconnected(
        &mut self,
        now: Instant,
        user: &UserId,
        connection: ClientId,
    ) -> Option<Change> {
        self.records.get(user)?;
        self.change(now, user, |record, rules| {
            record.disconnect(now, connection, rules);
        })
    }

    /// The user, or somebody for it, has said something about it.
    pub(super) fn set(
        &mut self,
        now: Instant,
        user: &UserId,
        through: Option<ClientId>,
        update: &PresenceUpdate,
    ) -> Option<Change> {
        self.change(now, user, |record, rules| {
            record.update(now, through, update, rules);
        })
    }

    /// A device of the user, which came through no connection, is there no longer.
    pub(super) fn remove_device(
        &mut self,
        now: Instant,
        user: &UserId,
        device: &Device,
    ) -> Option<Change> {
        self.records.get(user)?;
        self.change(now, user, |record, _| record.remove_device(device))
    }

    /// All that is known about the user is forgotten, but not that it is connected.
    pub(super) fn erase(&mut self, now: Instant, user: &UserId) -> Option<Change> {
        self.records.get(user)?;
        let change = self.change(now, user, |record, _| record.erase());
        if self
            .records
            .get(user)
            .is_some_and(|record| !record.is_there())
        {
            self.forget(user);
        }
        change
    }

    /// The user has done something. Says whether anything is known about it.
    pub(super) fn touch(&mut self, now: Instant, user: &UserId, through: Option<ClientId>) -> bool {
        let record = self.records.get_mut(user);
        record
            .map(|record| record.touch(now, through, &self.rules))
            .is_some()
    }

    /// Ends what has lasted its time, of at most `most` users; says whether it may not be all.
    pub(super) fn tick(&mut self, now: Instant, most: usize) -> (Vec<Change>, bool) {
        let mut changes = Vec::new();
        for _ in 0..most {
            let Some(user) = self.timers.pop(now) else {
                return (changes, false);
            };
            let Some(record) = self.records.get_mut(&user) else {
                continue;
            };
            if record.timers.last().is_some_and(|due| *due <= now) {
                record.timers.pop();
            }
            if record.is_stale(now, &self.rules) {
                self.forget(&user);
            } else {
                changes.extend(self.change(now, &user, |record, _| record.expire(now)));
            }
        }
        (changes, true)
    }

    /// When to tick again.
    pub(super) fn next(&self) -> Option<Instant> {
        self.timers.next()
    }

    pub(super) fn get(&self, user: &UserId) -> Option<&Record> {
        self.records.get(user)
    }

    pub(super) fn index(&self) -> &Index {
        &self.index
    }

    /// Does something to the record of a user, which is made if there is none, and says what
    /// others see of it.
    fn change(
        &mut self,
        now: Instant,
        user: &UserId,
        edit: impl FnOnce(&mut Record, &Rules),
    ) -> Option<Change> {
        if !self.records.contains_key(user) {
            let record = Record::new(now);
            self.index
                .insert(record.place(), (record.shown_since(), user.clone()));
            self.records.insert(user.clone(), record);
        }
        let record = self.records.get_mut(user)?;
        let (before, place) = (record.shown(), record.place());
        edit(record, &self.rules);
        record.settle(now, &self.rules);
        let shown = record.shown();
        if (record.place(), record.shown_since()) != (place, before.since) {
            let position = (before.since, user.clone());
            self.index.remove(place, &position);
            let position = (record.shown_since(), position.1);
            self.index.insert(record.place(), position);
        }
        arm(&mut self.timers, now, user, record, &self.rules);
        if self.index.count(Place::Gone) > self.rules.max_offline_users {
            let oldest = self.index.oldest(Place::Gone).cloned();
            oldest.inspect(|user| self.forget(user));
        }
        let change = Change {
            user: user.clone(),
            before,
            now: shown,
        };
        (!change.before.is_like(&change.now)).then_some(change)
    }

    fn forget(&mut self, user: &UserId) {
        if let Some(record) = self.records.remove(user) {
            let position = (record.shown_since(), user.clone());
            self.index.remove(record.place(), &position);
        }
    }
}

/// Sees to it that a timer comes out no later than something of this record has lasted its time.
///
/// What is put off is not looked for: the timer comes out early and is set again. So each further
/// timer of a user is earlier than all others; from the fifth on they are set to powers of two
/// from now, so that there are never more than about fifty, whatever the user does.
fn arm(
    timers: &mut Wheel<UserId>,
    now: Instant,
    user: &UserId,
    record: &mut Record,
    rules: &Rules,
) {
    let Some(mut due) = record.due(rules) else {
        return;
    };
    let left = due.saturating_duration_since(now).as_nanos();
    if record.timers.len() >= EXACT_TIMERS && left > 0 {
        let nanos = u64::try_from(1_u128 << left.ilog2()).unwrap_or(u64::MAX);
        due = now + Duration::from_nanos(nanos);
    }
    if record.timers.last().is_none_or(|next| due < *next) {
        record.timers.push(due);
        timers.insert(due, user.clone());
    }
}

impl Change {
    /// What the user was and is, as others see it.
    pub(super) fn statuses(&self) -> (Status, Status) {
        (self.before.status, self.now.status)
    }
}

/// How exact the times are.
const TICK: Duration = Duration::from_millis(10);

/// Timers of one user that are set to the exact time.
const EXACT_TIMERS: usize = 4;
