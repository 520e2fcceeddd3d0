//! The channels of one hub: the state behind locks.

mod declared;
mod routes;

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use ahash::RandomState;
use parking_lot::Mutex;
use parking_lot::RwLock;
use serde_json::Value;

use crate::hub::ChannelEvent;
use crate::hub::Client;
use crate::hub::Filter;
use crate::hub::Hub;
use crate::hub::SubscribeError;
use crate::hub::SubscribeOptions;
use crate::id::ClientId;
use crate::layers::channels::config::ChannelsConfig;
use crate::layers::channels::error::ChannelsError;
use crate::layers::channels::filter::Interned;
use crate::layers::channels::filter::MetadataFilter;
use crate::layers::channels::names::ChannelView;
use crate::layers::channels::names::Cursor;
use crate::layers::channels::names::Known;
use crate::layers::channels::names::Names;
use crate::layers::channels::names::Wanted;
use crate::layers::channels::pattern::Pattern;
#[cfg(feature = "ws")]
use crate::layers::channels::private::AllPrivate;
use crate::layers::name::PATTERN_PREFIX;
use crate::layers::name::is_reserved;

use self::routes::Routes;

pub use self::declared::ChannelOptions;
pub use self::declared::ChannelStatsView;

/// The channels of one hub. A cheap clone. A hub has one of these at most: it decides to which
/// patterns publications go.
///
/// ```
/// use serde_json::json;
/// use throng::{ConnectOptions, Hub, Message, Metadata, MessageHeader};
/// use throng::channels::{Channels, ChannelsConfig, Pattern};
///
/// let hub = Hub::new();
/// let channels = Channels::new(&hub, ChannelsConfig::new());
/// let (client, mut outbox) = hub.connect(ConnectOptions::new())?;
/// channels.subscribe(&client, &Pattern::parse("sport.>")?, Some(&json!({ "set": [1, 2] })))?;
///
/// for set in 1..=3 {
///     let metadata = Metadata::new(json!({ "set": set }).as_object().cloned().unwrap())?;
///     let stamp = MessageHeader::new("message").metadata(Some(metadata));
///     hub.publish("sport.tennis", stamp.attach_to(Message::text("15:0")))?;
/// }
/// assert_eq!(outbox.try_recv()?.channel().unwrap().as_str(), "sport.tennis");
/// assert_eq!(outbox.len(), 1, "the third was not wanted");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Order
///
/// What comes by a pattern comes in the order of each channel. A client that is subscribed to a
/// channel and to a pattern that matches it gets everything twice; so does one with two patterns.
///
/// # Loss
///
/// What is dropped for a slow client is told as a gap of the pattern, in numbers of its own.
///
/// # Memory
///
/// About 800 bytes for a pattern and 200 for each of its subscribers; 100 for each channel there
/// is.
#[derive(Clone)]
pub struct Channels {
    shared: Arc<Shared>,
}

struct Shared {
    hub: Hub,
    config: ChannelsConfig,
    names: Arc<RwLock<Names>>,
    routes: Arc<Routes>,
    filters: Interned,
    clients: Mutex<HashMap<ClientId, BTreeMap<Pattern, Option<Value>>, RandomState>>,
}

impl Channels {
    /// Channels on a hub.
    #[must_use]
    pub fn new(hub: &Hub, config: ChannelsConfig) -> Self {
        let names: Arc<RwLock<Names>> = Arc::default();
        let known = Arc::clone(&names);
        hub.on_channel(move |change| {
            let (name, is_live) = match change {
                ChannelEvent::Created(name) => (name, true),
                ChannelEvent::Removed(name) => (name, false),
            };
            if !is_reserved(name) {
                known.write().set_live(name, is_live);
            }
        });
        for name in hub.channels().iter().filter(|name| !is_reserved(name)) {
            names.write().set_live(name, true);
        }
        let routes: Arc<Routes> = Arc::default();
        hub.set_router(Arc::clone(&routes));
        Self {
            shared: Arc::new(Shared {
                hub: hub.clone(),
                config,
                names,
                routes,
                filters: Interned::default(),
                clients: Mutex::default(),
            }),
        }
    }

