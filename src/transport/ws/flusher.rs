//! Those who write: one task drains the outboxes of many clients.
//!
//! A publish to N clients wakes N receivers. Were each a task, the runtime would schedule,
//! switch to and time N of them to make N short system calls. Instead the waker of an outbox puts
//! its connection on the list of a flusher, and the first to do so wakes the flusher, which goes
//! through the list: for each connection take what is there, write it in one call, next. What a
//! socket does not take is left to the connection's own task.
//!
//! # Order and loss
//!
//! A connection is on the list at most once. Before it is drained it is taken off, so whatever
//! comes after that puts it there again: nothing is left behind.
//!
//! # Progress
//!
//! A connection that somebody else holds is passed over, and whoever holds it puts it back. After
//! some connections the flusher yields to the other tasks of its thread.

use std::cmp::Ordering as Order;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::poll_fn;
use std::mem;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::time::Duration;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::task::coop::unconstrained;
use tokio::task::yield_now;
use tokio::time;

use crate::hub::Batch;
use crate::raw::prefetch::prefetch;
use crate::time::Clock;
use crate::time::SystemClock;
use crate::transport::gateway::Gateway;
use crate::transport::stats::AllTotals;
use crate::transport::stats::Tally;
use crate::transport::stats::Transport;

/// What a flusher flushes.
pub(super) trait Flush: Send + Sync {
    /// How long what is there may wait for more.
    fn delay(&self) -> Duration;

    /// Asks the processor to fetch what flushing is going to touch.
    fn prefetch(&self);

    /// Drains the outbox into the socket; never waits.
    fn flush(&self, scratch: &mut Scratch);

    /// Ends it: flushing it has panicked.
    fn end(&self);
}

/// Memory that is used for one connection after the other.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// Frames received; kept for a while, to be given back together.
    pub(super) batch: Batch,
    /// Frames copied together.
    pub(super) copies: Vec<u8>,
    pub(super) tally: Tally,
}

/// The flushers of a gateway.
#[derive(Default)]
pub(crate) struct Flushers(Mutex<Vec<Flusher>>);

impl Flushers {
    /// The one for the next connection: each in turn.
    pub(super) fn pick(&self, gateway: &Gateway, number: u64) -> Flusher {
        let mut flushers = self.0.lock();
        flushers.retain(|flusher| !flusher.list.ready.lock().ended);
        if flushers.is_empty() {
            let workers = Handle::current().metrics().num_workers();
            flushers.extend((0..workers.max(1)).map(|_| Flusher::spawn(gateway)));
        }
        let at = usize::try_from(number).unwrap_or_default() % flushers.len();
        flushers[at].clone()
    }
}

/// A handle of a flusher; with the last of them it ends.
#[derive(Clone)]
pub(super) struct Flusher {
    list: Arc<List>,
    _alive: Arc<Alive>,
}

/// Tells the flusher that nobody is left to flush.
struct Alive(Arc<List>);

