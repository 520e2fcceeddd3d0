//! One connection from its first frame to its last, in one task.

use std::future;
use std::future::Future;
use std::io;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::pin::pin;
use std::time::Instant;

use bytes::Bytes;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::io::ReadHalf;
use tokio::io::WriteHalf;
use tokio::time;
use tokio::time::Sleep;
use tungstenite::Utf8Bytes;

use crate::disconnect::Disconnect;
use crate::hub::Batch;
use crate::hub::Closed;
use crate::hub::ConnectError;
use crate::hub::ConnectOptions;
use crate::hub::Event;
use crate::hub::Hub;
use crate::hub::Outbox;
use crate::protocol::ErrorCode;
use crate::protocol::Fault;
use crate::protocol::Hello;
use crate::protocol::Push;
use crate::protocol::Request;
use crate::protocol::RequestId;
use crate::time::Clock;
use crate::time::SystemClock;
use crate::transport::rate::CommandRate;
use crate::transport::session::Done;
use crate::transport::session::Outcome;
use crate::transport::session::Session;
use crate::transport::session::Subscribing;
use crate::transport::ws::WsConfig;
use crate::transport::ws::framing;
use crate::transport::ws::inbound::Inbound;
use crate::transport::ws::inbound::Received;
use crate::transport::ws::output::Output;
use crate::transport::ws::timing::Due;
use crate::transport::ws::timing::Timing;

/// Connects the peer of `io`, which has been upgraded to WebSocket, to the hub, and serves it
/// until either side closes.
///
/// `buffered` is what was read from `io` behind the handshake. When `shutdown` completes, the
/// client is closed with [`Disconnect::SHUTDOWN`].
///
/// Gap notices and join notices are turned on whatever `options` says, for the protocol tells of
/// both. A peer that the hub does not let in gets a close frame that says why.
///
/// # Panics
///
/// Outside a tokio runtime whose time driver is enabled.
///
/// # Cancel safety
///
/// Dropped early, the client is disconnected from the hub and the socket closed without a close
/// frame. Nothing is left behind.
pub async fn serve<IO>(
    io: IO,
    buffered: Bytes,
    hub: &Hub,
    options: ConnectOptions,
    config: WsConfig,
    shutdown: impl Future<Output = ()>,
) where
    IO: AsyncRead + AsyncWrite,
{
    let io = pin!(io);
    let (reader, mut writer) = tokio::io::split(io);
    match hub.connect(options.join_notices(true).gap_notices(true)) {
        Ok((client, outbox)) => {
            let session = Session::new(hub.clone(), client, config.client_publish);
            let connection = Connection::new(reader, writer, buffered, session, outbox, config);
            connection.run(shutdown).await;
        }
        Err(error) => {
            let refusal = framing::close(refusal(&error));
            let written = time::timeout(config.write_timeout, writer.write_all(&refusal)).await;
            if matches!(written, Ok(Ok(()))) {
                hang_up(reader, writer, config).await;
            }
        }
    }
}

fn refusal(error: &ConnectError) -> &'static Disconnect {
    const SHUTDOWN: &Disconnect = &Disconnect::SHUTDOWN;
    const TOO_MANY: &Disconnect = &Disconnect::TOO_MANY_CONNECTIONS;
    match error {
        ConnectError::TooManyClients { .. } => TOO_MANY,
        _ => SHUTDOWN,
    }
}

/// Ends the stream and waits until the peer has, so that it reads the close frame before it
/// learns that nobody reads what it still sends.
async fn hang_up<IO>(mut reader: ReadHalf<IO>, mut writer: WriteHalf<IO>, config: WsConfig)
where
    IO: AsyncRead + AsyncWrite,
{
    let ended = time::timeout(config.close_timeout, async {
        writer.shutdown().await?;
        tokio::io::copy(&mut reader, &mut tokio::io::sink()).await
    });
    // Whatever comes of it, the socket is closed next.
    drop(ended.await);
}

struct Connection<IO> {
    reader: ReadHalf<IO>,
    writer: WriteHalf<IO>,
    inbound: Inbound,
    output: Output,
    session: Session,
    outbox: Outbox,
    batch: Batch,
    /// A subscribe that has not been answered.
    join: Option<Join>,
    /// A command that waits for the join.
    held: Option<Utf8Bytes>,
    rate: Option<CommandRate>,
    phase: Phase,
    timing: Timing,
    timer: Pin<Box<Sleep>>,
    config: WsConfig,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The last frame is in the output.
    Closing,
    /// Both sides may speak.
    Open,
}

