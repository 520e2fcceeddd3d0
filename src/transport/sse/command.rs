//! Requests that change the subscriptions of a stream.

use std::future::poll_fn;
use std::pin::pin;

use bytes::Buf;
use http_body::Body;
use hyper::Response;
use hyper::StatusCode;
use hyper::header;
use hyper::header::HeaderValue;
use hyper::http::request::Parts;

use crate::hub::StreamPosition;
use crate::id::ChannelName;
use crate::protocol;
use crate::protocol::Command;
use crate::protocol::ErrorCode;
use crate::protocol::Fault;
use crate::protocol::Request;
use crate::protocol::StreamRequest;
use crate::protocol::Whose;
use crate::session::Effort;
use crate::session::Moments;
use crate::session::Origin;
use crate::session::fault::channel_named;
use crate::session::request_cost;
use crate::session::spend;
use crate::transport::Problem;
use crate::transport::encoding;
use crate::transport::gateway::Gateway;
use crate::transport::sse::SseBody;
use crate::transport::sse::headers;
use crate::transport::sse::refusal;
use crate::transport::sse::stream::SharedStream;
use crate::transport::sse::stream::Stream;
use crate::transport::sse::token::StreamToken;

/// What is to be done with the channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Subscribe,
    Unsubscribe,
}

/// Carries a request out, once its body [has been read](read).
pub(super) async fn run(
    gateway: &Gateway,
    change: Change,
    token: &str,
    request: &Parts,
    body: Result<Vec<u8>, Problem>,
) -> Result<Response<SseBody>, Problem> {
    let stream = stream(gateway, token, request).await?;
    let mut body = body?;
    stream.heard(body.len());
    let hooks = gateway.hooks();
    if hooks.wants(Moments::RAW) {
        body = hooks
            .raw(&stream.caller(Origin::Client), body.into())?
            .into();
    }
    let body = text(request, body)?;
    spend(request_cost(body.len())).await;
    let selection = StreamRequest::parse(&body, gateway.sse_config().max_channels)?;
    let mut errors = Vec::new();
    for channel in selection.channels {
        let done = match change {
            Change::Subscribe => {
                let since = selection.since.get(&channel).copied();
                subscribe(gateway, &stream, &channel, since, selection.auth.as_deref()).await
            }
            Change::Unsubscribe => unsubscribe(gateway, &stream, &channel).await,
        };
        if let Err(fault) = done {
            errors.push((channel, fault));
        }
    }
    Ok(answer(&errors))
}

/// The stream, if it is of the user who asks.
async fn stream(gateway: &Gateway, token: &str, request: &Parts) -> Result<SharedStream, Problem> {
    let options = gateway.admitted(request).await?.options;
    let stream = StreamToken::parse(token).and_then(|token| gateway.streams().get(token));
    let stream = stream.filter(|stream| stream.is_of(options.user_id()));
    stream.ok_or_else(refusal::unknown_stream)
}

fn text(request: &Parts, body: Vec<u8>) -> Result<String, Problem> {
    encoding::check(&request.headers)?;
    if !headers::is_json(&request.headers) {
        let why = "use application/json";
        return Err(Problem::new(ErrorCode::UnsupportedMediaType, why));
    }
    String::from_utf8(body).map_err(|_| {
        let why = "the body is not UTF-8";
        Problem::new(ErrorCode::InvalidUtf8, why)
    })
}

/// Reads a body that is not larger than `max`: one that says it is, is not read at all.
pub(super) async fn read<B>(body: B, max: usize) -> Result<Vec<u8>, Problem>
where
    B: Body,
{
    if body.size_hint().lower() > max as u64 {
        return Err(refusal::too_large(max));
    }
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let Ok(frame) = frame else {
            let why = "it broke off";
            return Err(Problem::new(ErrorCode::IncompleteBody, why));
        };
        let Ok(mut data) = frame.into_data() else {
            continue;
        };
        if bytes.len() + data.remaining() > max {
            return Err(refusal::too_large(max));
        }
        while data.has_remaining() {
            let chunk = data.chunk();
            bytes.extend_from_slice(chunk);
            let length = chunk.len();
            data.advance(length);
        }
    }
    Ok(bytes)
}

async fn subscribe(
    gateway: &Gateway,
    stream: &Stream,
    channel: &str,
    since: Option<StreamPosition>,
    auth: Option<&str>,
) -> Result<(), Fault> {
    let max = gateway.hub().limits().max_channel_name;
    let channel = channel_named(channel, max)?;
    let request = Request::from(Command::Subscribe {
        channel: channel.to_string(),
        filter: None,
        since,
        auth: auth.map(str::to_owned),
        whose: Whose::Own,
    });
    if stream.has(&channel) && stream.client.is_subscribed(&channel) {
        // Refused, and the ids stay as they are.
        return execute(gateway, stream, request).await;
    }
    let asking = Asking::begin(stream, &channel, since)?;
    execute(gateway, stream, request).await?;
    asking.done();
    Ok(())
}

async fn unsubscribe(gateway: &Gateway, stream: &Stream, channel: &str) -> Result<(), Fault> {
    let request = Request::from(Command::Unsubscribe {
        channel: channel.to_owned(),
        whose: Whose::Own,
    });
    execute(gateway, stream, request).await?;
    stream.left(channel);
    Ok(())
}

async fn execute(gateway: &Gateway, stream: &Stream, request: Request) -> Result<(), Fault> {
    let caller = stream.caller(Origin::Client);
    let effort = &mut Effort::default();
    let done = gateway.entrance().settle(&caller, request, effort).await;
    spend(request_cost(0) + effort.cost).await;
    done.map(drop)
}

/// A place in the ids of a stream, given back if the channel is not joined.
struct Asking<'a> {
    stream: &'a Stream,
    channel: &'a ChannelName,
    is_done: bool,
}

impl<'a> Asking<'a> {
    fn begin(
        stream: &'a Stream,
        channel: &'a ChannelName,
        since: Option<StreamPosition>,
    ) -> Result<Self, Fault> {
        stream
            .ask(channel, since)
            .map_err(|error| Fault::new(ErrorCode::TooLarge, error.to_string()))?;
        Ok(Self {
            stream,
            channel,
            is_done: false,
        })
    }

    fn done(mut self) {
        self.is_done = true;
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            self.stream.forget(self.channel);
        }
    }
}

fn answer(errors: &[(String, Fault)]) -> Response<SseBody> {
    let mut response = Response::new(SseBody::whole(protocol::stream_response(errors)));
    if !errors.is_empty() {
        *response.status_mut() = StatusCode::MULTI_STATUS;
    }
    let headers = response.headers_mut();
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, json);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
