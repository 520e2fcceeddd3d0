//! Settings of authentication and permissions.

use std::sync::Arc;
use std::time::Duration;

use hyper::http::request::Parts;

use crate::hub::ConnectOptions;
use crate::layers::channels::PrivateChannels;
use crate::policy::Authenticator;
use crate::policy::Revocations;
#[cfg(feature = "jwt")]
use crate::policy::SubscriptionTokens;
use crate::policy::Tickets;
use crate::session::Permissions;
use crate::transport::auth::Lobby;

use super::GatewayBuilder;
use super::Unauthenticated;

impl GatewayBuilder {
    /// Adds an authenticator, which is asked about the credentials that those added before do not
    /// know. Default: none, and then every caller is let in.
    ///
    /// With an authenticator, requests of the REST API and event streams need credentials; a
    /// WebSocket connection without them waits in the [lobby](Lobby) until its first message shows
    /// some, unless [guests](Self::guests) are let in.
    ///
    /// ```
    /// use throng::policy::{Authenticated, Authenticator, Credentials};
    /// use throng::session::Identity;
    /// use throng::{Gateway, Hub, UserId};
    ///
    /// /// Knows one token.
    /// struct Ada;
    ///
    /// impl Authenticator for Ada {
    ///     fn name(&self) -> &str {
    ///         "ada"
    ///     }
    ///
    ///     fn authenticate(&self, credentials: &Credentials<'_>) -> Authenticated {
    ///         match (credentials.secret, UserId::parse("ada")) {
    ///             (Some("a secret"), Ok(ada)) => Authenticated::Is(Box::new(Identity::of(ada))),
    ///             _ => Authenticated::Unknown,
    ///         }
    ///     }
    /// }
    ///
    /// let gateway = Gateway::builder(Hub::new()).authenticator(Ada).build();
    /// assert!(gateway.authenticates());
    /// ```
    pub fn authenticator(mut self, authenticator: impl Authenticator) -> Self {
        self.auth.authenticators.push(Arc::new(authenticator));
        self
    }

    /// How long one authenticator may take for a decision; then the credentials are refused with
    /// [`AuthUnavailable`](crate::ErrorCode::AuthUnavailable). Default 1 s.
    pub fn auth_timeout(mut self, time: Duration) -> Self {
        self.auth.timeout = time;
        self
    }

    /// Lets callers without credentials in as anonymous, with these permissions: over WebSocket and
    /// to event streams, not to the REST API. Default: they are refused. Without an
    /// [authenticator](Self::authenticator) it means nothing.
    pub fn guests(mut self, permissions: Permissions) -> Self {
        self.auth.guests = Some(permissions);
        self
    }

    /// Sets where WebSocket connections without credentials wait.
    pub fn lobby(mut self, lobby: Lobby) -> Self {
        self.auth.lobby = lobby;
        self
    }

    /// Whether a token may stand in the query, as `?token=`: there it is likely to end up in logs.
    /// Default: it may not. Tickets may always.
    pub fn token_in_query(mut self, allowed: bool) -> Self {
        self.auth.query = allowed;
        self
    }

    /// Reads the credentials from this cookie, too: of requests that the server's own pages make,
    /// or those of a [named origin](Self::origins). Default: from none.
    pub fn auth_cookie(mut self, name: impl Into<Box<str>>) -> Self {
        self.auth.cookie = Some(name.into());
        self
    }

    /// Sets the table of revoked credentials. Default: an empty one, in memory.
    pub fn revocations(mut self, revocations: Revocations) -> Self {
        self.auth.revocations = revocations;
        self
    }

    /// Sets the tickets that `POST /api/v1/tickets` issues. Default: at most 10,000, for 30 s each.
    pub fn tickets(mut self, tickets: Tickets) -> Self {
        self.auth.tickets = tickets;
        self
    }

    /// Sets which tokens allow a subscription, in the `auth` of a subscribe. The subscription ends
    /// when the token expires. Default: none; the hub's authorizer is asked about every `auth`.
    #[cfg(feature = "jwt")]
    pub fn subscription_tokens(mut self, tokens: SubscriptionTokens) -> Self {
        self.auth.subscriptions = Some(tokens);
        self
    }

    /// How long before its token expires a connection is told so, with an `expiring` push. Default
    /// 30 s.
    pub fn expiry_notice(mut self, before: Duration) -> Self {
        self.notice.before = before;
        self
    }

    /// How long after its token has expired a connection is closed with
    /// [`Disconnect::TOKEN_EXPIRED`](crate::Disconnect::TOKEN_EXPIRED), unless it shows a new one.
    /// Default 25 s.
    pub fn expiry_grace(mut self, grace: Duration) -> Self {
        self.notice.grace = grace;
        self
    }

    /// Whether each request is refused from the moment at which the token of its connection has
    /// expired or is revoked, and not only at the end of the connection. Default: it is not.
    pub fn validate_on_message(mut self, validates: bool) -> Self {
        self.validates = validates;
        self
    }

    /// Adds channels that belong to one user each, by their names. Default: none.
    ///
    /// ```
    /// use throng::channels::PrivateChannels;
    /// use throng::{Gateway, Hub};
    ///
    /// let private = PrivateChannels::parse("user.{user}.>")?;
    /// let gateway = Gateway::builder(Hub::new()).private_channels(private).build();
    /// # drop(gateway);
    /// # Ok::<(), throng::channels::InvalidPrivateChannels>(())
    /// ```
    pub fn private_channels(mut self, channels: PrivateChannels) -> Self {
        self.private.push(channels);
        self
    }

    /// Sets the function from a request that opens a connection to how its client is connected: its
    /// user, its credentials for the hub's authorizer, its outbox. It is called before any
    /// [authenticator](Self::authenticator), whose user stands. It must not block. Default: every
    /// request may open a connection, and has no user.
    pub fn authenticate<F>(mut self, authenticate: F) -> Self
    where
        F: Fn(&Parts) -> Result<ConnectOptions, Unauthenticated> + Send + Sync + 'static,
    {
        self.authenticate = Some(Arc::new(authenticate));
        self
    }
}
