//! One connected peer, as those see it who act on it.

mod core;
mod options;
mod send;
mod subscriptions;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::disconnect::Disconnect;
use crate::hub::after::Effect;
use crate::hub::after::HubEvent;
use crate::hub::authorize::AuthRequest;
use crate::hub::authorize::Authorization;
use crate::hub::channel::Core;
use crate::hub::channel::Op;
use crate::hub::client::options::Granted;
use crate::hub::error::ChannelError;
use crate::hub::error::NotSubscribed;
use crate::hub::error::SubscribeError;
use crate::hub::filter::Filter;
use crate::hub::frame::Frame;
use crate::hub::frame::Joined;
use crate::hub::frame::Member;
use crate::hub::frame::StreamPosition;
use crate::hub::frame::Unsubscribed;
use crate::hub::frame::What;
use crate::hub::handle::Handle;
use crate::hub::membership::Membership;
use crate::hub::policy::evicts;
use crate::hub::queue::Controlled;
use crate::hub::reply::Reply;
use crate::hub::stats::ClientStats;
use crate::id::ChannelKind;
use crate::id::ChannelName;
use crate::id::ClientId;
use crate::limits::SlowConsumer;
use crate::quiet::quietly;
use crate::sync::block_on;

pub(crate) use self::core::ClientCore;

pub use self::options::ConnectOptions;
pub use self::options::SubscribeOptions;

/// One connected peer: subscribe it, send to it, close it. A cheap clone.
///
/// ```
/// use throng::{ConnectOptions, Disconnect, Hub, Message};
///
/// let hub = Hub::new();
/// let (client, mut outbox) = hub.connect(ConnectOptions::new())?;
/// let joined = client.subscribe_blocking("news")?;
/// assert_eq!(joined.position.offset, 0);
///
/// client.send(Message::text("for this client alone"))?;
/// client.close(Disconnect::kicked("bye")?);
/// // What was accepted before the close still arrives, and then the reason.
/// assert_eq!(outbox.try_recv()?.payload(), "for this client alone");
/// assert_eq!(outbox.recv_blocking().unwrap_err().disconnect().reason(), "bye");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A `Client` acts on the peer; what the peer is to receive comes out of its
/// [`Outbox`](crate::Outbox). Dropping a `Client` does nothing: the connection lives as long as
/// the outbox, or until it is [closed](Client::close).
#[derive(Clone)]
pub struct Client {
    pub(super) core: Arc<ClientCore>,
    pub(super) hub: Handle,
}

impl Client {
    /// The number the hub gave to this client.
    #[must_use]
    pub fn id(&self) -> ClientId {
        self.core.id
    }

