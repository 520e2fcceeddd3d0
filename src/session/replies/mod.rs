//! The order of the replies to one client: commands in, replies and pushes out. No I/O.
//!
//! Every transport that takes commands and sends pushes is one of these and something that moves
//! bytes. The transport [encodes](Replies::encode) what goes out.
//!
//! # Order
//!
//! Replies come in the order of the commands, which are carried out in theirs: one whose answer
//! has to be waited for does not keep those after it from being carried out. While a subscribe
//! waits for its answer, a publisher for the flushers that its last publish reached, or a command
//! for the decision of a [`Policy`](super::Policy), one more command is held, and no more should be
//! read: see [`Dialogue::is_ready`]. The `joined` reply takes the place, among the pushes, of the
//! frame that says where the subscription begins.
//!
//! # Progress
//!
//! A command is carried out at once. What it costs is counted: when [`Dialogue::is_spent`],
//! whoever reads lets other tasks have their turn before the next one. After a publish, the next
//! command waits while flushers are behind ([`Pace`]).
//!
//! # Memory
//!
//! What waits for one client is bounded by 16 replies, and by 64 KiB and one reply more. Whoever
//! takes them [says](Replies::has_room) when it has enough; then it has the dialogue
//! [polled](Dialogue::is_due) when it has room again.

#[cfg(test)]
mod tests;

use std::mem;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;

use crate::disconnect::Disconnect;
use crate::hub::Client;
use crate::hub::Event;
use crate::hub::Frame;
use crate::layers::sessions;
use crate::message::Format;
use crate::message::Message;
use crate::protocol::ErrorCode;
use crate::protocol::Fault;
use crate::protocol::Hello;
use crate::protocol::Push;
use crate::protocol::Request;
use crate::protocol::RequestId;
use crate::protocol::Timestamp;
use crate::session::operations::session::Restored;
use crate::time::millis;

use super::Deciding;
use super::Effort;
use super::Entrance;
use super::Origin;
use super::Outcome;
use super::Pace;
use super::Reply;
use super::Session;
use super::Subscribing;
use super::budget::BUDGET;
use super::budget::BYTES_FOR_ONE;
use super::budget::COMMAND_COST;
use super::entrance::Answering;
use super::rare::RareQueue;

/// The protocol with one client.
pub(crate) struct Dialogue {
    session: Session,
    /// A request that those after it wait for.
    stop: Option<Box<Stop>>,
    /// What waits for that: one command, unless whoever reads does not mind whether another
    /// may come.
    held: RareQueue<Held>,
    /// Replies in the order of their commands, of which the first is waited for.
    waiting: RareQueue<Waiting>,
    /// Bytes of those that are there.
    waiting_bytes: usize,
    /// Whether there was no room for what waits.
    has_stopped: bool,
    /// Commands of a session that is resumed, which are carried out before any other.
    restoring: RareQueue<Restored>,
    /// Whether something was begun that nobody has polled yet.
    has_begun: bool,
    /// Whether what its credentials claim waits for the end of a resumption.
    claims: bool,
    /// Waits for flushers before the next command.
    pace: Pace,
    /// What this turn may still cost.
    budget: u32,
}

/// What a client has said, and is not carried out yet.
enum Held {
    Binary,
    Request(Box<Result<Request, Fault>>),
    Text(Box<str>),
}

/// A request that those after it wait for.
enum Stop {
    /// A subscribe that has not been answered.
    Joining(Join),
    /// One about which a policy has not decided.
    Deciding(Undecided),
    /// Several that are carried out one after the other.
    Holding { about: About, future: Answering },
}

/// A subscribe on its way: answered in band by the frame that says where the stream begins.
struct Join {
    about: About,
    channel: String,
    /// `None` once the hub has agreed.
    future: Option<Subscribing>,
    /// Whether the frame has come.
    announced: bool,
}

/// A request that waits for the decision of a policy.
struct Undecided {
    about: About,
    deciding: Deciding,
}

/// What is known of a request while it is carried out.
#[derive(Default)]
struct About {
    id: Option<RequestId>,
    from: From,
}

