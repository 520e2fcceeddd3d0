//! The layers wired together on one hub.

use std::fmt;
use std::sync::Arc;

use crate::hub::Hub;

/// The layers that a gateway serves, wired together. A cheap clone.
#[derive(Clone)]
pub struct Layers {
    inner: Arc<Inner>,
}

struct Inner {
    hub: Hub,
}

impl Layers {
    /// All layers with their defaults.
    #[must_use]
    pub fn new(hub: &Hub) -> Self {
        Self {
            inner: Arc::new(Inner { hub: hub.clone() }),
        }
    }

    /// The hub.
    #[must_use]
    pub fn hub(&self) -> &Hub {
        &self.inner.hub
    }
}

impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layers").finish_non_exhaustive()
    }
}
