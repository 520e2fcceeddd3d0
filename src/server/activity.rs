//! Whether an HTTP connection is used.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;

use axum::body::Body;
use bytes::Bytes;
use http_body::Body as HttpBody;
use http_body::Frame;
use http_body::SizeHint;

/// The requests of one connection: how many have come. Who answers one has a [`Request`].
#[derive(Clone, Debug, Default)]
pub(super) struct Activity(Arc<AtomicU64>);

impl Activity {
    /// A request begins.
    pub(super) fn begin(&self) -> Request {
        // Relaxed: a count, read by the connection's own task.
        self.0.fetch_add(1, Ordering::Relaxed);
        Request {
            _activity: self.clone(),
        }
    }

    /// How many requests have come so far.
    pub(super) fn begun(&self) -> u64 {
        // Relaxed: as above.
        self.0.load(Ordering::Relaxed)
    }

    /// Whether none is being answered, when `owners` of this have nothing to do with any.
    pub(super) fn is_idle(&self, owners: usize) -> bool {
        Arc::strong_count(&self.0) <= owners
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
}

impl Answer {
    pub(super) fn new(body: Body, request: Request) -> Self {
        Self {
            body,
            _request: request,
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
