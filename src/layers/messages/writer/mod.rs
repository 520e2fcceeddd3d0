//! Threads that wait for the store, so that nobody else has to.
//!
//! One thread writes: whatever has come while it waited for the disk it writes together, in the
//! order in which it came, so that one wait pays for many. Others read.

use std::collections::VecDeque;
use std::fmt;
use std::panic;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::thread;
use std::thread::JoinHandle;

use parking_lot::Condvar;
use parking_lot::Mutex;

use crate::layers::messages::config::MessagesConfig;
use crate::layers::messages::error::StoreError;
use crate::layers::messages::store::Change;
use crate::layers::messages::store::MessageStore;
use crate::layers::messages::store::Written;
use crate::layers::rooms::Asked;

/// What is done with the answer to a change, on the thread that writes, in the order of changes.
pub(super) type Then = Box<dyn FnOnce(Result<Written, StoreError>) + Send>;

/// What waits to be written.
enum Write {
    /// A change, what is done then, and the room without which it is not made.
    Change(Change, Then, Option<Asked>),
    /// What is done when all before it is.
    Barrier(Read),
}

type Read = Box<dyn FnOnce() + Send>;

/// The way to the thread that writes. Dropping it waits for nothing. A cheap clone.
#[derive(Clone)]
pub(super) struct Writes(Arc<Queue<Write>>);

impl Writes {
    /// Has a change written. When as many wait as may, `then` learns so at once; and when it is
    /// its turn, if the room that it needs was not kept.
    pub(super) fn write(&self, change: Change, needs: Option<Asked>, then: Then) {
        let bytes = change.payload_len();
        let write = Write::Change(change, then, needs);
        if let Err((Write::Change(_, then, _), why)) = self.0.push(write, bytes) {
            then(Err(why.into()));
        }
    }

    /// Has something done when everything that was given before has been written.
    pub(super) fn barrier(&self, then: Read) {
        self.0.push_anyway(Write::Barrier(then));
    }

    /// Whether what waits takes more than half of the room that there is.
    pub(super) fn is_half_full(&self) -> bool {
        let state = self.0.state.lock();
        let most = self.0.most;
        state.waiting.len() > most.count / 2 || state.bytes > most.bytes / 2
    }

    /// How many changes wait.
    pub(super) fn waiting(&self) -> usize {
        self.0.state.lock().waiting.len()
    }
}

/// The way to threads that ask the store, one thing after another.
pub(super) struct Lane(Arc<Queue<Read>>);

impl Lane {
    fn new(most: Most) -> Self {
        Self(Arc::new(Queue::new(most)))
    }

    /// Has something asked.
    ///
    /// # Errors
    ///
    /// When as much waits as may.
    pub(super) fn ask(&self, read: Read) -> Result<(), StoreError> {
        self.0.push(read, 0).map_err(|(_, why)| why.into())
    }
}

/// The threads of one store.
pub(super) struct Threads {
    writes: Writes,
    reads: Lane,
    upkeep: Lane,
    running: Mutex<Vec<JoinHandle<()>>>,
}

/// The most changes that are written together.
const MOST_TOGETHER: usize = 1024;

/// The payloads of changes after which no more is written together.
const MOST_BYTES_TOGETHER: usize = 8 << 20;

/// How much may wait.
#[derive(Clone, Copy)]
pub(super) struct Most {
    count: usize,
    bytes: usize,
}

impl From<&MessagesConfig> for Most {
    fn from(config: &MessagesConfig) -> Self {
        Self {
            count: config.max_pending,
            bytes: config.max_pending_bytes,
        }
    }
}

impl Threads {
    /// Starts one thread that writes to a store and one that keeps it up, if there is one, and
    /// `readers` that read.
    pub(super) fn start(
        store: Option<&Arc<dyn MessageStore>>,
        readers: usize,
        most: Most,
    ) -> std::io::Result<Self> {
        let writes = Writes(Arc::new(Queue::new(most)));
        let (reads, upkeep) = (Lane::new(most), Lane::new(most));
        let threads = Self {
            writes: writes.clone(),
            reads,
            upkeep,
            running: Mutex::default(),
        };
        if let Some(store) = store {
            let store = Arc::clone(store);
            threads.spawn("throng-write", move || write(&*store, &writes.0))?;
            threads.serve("throng-upkeep", &threads.upkeep)?;
        }
        for _ in 0..readers.max(1) {
            threads.serve("throng-read", &threads.reads)?;
        }
        Ok(threads)
    }

    fn serve(&self, name: &str, lane: &Lane) -> std::io::Result<()> {
        let reads = Arc::clone(&lane.0);
        self.spawn(name, move || read(&reads))
    }

    fn spawn(&self, name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        let running = thread::Builder::new().name(name.to_owned()).spawn(run)?;
        self.running.lock().push(running);
        Ok(())
    }

    /// The way to the thread that writes.
    pub(super) fn writes(&self) -> &Writes {
        &self.writes
    }

    /// The way to the threads that read.
    pub(super) fn reads(&self) -> &Lane {
        &self.reads
    }

    /// The way to the thread that does what takes long.
    pub(super) fn upkeep(&self) -> &Lane {
        &self.upkeep
    }
}

/// What is done after a batch.
enum Done {
    Answered(Then),
    Passed(Read),
    Refused(Then),
}

