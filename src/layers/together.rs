//! The layers wired together on one hub.

use std::fmt;
use std::sync::Arc;

use crate::hub::Hub;
use crate::layers::presence::Presence;
use crate::layers::presence::PresenceConfig;
use crate::layers::typing::Typing;
use crate::layers::typing::TypingConfig;
use crate::layers::users::Users;
use crate::layers::users::UsersConfig;

/// The layers that a gateway serves, wired together. A cheap clone.
#[derive(Clone)]
pub struct Layers {
    inner: Arc<Inner>,
}

struct Inner {
    hub: Hub,
    presence: Presence,
    typing: Typing,
    users: Users,
}

impl Layers {
    /// All layers with their defaults.
    #[must_use]
    pub fn new(hub: &Hub) -> Self {
        Self {
            inner: Arc::new(Inner {
                hub: hub.clone(),
                presence: Presence::new(hub, PresenceConfig::new()),
                typing: Typing::new(hub, TypingConfig::new()),
                users: Users::new(hub, UsersConfig::new()),
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

    /// Who is typing.
    #[must_use]
    pub fn typing(&self) -> &Typing {
        &self.inner.typing
    }

    /// The users, and the connections of each.
    #[must_use]
    pub fn users(&self) -> &Users {
        &self.inner.users
    }
}

impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layers").finish_non_exhaustive()
    }
}
