//! What is known, for those who may see it.

use std::collections::HashSet;
use std::time::Duration;
use std::time::Instant;

use crate::layers::meter;
use crate::layers::name::Actor;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::layers::presence::config::Visibility;
use crate::layers::presence::error::PresenceError;
use crate::layers::presence::page;
use crate::layers::presence::page::Page;
use crate::layers::presence::page::PresenceFilter;
use crate::layers::presence::page::PresenceQuery;
use crate::layers::presence::shell::Presence;
use crate::layers::presence::state::Look;
use crate::layers::presence::state::Place;
use crate::layers::presence::state::Position;
use crate::layers::presence::state::Record;
use crate::layers::presence::status::Status;
use crate::layers::presence::view::DeviceView;
use crate::layers::presence::view::PresenceCounts;
use crate::layers::presence::view::StatusEntry;
use crate::layers::presence::view::UserPresence;

/// The presence of several users.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PresenceBatch {
    /// Those that may be seen, in the order in which they were asked for.
    pub presences: Vec<UserPresence>,
    /// The others.
    pub denied: Vec<UserId>,
}

impl Presence {
    /// Whether `actor` may see the presence of a user.
    #[must_use]
    pub fn may_see(&self, actor: &Actor, user: &UserId) -> bool {
        self.sight(actor).reaches(user)
    }

    /// The presence of a user.
    ///
    /// # Errors
    ///
    /// [`PresenceError::Denied`] if `actor` may not see it, [`PresenceError::Unknown`] if nothing
    /// is known about the user.
    pub fn get(&self, actor: &Actor, user: &UserId) -> Result<UserPresence, PresenceError> {
        if !self.may_see(actor, user) {
            return Err(PresenceError::Denied);
        }
        let is_known = self.shard(user).lock().state.get(user).is_some();
        if !is_known {
            return Err(PresenceError::Unknown);
        }
        Ok(self.look(actor, user))
    }

    /// The presence of several users; one about whom nothing is known is offline.
    #[must_use]
    pub fn get_many(&self, actor: &Actor, users: &[UserId]) -> PresenceBatch {
        let sight = self.sight(actor);
        let (seen, denied) = users
            .iter()
            .partition::<Vec<_>, _>(|user| sight.reaches(user));
        PresenceBatch {
            presences: seen
                .into_iter()
                .map(|user| self.look(actor, user))
                .collect(),
            denied: denied.into_iter().cloned().collect(),
        }
    }

    /// The presence of those of some users who may be seen and whom the filter admits.
    #[must_use]
    pub fn among(
        &self,
        actor: &Actor,
        users: &[UserId],
        filter: &PresenceFilter,
    ) -> Vec<UserPresence> {
        let sight = self.sight(actor);
        let dates = self.shared.dates;
        let seen = users.iter().filter(|user| sight.reaches(user));
        let admitted = seen.filter_map(|user| {
            let shard = self.shard(user).lock();
            let Some(record) = shard.state.get(user) else {
                let unknown = dates.unknown(user.clone());
                let is_asked_for = filter.admits(&Look::offline(dates.start));
                return is_asked_for.then_some(unknown);
            };
            let look = if sees_all(actor, user) {
                record.full()
            } else {
                record.shown()
            };
            filter.admits(&look).then(|| dates.view(user.clone(), look))
        });
        admitted.collect()
    }

    /// Whether others see the user online, away or busy.
    #[must_use]
    pub fn is_online(&self, user: &UserId) -> bool {
        let shard = self.shard(user).lock();
        let record = shard.state.get(user);
        record.is_some_and(|record| record.shown().status.is_present())
    }

