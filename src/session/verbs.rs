//! What a caller asks of the hub itself.

use std::sync::Arc;

use crate::hub::Client;
use crate::hub::StreamPosition;
use crate::hub::SubscribeOptions;
use crate::id::ChannelKind;
use crate::id::ClientId;
use crate::layers::EventName;
use crate::layers::Layers;
use crate::layers::MessageHeader;
use crate::layers::Metadata;
use crate::layers::UserId;
use crate::message::Message;
use crate::protocol::Command;
use crate::protocol::Echo;
use crate::protocol::ErrorCode;
use crate::protocol::Fault;
use crate::protocol::Whose;
use crate::protocol::invalid;

use super::Badges;
use super::Caller;
use super::ClientPublish;
use super::Effort;
use super::Entrance;
use super::Origin;
use super::Outcome;
use super::Permissions;
use super::Reply;
use super::Right;
use super::fault::channels_fault;
use super::fault::no_layers;
use super::fault::not_subscribed;
use super::fault::publish_fault;
use super::fault::unknown_client;
use super::operations::reply;
use super::operations::verbs::Subscribed;
use super::operations::verbs::Unsubscribed;
use super::permit;
use super::permit::Granted;
use super::seat;

/// Carries out a command that is none of an operation.
pub(super) fn run(
    entrance: &Arc<Entrance>,
    caller: &Caller<'_>,
    command: Command,
    effort: &mut Effort,
) -> Outcome {
    let verb = Verb { entrance, caller };
    let done = match command {
        Command::Ping => Ok(Outcome::Now(Ok(Reply::Pong))),
        Command::Presence { channel } => verb.presence(channel),
        Command::Publish {
            channel,
            payload,
            key,
            event,
            echo,
            metadata,
            expires_in_ms,
            except,
        } => {
            let message = payload.into_expiring(key, expires_in_ms);
            let message = verb.signed(message, event, metadata);
            let except = verb.except(echo, except);
            except.and_then(|except| verb.publish(channel, message, except, effort))
        }
        Command::Subscribe {
            channel,
            filter,
            since,
            auth,
            whose: Whose::Own,
        } => verb.subscribe(channel, filter.as_deref(), since, auth),
        Command::Subscribe {
            channel,
            filter,
            since,
            auth,
            whose,
        } => {
            let options = verb.wishes(filter.as_deref(), since, auth);
            options.and_then(|options| verb.subscribe_others(channel, options, &whose))
        }
        Command::Unsubscribe {
            channel,
            whose: Whose::Own,
        } => verb.unsubscribe(&channel),
        Command::Unsubscribe { channel, whose } => verb.unsubscribe_others(&channel, &whose),
        // It has been taken before it gets here.
        Command::Operation { .. } => Ok(Outcome::Now(Ok(Reply::Done))),
    };
    done.unwrap_or_else(|fault| Outcome::Now(Err(fault)))
}

struct Verb<'a> {
    entrance: &'a Arc<Entrance>,
    caller: &'a Caller<'a>,
}

