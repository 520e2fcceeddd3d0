//! Tells the layers and the hub the time.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time;

use crate::hub::Hub;
use crate::layers::Layers;
use crate::time::Clock;
use crate::time::SystemClock;

/// Tells the layers the time whenever they want to know, and the hub now and then, from a task that
/// ends with it.
#[derive(Default)]
pub(super) struct Ticker(OnceLock<AbortHandle>);

impl Ticker {
    /// Begins with it, on this runtime, unless it has begun.
    pub(super) fn start(&self, hub: &Hub, layers: Option<&Layers>) {
        self.0.get_or_init(|| {
            let ticking = tokio::spawn(tick(hub.clone(), layers.cloned()));
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
async fn tick(hub: Hub, layers: Option<Layers>) {
    let clock = SystemClock::new();
    let mut hub_due = clock.now();
    loop {
        let now = clock.now();
        if hub_due <= now {
            quietly(|| hub.tick());
            hub_due = now + HUB_EVERY;
        }
        if let Some(layers) = &layers {
            quietly(|| layers.tick(now));
        }
        let next = layers.as_ref().and_then(Layers::next_deadline);
        let left = next.map(|next| next.saturating_duration_since(clock.now()));
        // Without layers nothing is due sooner.
        let longest = layers.as_ref().map_or(HUB_EVERY, |_| LONGEST);
        time::sleep(left.unwrap_or(longest).clamp(SHORTEST, longest)).await;
    }
}

/// Callbacks of the application that panic do so again, or not; time goes on.
fn quietly(tick: impl FnOnce()) {
    let _ticked = catch_unwind(AssertUnwindSafe(tick));
}

/// So long what becomes due meanwhile may be late: nobody wakes the task.
const LONGEST: Duration = Duration::from_millis(50);

/// Shorter than that, a timer of the runtime is none.
const SHORTEST: Duration = Duration::from_millis(1);

/// So much later than it may, the hub gives back what nobody holds and what is forgotten.
const HUB_EVERY: Duration = Duration::from_millis(500);