/// A subscribe on its way: answered in band by the frame that says where the stream begins.
struct Join {
    id: Option<RequestId>,
    channel: String,
    /// `None` once the hub has agreed.
    future: Option<Subscribing>,
    /// Whether the frame has come.
    announced: bool,
}

/// What a connection waits for.
enum Wake {
    Joined(Result<(), Fault>),
    Read(io::Result<usize>),
    Received(Result<usize, Closed>),
    Shutdown,
    Timer,
    Wrote(io::Result<()>),
}

/// How a connection ended.
enum End {
    /// Everything was written, the close frame last.
    Flushed,
    /// The peer has gone or does not read.
    Gone,
}

impl<IO: AsyncRead + AsyncWrite> Connection<IO> {
    fn new(
        reader: ReadHalf<IO>,
        writer: WriteHalf<IO>,
        buffered: Bytes,
        session: Session,
        outbox: Outbox,
        config: WsConfig,
    ) -> Self {
        let started = now();
        let timing = Timing::new(config, session.client().id(), started);
        Self {
            reader,
            writer,
            inbound: Inbound::new(buffered, config.max_message),
            output: Output::default(),
            timer: Box::pin(time::sleep_until(timing.deadline().into())),
            rate: config
                .max_commands
                .map(|rate| CommandRate::per_second(rate, started)),
            session,
            outbox,
            batch: Batch::new(),
            join: None,
            held: None,
            phase: Phase::Open,
            timing,
            config,
        }
    }

    async fn run(mut self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let mut stopping = false;
        self.greet();
        self.take_commands();
        let end = loop {
            let wake = tokio::select! {
                wake = self.wait() => wake,
                () = &mut shutdown, if !stopping => Wake::Shutdown,
            };
            stopping |= matches!(wake, Wake::Shutdown);
            match self.handle(wake) {
                ControlFlow::Break(end) => break end,
                ControlFlow::Continue(()) => self.arm(),
            }
        };
        let Self {
            reader,
            writer,
            config,
            ..
        } = self;
        if let End::Flushed = end {
            hang_up(reader, writer, config).await;
        }
    }

    fn greet(&mut self) {
        let client = self.session.client();
        let hello = Hello {
            client: client.id(),
            user: client.user(),
            max_message_bytes: self.config.max_message,
            ping_interval_ms: millis(self.config.ping_interval),
            pong_timeout_ms: millis(self.config.pong_timeout),
        };
        self.output.push(framing::text(Push::Connected(&hello)));
        self.arm();
    }

    /// Waits for the next thing to happen. Dropped early, nothing has.
    async fn wait(&mut self) -> Wake {
        let reads = self.reads();
        let receives = self.phase == Phase::Open && self.output.is_empty();
        let writes = !self.output.is_empty();
        let Self {
            reader,
            writer,
            inbound,
            output,
            outbox,
            batch,
            join,
            timer,
            ..
        } = self;
        let joining = join.as_mut().and_then(|join| join.future.as_mut());
        let joins = joining.is_some();
        let joined = async {
            match joining {
                Some(future) => future.await,
                None => future::pending().await,
            }
        };
        tokio::select! {
            joined = joined, if joins => Wake::Joined(joined),
            read = reader.read_buf(inbound.buffer()), if reads => Wake::Read(read),
            received = outbox.recv_batch(batch, MAX_BATCH), if receives => Wake::Received(received),
            wrote = output.write_to(writer), if writes => Wake::Wrote(wrote),
            () = timer => Wake::Timer,
        }
    }

    fn reads(&self) -> bool {
        self.phase == Phase::Open && self.held.is_none() && self.output.takes_requests()
    }

    fn handle(&mut self, wake: Wake) -> ControlFlow<End> {
        match wake {
            Wake::Joined(result) => self.joined(result),
            Wake::Read(Ok(0) | Err(_)) | Wake::Wrote(Err(_)) => {
                return ControlFlow::Break(End::Gone);
            }
            Wake::Read(Ok(_)) => {
                self.timing.heard();
                self.take_commands();
            }
            Wake::Received(Ok(_)) => self.write_batch(),
            Wake::Received(Err(closed)) => self.close(framing::close(closed.disconnect())),
            Wake::Shutdown => self.session.client().close(Disconnect::SHUTDOWN),
            Wake::Timer => self.tick()?,
            Wake::Wrote(Ok(())) => {
                self.timing.wrote(now(), self.output.is_empty());
                self.take_commands();
            }
        }
        if self.phase == Phase::Closing && self.output.is_empty() {
            return ControlFlow::Break(End::Flushed);
        }
        ControlFlow::Continue(())
    }

    /// Makes the last frame this one.
    fn close(&mut self, last: Bytes) {
        self.output.push(last);
        self.phase = Phase::Closing;
    }

