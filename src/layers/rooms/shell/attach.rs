//! The connections of members: they receive the room, and those of others do not.

use std::collections::HashMap;

use serde_json::json;

use crate::hub::Client;
use crate::hub::StreamPosition;
use crate::hub::SubscribeError;
use crate::hub::SubscribeOptions;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::layers::stamp::MessageHeader;
use crate::message::Message;

use super::Rooms;

impl Rooms {
    /// A connection has come: it receives all rooms of its user from now on. Whoever knows the
    /// connections has to know this one already.
    ///
    /// When a connection goes, nothing is to be done: its subscriptions go with it.
    pub fn attach(&self, client: &Client) {
        self.attach_since(client, &HashMap::new());
    }

    /// [`Rooms::attach`] for a connection that goes on from these positions, in the rooms that it
    /// has them of: with [`SubscribeOptions::since`].
    pub fn attach_since(&self, client: &Client, positions: &HashMap<RoomId, StreamPosition>) {
        let Some(user) = client.user().and_then(|user| UserId::parse(user).ok()) else {
            return;
        };
        for room in self.inner.users.rooms(&user) {
            // An error: the room has gone meanwhile.
            let _gone = self.with(&room, |_, state, _| {
                if state.room.is_member(&user) && self.admits(client, &room) {
                    subscribe(client, &room, positions.get(&room).copied());
                }
                Ok(())
            });
        }
    }

    pub(super) fn attach_all(&self, user: &UserId, room: &RoomId) {
        for client in self.inner.connections.of(user) {
            if self.admits(&client, room) {
                subscribe(&client, room, None);
            }
        }
    }

    /// Sets which connections of a member may receive a room. Later calls do nothing. Called in the
    /// middle of the room: it must not ask the rooms.
    #[cfg(feature = "ws")]
    pub(crate) fn set_admits(
        &self,
        admits: impl Fn(&Client, &RoomId) -> bool + Send + Sync + 'static,
    ) {
        self.inner.admits.get_or_init(|| Box::new(admits));
    }

    fn admits(&self, client: &Client, room: &RoomId) -> bool {
        let admits = self.inner.admits.get();
        admits.is_none_or(|admits| admits(client, room))
    }

    pub(super) fn detach_all(&self, user: &UserId, room: &RoomId, reason: &'static str) {
        for client in self.inner.connections.of(user) {
            // An error: it was not subscribed, having more subscriptions than it may.
            let _absent = client.force_unsubscribe(&room.channel(), reason);
        }
    }
}

fn subscribe(client: &Client, room: &RoomId, since: Option<StreamPosition>) {
    let options = since.map_or_else(SubscribeOptions::new, |since| {
        SubscribeOptions::new().since(since)
    });
    match client.subscribe_detached(&room.channel(), options) {
        Ok(()) | Err(SubscribeError::AlreadySubscribed | SubscribeError::Closed(_)) => {}
        Err(error) => {
            // Not silently: it would take the room for quiet.
            let stamp = MessageHeader::new("room.unattached").room(room.clone());
            let why = json!({ "message": error.to_string() }).to_string();
            let _full = client.send(stamp.attach_to(Message::text(why)));
        }
    }
}
