//! What can be done with messages.

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::layers::RoomId;
use crate::layers::UserId;
use crate::layers::messages::MessageView;
use crate::protocol::Fault;
use crate::protocol::Payload;
use crate::session::operations::Argument;
use crate::session::operations::Call;
use crate::session::operations::Kind;
use crate::session::operations::Method;
use crate::session::operations::Operation;
use crate::session::operations::Who;
use crate::session::operations::answers;
use crate::session::operations::rooms::message_id;
use crate::session::operations::verbs::BASE64;
use crate::session::operations::verbs::TEXT;

use super::MESSAGE;
use super::REACTION;
use super::ROOM;
use super::later;
use super::messages;

const DATA: Argument = Argument::optional("data", Kind::Any, "What it is to say, as JSON.");
const METADATA: Argument = Argument::optional(
    "metadata",
    Kind::Object,
    "What is said about it from now on; what was said stays if not given. At most 4 KiB.",
);

pub(in crate::session::operations) const TABLE: &[Operation] = &[
    Operation {
        name: "message.edit",
        method: Method::Patch,
        path: "/rooms/{room_id}/messages/{message_id}",
        summary: "Replaces what a message says; its sender may. What it said is kept.",
        who: Who::Anyone,
        arguments: &[ROOM, MESSAGE, DATA, TEXT, BASE64, METADATA],
        run: &|call: &Call<'_>| {
            let (actor, room) = (call.actor()?, call.room()?);
            let message = call.stamped(Payload::of(call.arguments)?.into_message(None))?;
            let sequence = message_id(call)?;
            let pending = messages(call)?.edit(&actor, &room, sequence, message);
            Ok(later(pending, MessageView::of))
        },
    },
    Operation {
        name: "message.delete",
        method: Method::Delete,
        path: "/rooms/{room_id}/messages/{message_id}",
        summary: "Deletes a message: its sender may, and who has `delete_message`. It stays as one \
                  that was deleted.",
        who: Who::Anyone,
        arguments: &[ROOM, MESSAGE],
        run: &|call: &Call<'_>| {
            let (actor, room) = (call.actor()?, call.room()?);
            let pending = messages(call)?.delete(&actor, &room, message_id(call)?);
            Ok(later(pending, |()| ()))
        },
    },
    Operation {
        name: "message.react",
        method: Method::Put,
        path: "/rooms/{room_id}/messages/{message_id}/reactions/{reaction}",
        summary: "Adds the user's reaction to a message.",
        who: Who::Anyone,
        arguments: &[ROOM, MESSAGE, REACTION],
        run: &|call: &Call<'_>| {
            let (user, room, reaction) = reaction(call)?;
            let sequence = message_id(call)?;
            let pending = messages(call)?.react(&user, &room, sequence, &reaction);
            Ok(later(pending, counted))
        },
    },
    Operation {
        name: "message.unreact",
        method: Method::Delete,
        path: "/rooms/{room_id}/messages/{message_id}/reactions/{reaction}",
        summary: "Takes the user's reaction to a message back.",
        who: Who::Anyone,
        arguments: &[ROOM, MESSAGE, REACTION],
        run: &|call: &Call<'_>| {
            let (user, room, reaction) = reaction(call)?;
            let sequence = message_id(call)?;
            let pending = messages(call)?.unreact(&user, &room, sequence, &reaction);
            Ok(later(pending, counted))
        },
    },
    Operation {
        name: "message.forget_user",
        method: Method::Delete,
        path: "/users/{user_id}/messages",
        summary: "Removes everything that a user has sent, in all rooms, for good.",
        who: Who::Server,
        arguments: &[Argument::needed("user_id", Kind::Text, "Whose.")],
        run: &|call: &Call<'_>| {
            let user = call.user_named("user_id")?;
            let pending = messages(call)?.forget_user(&user);
            Ok(later(pending, |removed| RemovedMessages { removed }))
        },
    },
];

fn reaction(call: &Call<'_>) -> Result<(UserId, RoomId, String), Fault> {
    Ok((
        call.user()?,
        call.room()?,
        call.text("reaction", usize::MAX)?,
    ))
}

/// How many users have the reaction now; nothing if nothing has changed.
fn counted(count: Option<u64>) -> ReactionChange {
    ReactionChange {
        changed: count.is_some(),
        count,
    }
}

answers! {
    /// The number of messages that were removed.
    struct RemovedMessages {
        /// How many.
        removed: u64,
    }

    /// The change of a reaction.
    struct ReactionChange {
        /// `false`: it was so already.
        changed: bool,
        /// How many users have the reaction now; absent if nothing has changed.
        #[serde(skip_serializing_if = "Option::is_none")]
        count: Option<u64>,
    }
}
