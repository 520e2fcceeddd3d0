//! Publishers that can wait let the flushers keep up.
//!
//! A connection that has published waits before its next command, if a flusher that its last
//! publish reached is half a default outbox behind: until that flusher has made a full pass, or
//! has done nothing for 250 ms. So clients that read as fast as they can lose nothing to the
//! server's own scheduling. The wait is outside of every lock, and other connections go on.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use tokio::time;
use tokio::time::Sleep;

use crate::hub::Channel;
use crate::hub::Reached;
use crate::hub::Turns;
use crate::hub::Wait;
use crate::time::Clock;
use crate::time::SystemClock;

/// A publisher that waits before its next publish.
#[derive(Default)]
pub(crate) struct Pace {
    /// Flushers that it reached since it last waited.
    reached: Reached,
    /// The channel of a publish that another publisher has taken over.
    deferred: Option<Channel>,
    waiting: Option<Box<Waiting>>,
}

struct Waiting {
    /// A channel whose queued publishes are not yet counted at the flushers that they reach, and
    /// the turns to ask when they are.
    deferred: Option<(Channel, Arc<Turns>)>,
    wait: Option<Wait>,
    timer: Pin<Box<Sleep>>,
}

/// How long a publisher waits for flushers that do nothing. A pass over many clients takes longer,
/// and on a machine with ten times the work that it can do, so does the turn of a thread.
const PATIENCE: Duration = Duration::from_millis(250);

impl Pace {
    /// Notes which flushers a publish reached.
    pub(crate) fn note(&mut self, reached: Reached) {
        self.reached = self.reached.and(reached);
    }

    /// Records that another publisher has taken over a publish to `channel`. Until that publisher
    /// has carried it out, it is counted at no flusher.
    pub(crate) fn note_deferred(&mut self, channel: Channel) {
        self.deferred = Some(channel);
    }

    /// Whether a wait has begun and is not over.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Whether the next publish has to wait: then a wait has begun, and has to be
    /// [polled](Self::poll).
    pub(crate) fn must_wait(&mut self, turns: &Arc<Turns>) -> bool {
        if self.is_waiting() {
            return true;
        }
        let deferred = self.deferred.take();
        if deferred.is_none() && self.reached == Reached::NOBODY {
            return false;
        }
        let reached = mem::take(&mut self.reached);
        let deferred = deferred.filter(Channel::has_queued);
        let wait = match deferred {
            None => turns.wait_for(reached),
            // What it reaches is known when it is carried out.
            Some(_) => None,
        };
        if deferred.is_some() || wait.is_some() {
            self.waiting = Some(Box::new(Waiting {
                deferred: deferred.map(|channel| (channel, Arc::clone(turns))),
                wait,
                timer: Box::pin(time::sleep(PATIENCE)),
            }));
        }
        self.is_waiting()
    }

    /// Ready when no wait is left.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(waiting) = &mut self.waiting else {
            return Poll::Ready(());
        };
        if waiting.poll_deferred(cx).is_pending() {
            return Poll::Pending;
        }
        if let Some(wait) = &mut waiting.wait
            && wait.poll(cx).is_pending()
        {
            while waiting.timer.as_mut().poll(cx).is_ready() && wait.has_moved() {
                let patience = SystemClock::new().now() + PATIENCE;
                waiting.timer.as_mut().reset(patience.into());
            }
            if !waiting.timer.is_elapsed() {
                return Poll::Pending;
            }
            if let Some(wait) = waiting.wait.take() {
                wait.give_up();
            }
        }
        self.waiting = None;
        Poll::Ready(())
    }
}

impl Waiting {
    /// Yields to other tasks until the publisher that owns the channel has carried out what is
    /// queued there, which takes it no longer than its fan-outs; then begins the wait for the
    /// flushers.
    fn poll_deferred(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some((channel, turns)) = &self.deferred else {
            return Poll::Ready(());
        };
        if channel.has_queued() && self.timer.as_mut().poll(cx).is_pending() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.wait = turns.wait_for(Reached::ANY);
        self.deferred = None;
        let patience = SystemClock::new().now() + PATIENCE;
        self.timer.as_mut().reset(patience.into());
        Poll::Ready(())
    }
}
