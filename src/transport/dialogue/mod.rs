//! The native protocol with one client: commands in, replies and pushes out. No I/O.
//!
//! Every transport that takes commands and sends pushes is one of these and something that moves
//! bytes. What goes out is a whole WebSocket text frame, for the frames of the hub are encoded
//! once for all clients; who needs the text alone [takes it out](framing::text_of).
//!
//! # Order
//!
//! Replies come in the order of the commands, which are carried out in theirs: one whose answer
//! has to be waited for does not keep those after it from being carried out. While a subscribe
//! waits for its answer, one more command is held, and no more should be read: see
//! [`Dialogue::is_ready`]. The `joined` reply takes the place, among the pushes, of the frame
//! that says where the subscription begins.
//!
//! # Memory
//!
//! What waits for one client is bounded by 16 replies, and by 64 KiB and one reply more. Whoever
//! takes them [says](Replies::has_room) when it has enough; then it has the dialogue
//! [polled](Dialogue::is_due) when it has room again.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::mem;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;

use crate::disconnect::Disconnect;
use crate::hub::Client;
use crate::hub::Event;
use crate::hub::Frame;
use crate::layers::sessions;
use crate::operations::Answer;
use crate::operations::Later;
use crate::operations::session::Restored;
use crate::protocol::Command;
use crate::protocol::ErrorCode;
use crate::protocol::Fault;
use crate::protocol::Hello;
use crate::protocol::Push;
use crate::protocol::Request;
use crate::protocol::RequestId;
use crate::time::Clock;
use crate::time::SystemClock;
use crate::transport::gateway::Gateway;
use crate::transport::rate::CommandRate;
use crate::transport::session::ClientPublish;
use crate::transport::session::Done;
use crate::transport::session::Outcome;
use crate::transport::session::Session;
use crate::transport::session::Subscribing;
use crate::transport::ws::framing;

/// What a client may ask.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) client_publish: ClientPublish,
    pub(crate) max_commands: Option<NonZeroU32>,
    pub(crate) max_refused: Option<NonZeroU32>,
}

/// The protocol with one client.
pub(crate) struct Dialogue {
    session: Session,
    /// A subscribe that has not been answered.
    join: Option<Box<Join>>,
    /// What waits for the join: one command, unless whoever reads does not mind whether another
    /// may come.
    held: VecDeque<Held>,
    /// Replies in the order of their commands, of which the first is waited for.
    waiting: VecDeque<Waiting>,
    /// Bytes of those that are there.
    waiting_bytes: usize,
    /// Whether there was no room for what waits.
    has_stopped: bool,
    /// Commands of a session that is resumed, which are carried out before any other.
    restoring: VecDeque<Restored>,
    /// Whether something was begun that nobody has polled yet.
    has_begun: bool,
    rate: Option<Box<Rate>>,
}

/// What a client has said, and is not carried out yet.
enum Held {
    Binary,
    Text(Box<str>),
}

/// A subscribe on its way: answered in band by the frame that says where the stream begins.
struct Join {
    id: Option<RequestId>,
    channel: String,
    /// What it brings back, by its note.
    restores: Option<Box<str>>,
    /// `None` once the hub has agreed.
    future: Option<Subscribing>,
    /// Whether the frame has come.
    announced: bool,
}

/// A reply that is waited for, or that waits for one before it.
enum Waiting {
    There(Bytes),
    Awaited {
        id: Option<RequestId>,
        future: Later,
    },
}

/// How many replies may wait: then no further command is taken.
const MOST_WAITING: usize = 16;

/// How many bytes of replies may wait: then no further command is taken.
const MOST_WAITING_BYTES: usize = 64 << 10;

struct Rate {
    commands: CommandRate,
    /// Refused in a row.
    refused: u32,
    max_refused: Option<NonZeroU32>,
}

/// Where replies go.
pub(crate) trait Replies {
    /// Takes one, whether or not there is room.
    fn give(&mut self, reply: Bytes);

    /// Whether those are taken that could as well wait. When it is so again after it was not,
    /// whoever has both sees to it that [`Dialogue::poll`] is called.
    fn has_room(&self) -> bool;
}

