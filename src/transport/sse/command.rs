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
use crate::hub::SubscribeOptions;
use crate::id::ChannelName;
use crate::layers::is_reserved;
use crate::protocol;
use crate::protocol::ErrorCode;
use crate::protocol::Fault;
use crate::protocol::Selection;
use crate::protocol::Since;
use crate::transport::Problem;
use crate::transport::fault::channel_named;
use crate::transport::fault::reserved;
use crate::transport::gateway::Gateway;
use crate::transport::seat;
use crate::transport::sse::SseBody;
use crate::transport::sse::connection::ConnectionId;
use crate::transport::sse::headers;
use crate::transport::sse::refusal;
use crate::transport::sse::stream::SharedStream;
use crate::transport::sse::stream::Stream;

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
    connection: &str,
    request: &Parts,
    body: Result<Vec<u8>, Problem>,
) -> Result<Response<SseBody>, Problem> {
    let stream = stream(gateway, connection, request)?;
    let body = text(request, body?)?;
    stream.heard(body.len());
    let selection = Selection::parse(&body, gateway.sse_config().max_channels)?;
    let mut errors = Vec::new();
    for channel in selection.channels {
        let done = match change {
            Change::Subscribe => {
                let since = selection.since.get(&channel).copied();
                subscribe(gateway, &stream, &channel, since, selection.auth.as_deref()).await
            }
            Change::Unsubscribe => unsubscribe(gateway, &stream, &channel),
        };
        if let Err(fault) = done {
            errors.push((channel, fault));
        }
    }
    Ok(answer(&errors))
}

/// The stream, if it is of the user who asks.
fn stream(gateway: &Gateway, connection: &str, request: &Parts) -> Result<SharedStream, Problem> {
    let options = gateway.authenticate(request)?;
    let stream = ConnectionId::parse(connection).and_then(|id| gateway.streams().get(id));
    let stream = stream.filter(|stream| stream.is_of(options.for_user()));
    stream.ok_or_else(refusal::unknown_connection)
}

fn text(request: &Parts, body: Vec<u8>) -> Result<String, Problem> {
    if !headers::is_json(&request.headers) {
        let why = "use application/json";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Problem::new(status, "unsupported_media_type", why));
    }
    String::from_utf8(body).map_err(|_| {
        let why = "the body is not UTF-8";
        refusal::bad_request("invalid_utf8", why)
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
            return Err(refusal::bad_request("incomplete_body", why));
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
    since: Option<Since>,
    auth: Option<&str>,
) -> Result<(), Fault> {
    let max = gateway.hub().limits().max_channel_name;
    let channel = channel_named(channel, max)?;
    let mut options = SubscribeOptions::new();
    let since = since.map(|Since { sequence, epoch }| StreamPosition {
        offset: sequence,
        epoch,
    });
    if let Some(position) = since {
        options = options.since(position);
    }
    if let Some(auth) = auth {
        options = options.auth(auth.to_owned());
    }
    if stream.has(&channel) && stream.client.subscriptions().contains(&channel) {
        let why = "already subscribed";
        return Err(Fault::new(ErrorCode::AlreadySubscribed, why));
    }
    let asking = Asking::begin(stream, &channel, since)?;
    seat::join(gateway.layers(), &stream.client, &channel, options).await?;
    asking.done();
    Ok(())
}

fn unsubscribe(gateway: &Gateway, stream: &Stream, channel: &str) -> Result<(), Fault> {
    if is_reserved(channel) {
        return Err(reserved());
    }
    seat::leave(gateway.layers(), &stream.client, channel)?;
    stream.left(channel);
    Ok(())
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
    let mut response = Response::new(SseBody::whole(protocol::selected(errors)));
    if !errors.is_empty() {
        *response.status_mut() = StatusCode::MULTI_STATUS;
    }
    let headers = response.headers_mut();
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, json);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
