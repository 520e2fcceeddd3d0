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
use std::task::Waker;

use futures_core::Stream;
use futures_core::stream::FusedStream;

use crate::disconnect::Disconnect;
use crate::hub::Shared;
use crate::hub::backlog::Loss;
use crate::hub::batch::Batch;
use crate::hub::client::Client;
use crate::hub::client::ClientCore;
use crate::hub::error::Closed;
use crate::hub::error::TryRecvError;
use crate::hub::expiry::Fresh;
use crate::hub::expiry::Late;
use crate::hub::frame::Frame;
use crate::hub::frame::What;
use crate::hub::handle::Handle;
use crate::hub::taking::Sink;
use crate::hub::taking::Taken;
use crate::hub::taking::notice;
use crate::hub::taking::remove_queued;
use crate::hub::taking::take_data;
#[cfg(feature = "ws")]
use crate::raw::bell::Row;
use crate::raw::ring::Park;
use crate::raw::ring::Plain;
use crate::raw::ring::Receiver;
use crate::raw::ring::Tap;
use crate::sync::block_on;
use crate::sync::hint;
use crate::sync::thread;

/// The receiving end of a client: there is one, and dropping it disconnects the client.
///
/// A client that asked for [gap notices](crate::ConnectOptions::gap_notices) is told in band which
/// publications it lacks:
///
/// ```
/// use throng::{ConnectOptions, Event, GapNotices, Hub, OutboxLimits};
///
/// let hub = Hub::new();
/// let options = ConnectOptions::new()
///     .outbox(OutboxLimits::new().messages(2))
///     .gap_notices(GapNotices::ON);
/// let (client, mut outbox) = hub.connect(options)?;
/// client.subscribe_blocking("ticks")?;
/// let ticks = hub.channel("ticks")?;
/// for number in 1..=5 {
///     // Two fit; the default policy drops the newest.
///     let _delivery = ticks.publish(number.to_string())?;
/// }
///
/// let mut received = Vec::new();
/// while let Ok(frame) = outbox.try_recv() {
///     received.push(match frame.event() {
///         Event::Message(message) => String::from_utf8_lossy(message.payload()).into_owned(),
///         Event::Gap(gap) => format!("{} to {} are missing", gap.first, gap.last),
///         _ => continue,
///     });
/// }
/// // Notices come before the data that waits.
/// assert_eq!(received, ["3 to 5 are missing", "1", "2"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
/// After a leave nothing of that membership arrives any more, so whoever joins again is given each
/// publication once. Messages of different channels arrive in the order in which they were put in.
/// Control messages (joined, left, gaps) have a small lane of their own, which data can't fill, and
/// arrive before the data that waits.
///
/// # Closing
///
/// When the client has been closed, what was accepted before still arrives, and then an error
/// that says why. Dropping the outbox closes the client and leaves nothing behind. When the last
/// handle of the hub is dropped (`Hub`, `Channel`, `Client`; see [`Hub`](crate::Hub)), the outbox
/// ends with [`Disconnect::CLOSED`].
///
/// # Memory
///
/// Nothing is allocated for the queue until more than four messages wait; then, once, 8 bytes for
/// each message of the limit, rounded up to a power of two. Besides, what waits keeps payloads
/// alive that nobody else holds any more.
///
/// # Progress
///
/// Receiving takes no lock, but for a client that is still given what it has missed, or for which
/// something was handed over: whenever its outbox is empty, it asks its channels for more. One that
/// receives no faster than its other channels publish never finds it empty, and is given no more of
/// what it has missed. Under a policy that evicts, a publisher may be making room at that very
/// moment: `try_recv` and `try_recv_batch` then spin until it is done, and `recv` and its kin yield
/// to their executor. Dropping the outbox waits for publishers that are in the middle of a push.
///
/// [`SlowConsumer`]: crate::SlowConsumer
pub struct Outbox {
    core: Tap<ClientCore>,
    hub: Arc<Shared>,
    receiver: Receiver,
    control: Option<Receiver>,
    /// The control lane may hold something.
    called: bool,
    /// A loss that the client is told of once it is known what is queued.
    loss: Option<Box<Loss>>,
    /// What has expired, and the client is still to be told of.
    late: Late,
    /// A channel may have to give the client what it has missed.
    behind: bool,
    ended: bool,
}

impl Outbox {
    pub(super) fn new(core: Arc<ClientCore>, hub: Arc<Shared>, receiver: Receiver) -> Self {
        Self {
            core: Tap::new(core),
            hub,
            receiver,
            control: None,
            called: false,
            loss: None,
            late: Late::default(),
            behind: false,
            ended: false,
        }
    }

    /// The client this is the outbox of. It is a handle, and keeps the [hub](crate::Hub) open if it
    /// still is.
    #[must_use]
    pub fn client(&self) -> Client {
        Handle::to(&self.hub).client_of(&self.core)
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
        // Whoever receives for many clients often comes to that one next.
        self.core.prefetch_neighbour();
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
        match self.poll_take(Some(cx.waker()), &mut frame, 1) {
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
        self.poll_take(Some(cx.waker()), batch, max)
    }

    /// Has `row` woken from now on, instead of tasks. Call this before the first poll.
    #[cfg(feature = "ws")]
    pub(crate) fn set_row(&mut self, row: &Row) {
        self.core.queue.ring.set_row(&mut self.receiver, row);
    }

    /// Lets [`ClientStats::oldest_waiting`](crate::ClientStats::oldest_waiting) be known while
    /// nothing is received.
    #[cfg(feature = "ws")]
    pub(crate) fn rest(&mut self) {
        self.core.queue.ring.offer(&mut self.receiver);
    }

    /// Wakes the row, as if something had come.
    #[cfg(feature = "ws")]
    pub(crate) fn wake_row(&self) {
        self.core.queue.ring.wake_soon(None);
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
        self.core.prefetch();
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
            Plain::Took(frames) => Ok(frames),
            Plain::Idle(_) => Err(TryRecvError::Empty),
            Plain::Look => self.try_take_anything(into, max),
        }
    }