    /// How the channels are kept.
    #[must_use]
    pub fn config(&self) -> &ChannelsConfig {
        &self.shared.config
    }

    /// The hub's filter of this one, the same for equal ones: for
    /// [`SubscribeOptions::filter`](crate::SubscribeOptions::filter).
    ///
    /// # Errors
    ///
    /// [`ChannelsError::Filter`].
    pub fn filter(&self, filter: &Value) -> Result<Filter, ChannelsError> {
        let filter = MetadataFilter::parse(filter)?;
        Ok(self.shared.filters.filter(filter))
    }

    /// [`Channels::filter`] of the JSON text of one.
    ///
    /// # Errors
    ///
    /// [`ChannelsError::Filter`].
    pub fn filter_of(&self, filter: &str) -> Result<Filter, ChannelsError> {
        let filter: Value = serde_json::from_str(filter).unwrap_or_default();
        self.filter(&filter)
    }

    /// Subscribes a client to all channels that match a pattern, those to come too, and of their
    /// messages those that match the filter. Does not wait.
    ///
    /// # Errors
    ///
    /// [`ChannelsError::AlreadySubscribed`], [`ChannelsError::TooManyPatterns`],
    /// [`ChannelsError::Filter`], [`ChannelsError::Subscribe`].
    pub fn subscribe(
        &self,
        client: &Client,
        pattern: &Pattern,
        filter: Option<&Value>,
    ) -> Result<(), ChannelsError> {
        let mut options = SubscribeOptions::new();
        if let Some(filter) = filter {
            options = options.filter(self.filter(filter)?);
        }
        let limit = self.shared.config.max_patterns;
        let mut clients = self.shared.clients.lock();
        let patterns = clients.entry(client.id()).or_default();
        if patterns.contains_key(pattern) {
            return Err(ChannelsError::AlreadySubscribed);
        }
        let checked = if patterns.len() >= limit {
            Err(ChannelsError::TooManyPatterns { limit })
        } else {
            let name = channel_of(pattern);
            let subscribed = client.subscribe_detached(&name, options);
            subscribed.map_err(ChannelsError::Subscribe)
        };
        let checked = checked.and_then(|()| {
            // Not before: the channel is there now.
            let channel = self.shared.hub.channel(&channel_of(pattern));
            channel.map_err(|error| ChannelsError::Subscribe(SubscribeError::Channel(error)))
        });
        match checked {
            Ok(channel) => {
                patterns.insert(pattern.clone(), filter.cloned());
                self.shared.routes.add(pattern, &channel);
                Ok(())
            }
            Err(error) => {
                if patterns.is_empty() {
                    clients.remove(&client.id());
                }
                Err(error)
            }
        }
    }

    /// Ends a subscription to a pattern.
    ///
    /// # Errors
    ///
    /// [`ChannelsError::NotSubscribed`].
    pub fn unsubscribe(&self, client: &Client, pattern: &Pattern) -> Result<(), ChannelsError> {
        let mut clients = self.shared.clients.lock();
        let patterns = clients.get_mut(&client.id());
        let patterns = patterns.ok_or(ChannelsError::NotSubscribed)?;
        patterns
            .remove(pattern)
            .ok_or(ChannelsError::NotSubscribed)?;
        if patterns.is_empty() {
            clients.remove(&client.id());
        }
        self.shared.routes.remove(pattern);
        drop(clients);
        // An error: the client is closed, and so is in no channel.
        let _closed = client.unsubscribe(&channel_of(pattern));
        Ok(())
    }

    /// Ends a subscription to a pattern and tells the client so. Nothing happens if there is none.
    #[cfg(feature = "ws")]
    pub(crate) fn force_unsubscribe(&self, client: &Client, pattern: &Pattern, reason: &str) {
        // Before the client leaves: only then is it told.
        let _absent = client.force_unsubscribe(&channel_of(pattern), reason);
        let _absent = self.unsubscribe(client, pattern);
    }

