//! The permissions of an identity, on every transport.
//!
//! A command that has passed the gate is compared with the permissions of its caller, and with the
//! rules by which channels belong to users. A caller without an identity, such as a connection of a
//! gateway that authenticates nothing, may do everything but touch the channels of others; the
//! server's side may do everything.
//!
//! | command | right |
//! |---|---|
//! | `subscribe` | `sub` on the channel, or a subscription token |
//! | `pattern.subscribe` | `sub` on every channel that the pattern can match |
//! | `publish` | `pub` on the channel |
//! | `presence` and `channel.*` | `read` on the channel, or on the pattern |
//! | those with a `room_id` | `rooms` on the room |
//! | lists of rooms and messages | `rooms` on all |
//! | presence of users | `read` on anything |
//! | those of the server's side | `admin` on the name of the operation |
//!
//! An API key, and a token that acts for another user than its own (`?actor=`), need `admin` on the
//! name of every operation, and nothing else.

mod need;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::layers::Layers;
use crate::layers::RoomId;
use crate::layers::channels::AllPrivate;
use crate::layers::is_reserved;
use crate::protocol::Command;
use crate::protocol::ErrorCode;
use crate::protocol::Fault;
use crate::protocol::Whose;

use super::Badge;
use super::Badges;
use super::Caller;
use super::Identity;
use super::Origin;
use super::Right;
use super::door::Allowance;
use super::door::Door;
use super::operations::auth::REFRESH;
use super::seat;

use self::need::Need;

/// Compares commands with what their callers may do.
#[derive(Default)]
pub(crate) struct Permit {
    private: AllPrivate,
    door: Option<Arc<dyn Door>>,
    /// Whether every request is compared with the expiry and the revocations, too.
    validates: bool,
}

impl Permit {
    pub(crate) fn new(private: AllPrivate, door: Option<Arc<dyn Door>>, validates: bool) -> Self {
        Self {
            private,
            door,
            validates,
        }
    }

    pub(crate) fn door(&self) -> Option<&Arc<dyn Door>> {
        self.door.as_ref()
    }

    /// Decides about a command, but for a subscribe of the caller's own, of which
    /// [`Permit::subscribe`] decides.
    pub(super) fn check(
        &self,
        caller: &Caller<'_>,
        command: &Command,
        now: impl FnOnce() -> u64,
    ) -> Result<(), Fault> {
        if !self.private.is_empty() {
            self.check_private(caller, command)?;
        }
        let Some(identity) = caller.identity() else {
            return Ok(());
        };
        let is_exempt = caller.origin() == Origin::Claim || command.name() == REFRESH;
        if self.validates && !is_exempt {
            self.validate(identity, now())?;
        }
        if caller.acts_for_server() {
            return scope(identity, command.name());
        }
        let Some(need) = Need::of(caller, command)? else {
            return Ok(());
        };
        if need.is_met(identity) {
            Ok(())
        } else {
            Err(need.fault())
        }
    }

    /// Decides about a subscribe of the caller's own to a channel.
    pub(super) fn subscribe(
        &self,
        caller: &Caller<'_>,
        channel: &str,
        auth: Option<&str>,
    ) -> Result<Granted, Fault> {
        if caller.origin() == Origin::Claim {
            return Ok(Granted::ByName);
        }
        let shown = self.door.as_ref().zip(auth);
        let decided =
            shown.and_then(|(door, token)| door.subscription(token, caller.user(), channel));
        if let Some(decided) = decided {
            return decided.map(Granted::by);
        }
        if self.belongs_to_another(caller, channel) {
            return Err(anothers());
        }
        match caller.identity() {
            None => Ok(Granted::No),
            Some(identity) if !identity.may(Right::Subscribe, channel) => {
                Err(lacks("subscribe to this channel", "channel_id"))
            }
            Some(identity)
                if identity
                    .all_permissions()
                    .name_it(Right::Subscribe, channel) =>
            {
                Ok(Granted::ByName)
            }
            Some(_) => Ok(Granted::No),
        }
    }

    /// Whether a subscription that was decided about before is still allowed.
    pub(crate) fn keeps(&self, badge: &Badge, channel: &str, now: u64) -> bool {
        let identity = badge.identity();
        let is_claimed = || identity.subscriptions().any(|claimed| claimed == channel);
        identity.may(Right::Subscribe, channel) || is_claimed() || badge.grants(channel, now)
    }

