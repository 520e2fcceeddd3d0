//! Transports of the embedder's own: anything that carries texts.

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
use crate::hub::Closed;
use crate::hub::ConnectOptions;
use crate::hub::Outbox;
use crate::protocol::Push;
use crate::session::Dialogue;
use crate::session::Replies;
use crate::session::fault::refusal;
use crate::transport::gateway::Gateway;
use crate::transport::gateway::Registration;
use crate::transport::stats::Tally;
use crate::transport::stats::Transport;
use crate::transport::ws::framing;
use crate::transport::ws::framing::Encoding;

/// A connection that carries texts, one after the other, in both directions: QUIC streams, a
/// message queue, a pipe, or [memory](crate::transport::memory).
///
/// [`Gateway::serve_conn`] speaks [the native protocol](crate::docs::protocol) over it. Keeping it
/// alive, and noticing that the peer is gone, is the transport's own business.
pub trait Conn: Send + 'static {
    /// The next text that the peer has sent; `None` when it is done.
    ///
    /// # Errors
    ///
    /// When the connection is broken.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, no text is lost.
    fn recv(&mut self) -> impl Future<Output = io::Result<Option<String>>> + Send;

    /// Takes a text for the peer, which is UTF-8. May wait until there is room.
    ///
    /// # Errors
    ///
    /// When the connection is broken.
    fn send(&mut self, text: Bytes) -> impl Future<Output = io::Result<()>> + Send;

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
    /// ones, and the time within which a text, and a close, must be taken.
    ///
    /// # Order
    ///
    /// Texts are sent in the order of the client's outbox, replies in the order of the commands.
    ///
    /// # Closing
    ///
    /// What was accepted for the client before it is closed is sent, then a `disconnect` that says
    /// why, and then [`Conn::close`] is called.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime whose time driver is enabled.
    ///
    /// # Cancel safety
    ///
    /// The client is connected when this returns. When the future is dropped early, so is `conn`,
    /// and the client is disconnected from the hub.
    ///
    /// # Memory
    ///
    /// Besides the outbox, at most 256 texts on their way, shared with other clients; and of
    /// replies 16 that wait for one before them, those and what is on its way 64 KiB each and one
    /// reply more.
    pub fn serve_conn<C: Conn>(
        &self,
        conn: C,
        options: ConnectOptions,
    ) -> impl Future<Output = ()> + Send + use<C> {
        let write_timeout = self.ws_config().write_timeout;
        let serving =
            self.enter(options, Transport::Other, true)
                .map(|(client, outbox, registration)| {
                    let config = registration.gateway().ws_config();
                    let dialogue = Dialogue::new(
                        registration.gateway().entrance(),
                        client,
                        registration.session(),
                        false,
                    );
                    let none = Duration::ZERO;
                    let greeting = dialogue.greeting(config.max_message, none, none, text);
                    Serving {
                        outbox,
                        dialogue,
                        batch: Batch::new(),
                        waiting: Texts {
                            texts: VecDeque::from([greeting]),
                            owed: 0,
                        },
                        max_message: config.max_message,
                        registration,
                    }
                });
        async move {
            let mut line = Line {
                conn,
                write_timeout,
            };
            match serving {
                Ok(serving) => serving.run(&mut line).await,
                Err(error) => line.close(refusal(&error)).await,
            }
        }
    }
}

/// A connection that has to be quick.
struct Line<C> {
    conn: C,
    write_timeout: Duration,
}

impl<C: Conn> Line<C> {
    async fn send(&mut self, text: Bytes) -> io::Result<()> {
        time::timeout(self.write_timeout, self.conn.send(text)).await?
    }

    async fn flush(&mut self) -> io::Result<()> {
        time::timeout(self.write_timeout, self.conn.flush()).await?
    }

    async fn close(&mut self, why: &Disconnect) {
        // Whatever comes of it, the connection is dropped next.
        drop(time::timeout(self.write_timeout, self.conn.close(why)).await);
    }
}

/// Texts that are sent next. All of them are before the dialogue is polled
/// again.
#[derive(Default)]
struct Texts {
    texts: VecDeque<Bytes>,
    /// Bytes of replies.
    owed: usize,
}

impl Replies for Texts {
    fn encode(&mut self, push: Push<'_>) -> Bytes {
        text(push)
    }

    fn give(&mut self, reply: Bytes) {
        self.owed += reply.len();
        self.texts.push_back(reply);
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
    waiting: Texts,
    max_message: usize,
    registration: Registration,
}

/// What a connection waits for.
enum Wake {
    Received(io::Result<Option<String>>),
    Replied,
    Waits(Result<usize, Closed>),
}

impl Serving {
    async fn run<C: Conn>(mut self, line: &mut Line<C>) {
        loop {
            if let Err(error) = self.write(line).await {
                return self.broken(&error);
            }
            match self.wait(line).await {
                Wake::Received(Ok(Some(text))) => {
                    self.take(&text);
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
            if waiting.texts.is_empty() && dialogue.is_ready() == is_ready {
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

    fn take(&mut self, text: &str) {
        let tally = Tally {
            bytes_in: text.len() as u64,
            frames_in: 1,
            ..Tally::default()
        };
        self.count(&tally);
        if text.len() > self.max_message {
            return self.dialogue.client().close(Disconnect::TOO_LARGE);
        }
        self.registration.touch();
        self.dialogue.command(text, &mut self.waiting);
    }

    /// Takes over what was in the outbox.
    fn encode(&mut self) {
        let encoding = Encoding::default();
        for frame in &self.batch {
            let personal = self.dialogue.personal(frame).map(text);
            let text = personal.unwrap_or_else(|| framing::text_of(encoding.of(frame)));
            self.waiting.texts.push_back(text);
        }
        self.batch.clear();
        self.dialogue.settle(&mut self.waiting);
    }

    async fn write<C: Conn>(&mut self, line: &mut Line<C>) -> io::Result<()> {
        if self.waiting.texts.is_empty() {
            return Ok(());
        }
        let (mut bytes, frames) = (0, self.waiting.texts.len());
        self.waiting.owed = 0;
        while let Some(text) = self.waiting.texts.pop_front() {
            bytes += text.len();
            line.send(text).await?;
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
        self.waiting.texts.push_back(text(farewell));
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
        self.registration.counters().add(tally);
        self.registration.totals().add(tally);
    }
}

/// The text of a push.
fn text(push: Push<'_>) -> Bytes {
    framing::text_of(&framing::text(push))
}

/// How many frames are taken out of the outbox at once.
const MAX_BATCH: usize = 256;

/// How many bytes of replies are sent before there are more.
const MAX_OWED: usize = 64 * 1024;
