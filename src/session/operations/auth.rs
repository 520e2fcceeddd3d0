//! Operations about the credentials of connections.

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;

use std::sync::Arc;
use std::time::Duration;

use tokio::task;

use crate::code::ErrorCode;
use crate::layers::InvalidTimestamp;
use crate::layers::Timestamp;
use crate::protocol::Fault;
use crate::protocol::invalid;
use crate::protocol::missing;
use crate::session::Identity;
use crate::session::Revoke;
use crate::session::Revoking;
use crate::time::millis;

use super::Answer;
use super::Argument;
use super::Call;
use super::Kind;
use super::Method;
use super::Operation;
use super::Who;
use super::answers;
use super::disabled;

/// The first message of a connection in the lobby.
pub(crate) const AUTH: &str = "auth";

/// The command that replaces the credentials of a connection.
pub(crate) const REFRESH: &str = "auth.refresh";

/// The longest token.
pub(crate) const MAX_TOKEN: usize = 16 << 10;

const TOKEN: Argument = Argument::needed("token", Kind::Text, "The token; at most 16,384 bytes.");

pub(super) const TABLE: &[Operation] = &[
    Operation {
        name: AUTH,
        method: Method::Post,
        path: "/auth",
        summary: "Shows credentials as the first message of a connection that was opened without any: \
                  `connected` answers. Later it is refused: see `auth.refresh`.",
        who: Who::Connection,
        arguments: &[TOKEN],
        // The lobby takes it before it gets here.
        run: &too_late,
    },
    Operation {
        name: REFRESH,
        method: Method::Post,
        path: "/auth/refresh",
        summary: "Replaces the credentials of the connection by others of the same user. What the new \
                  ones do not allow ends, and `left` says so.",
        who: Who::Connection,
        arguments: &[TOKEN],
        run: &refresh,
    },
    Operation {
        name: "auth.revoke",
        method: Method::Post,
        path: "/auth/revoke",
        summary: "Revokes a token by its id, or the tokens of a user: connections that were opened with \
                  them are closed. One of `token_id` and `user_id`.",
        who: Who::Server,
        arguments: &[
            Argument::optional(
                "token_id",
                Kind::Text,
                "The id of the token, its claim `jti`; at most 256 bytes.",
            ),
            Argument::optional("user_id", Kind::Text, "The user."),
            Argument::optional(
                "issued_before",
                Kind::Text,
                "With `user_id`: only tokens that were issued before this time, and those that do not \
                 say when they were; default now.",
            ),
            Argument::optional(
                "expires_at",
                Kind::Text,
                "When the token, or the last of the user's, expires anyway: the revocation is not kept \
                 longer. Default: it is kept for ever.",
            ),
        ],
        run: &revoke,
    },
    Operation {
        name: "ticket.create",
        method: Method::Post,
        path: "/tickets",
        summary: "Issues a ticket, with which one connection may be opened within 30 s unless set: \
                  `/ws?ticket=...`. It stands for the credentials of the request, or for the user that \
                  it is on behalf of.",
        who: Who::Anyone,
        arguments: &[],
        run: &ticket,
    },
];

answers! {
    /// The refresh of credentials.
    struct RefreshedView {
        /// When the new credentials expire, in milliseconds from now, if they do.
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_in_ms: Option<u64>,
    }

    /// A ticket.
    struct TicketView {
        /// The ticket: a secret, good for one connection.
        ticket: String,
        /// How long it may be used, in milliseconds from now.
        expires_in_ms: u64,
    }
}

fn too_late(_: &Call<'_>) -> Result<Answer<()>, Fault> {
    let why = "this has to be the first message of a connection without credentials";
    Err(Fault::new(ErrorCode::InvalidField, why).field("type"))
}

fn refresh(call: &Call<'_>) -> Result<Answer<RefreshedView>, Fault> {
    let token = call.text(TOKEN.name, MAX_TOKEN)?;
    let door = call.entrance.permit().door().zip(call.caller.badge());
    let (door, badge) = door.ok_or_else(|| disabled("authentication"))?;
    let (entrance, badge) = (Arc::clone(call.entrance), Arc::clone(badge));
    let admitting = door.admit(token, call.caller.address());
    Ok(Answer::later(async move {
        let identity = admitting.await?;
        let user = badge.client().user();
        if identity.user().map(|user| &**user) != user {
            let why = "the token is another user's";
            return Err(Fault::new(ErrorCode::TokenInvalid, why).field("token"));
        }
        let expires_in_ms = expires_in(&identity, entrance.now());
        entrance.refreshed(&badge, *identity);
        entrance.close_if_revoked(&badge);
        Ok(RefreshedView { expires_in_ms })
    }))
}

fn revoke(call: &Call<'_>) -> Result<Answer<()>, Fault> {
    let door = call.entrance.permit().door();
    let door = Arc::clone(door.ok_or_else(|| disabled("authentication"))?);
    let token = call.arguments.text("token_id", MAX_ID)?;
    let user = call.optional_user("user_id")?;
    let issued_before = time(call, "issued_before")?;
    let what = match (token, user) {
        (Some(token), None) if issued_before.is_none() => Revoking::Token(token),
        (None, Some(user)) => Revoking::User {
            user,
            issued_before: issued_before.unwrap_or_else(|| {
                let now = Duration::from_millis(call.entrance.now());
                // In whole seconds, as tokens have it: this one is over when the next begins.
                Timestamp::since_unix_epoch(Duration::from_secs(now.as_secs() + 1))
            }),
        },
        (None, None) => return Err(missing("token_id")),
        _ => {
            let why = "give either `token_id`, or `user_id` with or without `issued_before`";
            return Err(Fault::new(ErrorCode::InvalidField, why).field("token_id"));
        }
    };
    let expires_at = time(call, "expires_at")?;
    let revoke = Revoke { what, expires_at };
    Ok(Answer::later(async move {
        // It may wait for a disk.
        let revoked = task::spawn_blocking(move || door.revoke(&revoke)).await;
        revoked.unwrap_or_else(|_| {
            let why = "the revocation failed";
            Err(Fault::new(ErrorCode::StoreFailed, why))
        })
    }))
}

fn time(call: &Call<'_>, name: &'static str) -> Result<Option<Timestamp>, Fault> {
    let text = call.arguments.text(name, usize::MAX)?;
    let time = text.map(|text| text.parse()).transpose();
    time.map_err(|error: InvalidTimestamp| invalid(name, "a time").because(&error))
}

fn ticket(call: &Call<'_>) -> Result<Answer<TicketView>, Fault> {
    let door = call.entrance.permit().door();
    let door = door.ok_or_else(|| disabled("authentication"))?;
    let own = call
        .caller
        .identity()
        .filter(|_| !call.caller.acts_for_server());
    let identity = match own {
        Some(own) => own.clone(),
        None => Identity::of(call.user()?),
    };
    let (ticket, time) = door.ticket(identity)?;
    Ok(Answer::of(TicketView {
        ticket,
        expires_in_ms: millis(time),
    }))
}

/// The longest id of a token.
const MAX_ID: usize = 256;

fn expires_in(identity: &Identity, now: u64) -> Option<u64> {
    let expiry = identity.expiry()?;
    Some(expiry.millis().saturating_sub(now))
}
