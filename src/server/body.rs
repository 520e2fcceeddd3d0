//! The body of a request: the arguments of an operation, or a message as it is.

use axum::body::Body;
use axum::body::BodyDataStream;
use axum::body::Bytes;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::Version;
use axum::http::header;
use bytes::BytesMut;
use futures_util::StreamExt;
use serde_json::value::RawValue;

use crate::protocol::Arguments;
use crate::protocol::ErrorCode;
use crate::protocol::Fault;
use crate::session::operations::Operation;
use crate::session::operations::batch::BATCH;
use crate::transport::Problem;
use crate::transport::encoding;

/// The arguments of an operation: a JSON object, or nothing; for one that sends, the message as a
/// text or as bytes; for a batch, the list of its requests. Also returns the bytes of the body.
pub(super) async fn arguments(
    operation: &Operation,
    request: Request,
    max: usize,
    raw: impl FnOnce(Bytes) -> Result<Bytes, Fault>,
) -> Result<(Arguments, usize), Problem> {
    encoding::check(request.headers())?;
    let kind = content_type(request.headers()).to_ascii_lowercase();
    let sends = operation.arguments.iter().any(|it| it.name == "base64");
    let is_raw = ["text/plain", "application/octet-stream"].contains(&&*kind);
    if sends && !is_raw && kind != "application/json" {
        let why = "use application/json, text/plain or application/octet-stream";
        return Err(unsupported(why));
    }
    let body = read(request, max).await?;
    let bytes = body.len();
    let body = raw(body)?;
    let arguments = parse(operation, &kind, sends, is_raw, body)?;
    Ok((arguments, bytes))
}

fn parse(
    operation: &Operation,
    kind: &str,
    sends: bool,
    is_raw: bool,
    body: Bytes,
) -> Result<Arguments, Problem> {
    let mut arguments = Arguments::new();
    if sends && is_raw {
        if kind == "text/plain" {
            std::str::from_utf8(&body).map_err(not_utf8)?;
            arguments.set_bytes("text", body);
        } else {
            arguments.set_bytes("base64", body);
        }
        return Ok(arguments);
    }
    if body.is_empty() && !sends {
        return Ok(arguments);
    }
    if kind != "application/json" {
        return Err(unsupported("use application/json"));
    }
    let text = std::str::from_utf8(&body).map_err(not_utf8)?;
    if operation.name == BATCH && text.trim_start().starts_with('[') {
        let list = serde_json::from_str::<&RawValue>(text);
        let list = list.map_err(|error| Fault::new(ErrorCode::InvalidJson, error.to_string()))?;
        arguments.set_json("requests", list.to_owned());
        return Ok(arguments);
    }
    Ok(Arguments::parse(text)?)
}

fn unsupported(why: &str) -> Problem {
    Problem::new(ErrorCode::UnsupportedMediaType, why)
}

fn not_utf8<E>(_: E) -> Problem {
    Problem::new(ErrorCode::InvalidUtf8, "the body is not UTF-8")
}

/// The media type without its parameters.
fn content_type(headers: &HeaderMap) -> &str {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    value
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
}

/// Reads a body that is not larger than `max`: one that says it is, is not read at all. Over
/// HTTP/2, what is too large is read on and discarded, up to a bound: a stream that is reset may
/// lose its answer. Over HTTP/1.1 the connection lingers.
async fn read(request: Request<Body>, max: usize) -> Result<Bytes, Problem> {
    let too_large = || {
        let why = format!("the body is larger than {max} bytes");
        Problem::new(ErrorCode::TooLarge, why)
    };
    let announced = request.headers().get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let is_http2 = request.version() == Version::HTTP_2;
    let mut chunks = request.into_body().into_data_stream();
    if announced.is_some_and(|length| length > max as u64) {
        if is_http2 {
            discard(&mut chunks).await;
        }
        return Err(too_large());
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = chunks.next().await {
        let broken = |_| Problem::new(ErrorCode::IncompleteBody, "it broke off");
        let chunk = chunk.map_err(broken)?;
        if body.len() + chunk.len() > max {
            drop(body);
            if is_http2 {
                discard(&mut chunks).await;
            }
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Reads what is left of a body, up to a bound.
async fn discard(chunks: &mut BodyDataStream) {
    let mut left = MOST_DISCARDED;
    while let Some(Ok(chunk)) = chunks.next().await {
        left = left.saturating_sub(chunk.len());
        if left == 0 {
            return;
        }
    }
}

/// How much of a body that is too large is discarded at most, in bytes.
const MOST_DISCARDED: usize = 64 << 20;
