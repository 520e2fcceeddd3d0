//! Publishing by name, and a publish with options.

use std::fmt;

use crate::hub::Hub;
use crate::hub::channel::Channel;
use crate::hub::delivery::Delivery;
use crate::hub::error::ChannelError;
use crate::hub::error::PublishError;
use crate::id::ChannelName;
use crate::id::ClientId;
use crate::message::Message;

/// A publish that is being prepared: the message, its channel and its options.
///
/// Created by [`Channel::prepare`] and [`Hub::prepare`]. Nothing is published before
/// [`Publish::publish`] or [`Publish::confirmed`] is called. Without an option,
/// [`Channel::publish`] does the same.
///
/// ```
/// use throng::{ConnectOptions, Hub};
///
/// # let rt = tokio::runtime::Builder::new_current_thread().build()?;
/// # rt.block_on(async {
/// let hub = Hub::new();
/// let (ada, mut adas) = hub.connect(ConnectOptions::new())?;
/// let (bob, mut bobs) = hub.connect(ConnectOptions::new())?;
/// ada.subscribe("room").await?;
/// bob.subscribe("room").await?;
///
/// let room = hub.channel("room")?;
/// let delivery = room.prepare("hi").except(ada.id()).confirmed().await?;
/// assert_eq!(delivery.delivered(), 1);
/// assert!(adas.try_recv().is_err());
/// assert_eq!(bobs.try_recv()?.payload(), "hi");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "nothing is published before `publish` or `confirmed` is called"]
pub struct Publish<'a> {
    target: Target<'a>,
    message: Message,
    except: Option<ClientId>,
}

enum Target<'a> {
    Channel(&'a Channel),
    Name(&'a Hub, &'a str),
}

impl<'a> Publish<'a> {
    pub(super) fn to_channel(channel: &'a Channel, message: Message) -> Self {
        Self {
            target: Target::Channel(channel),
            message,
            except: None,
        }
    }

    fn to_name(hub: &'a Hub, channel: &'a str, message: Message) -> Self {
        Self {
            target: Target::Name(hub, channel),
            message,
            except: None,
        }
    }

    /// Excludes one client, usually the sender. Default: no client is excluded. `None` excludes no
    /// client.
    ///
    /// The id is that of one connection: a client that connects again has a new id, and its replay
    /// of a [history](crate::SubscribeOptions::since) contains the message.
    pub fn except(mut self, client: impl Into<Option<ClientId>>) -> Self {
        self.except = client.into();
        self
    }

    /// Publishes. Never waits.
    ///
    /// # Errors
    ///
    /// As [`Channel::publish`] or [`Hub::publish`].
    pub fn publish(self) -> Result<Delivery, PublishError> {
        let Self {
            target,
            message,
            except,
        } = self;
        match target {
            Target::Channel(channel) => channel.publish_except(message, except),
            Target::Name(hub, name) => hub.publish_to(name, message, except),
        }
    }

    /// Publishes. If another publisher takes the message over, waits until that publisher has
    /// delivered it, and returns the counts.
    ///
    /// # Errors
    ///
    /// As [`Publish::publish`].
    ///
    /// # Cancel safety
    ///
    /// The message is published when the future is first polled; dropping the future afterwards
    /// loses the report only.
    ///
    /// # Progress
    ///
    /// Waits for the publisher that owns the channel, for the report only. Do not block on it in
    /// a waker: a waker may run on the thread of that publisher, and would wait for itself.
    pub async fn confirmed(self) -> Result<Delivery, PublishError> {
        let Self {
            target,
            message,
            except,
        } = self;
        match target {
            Target::Channel(channel) => channel.publish_confirmed(message, except).await,
            Target::Name(hub, name) => match hub.target(name, message)? {
                (Some(channel), message) => channel.publish_confirmed(message, except).await,
                (None, _) => Ok(Delivery::nobody()),
            },
        }
    }
}

impl fmt::Debug for Publish<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let channel = match self.target {
            Target::Channel(channel) => channel.name().as_str(),
            Target::Name(_, name) => name,
        };
        f.debug_struct("Publish")
            .field("channel", &channel)
            .field("message", &self.message)
            .field("except", &self.except)
            .finish()
    }
}

