//! Errors of the API: problem details, RFC 9457.

use std::fmt::Display;

use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use serde::Serialize;

use crate::hub::PublishError;
use crate::hub::SendError;
use crate::protocol::ErrorCode;
use crate::protocol::Fault;
use crate::transport::fault::publish_fault;

/// What went wrong with a request.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    field: Option<&'static str>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Display) -> Self {
        Self {
            status,
            code,
            detail: detail.to_string(),
            field: None,
        }
    }

    pub(super) fn unknown_client() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "unknown_client",
            "no client has this id",
        )
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let code = fault.code();
        let problem = Self::new(status(code), code.as_str(), fault.message());
        Self {
            field: fault.at(),
            ..problem
        }
    }
}

impl From<PublishError> for Problem {
    fn from(error: PublishError) -> Self {
        publish_fault(&error).into()
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

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let details = Details {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("error"),
            status: self.status.as_u16(),
            code: self.code,
            detail: &self.detail,
            field: self.field,
        };
        let body = serde_json::to_vec(&details).unwrap_or_default();
        (
            self.status,
            [(header::CONTENT_TYPE, "application/problem+json")],
            body,
        )
            .into_response()
    }
}

#[derive(Serialize)]
struct Details<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
}

/// The HTTP status of an error on the wire.
fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::Backlogged | ErrorCode::Closed | ErrorCode::TooManyChannels => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::BAD_REQUEST,
    }
}
