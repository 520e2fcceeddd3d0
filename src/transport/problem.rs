//! Requests that are refused: problem details, RFC 9457.

use std::collections::hash_map::RandomState;
use std::error::Error;
use std::fmt;
use std::fmt::Display;
use std::hash::BuildHasher;
use std::time::Duration;

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::Response;
use hyper::StatusCode;
use hyper::header;
use hyper::header::HeaderName;
use hyper::header::HeaderValue;

use crate::policy::Refusal;
use crate::protocol::ErrorCode;
use crate::protocol::Fault;
use crate::protocol::ProblemDetails;
use crate::protocol::Quota;
use crate::protocol::Violation;
use crate::transport::gateway::Unauthenticated;
use crate::transport::ws::UpgradeError;

/// What was wrong with a request, and the answer to it: a status, a code that programs can go by,
/// and a text for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    code: ErrorCode,
    detail: Box<str>,
    field: Option<Box<str>>,
    retry_after: Option<Duration>,
    quota: Option<Box<Quota>>,
    header: Option<Box<(HeaderName, HeaderValue)>>,
    reason: Option<Box<str>>,
    errors: Box<[Violation]>,
}

impl Problem {
    /// A problem of a request; the code decides the status.
    #[must_use]
    pub fn new(code: ErrorCode, detail: impl Display) -> Self {
        Self {
            code,
            detail: detail.to_string().into(),
            field: None,
            retry_after: None,
            quota: None,
            header: None,
            reason: None,
            errors: Box::default(),
        }
    }

    /// The server goes away: 503, and after how long to come back, each at a moment of its own.
    pub(crate) fn draining(reconnect_window: Duration) -> Self {
        let why = "the server is going away: come back later, or to another";
        let problem = Self::new(ErrorCode::Draining, why);
        problem.retry_after(spread_seconds(reconnect_window))
    }

    /// With a time after which the same request may succeed.
    pub(crate) fn retry_after(self, wait: Duration) -> Self {
        Self {
            retry_after: Some(wait),
            ..self
        }
    }

    /// The credentials of a request are refused.
    pub(crate) fn refused(refusal: &Refusal) -> Self {
        let problem = Self::new(refusal.code(), refusal.reason());
        match refusal.code().status() {
            401 => problem.challenged(),
            503 => problem.retry_after(Duration::from_secs(1)),
            _ => problem,
        }
    }

    /// The server has no room for a connection: 503, and after how long to come back, each at a
    /// moment of its own.
    pub(crate) fn busy(reconnect_window: Duration) -> Self {
        let why = "there is no room for this connection now: come back later";
        let problem = Self::new(ErrorCode::Overloaded, why);
        problem.retry_after(spread_seconds(reconnect_window))
    }

    /// With the header that says which credentials are taken.
    pub(crate) fn challenged(self) -> Self {
        let challenge = match self.code {
            ErrorCode::Unauthenticated => "Bearer realm=\"throng\"",
            _ => "Bearer realm=\"throng\", error=\"invalid_token\"",
        };
        let challenge = HeaderValue::from_static(challenge);
        self.with(header::WWW_AUTHENTICATE, challenge)
    }

    /// With another header in the response.
    pub(crate) fn with(self, name: HeaderName, value: HeaderValue) -> Self {
        Self {
            header: Some(Box::new((name, value))),
            ..self
        }
    }

    /// The status of the response.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::BAD_REQUEST)
    }

    /// The stable code, for programs.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// The response, of the media type `application/problem+json`.
    #[must_use]
    pub fn into_response<B: From<Bytes>>(self) -> Response<B> {
        let status = self.status();
        let kind = (status.as_u16(), title(status));
        let details = ProblemDetails::new(
            kind,
            self.code,
            &self.detail,
            self.field.as_deref(),
            self.retry_after,
        );
        let reset_at = self.quota.as_ref().map(|quota| quota.reset_at);
        let details = details.reset_at(reset_at);
        let details = details.because(self.reason.as_deref(), &self.errors);
        let mut response = Response::new(Bytes::from(details.to_json()).into());
        *response.status_mut() = status;
        let media_type = HeaderValue::from_static(ProblemDetails::MEDIA_TYPE);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, media_type);
        headers.extend(self.header.map(|header| *header));
        if let Some(wait) = self.retry_after {
            // The header has whole seconds: a little later is not too early.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(quota) = &self.quota {
            announce(quota, headers);
        }
        response
    }
}

impl Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl Error for Problem {}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self {
            field: fault.at().map(Into::into),
            retry_after: fault.wait(),
            quota: fault.limit().cloned().map(Box::new),
            reason: fault.own_reason().map(Into::into),
            errors: fault.errors().into(),
            ..Self::new(fault.code(), fault.message())
        }
    }
}

impl From<UpgradeError> for Problem {
    fn from(refusal: UpgradeError) -> Self {
        let code = match refusal {
            UpgradeError::Origin => ErrorCode::ForbiddenOrigin,
            UpgradeError::NotWebSocket => ErrorCode::NotWebSocket,
            UpgradeError::Version => ErrorCode::UnsupportedVersion,
        };
        let ours = (
            header::SEC_WEBSOCKET_VERSION,
            HeaderValue::from_static("13"),
        );
        Self {
            header: (refusal == UpgradeError::Version).then(|| Box::new(ours)),
            ..Self::new(code, refusal)
        }
    }
}

impl From<Unauthenticated> for Problem {
    fn from(error: Unauthenticated) -> Self {
        Self::new(ErrorCode::Unauthenticated, error)
    }
}

/// Says in the headers of a response what is left of a rate limit, unless that is turned off.
pub(crate) fn announce(quota: &Quota, headers: &mut HeaderMap) {
    let Some((policy, state)) = quota.headers() else {
        return;
    };
    for (name, value) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, state)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
}

/// The limits that hold, by draft-ietf-httpapi-ratelimit-headers.
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The part of them that is left.
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Whole seconds within a time, others for each call.
fn spread_seconds(within: Duration) -> Duration {
    let seconds = within.as_secs().max(1);
    // The standard library seeds its hash keys from the operating system.
    let after = RandomState::new().hash_one(0_u8) % seconds + 1;
    Duration::from_secs(after)
}

/// The name of a status.
fn title(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("error")
}
