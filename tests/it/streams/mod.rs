//! Server-sent events without a socket: what a body gives when it is asked.
//!
//! - Whatever is published, a client that reads the stream by the standard gets the same JSON as
//!   over WebSocket, and nothing can end an event or begin one.
//! - An id names all channels of its stream, and a client that comes back with it goes on, or is
//!   told what it missed.
//! - What waits is handed over at once; what stands alone is shared.
//! - A slow client is treated as its policy says.
//! - A dropped body leaves nothing behind.

mod access;
mod contents;
mod joining;
mod resuming;
mod writing;

use std::pin::Pin;
use std::pin::pin;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use bytes::Bytes;
use futures_util::FutureExt;
use http_body::Body;
use hyper::Method;
use hyper::Request;
use hyper::Response;
use hyper::StatusCode;
use hyper::header;
use hyper::http::request::Parts;
use serde_json::Value;
use throng::Gateway;
use throng::Hub;
use throng::transport::sse::SseBody;
use throng::transport::sse::SseConfig;
use tokio::runtime;
use tokio::runtime::Runtime;

use crate::event_stream::Event;
use crate::event_stream::EventStream;

/// A runtime whose clock nobody drives.
fn runtime() -> Runtime {
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn request(method: Method, path: &str, headers: &[(&str, &str)]) -> Request<SseBody> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Bytes::new().into()).unwrap()
}

/// The response to a request about which nothing has to be waited for.
fn opened(gateway: &Gateway, request: &Parts) -> Response<SseBody> {
    gateway.sse(request).now_or_never().unwrap()
}

fn ask(gateway: &Gateway, path: &str, headers: &[(&str, &str)]) -> Response<SseBody> {
    let (parts, _) = request(Method::GET, path, headers).into_parts();
    opened(gateway, &parts)
}

/// A stream, and the client that reads it.
struct Reader {
    body: Pin<Box<SseBody>>,
    source: EventStream,
    chunks: Vec<Bytes>,
    connection: String,
}

impl Reader {
    /// Opens a stream and reads what it says at once.
    fn open(gateway: &Gateway, path: &str, headers: &[(&str, &str)]) -> (Self, Vec<Event>) {
        let response = ask(gateway, path, headers);
        assert_eq!(response.status(), StatusCode::OK);
        let mut reader = Self {
            body: Box::pin(response.into_body()),
            source: EventStream::default(),
            chunks: Vec::new(),
            connection: String::new(),
        };
        let mut events = reader.read();
        let connected = json_of(&events.remove(0));
        assert_eq!(connected["type"], "connected");
        let connection = &connected["data"]["stream_token"];
        reader.connection = connection.as_str().unwrap().to_owned();
        (reader, events)
    }

    /// The events that are there now.
    fn read(&mut self) -> Vec<Event> {
        self.chunks.clear();
        let mut events = Vec::new();
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(frame)) = self.body.as_mut().poll_frame(&mut context) {
            let chunk = frame.unwrap().into_data().unwrap();
            events.extend(self.source.feed(&chunk));
            self.chunks.push(chunk);
        }
        events
    }

    fn id(&self) -> &str {
        &self.source.last_event_id
    }

    fn change(&self, gateway: &Gateway, what: &str, body: &Value) -> (StatusCode, Value) {
        change(gateway, &self.connection, what, &body.to_string(), &[])
    }
}

/// Posts to a stream, and waits for the answer.
fn change(
    gateway: &Gateway,
    connection: &str,
    what: &str,
    body: &str,
    headers: &[(&str, &str)],
) -> (StatusCode, Value) {
    let mut request = request(Method::POST, "/", headers);
    *request.body_mut() = Bytes::from(body.to_owned()).into();
    if !request.headers().contains_key(header::CONTENT_TYPE) {
        let json = "application/json".parse().unwrap();
        request.headers_mut().insert(header::CONTENT_TYPE, json);
    }
    let mut context = Context::from_waker(Waker::noop());
    let subscribes = what == "subscribe";
    let polled = if subscribes {
        pin!(gateway.sse_subscribe(connection, request)).poll(&mut context)
    } else {
        pin!(gateway.sse_unsubscribe(connection, request)).poll(&mut context)
    };
    let Poll::Ready(response) = polled else {
        panic!("nothing is waited for");
    };
    let status = response.status();
    (status, whole(response))
}

/// The JSON of a response that is no stream.
fn whole(response: Response<SseBody>) -> Value {
    let mut body = pin!(response.into_body());
    let mut context = Context::from_waker(Waker::noop());
    match body.as_mut().poll_frame(&mut context) {
        Poll::Ready(Some(Ok(frame))) => {
            serde_json::from_slice(&frame.into_data().unwrap()).unwrap()
        }
        other => panic!("no text: {other:?}"),
    }
}

fn json_of(event: &Event) -> Value {
    serde_json::from_str(&event.data).unwrap()
}

fn names(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.name.as_str()).collect()
}

fn texts(events: &[Event]) -> Vec<String> {
    let json = events.iter().map(json_of);
    json.filter_map(|json| Some(json.get("text")?.as_str()?.to_owned()))
        .collect()
}

fn gateway_of(hub: Hub, config: SseConfig) -> Gateway {
    Gateway::builder(hub).sse(config).build()
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}
