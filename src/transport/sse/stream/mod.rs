//! One stream, as its body or its socket, the requests that change it and the one who watches it
//! share it.

mod drain;
mod script;

use std::mem;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::task::ready;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::disconnect::Disconnect;
use crate::disconnect::ReconnectAdvice;
use crate::hub::Batch;
use crate::hub::Client;
use crate::hub::Closed;
use crate::hub::Outbox;
use crate::hub::StreamPosition;
use crate::id::ChannelName;
use crate::protocol::Fault;
use crate::protocol::Push;
use crate::protocol::StreamPush;
use crate::raw::bell::Row;
use crate::session::Badge;
use crate::session::Caller;
use crate::session::MeterCell;
use crate::session::Origin;
use crate::time::Clock;
use crate::time::SystemClock;
use crate::time::millis;
use crate::transport::gateway::Registration;
use crate::transport::sse::alarm::Alarm;
use crate::transport::sse::chunks::Chunks;
use crate::transport::sse::cursor::Cursor;
use crate::transport::sse::cursor::TooLong;
use crate::transport::sse::event;
use crate::transport::sse::token::StreamToken;
use crate::transport::stats::Tally;

pub(super) use self::drain::Drained;
use self::script::Script;

/// One stream.
pub(super) struct Stream {
    pub(super) id: StreamToken,
    pub(super) client: Client,
    /// Counts how often the body was asked for more: while it is not, nothing is written.
    polls: AtomicU32,
    /// The writer, from the first turn on.
    writer: OnceLock<Writer>,
    /// What is counted of it.
    meter: MeterCell,
    /// The identity of its client, where anything is authenticated.
    badge: Option<Arc<Badge>>,
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

/// A writer of a stream.
enum Writer {
    /// A body: its task is woken by the alarm, which the outbox has as a waker.
    Body(Arc<Alarm>, Waker),
    /// A flusher, which has a row for it.
    Socket(Row),
}

/// The next step of a body.
pub(super) enum Next {
    /// Hands over a chunk, perhaps the last one.
    Chunk { bytes: Bytes, is_last: bool },
    /// The stream was cut off: the client did not take what it was sent.
    Cut,
}

impl Stream {
    pub(super) fn new(
        id: StreamToken,
        client: Client,
        outbox: Outbox,
        registration: Registration,
        cursor: Cursor,
    ) -> Self {
        let badge = registration.gateway().entrance().badge_of(client.id());
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
            writer: OnceLock::new(),
            meter: MeterCell::new(),
            badge,
            pump: Mutex::new(Some(pump)),
        }
    }

    /// The stream, as the one who asks.
    pub(super) fn caller(&self, origin: Origin) -> Caller<'_> {
        Caller::of(&self.client, origin)
            .metered(&self.meter)
            .badged(self.badge.as_ref())
    }

    /// When the credentials of the stream expire, in milliseconds from now.
    pub(super) fn expires_in(&self, now: u64) -> Option<u64> {
        let expiry = self.badge.as_ref()?.identity().expiry()?;
        Some(expiry.millis().saturating_sub(now))
    }

    /// Gathers what is there and gives the next chunk of it; waits only when there is nothing.
    pub(super) fn poll_next(&self, cx: &Context<'_>) -> Poll<Next> {
        // Relaxed: a sign of life, read from time to time.
        self.polls.fetch_add(1, Ordering::Relaxed);
        let Writer::Body(alarm, waker) = self.writer.get_or_init(Writer::body) else {
            return Poll::Ready(Next::Cut);
        };
        let rang = alarm.set(cx.waker());
        let mut pump = self.pump.lock();
        let Some(pump) = &mut *pump else {
            return Poll::Ready(Next::Cut);
        };
        let (bytes, is_last) = ready!(pump.poll_next(&Context::from_waker(waker)));
        if let Some(rang) = rang {
            let took = SystemClock::new().now().saturating_duration_since(rang);
            pump.registration.totals().flushed(took, 1);
        }
        Poll::Ready(Next::Chunk { bytes, is_last })
    }

    /// Sets the row that the outbox wakes, of the flusher that writes the stream from now on.
    pub(super) fn set_row(&self, row: &Row) {
        if let Some(pump) = &mut *self.pump.lock() {
            pump.outbox.set_row(row);
        }
        self.writer.get_or_init(|| Writer::Socket(row.clone()));
    }

    /// Whether a flusher writes the stream, whose task watches over its socket.
    pub(super) fn has_socket(&self) -> bool {
        matches!(self.writer.get(), Some(Writer::Socket(_)))
    }

    /// Adds to the figures of the connection.
    pub(super) fn count(&self, tally: &Tally) {
        if let Some(pump) = &*self.pump.lock() {
            pump.registration.count(tally);
        }
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
        match self.writer.get() {
            Some(Writer::Body(alarm, _)) => alarm.ring(),
            Some(Writer::Socket(row)) => row.wake(),
            // It is told with its first turn.
            None => {}
        }
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

impl Writer {
    fn body() -> Self {
        let alarm = Arc::new(Alarm::new());
        let waker = Arc::clone(&alarm).into();
        Self::Body(alarm, waker)
    }
}

impl Pump {
    fn poll_next(&mut self, cx: &Context<'_>) -> Poll<(Bytes, bool)> {
        while !self.chunks.is_full() && !self.is_last {
            match self.gather(cx) {
                Poll::Ready(Ok(_)) => {}
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
        self.registration.count(tally);
        self.registration.totals().add(tally);
    }

    /// Takes frames out of the outbox until the chunks are full: the others stay there.
    fn gather(&mut self, cx: &Context<'_>) -> Poll<Result<usize, Closed>> {
        let Self {
            batch,
            chunks,
            cursor,
            outbox,
            ..
        } = self;
        let gathered =
            outbox.poll_hand_out(Some(cx.waker()), batch, MAX_BATCH, |frames, control| {
                let mut script = Script { chunks, cursor };
                let mut taken = 0;
                while let Some(frame) = frames.get(taken)
                    && (taken < control || !script.chunks.is_full())
                {
                    script.encode(frame);
                    taken += 1;
                }
                taken
            });
        batch.clear();
        gathered
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
        let within = self.registration.gateway().reconnect_window();
        let wait = match why.advice() {
            ReconnectAdvice::Reconnect => millis(within.mul_f64(random_part())),
            ReconnectAdvice::StayAway => millis(STAY_AWAY),
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

/// A number from 0 up to 1 that nobody expects.
pub(super) fn random_part() -> f64 {
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    f64::from(random) / 2_f64.powi(32)
}

/// `error` is what a browser calls the end of a stream.
const REFUSED: &str = "refused";

/// A browser comes back whatever it is told; who is to stay away comes back no sooner than this.
const STAY_AWAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How many frames are taken at a time.
const MAX_BATCH: usize = 64;

pub(super) type SharedStream = Arc<Stream>;
