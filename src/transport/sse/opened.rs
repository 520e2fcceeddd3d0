//! A stream from its request to its end, and the channels that it is still to join.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use crate::hub::StreamPosition;
use crate::id::ChannelName;
use crate::protocol::Command;
use crate::protocol::Request;
use crate::protocol::Whose;
use crate::session::Effort;
use crate::session::Origin;
use crate::session::Subscribing;
use crate::session::request_cost;
use crate::session::spend;
use crate::transport::gateway::Gateway;
use crate::transport::sse::stream::SharedStream;
use crate::transport::sse::stream::random_part;

/// A stream that has been opened. Dropping it disconnects its client.
pub(super) struct Opened {
    pub(super) gateway: Gateway,
    pub(super) stream: SharedStream,
    /// The channels that are still to be joined.
    asks: VecDeque<Ask>,
    joining: Option<Box<(ChannelName, Subscribing)>>,
}

/// A channel to be joined, and from where on.
pub(super) struct Ask {
    pub(super) channel: ChannelName,
    pub(super) since: Option<StreamPosition>,
    /// The JSON text of a filter, which was checked.
    pub(super) filter: Option<Arc<str>>,
    /// Whether the client had joined it before.
    pub(super) origin: Origin,
}

/// Whether there are joins that can be begun at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joins {
    /// As many as may be were carried out, and others are left.
    Left,
    /// All are carried out, or the next one waits and wakes the task.
    None,
}

impl Opened {
    pub(super) fn new(gateway: &Gateway, stream: SharedStream, asks: VecDeque<Ask>) -> Self {
        Self {
            gateway: gateway.clone(),
            stream,
            asks,
            joining: None,
        }
    }

    /// Returns how long the stream may be silent before it sends a comment.
    pub(super) fn interval(&self) -> Duration {
        let interval = self.gateway.sse_config().heartbeat;
        let interval = interval.mul_f64(0.9 + 0.2 * random_part());
        interval.max(LEAST_INTERVAL)
    }

    /// Whether a channel is still to be joined.
    pub(super) fn is_joining(&self) -> bool {
        self.joining.is_some() || !self.asks.is_empty()
    }

    /// Joins channels, but not so many at once that the first would wait to be told for the last.
    pub(super) fn join_some(&mut self, cx: &mut Context<'_>) -> Joins {
        for _ in 0..MOST_JOINS {
            let Some((channel, joining)) = self.next_join() else {
                return Joins::None;
            };
            match joining.as_mut().poll(cx) {
                Poll::Pending => return Joins::None,
                Poll::Ready(Ok(())) => self.joining = None,
                Poll::Ready(Err(fault)) => {
                    let channel = channel.clone();
                    self.joining = None;
                    if self.stream.client.is_closed() {
                        // Nothing was refused: it comes back for this one, and for those behind it.
                        self.asks = VecDeque::new();
                        return Joins::None;
                    }
                    self.stream.refuse(&channel, &fault);
                }
            }
        }
        if self.is_joining() {
            Joins::Left
        } else {
            // An idle stream keeps no memory for them.
            self.asks = VecDeque::new();
            Joins::None
        }
    }

    fn next_join(&mut self) -> Option<&mut (ChannelName, Subscribing)> {
        if self.joining.is_none() {
            let Some(ask) = self.asks.pop_front() else {
                // An idle stream keeps no memory for them.
                self.asks = VecDeque::new();
                return None;
            };
            let channel = ask.channel.clone();
            let joining = join(&self.gateway, Arc::clone(&self.stream), ask);
            self.joining = Some(Box::new((channel, joining)));
        }
        self.joining.as_deref_mut()
    }
}

/// Joins a channel for a stream, by the one entrance.
fn join(gateway: &Gateway, stream: SharedStream, ask: Ask) -> Subscribing {
    let entrance = Arc::clone(gateway.entrance());
    let request = Request::from(Command::Subscribe {
        channel: ask.channel.to_string(),
        filter: ask.filter.map(|filter| filter.to_string()),
        since: ask.since,
        auth: None,
        whose: Whose::Own,
    });
    Box::pin(async move {
        let caller = stream.caller(ask.origin);
        let effort = &mut Effort::default();
        let joined = entrance.settle(&caller, request, effort).await;
        spend(request_cost(0) + effort.cost).await;
        joined.map(drop)
    })
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.gateway.streams().remove(self.stream.id);
        self.stream.end();
    }
}

/// How many channels are joined before what is said of them is written.
const MOST_JOINS: usize = 16;

/// No stream speaks more often than this only to be heard.
const LEAST_INTERVAL: Duration = Duration::from_millis(1);
