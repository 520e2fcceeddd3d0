//! Flushers: one task drains the outboxes of many clients, WebSockets and streams of events alike.
//!
//! A publish to N clients wakes N receivers. Were each a task, the runtime would schedule,
//! switch to and time N of them to make N short system calls. Instead each connection has a row of
//! a flusher's [`Bell`], its outbox wakes the row, and the flusher goes through the rows that were
//! woken: for each connection it takes the queued frames, writes them in one call, and goes on.
//! Frames that a socket does not take are left to the connection's own task.
//!
//! # Order and loss
//!
//! A pass takes the rows that were woken before it. A row that is woken after that is in the next
//! pass: no wake-up is lost.
//!
//! A connection is added before its outbox can wake its row. It is removed by a message that wakes
//! the row; then the row is free for another connection, which the old outbox may wake in vain.
//!
//! # Progress
//!
//! A connection that its task holds is passed over, and the task wakes the row again. After 64
//! connections the flusher yields to the other tasks of its thread.
//!
//! # Pace
//!
//! Each pass tells the hub how far it has come ([`Turn`]), and publishers that may wait do, when
//! the flusher is half a default outbox behind. A connection whose flush is delayed is flushed
//! early when a pass finds its outbox half full.
//!
//! # Memory
//!
//! 16 bytes for each row of the most connections at a time.

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
use std::task::Wake;
use std::task::Waker;
use std::time::Duration;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::task::coop::unconstrained;
use tokio::task::yield_now;
use tokio::time;

use crate::hub::Batch;
use crate::hub::Turn;
use crate::raw::bell::Bell;
use crate::raw::bell::Row;
use crate::raw::bell::Woken;
use crate::raw::prefetch::prefetch;
use crate::time::Clock;
use crate::time::SystemClock;
use crate::transport::gateway::Gateway;
use crate::transport::stats::AllTotals;
use crate::transport::stats::Tally;
use crate::transport::stats::Totals;
use crate::transport::stats::Transport;

/// A connection that a flusher flushes.
pub(in crate::transport) trait Flush: Send + Sync {
    /// How long what is there may wait for more.
    fn delay(&self) -> Duration;

    /// Whether half of what its outbox holds is queued.
    fn is_half_full(&self) -> bool;

    /// Asks the processor to fetch what flushing is going to touch.
    fn prefetch(&self);

    /// Drains the outbox into the socket; never waits.
    fn flush(&self, scratch: &mut Scratch);

    /// Ends it: flushing it has panicked.
    fn end(&self);
}

/// Memory that is used for one connection after the other.
#[derive(Debug, Default)]
pub(in crate::transport) struct Scratch {
    /// Frames received; kept for a while, to be given back together.
    pub(in crate::transport) batch: Batch,
    /// Frames copied together.
    pub(in crate::transport) copies: Vec<u8>,
    pub(in crate::transport) sse: Unreported,
    pub(in crate::transport) ws: Unreported,
    /// When the pass began.
    now: Option<Instant>,
}

/// Figures of the connections of one transport that are not reported yet.
#[derive(Debug, Default)]
pub(in crate::transport) struct Unreported {
    pub(in crate::transport) tally: Tally,
    /// How many connections were flushed.
    pub(in crate::transport) flushed: u64,
}

/// The flushers of a gateway.
#[derive(Default)]
pub(crate) struct Flushers(Mutex<Vec<Flusher>>);

impl Flushers {
    /// The one for the next connection: each in turn.
    pub(in crate::transport) fn pick(&self, gateway: &Gateway, number: u64) -> Flusher {
        let mut flushers = self.0.lock();
        flushers.retain(|flusher| !flusher.inbox.has_ended());
        if flushers.is_empty() {
            let workers = Handle::current().metrics().num_workers();
            flushers.extend((0..workers.max(1)).map(|_| Flusher::spawn(gateway)));
        }
        let at = usize::try_from(number).unwrap_or_default() % flushers.len();
        flushers[at].clone()
    }
}

/// A handle of a flusher, which ends when the last handle is dropped.
#[derive(Clone)]
pub(in crate::transport) struct Flusher {
    inbox: Arc<Inbox>,
    _alive: Arc<Alive>,
}

/// Ends the flusher when it is dropped.
struct Alive(Arc<Inbox>);

impl Drop for Alive {
    fn drop(&mut self) {
        drop(self.0.end());
        self.0.bell.ring();
    }
}

