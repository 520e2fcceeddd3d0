//! What the layer of messages needs of rooms.

use serde_json::Value;

use crate::hub::Channel;
use crate::hub::HistoryQuery;
use crate::layers::name::Actor;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::layers::rooms::error::RoomError;
use crate::layers::rooms::role::Permission;
use crate::message::Message;

use super::Asked;
use super::Rooms;
use super::Snapshot;

/// A message that a room has taken in: the room is locked, and nobody sends to it meanwhile.
pub(crate) struct Accepted<'a> {
    /// What the room is, if nobody has been asked to keep it: it is to be kept before the message.
    pub(crate) unsaved: Option<Snapshot>,
    /// Whether the room is kept, if that was not known: without it, the message is not to be.
    pub(crate) needs: Option<Asked>,
    pub(crate) room: &'a RoomId,
    pub(crate) channel: &'a Channel,
    /// Its number.
    pub(crate) id: u64,
    /// When, in milliseconds since 1970.
    pub(crate) at: u64,
}

impl Rooms {
    /// Takes a message in, in the middle of the room, which `f` must not call.
    pub(crate) fn accept<T>(
        &self,
        actor: &Actor,
        room: &RoomId,
        f: impl FnOnce(Accepted<'_>) -> T,
    ) -> Result<T, RoomError> {
        self.with(room, |cell, state, now| {
            let id = state.room.unwatched().send(actor, now)?;
            self.sent(cell, state);
            let (unsaved, needs) = self.needed(cell, state);
            Ok(f(Accepted {
                unsaved,
                needs,
                room: &state.room.id,
                channel: &cell.channel,
                id,
                at: now,
            }))
        })
    }

    /// Whether the hub takes a message of this size.
    pub(crate) fn check_size(&self, message: &Message) -> Result<(), RoomError> {
        let limit = self.inner.hub.limits().max_payload;
        if message.payload().len() > limit {
            return Err(RoomError::TooLarge {
                field: "data",
                limit,
            });
        }
        Ok(())
    }

    /// Whether the actor may read what was sent to a room.
    pub(crate) fn check_reader(&self, actor: &Actor, room: &RoomId) -> Result<(), RoomError> {
        self.with(room, |_, state, _| state.room.check_reader(actor))
    }

    /// Whether the actor may change something of its own in a room, or react to something; gives
    /// the time.
    pub(crate) fn check_writer(&self, actor: &Actor, room: &RoomId) -> Result<u64, RoomError> {
        self.with(room, |_, state, now| {
            if state.room.archived {
                return Err(RoomError::Archived);
            }
            let checked = match actor {
                Actor::Server => Ok(()),
                Actor::User(user) => state.room.check_send(user, now),
            };
            match checked {
                // It is no new message.
                Ok(()) | Err(RoomError::SlowMode { .. }) => Ok(now),
                Err(error) => Err(error),
            }
        })
    }

    /// Whether the actor has a permission in a room; gives the time.
    pub(crate) fn check_permission(
        &self,
        actor: &Actor,
        room: &RoomId,
        permission: Permission,
    ) -> Result<u64, RoomError> {
        self.with(room, |_, state, now| {
            state.room.check_permission(actor, permission)?;
            Ok(now)
        })
    }

    /// The last message of a room that a member has read.
    pub(crate) fn read_marker(&self, user: &UserId, room: &RoomId) -> Result<u64, RoomError> {
        self.with(room, |_, state, _| {
            let member = state.room.member(user).ok_or(RoomError::NotMember)?;
            Ok(member.read)
        })
    }

    /// Tells the members of a room, if it is still there, that something has happened, and by whom.
    pub(crate) fn announce(&self, room: &RoomId, kind: &'static str, by: &Actor, data: Value) {
        // An error: nobody is left to be told.
        let _gone = self.with(room, |cell, state, _| {
            self.tell(cell, state, kind, Some(by), data);
            Ok(())
        });
    }

    /// Tells the members of a room, if it is still there, what has happened: `json`, or where the
    /// hub takes no message of that size, `instead`.
    pub(crate) fn announce_json(
        &self,
        room: &RoomId,
        kind: &'static str,
        json: String,
        instead: impl FnOnce() -> String,
    ) {
        let json = if json.len() > self.inner.hub.limits().max_payload {
            instead()
        } else {
            json
        };
        // An error: nobody is left to be told.
        let _gone = self.with(room, |cell, state, _| {
            self.tell_json(cell, state, kind, json);
            Ok(())
        });
    }

    /// Takes messages of a room back, those that are `meant`: whoever comes back gets them no more.
    pub(crate) fn retract(&self, room: &RoomId, meant: impl Fn(&Message) -> bool) {
        let Ok(channel) = self.with(room, |cell, _, _| Ok(cell.channel.clone())) else {
            return;
        };
        let mut query = HistoryQuery::new().limit(HistoryQuery::MAX_LIMIT);
        loop {
            let page = channel.history(&query);
            for frame in &page.frames {
                if frame.message().is_some_and(&meant) {
                    channel.retract(frame.offset());
                }
            }
            match page.frames.last() {
                Some(last) if page.more => query = query.after(last.offset()),
                _ => return,
            }
        }
    }

    /// Has a room that was made again count its messages on from `last`.
    pub(crate) fn count_on(&self, room: &RoomId, last: u64) {
        // An error: the room is gone.
        let _gone = self.with(room, |_, state, _| {
            state.room.unwatched().count_on(last);
            Ok(())
        });
    }
}
