//! The one way from a request to the hub and the layers.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::Weak;
use std::time::Duration;
use std::time::Instant;

use serde_json::value::RawValue;

use crate::disconnect::Disconnect;
use crate::hub::Channel;
use crate::hub::Client;
use crate::hub::Delivery;
use crate::hub::Hub;
use crate::hub::Member;
use crate::hub::Reached;
use crate::hub::StreamPosition;
use crate::id::ClientId;
use crate::layers::Layers;
use crate::layers::RoomId;
use crate::layers::UserId;
use crate::layers::is_reserved;
use crate::layers::meter;
use crate::layers::presence::Presence;
use crate::protocol::Arguments;
use crate::protocol::Command;
use crate::protocol::DeliveryReport;
use crate::protocol::ErrorCode;
use crate::protocol::Fault;
use crate::protocol::MemberView;
use crate::protocol::Request;
use crate::protocol::unknown_type;
use crate::session::operations;
use crate::session::operations::Call;
use crate::session::operations::Method;
use crate::session::operations::Started;
use crate::session::operations::Who;
use crate::session::operations::session::Restored;
use crate::time::Clock;
use crate::time::SystemClock;

use super::Around;
use super::Badge;
use super::Badges;
use super::Caller;
use super::CallerInfo;
use super::Deciding;
use super::Gate;
use super::Hooks;
use super::Identity;
use super::Limiting;
use super::Moments;
use super::Permit;
use super::Right;
use super::Rpc;
use super::content::Moderator;
use super::fault::reserved;
use super::gate::Checked;
use super::hooks::Vetted;
use super::operations::batch;
use super::operations::batch::BATCH;
use super::operations::verbs::Roster;
use super::permit::Granted;
use super::seat;
use super::verbs;

/// Where every request goes in.
#[derive(Debug)]
pub(crate) struct Entrance {
    pub(super) hub: Hub,
    pub(super) layers: Option<Layers>,
    pub(super) publishes: ClientPublish,
    gate: Gate,
    /// The rate limits, for the operations that show and change them.
    limits: Option<Arc<dyn Limiting>>,
    permit: Permit,
    /// The identities of connections, where anything is authenticated.
    badges: Option<Badges>,
    pub(super) hooks: Hooks,
    pub(crate) moderator: Option<Arc<dyn Moderator>>,
    rpc: Rpc,
    /// The transports, once there are any.
    around: OnceLock<Weak<dyn Around>>,
    since: Instant,
}

/// Whether clients may publish.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "they may, or by permission, or they may not"
)]
pub enum ClientPublish {
    /// To public channels, and to private and presence channels that they are subscribed to.
    Allow,
    /// To channels that the [`Permissions`](super::Permissions) of the caller allow to publish to,
    /// and no others: not without permissions of its own, which is what [`Permissions::all`] is.
    ///
    /// [`Permissions::all`]: super::Permissions::all
    Permitted,
    /// Never: only the server's side publishes.
    #[default]
    Refuse,
}

/// What a request comes to.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reply {
    /// It was carried out, and there is nothing to say about it.
    Done,
    /// The server is there.
    Pong,
    /// It was carried out, and this is what came of it, as JSON.
    Data(Box<RawValue>),
    /// A message was published.
    Published(Delivery),
    /// The members of a channel.
    Presence {
        /// The channel.
        channel: String,
        /// Its members.
        members: Arc<[Member]>,
    },
}

impl Reply {
    /// What it says, as JSON: the body of a response over HTTP. `None` when there is nothing to
    /// say.
    #[must_use]
    pub fn to_json(&self) -> Option<String> {
        let json = match self {
            Self::Done | Self::Pong => return None,
            Self::Data(json) => return Some(json.get().to_owned()),
            Self::Published(delivery) => serde_json::to_string(&DeliveryReport::of(delivery)),
            Self::Presence { channel, members } => serde_json::to_string(&Roster {
                channel_id: channel.clone(),
                members: members.iter().cloned().map(MemberView).collect(),
            }),
        };
        debug_assert!(json.is_ok(), "views have names for keys");
        json.ok()
    }
}