impl Flusher {
    fn spawn(gateway: &Gateway) -> Self {
        let turn = gateway.hub().turns().register();
        let inbox = Arc::new(Inbox {
            bell: turn.bell().clone(),
            changes: Mutex::default(),
        });
        let running = Running {
            inbox: Arc::clone(&inbox),
            turn,
            alarm: Arc::default(),
            // Not the gateway, which has the flusher.
            totals: gateway.all_totals(),
            table: Vec::new(),
            delayed: BinaryHeap::new(),
            pass: Pass::default(),
            flushed: 0,
            scratch: Scratch::default(),
        };
        drop(tokio::spawn(unconstrained(running.run())));
        Self {
            _alive: Arc::new(Alive(Arc::clone(&inbox))),
            inbox,
        }
    }

    /// Returns a row for a connection that is going to be added.
    pub(in crate::transport) fn row(&self) -> Row {
        self.inbox.bell.row()
    }

    /// Adds the connection that has `row`, before anything can wake it.
    pub(in crate::transport) fn add(&self, row: &Row, connection: Arc<dyn Flush>) {
        self.inbox.change(row.number(), Some(connection));
    }

    /// Removes the connection that has `row`, which must be known to its outbox alone.
    pub(in crate::transport) fn remove(&self, row: &Row) {
        self.inbox.change(row.number(), None);
        row.wake();
    }
}

/// The side of a flusher that its connections share.
struct Inbox {
    bell: Bell,
    changes: Mutex<Changes>,
}

/// Connections that came or went since the last pass, in order.
#[derive(Default)]
struct Changes {
    rows: Vec<(u32, Option<Arc<dyn Flush>>)>,
    ended: bool,
}

impl Inbox {
    fn change(&self, row: u32, connection: Option<Arc<dyn Flush>>) {
        let mut changes = self.changes.lock();
        if !changes.ended {
            changes.rows.push((row, connection));
        }
    }

    fn end(&self) -> Vec<(u32, Option<Arc<dyn Flush>>)> {
        let mut changes = self.changes.lock();
        changes.ended = true;
        // Dropped by the caller, outside the lock.
        mem::take(&mut changes.rows)
    }

    fn has_ended(&self) -> bool {
        self.changes.lock().ended
    }
}

/// Records when the flusher was rung first, and wakes it.
#[derive(Default)]
struct Alarm(Mutex<(Option<Instant>, Option<Waker>)>);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        let task = {
            let (since, task) = &mut *self.0.lock();
            since.get_or_insert_with(now);
            task.take()
        };
        if let Some(task) = task {
            task.wake();
        }
    }
}

/// The task.
struct Running {
    inbox: Arc<Inbox>,
    /// Publishers wait for its passes, and no longer than it lives.
    turn: Turn,
    alarm: Arc<Alarm>,
    totals: Arc<AllTotals>,
    /// The connections, by row.
    table: Vec<Option<Arc<dyn Flush>>>,
    delayed: BinaryHeap<Delayed>,
    pass: Pass,
    /// Connections flushed since other tasks had their turn.
    flushed: u64,
    scratch: Scratch,
}

/// The rows of one pass.
#[derive(Default)]
struct Pass {
    woken: Vec<Woken>,
    rows: Vec<u32>,
}

/// A connection that waits for more.
struct Delayed {
    due: Reverse<Instant>,
    row: u32,
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
        drop(self.inbox.end());
    }
}

impl Running {
    async fn run(mut self) {
        let mut last = now();
        while let Some(since) = self.next(last).await {
            last = now();
            self.scratch.now = Some(last);
            let mark = self.turn.begin();
            self.begin();
            self.flush_all(since).await;
            self.flush_half_full();
            self.turn.end(mark);
            self.flush_due().await;
        }
    }

    /// Waits for a row to be woken, or for the end of a delay; `None` at the end. Returns a time
    /// before which no row of the next pass was woken, `last` being that of the pass before.
    async fn next(&self, last: Instant) -> Option<Instant> {
        let rung = poll_fn(|cx| self.poll(cx, last));
        match self.delayed.peek() {
            None => rung.await,
            Some(first) => {
                let due = first.due.0;
                tokio::select! {
                    since = rung => since,
                    () = time::sleep_until(due.into()) => Some(due),
                }
            }
        }
    }

    fn poll(&self, cx: &Context<'_>, last: Instant) -> Poll<Option<Instant>> {
        let Inbox { bell, .. } = &*self.inbox;
        if !bell.is_woken() && !self.turn.is_late() {
            self.alarm.0.lock().1 = Some(cx.waker().clone());
            bell.register(&Waker::from(Arc::clone(&self.alarm)));
            if self.inbox.has_ended() {
                return Poll::Ready(None);
            }
            if !bell.is_woken() && !self.turn.is_late() {
                return Poll::Pending;
            }
        }
        let rung = self.alarm.0.lock().0.take();
        Poll::Ready(Some(rung.unwrap_or(last)))
    }

