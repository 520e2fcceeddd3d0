//! What waits for one client, and the one who receives it.
//!
//! Any number of publishers push; one receiver, the [`Outbox`], takes. The queue between them, and
//! the policies, are in [`queue`](super::queue).

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;

use futures_core::Stream;
use futures_core::stream::FusedStream;

use crate::disconnect::Disconnect;
use crate::hub::Shared;
use crate::hub::backlog::weight;
use crate::hub::batch::Batch;
use crate::hub::client::Client;
use crate::hub::client::ClientCore;
use crate::hub::error::Closed;
use crate::hub::error::TryRecvError;
use crate::hub::frame::Body;
use crate::hub::frame::Frame;
use crate::hub::frame::Gap;
use crate::hub::frame::StreamPosition;
use crate::hub::frame::What;
use crate::hub::queue::Side;
use crate::raw::ring::Consume;
use crate::raw::ring::Park;
use crate::raw::ring::Receiver;
use crate::raw::ring::Seen;
use crate::sync::block_on;
use crate::sync::hint;
use crate::sync::thread;

/// The receiving end of a client: there is one, and dropping it disconnects the client.
///
/// # Slow consumers
///
/// An outbox holds at most its [`OutboxLimits`](crate::OutboxLimits), in messages and in bytes.
/// What becomes of a message that would exceed them is the [`SlowConsumer`] policy's to say, and
/// nothing else happens: the publisher does not wait, and other clients notice nothing.
///
/// # Order
///
/// Messages of a channel arrive in the order of their offsets, those from its history first.
/// Messages of different channels arrive in the order in which they were put in. Control messages
/// (joined, left, gaps) have a small lane of their own, which data can't fill, and arrive before
/// the data that waits.
///
/// # Closing
///
/// When the client has been closed, what was accepted before still arrives, and then an error
/// that says why. Dropping the outbox closes the client and leaves nothing behind.
///
/// # Memory
///
/// Nothing is allocated for the queue until more than eight messages wait; then, once, 8 bytes for
/// each message of the limit, rounded up to a power of two. Besides, what waits keeps payloads
/// alive that nobody else holds any more.
///
/// # Progress
///
/// Receiving takes no lock, but for a client that is still given what it has missed: whenever its
/// outbox is empty, it asks its channels for more. One that receives no faster than its other
/// channels publish never finds it empty, and is given no more of what it has missed. Under a policy that evicts, a publisher may be
/// making room at that very moment: `try_recv` and `try_recv_batch` then spin until it is done,
/// and `recv` and its kin yield to their executor. Dropping the outbox waits for publishers that
/// are in the middle of a push.
///
/// [`SlowConsumer`]: crate::SlowConsumer
pub struct Outbox {
    core: Arc<ClientCore>,
    hub: Arc<Shared>,
    receiver: Receiver,
    control: Option<Receiver>,
    /// The control lane may hold something.
    called: bool,
    ended: bool,
}

/// What one look into the queue gave.
enum Taken {
    /// So many frames.
    Frames(usize),
    /// Nothing; this is what was seen.
    Nothing(Seen),
    /// Nothing, and nothing will come.
    Ended,
    /// A publisher is making room at this moment.
    Busy,
}

impl Outbox {
    pub(super) fn new(core: Arc<ClientCore>, hub: Arc<Shared>, receiver: Receiver) -> Self {
        Self {
            core,
            hub,
            receiver,
            control: None,
            called: false,
            ended: false,
        }
    }

    /// The client this is the outbox of.
    #[must_use]
    pub fn client(&self) -> Client {
        self.hub.handle(&self.core)
    }

    /// Receives the next frame, waiting for it.
    ///
    /// # Errors
    ///
    /// [`Closed`] says why the client was closed, after everything accepted before has been
    /// received.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no frame is lost when the future is dropped.
    pub async fn recv(&mut self) -> Result<Frame, Closed> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// Receives what is there, at most `max` frames, waiting only for the first. They are
    /// appended to `batch`; the number of them is returned. A `max` of 0 counts as 1.
    ///
    /// # Errors
    ///
    /// As [`Outbox::recv`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no frame is lost when the future is dropped.
    pub async fn recv_batch(&mut self, batch: &mut Batch, max: usize) -> Result<usize, Closed> {
        poll_fn(|cx| self.poll_recv_batch(cx, batch, max)).await
    }

    /// [`Outbox::recv`] for code that is not async; parks the thread while it waits.
    ///
    /// # Errors
    ///
    /// As [`Outbox::recv`].
    pub fn recv_blocking(&mut self) -> Result<Frame, Closed> {
        block_on(self.recv())
    }

    /// Receives the next frame if one is there.
    ///
    /// # Errors
    ///
    /// [`TryRecvError::Empty`] if nothing is there, [`TryRecvError::Closed`] as [`Outbox::recv`].
    #[inline]
    pub fn try_recv(&mut self) -> Result<Frame, TryRecvError> {
        let mut frame = None;
        self.try_take(&mut frame, 1)?;
        frame.ok_or(TryRecvError::Empty)
    }

