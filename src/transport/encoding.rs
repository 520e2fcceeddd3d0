//! The encoding of the bodies of requests: none.

use hyper::HeaderMap;
use hyper::header;
use hyper::header::HeaderValue;

use crate::protocol::ErrorCode;
use crate::transport::Problem;

/// Refuses a body that is compressed: nothing here would unpack it.
pub(crate) fn check(headers: &HeaderMap) -> Result<(), Problem> {
    let values = headers.get_all(header::CONTENT_ENCODING).iter();
    let mut encodings = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let is_identity = encodings.all(|encoding| {
        let encoding = encoding.trim_ascii();
        encoding.is_empty() || encoding.eq_ignore_ascii_case(b"identity")
    });
    if is_identity {
        return Ok(());
    }
    let why = "send the body without a `Content-Encoding`";
    let problem = Problem::new(ErrorCode::UnsupportedEncoding, why);
    Err(problem.with(
        header::ACCEPT_ENCODING,
        HeaderValue::from_static("identity"),
    ))
}
