//! To which patterns publications go.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use parking_lot::RwLock;

use crate::hub::Channel;
use crate::hub::Router;
use crate::id::ChannelKind;
use crate::id::ChannelName;
use crate::layers::channels::pattern::Index;
use crate::layers::channels::pattern::Pattern;
use crate::layers::name::ChannelTarget;
use crate::layers::name::is_reserved;

/// The patterns that somebody is subscribed to, and the channel of each.
#[derive(Default)]
pub(super) struct Routes {
    version: AtomicU64,
    index: RwLock<Index<Route>>,
}

struct Route {
    channel: Channel,
    subscribers: usize,
}

impl Routes {
    pub(super) fn len(&self) -> usize {
        self.index.read().len()
    }

    /// One more is subscribed to a pattern.
    pub(super) fn add(&self, pattern: &Pattern, channel: &Channel) {
        let mut index = self.index.write();
        match index.get_mut(pattern) {
            Some(route) => route.subscribers += 1,
            None => {
                let route = Route {
                    // The routes belong to the hub, and must not keep it open.
                    channel: channel.within(),
                    subscribers: 1,
                };
                index.insert(pattern, route);
                self.changed();
            }
        }
    }

    /// One less is.
    pub(super) fn remove(&self, pattern: &Pattern) {
        let mut index = self.index.write();
        let Some(route) = index.get_mut(pattern) else {
            return;
        };
        route.subscribers -= 1;
        if route.subscribers > 0 {
            return;
        }
        let removed = index.remove(pattern);
        self.changed();
        drop(index);
        // Dropped here, outside the lock: the hub may call who minds its channels.
        drop(removed);
    }

    /// Called with the lock of the index held.
    fn changed(&self) {
        // Release: who sees the new version and asks waits for the lock, and so sees the change.
        self.version.fetch_add(1, Ordering::Release);
    }
}

impl Router for Arc<Routes> {
    fn version(&self) -> u64 {
        // Acquire: pairs with the Release in `changed`.
        self.version.load(Ordering::Acquire)
    }

    fn routes(&self, channel: &ChannelName) -> Vec<Channel> {
        let mut routes = Vec::new();
        // What has to be asked for is in no pattern, or a pattern would be a way around asking.
        if channel.kind() == ChannelKind::Public && !is_reserved(channel) {
            let index = self.index.read();
            index.each(channel, |route| routes.push(route.channel.clone()));
        }
        routes
    }

    fn is_target(&self, channel: &ChannelName) -> bool {
        matches!(ChannelTarget::of(channel), ChannelTarget::Pattern(_))
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routes").finish_non_exhaustive()
    }
}
