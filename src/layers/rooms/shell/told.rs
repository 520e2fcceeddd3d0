//! What members are told, and when.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;
use serde_json::value::RawValue;

use crate::layers::name::Actor;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::layers::rooms::role::Role;
use crate::layers::stamp::MessageHeader;
use crate::message::Message;

use super::Cell;
use super::RoomChange;
use super::Rooms;
use super::State;

/// What is to be done about a room later.
pub(super) enum Due {
    /// Tell what was gathered.
    Batch(RoomId),
    /// Forget what is over.
    Purge(RoomId),
}

/// After how long a room that has a ban or a mute to forget is looked at, at the latest.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// The most entries in one `room.members`.
const MOST_PER_EVENT: usize = 500;

impl Rooms {
    /// When [`Rooms::tick`] is to be called again, at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.inner.wheel.lock().next()
    }

    /// Does what is due: tells what was gathered in large rooms, and forgets what is over.
    pub fn tick(&self, now: Instant) {
        loop {
            let due = self.inner.wheel.lock().pop(now);
            match due {
                Some(Due::Batch(room)) => self.flush(&room),
                Some(Due::Purge(room)) => self.purge(&room),
                None => return,
            }
        }
    }

    /// Has a change of a user's presence told to a room that it is in, together with what else
    /// happens there: `entry` is the presence as JSON.
    pub fn publish_presence(&self, room: &RoomId, user: &UserId, entry: &str) {
        let Ok(entry) = RawValue::from_string(entry.to_owned()) else {
            return;
        };
        // An error: the room is gone, and nobody is left to be told.
        let _gone = self.with(room, |cell, state, _| {
            if state.room.is_member(user) {
                state.batch.presence(user, entry);
                self.told_later(cell, state);
            }
            Ok(())
        });
    }

    pub(super) fn tell_joined(&self, cell: &Cell, state: &mut State, user: &UserId) {
        let role = state.room.member(user).map_or(Role::Member, |it| it.role);
        state.batch.joined(user, role);
        self.told_later(cell, state);
        self.observed(&RoomChange::Joined(state.room.id.clone(), user.clone()));
    }

    pub(super) fn tell_left(
        &self,
        cell: &Cell,
        state: &mut State,
        user: &UserId,
        reason: &'static str,
    ) {
        state.batch.left(user, reason);
        self.told_later(cell, state);
        self.observed(&RoomChange::Left(state.room.id.clone(), user.clone()));
    }

    /// Tells what was gathered: at once in a small room, and else when the window is over.
    fn told_later(&self, cell: &Cell, state: &mut State) {
        if state.room.member_count() <= self.inner.config.batch_from {
            return self.tell_batch(cell, state);
        }
        if !state.batch.is_awaited {
            state.batch.is_awaited = true;
            let window = self.inner.config.batch_window;
            self.later(window, Due::Batch(state.room.id.clone()));
        }
    }

    pub(super) fn later(&self, after: Duration, due: Due) {
        let at = self.inner.clock.now() + after;
        self.inner.wheel.lock().insert(at, due);
    }

    fn flush(&self, room: &RoomId) {
        // An error: the room is gone, and nobody is left to be told.
        let _gone = self.with(room, |cell, state, _| {
            state.batch.is_awaited = false;
            self.tell_batch(cell, state);
            Ok(())
        });
    }

    fn tell_batch(&self, cell: &Cell, state: &mut State) {
        let members = state.room.member_count();
        while let Some(event) = state.batch.take(MOST_PER_EVENT, members) {
            let Ok(json) = serde_json::to_string(&event) else {
                return;
            };
            let stamp = MessageHeader::new("room.members").room(state.room.id.clone());
            publish(cell, stamp.ephemeral(), json);
        }
    }

    /// Has a room forget what is over then. It is looked at once in a while only, however many
    /// bans it has; so what waits for a room is in proportion to the time that it waits.
    pub(super) fn purged_after(&self, state: &mut State, lasting: Duration) {
        let at = self.inner.clock.now() + lasting.min(LONGEST_WAIT);
        if state.purge_at.is_none_or(|purge_at| at < purge_at) {
            state.purge_at = Some(at);
            let due = Due::Purge(state.room.id.clone());
            self.inner.wheel.lock().insert(at, due);
        }
    }

    fn purge(&self, room: &RoomId) {
        let present = self.inner.clock.now();
        // An error: the room is gone.
        let _gone = self.with(room, |cell, state, now| {
            if state.purge_at.is_none_or(|purge_at| purge_at > present) {
                // One that came before it has seen to it.
                return Ok(());
            }
            state.purge_at = None;
            let (unbanned, unmuted) = state.room.purge(now);
            for user in &unbanned {
                let expired = json!({ "user_id": user, "expired": true });
                self.tell(cell, state, "room.member_unbanned", None, expired);
            }
            for user in &unmuted {
                let expired = json!({ "user_id": user, "expired": true });
                self.tell(cell, state, "room.member_unmuted", None, expired);
            }
            if let Some(next) = state.room.next_expiry() {
                self.purged_after(state, Duration::from_millis(next.saturating_sub(now)));
            }
            Ok(())
        });
    }

    /// Tells the members of a room that something has happened, and by whom.
    pub(super) fn tell(
        &self,
        cell: &Cell,
        state: &mut State,
        kind: &'static str,
        by: Option<&Actor>,
        data: Value,
    ) {
        self.tell_json(cell, state, kind, signed(by, data).to_string());
    }

    /// Tells the members of a room that something has happened: what and by whom, as JSON.
    pub(super) fn tell_json(
        &self,
        cell: &Cell,
        state: &mut State,
        kind: &'static str,
        json: String,
    ) {
        // What was gathered happened before.
        if !state.batch.is_awaited {
            self.tell_batch(cell, state);
        }
        let stamp = MessageHeader::new(kind).room(state.room.id.clone());
        publish(cell, stamp, json);
    }

    /// Tells one user something, over all of its connections.
    pub(super) fn tell_user(&self, user: &UserId, kind: &'static str, room: &RoomId, data: &Value) {
        let stamp = MessageHeader::new(kind).room(room.clone());
        let message = stamp.attach_to(Message::text(data.to_string()));
        for client in self.inner.connections.of(user) {
            // One whose outbox is full learns of it by what it does not receive.
            let _sent = client.send(message.clone());
        }
    }

    pub(super) fn observed(&self, change: &RoomChange) {
        let observers: Vec<_> = self.inner.observers.read().iter().map(Arc::clone).collect();
        for observer in observers {
            observer(change);
        }
    }
}

/// Returns `data` with the name of the user that has done it.
pub(super) fn signed(by: Option<&Actor>, mut data: Value) -> Value {
    if let (Some(user), Some(data)) = (by.and_then(Actor::user), data.as_object_mut()) {
        data.insert("by".to_owned(), user.as_str().into());
    }
    data
}

/// Publishes an event. An error means that too many wait or that the hub is closed: what is
/// missed then can be asked for.
fn publish(cell: &Cell, stamp: MessageHeader, json: String) {
    let _delivery = cell.channel.publish(stamp.attach_to(Message::text(json)));
}
