//! One connection from its first frame to its last.
//!
//! ```text
//!   hub wakes the outbox ──► Connection::wake ──► a flusher's list ──► flush   (many per task)
//!   socket, timers, authorizer ──► the connection's own task ──► poll           (one per task)
//!                                         both lock the State
//! ```
//!
//! The flusher does the one thing that is done a million times a second: outbox to socket. The
//! task does everything else: it reads, carries out commands, keeps time, writes on when the
//! socket was full, and closes.

mod serve;
mod state;

use std::sync::Arc;
use std::task::Wake;
use std::task::Waker;
use std::time::Duration;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;

use crate::hub::Client;
use crate::raw::relay::Relay;
use crate::transport::ws::connection::state::State;
use crate::transport::ws::flusher::Flush;
use crate::transport::ws::flusher::Flusher;
use crate::transport::ws::flusher::Scratch;

pub(super) use self::serve::Hold;

/// What the flusher and the task share.
pub(super) struct Connection<IO> {
    /// `None` when it has ended.
    state: Relay<Option<State<IO>>>,
    flusher: Flusher,
    client: Client,
    delay: Duration,
}

impl<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static> Connection<IO> {
    fn new(
        flusher: Flusher,
        client: Client,
        delay: Duration,
        make: impl FnOnce(Waker) -> State<IO>,
    ) -> Arc<Self> {
        let connection = Arc::new(Self {
            state: Relay::default(),
            flusher,
            client,
            delay,
        });
        // The state has the connection as its waker; `end` cuts the circle.
        let state = make(Waker::from(Arc::clone(&connection)));
        connection.state.enter(|slot| *slot = Some(state));
        connection
    }

    /// Does something with the state, as the task; `None` when the connection has ended.
    fn with<T>(self: &Arc<Self>, f: impl FnOnce(&mut State<IO>) -> T) -> Option<T> {
        let (done, missed) = self.state.enter(|state| state.as_mut().map(f));
        if missed {
            self.wake_by_ref();
        }
        done
    }

    /// Takes the state out, and with it the socket and the client.
    fn end(&self) -> Option<State<IO>> {
        self.state.enter(Option::take).0
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static> Wake for Connection<IO> {
    fn wake(self: Arc<Self>) {
        if self.state.ask() {
            let flusher = self.flusher.clone();
            flusher.push(self);
        }
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.ask() {
            self.flusher.push(Arc::clone(self) as Arc<dyn Flush>);
        }
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static> Flush for Connection<IO> {
    fn delay(&self) -> Duration {
        self.delay
    }

    fn prefetch(&self) {
        self.client.prefetch();
    }

    fn flush(&self, scratch: &mut Scratch) {
        // If the task has the state, it is told, and puts the connection back on the list.
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