impl Drop for Alive {
    fn drop(&mut self) {
        let task = {
            let mut ready = self.0.ready.lock();
            ready.ended = true;
            ready.task.take()
        };
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl Flusher {
    fn spawn(gateway: &Gateway) -> Self {
        let list = Arc::new(List::default());
        let running = Running {
            list: Arc::clone(&list),
            // Not the gateway, which has the flusher.
            totals: gateway.all_totals(),
            delayed: BinaryHeap::new(),
            scratch: Scratch::default(),
        };
        drop(tokio::spawn(unconstrained(running.run())));
        Self {
            _alive: Arc::new(Alive(Arc::clone(&list))),
            list,
        }
    }

    /// Puts a connection on the list.
    pub(super) fn push(&self, connection: Arc<dyn Flush>) {
        let task = {
            let mut ready = self.list.ready.lock();
            if ready.ended {
                return;
            }
            if ready.connections.is_empty() {
                ready.since = Some(SystemClock::new().now());
            }
            ready.connections.push(connection);
            ready.task.take()
        };
        if let Some(task) = task {
            task.wake();
        }
    }
}

#[derive(Default)]
struct List {
    ready: Mutex<Ready>,
}

#[derive(Default)]
struct Ready {
    connections: Vec<Arc<dyn Flush>>,
    /// When the first of them came.
    since: Option<Instant>,
    /// The flusher, while it waits.
    task: Option<Waker>,
    ended: bool,
}

/// The task.
struct Running {
    list: Arc<List>,
    totals: Arc<AllTotals>,
    delayed: BinaryHeap<Delayed>,
    scratch: Scratch,
}

/// A connection that waits for more.
struct Delayed {
    due: Reverse<Instant>,
    connection: Arc<dyn Flush>,
}

impl PartialEq for Delayed {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Delayed {}

impl PartialOrd for Delayed {
    fn partial_cmp(&self, other: &Self) -> Option<Order> {
        Some(self.cmp(other))
    }
}

impl Ord for Delayed {
    fn cmp(&self, other: &Self) -> Order {
        self.due.cmp(&other.due)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The runtime may be gone before the gateway is.
        let left = {
            let mut ready = self.list.ready.lock();
            ready.ended = true;
            mem::take(&mut ready.connections)
        };
        drop(left);
    }
}

impl Running {
    async fn run(mut self) {
        let mut connections = Vec::new();
        while let Some(since) = self.next(&mut connections).await {
            self.flush_all(&mut connections, since).await;
            self.flush_due().await;
        }
    }

    /// Waits for connections, or for the end of a delay; `None` at the end.
    async fn next(&self, connections: &mut Vec<Arc<dyn Flush>>) -> Option<Instant> {
        let list = &self.list;
        let ready = poll_fn(|cx| list.poll(cx, connections));
        match self.delayed.peek() {
            None => ready.await,
            Some(first) => {
                let due = first.due.0;
                tokio::select! {
                    since = ready => since,
                    () = time::sleep_until(due.into()) => Some(due),
                }
            }
        }
    }

    async fn flush_all(&mut self, connections: &mut Vec<Arc<dyn Flush>>, since: Instant) {
        let mut flushed = 0;
        for at in 0..connections.len() {
            if let Some(soon) = connections.get(at + 2 * AHEAD) {
                prefetch(&**soon, LINES);
            }
            if let Some(next) = connections.get(at + AHEAD) {
                next.prefetch();
            }
            let connection = &connections[at];
            let delay = connection.delay();
            if delay.is_zero() {
                flush(&**connection, &mut self.scratch);
                flushed += 1;
            } else {
                let connection = Arc::clone(connection);
                let due = Reverse(SystemClock::new().now() + delay);
                self.delayed.push(Delayed { due, connection });
            }
            if flushed == TURN {
                self.scratch.report(&self.totals, since, flushed);
                flushed = 0;
                yield_now().await;
            }
        }
        connections.clear();
        self.scratch.report(&self.totals, since, flushed);
    }

    /// Flushes those that have waited long enough.
    async fn flush_due(&mut self) {
        if self.delayed.is_empty() {
            return;
        }
        let now = SystemClock::new().now();
        let mut flushed = 0;
        while let Some(first) = self.delayed.peek()
            && first.due.0 <= now
            && let Some(Delayed { due, connection }) = self.delayed.pop()
        {
            flush(&*connection, &mut self.scratch);
            self.scratch.report(&self.totals, due.0, 1);
            flushed += 1;
            if flushed % TURN == 0 {
                yield_now().await;
            }
        }
    }
}

impl List {
    fn poll(
        &self,
        cx: &Context<'_>,
        connections: &mut Vec<Arc<dyn Flush>>,
    ) -> Poll<Option<Instant>> {
        let mut ready = self.ready.lock();
        if let Some(since) = ready.since.take() {
            mem::swap(&mut ready.connections, connections);
            return Poll::Ready(Some(since));
        }
        if ready.ended {
            return Poll::Ready(None);
        }
        ready.task = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Scratch {
    /// Gives back the frames that were kept.
    fn give_back(&mut self) {
        // The last owner of a payload runs its destructor, which may panic.
        let cleared = catch_unwind(AssertUnwindSafe(|| self.batch.clear()));
        drop(cleared);
    }

    /// Folds what was counted into the transport's counters.
    fn report(&mut self, totals: &AllTotals, since: Instant, flushed: u64) {
        self.give_back();
        let tally = mem::take(&mut self.tally);
        if flushed == 0 {
            return;
        }
        let took = SystemClock::new().now().saturating_duration_since(since);
        let totals = totals.of(Transport::Ws);
        totals.add(&tally);
        totals.flushed(took, flushed);
    }
}

/// Flushes one connection, whose failure must not be that of the others.
fn flush(connection: &dyn Flush, scratch: &mut Scratch) {
    let flushed = catch_unwind(AssertUnwindSafe(|| connection.flush(scratch)));
    if let Err(panic) = flushed {
        let left = mem::take(scratch);
        // What was received is dropped here, and may panic again.
        let dropped = catch_unwind(AssertUnwindSafe(|| drop((panic, left))));
        drop(dropped);
        connection.end();
    }
}

/// After so many connections, others have their turn.
const TURN: u64 = 64;

/// How many connections ahead what the next flush needs is fetched.
const AHEAD: usize = 2;

/// How many cache lines of a connection a flush touches, at most.
const LINES: usize = 10;
