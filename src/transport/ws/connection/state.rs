//! What a connection is at one moment, and what it does next.

use std::mem;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::time::Sleep;

use crate::disconnect::Disconnect;
use crate::hub::Client;
use crate::hub::Closed;
use crate::hub::Outbox;
use crate::message::Message;
use crate::protocol::Heard;
use crate::protocol::Spoken;
use crate::raw::bell::Row;
use crate::session::Dialogue;
use crate::session::Replies;
use crate::time::Clock;
use crate::time::SystemClock;
use crate::transport::flusher::Scratch;
use crate::transport::gateway::Registration;
use crate::transport::output::Written;
use crate::transport::ws::Negotiated;
use crate::transport::ws::WsConfig;
use crate::transport::ws::framing;
use crate::transport::ws::reader::Reader;
use crate::transport::ws::reader::ReaderLimits;
use crate::transport::ws::reader::Received;
use crate::transport::ws::replies::Replying;
use crate::transport::ws::timing::Due;
use crate::transport::ws::timing::Timing;

pub(super) struct State<IO> {
    output: Replying<IO>,
    outbox: Outbox,
    /// Whether the outbox will wake the flusher when something comes.
    is_parked: bool,
    dialogue: Dialogue,
    reader: Reader,
    /// What was read from the socket and not looked at, as a command has to wait.
    unread: Box<[u8]>,
    /// Whether the task has stopped reading.
    is_paused: bool,
    phase: Phase,
    timing: Timing,
    registration: Registration,
    /// The last frame of one who is leaving.
    last: Option<Box<(u16, Bytes)>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Both sides may speak.
    Open,
    /// The client is not heard any more; what was accepted for it is still to be written.
    Leaving,
    /// The last frame is in the output.
    Closing,
    /// Everything is written, and the peer is to hang up.
    HangingUp,
    /// Nothing is to be saved.
    Broken,
}

