//! What every part of a hub shares: the settings, the clock, the counters.

use std::sync::Arc;
use std::sync::OnceLock;
use std::thread;
use std::time::Instant;

use crossbeam_queue::SegQueue;

use crate::hub::Client;
use crate::hub::Filter;
use crate::hub::after::After;
use crate::hub::after::ChannelEvent;
use crate::hub::after::ChannelHook;
use crate::hub::after::Effect;
use crate::hub::after::HubEvent;
use crate::hub::agenda::Agenda;
use crate::hub::agenda::NEVER;
use crate::hub::authorize::Authorizer;
use crate::hub::channel::Core;
use crate::hub::graces::Graces;
use crate::hub::history::Budget;
use crate::hub::history::HistoryOptions;
use crate::hub::queue::millis;
use crate::hub::router::Router;
use crate::hub::stats::HubCounters;
use crate::hub::turns::Turns;
use crate::id::ChannelName;
use crate::limits::Limits;
use crate::limits::OutboxLimits;
use crate::limits::SlowConsumer;
use crate::message::Message;
use crate::quiet::quietly;
use crate::quiet::take_caught;
use crate::raw::combiner::Combiner;
use crate::raw::ring::Budget as OutboxBudget;
use crate::sync::Arc as SharedArc;
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering;
use crate::time::Clock;
use crate::time::SystemClock;

/// Returns the filter of what a client receives of a channel.
pub(super) type Recipients = Arc<dyn Fn(&Client, &str) -> Option<Filter> + Send + Sync>;

/// What every part of a hub shares. It knows no client and no channel, so that they can hold it.
pub(crate) struct Common {
    pub(super) limits: Limits,
    pub(super) outbox: OutboxLimits,
    pub(super) slow_consumer: SlowConsumer,
    pub(super) authorizer: Option<Arc<dyn Authorizer>>,
    pub(super) recipients: Option<Recipients>,
    pub(super) router: OnceLock<Box<dyn Router>>,
    pub(super) after: Combiner<After>,
    pub(super) counters: HubCounters,
    pub(super) logs: bool,
    /// Who wants to know of channels that come and go.
    pub(super) on_channel: Arc<OnceLock<ChannelHook>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) start: Instant,
    /// The time of day at `start`, in milliseconds since 1970.
    pub(super) started_at: u64,
    pub(super) epoch: AtomicU64,
    /// Channels to be looked at, each once: nobody holds them any more, or they have begun to
    /// remember something.
    pub(super) changed: SegQueue<Arc<Core>>,
    /// Channels that remember something, by when the oldest of it is too old.
    pub(super) aging: Agenda,
    /// Channels that nobody held when last looked at, by until when they stay.
    pub(super) lingering: Agenda,
    /// Clients that are given a grace.
    pub(super) graces: Graces,
    /// Which channels remember how much.
    pub(super) history: Option<HistoryRule>,
    pub(super) history_budget: Arc<Budget>,
    /// Of all outboxes together, if it is bounded.
    pub(super) outbox_budget: Option<SharedArc<OutboxBudget>>,
    /// How far those are who drain outboxes in passes.
    pub(super) turns: Arc<Turns>,
}

/// Says how much a channel of some name is to remember.
pub(super) type HistoryRule = Box<dyn Fn(&ChannelName) -> Option<HistoryOptions> + Send + Sync>;

impl Common {
    /// Leaves something to be done by whoever leaves a channel next.
    ///
    /// A line for the log is dropped when as much waits as may. What has to happen is never
    /// dropped, and is bounded by those it happens to: a presence channel lets nobody in while
    /// [`Common::is_backlogged`], and a client is retired once.
    pub(super) fn after(&self, effect: Effect) {
        let may_be_dropped = matches!(effect, Effect::Log(_));
        if !(may_be_dropped && self.is_backlogged()) {
            self.after.post(effect);
        }
    }

    /// Whether as much is left to be done as may be, since a callback takes long.
    pub(super) fn is_backlogged(&self) -> bool {
        self.after.queued() >= self.limits.max_backlog
    }

    /// Does what was left to be done. Not while this thread unwinds, perhaps from that very thing:
    /// a second panic would abort the program. The next one does it then.
    pub(super) fn serve(&self) {
        if !thread::panicking() {
            self.after.serve();
            let caught = take_caught();
            if caught > 0 {
                self.report_panics(caught);
            }
        }
    }

    /// Counts panics of foreign code that were caught on this thread, and has them logged.
    #[cold]
    fn report_panics(&self, caught: u32) {
        self.counters.caught(caught);
        if self.logs() {
            self.after(Effect::Log(HubEvent::Panicked { caught }));
            self.after.serve();
        }
    }

    /// Leaves it to be told that a channel has come to be or has gone.
    pub(super) fn tell_channel(&self, change: impl FnOnce() -> ChannelEvent) {
        if self.on_channel.get().is_some() {
            self.after(Effect::Channel(change()));
        }
    }

    /// Whether anybody reads what is logged.
    pub(super) fn logs(&self) -> bool {
        self.logs
    }

    /// Whether any channel remembers anything from the start.
    pub(super) fn may_remember(&self) -> bool {
        self.history.is_some()
    }

    /// How much a channel of this name is to remember.
    pub(super) fn remembers(&self, name: &ChannelName) -> Option<HistoryOptions> {
        let options = self.history.as_ref().and_then(|rule| rule(name));
        self.in_bounds(options)
    }

    /// How much is remembered in fact where that is asked for: nothing if a bound is zero.
    pub(super) fn in_bounds(&self, options: Option<HistoryOptions>) -> Option<HistoryOptions> {
        options.filter(|options| options.is_any() && self.limits.max_history_bytes > 0)
    }

    /// Milliseconds since the hub began.
    pub(super) fn millis(&self) -> u64 {
        // A clock that panics in the middle of a channel would end a fan-out halfway.
        let now = quietly(|| self.clock.now()).unwrap_or_else(|| SystemClock::new().now());
        millis(self.start, now)
    }

    /// Returns the time of day, in milliseconds since 1970. It may jump; of a clock that does not
    /// know it, it goes on from what it was when the hub began.
    #[inline]
    pub(super) fn unix_millis(&self) -> u64 {
        // As above: a clock may panic.
        match quietly(|| self.clock.unix_time()).flatten() {
            Some(time) => u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
            None => self.started_at.saturating_add(self.millis()),
        }
    }

    /// When a message that is published now expires, in milliseconds since the hub began; or
    /// [`NEVER`].
    #[inline]
    pub(super) fn expires_at(&self, message: &Message) -> u64 {
        match message.lifetime_ms() {
            0 => NEVER,
            lifetime => self.millis().saturating_add(lifetime),
        }
    }

    /// A number that no other life of a channel has.
    pub(super) fn next_epoch(&self) -> u64 {
        // Relaxed: a number, and no two callers get the same.
        self.epoch.fetch_add(1, Ordering::Relaxed)
    }
}
