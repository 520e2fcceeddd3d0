//! The seam to the decision about credentials.

use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

use crate::layers::Timestamp;
use crate::layers::UserId;
use crate::protocol::Fault;

use super::Identity;

/// Decides about tokens that come as messages, and about those that were accepted before.
pub(crate) trait Door: Send + Sync {
    /// Decides about a token that came as a message.
    fn admit(&self, token: String, address: Option<IpAddr>) -> Admitting;

    /// Whether credentials that were accepted before are revoked by now.
    fn is_revoked(&self, identity: &Identity) -> bool;

    /// Decides about a token for one subscription; `None` if it is no token of this kind, and the
    /// hub's authorizer may know what it is.
    fn subscription(
        &self,
        token: &str,
        user: Option<&str>,
        channel: &str,
    ) -> Option<Result<Allowance, Fault>>;

    /// Revokes credentials. Blocks while the entry is stored, where it is.
    fn revoke(&self, revoke: &Revoke) -> Result<(), Fault>;

    /// Issues a ticket for an identity: a secret that is good once, and for how long.
    fn ticket(&self, identity: Identity) -> Result<(String, Duration), Fault>;
}

/// Credentials to be revoked.
#[derive(Clone, Debug)]
pub(crate) struct Revoke {
    pub(crate) what: Revoking,
    /// When they expire anyway.
    pub(crate) expires_at: Option<Timestamp>,
}

/// The credentials that a revocation is about.
#[derive(Clone, Debug)]
pub(crate) enum Revoking {
    /// The token with this id.
    Token(String),
    /// All tokens of a user that were issued before a time.
    User {
        user: UserId,
        issued_before: Timestamp,
    },
}

/// The decision about a token that came as a message.
pub(crate) type Admitting = Pin<Box<dyn Future<Output = Result<Box<Identity>, Fault>> + Send>>;

/// The subscription that a token of its own allows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allowance {
    /// When the subscription ends, in milliseconds since 1970.
    pub(crate) until: Option<u64>,
    /// The info that members of a presence channel are shown of the user, as JSON.
    pub(crate) info: Option<Box<str>>,
}