impl Dialogue {
    /// With `resumes`, its rooms wait for its first command.
    pub(crate) fn new(
        gateway: &Gateway,
        client: Client,
        rules: Rules,
        session: Option<Arc<sessions::Session>>,
        resumes: bool,
    ) -> Self {
        let rate = rules.max_commands.map(|commands| {
            Box::new(Rate {
                commands: CommandRate::per_second(commands, SystemClock::new().now()),
                refused: 0,
                max_refused: rules.max_refused,
            })
        });
        Self {
            session: Session::new(gateway, client, rules.client_publish, session, resumes),
            join: None,
            held: VecDeque::new(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            has_stopped: false,
            restoring: VecDeque::new(),
            has_begun: false,
            rate,
        }
    }

    pub(crate) fn client(&self) -> &Client {
        self.session.client()
    }

    /// The first frame.
    pub(crate) fn greeting(&self, max_message: usize, ping: Duration, pong: Duration) -> Bytes {
        let client = self.client();
        framing::text(Push::Connected(&Hello {
            client: client.id(),
            user: client.user(),
            session: self.session.id(),
            max_message_bytes: max_message,
            ping_interval_ms: millis(ping),
            pong_timeout_ms: millis(pong),
        }))
    }

    /// The frame that tells why the connection is about to be closed, and when to come back.
    pub(crate) fn farewell(why: &Disconnect, retry_after: Duration) -> Bytes {
        framing::text(Push::Disconnect {
            why,
            retry_after_ms: millis(retry_after),
        })
    }

    /// Whether another command may come.
    pub(crate) fn is_ready(&self) -> bool {
        self.held.is_empty()
            && self.waiting.len() < MOST_WAITING
            && self.waiting_bytes < MOST_WAITING_BYTES
    }

    /// Takes a command, which is carried out as soon as those before it are.
    pub(crate) fn command(&mut self, text: &str, replies: &mut dyn Replies) {
        if self.join.is_some() || !self.restoring.is_empty() {
            self.held.push_back(Held::Text(text.into()));
        } else {
            self.start(text, replies);
        }
    }

    /// Takes a binary message, which is no command: that is said when those before it are carried
    /// out.
    pub(crate) fn binary(&mut self, replies: &mut dyn Replies) {
        if self.join.is_some() || !self.restoring.is_empty() {
            self.held.push_back(Held::Binary);
        } else {
            self.refuse_binary(replies);
        }
    }

    /// Whether something was begun that nobody has polled yet, or has waited for room that there
    /// is now: then [`Dialogue::poll`] is to be called, for nothing else wakes whoever calls it.
    pub(crate) fn is_due(&self, replies: &dyn Replies) -> bool {
        self.has_begun || self.has_stopped && replies.has_room()
    }

    /// Goes on with what waits for the hub, as far as there is room for it; pending when nothing
    /// waits any more, too.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, replies: &mut dyn Replies) {
        loop {
            self.has_begun = false;
            self.poll_all(cx, replies);
            if !self.has_begun {
                return;
            }
        }
    }

    fn poll_all(&mut self, cx: &mut Context<'_>, replies: &mut dyn Replies) {
        if self.answer_waiting(cx, replies).is_pending() {
            // A join that came after these is answered after them.
            return;
        }
        while let Some(join) = &mut self.join
            && let Some(future) = &mut join.future
            && let Poll::Ready(result) = future.as_mut().poll(cx)
        {
            join.future = None;
            match result {
                Ok(()) => self.settle(replies),
                Err(fault) => {
                    if let Some(key) = &join.restores {
                        self.session.not_restored(key, &fault);
                    }
                    let fault = fault.reply_to(join.id.take());
                    self.join = None;
                    replies.give(framing::text(Push::Error(&fault)));
                    self.resume(replies);
                }
            }
        }
    }

