//! The layers wired together on one hub.

use std::fmt;
use std::sync::Arc;

use crate::hub::Hub;
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
}

impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layers").finish_non_exhaustive()
    }
}
