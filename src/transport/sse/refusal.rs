//! Why a request gets no stream.

use std::time::Duration;

use hyper::header;
use hyper::header::HeaderValue;

use crate::hub::ConnectError;
use crate::layers::users::UserError;
use crate::protocol::ErrorCode;
use crate::transport::Problem;
use crate::transport::sse::stream::random_part;

/// The page of an origin that may not connect.
pub(super) fn forbidden() -> Problem {
    let why = "pages of this origin may not connect";
    Problem::new(ErrorCode::ForbiddenOrigin, why)
}

pub(super) fn method(allowed: &'static str) -> Problem {
    let why = format!("the methods here: {allowed}");
    let problem = Problem::new(ErrorCode::MethodNotAllowed, why);
    problem.with(header::ALLOW, HeaderValue::from_static(allowed))
}

pub(super) fn not_acceptable() -> Problem {
    let why = "this is a stream of events: accept text/event-stream";
    Problem::new(ErrorCode::NotAcceptable, why)
}

/// Too much is going on, or soon nothing any more.
pub(super) fn unavailable(error: &UserError, within: Duration) -> Problem {
    let code = match error {
        UserError::Connect(ConnectError::Closed) => return Problem::draining(within),
        UserError::Connect(ConnectError::TooManyClients { .. }) => ErrorCode::TooManyClients,
        UserError::InvalidUser(_) => return Problem::new(ErrorCode::InvalidField, error),
        UserError::TooManyConnections { .. } => error.code(),
        _ => ErrorCode::Misconfigured,
    };
    let seconds = within.mul_f64(random_part()).as_secs() + 1;
    let problem = Problem::new(code, error);
    problem.retry_after(Duration::from_secs(seconds))
}

/// No such stream, or none of this user: whoever guesses learns nothing.
pub(super) fn unknown_stream() -> Problem {
    let why = "no stream of yours has this token";
    Problem::new(ErrorCode::UnknownStream, why)
}

pub(super) fn too_large(max: usize) -> Problem {
    let why = format!("the body is larger than {max} bytes");
    Problem::new(ErrorCode::TooLarge, why)
}