    /// A page of the users that the query asks for and that `actor` may see, newest change first.
    ///
    /// # Errors
    ///
    /// [`PresenceError::InvalidField`] if the limit is not 1 to 1000, or
    /// [`PresenceQuery::after`] is no text from [`Page::next`].
    pub fn page(
        &self,
        actor: &Actor,
        query: &PresenceQuery,
    ) -> Result<Page<UserPresence>, PresenceError> {
        let limit = page::check_limit(query.limit)?;
        let start = self.shared.dates.start;
        let after = query.after.as_deref();
        let before = after.map(|cursor| page::position(cursor, start));
        let before = before.transpose()?;
        let sight = self.sight(actor);
        let is_plain = sight.is_everybody() && query.filter.is_everybody() && query.ago.is_none();
        let most = if is_plain { limit } else { limit.max(EXAMINED) };
        let candidates = self.candidates(places(actor, query), before.as_ref(), most + 1);
        meter::examined(candidates.len());
        let now = self.shared.clock.now();
        let oldest = query.changed_within.and_then(|time| now.checked_sub(time));
        let mut items = Vec::new();
        let mut last = None;
        for position in candidates.iter().take(most) {
            if items.len() == limit {
                break;
            }
            if oldest.is_some_and(|oldest| position.0 < oldest) {
                return Ok(Page { items, next: None });
            }
            last = Some(position);
            if sight.reaches(&position.1) {
                items.extend(self.admitted(actor, query, now, &position.1));
            }
        }
        let is_last = last == candidates.last();
        let next = last.filter(|_| !is_last);
        let next = next.map(|position| page::cursor(position, start));
        Ok(Page { items, next })
    }

    /// How many there are of each status.
    #[must_use]
    pub fn counts(&self) -> PresenceCounts {
        let mut places = [0; Place::ALL.len()];
        for shard in &self.shared.shards {
            let shard = shard.lock();
            for place in Place::ALL {
                places[place as usize] += shard.state.index().count(place);
            }
        }
        let count =
            |places_of: &[Place]| places_of.iter().map(|place| places[*place as usize]).sum();
        let now = self.shared.clock.now();
        let mut figures = self.shared.figures.lock();
        PresenceCounts {
            present: figures.present(),
            online: count(Place::of(Status::Online)),
            away: count(Place::of(Status::Away)),
            busy: count(Place::of(Status::Busy)),
            offline: count(Place::of(Status::Offline)),
            invisible: count(Place::of(Status::Invisible)),
            peak: figures.peak(now),
            average: figures.average(now),
        }
    }

    /// The last changes of status of a user, newest first, as far as they are kept.
    ///
    /// # Errors
    ///
    /// As [`Presence::get`].
    pub fn history(&self, actor: &Actor, user: &UserId) -> Result<Vec<StatusEntry>, PresenceError> {
        let dates = self.shared.dates;
        let mut changes = self.read(actor, user, |record| spans(record, sees_all(actor, user)))?;
        changes.reverse();
        let dated = changes.into_iter().map(|(since, status)| StatusEntry {
            status,
            since: dates.of(since),
        });
        Ok(dated.collect())
    }

    /// How long a user has been what, over the last `window`, as far as its history reaches; those
    /// statuses alone that it has had, by name.
    ///
    /// # Errors
    ///
    /// As [`Presence::get`].
    pub fn durations(
        &self,
        actor: &Actor,
        user: &UserId,
        window: Duration,
    ) -> Result<Vec<(Status, Duration)>, PresenceError> {
        let now = self.shared.clock.now();
        let changes = self.read(actor, user, |record| spans(record, sees_all(actor, user)))?;
        let ends = changes.iter().skip(1).map(|(end, _)| *end).chain([now]);
        let spans: Vec<_> = changes.iter().zip(ends).collect();
        let total = |status| {
            let of_it = spans.iter().filter(|((_, was), _)| *was == status);
            let each = of_it.map(|((since, _), end)| {
                let begins = now
                    .checked_sub(window)
                    .map_or(*since, |from| from.max(*since));
                end.saturating_duration_since(begins)
            });
            (status, each.sum::<Duration>())
        };
        let all = Status::ALL.into_iter().map(total);
        Ok(all.filter(|(_, time)| !time.is_zero()).collect())
    }

    /// With what a user is there: a line for each connection, and for each device that was said.
    ///
    /// # Errors
    ///
    /// [`PresenceError::Unknown`] if nothing is known about the user.
    pub fn devices(&self, user: &UserId) -> Result<Vec<DeviceView>, PresenceError> {
        let (dates, timeout) = (self.shared.dates, self.shared.config.timeout);
        let now = self.shared.clock.now();
        self.read(&Actor::Server, user, |record| {
            dates.devices(record, now, timeout)
        })
    }

    /// What `actor` sees of a user, whom it may see.
    pub(super) fn look(&self, actor: &Actor, user: &UserId) -> UserPresence {
        let dates = self.shared.dates;
        let shard = self.shard(user).lock();
        match shard.state.get(user) {
            Some(record) if sees_all(actor, user) => dates.view(user.clone(), record.full()),
            Some(record) => dates.view(user.clone(), record.shown()),
            None => dates.unknown(user.clone()),
        }
    }