    /// Receives what is there, at most `max` frames, appending them to `batch`; the number of
    /// them is returned, and is at least 1. A `max` of 0 counts as 1.
    ///
    /// # Errors
    ///
    /// As [`Outbox::try_recv`].
    #[inline]
    pub fn try_recv_batch(&mut self, batch: &mut Batch, max: usize) -> Result<usize, TryRecvError> {
        self.try_take(batch, max)
    }

    /// [`Outbox::recv`] as a poll. Only the last task to have polled is woken.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, Closed>> {
        let mut frame = None;
        match self.poll_take(cx, &mut frame, 1) {
            Poll::Ready(Ok(_)) => match frame {
                Some(frame) => Poll::Ready(Ok(frame)),
                None => unreachable!("one frame was taken"),
            },
            Poll::Ready(Err(closed)) => Poll::Ready(Err(closed)),
            Poll::Pending => Poll::Pending,
        }
    }

    /// [`Outbox::recv_batch`] as a poll. Only the last task to have polled is woken.
    pub fn poll_recv_batch(
        &mut self,
        cx: &mut Context<'_>,
        batch: &mut Batch,
        max: usize,
    ) -> Poll<Result<usize, Closed>> {
        self.poll_take(cx, batch, max)
    }

    /// Why the client was closed, if it was; frames accepted before may still be there.
    #[must_use]
    pub fn close_reason(&self) -> Option<&Disconnect> {
        self.core.queue.why()
    }

    /// Asks the processor to fetch what receiving is going to touch, and does not wait for it.
    ///
    /// A hint for a thread that drains many outboxes in turn: called a few outboxes ahead, it
    /// hides the time that each would otherwise wait for memory.
    #[inline]
    pub fn prefetch(&self) {
        self.core.queue.ring.prefetch();
    }

    /// How many messages wait, not counting control messages.
    #[must_use]
    pub fn len(&self) -> usize {
        self.core.queue.held().messages
    }

    /// Whether no messages wait.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    fn try_take(&mut self, into: &mut impl Sink, max: usize) -> Result<usize, TryRecvError> {
        match self.take_plainly(into, max) {
            0 => self.try_take_anything(into, max),
            frames => Ok(frames),
        }
    }

    /// Takes what is there if that needs no more than taking; the shortest way, for the most
    /// common case.
    #[inline(always)]
    fn take_plainly(&mut self, into: &mut impl Sink, max: usize) -> usize {
        if self.called {
            return 0;
        }
        let ring = &self.core.queue.ring;
        let put = |item| into.put(Frame(item));
        ring.take_plainly(&mut self.receiver, max.max(1), Option::is_none, put)
    }

    #[inline(never)]
    fn try_take_anything(
        &mut self,
        into: &mut impl Sink,
        max: usize,
    ) -> Result<usize, TryRecvError> {
        loop {
            match self.take(into, max) {
                Taken::Frames(frames) => return Ok(frames),
                Taken::Nothing(_) if self.core.ask_for_more() => {}
                Taken::Nothing(_) => return Err(TryRecvError::Empty),
                Taken::Ended => return Err(TryRecvError::Closed(self.closed())),
                Taken::Busy => pause(),
            }
        }
    }

    fn poll_take(
        &mut self,
        cx: &Context<'_>,
        into: &mut impl Sink,
        max: usize,
    ) -> Poll<Result<usize, Closed>> {
        loop {
            let plain = self.take_plainly(into, max);
            if plain > 0 {
                return Poll::Ready(Ok(plain));
            }
            let seen = match self.take(into, max) {
                Taken::Frames(frames) => return Poll::Ready(Ok(frames)),
                Taken::Ended => return Poll::Ready(Err(self.closed())),
                Taken::Nothing(_) if self.core.ask_for_more() => continue,
                Taken::Nothing(seen) => seen,
                Taken::Busy => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            };
            match self
                .core
                .queue
                .ring
                .park(&mut self.receiver, seen, cx.waker())
            {
                Park::Look => {}
                Park::Parked | Park::Soon => return Poll::Pending,
            }
        }
    }

    /// Takes at most `max` frames, control first.
    fn take(&mut self, into: &mut impl Sink, max: usize) -> Taken {
        let max = max.max(1);
        let Some(mut turn) = self.core.queue.ring.consume(&mut self.receiver) else {
            return Taken::Busy;
        };
        if self.called || turn.is_called() {
            drop(turn);
            return self.take_control(into, max);
        }
        let mut notices = 0;
        let mut messages = 0;
        if turn.state(|side| side.is_some()) {
            notices = take_losses(&mut turn, into, max);
            messages = take_kept(&mut turn, into, max - notices);
        }
        while notices + messages < max
            && let Some(item) = turn.pop()
        {
            into.put(Frame(item));
            messages += 1;
        }
        turn.forget_overflow();
        if notices + messages > 0 {
            return Taken::Frames(notices + messages);
        }
        if turn.is_closed() && turn.is_drained() {
            return Taken::Ended;
        }
        Taken::Nothing(turn.finish())
    }

    /// Takes what is in the control lane, or looks for data if nothing is.
    #[cold]
    fn take_control(&mut self, into: &mut impl Sink, max: usize) -> Taken {
        if !self.called {
            self.core.queue.ring.answer();
            self.called = true;
        }
        let mut frames = 0;
        while frames < max {
            let Some(frame) = self.next_control() else {
                self.called = false;
                break;
            };
            if let Some(frame) = settle(frame) {
                into.put(frame);
                frames += 1;
            }
        }
        if frames > 0 {
            Taken::Frames(frames)
        } else {
            self.take(into, max)
        }
    }

    fn next_control(&mut self) -> Option<Frame> {
        let lane = self.core.queue.control_lane()?;
        if self.control.is_none() {
            self.control = lane.receiver();
        }
        let mut turn = lane.consume(self.control.as_mut()?)?;
        turn.pop().map(Frame)
    }

    /// Drops what waits in the closed ring; a publisher in the middle of a push is waited for, as
    /// nobody else comes to take what it puts in.
    fn discard(&mut self) {
        let mut rest = Batch::new();
        loop {
            match self.try_take(&mut rest, usize::MAX) {
                Ok(_) => rest.clear(),
                Err(TryRecvError::Empty) => pause(),
                Err(TryRecvError::Closed(_)) => return,
            }
        }
    }

    /// Drops what waits in the closed control lane, as [`Outbox::discard`] does.
    fn discard_control(&mut self) {
        let Some(lane) = self.core.queue.control_lane() else {
            return;
        };
        if self.control.is_none() {
            self.control = lane.receiver();
        }
        let Some(receiver) = &mut self.control else {
            return;
        };
        while let Some(mut turn) = lane.consume(receiver) {
            while turn.pop().is_some() {}
            if turn.is_drained() {
                return;
            }
            drop(turn);
            pause();
        }
    }

    fn closed(&mut self) -> Closed {
        self.ended = true;
        Closed(self.close_reason().cloned().unwrap_or(Disconnect::CLOSED))
    }
}

