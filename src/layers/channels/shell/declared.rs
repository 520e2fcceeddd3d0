//! Channels that say something about themselves.

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

use crate::id::ChannelName;
use crate::id::ClientId;
use crate::layers::channels::error::ChannelsError;
use crate::layers::channels::names::ChannelView;
use crate::layers::channels::names::Declared;
use crate::layers::name::UserId;
use crate::layers::name::is_reserved;
use crate::layers::timestamp::Timestamp;
use crate::time::SystemClock;

use super::Channels;

/// What a channel says about itself.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ChannelOptions {
    description: Option<String>,
    metadata: Option<Map<String, Value>>,
    owner: Option<UserId>,
    private: Option<bool>,
}

impl ChannelOptions {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// What it is about; at most 1,024 bytes.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// What the application notes about it; at most 4,096 bytes as JSON.
    pub fn metadata(mut self, metadata: Map<String, Value>) -> Self {
        self.metadata = Some(metadata);
        self
    }

    /// Who declares it.
    pub fn owner(mut self, owner: UserId) -> Self {
        self.owner = Some(owner);
        self
    }

    /// Sets whether the channel is private. Default: public, unless its name says otherwise.
    ///
    /// Users join a private channel by a permission that names it or a token for it, or because
    /// the server's side subscribes them. Only its subscribers publish to it and learn of it, and
    /// no pattern matches it. A channel that becomes private loses the subscribers that it has.
    pub fn private(mut self, private: bool) -> Self {
        self.private = Some(private);
        self
    }

    fn check(&self) -> Result<(), ChannelsError> {
        let description = self.description.as_deref().unwrap_or_default();
        if description.len() > MAX_DESCRIPTION {
            return Err(ChannelsError::TooLarge {
                field: "description",
                limit: MAX_DESCRIPTION,
            });
        }
        let bytes = self.metadata.as_ref().map(serde_json::to_string);
        let bytes = bytes.map_or(0, |text| text.map_or(usize::MAX, |text| text.len()));
        if bytes > MAX_METADATA {
            return Err(ChannelsError::TooLarge {
                field: "metadata",
                limit: MAX_METADATA,
            });
        }
        Ok(())
    }
}

const MAX_DESCRIPTION: usize = 1024;
const MAX_METADATA: usize = 4096;

/// What is counted of a channel.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
#[non_exhaustive]
pub struct ChannelStatsView {
    /// Its name.
    pub channel_id: String,
    /// Subscribers now.
    pub subscribers: usize,
    /// Messages, comings and goings in its present life.
    pub published: u64,
    /// Put into outboxes.
    pub delivered: u64,
    /// Refused by outboxes.
    pub dropped: u64,
    /// Publications that are remembered now.
    pub history_messages: usize,
    /// The bytes of their payloads.
    pub history_bytes: usize,
}

impl Channels {
    /// Declares a channel.
    ///
    /// # Errors
    ///
    /// [`ChannelsError::Exists`], [`ChannelsError::Name`], [`ChannelsError::Reserved`],
    /// [`ChannelsError::TooManyDeclared`], [`ChannelsError::TooLarge`].
    pub fn create(
        &self,
        name: &str,
        options: ChannelOptions,
    ) -> Result<ChannelView, ChannelsError> {
        options.check()?;
        if is_reserved(name) {
            return Err(ChannelsError::Reserved);
        }
        let limits = self.shared.hub.limits();
        ChannelName::check(name, limits.max_channel_name).map_err(ChannelsError::Name)?;
        let limit = match self.shared.config.max_declared {
            0 => limits.max_channels,
            limit => limit,
        };
        let mut names = self.shared.names.write();
        if names.declared(name).is_some() {
            return Err(ChannelsError::Exists);
        }
        if names.declared_count() >= limit {
            return Err(ChannelsError::TooManyDeclared { limit });
        }
        let now = SystemClock::new().since_unix_epoch();
        let declared = Declared {
            description: options.description.unwrap_or_default().into(),
            metadata: options.metadata.unwrap_or_default(),
            owner: options.owner,
            private: options.private.unwrap_or_default(),
            created_at: Timestamp::since_unix_epoch(now),
        };
        let is_private = declared.private;
        names.declare(name, declared);
        let view = names.view(name).ok_or(ChannelsError::Unknown);
        drop(names);
        self.close_off(name, is_private);
        view
    }

