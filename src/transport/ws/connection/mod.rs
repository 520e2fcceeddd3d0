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

use std::any::Any;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::sync::atomic::fence;
use std::task::Wake;
use std::task::Waker;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;

use crate::hub::Client;
use crate::transport::ws::connection::state::State;
use crate::transport::ws::flusher::Flush;
use crate::transport::ws::flusher::Flusher;
use crate::transport::ws::flusher::Scratch;

pub(super) use self::serve::Hold;

/// What the flusher and the task share.
pub(super) struct Connection<IO> {
    /// `None` when it has ended.
    state: Mutex<Option<State<IO>>>,
    flusher: Flusher,
    client: Client,
    delay: Duration,
    /// Whether it is on the flusher's list, or about to be.
    listed: AtomicBool,
    /// The flusher came while somebody held the state.
    passed_over: AtomicBool,
}

impl<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static> Connection<IO> {
    fn new(
        flusher: Flusher,
        client: Client,
        delay: Duration,
        make: impl FnOnce(Waker) -> State<IO>,
    ) -> Arc<Self> {
        let connection = Arc::new(Self {
            state: Mutex::new(None),
            flusher,
            client,
            delay,
            listed: AtomicBool::new(false),
            passed_over: AtomicBool::new(false),
        });
        // The state has the connection as its waker; `end` cuts the circle.
        let state = make(Waker::from(Arc::clone(&connection)));
        *connection.state.lock() = Some(state);
        connection
    }

    /// Does something with the state, as the task.
    fn with<T>(self: &Arc<Self>, f: impl FnOnce(&mut State<IO>) -> T) -> Option<T> {
        let done = self.state.lock().as_mut().map(f);
        // SeqCst: pairs with the fence in `flush`. Either the flusher finds the state unlocked,
        // or what it notes is seen here.
        fence(Ordering::SeqCst);
        // Relaxed: ordered by the fence.
        if self.passed_over.load(Ordering::Relaxed) {
            // Relaxed: what is behind it is read under the lock of the state.
            self.passed_over.store(false, Ordering::Relaxed);
            Arc::clone(self).wake();
        }
        done
    }

    /// Takes the state out, and with it the socket and the client.
    fn end(&self) -> Option<State<IO>> {
        self.state.lock().take()
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static> Wake for Connection<IO> {
    fn wake(self: Arc<Self>) {
        // Acquire: pairs with the Release in `flush`; when it was taken off the list before, what
        // it then does comes after what we woke it for. Release is for nobody: a listed
        // connection is found through the lock of the list.
        if !self.listed.swap(true, Ordering::Acquire) {
            let flusher = self.flusher.clone();
            flusher.push(self);
        }
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Acquire: as in `wake`.
        if !self.listed.swap(true, Ordering::Acquire) {
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
        // SeqCst: from here on a wake-up lists the connection again, and what was pushed by whoever
        // found it listed is seen below.
        self.listed.swap(false, Ordering::SeqCst);
        if let Some(mut state) = self.state.try_lock() {
            if let Some(state) = state.as_mut() {
                state.flush(scratch);
            }
            return;
        }
        // Relaxed: ordered by the fence.
        self.passed_over.store(true, Ordering::Relaxed);
        // SeqCst: pairs with the fence in `with`.
        fence(Ordering::SeqCst);
        let Some(mut state) = self.state.try_lock() else {
            return;
        };
        // Relaxed: at worst it is listed once more.
        self.passed_over.store(false, Ordering::Relaxed);
        if let Some(state) = state.as_mut() {
            state.flush(scratch);
        }
    }

    fn end(&self, panic: Box<dyn Any + Send>) {
        // A payload that panics when it is dropped must not take the flusher with it.
        mem::forget(panic);
        if let Some(mut state) = self.state.try_lock()
            && let Some(state) = state.as_mut()
        {
            state.give_up();
        }
    }
}
