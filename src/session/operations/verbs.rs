//! What can be asked of the hub itself. Each is a [`Command`](crate::protocol::Command) of its own,
//! which [`session::verbs`](crate::session) carries out: the rows are for those who read the table.

#[cfg(feature = "openapi")]
use schemars::JsonSchema;

use serde::Serialize;

use crate::protocol::DeliveryReport;
use crate::protocol::Fault;
use crate::protocol::MemberView;
use crate::protocol::unknown_type;

use super::Answer;
use super::Argument;
use super::Call;
use super::Kind;
use super::Method;
use super::Operation;
use super::Who;
use super::answers;
use super::call::EVENT;
use super::channels::CHANNEL;

pub(super) const DATA: Argument = Argument::optional("data", Kind::Any, "What to send, as JSON.");
pub(super) const TEXT: Argument = Argument::optional("text", Kind::Text, "Or as a text.");
pub(super) const BASE64: Argument =
    Argument::optional("base64", Kind::Text, "Or as bytes, in padded base64.");
pub(super) const KEY: Argument = Argument::optional(
    "key",
    Kind::Text,
    "The conflation key: of several that wait for a slow client, the last of each key counts. At most \
     256 bytes.",
);
pub(super) const METADATA: Argument = Argument::optional(
    "metadata",
    Kind::Object,
    "Metadata of the message, for filters and for its receivers. At most 4 KiB.",
);
pub(super) const EXPIRES: Argument = Argument::optional(
    "expires_in_ms",
    Kind::Number,
    "How long it is worth receiving: 1 to 4,294,967,295; default for ever.",
);
const CLIENT: Argument = Argument::optional(
    "client_id",
    Kind::Text,
    "The connection; default the one that asks. The server may name any, a user its own.",
);
const USER: Argument = Argument::optional(
    "user_id",
    Kind::Text,
    "All connections of this user, instead of one.",
);

pub(super) const TABLE: &[Operation] = &[
    Operation {
        name: "ping",
        method: Method::Get,
        path: "/ping",
        summary: "Asks whether the server is there: over a connection, a `pong` says so.",
        who: Who::Anyone,
        arguments: &[],
        run: &never::<()>,
    },
    Operation {
        name: "presence",
        method: Method::Get,
        path: "/channels/{channel_id}/members",
        summary: "The members of a channel named `presence-...`, for those who are subscribed to it.",
        who: Who::Anyone,
        arguments: &[CHANNEL],
        run: &never::<Roster>,
    },
    Operation {
        name: "publish",
        method: Method::Post,
        path: "/channels/{channel_id}/publish",
        summary: "Publishes a message to a channel: one of `data`, `text` and `base64`. Over HTTP the body \
                  may also be the message itself, as `text/plain` or `application/octet-stream`.",
        who: Who::Anyone,
        arguments: &[
            CHANNEL,
            DATA,
            TEXT,
            BASE64,
            KEY,
            EVENT,
            Argument::optional(
                "echo",
                Kind::Flag,
                "`false`: the connection that publishes does not get its own message.",
            ),
            METADATA,
            EXPIRES,
            Argument::optional(
                "except",
                Kind::Text,
                "A client that does not get it; for the server's side.",
            ),
        ],
        run: &never::<DeliveryReport>,
    },
    Operation {
        name: "subscribe",
        method: Method::Post,
        path: "/channels/{channel_id}/subscribe",
        summary: "Subscribes to a channel: over a connection this one, which `joined` answers, or those \
                  that `client_id` or `user_id` names.",
        who: Who::Anyone,
        arguments: &[
            CHANNEL,
            Argument::optional(
                "filter",
                Kind::Object,
                "Which messages are wanted, by their metadata.",
            ),
            Argument::optional(
                "since",
                Kind::Object,
                "What was received last, to go on from there, as it came.",
            ),
            Argument::optional(
                "auth",
                Kind::Text,
                "What the authorizer wants to see; at most 8,192 bytes.",
            ),
            CLIENT,
            USER,
        ],
        run: &never::<Subscribed>,
    },
    Operation {
        name: "unsubscribe",
        method: Method::Post,
        path: "/channels/{channel_id}/unsubscribe",
        summary: "Unsubscribes from a channel: over a connection this one, or those that `client_id` or \
                  `user_id` names.",
        who: Who::Anyone,
        arguments: &[CHANNEL, CLIENT, USER],
        run: &never::<Unsubscribed>,
    },
];

/// The entrance has them as commands of their own before it gets here.
pub(super) fn never<T>(_: &Call<'_>) -> Result<Answer<T>, Fault> {
    Err(unknown_type())
}

answers! {
    /// The members of a channel.
    struct Roster {
        /// The name of the channel.
        channel_id: String,
        /// The members.
        members: Vec<MemberView>,
    }

    /// The connections that were subscribed.
    struct Subscribed {
        /// How many.
        subscribed: usize,
    }

    /// The connections that were unsubscribed.
    struct Unsubscribed {
        /// How many.
        unsubscribed: usize,
    }
}
