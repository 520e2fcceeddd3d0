//! Transports of the embedder's own: anything that carries messages.

use std::collections::VecDeque;
use std::future;
use std::future::Future;
use std::io;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::yield_now;
use tokio::time;

use crate::disconnect::Disconnect;
use crate::hub::Batch;
use crate::hub::Client;
use crate::hub::Closed;
use crate::hub::ConnectOptions;
use crate::hub::Outbox;
use crate::message::Message;
use crate::protocol::Heard;
use crate::protocol::Push;
use crate::protocol::SUBPROTOCOL;
use crate::session::Dialogue;
use crate::session::Moments;
use crate::session::Replies;
use crate::session::fault::refusal;
use crate::transport::gateway::Gateway;
use crate::transport::gateway::Registration;
use crate::transport::gateway::arrival;
use crate::transport::stats::Tally;
use crate::transport::stats::Transport;
use crate::transport::ws::framing;
use crate::transport::ws::framing::Encoding;

/// A connection that carries messages, text or binary, one after the other, in both directions:
/// QUIC streams, a message queue, a pipe, or [memory](crate::transport::memory).
///
/// [`Gateway::serve_conn`] speaks [the native protocol](crate::docs::protocol) over it, which is
/// text alone, or the dialect that [`Conn::subprotocol`] names. Keeping the connection alive, and
/// noticing that the peer is gone, is the transport's own business.
pub trait Conn: Send + 'static {
    /// Returns the sub-protocol of the dialect that the peer speaks: `throng.v1.raw`, or one that
    /// was [added](crate::GatewayBuilder::dialect). Read once, before anything is received.
    /// Default: `None`, the native protocol.
    fn subprotocol(&self) -> Option<&str> {
        None
    }

    /// Returns the query that the dialect makes its first requests of, such as `channels=news`.
    /// Read once. Default: empty. The native protocol has no use for it.
    fn query(&self) -> &str {
        ""
    }

    /// Receives the next message of the peer; `None` at the end. Only its payload and its format
    /// count. A binary message is refused with
    /// [`UnsupportedFrame`](crate::ErrorCode::UnsupportedFrame) where the native protocol is
    /// spoken.
    ///
    /// # Errors
    ///
    /// The connection is broken.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, no message is lost.
    fn recv(&mut self) -> impl Future<Output = io::Result<Option<Message>>> + Send;

    /// Takes a message for the peer. May wait until there is room. The payload is shared with other
    /// clients.
    ///
    /// # Errors
    ///
    /// The connection is broken.
    fn send(&mut self, message: Message) -> impl Future<Output = io::Result<()>> + Send;

    /// Sends what was taken: called when nothing more is there for now.
    ///
    /// # Errors
    ///
    /// When the connection is broken.
    fn flush(&mut self) -> impl Future<Output = io::Result<()>> + Send {
        future::ready(Ok(()))
    }

    /// Ends the connection, if possible with this code and reason. Nothing else is called after
    /// it.
    fn close(&mut self, why: &Disconnect) -> impl Future<Output = ()> + Send;
}

impl Gateway {
    /// Connects the peer of `conn`, and serves it until either side closes.
    ///
    /// Of the settings for WebSocket, these hold: who publishes, how many commands and how large
    /// ones, and the time within which a message, and a close, must be taken. A peer that names a
    /// dialect which this gateway does not speak is closed with
    /// [`Disconnect::UNSUPPORTED`].
    ///
    /// # Order
    ///
    /// Messages are sent in the order of the client's outbox, replies in the order of the commands.
    ///
    /// # Closing
    ///
    /// What was accepted for the client before it is closed is sent, then a `disconnect` that says
    /// why (in a dialect, whatever stands for it), and then [`Conn::close`] is called.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime whose time driver is enabled.
    ///
    /// # Cancel safety
    ///
    /// The client is connected when this returns, or, where a hook decides about it, once that has
    /// let it connect. When the future is dropped early, so is `conn`,
    /// and the client is disconnected from the hub.
    ///
    /// # Memory
    ///
    /// Besides the outbox, at most 256 messages on their way, shared with other clients; and of
    /// replies 16 that wait for one before them, those and what is on its way 64 KiB each and one
    /// reply more.
    pub fn serve_conn<C: Conn>(
        &self,
        conn: C,
        options: ConnectOptions,
    ) -> impl Future<Output = ()> + Send + use<C> {
        let write_timeout = self.ws_config().write_timeout;
        let mut vetted = None;
        let mut serving = None;
        if self.hooks().wants(Moments::CONNECT) {
            vetted = Some((self.clone(), options));
        } else {
            serving = Some(self.greeted(&conn, options));
        }
        async move {
            let mut line = Line {
                conn,
                write_timeout,
            };
            if let Some((gateway, options)) = vetted {
                let arrival = arrival(&options, Transport::Other);
                if let Err(why) = gateway.hooks().admit(arrival).await {
                    return line.close(&why).await;
                }
                serving = Some(gateway.greeted(&line.conn, options));
            }
            match serving {
                Some(Ok(serving)) => serving.run(&mut line).await,
                Some(Err(why)) => line.close(why).await,
                None => {}
            }
        }
    }