/// What a change is answered that the store did not answer.
pub(super) fn silent() -> StoreError {
    StoreError::Failed("it did not answer".into())
}

fn roomless() -> StoreError {
    StoreError::Failed("it did not keep the room".into())
}

/// Why something cannot wait.
#[derive(Clone, Copy)]
enum Refusal {
    /// As much waits as may.
    Busy,
    /// The threads have ended.
    Ended,
}

impl From<Refusal> for StoreError {
    fn from(why: Refusal) -> Self {
        Self::Failed(match why {
            Refusal::Busy => "too much waits for it".into(),
            Refusal::Ended => "it is closed".into(),
        })
    }
}

fn write(store: &dyn MessageStore, writes: &Queue<Write>) {
    while let Some(batch) = writes.take(MOST_TOGETHER, MOST_BYTES_TOGETHER) {
        let mut changes = Vec::with_capacity(batch.len());
        let mut thens: Vec<Done> = Vec::with_capacity(batch.len());
        for write in batch {
            match write {
                Write::Change(_, then, Some(needs)) if needs.get() == Some(&false) => {
                    thens.push(Done::Refused(then));
                }
                Write::Change(change, then, _) => {
                    changes.push(change);
                    thens.push(Done::Answered(then));
                }
                Write::Barrier(then) => thens.push(Done::Passed(then)),
            }
        }
        let mut answers = make(store, changes).into_iter();
        for then in thens {
            // What panics in there is one answer's; the others are given all the same.
            let answer = match then {
                // A store that forgets to answer has not said that it is done.
                Done::Answered(then) => {
                    let answer = answers.next().unwrap_or_else(|| Err(silent()));
                    caught(move || then(answer))
                }
                Done::Passed(then) => caught(then),
                Done::Refused(then) => caught(move || then(Err(roomless()))),
            };
            drop(answer);
        }
    }
}

/// What the store says to these changes. One that panics has failed.
fn make(store: &dyn MessageStore, changes: Vec<Change>) -> Vec<Result<Written, StoreError>> {
    if changes.is_empty() {
        return Vec::new();
    }
    let count = changes.len();
    let answers = caught(move || store.write(changes));
    answers.unwrap_or_else(|error| vec![Err(error); count])
}

fn read(reads: &Queue<Read>) {
    while let Some(batch) = reads.take(1, 0) {
        for read in batch {
            // Whoever waits for it learns so: its giver is dropped.
            let _panicked = caught(read);
        }
    }
}

/// What panics has failed; where, was told when it did.
fn caught<T>(work: impl FnOnce() -> T) -> Result<T, StoreError> {
    // Nothing of what it may have left half done is looked at by us.
    let caught = panic::catch_unwind(AssertUnwindSafe(work));
    caught.map_err(|_| StoreError::Failed("it panicked".into()))
}

impl Drop for Threads {
    /// What was asked for is still done.
    fn drop(&mut self) {
        self.writes.0.end();
        self.reads.0.end();
        self.upkeep.0.end();
        for running in self.running.lock().drain(..) {
            // The last owner may be one of them, in the middle of an answer.
            if running.thread().id() != thread::current().id() {
                // A panic in there has been told where it happened.
                let _ended = running.join();
            }
        }
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Threads")
            .field("waiting", &self.writes.waiting())
            .finish_non_exhaustive()
    }
}

/// What waits for a thread.
struct Queue<T> {
    state: Mutex<State<T>>,
    come: Condvar,
    most: Most,
}

struct State<T> {
    /// Each with the bytes of its payload.
    waiting: VecDeque<(T, usize)>,
    bytes: usize,
    has_ended: bool,
}

impl<T> Queue<T> {
    fn new(most: Most) -> Self {
        Self {
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                bytes: 0,
                has_ended: false,
            }),
            come: Condvar::new(),
            most,
        }
    }

    /// Gives it back when as much waits as may. Where nothing waits, there is room for anything.
    fn push(&self, item: T, bytes: usize) -> Result<(), (T, Refusal)> {
        let mut state = self.state.lock();
        let is_over = bytes > 0 && state.bytes > 0 && state.bytes + bytes > self.most.bytes;
        if state.has_ended {
            return Err((item, Refusal::Ended));
        }
        if state.waiting.len() >= self.most.count || is_over {
            return Err((item, Refusal::Busy));
        }
        state.waiting.push_back((item, bytes));
        state.bytes += bytes;
        drop(state);
        self.come.notify_one();
        Ok(())
    }

    /// Unless it has ended, takes it however many wait.
    fn push_anyway(&self, item: T) {
        self.state.lock().waiting.push_back((item, 0));
        self.come.notify_one();
    }

    /// What waits, at most so many, and no more once they have so many bytes, waiting for the
    /// first; `None` once it has ended.
    fn take(&self, most: usize, most_bytes: usize) -> Option<Vec<T>> {
        let mut state = self.state.lock();
        while state.waiting.is_empty() {
            if state.has_ended {
                return None;
            }
            self.come.wait(&mut state);
        }
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while taken.len() < most && (taken.is_empty() || bytes < most_bytes) {
            let Some((item, its)) = state.waiting.pop_front() else {
                break;
            };
            taken.push(item);
            bytes += its;
        }
        state.bytes -= bytes;
        Some(taken)
    }

    fn end(&self) {
        self.state.lock().has_ended = true;
        self.come.notify_all();
    }
}

#[cfg(test)]
mod tests;
