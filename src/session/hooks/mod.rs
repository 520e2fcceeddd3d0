//! Hooks: code of the application that is called when something is asked for, or has happened.
//!
//! ```text
//!   bytes ─▶ raw ─▶ parse ─▶ policies ─▶ message, join, create ─▶ schemas ─▶ filters ─▶ operation
//!              └────────────────┴──────── refused ◀──────┴──────────┴──────────┘          │
//!                                                        error ◀──────────────────────────┘
//! ```
//!
//! # Order
//!
//! Hooks are called in the order in which they were added. A hook with the name of another takes
//! its place. A call that has begun goes on with the hooks that were there when it began.
//!
//! # Isolation
//!
//! A hook that decides fails closed, an observer fails open: see [`Hook`].
//!
//! # Memory
//!
//! A queue of events for each asynchronous observer, bounded by [`Hook::queue`].
//!
//! # Cost
//!
//! Without hooks, schemas and filters: one load of a bit mask per request, per flush and per
//! connection. The fan-out to subscribers calls no hook.

mod asynchronous;
mod draft;
mod event;
mod hook;
mod info;
mod moments;
mod queue;
mod strings;
mod vetting;

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::Weak;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use parking_lot::RwLock;

use crate::layers::Layers;
use crate::layers::rooms::RoomChange;
use crate::protocol::Fault;
use crate::session::Caller;
use crate::session::content::Moderator;

pub use self::asynchronous::AsyncPolicy;
pub use self::asynchronous::from_async;
pub use self::draft::Draft;
pub use self::draft::Target;
pub use self::event::Event;
pub use self::event::Observer;
pub use self::hook::Arrival;
pub use self::hook::Hook;
pub use self::hook::NewRoom;
pub use self::info::CallerInfo;
pub use self::moments::Moments;

pub(crate) use self::hook::Quietly;
pub(crate) use self::vetting::Vetted;
pub(crate) use self::vetting::Vetting;

/// The hooks of a gateway. A cheap clone.
#[derive(Clone, Default)]
pub struct Hooks {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    hooks: RwLock<List>,
    /// The moments at which any hook is called.
    live: AtomicU32,
    layers: Option<Layers>,
    moderator: Option<Arc<dyn Moderator>>,
    /// Set when the layers report their events.
    wired: OnceLock<()>,
}

type List = Arc<[Arc<Hook>]>;

/// A hook, as [`Hooks::list`] returns it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct HookInfo {
    /// Name of the hook.
    pub name: Box<str>,
    /// Moments at which it is called.
    pub moments: Moments,
    /// Number of calls.
    pub calls: u64,
    /// Number of calls that panicked.
    pub failed: u64,
    /// Number of asynchronous calls that took too long.
    pub timed_out: u64,
    /// Number of events that an asynchronous observer was too slow to take.
    pub dropped: u64,
}

impl Hooks {
    pub(crate) fn new(layers: Option<Layers>, moderator: Option<Arc<dyn Moderator>>) -> Self {
        let hooks = Self {
            inner: Arc::new(Inner {
                layers,
                moderator: moderator.clone(),
                ..Inner::default()
            }),
        };
        if let Some(moderator) = moderator {
            let inner = Arc::downgrade(&hooks.inner);
            moderator.activity(Box::new(move |is_active| {
                if let Some(inner) = inner.upgrade() {
                    inner.set_content(is_active);
                }
            }));
        }
        hooks
    }

    /// Adds a hook behind the others, or in the place of the hook with the same name.
    pub fn add(&self, hook: Hook) {
        let hook = Arc::new(hook);
        let mut list = self.inner.hooks.write();
        let mut hooks = list.to_vec();
        match hooks.iter_mut().find(|known| known.name() == hook.name()) {
            Some(known) => drop(mem::replace(known, hook)),
            None => hooks.push(hook),
        }
        self.inner.replace(&mut list, hooks);
        drop(list);
        self.wire();
    }

    /// Removes a hook. Returns `false` if there is none of this name.
    #[expect(clippy::must_use_candidate, reason = "the removal is what matters")]
    pub fn remove(&self, name: &str) -> bool {
        let mut list = self.inner.hooks.write();
        let mut hooks = list.to_vec();
        hooks.retain(|hook| hook.name() != name);
        let was_there = hooks.len() < list.len();
        self.inner.replace(&mut list, hooks);
        was_there
    }

    /// Returns the hooks in the order in which they are called.
    #[must_use]
    pub fn list(&self) -> Vec<HookInfo> {
        let hooks = self.inner.list();
        hooks.iter().map(|hook| HookInfo::of(hook)).collect()
    }

    /// Returns `true` if a hook is called at one of these moments.
    #[inline]
    pub(crate) fn wants(&self, moments: Moments) -> bool {
        self.inner.live().meets(moments)
    }

    /// Notifies the observers of an event, which is made only if there is an observer for it.
    #[inline]
    pub(crate) fn notify(&self, moment: Moments, event: impl FnOnce() -> Event) {
        if self.wants(moment) {
            self.inner.notify(&event());
        }
    }

