//! One stream, as its body, the requests that change it and the one who watches it share it.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::task::ready;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::disconnect::Advice;
use crate::disconnect::Disconnect;
use crate::hub::Batch;
use crate::hub::Client;
use crate::hub::Event;
use crate::hub::Frame;
use crate::hub::Joined;
use crate::hub::Outbox;
use crate::hub::StreamPosition;
use crate::id::ChannelName;
use crate::protocol::Fault;
use crate::protocol::Missed;
use crate::protocol::Push;
use crate::protocol::StreamPush;
use crate::time::Clock;
use crate::time::SystemClock;
use crate::transport::gateway::Registration;
use crate::transport::sse::alarm::Alarm;
use crate::transport::sse::chunks::Chunks;
use crate::transport::sse::connection::ConnectionId;
use crate::transport::sse::cursor::Cursor;
use crate::transport::sse::cursor::TooLong;
use crate::transport::sse::event;
use crate::transport::stats::Tally;

/// One stream.
pub(super) struct Stream {
    pub(super) id: ConnectionId,
    pub(super) client: Client,
    /// Counts how often the body was asked for more: while it is not, nothing is written.
    polls: AtomicU32,
    /// Wakes the body's task.
    alarm: Arc<Alarm>,
    /// The alarm, as the outbox has it.
    waker: Waker,
    /// `None` once the stream has ended.
    pump: Mutex<Option<Pump>>,
}

/// What stands between the outbox and the body.
pub(super) struct Pump {
    outbox: Outbox,
    registration: Registration,
    batch: Batch,
    cursor: Cursor,
    /// The cursor has changed without an event that says so.
    is_stale: bool,
    chunks: Chunks,
    is_last: bool,
}

/// What a body does next.
pub(super) enum Next {
    /// Hands over a chunk, perhaps the last one.
    Chunk { bytes: Bytes, is_last: bool },
    /// The stream was cut off: the client did not take what it was sent.
    Cut,
}

impl Stream {
    pub(super) fn new(
        id: ConnectionId,
        client: Client,
        outbox: Outbox,
        registration: Registration,
        cursor: Cursor,
    ) -> Self {
        let alarm = Arc::new(Alarm::new());
        let pump = Pump {
            outbox,
            registration,
            batch: Batch::new(),
            cursor,
            is_stale: false,
            chunks: Chunks::default(),
            is_last: false,
        };
        Self {
            id,
            client,
            polls: AtomicU32::new(0),
            waker: Arc::clone(&alarm).into(),
            alarm,
            pump: Mutex::new(Some(pump)),
        }
    }

    /// Gathers what is there and gives the next chunk of it; waits only when there is nothing.
    pub(super) fn poll_next(&self, cx: &Context<'_>) -> Poll<Next> {
        // Relaxed: a sign of life, read from time to time.
        self.polls.fetch_add(1, Ordering::Relaxed);
        let rang = self.alarm.set(cx.waker());
        let mut pump = self.pump.lock();
        let Some(pump) = &mut *pump else {
            return Poll::Ready(Next::Cut);
        };
        let (bytes, is_last) = ready!(pump.poll_next(&mut Context::from_waker(&self.waker)));
        if let Some(rang) = rang {
            let took = SystemClock::new().now().saturating_duration_since(rang);
            pump.registration.totals().flushed(took, 1);
        }
        Poll::Ready(Next::Chunk { bytes, is_last })
    }

    /// How often the body was asked for more.
    pub(super) fn polls(&self) -> u32 {
        // Relaxed: see `poll_next`.
        self.polls.load(Ordering::Relaxed)
    }

    /// Whether something waits for the client that only a body that is asked for more can give.
    pub(super) fn has_waiting(&self) -> bool {
        self.client.is_closed() || self.client.stats().queued_messages > 0
    }

    /// Counts a request that changes the stream.
    pub(super) fn heard(&self, bytes: usize) {
        if let Some(pump) = &*self.pump.lock() {
            pump.registration.touch();
            pump.count(&Tally {
                bytes_in: bytes as u64,
                frames_in: 1,
                ..Tally::default()
            });
        }
    }

