//! Tells the layers and the hub the time.
//!
//! The time is told by one task, on the runtime of some client. When that runtime ends before the
//! gateway does, the task goes on on another one in which a client has come; the hub logs it. The
//! task does not keep the gateway, nor its hub.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Weak;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::ThreadId;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time;

use crate::hub::HubEvent;
use crate::layers::Layers;
use crate::time::Clock;
use crate::time::SystemClock;
use crate::transport::gateway::Inner;

/// Tells the layers the time whenever they want to know, and the hub now and then, from a task that
/// ends with it.
#[derive(Default)]
pub(super) struct Ticker {
    state: Mutex<State>,
    /// The number of the last task that has ended with its runtime.
    ended: AtomicU64,
}

#[derive(Default)]
struct State {
    ticking: Option<AbortHandle>,
    /// How many tasks there were: the number of the last one.
    tasks: u64,
    /// Runtimes in which clients came, by the thread that let them in.
    runtimes: HashMap<ThreadId, Handle>,
}

impl Ticker {
    /// Begins with it, on this runtime, unless it has begun.
    pub(super) fn start(&self, gateway: &Weak<Inner>) {
        {
            let mut state = self.state.lock();
            let (here, runtime) = (thread::current().id(), Handle::current());
            if state.ticking.is_none() {
                state.ticking = Some(state.spawn(&runtime, gateway));
            }
            let runtimes = &mut state.runtimes;
            if runtimes.len() >= MOST_RUNTIMES
                && let Some(any) = runtimes.keys().next().copied()
            {
                runtimes.remove(&any);
            }
            runtimes.insert(here, runtime);
        }
        self.restart(gateway);
    }

    /// Goes on on another runtime if the task has ended with its own. Does not wait: whoever has
    /// the state looks again after it.
    fn restart(&self, gateway: &Weak<Inner>) {
        while let Some(mut state) = self.state.try_lock() {
            let has_ended = state.ticking.is_some() && self.has_ended(state.tasks);
            if has_ended {
                self.go_on(&mut state, gateway);
            }
            let (is_ticking, last) = (state.ticking.is_some(), state.tasks);
            drop(state);
            if has_ended && let Some(gateway) = gateway.upgrade() {
                gateway
                    .entrance
                    .hub()
                    .log(HubEvent::ClockMoved { is_ticking });
            }
            if !is_ticking || !self.has_ended(last) {
                return;
            }
        }
    }

    /// Begins a task on some runtime that has not ended.
    fn go_on(&self, state: &mut State, gateway: &Weak<Inner>) {
        state.ticking = None;
        let threads: Vec<_> = state.runtimes.keys().copied().collect();
        for thread in threads {
            let Some(runtime) = state.runtimes.get(&thread).cloned() else {
                continue;
            };
            let ticking = state.spawn(&runtime, gateway);
            // A runtime that has ended drops the task at once.
            if !self.has_ended(state.tasks) {
                state.ticking = Some(ticking);
                return;
            }
            state.runtimes.remove(&thread);
        }
    }

    /// Whether the task of this number has ended with its runtime.
    fn has_ended(&self, task: u64) -> bool {
        // SeqCst: whoever finds the state taken has noted the end before; the one who has it looks
        // after it has let go.
        self.ended.load(Ordering::SeqCst) >= task
    }
}

impl State {
    fn spawn(&mut self, runtime: &Handle, gateway: &Weak<Inner>) -> AbortHandle {
        self.tasks += 1;
        let ending = Ending {
            gateway: Weak::clone(gateway),
            task: self.tasks,
        };
        runtime.spawn(tick(ending)).abort_handle()
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        if let Some(ticking) = &self.state.get_mut().ticking {
            ticking.abort();
        }
    }
}

/// The gateway, as the task sees it. Dropped before the gateway is gone, the task has ended with
/// its runtime.
struct Ending {
    gateway: Weak<Inner>,
    task: u64,
}

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(gateway) = self.gateway.upgrade() {
            // SeqCst: see `has_ended`.
            gateway.ticker.ended.fetch_max(self.task, Ordering::SeqCst);
            gateway.ticker.restart(&self.gateway);
        }
    }
}

async fn tick(task: Ending) {
    let clock = SystemClock::new();
    let mut hub_due = clock.now();
    loop {
        let Some(inner) = task.gateway.upgrade() else {
            return;
        };
        let now = clock.now();
        if hub_due <= now {
            quietly(|| inner.entrance.hub().tick());
            hub_due = now + HUB_EVERY;
        }
        quietly(|| inner.entrance.tick());
        let layers = inner.entrance.layers();
        if let Some(layers) = layers {
            quietly(|| layers.tick(now));
        }
        let next = layers.and_then(Layers::next_deadline);
        let left = next.map(|next| next.saturating_duration_since(clock.now()));
        // Without layers nothing is due sooner.
        let is_quiet = layers.is_none() && inner.entrance.badges().is_none();
        let longest = if is_quiet { HUB_EVERY } else { LONGEST };
        drop(inner);
        time::sleep(left.unwrap_or(longest).clamp(SHORTEST, longest)).await;
    }
}

/// Callbacks of the application that panic do so again, or not; time goes on.
fn quietly(tick: impl FnOnce()) {
    let _ticked = catch_unwind(AssertUnwindSafe(tick));
}

/// For how many threads that let clients in the runtime is remembered.
const MOST_RUNTIMES: usize = 64;

/// So long what becomes due meanwhile may be late: nobody wakes the task.
const LONGEST: Duration = Duration::from_millis(50);

/// Shorter than that, a timer of the runtime is none.
const SHORTEST: Duration = Duration::from_millis(1);

/// So much later than it may, the hub gives back what nobody holds and what is forgotten.
const HUB_EVERY: Duration = Duration::from_millis(500);
