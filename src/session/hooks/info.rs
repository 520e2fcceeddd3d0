//! The caller of a request, for code that outlives the request.

use std::net::IpAddr;
use std::sync::Arc;

use crate::hub::Client;
use crate::id::ClientId;
use crate::session::Caller;
use crate::session::Identity;
use crate::session::Origin;

/// The caller of a request, without a borrow: what asynchronous hooks and handlers receive.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CallerInfo {
    /// The connection that asks; `None` for the server's side.
    pub client: Option<ClientId>,
    /// The user; `None` if the caller is anonymous, or the server.
    pub user: Option<Box<str>>,
    /// Whether the caller is the server's side, on behalf of no user.
    pub is_server: bool,
    /// The way by which the request came.
    pub origin: Origin,
    /// The address that the request came from, where it is known.
    pub address: Option<IpAddr>,
    /// The identity, with the permissions, where anything is authenticated.
    pub identity: Option<Arc<Identity>>,
}

impl CallerInfo {
    /// Returns what is known of a caller.
    #[must_use]
    pub fn of(caller: &Caller<'_>) -> Self {
        Self {
            client: caller.client().map(Client::id),
            user: caller.user().map(Into::into),
            is_server: caller.is_server(),
            origin: caller.origin(),
            address: caller.address(),
            identity: caller.shared_identity(),
        }
    }
}
