//! A channel as its one owner of the moment sees it: plain data, one operation at a time.

use std::sync::Arc;

use crate::hub::after::Effect;
use crate::hub::after::PresenceChange;
use crate::hub::after::PresenceEvent;
use crate::hub::agenda::NEVER;
use crate::hub::channel::core::Face;
use crate::hub::channel::fanout::Sending;
use crate::hub::channel::fanout::Subscriber;
use crate::hub::channel::fanout::Subscribers;
use crate::hub::channel::replay::Start;
use crate::hub::channel::roster::Roster;
use crate::hub::channel::roster::Standing;
use crate::hub::client::ClientCore;
use crate::hub::delivery::Delivery;
use crate::hub::error::SubscribeError;
use crate::hub::frame::Frame;
use crate::hub::frame::Joined;
use crate::hub::frame::Member;
use crate::hub::frame::StreamPosition;
use crate::hub::frame::Terms;
use crate::hub::frame::What;
use crate::hub::history::History;
use crate::hub::history::HistoryOptions;
use crate::hub::history::HistoryPage;
use crate::hub::history::HistoryQuery;
use crate::hub::membership::Lost;
use crate::hub::membership::Membership;
use crate::hub::policy::Class;
use crate::hub::policy::evicts;
use crate::hub::queue::Controlled;
use crate::hub::reply::Reply;
use crate::hub::router::Routes;
use crate::id::ChannelKind;
use crate::id::ChannelName;
use crate::id::ClientId;
use crate::message::Message;
use crate::raw::combiner::Machine;

/// The state of a channel. Only the owner of its combiner has it.
pub(crate) struct State {
    pub(super) face: Arc<Face>,
    pub(super) subscribers: Subscribers,
    pub(super) position: StreamPosition,
    /// Time of the last publication, in milliseconds since 1970.
    published_at: u64,
    pub(super) history: Option<Box<History>>,
    routes: Routes,
    roster: Option<Roster>,
}

/// What can be asked of a channel.
pub(crate) enum Op {
    Join {
        client: Arc<ClientCore>,
        membership: Arc<Membership>,
        since: Option<StreamPosition>,
        reply: Reply<Result<Joined, SubscribeError>>,
    },
    Leave(Arc<Membership>),
    /// Gives a subscriber that is behind more of what it has missed.
    CatchUp(Arc<Membership>),
    /// Forgets what is too old.
    Expire,
    /// Has a client get a message later that is for it alone; it is counted as handed over.
    HandOver {
        client: Arc<ClientCore>,
        membership: Arc<Membership>,
        frame: Frame,
    },
    History(HistoryQuery, Reply<HistoryPage>),
    /// Sets what is remembered.
    Remember(Option<HistoryOptions>),
    /// Asks what is remembered.
    Remembers(Reply<Option<HistoryOptions>>),
    Publish {
        message: Message,
        except: Option<ClientId>,
        reply: Option<Reply<Delivery>>,
    },
    /// Forgets the publication of this number.
    Retract(u64),
    Roster(Reply<Arc<[Member]>>),
    Subscribers(Reply<Vec<ClientId>>),
    /// A publication of another channel.
    Routed {
        frame: Frame,
        except: Option<ClientId>,
    },
}

/// What an operation that was applied in place gives; what has a reply gives it there.
pub(crate) enum Output {
    Delivery(Delivery),
    Replied,
}

impl Machine for State {
    type Op = Op;
    type Output = Output;

    fn apply(&mut self, op: Op) -> Output {
        let output = match op {
            Op::Publish {
                message,
                except,
                reply,
            } => {
                let delivery = self.publish(message, except);
                if let Some(reply) = reply {
                    reply.give(delivery);
                }
                Output::Delivery(delivery)
            }
            Op::Join {
                client,
                membership,
                since,
                reply,
            } => {
                reply.give(self.join(&client, &membership, since));
                Output::Replied
            }
            Op::Leave(membership) => {
                self.leave(&membership);
                Output::Replied
            }
            Op::CatchUp(membership) => {
                self.catch_up(&membership);
                Output::Replied
            }
            Op::Expire => {
                self.expire();
                self.await_age();
                Output::Replied
            }
            Op::HandOver {
                client,
                membership,
                frame,
            } => {
                let subscriber = Subscriber::new(client, membership);
                let evicted = self.subscribers.owe(subscriber, frame, &self.face);
                self.face.counters.evict(evicted);
                Output::Replied
            }
            Op::History(query, reply) => {
                reply.give(self.page(&query));
                Output::Replied
            }
            Op::Remember(options) => {
                self.remember(options);
                Output::Replied
            }
            Op::Remembers(reply) => {
                let history = self.history.as_ref();
                reply.give(history.map(|history| history.options().clone()));
                Output::Replied
            }
            Op::Retract(number) => {
                self.retract(number);
                Output::Replied
            }
            Op::Roster(reply) => {
                reply.give(self.members());
                Output::Replied
            }
            Op::Subscribers(reply) => {
                reply.give(self.subscribers.ids());
                Output::Replied
            }
            Op::Routed { frame, except } => Output::Delivery(self.pass_on(&frame, except)),
        };
        self.bury();
        output
    }
}

