//! Authentication: from the credentials that a request shows to the [`Identity`] of its caller.

#[cfg(feature = "jwt")]
mod api_keys;
#[cfg(feature = "jwt")]
pub mod jwt;
mod revocations;
#[cfg(feature = "jwt")]
mod subscriptions;
mod tickets;
mod time;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

use hyper::http::request::Parts;

use crate::code::ErrorCode;
use crate::disconnect::Disconnect;
use crate::session::Identity;

#[cfg(feature = "jwt")]
pub use self::api_keys::ApiKey;
#[cfg(feature = "jwt")]
pub use self::api_keys::ApiKeyError;
#[cfg(feature = "jwt")]
pub use self::api_keys::ApiKeyFile;
#[cfg(feature = "jwt")]
pub use self::api_keys::ApiKeys;
#[cfg(feature = "jwt")]
pub use self::api_keys::InvalidApiKeys;
#[cfg(feature = "jwt")]
pub use self::api_keys::LineError;
#[cfg(feature = "jwt")]
pub use self::api_keys::NewApiKey;
pub use self::revocations::RevocationError;
pub use self::revocations::Revocations;
pub use self::revocations::RevocationsConfig;
pub use self::revocations::Revoked;
#[cfg(feature = "jwt")]
pub use self::subscriptions::SubscriptionTokens;
pub use self::tickets::TicketError;
pub use self::tickets::Tickets;
pub use self::tickets::TicketsConfig;

/// Decides who a caller is.
///
/// A gateway asks its authenticators in the order in which they were added, until one answers
/// anything but [`Authenticated::Unknown`]. Credentials that none of them knows are refused, never
/// treated as anonymous.
///
/// # Isolation
///
/// An authenticator that panics, or that takes longer than the gateway's timeout, refuses the
/// credentials with [`ErrorCode::AuthUnavailable`], and nothing else.
pub trait Authenticator: Send + Sync + 'static {
    /// Returns the name, for logs and errors.
    fn name(&self) -> &str;

    /// Decides about one set of credentials. Must not block: what needs time is an
    /// [`Authenticated::Later`].
    fn authenticate(&self, credentials: &Credentials<'_>) -> Authenticated;
}

/// The credentials of one request.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Credentials<'a> {
    /// How they came.
    pub carrier: Carrier,
    /// The token or key; `None` where the request shows none.
    pub secret: Option<&'a str>,
    /// The request that opens the connection or calls the API; `None` for a message on an open
    /// connection.
    pub request: Option<&'a Parts>,
    /// The address of the client, where it is known.
    pub address: Option<IpAddr>,
}

/// Hides the secret, and what of the request may hold it.
impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.request.map(|request| request.uri.path());
        f.debug_struct("Credentials")
            .field("carrier", &self.carrier)
            .field("has_secret", &self.secret.is_some())
            .field("path", &path)
            .field("address", &self.address)
            .finish()
    }
}

/// The part of a request that carried the credentials.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Carrier {
    /// None: the request shows no credentials.
    None,
    /// The header `Authorization: Bearer ...`, or `X-Api-Key`.
    Header,
    /// The sub-protocol `throng.bearer.<token>`.
    Subprotocol,
    /// A cookie.
    Cookie,
    /// `?ticket=`, issued by `POST /api/v1/tickets`.
    Ticket,
    /// `?token=`.
    Query,
    /// A message on the connection: the first one, or a refresh.
    Message,
}

/// The answer of an [`Authenticator`].
#[non_exhaustive]
pub enum Authenticated {
    /// These credentials are not of its kind; the next authenticator is asked.
    Unknown,
    /// The caller is this one.
    Is(Box<Identity>),
    /// The credentials are refused.
    Refused(Refusal),
    /// The decision needs time. The future must not itself answer `Later`.
    Later(Pin<Box<dyn Future<Output = Self> + Send>>),
}

impl Authenticated {
    /// [`Authenticated::Later`], without the box.
    pub fn later(decision: impl Future<Output = Self> + Send + 'static) -> Self {
        Self::Later(Box::pin(decision))
    }
}

impl fmt::Debug for Authenticated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("Unknown"),
            Self::Is(identity) => f.debug_tuple("Is").field(identity).finish(),
            Self::Refused(refusal) => f.debug_tuple("Refused").field(refusal).finish(),
            Self::Later(_) => f.write_str("Later"),
        }
    }
}

/// The reason for which credentials are refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    code: ErrorCode,
    reason: Cow<'static, str>,
    disconnect: Disconnect,
}

impl Refusal {
    /// Creates a refusal with the close code that belongs to `code`.
    pub fn new(code: ErrorCode, reason: impl Into<Cow<'static, str>>) -> Self {
        let disconnect = match code {
            ErrorCode::TokenExpired => Disconnect::TOKEN_EXPIRED,
            ErrorCode::TokenRevoked => Disconnect::TOKEN_REVOKED,
            ErrorCode::AuthUnavailable => Disconnect::CLOSED,
            _ => Disconnect::TOKEN_INVALID,
        };
        Self {
            code,
            reason: reason.into(),
            disconnect,
        }
    }

    /// Sets the close code and its reason. HTTP requests are answered with the status of the
    /// error code.
    #[must_use]
    pub fn disconnect(mut self, disconnect: Disconnect) -> Self {
        self.disconnect = disconnect;
        self
    }

    /// Returns the error code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// Returns the reason, which the client is sent.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Returns how the connection is closed.
    #[must_use]
    pub const fn close(&self) -> &Disconnect {
        &self.disconnect
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.reason)
    }
}

impl Error for Refusal {}