impl Hub {
    /// Publishes to a channel by its name: one look into a table, then as [`Channel::publish`].
    /// A channel that is not there is not made, and the message reaches nobody, unless the channel
    /// is to have a [history](crate::HubBuilder::history), or a [`Router`](crate::Router) sends the
    /// message further: then it lives for as long as that takes. Should the hub be full, the
    /// channel that nobody holds and that is to be reclaimed first makes way.
    ///
    /// # Errors
    ///
    /// [`PublishError`] gives the message back when it was not published.
    pub fn publish(
        &self,
        channel: &str,
        message: impl Into<Message>,
    ) -> Result<Delivery, PublishError> {
        self.publish_to(channel, message.into(), None)
    }

    /// Prepares a publish by name with options: see [`Publish`]. Nothing is published until
    /// [`Publish::publish`] or [`Publish::confirmed`] is called.
    pub fn prepare<'a>(&'a self, channel: &'a str, message: impl Into<Message>) -> Publish<'a> {
        Publish::to_name(self, channel, message.into())
    }

    /// Publishes one message to several channels: one report each, in their order. A client that
    /// is in several of them gets it several times.
    ///
    /// # Errors
    ///
    /// As [`Hub::publish`]. Names and payload are checked before anything is published; a backlog
    /// can still refuse one channel, and those before it have then been published to.
    pub fn publish_many(
        &self,
        channels: impl IntoIterator<Item: AsRef<str>>,
        message: impl Into<Message>,
    ) -> Result<Vec<Delivery>, PublishError> {
        let message = message.into();
        let channels: Vec<_> = channels.into_iter().collect();
        for channel in &channels {
            if let Err(error) = self.shared.check_name(channel.as_ref()) {
                return Err(PublishError::Name(message, error));
            }
        }
        let message = self.shared.check(message)?;
        let mut reports = Vec::with_capacity(channels.len());
        for channel in &channels {
            reports.push(self.publish(channel.as_ref(), message.clone())?);
        }
        Ok(reports)
    }

    /// Sends a message to every client, whatever it is subscribed to. It has no channel and no
    /// position. Never waits.
    ///
    /// # Errors
    ///
    /// As [`Hub::publish`].
    pub fn broadcast(&self, message: impl Into<Message>) -> Result<Delivery, PublishError> {
        let everyone = &self.shared.everyone;
        self.shared.publish(everyone, message.into(), None)
    }

    fn publish_to(
        &self,
        channel: &str,
        message: Message,
        except: Option<ClientId>,
    ) -> Result<Delivery, PublishError> {
        match self.target(channel, message)? {
            (Some(channel), message) => self.shared.publish(channel.core(), message, except),
            (None, _) => Ok(Delivery::nobody()),
        }
    }

    /// The channel of this name, and the message for it; no channel if none exists and none is made
    /// for a message. Then the message was checked.
    fn target(
        &self,
        channel: &str,
        message: Message,
    ) -> Result<(Option<Channel>, Message), PublishError> {
        if let Err(error) = self.shared.check_name(channel) {
            return Err(PublishError::Name(message, error));
        }
        if let Some(channel) = self.shared.existing(channel) {
            return Ok((Some(channel), message));
        }
        let message = self.shared.check(message)?;
        match self.remembering(channel) {
            Some(Ok(channel)) => Ok((Some(channel), message)),
            Some(Err(ChannelError::TooManyChannels { limit })) => {
                Err(PublishError::TooManyChannels { message, limit })
            }
            Some(Err(ChannelError::Name(error))) => Err(PublishError::Name(message, error)),
            Some(Err(ChannelError::Closed)) => Err(PublishError::Closed(message)),
            None => Ok((None, message)),
        }
    }

    /// The channel of this name, made anew, if it is to remember its publications, or they go
    /// further.
    fn remembering(&self, channel: &str) -> Option<Result<Channel, ChannelError>> {
        let common = &self.shared.common;
        if common.router.get().is_none() && !common.may_remember() {
            return None;
        }
        let name = ChannelName::parse(channel, common.limits.max_channel_name).ok()?;
        let router = common.router.get();
        let is_routed = || router.is_some_and(|router| !router.routes(&name).is_empty());
        let options = common.remembers(&name);
        if options.is_none() && !is_routed() {
            return None;
        }
        Some(self.shared.make(name, options))
    }
}
