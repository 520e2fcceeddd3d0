//! The connections of members: they receive the room, and those of others do not.

use serde_json::json;

use crate::hub::Client;
use crate::hub::SubscribeError;
use crate::hub::SubscribeOptions;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::layers::stamp::Stamp;
use crate::message::Message;

use super::Rooms;

impl Rooms {
    /// A connection has come: it receives all rooms of its user from now on. Whoever knows the
    /// connections has to know this one already.
    ///
    /// When a connection goes, nothing is to be done: its subscriptions go with it.
    pub fn attach(&self, client: &Client) {
        let Some(user) = client.user().and_then(|user| UserId::parse(user).ok()) else {
            return;
        };
        for room in self.inner.users.rooms(&user) {
            // An error: the room has gone meanwhile.
            let _gone = self.with(&room, |_, state, _| {
                if state.room.is_member(&user) {
                    subscribe(client, &room);
                }
                Ok(())
            });
        }
    }

    pub(super) fn attach_all(&self, user: &UserId, room: &RoomId) {
        for client in self.inner.connections.of(user) {
            subscribe(&client, room);
        }
    }

    pub(super) fn detach_all(&self, user: &UserId, room: &RoomId, reason: &'static str) {
        for client in self.inner.connections.of(user) {
            // An error: it was not subscribed, having more subscriptions than it may.
            let _absent = client.expel(&room.channel(), reason);
        }
    }
}

fn subscribe(client: &Client, room: &RoomId) {
    match client.subscribe_detached(&room.channel(), SubscribeOptions::new()) {
        Ok(()) | Err(SubscribeError::AlreadySubscribed | SubscribeError::Closed(_)) => {}
        Err(error) => {
            // Not silently: it would take the room for quiet.
            let stamp = Stamp::new("room.unattached").room(room.clone());
            let why = json!({ "message": error.to_string() }).to_string();
            let _full = client.send(stamp.on(Message::text(why)));
        }
    }
}