    /// Changes or refuses the bytes of a command.
    pub(crate) fn raw(&self, caller: &Caller<'_>, mut bytes: Bytes) -> Result<Bytes, Fault> {
        let caller = CallerInfo::of(caller);
        for hook in &*self.inner.list() {
            bytes = hook.ask_raw(&caller, bytes).map_err(|refused| {
                let fault = refused.fault();
                self.refused(&caller, "", &fault);
                fault
            })?;
        }
        Ok(bytes)
    }

    /// Notifies the observers of a refusal.
    pub(crate) fn refused(&self, caller: &CallerInfo, command: &str, fault: &Fault) {
        self.notify(Moments::REFUSED, || Event::Refused {
            caller: caller.clone(),
            command: command.into(),
            code: fault.code(),
            message: fault.message().into(),
        });
    }

    /// Notifies the observers of the failure of a request.
    pub(crate) fn failed(&self, caller: &CallerInfo, command: &str, fault: &Fault) {
        self.notify(Moments::ERROR, || Event::Error {
            caller: caller.clone(),
            command: command.into(),
            code: fault.code(),
            message: fault.message().into(),
        });
    }

    /// Lets the layers report their events, from the first hook that wants them on.
    fn wire(&self) {
        let Some(layers) = &self.inner.layers else {
            return;
        };
        if !self.wants(OF_LAYERS) {
            return;
        }
        self.inner.wired.get_or_init(|| {
            let inner = Arc::downgrade(&self.inner);
            wire(layers, &inner);
        });
    }
}

/// The moments that layers report.
const OF_LAYERS: Moments = Moments::JOINED
    .or(Moments::LEFT)
    .or(Moments::CREATED)
    .or(Moments::DELETED)
    .or(Moments::PRESENCE)
    .or(Moments::TYPING);

fn wire(layers: &Layers, inner: &Weak<Inner>) {
    if let Some(rooms) = layers.rooms() {
        let inner = Weak::clone(inner);
        rooms.observe(move |change| {
            let event = match change.clone() {
                RoomChange::Created(room) => Event::Created { room },
                RoomChange::Deleted(room) => Event::Deleted { room },
                RoomChange::Joined(room, user) => Event::Joined { room, user },
                RoomChange::Left(room, user) => Event::Left { room, user },
                RoomChange::Updated(_) => return,
            };
            notify(&inner, &event);
        });
    }
    if let Some(presence) = layers.presence() {
        let inner = Weak::clone(inner);
        let _observer = presence.observe(move |change| {
            notify(
                &inner,
                &Event::Presence {
                    user: change.presence.user_id.clone(),
                    from: change.from,
                    to: change.to,
                },
            );
        });
    }
    if let Some(typing) = layers.typing() {
        let inner = Weak::clone(inner);
        typing.observe(move |room, user, is_typing| {
            notify(
                &inner,
                &Event::Typing {
                    room: room.clone(),
                    user: user.clone(),
                    is_typing,
                },
            );
        });
    }
}

fn notify(inner: &Weak<Inner>, event: &Event) {
    if let Some(inner) = inner.upgrade() {
        inner.notify(event);
    }
}

impl Inner {
    fn live(&self) -> Moments {
        // Relaxed: a hook that was just added is called soon; the hooks are read under their lock.
        Moments::from_bits(self.live.load(Ordering::Relaxed))
    }

    fn list(&self) -> List {
        Arc::clone(&self.hooks.read())
    }

    fn replace(&self, list: &mut List, hooks: Vec<Arc<Hook>>) {
        let live = hooks.iter().map(|hook| hook.moments());
        let live = live.fold(Moments::NONE, Moments::or).bits();
        *list = hooks.into();
        let content = Moments::CONTENT.bits();
        let update = |old: u32| Some(old & content | live);
        // Relaxed: as in `live`.
        let relaxed = Ordering::Relaxed;
        let _updated = self.live.fetch_update(relaxed, relaxed, update);
    }

    /// Turns schemas and filters on or off.
    fn set_content(&self, is_active: bool) {
        let content = Moments::CONTENT.bits();
        // Relaxed: as in `live`.
        match is_active {
            true => self.live.fetch_or(content, Ordering::Relaxed),
            false => self.live.fetch_and(!content, Ordering::Relaxed),
        };
    }

    fn notify(&self, event: &Event) {
        for hook in &*self.list() {
            hook.notify(event);
        }
    }
}

impl HookInfo {
    fn of(hook: &Hook) -> Self {
        let counts = hook.counts();
        // Relaxed: counts of their own.
        Self {
            name: hook.name().into(),
            moments: hook.moments(),
            calls: counts.calls.load(Ordering::Relaxed),
            failed: counts.failed.load(Ordering::Relaxed),
            timed_out: counts.timed_out.load(Ordering::Relaxed),
            dropped: counts.dropped.load(Ordering::Relaxed),
        }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.inner.list().iter()).finish()
    }
}