    /// Whose client it is.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.core.user().map(|user| &**user)
    }

    /// The first value noted under `key` when the client connected.
    #[must_use]
    pub fn metadata(&self, key: &str) -> Option<&str> {
        let mut metadata = self.all_metadata();
        metadata
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value)
    }

    /// Everything noted when the client connected, in the order in which it was.
    pub fn all_metadata(&self) -> impl Iterator<Item = (&str, &str)> {
        let identity = self.core.identity.iter();
        identity.flat_map(|identity| identity.metadata.iter())
    }

    /// Asks the processor to fetch what receiving for this client is going to touch, and does not
    /// wait for it.
    #[cfg(feature = "ws")]
    #[inline]
    pub(crate) fn prefetch(&self) {
        self.core.queue.ring.prefetch();
    }

    /// Whether half of what its outbox holds is queued.
    #[cfg(feature = "ws")]
    pub(crate) fn is_half_full(&self) -> bool {
        self.core.queue.ring.is_half_full()
    }

    /// How long a transport may hold back what waits for this client, if that was said when it
    /// connected.
    #[must_use]
    pub fn flush_delay(&self) -> Option<Duration> {
        self.core.identity.as_ref()?.rare.as_ref()?.flush_delay
    }

    /// Joins a channel, which is made if it is not there.
    ///
    /// From the position in [`Joined`] on, the client gets everything that is published; nothing
    /// is lost or doubled between the join and the first message.
    ///
    /// # Errors
    ///
    /// [`SubscribeError`] says why not; the client is then not in the channel.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: if the future is dropped before it is done, the client is not in the channel.
    /// The members of a presence channel may have been told of a coming and a going.
    ///
    /// # Progress
    ///
    /// Waits for the [`Authorizer`](crate::Authorizer), if it answers later, and for whoever is in
    /// the middle of the channel. No publisher waits for it.
    pub async fn subscribe(&self, channel: &str) -> Result<Joined, SubscribeError> {
        self.subscribe_with(channel, SubscribeOptions::new()).await
    }

    /// [`Client::subscribe`], with credentials or a position to continue from.
    ///
    /// # Errors
    ///
    /// As [`Client::subscribe`].
    ///
    /// # Cancel safety
    ///
    /// As [`Client::subscribe`].
    ///
    /// # Progress
    ///
    /// As [`Client::subscribe`].
    pub async fn subscribe_with(
        &self,
        channel: &str,
        options: SubscribeOptions,
    ) -> Result<Joined, SubscribeError> {
        let name = ChannelName::parse(channel, self.hub.common.limits.max_channel_name)
            .map_err(|error| SubscribeError::Channel(ChannelError::Name(error)))?;
        let member = self.authorize(&name, options.auth, options.granted).await?;
        if member.is_some() && self.core.common.is_backlogged() {
            return Err(SubscribeError::Backlogged);
        }
        let channel = self.hub.channel(name).map_err(SubscribeError::Channel)?;
        let joining = Joining::begin(self, channel.core(), member, options.filter)?;
        joining.join(options.since).await
    }

    /// [`Client::subscribe`] for code that is not async; parks the thread while it waits.
    ///
    /// # Errors
    ///
    /// As [`Client::subscribe`].
    ///
    /// # Progress
    ///
    /// As [`Client::subscribe`]. Never call it from a waker: one that runs in the middle of this
    /// channel would wait for the thread that it is on.
    pub fn subscribe_blocking(&self, channel: &str) -> Result<Joined, SubscribeError> {
        block_on(self.subscribe(channel))
    }

    /// Joins a public channel without waiting for it: whoever is in the middle of the channel sees
    /// to it. With [join notices](crate::ConnectOptions::join_notices) the client is told when it
    /// has; what is published before that does not reach it.
    ///
    /// # Errors
    ///
    /// As [`Client::subscribe`], with [`SubscribeError::Unauthorized`] for a channel that is not
    /// public: the authorizer would have to be waited for.
    pub fn subscribe_detached(
        &self,
        channel: &str,
        options: SubscribeOptions,
    ) -> Result<(), SubscribeError> {
        let name = ChannelName::parse(channel, self.hub.common.limits.max_channel_name)
            .map_err(|error| SubscribeError::Channel(ChannelError::Name(error)))?;
        if name.kind() != ChannelKind::Public {
            let reason = Arc::from("only public channels are joined without waiting");
            return Err(self.denied(&name, reason));
        }
        let channel = self.hub.channel(name).map_err(SubscribeError::Channel)?;
        let joining = Joining::begin(self, channel.core(), None, options.filter)?;
        joining.detach(options.since);
        Ok(())
    }

    /// Leaves a channel. Publications of it that are still in the outbox are not received any more,
    /// nor is what a publisher that is in the middle of the channel goes on to deliver: they are
    /// counted in [`ClientStats::abandoned`]. So joining again [since](SubscribeOptions::since) any
    /// position gives each publication once, in order. What waited stays within the limits of the
    /// outbox, and is given up when the outbox is received from next.
    ///
    /// A [`Router`](crate::Router)'s further channels are subscriptions of their own: what came by
    /// them is received, and leaving one of them gives up what came by that one only.
    ///
    /// # Errors
    ///
    /// [`NotSubscribed`] if the client was not in the channel.
    pub fn unsubscribe(&self, channel: &str) -> Result<(), NotSubscribed> {
        let membership = self.core.release(channel, |_| true);
        drop(membership.ok_or(NotSubscribed)?);
        self.hub.sweep();
        Ok(())
    }

    /// Takes the client off a channel and tells it so, with
    /// [`Event::Unsubscribed`](crate::Event::Unsubscribed).
    ///
    /// # Errors
    ///
    /// [`NotSubscribed`] if the client was not in the channel.
    pub fn force_unsubscribe(
        &self,
        channel: &str,
        reason: impl Into<Arc<str>>,
    ) -> Result<(), NotSubscribed> {
        let name = ChannelName::parse(channel, usize::MAX).map_err(|_| NotSubscribed)?;
        self.unsubscribe(channel)?;
        let left = Unsubscribed {
            channel: name.clone(),
            reason: reason.into(),
        };
        let (position, at) = (StreamPosition::default(), self.core.common.unix_millis());
        let frame = Frame::new(What::Left(left), Some(&name), position, at);
        if self.core.queue.control(frame) == Controlled::Disconnected {
            self.disconnected();
        }
        Ok(())
    }

    /// The channels the client is in or about to be in.
    #[must_use]
    pub fn subscriptions(&self) -> Vec<ChannelName> {
        self.core.subscriptions(|_| true)
    }

    /// As [`Client::subscriptions`], those for which `is_wanted` returns `true`.
    #[cfg(feature = "ws")]
    pub(crate) fn subscriptions_that(
        &self,
        is_wanted: impl Fn(&ChannelName) -> bool,
    ) -> Vec<ChannelName> {
        self.core.subscriptions(is_wanted)
    }

    /// Whether the client is in a channel, or about to be. Costs the same however many it is in.
    #[must_use]
    pub fn is_subscribed(&self, channel: &str) -> bool {
        self.core.is_subscribed(channel)
    }

    /// Sets this client's own policy, or with `None` leaves it to the channel and the hub.
    ///
    /// Takes effect with the next message that does not fit. A policy that evicts has to share
    /// the outbox with its receiver; a receiver that has been used before learns of it the next
    /// time it is used. Until then, under [`SlowConsumer::DropOldest`] the new message is dropped
    /// instead of older ones, and under [`SlowConsumer::KeepLatest`] it is handed over to the
    /// channel, as the policy says.
    pub fn set_slow_consumer(&self, policy: Option<SlowConsumer>) {
        self.core.policy.set(policy);
        if policy.is_some_and(evicts) {
            drop(self.core.queue.ring.steal());
        }
    }

    /// This client's own policy.
    #[must_use]
    pub fn slow_consumer(&self) -> Option<SlowConsumer> {
        self.core.policy.get()
    }

    /// Disconnects the client: it leaves its channels, nothing more is accepted for it, and its
    /// outbox, after what was accepted before, says why. The first reason stands.
    pub fn close(&self, why: Disconnect) {
        self.core.close(why);
    }

    /// Whether the client was disconnected.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.core.queue.is_closed()
    }

    /// Why the client was disconnected, if it was.
    #[must_use]
    pub fn close_reason(&self) -> Option<&Disconnect> {
        self.core.queue.why()
    }

    /// The client's figures.
    #[must_use]
    pub fn stats(&self) -> ClientStats {
        let mut stats = self.core.stats();
        stats.oldest_waiting = self.core.oldest_waiting();
        stats
    }

    /// What is left to do after a push has closed the client.
    fn disconnected(&self) {
        self.core
            .common
            .after(Effect::Retire(Arc::clone(&self.core)));
        self.core.common.serve();
    }

    async fn authorize(
        &self,
        channel: &ChannelName,
        auth: Option<Bytes>,
        granted: Option<Granted>,
    ) -> Result<Option<Member>, SubscribeError> {
        if channel.kind() == ChannelKind::Public {
            return Ok(None);
        }
        if let Some(Granted(info)) = granted {
            return self.seat(channel, Some(Member::new(self.member_id(), info)));
        }
        let mut answer = self.ask(channel, auth);
        while let Authorization::Later(decision) = answer {
            answer = decision.await;
        }
        match answer {
            Authorization::Allow => self.seat(channel, None),
            Authorization::AllowAs(member) => self.seat(channel, Some(member)),
            Authorization::Deny(reason) => Err(self.denied(channel, reason)),
            Authorization::Later(_) => unreachable!("awaited above"),
        }
    }

    fn ask(&self, channel: &ChannelName, auth: Option<Bytes>) -> Authorization {
        let Some(authorizer) = &self.core.common.authorizer else {
            return Authorization::deny("this hub has no authorizer");
        };
        let identity = self.core.identity.as_deref();
        let rare = identity.and_then(|identity| identity.rare.as_deref());
        let own_auth = || rare.map_or_else(Bytes::new, |rare| rare.auth.get().clone());
        authorizer.authorize(&AuthRequest {
            channel: channel.clone(),
            client: self.core.id,
            user: self.core.user().cloned(),
            auth: auth.unwrap_or_else(own_auth),
        })
    }

    /// The id of the member that the client is, unless the authorizer names another.
    fn member_id(&self) -> String {
        let user = self.user().map(str::to_owned);
        user.unwrap_or_else(|| self.core.id.to_string())
    }

    /// The member an allowed client is in a presence channel, checked against the limits.
    fn seat(
        &self,
        channel: &ChannelName,
        member: Option<Member>,
    ) -> Result<Option<Member>, SubscribeError> {
        if channel.kind() != ChannelKind::Presence {
            return Ok(None);
        }
        let member = member.unwrap_or_else(|| Member::new(self.member_id(), Bytes::new()));
        let limits = &self.core.common.limits;
        for (field, len, max) in [
            ("id", member.id().len(), limits.max_member_id),
            ("info", member.info().len(), limits.max_member_info),
        ] {
            if len > max {
                return Err(SubscribeError::Member { field, len, max });
            }
        }
        Ok(Some(member))
    }

    fn denied(&self, channel: &ChannelName, reason: Arc<str>) -> SubscribeError {
        let common = &self.core.common;
        let event = HubEvent::JoinDenied {
            client: self.core.id,
            channel: channel.clone(),
            reason: Arc::clone(&reason),
        };
        common.after(Effect::Log(event));
        common.serve();
        SubscribeError::Unauthorized { reason }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("id", &self.id())
            .field("user", &self.user())
            .field("closed", &self.close_reason())
            .finish_non_exhaustive()
    }
}

