//! Answers that are no streams.

use hyper::Response;
use hyper::StatusCode;
use hyper::header;
use hyper::header::HeaderName;
use hyper::header::HeaderValue;

use crate::hub::ConnectError;
use crate::protocol;
use crate::protocol::ErrorCode;
use crate::protocol::Fault;
use crate::transport::fault::in_full;
use crate::transport::gateway::Unauthenticated;
use crate::transport::sse::SseBody;

/// Why a request is refused, as it is told: problem details, RFC 9457.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    code: &'static str,
    detail: String,
    field: Option<&'static str>,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            field: None,
            header: None,
        }
    }

    /// Too much is going on, or nothing any more: come back in so many seconds.
    pub(super) fn unavailable(error: &ConnectError, seconds: u64) -> Self {
        let code = match error {
            ConnectError::Closed => "closed",
            ConnectError::Outbox(_) => "misconfigured",
            ConnectError::TooManyClients { .. } => "too_many_clients",
        };
        let refusal = Self::new(StatusCode::SERVICE_UNAVAILABLE, code, in_full(error));
        refusal.with(header::RETRY_AFTER, seconds.into())
    }

    /// No such stream, or none of this user: whoever guesses learns nothing.
    pub(super) fn unknown_connection() -> Self {
        let why = "no stream of yours has this id";
        Self::new(StatusCode::NOT_FOUND, "unknown_connection", why)
    }

    pub(super) fn method(allowed: &'static str) -> Self {
        let why = format!("only {allowed} mean something here");
        let refusal = Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", why);
        refusal.with(header::ALLOW, HeaderValue::from_static(allowed))
    }

    pub(super) fn response(&self) -> Response<SseBody> {
        let title = self.status.canonical_reason().unwrap_or("error");
        let status = self.status.as_u16();
        let body = protocol::problem(status, title, self.code, &self.detail, self.field);
        let mut response = Response::new(SseBody::whole(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, PROBLEM);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some((name, value)) = &self.header {
            headers.insert(name, value.clone());
        }
        response
    }

    fn with(self, name: HeaderName, value: HeaderValue) -> Self {
        Self {
            header: Some((name, value)),
            ..self
        }
    }
}

const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        let status = match fault.code() {
            ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        };
        Self {
            field: fault.at(),
            ..Self::new(status, fault.code().as_str(), fault.message())
        }
    }
}

impl From<Unauthenticated> for Refusal {
    fn from(error: Unauthenticated) -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            ErrorCode::Unauthorized.as_str(),
            error.to_string(),
        )
    }
}
