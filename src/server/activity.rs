//! Whether an HTTP connection is used.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;

use axum::body::Body;
use bytes::Bytes;
use http_body::Body as HttpBody;
use http_body::Frame;
use http_body::SizeHint;

use crate::server::permits::Place;

/// What happens on one connection. Who answers a request has a [`Request`].
#[derive(Clone, Debug, Default)]
pub(super) struct Activity(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// How often something has happened.
    events: AtomicU64,
    /// Whether the peer does not take what is written for it.
    is_blocked: AtomicBool,
    /// Whether the body of a request was not read to its end.
    has_unread: AtomicBool,
}

impl Activity {
    /// A request begins.
    pub(super) fn begin(&self) -> Request {
        self.happen();
        Request {
            _activity: self.clone(),
        }
    }

    /// Something that is written waits for the peer, or it has gone on.
    pub(super) fn block(&self, is_blocked: bool) {
        self.happen();
        // Relaxed: read by the connection's own task, and so in order.
        self.0.is_blocked.store(is_blocked, Ordering::Relaxed);
    }

    /// A request was answered before its body was read.
    pub(super) fn leave_unread(&self) {
        // Relaxed: as above.
        self.0.has_unread.store(true, Ordering::Relaxed);
    }

    /// Whether there may be more to read than was.
    pub(super) fn has_unread(&self) -> bool {
        // Relaxed: as above.
        self.0.has_unread.load(Ordering::Relaxed)
    }

    /// How often something has happened so far.
    pub(super) fn events(&self) -> u64 {
        // Relaxed: as above.
        self.0.events.load(Ordering::Relaxed)
    }

    /// Whether nothing is being answered or waits to be written, when `owners` of this have
    /// nothing to do with any request.
    pub(super) fn is_idle(&self, owners: usize) -> bool {
        // Relaxed: as above.
        let is_blocked = self.0.is_blocked.load(Ordering::Relaxed);
        Arc::strong_count(&self.0) <= owners && !is_blocked
    }

    /// Something happens that shows that the connection is used.
    pub(super) fn happen(&self) {
        // Relaxed: a count, read by the connection's own task.
        self.0.events.fetch_add(1, Ordering::Relaxed);
    }
}

/// One request, until its answer has been sent or dropped.
#[derive(Debug)]
pub(super) struct Request {
    _activity: Activity,
}

/// The body of an answer, which ends the request with itself.
#[derive(Debug)]
pub(super) struct Answer {
    body: Body,
    _request: Request,
    /// Of the client that the request came from.
    _place: Option<Arc<Place>>,
}

impl Answer {
    pub(super) fn new(body: Body, request: Request, place: Option<Arc<Place>>) -> Self {
        Self {
            body,
            _request: request,
            _place: place,
        }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