    fn tick(&mut self) -> ControlFlow<End> {
        let reads = self.reads();
        for due in self.timing.due(now(), reads) {
            match due {
                Due::GiveUp => {
                    self.session.client().close(Disconnect::WRITE_TIMEOUT);
                    return ControlFlow::Break(End::Gone);
                }
                Due::NoPong => self.session.client().close(Disconnect::NO_PONG),
                Due::Ping if self.phase == Phase::Open => self.output.push(framing::PING),
                Due::Ping => {}
            }
        }
        self.timer.as_mut().reset(self.timing.deadline().into());
        ControlFlow::Continue(())
    }

    /// Sets the timer, when it has to go off earlier than it would.
    fn arm(&mut self) {
        let closing = self.phase == Phase::Closing || self.outbox.close_reason().is_some();
        let deadline = self.timing.watch(now(), self.output.is_empty(), closing);
        if deadline < self.timer.deadline().into_std() {
            self.timer.as_mut().reset(deadline.into());
        }
    }

    /// Carries out commands until one has to wait or more bytes are needed.
    fn take_commands(&mut self) {
        while self.phase == Phase::Open {
            if self.join.is_none()
                && let Some(text) = self.held.take()
            {
                self.start(&text);
                continue;
            }
            if !self.reads() {
                return;
            }
            let received = self.inbound.next();
            if let Some(answers) = self.inbound.take_answers() {
                self.output.reply(answers);
            }
            match received {
                None => return,
                Some(Received::Binary) => {
                    let why = "commands are JSON in text frames";
                    self.refuse(&Fault::new(ErrorCode::UnsupportedFrame, why));
                }
                Some(Received::Close) => self.phase = Phase::Closing,
                Some(Received::Text(text)) => self.held = Some(text),
                Some(Received::Violation(code, reason)) => {
                    self.session.client().close(Disconnect::BAD_REQUEST);
                    self.close(framing::close_with(code, reason));
                }
            }
        }
    }

    fn start(&mut self, text: &str) {
        let Request { id, command } = match Request::parse(text) {
            Ok(request) => request,
            Err(fault) => return self.refuse(&fault),
        };
        if let Err(fault) = self.check_rate() {
            return self.refuse(&fault.reply_to(id));
        }
        match self.session.handle(command) {
            Outcome::Later { channel, future } => {
                self.join = Some(Join {
                    id,
                    channel,
                    future: Some(future),
                    announced: false,
                });
            }
            Outcome::Now(Ok(done)) => self.answer(id.as_ref(), &done),
            Outcome::Now(Err(fault)) => self.refuse(&fault.reply_to(id)),
        }
    }

    fn check_rate(&mut self) -> Result<(), Fault> {
        let Some(rate) = &mut self.rate else {
            return Ok(());
        };
        rate.take(now()).map_err(|wait| {
            let why = format!("too many commands; try again in {} ms", millis(wait).max(1));
            Fault::new(ErrorCode::RateLimited, why)
        })
    }

    fn refuse(&mut self, fault: &Fault) {
        self.output.reply(framing::text(Push::Error(fault)));
    }

    fn answer(&mut self, id: Option<&RequestId>, done: &Done) {
        let push = match (done, id) {
            (Done::Nothing | Done::Published(_), None) => return,
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
        };
        self.output.reply(framing::text(push));
    }

    /// The hub has answered the subscribe.
    fn joined(&mut self, result: Result<(), Fault>) {
        let Some(mut join) = self.join.take() else {
            return;
        };
        match result {
            Err(fault) => self.refuse(&fault.reply_to(join.id)),
            Ok(()) if !join.announced => {
                join.future = None;
                self.join = Some(join);
            }
            Ok(()) => {}
        }
        self.take_commands();
    }

    fn write_batch(&mut self) {
        for frame in self.batch.iter() {
            let bytes = match (frame.event(), &mut self.join) {
                (Event::Joined(joined), Some(join)) if *join.channel == *joined.channel => {
                    join.announced = true;
                    framing::text(Push::Joined {
                        reply_to: join.id.as_ref(),
                        joined,
                    })
                }
                _ => frame
                    .encoded(framing::NATIVE, |frame| framing::text(Push::Frame(frame)))
                    .clone(),
            };
            self.output.push(bytes);
        }
        self.batch.clear();
        if self
            .join
            .as_ref()
            .is_some_and(|join| join.announced && join.future.is_none())
        {
            self.join = None;
            self.take_commands();
        }
    }
}

fn now() -> Instant {
    SystemClock::new().now()
}

fn millis(duration: time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// How many frames are taken out of the outbox at once, and written together.
const MAX_BATCH: usize = 256;
