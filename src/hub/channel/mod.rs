//! A named stream, and the handle that publishes to it.

mod core;
mod fanout;
mod handover;
mod remembering;
mod replay;
mod roster;
mod sink;
mod state;

use std::fmt;
use std::sync::Arc;

use crate::hub::delivery::Delivery;
use crate::hub::error::PublishError;
use crate::hub::frame::Member;
use crate::hub::frame::StreamPosition;
use crate::hub::handle::Handle;
use crate::hub::history::HistoryOptions;
use crate::hub::history::HistoryPage;
use crate::hub::history::HistoryQuery;
use crate::hub::publish::Publish;
use crate::hub::reply::Awaited;
use crate::hub::reply::Reply;
use crate::hub::stats::ChannelStats;
use crate::id::ChannelKind;
use crate::id::ChannelName;
use crate::id::ClientId;
use crate::limits::SlowConsumer;
use crate::message::Message;
use crate::raw::combiner::Run;

pub(crate) use self::core::Core;
pub(crate) use self::state::Op;
pub(crate) use self::state::Output;

/// A handle to a channel: publishing through it touches no table and takes no lock. A cheap
/// clone.
///
/// A channel exists while it has a subscriber or a handle, and while it remembers something; then
/// it is reclaimed, and the next of its name begins a new [epoch](StreamPosition::epoch).
///
/// # Order
///
/// All subscribers get the publications of a channel in one order, that of their offsets.
/// Publications of one thread are in the order in which it published them.
///
/// # Progress
///
/// [`Channel::publish`] never waits: not for a client, not for a subscriber, not for another
/// publisher. If another publisher is in the middle of the channel, it takes the message over
/// and delivers it after its own ([`Delivery::is_deferred`]). In turn, the publisher that is in
/// the middle delivers what others hand over to it meanwhile, and passes that duty on to the next
/// one that comes after 64 of them.
pub struct Channel {
    core: Arc<Core>,
    hub: Handle,
}

impl Channel {
    /// A handle to a channel that the caller has counted as held.
    pub(super) fn of_held(core: Arc<Core>, hub: Handle) -> Self {
        Self { core, hub }
    }

