//! Why a request gets no stream.

use std::time::Duration;

use hyper::StatusCode;
use hyper::header;
use hyper::header::HeaderValue;

use crate::hub::ConnectError;
use crate::layers::users::UserError;
use crate::transport::Problem;
use crate::transport::fault::in_full;
use crate::transport::sse::stream::random_part;

pub(super) fn bad_request(code: &'static str, why: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, code, why)
}

/// The page of an origin that may not connect.
pub(super) fn forbidden() -> Problem {
    let why = "pages of this origin may not connect";
    Problem::new(StatusCode::FORBIDDEN, "forbidden_origin", why)
}

pub(super) fn method(allowed: &'static str) -> Problem {
    let why = format!("the methods here: {allowed}");
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", why);
    problem.with(header::ALLOW, HeaderValue::from_static(allowed))
}

pub(super) fn not_acceptable() -> Problem {
    let why = "this is a stream of events: accept text/event-stream";
    Problem::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", why)
}

/// Too much is going on, or soon nothing any more.
pub(super) fn unavailable(error: &UserError, within: Duration) -> Problem {
    let code = match error {
        UserError::Connect(ConnectError::Closed) => return Problem::draining(within),
        UserError::Connect(ConnectError::TooManyClients { .. }) => "too_many_clients",
        UserError::InvalidUser(_) => return bad_request("invalid_field", &in_full(error)),
        UserError::TooManyConnections { .. } => error.code().as_str(),
        _ => "misconfigured",
    };
    let seconds = within.mul_f64(random_part()).as_secs() + 1;
    let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, in_full(error));
    problem.retry_after(Duration::from_secs(seconds))
}

/// No such stream, or none of this user: whoever guesses learns nothing.
pub(super) fn unknown_connection() -> Problem {
    let why = "no stream of yours has this id";
    Problem::new(StatusCode::NOT_FOUND, "unknown_connection", why)
}

pub(super) fn too_large(max: usize) -> Problem {
    let why = format!("the body is larger than {max} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", why)
}