/// Memory that one connection after the other uses.
pub(super) struct Memory {
    scratch: Scratch,
    /// Bytes read from a socket.
    read: Box<[u8]>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            scratch: Scratch::default(),
            read: vec![0; READ].into(),
        }
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin + 'static> State<IO> {
    pub(super) fn new(
        io: IO,
        buffered: &[u8],
        accepted: &Negotiated,
        client: Client,
        mut outbox: Outbox,
        registration: Registration,
        row: &Row,
    ) -> Self {
        outbox.set_row(row);
        let config = registration.gateway().ws_config();
        let limits = ReaderLimits {
            max_frame: config.max_frame,
            max_message: config.max_message,
        };
        let timing = Timing::new(config, client.id(), now());
        let mut output = Replying::new(io, accepted.encoding());
        let mut dialogue = Dialogue::new(
            registration.gateway().entrance(),
            client,
            registration.session(),
            accepted.resumes(),
        );
        let greeting = dialogue.greeting(
            config.max_message,
            config.ping_interval,
            config.pong_timeout,
            |push| output.encode(push),
        );
        output.push(greeting);
        dialogue.claim(&mut output);
        match accepted.opening() {
            Ok(requests) => {
                for request in requests {
                    dialogue.request(Ok(request), 0, &mut output);
                }
            }
            Err(why) => dialogue.client().close(why),
        }
        Self {
            output,
            outbox,
            is_parked: false,
            dialogue,
            reader: Reader::new(limits, accepted.inflate()),
            unread: buffered.into(),
            is_paused: false,
            phase: Phase::Open,
            timing,
            registration,
            last: None,
        }
    }

    fn config(&self) -> &WsConfig {
        self.registration.gateway().ws_config()
    }

    /// Drains the outbox into the socket, as the flusher; wakes the task if there is something
    /// for it to do.
    pub(super) fn flush(&mut self, scratch: &mut Scratch) {
        self.is_parked = false;
        if !self.output.is_empty() {
            // The task goes on when the socket takes more.
            return;
        }
        self.drain(scratch);
        self.count(scratch);
        let resumes = self.is_paused && self.reads() || self.dialogue.is_due(&self.output);
        if resumes || self.phase != Phase::Open || !self.output.is_empty() {
            self.output.task().wake_by_ref();
        }
    }

    /// Bytes that the kernel has not sent; `None` where that is not known.
    pub(super) fn unsent(&self) -> Option<u64> {
        self.output.unsent()
    }

    /// Takes nothing more and gives nothing more.
    pub(super) fn give_up(&mut self) {
        self.phase = Phase::Broken;
        self.output.task().wake_by_ref();
    }

    /// Does all that can be done now, as the task; ready when the connection has ended.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut timer: Pin<&mut Sleep>,
        memory: &mut Memory,
    ) -> Poll<()> {
        if !self.output.task().will_wake(cx.waker()) {
            self.output.set_task(cx.waker());
        }
        self.dialogue.begin_turn();
        while self.phase != Phase::Broken && timer.as_mut().poll(cx).is_ready() {
            self.tick();
            timer.as_mut().reset(self.timing.deadline().into());
        }
        self.dialogue.poll(cx, &mut self.output);
        let polled = self.converse(cx, memory);
        let scratch = &mut memory.scratch;
        scratch.batch.clear();
        self.count(scratch);
        self.registration
            .totals()
            .add(&mem::take(&mut scratch.ws.tally));
        if polled.is_pending() {
            self.arm(timer);
        }
        polled
    }

    /// Writes and reads in turn until neither can be done; ready when the connection has ended.
    fn converse(&mut self, cx: &mut Context<'_>, memory: &mut Memory) -> Poll<()> {
        for _ in 0..MAX_TURNS {
            self.end_dialect();
            self.write(&mut memory.scratch);
            if self.has_ended(cx, memory).is_ready() {
                return Poll::Ready(());
            }
            if self.answers_more(cx) {
                continue;
            }
            self.is_paused = !self.reads();
            if self.dialogue.is_spent() {
                break;
            }
            if self.is_paused || self.read(cx, &mut memory.read).is_pending() {
                return Poll::Pending;
            }
        }
        // Others have their turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Goes on with the command that a frame just written may have let begin, and with the replies
    /// that there was no room for: nobody else polls for those. Says whether there is more to
    /// write.
    fn answers_more(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.dialogue.is_due(&self.output) {
            return false;
        }
        let had_written_all = self.output.is_empty();
        self.dialogue.poll(cx, &mut self.output);
        had_written_all && !self.output.is_empty()
    }

    /// Writes what waits and then what is in the outbox.
    fn write(&mut self, scratch: &mut Scratch) {
        if self.output.is_empty() && self.is_parked {
            return;
        }
        let before = self.output.writes();
        match self.output.write_waiting() {
            Written::All if !self.is_parked => self.drain(scratch),
            Written::All | Written::Blocked => {}
            Written::Broken => self.phase = Phase::Broken,
        }
        if self.output.writes() > before {
            self.timing.wrote(now(), self.output.is_empty());
        }
    }

    /// Drains the outbox into the socket until one of them is done. Nothing waits in the output.
    fn drain(&mut self, scratch: &mut Scratch) {
        let mut turns = 0;
        while self.phase <= Phase::Leaving {
            let written = match self.hand_out(scratch) {
                Poll::Pending => {
                    self.is_parked = true;
                    return;
                }
                Poll::Ready(Ok(written)) => written,
                Poll::Ready(Err(closed)) => {
                    self.say_farewell(closed.disconnect());
                    self.output.write_waiting()
                }
            };
            if scratch.batch.len() > MAX_KEPT {
                scratch.batch.clear();
            }
            match written {
                Written::All => {}
                Written::Blocked => {
                    self.outbox.rest();
                    return;
                }
                Written::Broken => self.phase = Phase::Broken,
            }
            turns += 1;
            if turns == MAX_TURNS {
                // Others have their turn.
                self.outbox.wake_row();
                return;
            }
        }
    }

    /// Writes what is in the outbox, as far as the socket takes it: the rest stays there.
    fn hand_out(&mut self, scratch: &mut Scratch) -> Poll<Result<Written, Closed>> {
        let Self {
            dialogue,
            outbox,
            output,
            ..
        } = self;
        let encoding = output.encoding();
        let Scratch { batch, copies, .. } = scratch;
        let mut written = Written::All;
        let handed = outbox.poll_hand_out(None, batch, MAX_BATCH, |frames, control| {
            if control > 0 && dialogue.is_joining() {
                let frames = &frames[..control];
                written = output.write_personally(frames, dialogue);
                return control;
            }
            let begun;
            (written, begun) = output.write_frames(frames, encoding, copies);
            let control = frames.get(begun..control).unwrap_or_default();
            for frame in control {
                output.push(encoding.of(frame).clone());
            }
            begun + control.len()
        });
        handed.map_ok(|_| written)
    }

    /// Whether the connection has ended; carries out the end.
    fn has_ended(&mut self, cx: &mut Context<'_>, memory: &mut Memory) -> Poll<()> {
        if self.phase == Phase::Closing && self.output.is_empty() {
            self.phase = Phase::HangingUp;
            let close_timeout = self.config().close_timeout;
            self.timing.hang_up(now(), close_timeout);
        }
        match self.phase {
            Phase::Open | Phase::Leaving | Phase::Closing => Poll::Pending,
            Phase::HangingUp => self.hang_up(cx, &mut memory.read),
            Phase::Broken => Poll::Ready(()),
        }
    }

    /// Ends the stream and waits until the peer has, so that it reads the close frame before it
    /// learns that nobody reads what it still sends.
    fn hang_up(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<()> {
        match self.output.poll_shutdown(cx) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(_)) => return Poll::Ready(()),
            Poll::Pending => return Poll::Pending,
        }
        for _ in 0..MAX_TURNS {
            let mut buffer = ReadBuf::new(into);
            match self.output.poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether commands are taken.
    fn reads(&self) -> bool {
        self.phase == Phase::Open
            && self.dialogue.is_ready()
            && !self.dialogue.is_spent()
            && self.output.has_room()
    }

    /// Reads what is there and carries out the commands in it; pending when nothing is there.
    fn read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<()> {
        if !self.unread.is_empty() {
            let mut unread = mem::take(&mut self.unread);
            self.take(&mut unread);
        } else {
            let mut buffer = ReadBuf::new(into);
            match self.output.poll_read(cx, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    self.timing.heard();
                    self.take(buffer.filled_mut());
                }
                Poll::Ready(_) => self.phase = Phase::Broken,
            }
        }
        self.dialogue.poll(cx, &mut self.output);
        Poll::Ready(())
    }

    /// Takes messages out of these bytes until one has to wait; keeps the rest.
    fn take(&mut self, mut bytes: &mut [u8]) {
        while self.reads() {
            let received = match self.reader.next(&mut bytes) {
                Ok(None) => return,
                Ok(Some(received)) => received,
                Err(violation) => {
                    let why = violation.disconnect();
                    let (code, frame) = (why.code(), framing::close(&why));
                    return self.leave(why, code, frame);
                }
            };
            match received {
                Received::Text(text) if self.dialogue.wants_raw() => {
                    self.hear();
                    self.take_raw(&Message::text(String::from(&*text)));
                }
                Received::Binary(bytes) if self.dialogue.wants_raw() => {
                    self.hear();
                    self.take_raw(&Message::binary(Vec::from(&*bytes)));
                }
                Received::Text(text) => {
                    self.hear();
                    match self.output.encoding().dialect() {
                        None => self.dialogue.command(&text, &mut self.output),
                        Some(dialect) => {
                            let message = Message::text(String::from(&*text));
                            self.translate(dialect, message);
                        }
                    }
                }
                Received::Binary(bytes) => {
                    self.hear();
                    match self.output.encoding().dialect() {
                        None => self.dialogue.binary(&mut self.output),
                        Some(dialect) => {
                            let message = Message::binary(Vec::from(&*bytes));
                            self.translate(dialect, message);
                        }
                    }
                }
                Received::Ping(payload) => self.output.give(framing::pong(&payload)),
                Received::Pong(_) => {}
                Received::Close(None) => {
                    return self.leave(Disconnect::NORMAL, NO_CODE, framing::CLOSE);
                }
                Received::Close(Some((code, reason))) => {
                    let answer = framing::close_with(code, &reason);
                    return self.leave(Disconnect::NORMAL, code, answer);
                }
            }
        }
        self.unread = (&*bytes).into();
    }

    /// Takes a message of which hooks see the bytes.
    fn take_raw(&mut self, message: &Message) {
        let bytes = message.payload().len();
        let message = match self.dialogue.raw(message) {
            Ok(message) => message,
            Err(fault) => return self.dialogue.request(Err(fault), bytes, &mut self.output),
        };
        match (self.output.encoding().dialect(), message.as_text()) {
            (Some(dialect), _) => self.translate(dialect, message),
            (None, Some(text)) => self.dialogue.command(text, &mut self.output),
            (None, None) => self.dialogue.binary(&mut self.output),
        }
    }

    /// Does what a message of the client means in its dialect.
    fn translate(&mut self, dialect: Spoken, message: Message) {
        let bytes = message.payload().len();
        let request = match dialect.hear(message) {
            Heard::Request(request) => Ok(request),
            Heard::Refused(fault) => Err(fault),
            Heard::Answered(message) => return self.output.give(framing::data(&message)),
            Heard::Nothing => return,
            Heard::Close(why) => {
                let (code, frame) = (why.code(), framing::close(&why));
                return self.leave(why, code, frame);
            }
        };
        self.dialogue.request(request, bytes, &mut self.output);
    }

    /// Closes the client if its dialect has ended the connection.
    fn end_dialect(&mut self) {
        if let Some(why) = self.output.take_end() {
            self.dialogue.client().close(why);
            // The outbox has more to say now.
            self.is_parked = false;
        }
    }

    fn hear(&mut self) {
        self.output.received();
        self.registration.touch();
        if self.timing.minds_idleness() {
            self.timing.asked(now());
        }
    }

    /// Closes a client that closes, or has broken the protocol: what was accepted for it comes
    /// before the last frame.
    fn leave(&mut self, why: Disconnect, code: u16, last: Bytes) {
        self.phase = Phase::Leaving;
        self.last = Some(Box::new((code, last)));
        self.dialogue.client().close(why);
        // The outbox has more to say now.
        self.is_parked = false;
    }

    /// Tells the client why the hub has closed it.
    fn say_farewell(&mut self, why: &Disconnect) {
        if let Some(last) = self.last.take() {
            let (code, last) = *last;
            return self.close(code, last);
        }
        let retry_after = self
            .registration
            .gateway()
            .retry_after(self.dialogue.client().id());
        let farewell = Dialogue::farewell(why, retry_after);
        let farewell = self.output.encode(farewell);
        self.output.push(farewell);
        self.close(why.code(), framing::close(why));
    }

    /// Makes this the last frame.
    fn close(&mut self, code: u16, last: Bytes) {
        self.registration.closed(code);
        self.output.push(last);
        self.phase = Phase::Closing;
    }

    fn tick(&mut self) {
        let reads = self.reads();
        for due in self.timing.due(now(), reads) {
            match due {
                Due::GiveUp => {
                    self.dialogue.client().close(Disconnect::WRITE_TIMEOUT);
                    self.phase = Phase::Broken;
                }
                Due::Idle => self.dialogue.client().close(Disconnect::IDLE),
                Due::NoPong => self.dialogue.client().close(Disconnect::NO_PONG),
                Due::Ping if self.phase == Phase::Open => self.output.push(framing::PING),
                Due::Ping => {}
            }
        }
    }

    /// Sets the timer, when it has to go off earlier than it would.
    fn arm(&mut self, timer: Pin<&mut Sleep>) {
        let closing = self.phase == Phase::Closing || self.outbox.close_reason().is_some();
        let nothing_waits = self.output.is_empty();
        let deadline = if nothing_waits && !closing {
            self.timing.settle()
        } else {
            self.timing.watch(now(), nothing_waits, closing)
        };
        if deadline < timer.deadline().into_std() {
            timer.reset(deadline.into());
        }
    }

    /// Folds what was counted into the connection's counters, and into the tally.
    fn count(&mut self, scratch: &mut Scratch) {
        let tally = self.output.take_tally();
        self.registration.count(&tally);
        scratch.ws.tally.merge(&tally);
    }
}

fn now() -> Instant {
    SystemClock::new().now()
}

/// How many frames are taken out of the outbox at once.
const MAX_BATCH: usize = 256;

/// How many frames are kept to be given back together: cheaper for the many that several clients
/// have received.
const MAX_KEPT: usize = 1024;

/// How often a connection goes on before others have their turn.
const MAX_TURNS: usize = 16;

/// How much is read at once.
const READ: usize = 64 * 1024;

/// What is noted for a close without a code: RFC 6455 §7.4.1.
const NO_CODE: u16 = 1005;