/// The source of a request.
#[derive(Default)]
enum From {
    /// From the credentials of the connection.
    Claim,
    /// From the client.
    #[default]
    Client,
    /// From the session that is resumed, with the key of its note.
    Session(Box<str>),
}

impl About {
    fn origin(&self) -> Origin {
        match self.from {
            From::Claim => Origin::Claim,
            From::Client => Origin::Client,
            From::Session(_) => Origin::Restored,
        }
    }
}

/// A reply that is waited for, or that waits for one before it.
enum Waiting {
    There(Bytes),
    Awaited {
        id: Option<RequestId>,
        future: Answering,
    },
}

/// How many replies may wait: then no further command is taken.
const MOST_WAITING: usize = 16;

/// How many bytes of replies may wait: then no further command is taken.
const MOST_WAITING_BYTES: usize = 64 << 10;

/// Where replies go.
pub(crate) trait Replies {
    /// The bytes of a push, as this transport sends it.
    fn encode(&mut self, push: Push<'_>) -> Bytes;

    /// Takes one, whether or not there is room.
    fn give(&mut self, reply: Bytes);

    /// Whether those are taken that could as well wait. When it is so again after it was not,
    /// whoever has both sees to it that [`Dialogue::poll`] is called.
    fn has_room(&self) -> bool;
}

impl Dialogue {
    /// With `resumes`, its rooms wait for its first command.
    pub(crate) fn new(
        entrance: &Arc<Entrance>,
        client: Client,
        session: Option<Arc<sessions::Session>>,
        resumes: bool,
    ) -> Self {
        Self {
            session: Session::new(entrance, client, session, resumes),
            stop: None,
            held: RareQueue::new(),
            waiting: RareQueue::new(),
            waiting_bytes: 0,
            has_stopped: false,
            restoring: RareQueue::new(),
            has_begun: false,
            claims: false,
            pace: Pace::default(),
            budget: BUDGET,
        }
    }

    /// Begins another turn, after other tasks had theirs.
    pub(crate) fn begin_turn(&mut self) {
        self.budget = BUDGET;
    }

    /// Whether other tasks are to have their turn before the next command.
    pub(crate) fn is_spent(&self) -> bool {
        self.budget == 0
    }

    pub(crate) fn client(&self) -> &Client {
        self.session.client()
    }

    /// The first push, encoded.
    pub(crate) fn greeting(
        &self,
        max_message: usize,
        ping: Duration,
        pong: Duration,
        encode: impl FnOnce(Push<'_>) -> Bytes,
    ) -> Bytes {
        let client = self.client();
        encode(Push::Connected(&Hello {
            client: client.id(),
            user: client.user(),
            session: self.session.id(),
            max_message_bytes: max_message,
            ping_interval_ms: millis(ping),
            pong_timeout_ms: millis(pong),
            expires_in_ms: self.session.expires_in(),
        }))
    }

    /// Subscribes to the channels that the credentials of the connection claim: at once, or once it
    /// has resumed a session or has not.
    pub(crate) fn claim(&mut self, replies: &mut dyn Replies) {
        self.claims = true;
        self.begin_claims(replies);
    }

    fn begin_claims(&mut self, replies: &mut dyn Replies) {
        if self.session.resumes() || !mem::take(&mut self.claims) {
            return;
        }
        for claimed in self.session.claims() {
            self.restoring.push_back(claimed);
        }
        self.resume(replies);
    }

    /// The push that tells why the connection is about to be closed, and when to come back.
    pub(crate) fn farewell(why: &Disconnect, retry_after: Duration) -> Push<'_> {
        Push::Disconnect {
            why,
            retry_after_ms: millis(retry_after),
        }
    }

    /// Whether another command may come.
    pub(crate) fn is_ready(&self) -> bool {
        self.held.is_empty()
            && self.waiting.len() < MOST_WAITING
            && self.waiting_bytes < MOST_WAITING_BYTES
    }

    /// Returns `true` if a hook is called with the bytes of each message.
    #[inline]
    pub(crate) fn wants_raw(&self) -> bool {
        self.session.wants_raw()
    }