    /// Connects a peer that the hooks have let connect.
    fn greeted(
        &self,
        conn: &impl Conn,
        options: ConnectOptions,
    ) -> Result<Serving, &'static Disconnect> {
        let encoding = self.encoding(conn.subprotocol()).ok_or(UNSUPPORTED)?;
        let entered = self.enter(options, Transport::Other, true);
        let entered = entered.map_err(|error| refusal(&error))?;
        Ok(Serving::new(encoding, conn.query(), entered))
    }

    /// Returns the encoding of the dialect with this name, `None` naming the native protocol.
    fn encoding(&self, subprotocol: Option<&str>) -> Option<Encoding> {
        let Some(name) = subprotocol.filter(|name| *name != SUBPROTOCOL) else {
            return Some(Encoding::default());
        };
        let mut dialects = self.dialects().iter();
        let dialect = dialects.find(|dialect| dialect.subprotocol(name).is_some());
        dialect.map(|dialect| Encoding::speaking(*dialect))
    }
}

/// A connection that has to be quick.
struct Line<C> {
    conn: C,
    write_timeout: Duration,
}

impl<C: Conn> Line<C> {
    async fn send(&mut self, message: Message) -> io::Result<()> {
        time::timeout(self.write_timeout, self.conn.send(message)).await?
    }

    async fn flush(&mut self) -> io::Result<()> {
        time::timeout(self.write_timeout, self.conn.flush()).await?
    }

    async fn close(&mut self, why: &Disconnect) {
        // Whatever comes of it, the connection is dropped next.
        drop(time::timeout(self.write_timeout, self.conn.close(why)).await);
    }
}

/// The frames that are sent next, as WebSocket has them. All of them are sent before the dialogue
/// is polled again.
#[derive(Default)]
struct Frames {
    frames: VecDeque<Bytes>,
    encoding: Encoding,
    /// Bytes of replies.
    owed: usize,
    /// The reason for which the dialect ends the connection, if it does.
    end: Option<Disconnect>,
}

impl Frames {
    /// Adds a frame, unless the dialect has none.
    fn push(&mut self, frame: Bytes) {
        if !frame.is_empty() {
            self.frames.push_back(frame);
        }
    }
}

impl Replies for Frames {
    fn encode(&mut self, push: Push<'_>) -> Bytes {
        self.encoding.say(push).unwrap_or_else(|why| {
            self.end = Some(why);
            Bytes::new()
        })
    }

    fn give(&mut self, reply: Bytes) {
        self.owed += reply.len();
        self.push(reply);
    }

    fn has_room(&self) -> bool {
        self.owed < MAX_OWED
    }
}

/// What is served over a connection.
struct Serving {
    outbox: Outbox,
    dialogue: Dialogue,
    batch: Batch,
    waiting: Frames,
    max_message: usize,
    registration: Registration,
}

/// What a connection waits for.
enum Wake {
    Received(io::Result<Option<Message>>),
    Replied,
    Waits(Result<usize, Closed>),
}

impl Serving {
    /// Greets a client that has entered, and carries out the requests that its dialect begins with.
    fn new(encoding: Encoding, query: &str, entered: (Client, Outbox, Registration)) -> Self {
        let (client, outbox, registration) = entered;
        let gateway = registration.gateway();
        let max_message = gateway.ws_config().max_message;
        let session = registration.session();
        let mut dialogue = Dialogue::new(gateway.entrance(), client, session, false);
        let mut waiting = Frames {
            encoding,
            ..Frames::default()
        };
        let none = Duration::ZERO;
        let greeting = dialogue.greeting(max_message, none, none, |push| waiting.encode(push));
        waiting.push(greeting);
        if let Some(dialect) = encoding.dialect() {
            match dialect.opening(query) {
                Ok(requests) => {
                    for request in requests {
                        dialogue.request(Ok(request), 0, &mut waiting);
                    }
                }
                Err(why) => dialogue.client().close(why),
            }
        }
        Self {
            outbox,
            dialogue,
            batch: Batch::new(),
            waiting,
            max_message,
            registration,
        }
    }

    async fn run<C: Conn>(mut self, line: &mut Line<C>) {
        loop {
            if let Err(error) = self.write(line).await {
                return self.broken(&error);
            }
            if let Some(why) = self.waiting.end.take() {
                self.dialogue.client().close(why);
            }
            match self.wait(line).await {
                Wake::Received(Ok(Some(message))) => {
                    self.take(&message);
                    if self.dialogue.is_spent() {
                        // Other tasks have their turn.
                        yield_now().await;
                        self.dialogue.begin_turn();
                    }
                }
                Wake::Received(Ok(None)) => return self.ended(&Disconnect::NORMAL),
                Wake::Received(Err(error)) => return self.broken(&error),
                Wake::Replied => {}
                Wake::Waits(Ok(_)) => self.encode(),
                Wake::Waits(Err(closed)) => {
                    return self.say_farewell(closed.disconnect(), line).await;
                }
            }
        }
    }