    /// Adds an event. Nothing happens if the stream has ended.
    pub(super) fn say(&self, write: impl FnOnce(&mut Vec<u8>)) {
        if let Some(pump) = &mut *self.pump.lock() {
            pump.chunks.write(write);
        }
    }

    /// Adds an event with the id that the stream has now.
    pub(super) fn say_with_id(&self, write: impl FnOnce(&mut Vec<u8>)) {
        if let Some(Pump { chunks, cursor, .. }) = &mut *self.pump.lock() {
            chunks.write(|out| {
                write_id(cursor, out);
                write(out);
            });
        }
    }

    /// Makes room in the ids for a channel that is about to be joined.
    pub(super) fn ask(
        &self,
        channel: &ChannelName,
        since: Option<StreamPosition>,
    ) -> Result<(), TooLong> {
        match &mut *self.pump.lock() {
            Some(pump) => pump.cursor.ask(channel, since, false),
            None => Ok(()),
        }
    }

    /// Whether the ids name the channel.
    pub(super) fn has(&self, channel: &str) -> bool {
        let pump = self.pump.lock();
        pump.as_ref().is_some_and(|pump| pump.cursor.has(channel))
    }

    /// A channel that was asked for could not be joined, and the client is told.
    pub(super) fn refuse(&self, channel: &str, fault: &Fault) {
        if let Some(pump) = &mut *self.pump.lock() {
            pump.cursor.forget(channel);
            let push = StreamPush::Refused { channel, fault };
            pump.chunks
                .write(|out| event::stream_push(out, REFUSED, push));
        }
    }

    /// A channel that was asked for could not be joined, and somebody else tells it.
    pub(super) fn forget(&self, channel: &str) {
        if let Some(pump) = &mut *self.pump.lock() {
            pump.cursor.forget(channel);
        }
    }

    /// The client has left a channel, and is to be given an id without it.
    pub(super) fn left(&self, channel: &str) {
        if let Some(pump) = &mut *self.pump.lock() {
            pump.cursor.leave(channel);
            pump.is_stale = true;
        }
        self.alarm.ring();
    }

    /// Ends the stream from outside, or after its last chunk. Its memory is given back, whoever
    /// still holds the body.
    pub(super) fn end(&self) {
        let pump = self.pump.lock().take();
        if let Some(pump) = &pump
            && let Some(why) = self.client.close_reason()
        {
            pump.registration.closed(why.code());
        }
        // Not under the lock: with the outbox, callbacks are called and tasks are woken.
        drop(pump);
    }

    /// Ends the stream of a client that does not take what it is sent.
    pub(super) fn cut(&self) {
        self.client.close(Disconnect::WRITE_TIMEOUT);
        self.end();
    }
}

impl Pump {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<(Bytes, bool)> {
        while !self.chunks.is_full() && !self.is_last {
            match self.outbox.poll_recv_batch(cx, &mut self.batch, MAX_BATCH) {
                Poll::Ready(Ok(_)) => self.encode_batch(),
                Poll::Ready(Err(closed)) => self.say_farewell(closed.disconnect()),
                Poll::Pending => break,
            }
        }
        if mem::take(&mut self.is_stale) && !self.is_last {
            self.say_cursor();
        }
        let Some(chunk) = self.chunks.take() else {
            return Poll::Pending;
        };
        let mut tally = Tally::default();
        tally.wrote(chunk.bytes.len(), chunk.events);
        self.count(&tally);
        let is_last = self.is_last && self.chunks.is_empty();
        Poll::Ready((chunk.bytes, is_last))
    }

    fn count(&self, tally: &Tally) {
        self.registration.counters().add(tally);
        self.registration.totals().add(tally);
    }

    fn encode_batch(&mut self) {
        let mut batch = mem::take(&mut self.batch);
        for frame in &batch {
            self.encode(frame);
        }
        batch.clear();
        self.batch = batch;
    }