    /// Sets the rules by which channels belong to users, before clients come. Later calls do
    /// nothing.
    #[cfg(feature = "ws")]
    pub(crate) fn set_private(&self, private: AllPrivate) {
        self.shared.routes.set_private(private);
    }

    /// The patterns that a client is subscribed to, each with its filter.
    #[must_use]
    pub fn patterns(&self, client: ClientId) -> Vec<(Pattern, Option<Value>)> {
        let clients = self.shared.clients.lock();
        let Some(patterns) = clients.get(&client) else {
            return Vec::new();
        };
        let patterns = patterns.iter();
        patterns
            .map(|(pattern, filter)| (pattern.clone(), filter.clone()))
            .collect()
    }

    /// A client has gone: nothing of it is kept.
    pub fn forget(&self, client: ClientId) {
        let patterns = self.shared.clients.lock().remove(&client);
        for pattern in patterns.iter().flat_map(BTreeMap::keys) {
            self.shared.routes.remove(pattern);
        }
    }

    /// How many patterns somebody is subscribed to.
    #[must_use]
    pub fn pattern_count(&self) -> usize {
        self.shared.routes.len()
    }

    /// Channels that are there or declared, in the order of their names, and after which to go on:
    /// those that match a pattern, or all. A page ends early when many had to be looked at.
    #[must_use]
    pub fn find(
        &self,
        pattern: Option<&Pattern>,
        after: Option<&str>,
        limit: usize,
    ) -> (Vec<ChannelView>, Option<String>) {
        self.page(&Known::All, pattern, false, after, limit)
    }

    /// Declared channels, as [`Channels::find`] gives all.
    #[must_use]
    pub fn declared(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> (Vec<ChannelView>, Option<String>) {
        self.page(&Known::All, None, true, after, limit)
    }

    /// [`Channels::find`], or [`Channels::declared`], for who may not know of all.
    pub(crate) fn page(
        &self,
        known: &Known,
        pattern: Option<&Pattern>,
        declared_only: bool,
        after: Option<&str>,
        limit: usize,
    ) -> (Vec<ChannelView>, Option<String>) {
        let wanted = Wanted {
            known,
            pattern,
            declared_only,
            private: self.shared.routes.private(),
        };
        let (mut page, mut left) = (Vec::new(), MOST_LOOKED_AT);
        let mut from = after.map(|after| Cursor::After(after.to_owned()));
        loop {
            // Whoever makes a channel waits for one part at most.
            let some = limit.saturating_sub(page.len());
            let names = self.shared.names.read();
            let part = names.page(&wanted, from.as_ref(), some, left.min(PART));
            drop(names);
            page.extend(part.page);
            left = left.saturating_sub(part.looked_at);
            match part.next {
                None => return (page, None),
                Some(Cursor::After(name)) if page.len() >= limit || left == 0 => {
                    return (page, Some(name));
                }
                next => from = next,
            }
        }
    }

    /// Whether clients may use a channel of this name.
    ///
    /// # Errors
    ///
    /// [`ChannelsError::Unknown`] where only declared ones are, and it is none.
    pub fn check(&self, name: &str) -> Result<(), ChannelsError> {
        if self.shared.config.declared_only && self.shared.names.read().declared(name).is_none() {
            return Err(ChannelsError::Unknown);
        }
        Ok(())
    }
}

/// The most names that are looked at for one page.
const MOST_LOOKED_AT: usize = 10_000;

/// The most names that are looked at while the names are locked.
const PART: usize = 256;

fn channel_of(pattern: &Pattern) -> String {
    format!("{PATTERN_PREFIX}{pattern}")
}

impl fmt::Debug for Channels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channels")
            .field("patterns", &self.pattern_count())
            .finish_non_exhaustive()
    }
}