/// Takes the notices of what an evicting policy has thrown away.
#[cold]
fn take_losses(turn: &mut Consume<'_, Body, Side>, into: &mut impl Sink, max: usize) -> usize {
    let mut notices = 0;
    while notices < max {
        let loss = turn.state(|side| side.as_mut().and_then(|side| side.take_loss()));
        let Some(gap) = loss else { break };
        into.put(notice(gap));
        notices += 1;
    }
    notices
}

/// Takes what an evicting policy has put beside the ring.
#[cold]
fn take_kept(turn: &mut Consume<'_, Body, Side>, into: &mut impl Sink, max: usize) -> usize {
    let mut messages = 0;
    while messages < max {
        let kept = turn.state(|side| side.as_mut().and_then(|side| side.next()));
        let Some(frame) = kept else { break };
        turn.settle(weight(&frame));
        into.put(frame);
        messages += 1;
    }
    messages
}

/// Lets a publisher that is in the middle of something go on.
fn pause() {
    hint::spin_loop();
    thread::yield_now();
}

/// Closes a gap that was still open while its notice was on the way.
fn settle(frame: Frame) -> Option<Frame> {
    match &frame.0.what {
        What::GapIn(gap) => gap.take().map(notice),
        _ => Some(frame),
    }
}

fn notice(gap: Gap) -> Frame {
    let channel = gap.channel.clone();
    Frame::new(What::Gap(gap), Some(&channel), StreamPosition::default())
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.core.close_quietly(Disconnect::GONE);
        self.hub.forget(self.core.id);
        self.core.queue.close_control();
        self.discard_control();
        self.discard();
        self.hub.sweep();
        // Last, for a callback that panics must find nothing left behind.
        self.core.common.serve();
    }
}

impl Stream for Outbox {
    type Item = Frame;

    /// The stream ends when the client is closed; [`Outbox::close_reason`] says why.
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Frame>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.poll_recv(cx).map(Result::ok)
    }
}

impl FusedStream for Outbox {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("client", &self.core.id)
            .field("waiting", &self.len())
            .field("closed", &self.close_reason())
            .finish_non_exhaustive()
    }
}

/// Where taken frames go.
trait Sink {
    fn put(&mut self, frame: Frame);
}

impl Sink for Option<Frame> {
    #[inline(always)]
    fn put(&mut self, frame: Frame) {
        *self = Some(frame);
    }
}

impl Sink for Batch {
    #[inline(always)]
    fn put(&mut self, frame: Frame) {
        self.push(frame);
    }
}
