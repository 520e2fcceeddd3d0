//! Requests that are refused: problem details, RFC 9457.

use std::collections::hash_map::RandomState;
use std::error::Error;
use std::fmt;
use std::fmt::Display;
use std::hash::BuildHasher;
use std::time::Duration;

use bytes::Bytes;
use hyper::Response;
use hyper::StatusCode;
use hyper::header;
use hyper::header::HeaderName;
use hyper::header::HeaderValue;

use crate::hub::PublishError;
use crate::hub::SendError;
use crate::protocol::ErrorCode;
use crate::protocol::Fault;
use crate::protocol::ProblemDetails;
use crate::transport::fault::publish_fault;
use crate::transport::gateway::Unauthenticated;
use crate::transport::ws::Refusal;

/// What was wrong with a request, and the answer to it: a status, a code that programs can go by,
/// and a text for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: Box<str>,
    field: Option<&'static str>,
    retry_after: Option<Duration>,
    header: Option<Box<(HeaderName, HeaderValue)>>,
}

impl Problem {
    /// A problem of a request.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, detail: impl Display) -> Self {
        Self {
            status,
            code,
            detail: detail.to_string().into(),
            field: None,
            retry_after: None,
            header: None,
        }
    }

    /// The server goes away: 503, and after how long to come back, each at a moment of its own.
    pub(crate) fn draining(reconnect_within: Duration) -> Self {
        let seconds = reconnect_within.as_secs().max(1);
        // The standard library seeds its hash keys from the operating system.
        let after = RandomState::new().hash_one(0_u8) % seconds + 1;
        let why = "the server is going away: come back later, or to another";
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "draining", why);
        problem.retry_after(Duration::from_secs(after))
    }

    /// With a time after which the same request may succeed.
    pub(crate) fn retry_after(self, wait: Duration) -> Self {
        Self {
            retry_after: Some(wait),
            ..self
        }
    }

    /// With another header in the response.
    #[cfg(feature = "sse")]
    pub(crate) fn with(self, name: HeaderName, value: HeaderValue) -> Self {
        Self {
            header: Some(Box::new((name, value))),
            ..self
        }
    }

    pub(crate) fn unknown_client() -> Self {
        let why = "no client has this id";
        Self::new(StatusCode::NOT_FOUND, "unknown_client", why)
    }

    /// The status of the response.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What programs can go by; it never changes.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The response, of the media type `application/problem+json`.
    #[must_use]
    pub fn into_response<B: From<Bytes>>(self) -> Response<B> {
        let title = self.status.canonical_reason().unwrap_or("error");
        let kind = (self.status.as_u16(), title);
        let details =
            ProblemDetails::new(kind, self.code, &self.detail, self.field, self.retry_after);
        let mut response = Response::new(Bytes::from(details.to_json()).into());
        *response.status_mut() = self.status;
        let media_type = HeaderValue::from_static(ProblemDetails::MEDIA_TYPE);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, media_type);
        headers.extend(self.header.map(|header| *header));
        if let Some(wait) = self.retry_after {
            // The header has whole seconds: a little later is not too early.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, seconds.into());
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
        let code = fault.code();
        Self {
            field: fault.at(),
            retry_after: fault.wait(),
            ..Self::new(status(code), code.as_str(), fault.message())
        }
    }
}

impl From<PublishError> for Problem {
    fn from(error: PublishError) -> Self {
        publish_fault(&error).into()
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal {
            Refusal::Origin => "forbidden_origin",
            Refusal::NotWebSocket => "not_websocket",
            Refusal::Version => "unsupported_version",
        };
        let ours = (
            header::SEC_WEBSOCKET_VERSION,
            HeaderValue::from_static("13"),
        );
        Self {
            header: (refusal == Refusal::Version).then(|| Box::new(ours)),
            ..Self::new(refusal.status(), code, refusal)
        }
    }
}

impl From<SendError> for Problem {
    fn from(error: SendError) -> Self {
        match &error {
            SendError::Closed(_) | SendError::UnknownClient(_) => Self::unknown_client(),
            SendError::Full(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "outbox_full", error),
            SendError::TooLarge { .. } => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", error)
            }
        }
    }
}

impl From<Unauthenticated> for Problem {
    fn from(error: Unauthenticated) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", error)
    }
}

/// The HTTP status of an error on the wire.
fn status(code: ErrorCode) -> StatusCode {
    StatusCode::from_u16(code.status()).unwrap_or(StatusCode::BAD_REQUEST)
}