/// What a request comes to, now or later.
pub(crate) enum Outcome {
    /// Done at once.
    Now(Result<Reply, Fault>),
    /// Done, but the answer has to be waited for. Dropped early, it is done all the same.
    Answering(Answering),
    /// A session was resumed, or not: these commands are to be carried out again.
    Resumed {
        reply: Reply,
        commands: Vec<Restored>,
    },
    /// A subscribe, which may wait for the authorizer. Dropped early, it has not joined.
    Joining {
        channel: String,
        future: Subscribing,
    },
    /// Several requests are carried out one after the other, before any that come later. Dropped
    /// early, those up to the one under way are done.
    Holding(Answering),
    /// A policy has not decided yet. Dropped early, nothing was done.
    Deciding(Deciding),
}

pub(crate) type Subscribing = Pin<Box<dyn Future<Output = Result<(), Fault>> + Send>>;

/// A reply that comes later.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Result<Reply, Fault>> + Send>>;

/// What a request has caused.
#[derive(Debug, Default)]
pub(crate) struct Effort {
    /// Flushers that it may have reached.
    pub(crate) reached: Reached,
    /// The channel of a publish that another publisher has taken over.
    pub(crate) deferred: Option<Channel>,
    /// What it cost, in units of some 50 ns.
    pub(crate) cost: u64,
}

/// What it costs to examine an entry of a table.
const EXAMINED_COST: u64 = 4;

impl Entrance {
    pub(crate) fn new(
        hub: Hub,
        layers: Option<Layers>,
        publishes: ClientPublish,
        gate: Gate,
    ) -> Self {
        Self {
            hooks: Hooks::new(layers.clone(), None),
            moderator: None,
            rpc: Rpc::default(),
            hub,
            layers,
            publishes,
            gate,
            limits: None,
            permit: Permit::default(),
            badges: None,
            around: OnceLock::new(),
            since: SystemClock::new().now(),
        }
    }

    /// With schemas and filters. Hooks are added after it.
    pub(crate) fn moderated_by(mut self, moderator: Arc<dyn Moderator>) -> Self {
        self.hooks = Hooks::new(self.layers.clone(), Some(Arc::clone(&moderator)));
        self.moderator = Some(moderator);
        self
    }

    /// With rate limits that operations show and change.
    pub(crate) fn limited_by(mut self, limits: Arc<dyn Limiting>) -> Self {
        self.limits = Some(limits);
        self
    }

    pub(super) fn limits(&self) -> Option<&Arc<dyn Limiting>> {
        self.limits.as_ref()
    }

    /// Compares requests with what their callers may do.
    pub(crate) fn guarded(mut self, permit: Permit, badges: Option<Badges>) -> Self {
        self.permit = permit;
        self.badges = badges;
        self
    }

    pub(crate) fn permit(&self) -> &Permit {
        &self.permit
    }

    pub(crate) fn badges(&self) -> Option<&Badges> {
        self.badges.as_ref()
    }

    /// The badge of a connection, where anything is authenticated.
    pub(crate) fn badge_of(&self, client: ClientId) -> Option<Arc<Badge>> {
        self.badges.as_ref()?.of(client)
    }

    /// Subscribes a connection to the rooms of its user that its identity allows, from these
    /// positions on.
    pub(crate) fn attach(&self, client: &Client, positions: &HashMap<RoomId, StreamPosition>) {
        let Some(layers) = self.layers() else { return };
        layers.attach(client, positions);
    }

