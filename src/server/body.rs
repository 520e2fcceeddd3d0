//! The body of a publishing request: what to publish, in three content types.

use axum::body::Body;
use axum::body::Bytes;
use axum::extract::FromRequest;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header;
use bytes::BytesMut;
use futures_util::StreamExt;

use crate::id::ClientId;
use crate::message::Message;
use crate::protocol::Arguments;
use crate::protocol::Publication;
use crate::server::routes::App;
use crate::transport::Problem;

/// What to publish, and to whom not.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) message: Message,
    pub(super) except: Option<ClientId>,
}

impl FromRequest<App> for Letter {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let kind = content_type(request.headers()).to_ascii_lowercase();
        match kind.as_str() {
            "application/json" => Self::json(&read(request, app.config.max_body).await?),
            "text/plain" => Self::text(read(request, app.config.max_body).await?),
            "application/octet-stream" => {
                let bytes = read(request, app.config.max_body).await?;
                Ok(Self {
                    message: Message::binary(bytes),
                    except: None,
                })
            }
            _ => Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "use application/json, text/plain or application/octet-stream",
            )),
        }
    }
}

impl Letter {
    fn json(body: &[u8]) -> Result<Self, Problem> {
        let text = std::str::from_utf8(body).map_err(not_utf8)?;
        let Publication { message, except } = Publication::parse(text)?;
        Ok(Self { message, except })
    }

    fn text(body: Bytes) -> Result<Self, Problem> {
        let message = Message::from_utf8(body).map_err(not_utf8)?;
        Ok(Self {
            message,
            except: None,
        })
    }
}

/// The arguments of an operation: a JSON object, or nothing.
pub(super) async fn object(request: Request, max: usize) -> Result<Arguments, Problem> {
    let kind = content_type(request.headers()).to_ascii_lowercase();
    let body = read(request, max).await?;
    if body.is_empty() {
        return Ok(Arguments::new());
    }
    if kind != "application/json" {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "use application/json",
        ));
    }
    let text = std::str::from_utf8(&body).map_err(not_utf8)?;
    Ok(Arguments::parse(text)?)
}

fn not_utf8<E>(_: E) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "invalid_utf8",
        "the body is not UTF-8",
    )
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

/// Reads a body that is not larger than `max`: one that says it is, is not read at all.
async fn read(request: Request<Body>, max: usize) -> Result<Bytes, Problem> {
    let too_large = || {
        let why = format!("the body is larger than {max} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", why)
    };
    let announced = request.headers().get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > max as u64) {
        return Err(too_large());
    }
    let mut chunks = request.into_body().into_data_stream();
    let mut body = BytesMut::new();
    while let Some(chunk) = chunks.next().await {
        let broken = |_| Problem::new(StatusCode::BAD_REQUEST, "incomplete_body", "it broke off");
        let chunk = chunk.map_err(broken)?;
        if body.len() + chunk.len() > max {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}
