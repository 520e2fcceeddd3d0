//! Server-sent events: a stream of JSON over plain HTTP, which every browser reads by itself.
//!
//! [`Gateway::sse`] makes the response to a `GET`: a body that hyper, or whatever serves
//! [`http_body`] bodies, writes as it goes. A stream is one way; what a client asks of it later, it
//! asks with requests of its own, [`Gateway::sse_subscribe`] and [`Gateway::sse_unsubscribe`]. What
//! is said is listed in [`docs::protocol`](crate::docs::protocol).
//!
//! ```
//! use std::convert::Infallible;
//!
//! use hyper::body::Incoming;
//! use hyper::{Request, Response};
//! use throng::Gateway;
//! use throng::transport::sse::SseBody;
//!
//! // What `hyper::service::service_fn` takes.
//! async fn events(
//!     gateway: Gateway,
//!     request: Request<Incoming>,
//! ) -> Result<Response<SseBody>, Infallible> {
//!     let (request, _) = request.into_parts();
//!     Ok(gateway.sse(&request).await)
//! }
//! # let _ = events;
//! ```
//!
//! # Order
//!
//! The events of a channel come in the order of its publications. `joined` comes before
//! everything that the subscription brings. Between channels, and for what overtakes, the promises
//! are those of the [`Outbox`](crate::Outbox).
//!
//! # Loss, and going on
//!
//! Every event that has a position carries an `id`: the positions of all channels of the stream
//! once this event has been received. A client that comes back with the last one it has seen, in
//! `Last-Event-ID` as browsers do or in the query, is in the same channels again, also in those it
//! joined later, and of each either gets everything after its position, or is told in a `gap` what
//! it has missed. An id is never ahead of what was received or told: who breaks off between a
//! `joined` and its `gap` is told again.
//!
//! # Closing
//!
//! When the client is disconnected, what was accepted before is said first, then `disconnect` with
//! the reason and when to come back, and the body ends. A browser comes back whatever the reason;
//! to one that is to stay away, a `retry` of a day is said. When the body is dropped, the client
//! is disconnected and nothing is left behind.
//!
//! # On the bare socket
//!
//! This crate's server serves streams over HTTP/1.1 without the HTTP library: it takes the socket
//! once the head of the response is written, and the flushers that write WebSockets write the
//! events as chunks, made once and shared by all streams with the same channel. What the socket
//! does not take has not left the outbox, but for one event that was begun; of a stream with
//! several channels at most 16 KiB, and one event. After the last chunk the connection goes on
//! with the next request. Until then at most 16 KiB of requests are read ahead.
//!
//! # A client that does not read
//!
//! The body is asked for more only while the connection takes it. What comes meanwhile waits in
//! the outbox, under the client's policy. Once the client has taken nothing for
//! [`SseConfig::write_timeout`] while something waits, it is disconnected with
//! [`Disconnect::WRITE_TIMEOUT`](crate::Disconnect::WRITE_TIMEOUT), and all that the hub held for
//! it is given back at once. The connection itself belongs to whoever serves the body: throng's
//! own server ends it as well; under other servers it lasts until the client goes or begins to
//! read again, and then breaks off.
//!
//! # Memory
//!
//! A stream that is idle takes about 1 KiB, and its outbox; on the bare socket nothing else. In a
//! body, at most one chunk of 16 KiB, and the one event that did not fit it, is on its way at a
//! time, and what the HTTP library buffers: for HTTP/1.1 in hyper up to its `max_buf_size`, and one
//! chunk more. An event that is alone, or of 8 KiB and more, is not copied: all streams share it.
//!
//! # Progress
//!
//! All that waits is gathered and handed over together; nothing is waited for that is not there.
//! While a join waits for the authorizer, those behind it wait too; events do not.