/// A join under way; dropped before it is done, it is undone.
struct Joining<'a> {
    client: &'a Client,
    membership: Arc<Membership>,
    done: bool,
}

impl<'a> Joining<'a> {
    fn begin(
        client: &'a Client,
        channel: &Arc<Core>,
        member: Option<Member>,
        filter: Option<Filter>,
    ) -> Result<Self, SubscribeError> {
        let filter = match &client.hub.common.recipients {
            None => filter,
            Some(recipients) => {
                let name = channel.name().map_or("", |name| name);
                let theirs = quietly(|| recipients(client, name));
                let theirs = theirs.unwrap_or_else(|| Some(Filter::new(|_| false)));
                Filter::both(filter, theirs)
            }
        };
        let membership = client.core.hold(channel, member, filter)?;
        Ok(Self {
            client,
            membership,
            done: false,
        })
    }

    /// Has it joined without waiting for that.
    fn detach(mut self, since: Option<StreamPosition>) {
        let (reply, answer) = Reply::new();
        drop(answer);
        self.ask(since, reply);
        self.done = true;
    }

    fn ask(&self, since: Option<StreamPosition>, reply: Reply<Result<Joined, SubscribeError>>) {
        // Applied now, or by whoever is in the middle of the channel; the answer says.
        let _applied = self.membership.channel().run(Op::Join {
            client: Arc::clone(&self.client.core),
            membership: Arc::clone(&self.membership),
            since,
            reply,
        });
    }

    async fn join(mut self, since: Option<StreamPosition>) -> Result<Joined, SubscribeError> {
        let (reply, mut answer) = Reply::new();
        self.ask(since, reply);
        let joined = answer
            .wait()
            .await
            .unwrap_or(Err(SubscribeError::Unsubscribed));
        self.done = joined.is_ok();
        joined
    }
}

impl Drop for Joining<'_> {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let Some(name) = self.membership.name() else {
            return;
        };
        let is_this = |held: &Membership| std::ptr::eq(held, &*self.membership);
        drop(self.client.core.release(name, is_this));
    }
}
