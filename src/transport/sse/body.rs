//! A response's body: a stream, or what is said instead.

use std::error::Error;
use std::fmt;
use std::mem;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use http_body::Body;
use http_body::Frame;
use http_body::SizeHint;
use tokio::time;
use tokio::time::Sleep;

use crate::time::Clock;
use crate::time::SystemClock;
use crate::transport::sse::carrier::Carrier;
use crate::transport::sse::carrier::Offer;
use crate::transport::sse::event::HEARTBEAT;
use crate::transport::sse::opened::Joins;
use crate::transport::sse::opened::Opened;
use crate::transport::sse::stream::Next;

/// The body of a response: a stream of events, or a whole text.
///
/// It belongs to the tokio runtime in which it was made. Dropped, it disconnects its client.
#[must_use]
pub struct SseBody(Kind);

enum Kind {
    Live(Box<Live>),
    /// A stream that leaves its body behind.
    Offered(Offer),
    Whole(Bytes),
}

/// A stream as long as it lasts.
pub(super) struct Live {
    opened: Opened,
    timer: Pin<Box<Sleep>>,
    interval: Duration,
    /// When something was said last.
    quiet_since: Instant,
    is_over: bool,
}

impl SseBody {
    /// The body of a stream; of one that is served elsewhere, if there is a carrier.
    pub(super) fn of(opened: Opened, carrier: Option<&Carrier>) -> Self {
        if let Some(carrier) = carrier {
            return Self(Kind::Offered(carrier.offer(opened)));
        }
        let interval = opened.interval();
        Self(Kind::Live(Box::new(Live {
            opened,
            timer: Box::pin(time::sleep(interval)),
            interval,
            quiet_since: SystemClock::new().now(),
            is_over: false,
        })))
    }

    pub(super) fn whole(text: impl Into<Bytes>) -> Self {
        Self(Kind::Whole(text.into()))
    }
}

impl From<Bytes> for SseBody {
    fn from(text: Bytes) -> Self {
        Self::whole(text)
    }
}

impl Body for SseBody {
    type Data = Bytes;
    type Error = WriteTimeout;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, WriteTimeout>>> {
        match &mut self.0 {
            Kind::Live(live) => live.poll_frame(cx),
            Kind::Offered(offer) => {
                offer.asked();
                Poll::Pending
            }
            Kind::Whole(text) => {
                let text = mem::take(text);
                let frame = (!text.is_empty()).then(|| Ok(Frame::data(text)));
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Live(live) => live.is_over,
            Kind::Offered(_) => false,
            Kind::Whole(text) => text.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Live(_) | Kind::Offered(_) => SizeHint::default(),
            // To a HEAD, the stream's length is not 0: nobody knows it.
            Kind::Whole(text) if text.is_empty() => SizeHint::default(),
            Kind::Whole(text) => SizeHint::with_exact(text.len() as u64),
        }
    }
}

impl Live {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, WriteTimeout>>> {
        while !self.is_over {
            if self.opened.join_some(cx) == Joins::Left {
                // What they bring is written first, and wakes the task in vain if it is nothing.
                cx.waker().wake_by_ref();
            }
            match self.opened.stream.poll_next(cx) {
                Poll::Ready(Next::Chunk { bytes, is_last }) => {
                    self.quiet_since = SystemClock::new().now();
                    self.is_over = is_last;
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Poll::Ready(Next::Cut) => {
                    self.is_over = true;
                    return Poll::Ready(Some(Err(WriteTimeout)));
                }
                Poll::Pending if self.timer.as_mut().poll(cx).is_pending() => return Poll::Pending,
                Poll::Pending => self.beat(),
            }
        }
        Poll::Ready(None)
    }

    /// The timer has gone off: says something if nothing was said meanwhile.
    fn beat(&mut self) {
        let now = SystemClock::new().now();
        if now.duration_since(self.quiet_since) >= self.interval {
            let stream = &self.opened.stream;
            stream.say(|out| out.extend_from_slice(HEARTBEAT));
            self.quiet_since = now;
        }
        let next = self.quiet_since + self.interval;
        self.timer.as_mut().reset(next.into());
    }
}

impl fmt::Debug for SseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Live(live) => f
                .debug_struct("SseBody")
                .field("client", &live.opened.stream.client.id())
                .finish_non_exhaustive(),
            Kind::Offered(_) => f.debug_struct("SseBody").finish_non_exhaustive(),
            Kind::Whole(text) => f.debug_tuple("SseBody").field(text).finish(),
        }
    }
}

/// The client did not take what it was sent, and was disconnected: the response breaks off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriteTimeout;

impl fmt::Display for WriteTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client took nothing for too long")
    }
}

impl Error for WriteTimeout {}