impl State {
    pub(super) fn new(face: Arc<Face>, epoch: u64, options: Option<HistoryOptions>) -> Self {
        let kind = face.name.as_ref().map(ChannelName::kind);
        let mut state = Self {
            face,
            subscribers: Subscribers::default(),
            position: StreamPosition { offset: 0, epoch },
            published_at: 0,
            history: None,
            routes: Routes::default(),
            roster: (kind == Some(ChannelKind::Presence)).then(Roster::default),
        };
        state.remember(options);
        state
    }

    fn publish(&mut self, message: Message, except: Option<ClientId>) -> Delivery {
        let delivery = self.announce(What::Message(message), except);
        self.face.counters.publish(&delivery);
        delivery
    }

    /// Gives `what` the next position and puts it into every outbox.
    fn announce(&mut self, what: What, except: Option<ClientId>) -> Delivery {
        if self.face.name.is_some() {
            self.position.offset += 1;
        }
        self.face.counters.advance(self.position.offset);
        let policy = self.face.policy();
        let expires_at = match &what {
            What::Message(message) => self.face.common.expires_at(message),
            _ => NEVER,
        };
        let terms = Terms::of(Class::of(policy), expires_at);
        let at = self.stamp(&what);
        let name = self.face.name.as_ref();
        let frame = Frame::publication(terms, what, name, self.position, at);
        let sending = Sending::of(&frame, except, policy, &self.face);
        let mut delivery = self.subscribers.fan_out(&sending);
        delivery.position = self.face.name.is_some().then_some(self.position);
        if self.face.common.router.get().is_none() {
            // The history takes the frame over: nobody needs it here any more.
            self.keep(frame, except);
            return delivery;
        }
        if self.history.is_some() {
            self.keep(frame.clone(), except);
        }
        if let (Some(router), Some(name)) = (self.face.common.router.get(), &self.face.name) {
            for route in self.routes.of(name, &**router) {
                delivery.add_copies(route.pass_on(&frame, except));
            }
        }
        delivery
    }

    /// Returns the time of `what`, which is published now, in milliseconds since 1970: its own, or
    /// the present time of day, but none before that of the last publication.
    fn stamp(&mut self, what: &What) -> u64 {
        let own = match what {
            What::Message(message) => message.own_millis(),
            _ => None,
        };
        let last = self.published_at;
        let at = own.unwrap_or_else(|| self.face.common.unix_millis().max(last));
        self.published_at = at.max(last);
        at
    }

    /// Puts a publication of another channel into every outbox. It keeps the name and the position
    /// that it has; here it takes a number too, so that what is lost can be counted. It is not
    /// remembered: nobody could come back to it here by its position, or ask for a page by it.
    fn pass_on(&mut self, frame: &Frame, except: Option<ClientId>) -> Delivery {
        let missed = self.face.take_missed();
        if missed > 0 {
            let first = self.position.offset + 1;
            self.position.offset += missed;
            let last = self.position.offset;
            self.subscribers.lose(Lost { first, last }, &self.face);
        }
        self.position.offset += 1;
        self.face.counters.advance(self.position.offset);
        if self.subscribers.len() == 0 {
            self.face.counters.publish(&Delivery::nobody());
            return Delivery::nobody();
        }
        // It is queued here under the policy of this channel.
        let policy = self.face.policy();
        let frame = frame.routed(self.position.epoch, Class::of(policy));
        let sending = Sending {
            number: self.position.offset,
            ..Sending::of(&frame, except, policy, &self.face)
        };
        let delivery = self.subscribers.fan_out(&sending);
        self.face.counters.publish(&delivery);
        delivery
    }

