//! The body of a request, which has to come in time.

use std::error::Error;
use std::fmt;
use std::future;
use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use axum::body::Body;
use axum::body::to_bytes;
use bytes::Bytes;
use futures_util::stream;
use http_body::Body as HttpBody;
use http_body::Frame;
use http_body::SizeHint;
use hyper::body::Incoming;
use tokio::time;
use tokio::time::Sleep;

use crate::server::activity::Activity;

/// A body that fails when it is not there in time.
#[derive(Debug)]
pub(super) struct Inbound {
    body: Incoming,
    late: Pin<Box<Sleep>>,
    /// Is told if the body is not read to its end.
    activity: Activity,
    is_read: bool,
}

impl Inbound {
    /// `body`, all of which is to come within `timeout`. One that is small is waited for: a
    /// client that is answered before it has been read may lose the answer, as what it still sends
    /// then is refused by the operating system, or its stream reset.
    pub(super) async fn within(timeout: Duration, body: Incoming, activity: Activity) -> Body {
        if body.is_end_stream() {
            return Body::empty();
        }
        let is_small = body.size_hint().upper().is_some_and(|upper| upper <= SMALL);
        let inbound = Body::new(Self {
            body,
            late: Box::pin(time::sleep(timeout)),
            activity,
            is_read: false,
        });
        if !is_small {
            return inbound;
        }
        match to_bytes(inbound, usize::MAX).await {
            Ok(whole) => Body::from(whole),
            // Whoever reads it is told.
            Err(error) => Body::from_stream(stream::once(future::ready(Err::<Bytes, _>(error)))),
        }
    }
}

/// How large a body is small, in bytes.
const SMALL: u64 = 16 << 10;

impl HttpBody for Inbound {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.is_read = frame.is_none() || self.body.is_end_stream();
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        self.late.as_mut().poll(cx).map(|()| Some(Err(Late.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Inbound {
    fn drop(&mut self) {
        if !self.is_read {
            self.activity.leave_unread();
        }
    }
}

/// The body did not come in time.
#[derive(Debug)]
struct Late;

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body did not come in time")
    }
}

impl Error for Late {}