    fn read<T>(
        &self,
        actor: &Actor,
        user: &UserId,
        read: impl FnOnce(&Record) -> T,
    ) -> Result<T, PresenceError> {
        if !self.may_see(actor, user) {
            return Err(PresenceError::Denied);
        }
        let shard = self.shard(user).lock();
        shard
            .state
            .get(user)
            .map(read)
            .ok_or(PresenceError::Unknown)
    }

    /// At most `most` of those in `places`, newest first.
    fn candidates(
        &self,
        places: &[Place],
        before: Option<&Position>,
        most: usize,
    ) -> Vec<Position> {
        let mut found = Vec::new();
        for shard in &self.shared.shards {
            found.extend(shard.lock().state.index().newest(places, before, most));
        }
        found.sort_unstable_by(|one, other| other.cmp(one));
        found.truncate(most);
        found
    }

    /// The presence of a candidate, if it is still what the query asks for.
    fn admitted(
        &self,
        actor: &Actor,
        query: &PresenceQuery,
        now: Instant,
        user: &UserId,
    ) -> Option<UserPresence> {
        let dates = self.shared.dates;
        let shard = self.shard(user).lock();
        let record = shard.state.get(user)?;
        let look = if sees_all(actor, user) {
            record.full()
        } else {
            record.shown()
        };
        if let Some(ago) = query.ago {
            let then = record.status_at(now.checked_sub(ago)?);
            let then = if sees_all(actor, user) {
                then
            } else {
                then.shown()
            };
            let is_asked_for = match query.status {
                Some(status) => then == status,
                None => then.is_present(),
            };
            if !is_asked_for {
                return None;
            }
        }
        let is_admitted = query.filter.admits(&look);
        is_admitted.then(|| dates.view(user.clone(), look))
    }

    /// Whom `actor` may see.
    fn sight<'a>(&'a self, actor: &'a Actor) -> Sight<'a> {
        let rooms = self.shared.rooms.get();
        match (actor, self.shared.config.visibility, rooms) {
            (Actor::User(user), Visibility::SharedRooms, Some(rooms)) => Sight::SharedRooms {
                presence: self,
                user,
                rooms: (rooms.of)(user).into_iter().collect(),
            },
            _ => Sight::Everybody,
        }
    }
}

/// Whom somebody may see.
enum Sight<'a> {
    Everybody,
    SharedRooms {
        presence: &'a Presence,
        user: &'a UserId,
        rooms: HashSet<RoomId>,
    },
}

impl Sight<'_> {
    fn is_everybody(&self) -> bool {
        matches!(self, Self::Everybody)
    }

    fn reaches(&self, other: &UserId) -> bool {
        match self {
            Self::Everybody => true,
            Self::SharedRooms { user, .. } if *user == other => true,
            Self::SharedRooms {
                presence, rooms, ..
            } => {
                let of = presence.shared.rooms.get().map(|rooms| &rooms.of);
                let theirs = of.map_or_else(Vec::new, |of| of(other));
                theirs.iter().any(|room| rooms.contains(room))
            }
        }
    }
}

/// Whether `actor` sees what is hidden from others.
fn sees_all(actor: &Actor, user: &UserId) -> bool {
    match actor {
        Actor::Server => true,
        Actor::User(actor) => actor == user,
    }
}

/// Where to look for those whom the query asks for.
fn places(actor: &Actor, query: &PresenceQuery) -> &'static [Place] {
    match (query.ago, query.status, actor) {
        (Some(_), ..) => &Place::ALL,
        (None, None, _) => Place::PRESENT,
        (None, Some(Status::Invisible), Actor::User(_)) => &[],
        (None, Some(Status::Offline), Actor::Server) => &[Place::Gone, Place::Hidden],
        (None, Some(status), _) => Place::of(status),
    }
}

/// The changes of status, oldest first, and without those that others do not see.
fn spans(record: &Record, sees_all: bool) -> Vec<(Instant, Status)> {
    let mut spans: Vec<_> = record.history().collect();
    if !sees_all {
        spans
            .iter_mut()
            .for_each(|(_, status)| *status = status.shown());
        spans.dedup_by_key(|(_, status)| *status);
    }
    spans
}

/// Users that a page with a filter looks at, at least.
const EXAMINED: usize = 250;