    /// Gives the replies that are there, in order; pending while one is waited for, or room is.
    fn answer_waiting(&mut self, cx: &mut Context<'_>, replies: &mut dyn Replies) -> Poll<()> {
        self.has_stopped = false;
        while let Some(first) = self.waiting.front_mut() {
            if !replies.has_room() {
                self.has_stopped = true;
                return Poll::Pending;
            }
            let reply = match first {
                Waiting::There(reply) => {
                    self.waiting_bytes -= reply.len();
                    Some(mem::take(reply))
                }
                Waiting::Awaited { id, future } => match future.as_mut().poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(answered) => answered_later(id.take(), answered),
                },
            };
            self.waiting.pop_front();
            if let Some(reply) = reply {
                replies.give(reply);
            }
        }
        Poll::Ready(())
    }

    /// Gives a reply, after those that are waited for.
    fn reply(&mut self, reply: Bytes, replies: &mut dyn Replies) {
        if self.waiting.is_empty() {
            replies.give(reply);
        } else {
            self.waiting_bytes += reply.len();
            self.waiting.push_back(Waiting::There(reply));
        }
    }

    /// Whether a subscribe waits for its answer, so that frames are to go through
    /// [`Dialogue::personal`].
    pub(crate) fn is_joining(&self) -> bool {
        self.join.is_some()
    }

    /// The encoding of a frame for this client alone, if it is the answer to its subscribe.
    pub(crate) fn personal(&mut self, frame: &Frame) -> Option<Bytes> {
        let join = self.join.as_mut()?;
        let Event::Joined(joined) = frame.event() else {
            return None;
        };
        if *join.channel != *joined.channel {
            return None;
        }
        join.announced = true;
        Some(framing::text(Push::Joined {
            reply_to: join.id.as_ref(),
            joined,
        }))
    }

    /// Goes on with what is held, if the join before it has been answered.
    pub(crate) fn settle(&mut self, replies: &mut dyn Replies) {
        if matches!(&self.join, Some(join) if join.announced && join.future.is_none()) {
            self.join = None;
            self.resume(replies);
        }
    }

    fn resume(&mut self, replies: &mut dyn Replies) {
        while self.join.is_none() {
            if let Some(restored) = self.restoring.pop_front() {
                self.carry_out(restored, replies);
                continue;
            }
            match self.held.pop_front() {
                Some(Held::Text(text)) => self.start(&text, replies),
                Some(Held::Binary) => self.refuse_binary(replies),
                None => {
                    // Whoever is idle keeps no memory for it.
                    self.held = VecDeque::new();
                    return;
                }
            }
        }
    }

    fn start(&mut self, text: &str, replies: &mut dyn Replies) {
        let Request { id, command } = match Request::parse(text) {
            Ok(request) => request,
            Err(fault) => return self.refuse(&fault, replies),
        };
        if let Some(rate) = &mut self.rate
            && let Err(fault) = rate.take(self.session.client())
        {
            return self.refuse(&fault.reply_to(id), replies);
        }
        self.handle(id, command, None, replies);
    }

    /// Carries out a command of a session that is resumed: one that was carried out before.
    fn carry_out(&mut self, restored: Restored, replies: &mut dyn Replies) {
        match Request::parse(&restored.text) {
            Ok(Request { id, command }) => self.handle(id, command, Some(restored.key), replies),
            Err(fault) => {
                self.session.not_restored(&restored.key, &fault);
                self.refuse(&fault, replies);
            }
        }
    }

    /// `restores` is the key of the note that it brings back, if it does.
    fn handle(
        &mut self,
        id: Option<RequestId>,
        command: Command,
        restores: Option<Box<str>>,
        replies: &mut dyn Replies,
    ) {
        match self.session.handle(command) {
            Outcome::Resumed { answer, commands } => {
                self.restoring = commands.into();
                if let Some(push) = self::answer(id.as_ref(), &Done::Answered(answer)) {
                    self.reply(framing::text(push), replies);
                }
                self.resume(replies);
            }
            Outcome::Answering(future) => {
                self.has_begun = true;
                self.waiting.push_back(Waiting::Awaited { id, future });
            }
            Outcome::Later { channel, future } => {
                self.has_begun = true;
                self.join = Some(Box::new(Join {
                    id,
                    channel,
                    restores,
                    future: Some(future),
                    announced: false,
                }));
            }
            Outcome::Now(Ok(done)) => {
                if let Some(push) = answer(id.as_ref(), &done) {
                    self.reply(framing::text(push), replies);
                }
            }
            Outcome::Now(Err(fault)) => {
                if let Some(key) = restores {
                    self.session.not_restored(&key, &fault);
                }
                self.refuse(&fault.reply_to(id), replies);
            }
        }
    }

    fn refuse_binary(&mut self, replies: &mut dyn Replies) {
        let why = "commands are JSON in text frames";
        self.refuse(&Fault::new(ErrorCode::UnsupportedFrame, why), replies);
    }

    fn refuse(&mut self, fault: &Fault, replies: &mut dyn Replies) {
        self.reply(framing::text(Push::Error(fault)), replies);
    }
}

impl Rate {
    fn take(&mut self, client: &Client) -> Result<(), Fault> {
        let now: Instant = SystemClock::new().now();
        let Err(wait) = self.commands.take(now) else {
            self.refused = 0;
            return Ok(());
        };
        self.refused = self.refused.saturating_add(1);
        if self.max_refused.is_some_and(|max| self.refused > max.get()) {
            client.close(Disconnect::RATE_LIMITED);
        }
        let why = format!("too many commands; try again in {} ms", millis(wait).max(1));
        Err(Fault::new(ErrorCode::RateLimited, why).retry_after(wait))
    }
}

/// The reply to a command that others had to be waited for.
fn answered_later(id: Option<RequestId>, answered: Result<Answer, Fault>) -> Option<Bytes> {
    match answered {
        Ok(done) => answer(id.as_ref(), &Done::Answered(done)).map(framing::text),
        Err(fault) => Some(framing::text(Push::Error(&fault.reply_to(id)))),
    }
}

/// The reply to a command that was carried out, if it asked for one.
fn answer<'a>(id: Option<&'a RequestId>, done: &'a Done) -> Option<Push<'a>> {
    Some(match (done, id) {
        (Done::Nothing | Done::Published(_) | Done::Answered(_), None) => return None,
        (Done::Answered(answer), Some(reply_to)) => Push::Answer {
            reply_to,
            data: answer.json(),
        },
        (Done::Nothing, Some(reply_to)) => Push::Ack {
            reply_to,
            delivery: None,
        },
        (Done::Published(delivery), Some(reply_to)) => Push::Ack {
            reply_to,
            delivery: Some(delivery),
        },
        (Done::Pong, reply_to) => Push::Pong { reply_to },
        (Done::Roster { channel, members }, reply_to) => Push::Presence {
            reply_to,
            channel,
            members,
        },
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
