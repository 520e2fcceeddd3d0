//! Operations about the credentials of connections.

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;

use std::sync::Arc;

use crate::code::ErrorCode;
use crate::protocol::Fault;
use crate::session::Identity;

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
];

answers! {
    /// The refresh of credentials.
    struct RefreshedView {
        /// When the new credentials expire, in milliseconds from now, if they do.
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_in_ms: Option<u64>,
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
        Ok(RefreshedView { expires_in_ms })
    }))
}

fn expires_in(identity: &Identity, now: u64) -> Option<u64> {
    let expiry = identity.expiry()?;
    Some(expiry.millis().saturating_sub(now))
}
