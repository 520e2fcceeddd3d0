//! A response's body: a stream, or what is said instead.

use std::collections::VecDeque;
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

use crate::hub::Filter;
use crate::hub::StreamPosition;
use crate::hub::SubscribeOptions;
use crate::id::ChannelName;
use crate::time::Clock;
use crate::time::SystemClock;
use crate::transport::gateway::Gateway;
use crate::transport::seat;
use crate::transport::session::Subscribing;
use crate::transport::sse::event::HEARTBEAT;
use crate::transport::sse::stream::Next;
use crate::transport::sse::stream::SharedStream;
use crate::transport::sse::stream::random_part;

/// The body of a response: a stream of events, or a whole text.
///
/// It belongs to the tokio runtime in which it was made. Dropped, it disconnects its client.
#[must_use]
pub struct SseBody(Kind);

enum Kind {
    Live(Box<Live>),
    Whole(Bytes),
}

/// A stream as long as it lasts.
pub(super) struct Live {
    gateway: Gateway,
    stream: SharedStream,
    /// What is still to be joined.
    asks: VecDeque<Ask>,
    joining: Option<(ChannelName, Subscribing)>,
    timer: Pin<Box<Sleep>>,
    interval: Duration,
    /// When something was said last.
    quiet_since: Instant,
    is_over: bool,
}

/// A channel to be joined, and from where on.
pub(super) struct Ask {
    pub(super) channel: ChannelName,
    pub(super) since: Option<StreamPosition>,
    pub(super) filter: Option<Filter>,
}

impl SseBody {
    pub(super) fn live(gateway: &Gateway, stream: SharedStream, asks: VecDeque<Ask>) -> Self {
        let interval = gateway.sse_config().heartbeat;
        let interval = interval.mul_f64(0.9 + 0.2 * random_part());
        let interval = interval.max(LEAST_INTERVAL);
        let now = SystemClock::new().now();
        Self(Kind::Live(Box::new(Live {
            gateway: gateway.clone(),
            stream,
            asks,
            joining: None,
            timer: Box::pin(time::sleep(interval)),
            interval,
            quiet_since: now,
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
    type Error = Unwritten;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Unwritten>>> {
        match &mut self.0 {
            Kind::Live(live) => live.poll_frame(cx),
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
            Kind::Whole(text) => text.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Live(_) => SizeHint::default(),
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
    ) -> Poll<Option<Result<Frame<Bytes>, Unwritten>>> {
        while !self.is_over {
            self.join_some(cx);
            match self.stream.poll_next(cx) {
                Poll::Ready(Next::Chunk { bytes, is_last }) => {
                    self.quiet_since = SystemClock::new().now();
                    self.is_over = is_last;
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Poll::Ready(Next::Cut) => {
                    self.is_over = true;
                    return Poll::Ready(Some(Err(Unwritten)));
                }
                Poll::Pending if self.timer.as_mut().poll(cx).is_pending() => return Poll::Pending,
                Poll::Pending => self.beat(),
            }
        }
        Poll::Ready(None)
    }

    /// Joins channels, but not so many at once that the first would wait to be told for the last.
    fn join_some(&mut self, cx: &mut Context<'_>) {
        for _ in 0..MOST_JOINS {
            let Some((channel, joining)) = self.next_join() else {
                return;
            };
            match joining.as_mut().poll(cx) {
                Poll::Pending => return,
                Poll::Ready(Ok(())) => self.joining = None,
                Poll::Ready(Err(fault)) => {
                    let channel = channel.clone();
                    self.joining = None;
                    if self.stream.client.is_closed() {
                        // Nothing was refused: it comes back for this one, and for those behind it.
                        return self.asks.clear();
                    }
                    self.stream.refuse(&channel, &fault);
                }
            }
        }
    }

    fn next_join(&mut self) -> Option<&mut (ChannelName, Subscribing)> {
        if self.joining.is_none() {
            let Ask {
                channel,
                since,
                filter,
            } = self.asks.pop_front()?;
            let client = self.stream.client.clone();
            let name = channel.clone();
            let layers = self.gateway.layers().cloned();
            let joining: Subscribing = Box::pin(async move {
                let mut options = SubscribeOptions::new();
                if let Some(position) = since {
                    options = options.since(position);
                }
                if let Some(filter) = filter {
                    options = options.filter(filter);
                }
                seat::join(layers.as_ref(), &client, &name, options).await
            });
            self.joining = Some((channel, joining));
        }
        self.joining.as_mut()
    }

    /// The timer has gone off: says something if nothing was said meanwhile.
    fn beat(&mut self) {
        let now = SystemClock::new().now();
        if now.duration_since(self.quiet_since) >= self.interval {
            self.stream.say(|out| out.extend_from_slice(HEARTBEAT));
            self.quiet_since = now;
        }
        let next = self.quiet_since + self.interval;
        self.timer.as_mut().reset(next.into());
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.gateway.streams().remove(self.stream.id);
        self.stream.end();
    }
}

impl fmt::Debug for SseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Live(live) => f
                .debug_struct("SseBody")
                .field("client", &live.stream.client.id())
                .finish_non_exhaustive(),
            Kind::Whole(text) => f.debug_tuple("SseBody").field(text).finish(),
        }
    }
}

/// The client did not take what it was sent, and was disconnected: the response breaks off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unwritten;

impl fmt::Display for Unwritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client took nothing for too long")
    }
}

impl Error for Unwritten {}

/// How many channels are joined before what is said of them is written.
const MOST_JOINS: usize = 16;

/// No stream speaks more often than this only to be heard.
const LEAST_INTERVAL: Duration = Duration::from_millis(1);