    /// Returns the message as the hooks have changed it.
    ///
    /// # Errors
    ///
    /// The fault that the client receives in the place of an answer.
    pub(crate) fn raw(&self, message: &Message) -> Result<Message, Fault> {
        let bytes = self.session.raw(message.payload().clone());
        let is_text = message.format() == Format::Text;
        let changed = bytes.and_then(|bytes| match is_text {
            true => match String::from_utf8(bytes.into()) {
                Ok(text) => Ok(Message::text(text)),
                Err(_) => {
                    let why = "a hook of this server made something else than UTF-8 of the message";
                    Err(Fault::new(ErrorCode::HookFailed, why))
                }
            },
            false => Ok(Message::binary(bytes)),
        });
        changed.map_err(|fault| {
            let text = message.as_text().unwrap_or_default();
            let request = Request::parse(text);
            fault.reply_to(request.map_or_else(|it| it.request().cloned(), |it| it.id))
        })
    }

    /// Takes a command, which is carried out as soon as those before it are.
    pub(crate) fn command(&mut self, text: &str, replies: &mut dyn Replies) {
        if self.is_holding() {
            self.held.push_back(Held::Text(text.into()));
        } else {
            self.start(text, replies);
        }
    }

    /// Takes a binary message, which is no command: that is said when those before it are carried
    /// out.
    pub(crate) fn binary(&mut self, replies: &mut dyn Replies) {
        if self.is_holding() {
            self.held.push_back(Held::Binary);
        } else {
            self.refuse_binary(replies);
        }
    }

    /// Takes a request that a dialect has read, or the fault of one that it could not read, of so
    /// many bytes.
    pub(crate) fn request(
        &mut self,
        request: Result<Request, Fault>,
        bytes: usize,
        replies: &mut dyn Replies,
    ) {
        self.spend(COMMAND_COST + bytes as u64 / BYTES_FOR_ONE);
        if self.is_holding() {
            self.held.push_back(Held::Request(Box::new(request)));
        } else {
            self.begin(request, replies);
        }
    }

    fn begin(&mut self, request: Result<Request, Fault>, replies: &mut dyn Replies) {
        match request {
            Ok(request) => self.handle(request, From::Client, replies),
            Err(fault) => self.refuse(&fault, replies),
        }
    }

    /// Whether the next command has to wait.
    fn is_holding(&mut self) -> bool {
        self.is_stopped() || !self.restoring.is_empty() || self.must_wait()
    }

    /// Whether a command before the next one is not decided, or not answered.
    fn is_stopped(&self) -> bool {
        self.stop.is_some()
    }

    /// Whether the next command has to wait for flushers.
    fn must_wait(&mut self) -> bool {
        let was_waiting = self.pace.is_waiting();
        let must_wait = self.pace.must_wait(self.session.turns());
        self.has_begun |= must_wait && !was_waiting;
        must_wait
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
        if self.pace.is_waiting() && self.pace.poll(cx).is_ready() {
            self.resume(replies);
        }
        self.decide(cx, replies);
        if self.answer_waiting(cx, replies).is_pending() {
            // A join that came after these is answered after them.
            return;
        }
        while let Some(join) = self.join()
            && let Some(future) = &mut join.future
            && let Poll::Ready(result) = future.as_mut().poll(cx)
        {
            join.future = None;
            match result {
                Ok(()) => self.settle(replies),
                Err(fault) => {
                    let about = mem::take(&mut join.about);
                    self.stop = None;
                    if self.is_told(&about, &fault) {
                        let fault = fault.reply_to(about.id);
                        let reply = replies.encode(Push::Error(&fault));
                        replies.give(reply);
                    }
                    self.resume(replies);
                }
            }
        }
    }

