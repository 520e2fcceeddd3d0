//! Messages that are kept: read, searched, edited, deleted, reacted to.

mod change;
mod read;
mod view;

use crate::layers::messages::MessageError;
use crate::layers::messages::Messages;
use crate::layers::messages::Pending;
use crate::layers::rooms::RoomError;
use crate::protocol::Fault;

use super::Answer;
use super::Argument;
use super::Call;
use super::Kind;

pub(super) use self::change::TABLE as CHANGES;
pub(super) use self::read::TABLE as READS;

const ROOM: Argument = Argument::needed("room_id", Kind::Text, "Which room.");
const MESSAGE: Argument = Argument::needed("message_id", Kind::Text, "Which message.");
const REACTION: Argument = Argument::needed(
    "reaction",
    Kind::Text,
    "Typically an emoji; at most 64 bytes.",
);

pub(super) fn messages<'a>(call: &Call<'a>) -> Result<&'a Messages, Fault> {
    let messages = call.layers()?.messages();
    messages.ok_or_else(|| super::disabled("the keeping of messages"))
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(super) fn fault(error: MessageError) -> Fault {
    let field = match &error {
        MessageError::Room(error) => RoomError::field(error),
        MessageError::InvalidReaction { .. } => Some("reaction"),
        _ => None,
    };
    let fault = super::fault(error.code(), field, &error);
    match &error {
        MessageError::Room(error) => super::waiting(fault, error),
        _ => fault,
    }
}

/// The answer that `view` makes of what is still to come.
pub(super) fn later<T: Send + 'static, V>(
    pending: Pending<Result<T, MessageError>>,
    view: impl FnOnce(T) -> V + Send + 'static,
) -> Answer<V> {
    Answer::later(async move { pending.await.map(view).map_err(fault) })
}
