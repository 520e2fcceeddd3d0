//! Who holds a hub.
//!
//! [`Hub`](crate::Hub), [`Channel`](crate::Channel) and [`Client`](crate::Client) are *handles*:
//! through any of them something may still be published. With the last handle the hub is closed,
//! and every outbox ends after what it holds. An [`Outbox`](crate::Outbox) is no handle, for
//! nothing can be published through it; nor is what the hub holds itself, such as the channels of a
//! pattern.
//!
//! All handles share one [`Root`], so a handle is cloned by one count, as before there were roots.

use std::ops::Deref;
use std::sync::Arc;

use crate::disconnect::Disconnect;
use crate::hub::shared::Shared;

/// A hold on a hub.
#[derive(Clone)]
pub(crate) struct Handle(Arc<Root>);

/// What all handles of a hub own together.
pub(super) struct Root {
    shared: Arc<Shared>,
    /// Whether it keeps the hub open, and does not belong to the hub itself.
    is_outside: bool,
}

impl Handle {
    /// The first handle of a hub.
    pub(super) fn first(shared: Shared) -> Self {
        let handle = Self::new(Arc::new(shared), true);
        let _first = handle.root.set(Arc::downgrade(&handle.0));
        handle
    }

    /// A handle to a hub that somebody holds otherwise. If no handle is left, the hub is closed,
    /// and stays so.
    pub(super) fn to(shared: &Arc<Shared>) -> Self {
        let root = shared.root.get().and_then(|root| root.upgrade());
        root.map_or_else(|| Self::new(Arc::clone(shared), true), Self)
    }

    /// One that does not keep the hub open.
    #[cfg(feature = "layers")]
    pub(super) fn within(&self) -> Self {
        Self::new(Arc::clone(self.shared()), false)
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    fn new(shared: Arc<Shared>, is_outside: bool) -> Self {
        Self(Arc::new(Root { shared, is_outside }))
    }
}

impl Deref for Handle {
    type Target = Shared;

    #[inline]
    fn deref(&self) -> &Shared {
        self.shared()
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        if self.is_outside {
            self.shared.close(&Disconnect::CLOSED);
        }
    }
}