    /// Whether the channel was declared to be private.
    #[must_use]
    pub fn is_private(&self, name: &str) -> bool {
        self.shared.routes.is_declared_private(name)
    }

    /// Makes a channel private, or not. If it was not, its subscribers are removed.
    fn close_off(&self, name: &str, is_private: bool) {
        let has_changed = self.shared.routes.declare_private(name, is_private);
        if has_changed && is_private {
            self.expel(name, "private");
        }
    }

    /// A channel that is there or declared.
    ///
    /// # Errors
    ///
    /// [`ChannelsError::Unknown`].
    pub fn get(&self, name: &str) -> Result<ChannelView, ChannelsError> {
        let names = self.shared.names.read();
        names.view(name).ok_or(ChannelsError::Unknown)
    }

    /// Changes what a declared channel says about itself; what is not given stays as it is.
    ///
    /// # Errors
    ///
    /// [`ChannelsError::Unknown`], [`ChannelsError::TooLarge`].
    pub fn update(
        &self,
        name: &str,
        options: ChannelOptions,
    ) -> Result<ChannelView, ChannelsError> {
        options.check()?;
        let mut names = self.shared.names.write();
        let declared = names.declared_mut(name).ok_or(ChannelsError::Unknown)?;
        if let Some(description) = options.description {
            declared.description = description.into();
        }
        if let Some(metadata) = options.metadata {
            declared.metadata = metadata;
        }
        if let Some(owner) = options.owner {
            declared.owner = Some(owner);
        }
        if let Some(private) = options.private {
            declared.private = private;
        }
        let is_private = declared.private;
        let view = names.view(name).ok_or(ChannelsError::Unknown);
        drop(names);
        self.close_off(name, is_private);
        view
    }

    /// Takes a declaration back, and has all subscribers leave: they are told.
    ///
    /// # Errors
    ///
    /// [`ChannelsError::Unknown`].
    pub fn delete(&self, name: &str) -> Result<(), ChannelsError> {
        if !self.shared.names.write().undeclare(name) {
            return Err(ChannelsError::Unknown);
        }
        self.expel(name, "deleted");
        self.close_off(name, false);
        Ok(())
    }

    /// Removes all subscribers, and tells them the reason.
    fn expel(&self, name: &str, reason: &str) {
        for id in self.subscribers(name) {
            if let Some(client) = self.shared.hub.client(id) {
                // An error: it has left meanwhile.
                let _left = client.force_unsubscribe(name, reason);
            }
        }
    }

    /// The clients that are subscribed to a channel, in no order.
    #[must_use]
    pub fn subscribers(&self, name: &str) -> Vec<ClientId> {
        if self.shared.hub.subscriber_count(name) == 0 {
            return Vec::new();
        }
        let channel = self.shared.hub.channel(name);
        channel.map_or_else(|_| Vec::new(), |channel| channel.subscribers())
    }

    /// What is counted of a channel.
    ///
    /// # Errors
    ///
    /// [`ChannelsError::Unknown`].
    pub fn stats(&self, name: &str) -> Result<ChannelStatsView, ChannelsError> {
        let view = self.get(name)?;
        let channel = view.live.then(|| self.shared.hub.channel(name).ok());
        let stats = channel.flatten().map(|channel| channel.stats());
        let stats = stats.as_ref();
        Ok(ChannelStatsView {
            channel_id: view.channel_id,
            subscribers: stats.map_or(0, |it| it.subscribers),
            published: stats.map_or(0, |it| it.published),
            delivered: stats.map_or(0, |it| it.delivered),
            dropped: stats.map_or(0, |it| it.dropped),
            history_messages: stats.map_or(0, |it| it.history_messages),
            history_bytes: stats.map_or(0, |it| it.history_bytes),
        })
    }
}
