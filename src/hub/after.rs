//! What a channel leaves to be done outside it: closing clients, calling the application.
//!
//! Closing never happens inside the fan-out loop, and the application's code never runs inside a
//! channel. Both are posted here, in order, and whoever has just left a channel does them; while
//! somebody is at it, others leave theirs and go on. So callbacks are called one at a time, and
//! those of one channel in the order of its publications. A callback that panics is caught and
//! counted: the thread that runs it may have nothing to do with its cause.

use std::fmt;
use std::sync::Arc;
use std::sync::OnceLock;

use crate::hub::client::ClientCore;
use crate::hub::frame::Member;
use crate::id::ChannelName;
use crate::id::ClientId;
use crate::quiet::quietly;
use crate::quiet::uncount;
use crate::raw::combiner::Machine;

/// Something to be done outside a channel.
pub(crate) enum Effect {
    /// A client was closed by a publisher, which could not see to the rest.
    Retire(Arc<ClientCore>),
    Channel(ChannelEvent),
    Log(HubEvent),
    Presence(PresenceEvent),
}

/// Does what channels left to be done.
pub(crate) struct After {
    pub(super) on_channel: Arc<OnceLock<ChannelHook>>,
    pub(super) on_presence: Option<PresenceHook>,
    pub(super) logger: Option<Logger>,
}

pub(super) type ChannelHook = Arc<dyn Fn(&ChannelEvent) + Send + Sync>;
pub(super) type PresenceHook = Arc<dyn Fn(&PresenceEvent) + Send + Sync>;
pub(super) type Logger = Arc<dyn Fn(&HubEvent) + Send + Sync>;

impl Machine for After {
    type Op = Effect;
    type Output = ();

    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Retire(client) => {
                client.retire();
                self.log(&HubEvent::SlowDisconnected { client: client.id });
            }
            Effect::Channel(change) => {
                if let Some(hook) = self.on_channel.get() {
                    let _called = quietly(|| hook(&change));
                }
            }
            Effect::Log(event) => self.log(&event),
            Effect::Presence(event) => {
                if let Some(hook) = &self.on_presence {
                    let _called = quietly(|| hook(&event));
                }
            }
        }
    }
}

impl After {
    fn log(&self, event: &HubEvent) {
        let logged = quietly(|| {
            trace(event);
            if let Some(logger) = &self.logger {
                logger(event);
            }
        });
        if logged.is_none() && matches!(event, HubEvent::Panicked { .. }) {
            // Not reported again: a logger that always panics would be called for ever.
            uncount();
        }
    }
}

#[cfg(feature = "tracing")]
fn trace(event: &HubEvent) {
    tracing::debug!(target: "throng", "{event}");
}

#[cfg(not(feature = "tracing"))]
fn trace(_event: &HubEvent) {}

/// A channel was created or removed; given to
/// [`Hub::on_channel`](crate::Hub::on_channel).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a channel is there or is not")]
pub enum ChannelEvent {
    /// A client joined the channel, or code has taken a handle to it.
    Created(ChannelName),
    /// The last subscription and the last handle are gone.
    Removed(ChannelName),
}

/// A member came to a presence channel or went from it; given to
/// [`HubBuilder::on_presence`](crate::HubBuilder::on_presence).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PresenceEvent {
    /// The channel.
    pub channel: ChannelName,
    /// Who.
    pub member: Member,
    /// Came or went.
    pub change: PresenceChange,
}

/// Whether a member came or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a member is there or is not")]
pub enum PresenceChange {
    /// Its first connection joined.
    Joined,
    /// Its last connection left.
    Left,
}

/// Something worth a line in a log; given to [`HubBuilder::on_event`](crate::HubBuilder::on_event).
///
/// A client that loses messages is reported once, and again only after it has caught up: a storm
/// of drops is not a storm of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HubEvent {
    /// A join was denied.
    JoinDenied {
        /// Who wanted to join.
        client: ClientId,
        /// What.
        channel: ChannelName,
        /// Why not.
        reason: Arc<str>,
    },
    /// A client was disconnected because it did not keep up.
    SlowDisconnected {
        /// Which.
        client: ClientId,
    },
    /// A client has begun to lose messages.
    DroppingStarted {
        /// Which.
        client: ClientId,
        /// On which channel; `None` for what goes to all clients or to it alone.
        channel: Option<ChannelName>,
    },
    /// The runtime in which the clock of a gateway ran has ended. Deadlines of layers, such as the
    /// end of typing, wait for the clock.
    ClockMoved {
        /// Whether the clock goes on in another runtime. Else it stands still until a client comes.
        is_ticking: bool,
    },
    /// Foreign code panicked inside the hub: a waker, a callback, the destructor of a payload.
    Panicked {
        /// How many panics were caught.
        caught: u32,
    },
}

impl fmt::Display for HubEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::JoinDenied {
                client,
                channel,
                reason,
            } => {
                write!(f, "client {client} may not join {channel}: {reason}")
            }
            Self::SlowDisconnected { client } => {
                write!(f, "client {client} is too slow, disconnected")
            }
            Self::DroppingStarted {
                client,
                channel: Some(channel),
            } => {
                write!(
                    f,
                    "client {client} is behind and loses messages of {channel}"
                )
            }
            Self::DroppingStarted {
                client,
                channel: None,
            } => {
                write!(f, "client {client} is behind and loses messages")
            }
            Self::ClockMoved { is_ticking: true } => {
                f.write_str("the clock of the gateway goes on in another runtime")
            }
            Self::ClockMoved { is_ticking: false } => {
                f.write_str("the clock of the gateway stands still, for its runtime has ended")
            }
            Self::Panicked { caught } => {
                write!(f, "caught {caught} panics of wakers, callbacks or payloads")
            }
        }
    }
}
