//! The state of a stream on its bare socket at one moment, and what it does next.

use std::mem;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::time::Sleep;

use crate::disconnect::Disconnect;
use crate::time::Clock;
use crate::time::SystemClock;
use crate::transport::flusher::Scratch;
use crate::transport::output::Output;
use crate::transport::output::Written;
use crate::transport::sse::event::HEARTBEAT;
use crate::transport::sse::opened::Joins;
use crate::transport::sse::opened::Opened;
use crate::transport::sse::stream::Drained;
use crate::transport::stats::Transport;

pub(super) struct State<IO> {
    output: Output<IO>,
    opened: Opened,
    /// Whether the outbox will wake the flusher when something comes.
    is_parked: bool,
    phase: Phase,
    keep_alive: bool,
    /// Bytes that the client has sent, which belong to its next requests.
    unread: Vec<u8>,
    /// When something was written last.
    quiet_since: Instant,
    interval: Duration,
    /// When the socket must have taken something; `None` while nothing is to be written.
    write_by: Option<Instant>,
    write_timeout: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Open,
    /// The last chunk is in the output.
    Closing,
    /// The client has gone, or was cut off.
    Broken,
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The socket is of no more use.
    Broken,
    /// The last chunk is written, and the connection can go on.
    Whole,
}

impl<IO: AsyncRead + AsyncWrite + Unpin + 'static> State<IO> {
    pub(super) fn new(
        io: IO,
        unread: &[u8],
        keep_alive: bool,
        write_timeout: Duration,
        opened: Opened,
    ) -> Self {
        Self {
            output: Output::new(io),
            is_parked: false,
            phase: Phase::Open,
            keep_alive,
            // Not the buffer of hyper that it may be a part of.
            unread: unread.to_vec(),
            quiet_since: now(),
            interval: opened.interval(),
            write_by: None,
            write_timeout,
            opened,
        }
    }

    /// Returns the socket and what was read from it, and ends the stream.
    pub(super) fn into_parts(self) -> (IO, Bytes) {
        (self.output.into_inner(), self.unread.into())
    }

    /// Bytes that the kernel has not sent; `None` where that is not known.
    pub(super) fn unsent(&self) -> Option<u64> {
        self.output.unsent()
    }

    /// Drains the outbox into the socket, as the flusher; wakes the task if there is something for
    /// it to do.
    pub(super) fn flush(&mut self, scratch: &mut Scratch) {
        self.is_parked = false;
        if !self.output.is_empty() {
            // The task goes on when the socket takes more.
            return;
        }
        if self.drain(scratch) {
            self.quiet_since = scratch.now();
            scratch.sse.flushed += 1;
        }
        if self.phase != Phase::Open || !self.output.is_empty() {
            self.output.task().wake_by_ref();
        }
    }

    /// Writes nothing more.
    pub(super) fn give_up(&mut self) {
        self.phase = Phase::Broken;
        self.output.task().wake_by_ref();
    }

    /// Does all that can be done now, as the task; ready when the stream has ended.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut timer: Pin<&mut Sleep>,
        scratch: &mut Scratch,
    ) -> Poll<End> {
        if !self.output.task().will_wake(cx.waker()) {
            self.output.set_task(cx.waker());
        }
        let now = now();
        while self.phase != Phase::Broken && timer.as_mut().poll(cx).is_ready() {
            self.tick(now);
            timer.as_mut().reset(self.deadline().into());
        }
        self.join_some(cx);
        if self.write(scratch) {
            self.quiet_since = now;
            self.write_by = None;
        }
        self.read(cx);
        scratch.batch.clear();
        let totals = self.opened.gateway.totals(Transport::Sse);
        totals.add(&mem::take(&mut scratch.sse.tally));
        let ended = self.poll_end(cx);
        if ended.is_pending() {
            self.arm(timer, now);
        }
        ended
    }

    fn join_some(&mut self, cx: &mut Context<'_>) {
        if !self.opened.is_joining() {
            return;
        }
        if self.opened.join_some(cx) == Joins::Left {
            // The first ones are answered before the others are begun.
            cx.waker().wake_by_ref();
        }
        // A refusal waits beside the outbox.
        self.is_parked = false;
    }

    /// Writes what waits, and then what is in the outbox. Returns whether the socket has taken
    /// something.
    fn write(&mut self, scratch: &mut Scratch) -> bool {
        if self.output.is_empty() && self.is_parked {
            return false;
        }
        let written = self.output.write_waiting();
        let tally = self.output.take_tally();
        self.opened.stream.count(&tally);
        scratch.sse.tally.merge(&tally);
        let mut has_written = tally.writes > 0;
        match written {
            Written::All if !self.is_parked => has_written |= self.drain(scratch),
            Written::All | Written::Blocked => {}
            Written::Broken => self.phase = Phase::Broken,
        }
        has_written
    }

    /// Drains the outbox into the socket until one of them is done. Nothing waits in the output.
    /// Returns whether the socket has taken something.
    fn drain(&mut self, scratch: &mut Scratch) -> bool {
        if self.phase != Phase::Open {
            return false;
        }
        let (drained, has_written) = self.opened.stream.drain(&mut self.output, scratch);
        match drained {
            Drained::Parked => self.is_parked = true,
            Drained::Busy | Drained::Blocked => {}
            Drained::Last => self.phase = Phase::Closing,
            Drained::Broken => self.phase = Phase::Broken,
        }
        has_written
    }

    /// Reads what belongs to the next requests, and notices the end.
    fn read(&mut self, cx: &mut Context<'_>) {
        while self.phase != Phase::Broken && self.unread.len() < MOST_UNREAD {
            let mut memory = [MaybeUninit::uninit(); READ];
            let mut buffer = ReadBuf::uninit(&mut memory);
            match self.output.poll_read(cx, &mut buffer) {
                Poll::Pending => return,
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    self.unread.extend_from_slice(buffer.filled());
                }
                Poll::Ready(_) => self.phase = Phase::Broken,
            }
        }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        match self.phase {
            Phase::Open => Poll::Pending,
            Phase::Broken => Poll::Ready(End::Broken),
            Phase::Closing if !self.output.is_empty() => Poll::Pending,
            Phase::Closing if self.keep_alive => Poll::Ready(End::Whole),
            Phase::Closing => self.output.poll_shutdown(cx).map(|_| End::Broken),
        }
    }

    /// Carries out what is due.
    fn tick(&mut self, now: Instant) {
        if self.write_by.is_some_and(|by| by <= now) {
            self.opened.stream.client.close(Disconnect::WRITE_TIMEOUT);
            self.phase = Phase::Broken;
        }
        if now.duration_since(self.quiet_since) < self.interval {
            return;
        }
        self.quiet_since = now;
        if self.phase == Phase::Open && self.output.is_empty() {
            let stream = &self.opened.stream;
            stream.say(|out| out.extend_from_slice(HEARTBEAT));
            self.is_parked = false;
        }
    }

    /// When something is due next.
    fn deadline(&self) -> Instant {
        match self.write_by {
            Some(by) => by,
            None => self.quiet_since + self.interval,
        }
    }

    /// Sets the timer, when it has to go off earlier than it would.
    fn arm(&mut self, timer: Pin<&mut Sleep>, now: Instant) {
        if self.output.is_empty() && self.phase == Phase::Open {
            self.write_by = None;
        } else {
            self.write_by.get_or_insert(now + self.write_timeout);
        }
        let deadline = self.deadline();
        if deadline < timer.deadline().into_std() {
            timer.reset(deadline.into());
        }
    }
}

fn now() -> Instant {
    SystemClock::new().now()
}

/// How much a client may send ahead of its turn before it is not read any more.
const MOST_UNREAD: usize = 16 << 10;

/// How much is read at once.
const READ: usize = 2 << 10;