    /// Waits for the next thing to happen. Dropped early, nothing has.
    async fn wait<C: Conn>(&mut self, line: &mut Line<C>) -> Wake {
        let Self {
            outbox,
            dialogue,
            batch,
            waiting,
            ..
        } = self;
        let is_ready = dialogue.is_ready();
        let replied = future::poll_fn(|cx| {
            dialogue.poll(cx, waiting);
            // Those that wanted no reply make room for commands, too.
            if waiting.frames.is_empty() && dialogue.is_ready() == is_ready {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        });
        tokio::select! {
            received = line.conn.recv(), if is_ready => Wake::Received(received),
            waits = outbox.recv_batch(batch, MAX_BATCH) => Wake::Waits(waits),
            () = replied => Wake::Replied,
        }
    }

    fn take(&mut self, message: &Message) {
        let bytes = message.payload().len();
        let tally = Tally {
            bytes_in: bytes as u64,
            frames_in: 1,
            ..Tally::default()
        };
        self.count(&tally);
        if bytes > self.max_message {
            return self.dialogue.client().close(Disconnect::TOO_LARGE);
        }
        self.registration.touch();
        if !self.dialogue.wants_raw() {
            return self.hear(message);
        }
        match self.dialogue.raw(message) {
            Ok(message) => self.hear(&message),
            Err(fault) => self.dialogue.request(Err(fault), bytes, &mut self.waiting),
        }
    }

    fn hear(&mut self, message: &Message) {
        let bytes = message.payload().len();
        let request = match self
            .waiting
            .encoding
            .dialect()
            .map(|it| it.hear(message.clone()))
        {
            None => return self.command(message),
            Some(Heard::Request(request)) => Ok(request),
            Some(Heard::Refused(fault)) => Err(fault),
            Some(Heard::Answered(message)) => return self.waiting.give(framing::data(&message)),
            Some(Heard::Nothing) => return,
            Some(Heard::Close(why)) => return self.dialogue.client().close(why),
        };
        self.dialogue.request(request, bytes, &mut self.waiting);
    }

    /// Takes a message of the native protocol.
    fn command(&mut self, message: &Message) {
        match message.as_text() {
            Some(text) => self.dialogue.command(text, &mut self.waiting),
            None => self.dialogue.binary(&mut self.waiting),
        }
    }

    /// Takes over what was in the outbox.
    fn encode(&mut self) {
        for frame in &self.batch {
            let personal = self.dialogue.personal(frame);
            let personal = personal.map(|push| self.waiting.encode(push));
            let encoding = self.waiting.encoding;
            self.waiting
                .push(personal.unwrap_or_else(|| encoding.of(frame).clone()));
        }
        self.batch.clear();
        self.dialogue.settle(&mut self.waiting);
    }

    async fn write<C: Conn>(&mut self, line: &mut Line<C>) -> io::Result<()> {
        if self.waiting.frames.is_empty() {
            return Ok(());
        }
        let (mut bytes, frames) = (0, self.waiting.frames.len());
        self.waiting.owed = 0;
        while let Some(frame) = self.waiting.frames.pop_front() {
            let message = framing::message_of(&frame);
            bytes += message.payload().len();
            line.send(message).await?;
        }
        line.flush().await?;
        let mut tally = Tally::default();
        tally.wrote(bytes, frames);
        self.count(&tally);
        Ok(())
    }

    async fn say_farewell<C: Conn>(&mut self, why: &Disconnect, line: &mut Line<C>) {
        let retry_after = self
            .registration
            .gateway()
            .retry_after(self.dialogue.client().id());
        let farewell = Dialogue::farewell(why, retry_after);
        let farewell = self.waiting.encode(farewell);
        self.waiting.push(farewell);
        self.registration.closed(why.code());
        if self.write(line).await.is_ok() {
            line.close(why).await;
        }
    }

    fn broken(&self, error: &io::Error) {
        let why = match error.kind() {
            io::ErrorKind::TimedOut => Disconnect::WRITE_TIMEOUT,
            _ => Disconnect::RECEIVER_DROPPED,
        };
        self.dialogue.client().close(why);
    }

    fn ended(&self, why: &Disconnect) {
        self.registration.closed(why.code());
        self.dialogue.client().close(why.clone());
    }

    fn count(&self, tally: &Tally) {
        self.registration.count(tally);
        self.registration.totals().add(tally);
    }
}

const UNSUPPORTED: &Disconnect = &Disconnect::UNSUPPORTED;

/// How many frames are taken out of the outbox at once.
const MAX_BATCH: usize = 256;

/// How many bytes of replies are sent before there are more.
const MAX_OWED: usize = 64 * 1024;