    fn encode(&mut self, frame: &Frame) {
        match frame.event() {
            Event::Joined(joined) => return self.joined(frame, joined),
            Event::Gap(_) => {
                let push = Push::Frame(frame);
                return self.chunks.write(|out| event::push(out, "gap", push));
            }
            Event::Left(left) => {
                self.cursor.leave(&left.channel);
                return self.say_with_id(frame);
            }
            _ => {}
        }
        let shared = event::shared(frame);
        let Some((channel, position)) = event::place(frame) else {
            return self.chunks.share(shared);
        };
        self.cursor.advance(channel, position);
        if self.cursor.is_just(channel, position) {
            return self.chunks.share(shared);
        }
        let Self { chunks, cursor, .. } = self;
        chunks.write(|out| {
            write_id(cursor, out);
            out.extend_from_slice(event::without_id(shared));
        });
    }

    /// A channel has been joined. The id names what the client has: it moves on with what is
    /// replayed. What was missed for good is told next, and only then does the id name the position
    /// of the join: who breaks off in between is told again.
    fn joined(&mut self, frame: &Frame, joined: &Joined) {
        if !event::has_place(&joined.channel) {
            // Not the client's to come back to: whoever put it there does that.
            let push = Push::Frame(frame);
            return self.chunks.write(|out| event::push(out, "joined", push));
        }
        let since = self.cursor.join(&joined.channel, joined.start);
        self.say_with_id(frame);
        let Some(since) = since.filter(|_| !joined.recovered) else {
            return;
        };
        self.cursor.skip_to(&joined.channel, joined.start);
        let push = StreamPush::Gap {
            channel: Some(&joined.channel),
            missed: missed(since, joined.start),
        };
        let Self { chunks, cursor, .. } = self;
        chunks.write(|out| {
            write_id(cursor, out);
            event::stream_push(out, "gap", push);
        });
    }

    fn say_with_id(&mut self, frame: &Frame) {
        let Self { chunks, cursor, .. } = self;
        chunks.write(|out| {
            write_id(cursor, out);
            event::push(out, event::name(frame), Push::Frame(frame));
        });
    }

    /// An id without an event: clients keep it all the same.
    fn say_cursor(&mut self) {
        let Self { chunks, cursor, .. } = self;
        chunks.write(|out| {
            write_id(cursor, out);
            out.push(b'\n');
        });
    }

    /// The last event.
    fn say_farewell(&mut self, why: &Disconnect) {
        self.is_last = true;
        let within = self.registration.gateway().reconnect_within();
        let wait = match why.advice() {
            Advice::Reconnect => millis(within.mul_f64(random_part())),
            Advice::StayAway => millis(STAY_AWAY),
        };
        let push = Push::Disconnect {
            why,
            retry_after_ms: wait,
        };
        self.chunks.write(|out| {
            event::retry(out, wait);
            event::push(out, "disconnect", push);
        });
    }
}

fn write_id(cursor: &Cursor, out: &mut Vec<u8>) {
    out.extend_from_slice(b"id: ");
    cursor.write(out);
    out.push(b'\n');
}

/// What is known of what was published between two positions.
fn missed(since: StreamPosition, now: StreamPosition) -> Missed {
    if since.epoch != now.epoch {
        Missed::Unknown { reason: "epoch" }
    } else if since.offset < now.offset {
        Missed::Range {
            first: since.offset + 1,
            last: now.offset,
        }
    } else {
        // Nobody has ever been there.
        Missed::Unknown { reason: "position" }
    }
}

/// A number from 0 up to 1 that nobody expects.
pub(super) fn random_part() -> f64 {
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    f64::from(random) / 2_f64.powi(32)
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// `error` is what a browser calls the end of a stream.
const REFUSED: &str = "refused";

/// A browser comes back whatever it is told; who is to stay away comes back no sooner than this.
const STAY_AWAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How many frames are taken at a time.
const MAX_BATCH: usize = 64;

pub(super) type SharedStream = Arc<Stream>;