impl Verb<'_> {
    fn layers(&self) -> Option<&Layers> {
        self.entrance.layers.as_ref()
    }

    fn presence(&self, channel: String) -> Result<Outcome, Fault> {
        if ChannelKind::of(&channel) != ChannelKind::Presence {
            let why = "only channels named presence-... have members";
            return Err(Fault::new(ErrorCode::NotPresence, why).field("channel_id"));
        }
        self.check_subscribed(&channel)?;
        let members = self.entrance.hub.presence(&channel);
        Ok(Outcome::Now(Ok(Reply::Presence { channel, members })))
    }

    fn publish(
        &self,
        channel: String,
        message: Message,
        except: Option<ClientId>,
        effort: &mut Effort,
    ) -> Result<Outcome, Fault> {
        seat::check_channel(self.layers(), &channel)?;
        if !self.caller.is_server() {
            self.may_publish(&channel)?;
        }
        let hub = &self.entrance.hub;
        if !matches!(self.caller.origin(), Origin::Client | Origin::Restored) {
            let hub = hub.clone();
            return Ok(Outcome::Answering(Box::pin(async move {
                let published = hub.prepare(&channel, message).except(except).confirmed();
                let delivery = published.await.map_err(|error| publish_fault(&error))?;
                Ok(Reply::Published(delivery))
            })));
        }
        let published = hub.prepare(&channel, message).except(except).publish();
        let delivery = published.map_err(|error| publish_fault(&error))?;
        effort.cost += delivery.addressed() as u64;
        effort.reached = effort.reached.and(delivery.reached());
        if delivery.is_deferred() {
            effort.deferred = hub.find_channel(&channel);
        }
        Ok(Outcome::Now(Ok(Reply::Published(delivery))))
    }

    /// The client that does not get a message.
    fn except(&self, echo: Echo, except: Option<ClientId>) -> Result<Option<ClientId>, Fault> {
        match (echo, except) {
            (_, Some(_)) if !self.caller.is_server() => {
                let why = "only the server's side may leave another client out";
                Err(Fault::new(ErrorCode::PermissionDenied, why).field("except"))
            }
            (Echo::Others, None) => Ok(self.caller.client().map(Client::id)),
            (_, except) => Ok(except),
        }
    }

    /// The connections that a command is about, if the caller may decide about them: the server
    /// about all, a user about its own.
    fn others(&self, whose: &Whose) -> Result<Vec<Client>, Fault> {
        let is_server = self.caller.is_server();
        match whose {
            Whose::Own => self
                .caller
                .client()
                .cloned()
                .map(|own| vec![own])
                .ok_or_else(no_connection),
            Whose::Client(id) => {
                let own = self.caller.client().map(Client::id);
                let is_theirs = |client: &Client| {
                    let same = client.user().is_some() && client.user() == self.caller.user();
                    is_server || same || own == Some(client.id())
                };
                let client = self.entrance.hub.client(*id).filter(is_theirs);
                client.map(|client| vec![client]).ok_or_else(unknown_client)
            }
            Whose::User(user) => {
                if !is_server && self.caller.user() != Some(user) {
                    let why = "a user may ask this about itself only";
                    return Err(Fault::new(ErrorCode::PermissionDenied, why).field("user_id"));
                }
                let layers = self.layers().ok_or_else(no_layers)?;
                let expected = "the id of a user";
                let user = UserId::parse(user)
                    .map_err(|error| invalid("user_id", expected).because(&error))?;
                let clients = layers.users().clients_of(&user);
                if clients.is_empty() {
                    let why = "this user has no connection";
                    return Err(Fault::new(ErrorCode::UnknownUser, why).field("user_id"));
                }
                Ok(clients)
            }
        }
    }

    /// Subscribes connections other than the one that asks; those that are subscribed already stay
    /// so, unless it is one that is named.
    fn subscribe_others(
        &self,
        channel: String,
        options: SubscribeOptions,
        whose: &Whose,
    ) -> Result<Outcome, Fault> {
        let clients = self.others(whose)?;
        if !self.caller.is_server() && self.entrance.is_declared_private(&channel) {
            return Err(permit::private());
        }
        let layers = self.entrance.layers.clone();
        Ok(Outcome::Answering(Box::pin(async move {
            let (mut subscribed, mut refused) = (0, None);
            for client in &clients {
                match seat::join(layers.as_ref(), client, &channel, options.clone()).await {
                    Ok(()) => subscribed += 1,
                    Err(fault) => refused = Some(fault),
                }
            }
            match refused {
                Some(fault) if subscribed == 0 => Err(fault),
                _ => Ok(reply(&Subscribed { subscribed })),
            }
        })))
    }

    fn unsubscribe_others(&self, channel: &str, whose: &Whose) -> Result<Outcome, Fault> {
        let (mut unsubscribed, mut refused) = (0, None);
        for client in &self.others(whose)? {
            match seat::leave(self.layers(), client, channel) {
                Ok(()) => unsubscribed += 1,
                Err(fault) => refused = Some(fault),
            }
        }
        Ok(Outcome::Now(match refused {
            Some(fault) if unsubscribed == 0 => Err(fault),
            _ => Ok(reply(&Unsubscribed { unsubscribed })),
        }))
    }

    /// Whether this connection, or this user, may publish to the channel.
    fn may_publish(&self, channel: &str) -> Result<(), Fault> {
        let may = match self.entrance.publishes {
            ClientPublish::Allow => true,
            ClientPublish::Permitted => self.caller.identity().is_some_and(|identity| {
                let permissions = identity.all_permissions();
                *permissions != Permissions::all() && identity.may(Right::Publish, channel)
            }),
            ClientPublish::Refuse => false,
        };
        if !may {
            let why = "clients may not publish on this server";
            return Err(Fault::new(ErrorCode::Forbidden, why).field("type"));
        }
        let is_public = ChannelKind::of(channel) == ChannelKind::Public;
        if !is_public || self.entrance.is_declared_private(channel) {
            self.check_subscribed(channel)?;
        }
        Ok(())
    }

    /// The message with who sends it, which no client can say of itself, and what it says of it.
    fn signed(
        &self,
        message: Message,
        event: Option<EventName>,
        metadata: Option<Metadata>,
    ) -> Message {
        let user = self.caller.user().and_then(|user| UserId::parse(user).ok());
        if user.is_none() && event.is_none() && metadata.is_none() {
            return message;
        }
        let mut stamp = MessageHeader::new("message")
            .event(event)
            .metadata(metadata);
        stamp.user = user;
        stamp.attach_to(message)
    }

    fn subscribe(
        &self,
        channel: String,
        filter: Option<&str>,
        since: Option<StreamPosition>,
        auth: Option<String>,
    ) -> Result<Outcome, Fault> {
        let client = self.caller.client().ok_or_else(no_connection)?.clone();
        let notes = self.caller.notes().cloned();
        let note = notes
            .as_ref()
            .and_then(|notes| notes.of_subscribe(&channel, filter, auth.as_deref()));
        let granted = self
            .entrance
            .permit()
            .subscribe(self.caller, &channel, auth.as_deref());
        let granted = granted?;
        let needs_grant = matches!(granted, Granted::No);
        if needs_grant && self.entrance.is_declared_private(&channel) {
            return Err(permit::private());
        }
        let mut options = self.wishes(filter, since, auth)?;
        if let Some(info) = granted.info(self.caller.identity()) {
            options = options.granted(info);
        }
        let entrance = Arc::clone(self.entrance);
        let badge = self.caller.badge().cloned();
        let name = channel.clone();
        let future = Box::pin(async move {
            seat::join(entrance.layers(), &client, &name, options).await?;
            if needs_grant && entrance.is_declared_private(&name) {
                // It has become private meanwhile.
                seat::remove(entrance.layers(), &client, &name, "private");
                return Err(permit::private());
            }
            if let Some(badge) = &badge {
                entrance.joined(badge, &name, &granted)?;
            }
            if let Some(notes) = notes {
                notes.put(note);
            }
            Ok(())
        });
        Ok(Outcome::Joining { channel, future })
    }

    /// How the client wants to subscribe.
    fn wishes(
        &self,
        filter: Option<&str>,
        since: Option<StreamPosition>,
        auth: Option<String>,
    ) -> Result<SubscribeOptions, Fault> {
        let mut options = SubscribeOptions::new();
        if let Some(since) = since {
            options = options.since(since);
        }
        if let Some(auth) = auth {
            options = options.auth(auth);
        }
        if let Some(filter) = filter {
            let channels = self.layers().and_then(Layers::channels);
            let channels = channels.ok_or_else(no_layers)?;
            let filter = channels.filter_of(filter).map_err(channels_fault)?;
            options = options.filter(filter);
        }
        Ok(options)
    }

    fn unsubscribe(&self, channel: &str) -> Result<Outcome, Fault> {
        let client = self.caller.client().ok_or_else(no_connection)?;
        seat::leave(self.layers(), client, channel)?;
        if let Some(badge) = self.caller.badge() {
            Badges::revoke_grant(badge, channel);
        }
        if let Some(notes) = self.caller.notes() {
            notes.left(channel);
        }
        Ok(Outcome::Now(Ok(Reply::Done)))
    }

    /// Whether the connection, or one of the user's, is subscribed; the server needs not be.
    fn check_subscribed(&self, channel: &str) -> Result<(), Fault> {
        let is_subscribed = match self.caller.client() {
            Some(client) => client.is_subscribed(channel),
            None => self.caller.is_server() || self.is_one_subscribed(channel),
        };
        if is_subscribed {
            Ok(())
        } else {
            Err(not_subscribed())
        }
    }

    fn is_one_subscribed(&self, channel: &str) -> bool {
        let clients = self.entrance.clients_of(self.caller);
        clients.iter().any(|client| client.is_subscribed(channel))
    }
}

/// What is said of a request that only a connection can make.
fn no_connection() -> Fault {
    let why = "name a connection with `client_id`, or all of a user with `user_id`";
    Fault::new(ErrorCode::MissingField, why).field("client_id")
}
