//! The decision whether a caller is let in, and as which user.

use std::sync::Arc;

use hyper::http::request::Parts;

use crate::disconnect::Disconnect;
use crate::hub::ConnectOptions;
use crate::policy::Refusal;
use crate::policy::Revocations;
use crate::session::Identity;
#[cfg(feature = "sse")]
use crate::transport::auth;
use crate::transport::auth::Authority;
use crate::transport::auth::Decided;
use crate::transport::gateway::Gateway;
use crate::transport::problem::Problem;

/// A caller that is let in.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) options: ConnectOptions,
    /// `None` where nothing is authenticated.
    pub(crate) identity: Option<Arc<Identity>>,
}

impl Admission {
    /// The user of the identity stands, whatever the options say.
    pub(crate) fn new(options: ConnectOptions, identity: Arc<Identity>) -> Self {
        let options = match identity.user() {
            Some(user) => options.user(&**user),
            None => options,
        };
        Self {
            options,
            identity: Some(identity),
        }
    }
}

impl From<ConnectOptions> for Admission {
    fn from(options: ConnectOptions) -> Self {
        Self {
            options,
            identity: None,
        }
    }
}

/// The decision about a request that opens a connection.
#[derive(Debug)]
pub(crate) enum Entering {
    /// Its caller is let in.
    Admitted(Admission),
    /// Its credentials are refused.
    Refused(Refusal),
    /// It shows no credentials, and guests are not let in.
    Unknown(ConnectOptions),
}

impl Gateway {
    pub(crate) fn authority(&self) -> Option<&Authority> {
        self.inner.authority.as_ref()
    }

    /// The revoked credentials, to add to; `None` where nothing is authenticated. Connections whose
    /// credentials are revoked are closed with
    /// [`Disconnect::TOKEN_REVOKED`](crate::Disconnect::TOKEN_REVOKED).
    #[must_use]
    pub fn revocations(&self) -> Option<&Revocations> {
        self.authority().map(Authority::revocations)
    }

    /// Sees to it that connections end whose credentials are revoked.
    pub(super) fn heed_revocations(&self) {
        let Some(revocations) = self.revocations() else {
            return;
        };
        let inner = Arc::downgrade(&self.inner);
        revocations.on_revoked(move |revoked| {
            if let Some(inner) = inner.upgrade() {
                let why = &Disconnect::TOKEN_REVOKED;
                Self { inner }.disconnect_where(why, |identity| revoked.matches(identity));
            }
        });
    }

    /// Decides about a request that opens a connection, or changes one, whose origin was checked.
    ///
    /// # Errors
    ///
    /// The answer to a request that shows two credentials, or that
    /// [`GatewayBuilder::authenticate`](crate::GatewayBuilder::authenticate) refuses.
    pub(crate) async fn entering(&self, request: &Parts) -> Result<Entering, Problem> {
        let options = self.authenticate(request)?;
        let Some(authority) = self.authority() else {
            return Ok(Entering::Admitted(options.into()));
        };
        let decided = authority.decide(request, self.is_credentialed(request));
        Ok(match decided.await? {
            Decided::Is(identity) => Entering::Admitted(Admission::new(options, identity)),
            Decided::Refused(refusal) => Entering::Refused(refusal),
            Decided::None => match authority.guest() {
                Some(guest) => Entering::Admitted(Admission::new(options, guest)),
                None => Entering::Unknown(options),
            },
        })
    }

    /// [`Self::entering`] where there is no lobby.
    #[cfg(feature = "sse")]
    pub(crate) async fn admitted(&self, request: &Parts) -> Result<Admission, Problem> {
        match self.entering(request).await? {
            Entering::Admitted(admission) => Ok(admission),
            Entering::Refused(refusal) => Err(Problem::refused(&refusal)),
            Entering::Unknown(_) => Err(Problem::refused(&auth::missing())),
        }
    }

    /// Decides about a request of the REST API; `None` where nothing is authenticated.
    #[cfg(feature = "server")]
    pub(crate) async fn identify(&self, request: &Parts) -> Result<Option<Arc<Identity>>, Problem> {
        let Some(authority) = self.authority() else {
            return Ok(None);
        };
        let decided = authority.decide(request, self.is_credentialed(request));
        match decided.await? {
            Decided::Is(identity) => Ok(Some(identity)),
            Decided::Refused(refusal) => Err(Problem::refused(&refusal)),
            Decided::None => Err(Problem::refused(&auth::missing())),
        }
    }

    fn is_credentialed(&self, request: &Parts) -> bool {
        let origins = self.origins();
        origins.allow_credentials(&request.uri, &request.headers)
    }
}