    /// Takes what is there if that needs no more than taking; the shortest way, for the most
    /// common case.
    #[inline(always)]
    fn take_plainly<T: Sink>(&mut self, into: &mut T, max: usize) -> Plain {
        if self.called || self.late.len() > 0 || !T::IS_FINAL {
            return Plain::Look;
        }
        let (core, receiver) = (&self.core, &mut self.receiver);
        let mut fresh = Fresh::new(core, &mut self.late);
        let mut frames = 0;
        let put = |item| frames += fresh.put(into, Frame(item));
        match core.take_plainly(receiver, max.max(1), put) {
            // All of it has expired.
            Plain::Took(_) if frames == 0 => Plain::Look,
            Plain::Took(_) => Plain::Took(frames),
            // There may be more to ask for.
            Plain::Idle(_) if self.behind => Plain::Look,
            plain => plain,
        }
    }

    /// Asks the channels that have more for this client to give it; called when nothing waits.
    /// Says whether any was asked: then it is to look again.
    fn ask_for_more(&mut self) -> bool {
        self.behind = self.core.is_behind();
        self.core.ask_for_more()
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
                Taken::Nothing(_) if self.behind && self.ask_for_more() => {}
                Taken::Nothing(_) => return Err(TryRecvError::Empty),
                Taken::Ended => return Err(TryRecvError::Closed(self.closed())),
                Taken::Busy => pause(),
            }
        }
    }

    pub(super) fn poll_take(
        &mut self,
        waker: Option<&Waker>,
        into: &mut impl Sink,
        max: usize,
    ) -> Poll<Result<usize, Closed>> {
        loop {
            let taken = match self.take_plainly(into, max) {
                Plain::Took(frames) => return Poll::Ready(Ok(frames)),
                Plain::Idle(seen) => Taken::Nothing(seen),
                Plain::Look => self.take(into, max),
            };
            let seen = match taken {
                Taken::Frames(frames) => return Poll::Ready(Ok(frames)),
                Taken::Ended => return Poll::Ready(Err(self.closed())),
                Taken::Nothing(_) if self.behind && self.ask_for_more() => continue,
                Taken::Nothing(seen) => seen,
                Taken::Busy => {
                    self.core.queue.ring.wake_soon(waker);
                    return Poll::Pending;
                }
            };
            match self.core.park(&mut self.receiver, seen, waker) {
                Park::Look => {}
                Park::Parked | Park::Soon => return Poll::Pending,
            }
        }
    }

    /// Takes at most `max` frames, control first.
    fn take(&mut self, into: &mut impl Sink, max: usize) -> Taken {
        let max = max.max(1);
        let queue = &self.core.queue;
        let Some(mut turn) = queue.ring.consume(&mut self.receiver) else {
            return Taken::Busy;
        };
        if !self.called && !turn.is_called() {
            return take_data(turn, Fresh::new(&self.core, &mut self.late), into, max);
        }
        let is_first = !self.called;
        if is_first {
            queue.ring.answer();
            self.called = true;
        }
        queue.take_cuts(&mut turn);
        drop(turn);
        if is_first {
            self.core.ask_at_once();
            self.behind = true;
        }
        let frames = self.take_control(into, max);
        if frames > 0 {
            into.settle(frames);
            return Taken::Frames(frames);
        }
        if self.loss.is_some() {
            return Taken::Busy;
        }
        // Called again meanwhile, it looks again the next time; but not past a leave.
        let queue = &self.core.queue;
        match queue.ring.consume(&mut self.receiver) {
            Some(mut turn) => {
                queue.take_cuts(&mut turn);
                take_data(turn, Fresh::new(&self.core, &mut self.late), into, max)
            }
            None => Taken::Busy,
        }
    }

    /// Takes what is in the control lane.
    #[cold]
    fn take_control(&mut self, into: &mut impl Sink, max: usize) -> usize {
        let mut frames = 0;
        while frames < max {
            if self.loss.is_some() {
                let Some(notice) = self.tell_loss() else {
                    break;
                };
                into.put(notice);
                frames += 1;
                continue;
            }
            let Some(frame) = self.next_control() else {
                self.called = false;
                break;
            };
            let What::GapIn(gap) = &frame.0.what else {
                into.put(frame);
                frames += 1;
                continue;
            };
            self.loss = gap.take().map(Box::new);
        }
        frames
    }

    /// Tells of the loss that was taken. `None` while a publisher is making room, if that has to be
    /// known.
    fn tell_loss(&mut self) -> Option<Frame> {
        if let Some(loss) = self.loss.as_mut().filter(|loss| !loss.keys.is_empty()) {
            let queue = &self.core.queue;
            let mut turn = queue.ring.consume(&mut self.receiver)?;
            remove_queued(&mut turn, &queue.counters, loss);
        }
        let loss = self.loss.take()?;
        Some(notice(loss.into_gap(), &self.core.common))
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

/// Lets a publisher that is in the middle of something go on.
fn pause() {
    hint::spin_loop();
    thread::yield_now();
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.core.close_quietly(Disconnect::RECEIVER_DROPPED);
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