    /// Goes on with the request that the others wait for, if a policy has decided, or it is done.
    fn decide(&mut self, cx: &mut Context<'_>, replies: &mut dyn Replies) {
        let ready = match self.stop.as_deref_mut() {
            Some(Stop::Deciding(undecided)) => undecided.deciding.poll(cx).map_ok(|()| None),
            Some(Stop::Holding { future, .. }) => future.as_mut().poll(cx).map_ok(Some),
            Some(Stop::Joining(_)) | None => return,
        };
        let Poll::Ready(ready) = ready else { return };
        let (about, deciding) = match self.stop.take().map(|stop| *stop) {
            Some(Stop::Deciding(Undecided { about, deciding })) => (about, Some(deciding)),
            Some(Stop::Holding { about, .. }) => (about, None),
            Some(Stop::Joining(_)) | None => return,
        };
        if let (Err(fault), Some(_)) = (&ready, &deciding) {
            self.session.refused(about.origin(), fault);
        }
        let outcome = match (ready, deciding) {
            (Ok(None), Some(deciding)) => {
                let mut effort = Effort::default();
                let outcome = self.session.go_on(deciding, about.origin(), &mut effort);
                self.note(effort);
                outcome
            }
            (ready, _) => Outcome::Now(ready.map(|reply| reply.unwrap_or(Reply::Done))),
        };
        self.came_to(outcome, about, replies);
        self.resume(replies);
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
                    Poll::Ready(answered) => {
                        let id = id.take();
                        reply_of(answered, id, |push| replies.encode(push))
                    }
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

    /// The subscribe that waits for its answer.
    fn join(&mut self) -> Option<&mut Join> {
        match self.stop.as_deref_mut() {
            Some(Stop::Joining(join)) => Some(join),
            _ => None,
        }
    }

    /// Whether a subscribe waits for its answer, so that frames are to go through
    /// [`Dialogue::personal`].
    pub(crate) fn is_joining(&self) -> bool {
        matches!(self.stop.as_deref(), Some(Stop::Joining(_)))
    }

    /// What a frame says to this client alone, if it is the answer to its subscribe.
    pub(crate) fn personal<'a>(&'a mut self, frame: &'a Frame) -> Option<Push<'a>> {
        let join = self.join()?;
        let Event::Joined(joined) = frame.event() else {
            return None;
        };
        if *join.channel != *joined.channel {
            return None;
        }
        join.announced = true;
        Some(Push::Joined {
            reply_to: join.about.id.as_ref(),
            joined,
            published_at: Timestamp::since_unix_epoch(frame.published_at()),
        })
    }

    /// Goes on with what is held, if the join before it has been answered.
    pub(crate) fn settle(&mut self, replies: &mut dyn Replies) {
        if matches!(self.join(), Some(join) if join.announced && join.future.is_none()) {
            self.stop = None;
            self.resume(replies);
        }
    }

    fn resume(&mut self, replies: &mut dyn Replies) {
        while !self.is_stopped() {
            if let Some(restored) = self.restoring.pop_front() {
                self.carry_out(restored, replies);
                continue;
            }
            if !self.held.is_empty() && self.must_wait() {
                return;
            }
            match self.held.pop_front() {
                Some(Held::Text(text)) => self.start(&text, replies),
                Some(Held::Binary) => self.refuse_binary(replies),
                Some(Held::Request(request)) => self.begin(*request, replies),
                None => return,
            }
        }
    }

    fn start(&mut self, text: &str, replies: &mut dyn Replies) {
        self.spend(COMMAND_COST + text.len() as u64 / BYTES_FOR_ONE);
        self.begin(Request::parse(text), replies);
    }

    /// Carries out a command of a session that is resumed: one that was carried out before.
    fn carry_out(&mut self, restored: Restored, replies: &mut dyn Replies) {
        let from = restored.key.map_or(From::Claim, From::Session);
        match Request::parse(&restored.text) {
            Ok(request) => self.handle(request, from, replies),
            Err(fault) => {
                let about = About { id: None, from };
                if self.is_told(&about, &fault) {
                    self.refuse(&fault, replies);
                }
            }
        }
    }

    /// Notes that a request was refused, and returns whether the client is told.
    fn is_told(&self, about: &About, fault: &Fault) -> bool {
        match &about.from {
            From::Claim => fault.code() != ErrorCode::AlreadySubscribed,
            From::Client => true,
            From::Session(key) => {
                self.session.not_restored(key, fault);
                true
            }
        }
    }

    fn handle(&mut self, mut request: Request, from: From, replies: &mut dyn Replies) {
        let id = request.id.take();
        let about = About { id, from };
        let mut effort = Effort::default();
        let outcome = self.session.handle(request, about.origin(), &mut effort);
        self.note(effort);
        self.came_to(outcome, about, replies);
    }

    /// Notes what a request has caused.
    fn note(&mut self, effort: Effort) {
        self.pace.note(effort.reached);
        if let Some(channel) = effort.deferred {
            self.pace.note_deferred(channel);
        }
        self.spend(effort.cost);
    }

    fn came_to(&mut self, outcome: Outcome, about: About, replies: &mut dyn Replies) {
        match outcome {
            Outcome::Resumed { reply, commands } => {
                for command in commands {
                    self.restoring.push_back(command);
                }
                self.answer(Ok(reply), about.id, replies);
                self.resume(replies);
            }
            Outcome::Answering(future) => {
                self.has_begun = true;
                let id = about.id;
                self.waiting.push_back(Waiting::Awaited { id, future });
            }
            Outcome::Joining { channel, future } => {
                self.has_begun = true;
                self.stop = Some(Box::new(Stop::Joining(Join {
                    about,
                    channel,
                    future: Some(future),
                    announced: false,
                })));
            }
            Outcome::Deciding(deciding) => {
                self.has_begun = true;
                let undecided = Undecided { about, deciding };
                self.stop = Some(Box::new(Stop::Deciding(undecided)));
            }
            Outcome::Holding(future) => {
                self.has_begun = true;
                self.stop = Some(Box::new(Stop::Holding { about, future }));
            }
            Outcome::Now(done) => {
                if done
                    .as_ref()
                    .err()
                    .is_none_or(|fault| self.is_told(&about, fault))
                {
                    self.answer(done, about.id, replies);
                }
            }
        }
        if self.claims {
            self.begin_claims(replies);
        }
    }

    fn spend(&mut self, cost: u64) {
        let cost = u32::try_from(cost).unwrap_or(u32::MAX);
        self.budget = self.budget.saturating_sub(cost);
    }

    fn refuse_binary(&mut self, replies: &mut dyn Replies) {
        let why = "commands are JSON in text frames";
        self.refuse(&Fault::new(ErrorCode::UnsupportedFrame, why), replies);
    }

    fn refuse(&mut self, fault: &Fault, replies: &mut dyn Replies) {
        let reply = replies.encode(Push::Error(fault));
        self.reply(reply, replies);
    }

    fn answer(
        &mut self,
        done: Result<Reply, Fault>,
        id: Option<RequestId>,
        replies: &mut dyn Replies,
    ) {
        if let Some(reply) = reply_of(done, id, |push| replies.encode(push)) {
            self.reply(reply, replies);
        }
    }
}

/// The reply to a command, encoded; `None` if it was carried out and asked for no reply.
fn reply_of(
    done: Result<Reply, Fault>,
    id: Option<RequestId>,
    encode: impl FnOnce(Push<'_>) -> Bytes,
) -> Option<Bytes> {
    match done {
        Ok(reply) => push_of(&reply, id.as_ref()).map(encode),
        Err(fault) => Some(encode(Push::Error(&fault.reply_to(id)))),
    }
}

/// The push that says what a command has come to, if it asked for one.
fn push_of<'a>(reply: &'a Reply, id: Option<&'a RequestId>) -> Option<Push<'a>> {
    Some(match (reply, id) {
        (Reply::Done | Reply::Published(_) | Reply::Data(_), None) => return None,
        (Reply::Data(data), Some(reply_to)) => Push::Answer {
            reply_to,
            data: Some(data),
        },
        (Reply::Done, Some(reply_to)) => Push::Ack {
            reply_to,
            delivery: None,
        },
        (Reply::Published(delivery), Some(reply_to)) => Push::Ack {
            reply_to,
            delivery: Some(delivery),
        },
        (Reply::Pong, reply_to) => Push::Pong { reply_to },
        (Reply::Presence { channel, members }, reply_to) => Push::Presence {
            reply_to,
            channel,
            members,
        },
    })
}