    /// This channel, held by the hub itself: it does not keep the hub open.
    #[cfg(feature = "layers")]
    pub(crate) fn within(&self) -> Self {
        self.core.hold();
        Self::of_held(Arc::clone(&self.core), self.hub.within())
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Whether publishes are queued that the publisher which owns the channel has not begun.
    #[cfg(feature = "ws")]
    pub(crate) fn has_queued(&self) -> bool {
        self.core.has_queued()
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &ChannelName {
        match self.core.name() {
            Some(name) => name,
            None => unreachable!("the channel of all clients is never handed out"),
        }
    }

    /// What the name says about who may join.
    #[must_use]
    pub fn kind(&self) -> ChannelKind {
        self.core.kind()
    }

    /// Publishes to all subscribers. Never waits.
    ///
    /// ```
    /// use throng::{ConnectOptions, Hub, Message};
    ///
    /// let hub = Hub::new();
    /// let (client, mut outbox) = hub.connect(ConnectOptions::new())?;
    /// client.subscribe_blocking("ticks")?;
    ///
    /// let ticks = hub.channel("ticks")?;
    /// let delivery = ticks.publish(Message::text("101").key("XY"))?;
    /// assert_eq!(delivery.delivered(), 1);
    /// assert_eq!(outbox.try_recv()?.payload(), "101");
    /// ticks.publish("102")?; // the report may be ignored; texts and bytes become messages
    /// assert_eq!(outbox.try_recv()?.payload(), "102");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`PublishError`] gives the message back when it was not published.
    #[inline]
    pub fn publish(&self, message: impl Into<Message>) -> Result<Delivery, PublishError> {
        self.hub.publish(&self.core, message.into(), None)
    }

    /// Prepares a publish with options: see [`Publish`]. Nothing is published until
    /// [`Publish::publish`] or [`Publish::confirmed`] is called.
    pub fn prepare(&self, message: impl Into<Message>) -> Publish<'_> {
        Publish::to_channel(self, message.into())
    }

    /// Publishes to all subscribers but `except`.
    pub(super) fn publish_except(
        &self,
        message: Message,
        except: Option<ClientId>,
    ) -> Result<Delivery, PublishError> {
        self.hub.publish(&self.core, message, except)
    }

    /// [`Self::publish_except`], and waits until the message is delivered.
    pub(super) async fn publish_confirmed(
        &self,
        message: Message,
        except: Option<ClientId>,
    ) -> Result<Delivery, PublishError> {
        let message = self.hub.check(message)?;
        let (reply, mut answer) = Reply::new();
        let op = Op::Publish {
            message,
            except,
            reply: Some(reply),
        };
        match self.core.try_run(op, self.hub.common.limits.max_backlog) {
            Run::Applied(Output::Delivery(delivery)) => Ok(delivery),
            Run::Applied(Output::Replied) | Run::HandedOver => {
                Ok(answer.wait().await.unwrap_or_else(Delivery::of_another))
            }
            Run::Refused(op) => Err(backlogged(op)),
        }
    }

    /// How many subscribers the channel has.
    #[must_use]
    pub fn subscriber_count(&self) -> usize {
        self.core.counters().subscribers()
    }

    /// Who is in a presence channel, in no order; nobody is in another.
    ///
    /// # Progress
    ///
    /// Parks the thread until whoever is in the middle of the channel has answered. Never call it
    /// from a waker: one that runs in the middle of this channel would wait for its own thread.
    #[must_use]
    pub fn presence(&self) -> Arc<[Member]> {
        roster(&self.core)
    }

    /// The clients that are subscribed, in no order.
    ///
    /// # Progress
    ///
    /// As [`Channel::presence`].
    #[must_use]
    pub fn subscribers(&self) -> Vec<ClientId> {
        let (reply, mut answer) = Reply::new();
        let _applied = self.core.run(Op::Subscribers(reply));
        answer.wait_blocking().unwrap_or_default()
    }

    /// Some of what the channel remembers: nothing unless it has a history. Publications that are
    /// ephemeral, or older than a bound of the history, are not there.
    ///
    /// To look into a channel that may not be there, take it by
    /// [`Hub::find_channel`](crate::Hub::find_channel): [`Hub::channel`](crate::Hub::channel)
    /// makes it, and one that is to remember something then stays for a minute.
    ///
    /// # Progress
    ///
    /// As [`Channel::presence`].
    #[must_use]
    pub fn history(&self, query: &HistoryQuery) -> HistoryPage {
        self.ask(|reply| Op::History(query.clone(), reply))
            .wait_blocking()
            .unwrap_or_default()
    }

    /// [`Channel::history`], waiting for its turn without parking the thread.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses the page only.
    pub async fn read_history(&self, query: &HistoryQuery) -> HistoryPage {
        let mut answer = self.ask(|reply| Op::History(query.clone(), reply));
        answer.wait().await.unwrap_or_default()
    }

    /// What the channel remembers, and how much of it: what it was made with, or told last.
    ///
    /// # Progress
    ///
    /// As [`Channel::presence`].
    #[must_use]
    pub fn history_options(&self) -> Option<HistoryOptions> {
        self.ask(Op::Remembers).wait_blocking().flatten()
    }

    /// Asks the channel something.
    fn ask<T: Clone + Send + Sync>(&self, op: impl FnOnce(Reply<T>) -> Op) -> Awaited<T> {
        let (reply, answer) = Reply::new();
        let _applied = self.core.run(op(reply));
        answer
    }

    /// Has the channel remember its last publications from now on, in other bounds than before,
    /// or with `None` forget all. Takes its turn after what was published before. What the hub was
    /// [built with](crate::HubBuilder::history) holds again once the channel has been reclaimed.
    ///
    /// Whatever is set, all channels together keep to
    /// [`Limits::max_history_bytes`](crate::Limits::max_history_bytes). What narrower bounds have
    /// the channel forget before somebody who has come back was given it, is lost to that one, who
    /// is told of it as of any other loss.
    pub fn set_history(&self, options: Option<HistoryOptions>) {
        let _applied = self.core.run(Op::Remember(options));
    }

    /// Takes one publication back out of what the channel remembers, if it still does: who comes
    /// back is not given it any more, and misses nothing, as with an
    /// [ephemeral](crate::Message::ephemeral) one. Who has it, or has it in its outbox, keeps it.
    /// Takes its turn after what was published before.
    pub fn retract(&self, offset: u64) {
        let _applied = self.core.run(Op::Retract(offset));
    }

    /// The last publication.
    #[must_use]
    pub fn position(&self) -> StreamPosition {
        self.core.counters().position()
    }

    /// Sets the channel's policy, or with `None` leaves it to the hub. A client's own policy comes
    /// before it.
    ///
    /// Takes effect with the next message that does not fit. Under a policy that evicts, a
    /// subscriber that has received before and does not receive again now keeps its oldest
    /// messages, and new ones are dropped or handed over: see [`Client::set_slow_consumer`]. What
    /// is queued already stays under the policy that it was published under.
    ///
    /// [`Client::set_slow_consumer`]: crate::Client::set_slow_consumer
    pub fn set_slow_consumer(&self, policy: Option<SlowConsumer>) {
        self.core.policy().set(policy);
    }

    /// The channel's policy.
    #[must_use]
    pub fn slow_consumer(&self) -> Option<SlowConsumer> {
        self.core.policy().get()
    }

    /// The channel's figures.
    #[must_use]
    pub fn stats(&self) -> ChannelStats {
        self.core.counters().read()
    }
}

impl Clone for Channel {
    fn clone(&self) -> Self {
        self.core.hold();
        Self::of_held(Arc::clone(&self.core), self.hub.clone())
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.core.let_go();
        self.hub.sweep();
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("name", self.name())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

/// Asks a channel for its members.
pub(super) fn roster(channel: &Core) -> Arc<[Member]> {
    let (reply, mut answer) = Reply::new();
    let _applied = channel.run(Op::Roster(reply));
    answer.wait_blocking().unwrap_or_else(|| Arc::from([]))
}

/// The error of a publication that was refused.
pub(super) fn backlogged(op: Op) -> PublishError {
    match op {
        Op::Publish { message, .. } => PublishError::Backlogged(message),
        Op::CatchUp(_)
        | Op::Expire
        | Op::HandOver { .. }
        | Op::History(..)
        | Op::Join { .. }
        | Op::Leave(_)
        | Op::Remember(_)
        | Op::Remembers(_)
        | Op::Retract(_)
        | Op::Roster(_)
        | Op::Routed { .. }
        | Op::Subscribers(_) => unreachable!("only publications have a limit"),
    }
}
