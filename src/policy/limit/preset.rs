//! Limits that are ready to use.

use std::time::Duration;

use crate::session::Actions;

use super::Limit;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Sending a message, wherever to. An edit of one is one, too.
const MESSAGES: Actions = Actions::PUBLISH.or(Actions::SEND);
const EDIT: &str = "message.edit";

impl Limit {
    /// Returns the limits that `throng serve` sets on an address other than loopback: 100 commands
    /// a second of each connection with a burst of 200, and 100 messages a second of each user with
    /// a burst of 20.
    #[must_use]
    pub fn defaults() -> Vec<Self> {
        let commands = Self::per_connection(Actions::ALL, 100, SECOND);
        let messages = Self::per_user(MESSAGES, 100, SECOND).operation(EDIT);
        vec![
            commands.burst(200).named("commands"),
            messages.burst(20).named("messages"),
        ]
    }

    /// Returns the table of the reference system, whole and enforced: messages 10 a second with a
    /// burst of 20 and 100 a minute of each user, 100 a second of each room, joining a room 5 times
    /// a minute with a burst of 10, and 60 changes of presence a minute with a burst of 10.
    #[must_use]
    pub fn reference() -> Vec<Self> {
        let join = Self::per_user(Actions::JOIN, 5, MINUTE).operation("invite.accept");
        let presence = Self::per_user(Actions::NONE, 60, MINUTE).operation("presence.set");
        vec![
            Self::per_user(MESSAGES, 10, SECOND)
                .operation(EDIT)
                .burst(20)
                .named("message.send"),
            Self::per_user(MESSAGES, 100, MINUTE)
                .operation(EDIT)
                .sliding_window()
                .named("message.minute"),
            Self::per_room(MESSAGES, 100, SECOND)
                .operation(EDIT)
                .named("room.messages"),
            join.burst(10).named("room.join"),
            presence.burst(10).named("presence.update"),
        ]
    }
}
