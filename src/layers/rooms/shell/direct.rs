//! Direct rooms: of two users, and nobody else ever.

use crate::layers::name::Actor;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::layers::rooms::error::RoomError;
use crate::layers::rooms::options::RoomOptions;
use crate::layers::rooms::room::Room;
use crate::layers::rooms::view::RoomView;

use super::RoomChange;
use super::Rooms;
use super::create::random_id;

impl Rooms {
    /// The direct room of two users, made if it is not there; both are in it at once, and nobody
    /// else ever is. A user may ask for its own.
    ///
    /// # Errors
    ///
    /// [`RoomError::InvalidField`] for a room of one, [`RoomError::RoomLimitReached`] when either
    /// has as many as it may, [`RoomError::InsufficientRole`] for a room of others,
    /// [`RoomError::Exists`] as long as messages of the one that they had are not removed.
    pub fn direct(
        &self,
        actor: &Actor,
        one: &UserId,
        other: &UserId,
    ) -> Result<RoomView, RoomError> {
        if one == other {
            return Err(RoomError::InvalidField {
                field: "user_id",
                allowed: "another user",
            });
        }
        if actor
            .user()
            .is_some_and(|user| user != one && user != other)
        {
            return Err(RoomError::InsufficientRole);
        }
        // By the order of the ids, whoever asks, so that two who ask at once meet.
        let (first, second) = if one < other {
            (one, other)
        } else {
            (other, one)
        };
        loop {
            if let Some(room) = self.inner.users.direct(first, second) {
                match self.with(&room, |_, state, _| Ok(RoomView::of(&state.room))) {
                    Err(RoomError::UnknownRoom) => continue,
                    view => return view,
                }
            }
            if let Some(view) = self.meet(first, second)? {
                return Ok(view);
            }
        }
    }

    /// The direct rooms of a user: with whom, and which.
    #[must_use]
    pub fn directs(&self, user: &UserId) -> Vec<(UserId, RoomId)> {
        self.inner.users.directs(user)
    }

    /// Makes the room of two; `None` if somebody else has just done so.
    fn meet(&self, first: &UserId, second: &UserId) -> Result<Option<RoomView>, RoomError> {
        let id = direct_id(first, second)?;
        let now = self.now();
        let mut room = Room::new(
            id.clone(),
            RoomOptions::new("direct"),
            &self.inner.config,
            now,
        );
        room.direct = true;
        room.private = true;
        let cell = self.cell_of(room)?;
        let mut state = cell.state.lock();
        match self.insert(&id, &cell, self.inner.config.max_rooms) {
            Err(RoomError::Exists) => {
                drop(state);
                return self.check_not_leaving(&id).map(|()| None);
            }
            inserted => inserted?,
        }
        let users = &self.inner.users;
        // Who is noted with the first of the two has made the room; others go by that.
        let met = match users.meet(first, second, &id) {
            Ok(true) => users.meet(second, first, &id),
            met => met,
        };
        if !matches!(met, Ok(true)) {
            users.leave(first, &id);
            state.is_gone = true;
            self.take_out(&id);
            return met.map(|_| None);
        }
        for user in [first, second] {
            state.room.seat(user, now);
            self.attach_all(user, &id);
        }
        self.changed(&cell, &mut state);
        self.observed(&RoomChange::Created(id));
        for user in [first, second] {
            self.tell_joined(&cell, &mut state, user);
        }
        Ok(Some(RoomView::of(&state.room)))
    }
}

/// The same for the same two, and for no others: the length of the first says where it ends.
/// Where both together are too long for an id it is random.
fn direct_id(first: &UserId, second: &UserId) -> Result<RoomId, RoomError> {
    let whole = format!("{PREFIX}{}:{first}:{second}", first.len());
    RoomId::parse(&whole).or_else(|_| random_id())
}

/// Whether an id is like those of direct rooms, which no other room may have: whoever made it
/// first would keep two others apart.
pub(super) fn is_direct(id: &RoomId) -> bool {
    id.starts_with(PREFIX)
}

const PREFIX: &str = "dm:";
