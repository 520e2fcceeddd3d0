//! The layers wired together on one hub.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crate::hub::Client;
use crate::hub::Hub;
use crate::layers::name::UserId;
use crate::layers::presence;
use crate::layers::presence::Presence;
use crate::layers::presence::PresenceConfig;

/// The layers that a gateway serves, wired together. A cheap clone.
#[derive(Clone)]
pub struct Layers {
    inner: Arc<Inner>,
}

struct Inner {
    hub: Hub,
    presence: Presence,
}

impl Layers {
    /// All layers with their defaults.
    #[must_use]
    pub fn new(hub: &Hub) -> Self {
        Self {
            inner: Arc::new(Inner {
                hub: hub.clone(),
                presence: Presence::new(hub, PresenceConfig::new()),
            }),
        }
    }

    /// The hub.
    #[must_use]
    pub fn hub(&self) -> &Hub {
        &self.inner.hub
    }

    /// Who is there.
    #[must_use]
    pub fn presence(&self) -> &Presence {
        &self.inner.presence
    }

    /// A client has connected.
    pub fn connected(&self, client: &Client) {
        if let Some(user) = user_of(client) {
            let presence = self.presence();
            presence.connected(&user, client.id(), presence::device_of(client));
        }
    }

    /// A client has been closed.
    pub fn disconnected(&self, client: &Client) {
        if let Some(user) = user_of(client) {
            self.presence().disconnected(&user, client.id());
        }
    }

    /// A client has asked for something.
    pub fn active(&self, client: &Client) {
        if let Some(user) = user_of(client) {
            let _known = self.presence().touch(&user, Some(client.id()));
        }
    }

    /// When to call [`Layers::tick`] next, if nothing happens before.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.presence().next_deadline()
    }

    /// Does what is due at `now`.
    pub fn tick(&self, now: Instant) {
        self.presence().tick(now);
    }
}

fn user_of(client: &Client) -> Option<UserId> {
    UserId::parse(client.user()?).ok()
}

impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layers").finish_non_exhaustive()
    }
}