    fn join(
        &mut self,
        client: &Arc<ClientCore>,
        membership: &Arc<Membership>,
        since: Option<StreamPosition>,
    ) -> Result<Joined, SubscribeError> {
        if let Some(why) = client.queue.why() {
            return Err(SubscribeError::Closed(why.clone()));
        }
        if !membership.is_wanted() {
            return Err(SubscribeError::Unsubscribed);
        }
        self.expire();
        let before = self.position;
        if let Some(member) = membership.member() {
            self.admit(member)?;
        }
        // Only now: what its own coming has had the history forget is not there to be promised.
        let mut start = Start::of(since, before, self.history.as_deref());
        if start.after == before.offset {
            // It misses nothing: its own coming it is told of by the join itself.
            start.after = self.position.offset;
        }
        if self.face.policy.get().is_some_and(evicts) {
            // The receiver learns now that its part is going to be wanted, not when it is full.
            drop(client.queue.ring.steal());
        }
        let tell = client.wants_join_notices() || self.roster.is_some();
        let joined = self.joined(start);
        let subscriber = Subscriber::new(Arc::clone(client), Arc::clone(membership));
        let is_behind = start.after < self.position.offset;
        if is_behind {
            let joined = self.position.offset;
            self.subscribers
                .insert_behind(subscriber, start.after, joined);
        } else {
            self.subscribers.insert(subscriber);
        }
        self.face.counters.count_subscribers(self.subscribers.len());
        if let (true, Some(joined)) = (tell, &joined) {
            self.tell(client, What::Joined(joined.clone()));
        }
        if is_behind {
            self.catch_up(membership);
        }
        // The channel of all clients has no name to tell, and nobody asks.
        joined.ok_or(SubscribeError::Unsubscribed)
    }

    /// Puts a member into the roster, and tells the others if it is new there.
    fn admit(&mut self, member: &Member) -> Result<(), SubscribeError> {
        let Some(roster) = &mut self.roster else {
            return Ok(());
        };
        let limit = self.face.common.limits.max_members;
        let Some(standing) = roster.add(member, limit) else {
            return Err(SubscribeError::TooManyMembers { limit });
        };
        if standing == Standing::Changed {
            self.change(member, PresenceChange::Joined);
        }
        Ok(())
    }

    fn leave(&mut self, membership: &Membership) {
        if let Some(member) = self.remove(membership) {
            self.change(&member, PresenceChange::Left);
        }
    }

    /// Removes a subscriber, and gives the member that has gone with it.
    fn remove(&mut self, membership: &Membership) -> Option<Member> {
        let Some(removed) = self.subscribers.remove(membership) else {
            // It never joined, or it was removed as the client was closed.
            membership.end(None);
            return None;
        };
        // After the last that was put in for it, and before whatever another one puts in.
        membership.end(Some(removed.client.queue.ring.tail_position()));
        self.face.counters.count_subscribers(self.subscribers.len());
        self.roster.as_mut()?.remove(membership.member()?)
    }

    /// Tells the members and the application that somebody has come or gone.
    fn change(&mut self, member: &Member, change: PresenceChange) {
        let what = match change {
            PresenceChange::Joined => What::MemberAdded(member.clone()),
            PresenceChange::Left => What::MemberRemoved(member.clone()),
        };
        let delivery = self.announce(what, None);
        self.face.counters.publish(&delivery);
        if let Some(name) = self.face.name.clone() {
            let event = PresenceEvent {
                channel: name,
                member: member.clone(),
                change,
            };
            self.face.common.after(Effect::Presence(event));
        }
    }

    /// Removes the subscribers that were found closed, all of them before anybody is told: else
    /// each that is told of would be looked for among those that are still to be removed. Telling
    /// may find more.
    fn bury(&mut self) {
        loop {
            let dead = self.subscribers.take_dead();
            if dead.is_empty() {
                return;
            }
            let gone: Vec<_> = dead.iter().filter_map(|it| self.remove(it)).collect();
            for member in gone {
                self.change(&member, PresenceChange::Left);
            }
        }
    }

    fn members(&self) -> Arc<[Member]> {
        self.roster
            .as_ref()
            .map_or_else(|| Arc::from([]), Roster::members)
    }

    fn joined(&self, start: Start) -> Option<Joined> {
        let channel = self.face.name.clone()?;
        Some(Joined {
            channel,
            position: self.position,
            start: StreamPosition {
                offset: start.after,
                ..self.position
            },
            recovered: start.recovered,
            members: self.members(),
        })
    }

    fn tell(&self, client: &Arc<ClientCore>, what: What) {
        let at = self.face.common.unix_millis().max(self.published_at);
        let frame = Frame::new(what, self.face.name.as_ref(), self.position, at);
        if client.queue.control(frame) == Controlled::Disconnected {
            self.face.common.after(Effect::Retire(Arc::clone(client)));
        }
    }
}