    /// Takes the rows that were woken, and then the changes: the connection of a row was added
    /// before the row was woken.
    fn begin(&mut self) {
        self.pass.rows.clear();
        self.inbox.bell.take(&mut self.pass.woken);
        self.pass.rows.extend(self.pass.woken.drain(..).flatten());
        let changes = mem::take(&mut self.inbox.changes.lock().rows);
        for (row, connection) in changes {
            let at = row as usize;
            if at >= self.table.len() {
                self.table.resize_with(at + 1, || None);
            }
            let is_gone = connection.is_none();
            let old = mem::replace(&mut self.table[at], connection);
            // The last owner of a connection runs code of the application.
            drop(catch_unwind(AssertUnwindSafe(|| drop(old))));
            if is_gone {
                self.inbox.bell.free(row);
            }
        }
    }

    fn at(&self, index: usize) -> Option<&Arc<dyn Flush>> {
        let row = *self.pass.rows.get(index)?;
        self.table.get(row as usize)?.as_ref()
    }

    async fn flush_all(&mut self, since: Instant) {
        for index in 0..self.pass.rows.len() {
            if let Some(soon) = self.at(index + 2 * AHEAD) {
                prefetch(&**soon, LINES);
            }
            if let Some(next) = self.at(index + AHEAD) {
                next.prefetch();
            }
            let Some(connection) = self.at(index) else {
                continue;
            };
            let delay = connection.delay();
            if delay.is_zero() {
                self.flush(self.pass.rows[index]);
            } else {
                let due = Reverse(now() + delay);
                let row = self.pass.rows[index];
                self.delayed.push(Delayed { due, row });
            }
            if self.flushed == TURN {
                self.scratch.report(&self.totals, since);
                self.flushed = 0;
                self.turn.step();
                yield_now().await;
            }
        }
        self.scratch.report(&self.totals, since);
    }

    /// Flushes the connections that wait for more and have half of what their outboxes hold: until
    /// the next pass as much may come.
    fn flush_half_full(&mut self) {
        let mut full = Vec::new();
        let table = &self.table;
        self.delayed.retain(|Delayed { row, .. }| {
            let connection = table.get(*row as usize).and_then(Option::as_ref);
            let is_half_full = connection.is_some_and(|it| it.is_half_full());
            if is_half_full {
                full.push(*row);
            }
            !is_half_full
        });
        full.into_iter().for_each(|row| self.flush(row));
    }

    /// Flushes the connections that have waited long enough.
    async fn flush_due(&mut self) {
        if self.delayed.is_empty() {
            return;
        }
        let now = now();
        while let Some(first) = self.delayed.peek()
            && first.due.0 <= now
            && let Some(Delayed { due, row }) = self.delayed.pop()
        {
            self.flush(row);
            self.scratch.report(&self.totals, due.0);
            if self.flushed == TURN {
                self.flushed = 0;
                self.turn.step();
                yield_now().await;
            }
        }
    }

    /// Flushes the connection of a row, whose failure must not be that of the others.
    fn flush(&mut self, row: u32) {
        let Some(Some(connection)) = self.table.get(row as usize) else {
            return;
        };
        self.flushed += 1;
        let scratch = &mut self.scratch;
        let flushed = catch_unwind(AssertUnwindSafe(|| connection.flush(scratch)));
        if let Err(panic) = flushed {
            let left = mem::take(scratch);
            // What was received is dropped here, and may panic again.
            let dropped = catch_unwind(AssertUnwindSafe(|| drop((panic, left))));
            drop(dropped);
            connection.end();
        }
    }
}

impl Scratch {
    /// Returns when the pass began: no flush of it was earlier.
    #[cfg_attr(not(feature = "sse"), expect(dead_code, reason = "for streams"))]
    pub(in crate::transport) fn now(&self) -> Instant {
        self.now.unwrap_or_else(now)
    }

    /// Gives back the frames that were kept.
    fn give_back(&mut self) {
        // The last owner of a payload runs its destructor, which may panic.
        let cleared = catch_unwind(AssertUnwindSafe(|| self.batch.clear()));
        drop(cleared);
    }

    /// Folds what was counted into the transports' counters.
    fn report(&mut self, totals: &AllTotals, since: Instant) {
        self.give_back();
        self.ws.report(totals.of(Transport::Ws), since);
        self.sse.report(totals.of(Transport::Sse), since);
    }
}

impl Unreported {
    fn report(&mut self, totals: &Totals, since: Instant) {
        if self.flushed == 0 {
            return;
        }
        let Self { tally, flushed } = mem::take(self);
        let took = now().saturating_duration_since(since);
        totals.add(&tally);
        totals.flushed(took, flushed);
    }
}

fn now() -> Instant {
    SystemClock::new().now()
}

/// After so many connections, others have their turn.
const TURN: u64 = 64;

/// How many connections ahead what the next flush needs is fetched.
const AHEAD: usize = 2;

/// How many cache lines of a connection a flush touches, at most.
const LINES: usize = 10;
