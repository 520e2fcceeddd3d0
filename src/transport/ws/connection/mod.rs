//! One connection from its first frame to its last.
//!
//! ```text
//!   hub wakes the outbox ──► row of a flusher's bell ──► flush                  (many per task)
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
use std::time::Duration;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;

use crate::hub::Client;
use crate::raw::bell::Row;
use crate::raw::relay::Relay;
use crate::transport::flusher::Flush;
use crate::transport::flusher::Flusher;
use crate::transport::flusher::Scratch;
use crate::transport::gateway::Probe;
use crate::transport::ws::connection::state::State;

pub(super) use self::serve::Hold;
pub(super) use self::serve::refuse;

/// What the flusher and the task share.
pub(super) struct Connection<IO> {
    /// `None` when it has ended.
    state: Relay<Option<State<IO>>>,
    flusher: Flusher,
    /// The row that the outbox wakes.
    row: Row,
    client: Client,
    delay: Duration,
}

impl<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static> Connection<IO> {
    fn new(
        flusher: Flusher,
        client: Client,
        delay: Duration,
        make: impl FnOnce(&Row) -> State<IO>,
    ) -> Arc<Self> {
        let connection = Arc::new(Self {
            state: Relay::default(),
            row: flusher.row(),
            flusher,
            client,
            delay,
        });
        let flush = Arc::clone(&connection);
        connection.flusher.add(&connection.row, flush);
        let state = make(&connection.row);
        connection.state.enter(|slot| *slot = Some(state));
        connection
    }

    /// Does something with the state, as the task; `None` when the connection has ended.
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
        self.flusher.remove(&self.row);
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
        self.delay
    }

    fn is_half_full(&self) -> bool {
        self.client.is_half_full()
    }

    fn prefetch(&self) {
        self.client.prefetch();
    }

    fn flush(&self, scratch: &mut Scratch) {
        scratch.ws.flushed += 1;
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
