//! To which patterns publications go.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use parking_lot::RwLock;

use crate::hub::Channel;
use crate::hub::Router;
use crate::id::ChannelKind;
use crate::id::ChannelName;
use crate::layers::channels::pattern::Index;
use crate::layers::channels::pattern::Pattern;
use crate::layers::channels::private::AllPrivate;
use crate::layers::name::ChannelTarget;
use crate::layers::name::is_reserved;

/// The patterns that somebody is subscribed to, and the channel of each.
#[derive(Default)]
pub(super) struct Routes {
    version: AtomicU64,
    index: RwLock<Index<Route>>,
    private: OnceLock<AllPrivate>,
    /// Channels that were declared to be private.
    declared_private: RwLock<HashSet<Box<str>>>,
    /// Whether there are any: each publish of a client asks.
    has_declared_private: AtomicBool,
}

struct Route {
    channel: Channel,
    subscribers: usize,
    /// The user to whom all channels of the pattern belong, by a rule for private ones.
    owner: Option<Box<str>>,
}

impl Routes {
    pub(super) fn len(&self) -> usize {
        self.index.read().len()
    }

    /// Sets the rules by which channels belong to users, before patterns come. Later calls do
    /// nothing.
    #[cfg(feature = "ws")]
    pub(super) fn set_private(&self, private: AllPrivate) {
        self.private.get_or_init(|| private);
        self.changed();
    }

    pub(super) fn private(&self) -> Option<&AllPrivate> {
        self.private.get()
    }

    /// Notes whether a channel was declared to be private; returns whether that has changed.
    pub(super) fn declare_private(&self, name: &str, is_private: bool) -> bool {
        let mut declared = self.declared_private.write();
        let has_changed = match is_private {
            true => declared.insert(name.into()),
            false => declared.remove(name),
        };
        if has_changed {
            // Release: pairs with the Acquire in `is_declared_private`.
            self.has_declared_private
                .store(!declared.is_empty(), Ordering::Release);
            self.changed();
        }
        has_changed
    }

    pub(super) fn is_declared_private(&self, name: &str) -> bool {
        // Acquire: pairs with the Release in `declare_private`, so that who was told that a channel
        // is private finds it so.
        self.has_declared_private.load(Ordering::Acquire)
            && self.declared_private.read().contains(name)
    }

    /// One more is subscribed to a pattern.
    pub(super) fn add(&self, pattern: &Pattern, channel: &Channel) {
        let mut index = self.index.write();
        match index.get_mut(pattern) {
            Some(route) => route.subscribers += 1,
            None => {
                let private = self.private.get();
                let owner = private.and_then(|private| private.owner_of_pattern(pattern));
                let route = Route {
                    owner: owner.map(Into::into),
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

    /// Called with the lock of what has changed held.
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
        let is_public = channel.kind() == ChannelKind::Public;
        if is_public && !is_reserved(channel) && !self.is_declared_private(channel) {
            let private = self.private.get();
            let owner = private.and_then(|private| private.owner(channel));
            let index = self.index.read();
            index.each(channel, |route| {
                // What belongs to a user goes to patterns of that user only.
                if owner.is_none() || route.owner.as_deref() == owner.as_deref() {
                    routes.push(route.channel.clone());
                }
            });
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