mod alarm;
mod body;
#[cfg_attr(
    not(feature = "server"),
    expect(dead_code, reason = "only the server gives connections up")
)]
mod carrier;
mod chunks;
mod command;
mod config;
mod cursor;
mod event;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod headers;
mod open;
mod opened;
mod percent;
mod query;
mod refusal;
mod stream;
mod streams;
mod token;
#[cfg_attr(
    not(feature = "server"),
    expect(dead_code, reason = "only the server gives connections up")
)]
mod wire;

use http_body::Body;
use hyper::Method;
use hyper::Request;
use hyper::Response;
use hyper::StatusCode;
use hyper::http::request::Parts;

use crate::transport::Problem;
use crate::transport::cors;
use crate::transport::gateway::Gateway;

use self::command::Change;

#[cfg(feature = "server")]
pub(crate) use self::carrier::Carrier;
#[cfg(feature = "server")]
pub(crate) use self::carrier::Handover;
pub(crate) use self::streams::Streams;
#[cfg(feature = "server")]
pub(crate) use self::wire::Terms;

pub use self::body::SseBody;
pub use self::body::WriteTimeout;
pub use self::config::SseConfig;

/// Server-sent events.
impl Gateway {
    /// The response to a `GET` that asks for a stream: the stream, or problem details that say why
    /// not. Channels and the position to go on from are in the query, see
    /// [`docs::protocol`](crate::docs::protocol). A `HEAD` gets what the `GET` would, without a
    /// stream, and an `OPTIONS` what a browser wants to know before it lets the page of another
    /// origin ask.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime whose time driver is enabled.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, no client is connected.
    pub async fn sse(&self, request: &Parts) -> Response<SseBody> {
        self.answer(request, open::open(self, request)).await
    }

    /// The response to a `POST` that subscribes the stream with this `token` to channels.
    ///
    /// The body is a JSON object with `channels`, and perhaps `since` and `auth`. It may come from
    /// the user of the stream only; to everybody else the stream is not there.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the channels up to the one under way have been joined, and the others not.
    pub async fn sse_subscribe<B>(&self, token: &str, request: Request<B>) -> Response<SseBody>
    where
        B: Body,
    {
        self.change(Change::Subscribe, token, request).await
    }

    /// The response to a `POST` that takes the stream with this `token` off channels; as
    /// [`Gateway::sse_subscribe`].
    ///
    /// Events that were on their way may still come.
    ///
    /// # Cancel safety
    ///
    /// As [`Gateway::sse_subscribe`].
    pub async fn sse_unsubscribe<B>(&self, token: &str, request: Request<B>) -> Response<SseBody>
    where
        B: Body,
    {
        self.change(Change::Unsubscribe, token, request).await
    }

    async fn change<B>(&self, change: Change, token: &str, request: Request<B>) -> Response<SseBody>
    where
        B: Body,
    {
        let (parts, body) = request.into_parts();
        // Whatever comes of it: a client that is still sending may never see an answer.
        let body = command::read(body, self.sse_config().max_body).await;
        let done = async {
            if parts.method != Method::POST {
                return Err(refusal::method("POST"));
            }
            command::run(self, change, token, &parts, body).await
        };
        self.answer(&parts, done).await
    }

    /// Checks whose page asks, answers what a browser asks before, and lets the page read the rest.
    async fn answer(
        &self,
        request: &Parts,
        respond: impl Future<Output = Result<Response<SseBody>, Problem>>,
    ) -> Response<SseBody> {
        if !self.origins().allow(&request.uri, &request.headers) {
            return refusal::forbidden().into_response();
        }
        let mut response = if request.method == Method::OPTIONS {
            let mut response = Response::new(SseBody::whole(""));
            *response.status_mut() = StatusCode::NO_CONTENT;
            cors::let_ask("GET, POST", &request.headers, response.headers_mut());
            response
        } else {
            respond.await.unwrap_or_else(Problem::into_response)
        };
        let read = response.headers_mut();
        cors::let_read(self.origins(), &request.uri, &request.headers, read);
        response
    }
}

#[cfg(test)]
mod tests;