    /// The time of day, in milliseconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        self.hub.unix_millis()
    }

    /// Does what is due for connections whose tokens expire.
    pub(crate) fn tick(&self) {
        if let Some(badges) = &self.badges {
            badges.tick(self.now(), self.layers());
        }
    }

    /// Notes that a connection has subscribed to a channel, unless that is not allowed any more.
    pub(super) fn joined(
        &self,
        badge: &Arc<Badge>,
        channel: &str,
        granted: &Granted,
    ) -> Result<(), Fault> {
        let now = self.now();
        match (granted, &self.badges) {
            (Granted::By(allowance), Some(badges)) => {
                badges.grant(badge, channel, allowance.until);
                Ok(())
            }
            _ if self.permit.keeps(badge, channel, now) => Ok(()),
            _ => {
                seat::remove(self.layers(), badge.client(), channel, "unauthorized");
                let why = "the token does not allow to subscribe to this channel any more";
                Err(Fault::new(ErrorCode::InsufficientScope, why).field("channel_id"))
            }
        }
    }

    /// Makes the badge of a connection that has begun.
    pub(crate) fn admit(&self, client: &Client, identity: Option<Arc<Identity>>) {
        if let Some((badges, identity)) = self.badges.as_ref().zip(identity) {
            let channels = self.layers().and_then(Layers::channels);
            for pattern in channels.iter().flat_map(|_| identity.patterns()) {
                // An error: it has as many as it may have.
                let _most = channels.map(|it| it.subscribe(client, pattern, None));
            }
            let badge = badges.issue(client, identity);
            self.close_if_revoked(&badge);
        }
    }

    /// Closes a connection whose credentials were revoked while it was let in: before it had a
    /// badge, the revocation could not find it.
    pub(crate) fn close_if_revoked(&self, badge: &Badge) {
        let door = self.permit.door();
        if door.is_some_and(|door| door.is_revoked(&badge.identity())) {
            badge.client().close(Disconnect::TOKEN_REVOKED);
        }
    }

    /// Replaces the identity of a connection, and ends the subscriptions that the new one does not
    /// allow.
    pub(super) fn refreshed(&self, badge: &Arc<Badge>, identity: Identity) {
        if let Some(badges) = &self.badges {
            badges.replace(badge, Arc::new(identity));
            self.permit.trim(badge, self.layers(), self.now());
            // Rooms that only the new one allows.
            self.attach(badge.client(), &HashMap::new());
        }
    }

    /// Keeps rooms from connections whose identity does not allow them.
    pub(crate) fn guard_rooms(self: &Arc<Self>) {
        let rooms = self.layers().and_then(Layers::rooms);
        let Some((rooms, _)) = rooms.zip(self.badges()) else {
            return;
        };
        let entrance = Arc::downgrade(self);
        rooms.set_admits(move |client, room| {
            let entrance = entrance.upgrade();
            let badge = entrance.and_then(|entrance| entrance.badge_of(client.id()));
            badge.is_none_or(|badge| badge.identity().may(Right::Rooms, room))
        });
    }

    /// Has the operations ask the transports for what these alone know. Later calls do nothing.
    pub(crate) fn set_around(&self, around: Weak<dyn Around>) {
        self.around.get_or_init(|| around);
    }

    pub(super) fn around(&self) -> Option<Arc<dyn Around>> {
        self.around.get()?.upgrade()
    }

    /// Whether a channel was declared to be private.
    pub(super) fn is_declared_private(&self, channel: &str) -> bool {
        let channels = self.layers().and_then(Layers::channels);
        channels.is_some_and(|channels| channels.is_private(channel))
    }

    /// How long it has been there.
    pub(super) fn age(&self) -> Duration {
        let now = SystemClock::new().now();
        now.saturating_duration_since(self.since)
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.hub
    }

    /// With these methods of the application.
    pub(crate) fn methods(mut self, rpc: Rpc) -> Self {
        self.rpc = rpc;
        self
    }

    pub(crate) fn rpc(&self) -> &Rpc {
        &self.rpc
    }

    pub(crate) fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    pub(crate) fn layers(&self) -> Option<&Layers> {
        self.layers.as_ref()
    }

    /// The connections of a caller: the one that asks, or all of the user on whose behalf it is.
    pub(super) fn clients_of(&self, caller: &Caller<'_>) -> Vec<Client> {
        if let Some(client) = caller.client() {
            return vec![client.clone()];
        }
        let user = caller.user().and_then(|user| UserId::parse(user).ok());
        let of = self.layers().zip(user);
        of.map_or_else(Vec::new, |(layers, user)| layers.users().clients_of(&user))
    }

    /// Lets a request through the gate, and carries it out. Never waits.
    pub(crate) fn execute(
        self: &Arc<Self>,
        caller: &Caller<'_>,
        request: Request,
        effort: &mut Effort,
    ) -> Outcome {
        match self.check(caller, request) {
            Ok(command) => self.carry_out(caller, command, effort),
            Err(outcome) => outcome,
        }
    }

    /// Asks the policies.
    pub(super) fn check(&self, caller: &Caller<'_>, request: Request) -> Result<Command, Outcome> {
        if matches!(&request.command, Command::Operation { name, .. } if **name == *BATCH) {
            // Each of its requests is one of its own.
            return Ok(request.command);
        }
        let identity = caller.identity();
        if let Some(limits) = &self.limits
            && identity.is_some_and(|identity| identity.max_rate().is_some())
        {
            limits.count_own_rates();
        }
        let name = self.named(&request.command);
        let checked = checked(self.gate.check(caller, request));
        self.vet(caller, checked, name)
    }

    /// Asks the policies that were not asked yet.
    pub(super) fn go_on(&self, caller: &Caller<'_>, decided: Deciding) -> Result<Command, Outcome> {
        match decided {
            Deciding::Gate(decided) => {
                let name = self.named(decided.command());
                let checked = checked(self.gate.go_on(caller, decided));
                self.vet(caller, checked, name)
            }
            Deciding::Hooks(decided) => decided.into_command().ok_or_else(|| {
                // It has decided: that is why it is asked.
                Outcome::Now(Err(unknown_type()))
            }),
        }
    }

    /// Asks the hooks, the schemas and the filters about a command that the policies let pass and
    /// the permissions of its caller allow.
    fn vet(
        &self,
        caller: &Caller<'_>,
        checked: Result<Command, Outcome>,
        name: Option<Box<str>>,
    ) -> Result<Command, Outcome> {
        let vetted = checked.and_then(|command| {
            if self.hooks.wants(Moments::REQUESTS) {
                // Callers without the permission reach no hook and no filter. What these make of
                // the command is compared again when it is carried out.
                let permitted = self.permit.check(caller, &command, || self.now());
                permitted.map_err(|fault| Outcome::Now(Err(fault)))?;
            }
            match self.hooks.vet(caller, command) {
                Vetted::Passed(command) => Ok(command),
                Vetted::Refused(fault) => Err(Outcome::Now(Err(fault))),
                Vetted::Later(vetting) => Err(Outcome::Deciding(Deciding::Hooks(vetting))),
            }
        });
        if let Err(Outcome::Now(Err(fault))) = &vetted {
            self.refused(caller, &name.unwrap_or_default(), fault);
        }
        vetted
    }

    /// The name of a command, where an observer will be told of what becomes of it.
    fn named(&self, command: &Command) -> Option<Box<str>> {
        let is_wanted = self.hooks.wants(Moments::FAULTS);
        is_wanted.then(|| command.name().into())
    }

    /// Notifies the observers that the gate has refused a command.
    pub(super) fn refused(&self, caller: &Caller<'_>, command: &str, fault: &Fault) {
        if self.hooks.wants(Moments::REFUSED) {
            self.hooks.refused(&CallerInfo::of(caller), command, fault);
        }
    }

    /// [`Self::execute`], and waits for what there is to wait for.
    ///
    /// Dropped early, what was begun is done, or was never begun: see [`Outcome`].
    pub(crate) async fn settle(
        self: &Arc<Self>,
        caller: &Caller<'_>,
        request: Request,
        effort: &mut Effort,
    ) -> Result<Reply, Fault> {
        let mut outcome = self.execute(caller, request, effort);
        loop {
            match outcome {
                Outcome::Now(done) => return done,
                Outcome::Answering(answer) | Outcome::Holding(answer) => {
                    let reply = answer.await?;
                    if let Reply::Published(delivery) = &reply {
                        effort.cost += delivery.addressed() as u64;
                    }
                    return Ok(reply);
                }
                Outcome::Resumed { reply, .. } => return Ok(reply),
                Outcome::Joining { future, .. } => return future.await.map(|()| Reply::Done),
                Outcome::Deciding(mut deciding) => {
                    let decided = poll_fn(|cx| deciding.poll(cx)).await;
                    decided.inspect_err(|fault| self.refused(caller, "", fault))?;
                    outcome = match self.go_on(caller, deciding) {
                        Ok(command) => self.carry_out(caller, command, effort),
                        Err(outcome) => outcome,
                    };
                }
            }
        }
    }

    /// Carries out a command that has passed the gate.
    pub(super) fn carry_out(
        self: &Arc<Self>,
        caller: &Caller<'_>,
        command: Command,
        effort: &mut Effort,
    ) -> Outcome {
        if !self.hooks.wants(Moments::ERROR) {
            return self.carry_out_unwatched(caller, command, effort);
        }
        let name: Box<str> = command.name().into();
        let outcome = self.carry_out_unwatched(caller, command, effort);
        self.watch(CallerInfo::of(caller), name, outcome)
    }

    /// Notifies the observers of the fault that comes of a command, now or later.
    fn watch(&self, caller: CallerInfo, name: Box<str>, outcome: Outcome) -> Outcome {
        let hooks = self.hooks.clone();
        let failed = move |fault: &Fault| hooks.failed(&caller, &name, fault);
        match outcome {
            Outcome::Now(done) => Outcome::Now(done.inspect_err(failed)),
            Outcome::Answering(future) => {
                Outcome::Answering(Box::pin(async move { future.await.inspect_err(failed) }))
            }
            Outcome::Joining { channel, future } => Outcome::Joining {
                channel,
                future: Box::pin(async move { future.await.inspect_err(failed) }),
            },
            outcome => outcome,
        }
    }

    fn carry_out_unwatched(
        self: &Arc<Self>,
        caller: &Caller<'_>,
        command: Command,
        effort: &mut Effort,
    ) -> Outcome {
        if let Some(fault) = reserved_channel(&command) {
            return Outcome::Now(Err(fault));
        }
        if let Err(fault) = self.permit.check(caller, &command, || self.now()) {
            return Outcome::Now(Err(fault));
        }
        match command {
            Command::Operation { name, arguments } if *name == *BATCH => {
                // It may publish, and does not tell where.
                effort.reached = Reached::ANY;
                batch::run(self, caller, &arguments)
            }
            Command::Operation { name, arguments } => {
                self.operate(caller, &name, &arguments, effort)
            }
            command => verbs::run(self, caller, command, effort),
        }
    }

    fn operate(
        self: &Arc<Self>,
        caller: &Caller<'_>,
        name: &str,
        arguments: &Arguments,
        effort: &mut Effort,
    ) -> Outcome {
        match self.run(caller, name, arguments, effort) {
            Ok(Started::Done(reply)) => Outcome::Now(Ok(reply)),
            Ok(Started::Answering(answer)) => Outcome::Answering(answer),
            Err(fault) => Outcome::Now(Err(fault)),
        }
    }

    fn run(
        self: &Arc<Self>,
        caller: &Caller<'_>,
        name: &str,
        arguments: &Arguments,
        effort: &mut Effort,
    ) -> Result<Started, Fault> {
        let operation = operations::find(name).ok_or_else(unknown_type)?;
        let is_admin = |identity: &Identity| identity.may(Right::Admin, operation.name);
        let is_allowed = caller.is_server() || caller.identity().is_some_and(is_admin);
        if operation.who == Who::Server && !is_allowed {
            let why = "only the server's side may ask for this";
            return Err(Fault::new(ErrorCode::PermissionDenied, why).field("type"));
        }
        let known = operation.arguments.iter().map(|known| known.name);
        arguments.only(operation.name, known)?;
        let call = Call {
            entrance: self,
            caller,
            arguments,
        };
        meter::take();
        let answer = operation.run.run(&call);
        effort.cost += meter::take() * EXAMINED_COST;
        if operation.method != Method::Get {
            // It may have published, and does not tell where.
            effort.reached = Reached::ANY;
        }
        let answer = answer?;
        if let Some(notes) = caller.notes() {
            // Nothing that is noted is answered later.
            let presence = || self.layers().and_then(Layers::presence);
            let at = || presence().map_or(0, Presence::millis);
            notes.done(operation, arguments, at);
        }
        Ok(answer)
    }
}

fn checked(checked: Checked) -> Result<Command, Outcome> {
    match checked {
        Checked::Passed(request) => Ok(request.command),
        Checked::Refused(fault) => Err(Outcome::Now(Err(fault))),
        Checked::Later(deciding) => Err(Outcome::Deciding(Deciding::Gate(deciding))),
    }
}

/// The fault of a command that names a channel of the layers.
fn reserved_channel(command: &Command) -> Option<Fault> {
    let channel = match command {
        Command::Presence { channel }
        | Command::Publish { channel, .. }
        | Command::Subscribe { channel, .. }
        | Command::Unsubscribe { channel, .. } => channel,
        Command::Operation { .. } | Command::Ping => return None,
    };
    is_reserved(channel).then(reserved)
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Now(_) => "Now",
            Self::Answering(_) => "Answering",
            Self::Resumed { .. } => "Resumed",
            Self::Joining { .. } => "Joining",
            Self::Holding(_) => "Holding",
            Self::Deciding(_) => "Deciding",
        })
    }
}