    /// Ends the subscriptions that the identity of a connection does not allow any more.
    pub(super) fn trim(&self, badge: &Badge, layers: Option<&Layers>, now: u64) {
        let (client, identity) = (badge.client(), badge.identity());
        for channel in client.subscriptions() {
            if let Some(room) = RoomId::of_channel(&channel) {
                if !identity.may(Right::Rooms, room) {
                    // An error: the client has left meanwhile.
                    let _left = client.force_unsubscribe(&channel, UNAUTHORIZED);
                }
            } else if !is_reserved(&channel) && !self.keeps(badge, &channel, now) {
                Badges::revoke_grant(badge, &channel);
                seat::remove(layers, client, &channel, UNAUTHORIZED);
            }
        }
        let Some(channels) = layers.and_then(Layers::channels) else {
            return;
        };
        let permissions = identity.all_permissions();
        for (pattern, _) in channels.patterns(client.id()) {
            let is_claimed = identity.patterns().contains(&pattern);
            if !is_claimed && !permissions.allow_pattern(Right::Subscribe, &pattern) {
                channels.force_unsubscribe(client, &pattern, UNAUTHORIZED);
            }
        }
    }

    /// Whether a channel belongs to another user than the caller.
    pub(crate) fn belongs_to_another(&self, caller: &Caller<'_>, channel: &str) -> bool {
        if self.private.is_empty() || caller.is_server() {
            return false;
        }
        let owner = self.private.owner(channel);
        owner.is_some_and(|owner| caller.user() != Some(&*owner))
    }

    fn check_private(&self, caller: &Caller<'_>, command: &Command) -> Result<(), Fault> {
        if caller.is_server() || caller.origin() == Origin::Claim {
            return Ok(());
        }
        match command {
            Command::Publish { channel, .. } | Command::Presence { channel } => {
                if self.belongs_to_another(caller, channel) {
                    return Err(anothers());
                }
            }
            Command::Subscribe { channel, whose, .. } => {
                let is_own = *whose == Whose::Own;
                if !is_own && self.belongs_to_another(caller, channel) {
                    return Err(anothers());
                }
            }
            Command::Operation { name, arguments } if **name == *need::PATTERN_SUBSCRIBE => {
                if let Some(pattern) = need::pattern(arguments)? {
                    let owner = self.private.owner_of_pattern(&pattern);
                    if owner.is_some_and(|owner| caller.user() != Some(&*owner)) {
                        return Err(anothers());
                    }
                }
            }
            Command::Operation { .. } | Command::Ping | Command::Unsubscribe { .. } => {}
        }
        Ok(())
    }

    fn validate(&self, identity: &Identity, now: u64) -> Result<(), Fault> {
        if identity.expiry().is_some_and(|time| time.millis() <= now) {
            let why = "the token has expired: refresh it";
            return Err(Fault::new(ErrorCode::TokenExpired, why));
        }
        if self
            .door
            .as_ref()
            .is_some_and(|door| door.is_revoked(identity))
        {
            let why = "the token was revoked";
            return Err(Fault::new(ErrorCode::TokenRevoked, why));
        }
        Ok(())
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("private", &self.private)
            .field("validates", &self.validates)
            .finish_non_exhaustive()
    }
}

/// How a subscribe is allowed.
#[derive(Clone, Debug)]
pub(super) enum Granted {
    /// Only as far as the hub's authorizer allows it.
    No,
    /// By permissions that name the channel: the authorizer is not asked.
    ByName,
    /// By a token of its own, or by a claim: the authorizer is not asked.
    By(Allowance),
}

impl Granted {
    fn by(allowance: Allowance) -> Self {
        Self::By(allowance)
    }

    /// Returns what members of a presence channel are shown, empty for nothing, if the authorizer
    /// is not asked.
    pub(super) fn info(&self, identity: Option<&Identity>) -> Option<Bytes> {
        let own = || identity.and_then(Identity::member_info).map(str::to_owned);
        let info = match self {
            Self::No => return None,
            Self::ByName => own(),
            Self::By(allowance) => allowance.info.as_deref().map(str::to_owned).or_else(own),
        };
        Some(Bytes::from(info.unwrap_or_default()))
    }
}

/// Whether the scopes of a key allow an operation.
fn scope(identity: &Identity, operation: &str) -> Result<(), Fault> {
    if identity.may(Right::Admin, operation) {
        return Ok(());
    }
    let why = format!("the credentials do not have the scope `{operation}`");
    Err(Fault::new(ErrorCode::InsufficientScope, why).field("type"))
}

fn lacks(what: &str, field: &'static str) -> Fault {
    let why = format!("the token does not allow to {what}");
    Fault::new(ErrorCode::InsufficientScope, why).field(field)
}

/// The fault of a subscribe to a channel that was declared to be private.
pub(super) fn private() -> Fault {
    let why = "this channel is private: a permission or a token has to name it";
    Fault::new(ErrorCode::Unauthorized, why).field("channel_id")
}

fn anothers() -> Fault {
    let why = "this channel belongs to another user";
    Fault::new(ErrorCode::Unauthorized, why).field("channel_id")
}

/// The reason of a `left` when a connection lost the permission.
const UNAUTHORIZED: &str = "unauthorized";

#[cfg(test)]
mod tests;
