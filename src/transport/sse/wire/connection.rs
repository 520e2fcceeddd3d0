//! The connection that the flusher and the task of a stream share, and the task.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;

use bytes::Bytes;
use pin_project_lite::pin_project;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::time;
use tokio::time::Sleep;

use crate::hub::Client;
use crate::raw::bell::Row;
use crate::raw::prefetch::prefetch;
use crate::raw::relay::Relay;
use crate::time::Clock;
use crate::time::SystemClock;
use crate::transport::flusher::Flush;
use crate::transport::flusher::Flusher;
use crate::transport::flusher::Scratch;
use crate::transport::gateway::Probe;
use crate::transport::sse::carrier::Handover;
use crate::transport::sse::opened::Opened;
use crate::transport::sse::stream::SharedStream;
use crate::transport::sse::stream::Stream;
use crate::transport::sse::wire::state::End;
use crate::transport::sse::wire::state::State;

/// The terms on which a server hands a connection over.
pub(crate) struct Terms<IO> {
    /// Takes the connection back after the last chunk, with what the client has sent meanwhile.
    /// Dropped, the connection has ended.
    pub(crate) back: Box<dyn FnOnce(IO, Bytes) + Send>,
    /// Whether the connection may go on after the stream.
    pub(crate) may_go_on: bool,
    /// Bytes that hyper has read behind the request.
    pub(crate) unread: Bytes,
    /// How long the client may take nothing while something is to be written.
    pub(crate) write_timeout: Duration,
}

impl Handover {
    /// Serves the stream on the bare socket, in a task of its own.
    pub(crate) fn serve<IO>(self, io: IO, terms: Terms<IO>)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { opened, keep_alive } = self;
        let Terms {
            back,
            may_go_on,
            unread,
            write_timeout,
        } = terms;
        let keep_alive = keep_alive && may_go_on;
        let gateway = opened.gateway.clone();
        let client = opened.stream.client.id();
        let write_timeout = write_timeout.min(gateway.sse_config().write_timeout);
        let flusher = gateway.flushers().pick(&gateway, client.get());
        let connection = Connection::new(flusher, opened, |opened| {
            State::new(io, &unread, keep_alive, write_timeout, opened)
        });
        let probe = Arc::downgrade(&connection);
        gateway.watch(client, probe);
        tokio::spawn(Serving {
            connection: Ended(connection),
            timer: time::sleep_until(SystemClock::new().now().into()),
            back: Some(back),
        });
    }
}

/// A connection, shared by the flusher and the task.
struct Connection<IO> {
    /// `None` when it has ended.
    state: Relay<Option<State<IO>>>,
    flusher: Flusher,
    /// The row that the outbox wakes.
    row: Row,
    stream: SharedStream,
    /// That of the stream, which need not be looked at for it.
    client: Client,
}

impl<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static> Connection<IO> {
    fn new(flusher: Flusher, opened: Opened, make: impl FnOnce(Opened) -> State<IO>) -> Arc<Self> {
        let connection = Arc::new(Self {
            state: Relay::default(),
            row: flusher.row(),
            flusher,
            stream: Arc::clone(&opened.stream),
            client: opened.stream.client.clone(),
        });
        let flush = Arc::clone(&connection);
        connection.flusher.add(&connection.row, flush);
        connection.stream.set_row(&connection.row);
        let state = make(opened);
        connection.state.enter(|slot| *slot = Some(state));
        connection
    }

    /// Does something with the state, as the task; `None` when the stream has ended.
    fn with<T>(&self, f: impl FnOnce(&mut State<IO>) -> T) -> Option<T> {
        let (done, missed) = self.state.enter(|state| state.as_mut().map(f));
        if missed {
            self.row.wake();
        }
        done
    }

    /// Takes the state out, and with it the socket and the client.
    fn end(&self) -> Option<State<IO>> {
        let state = self.state.enter(Option::take).0;
        if state.is_some() {
            self.flusher.remove(&self.row);
        }
        state
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static> Probe for Connection<IO> {
    fn unsent(self: Arc<Self>) -> Option<u64> {
        let (unsent, missed) = self.state.try_enter(|state| state.as_ref()?.unsent())?;
        if missed {
            self.row.wake();
        }
        unsent
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static> Flush for Connection<IO> {
    fn delay(&self) -> Duration {
        Duration::ZERO
    }

    fn is_half_full(&self) -> bool {
        self.client.is_half_full()
    }

    fn prefetch(&self) {
        prefetch(&*self.stream, STREAM_LINES);
        self.client.prefetch();
    }

    fn flush(&self, scratch: &mut Scratch) {
        // If the task has the state, it learns of the missed visit, and wakes the row again.
        self.state.visit(|state| {
            if let Some(state) = state {
                state.flush(scratch);
            }
        });
    }

    fn end(&self) {
        self.state.visit(|state| {
            if let Some(state) = state {
                state.give_up();
            }
        });
    }
}

pin_project! {
    /// The task. Written out, since an async block would keep most of it twice.
    #[project = Projected]
    struct Serving<IO>
    where
        IO: AsyncRead,
        IO: AsyncWrite,
        IO: Unpin,
        IO: Send,
        IO: 'static,
    {
        connection: Ended<IO>,
        #[pin]
        timer: Sleep,
        // `None` at the end.
        back: Option<Box<dyn FnOnce(IO, Bytes) + Send>>,
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static> Future for Serving<IO> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        thread_local! {
            /// Used by one connection after the other.
            static SCRATCH: RefCell<Scratch> = RefCell::default();
        }
        let Projected {
            connection,
            timer,
            back,
        } = self.project();
        let polled = SCRATCH.with(|scratch| {
            // A join may lead to code of the application, and that may poll a connection.
            let mut own = scratch.try_borrow_mut();
            let mut spare = None;
            let scratch = match &mut own {
                Ok(scratch) => &mut **scratch,
                Err(_) => spare.get_or_insert_default(),
            };
            connection.0.with(|state| state.poll(cx, timer, scratch))
        });
        let end = ready!(polled.unwrap_or(Poll::Ready(End::Broken)));
        if let (Some(state), Some(back), End::Whole) = (connection.0.end(), back.take(), end) {
            let (io, unread) = state.into_parts();
            back(io, unread);
        }
        Poll::Ready(())
    }
}

/// Ends the stream when it is dropped.
struct Ended<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static>(Arc<Connection<IO>>);

impl<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static> Drop for Ended<IO> {
    fn drop(&mut self) {
        drop(self.0.end());
    }
}

/// The cache lines of a stream.
const STREAM_LINES: usize = size_of::<Stream>().div_ceil(64);
