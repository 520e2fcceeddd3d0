//! Tells the layers the time.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time;

use crate::layers::Layers;
use crate::time::Clock;
use crate::time::SystemClock;

/// Tells the layers the time whenever they want to know, from a task that ends with it.
#[derive(Default)]
pub(super) struct Ticker(OnceLock<AbortHandle>);

impl Ticker {
    /// Begins with it, on this runtime, unless it has begun.
    pub(super) fn start(&self, layers: Option<&Layers>) {
        let Some(layers) = layers else {
            return;
        };
        self.0.get_or_init(|| {
            let ticking = tokio::spawn(tick(layers.clone()));
            ticking.abort_handle()
        });
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        if let Some(ticking) = self.0.get() {
            ticking.abort();
        }
    }
}

#[expect(clippy::infinite_loop, reason = "whoever has spawned it aborts it")]
async fn tick(layers: Layers) {
    let clock = SystemClock::new();
    loop {
        // Callbacks of the application that panic do so again, or not; time goes on.
        let _ticked = catch_unwind(AssertUnwindSafe(|| layers.tick(clock.now())));
        let next = layers.next_deadline();
        let left = next.map(|next| next.saturating_duration_since(clock.now()));
        time::sleep(left.unwrap_or(LONGEST).clamp(SHORTEST, LONGEST)).await;
    }
}

/// So long what becomes due meanwhile may be late: nobody wakes the task.
const LONGEST: Duration = Duration::from_millis(50);

/// Shorter than that, a timer of the runtime is none.
const SHORTEST: Duration = Duration::from_millis(1);
