//! One client's commands, carried out on the hub.

use std::collections::HashMap;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;

use crate::disconnect::Disconnect;
use crate::hub::Client;
use crate::hub::Delivery;
use crate::hub::Hub;
use crate::hub::Member;
use crate::hub::StreamPosition;
use crate::hub::SubscribeOptions;
use crate::id::ChannelKind;
use crate::layers::Layers;
use crate::layers::Metadata;
use crate::layers::RoomId;
use crate::layers::Stamp;
use crate::layers::UserId;
use crate::layers::is_reserved;
use crate::layers::presence::Presence;
use crate::layers::sessions;
use crate::layers::sessions::Note;
use crate::message::Message;
use crate::operations;
use crate::operations::Answer;
use crate::operations::Call;
use crate::operations::Caller;
use crate::operations::Later;
use crate::operations::Who;
use crate::operations::session;
use crate::operations::session::Notes;
use crate::operations::session::Restored;
use crate::protocol::Arguments;
use crate::protocol::Command;
use crate::protocol::Echo;
use crate::protocol::ErrorCode;
use crate::protocol::Fault;
use crate::protocol::Since;
use crate::protocol::unknown_type;
use crate::transport::fault::channels_fault;
use crate::transport::fault::no_layers;
use crate::transport::fault::not_subscribed;
use crate::transport::fault::publish_fault;
use crate::transport::fault::reserved;
use crate::transport::gateway::Gateway;
use crate::transport::seat;

/// What carries out the commands of one client.
#[derive(Debug)]
pub(super) struct Session {
    hub: Hub,
    layers: Option<Layers>,
    client: Client,
    publishes: ClientPublish,
    notes: Notes,
    /// Whether its rooms wait for its first command.
    resumes: bool,
}

/// Whether clients may publish.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "they may or they may not")]
pub enum ClientPublish {
    /// To public channels, and to private and presence channels that they are subscribed to.
    #[default]
    Allow,
    /// Never: only the server's side publishes.
    Refuse,
}

/// What a command comes to.
pub(super) enum Outcome {
    /// Done at once.
    Now(Result<Done, Fault>),
    /// Done, but whoever is to answer has to be waited for. Dropped early, it is done all the same.
    Answering(Later),
    /// A session was resumed, or not: these commands are to be carried out again.
    Resumed {
        answer: Answer,
        commands: Vec<Restored>,
    },
    /// A subscribe, which may wait for the authorizer. Dropped early, it has not joined.
    Later {
        channel: String,
        future: Subscribing,
    },
}

pub(super) type Subscribing = Pin<Box<dyn Future<Output = Result<(), Fault>> + Send>>;

/// What was done, and so what the reply says.
pub(super) enum Done {
    Nothing,
    Pong,
    Answered(Answer),
    Published(Delivery),
    Roster {
        channel: String,
        members: Arc<[Member]>,
    },
}

impl Session {
    pub(super) fn new(
        gateway: &Gateway,
        client: Client,
        publishes: ClientPublish,
        session: Option<Arc<sessions::Session>>,
        resumes: bool,
    ) -> Self {
        Self {
            hub: gateway.hub().clone(),
            layers: gateway.layers().cloned(),
            client,
            publishes,
            notes: Notes::new(session),
            resumes,
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Carries out a command, or starts to. Never waits.
    pub(super) fn handle(&mut self, command: Command) -> Outcome {
        if mem::take(&mut self.resumes) {
            if let Command::Operation { name, arguments } = &command
                && **name == *session::RESUME
            {
                return self.resume(arguments);
            }
            self.attach(&HashMap::new());
        }
        if let Some(fault) = reserved_channel(&command) {
            return Outcome::Now(Err(fault));
        }
        Outcome::Now(match command {
            Command::Operation { name, arguments } => {
                match self.operate(&name, &arguments).map(Answer::settled) {
                    Ok(Ok(answer)) => Ok(Done::Answered(answer)),
                    Ok(Err(later)) => return Outcome::Answering(later),
                    Err(fault) => Err(fault),
                }
            }
            Command::Ping => Ok(Done::Pong),
            Command::Presence { channel } => self.presence(channel),
            Command::Publish {
                channel,
                payload,
                key,
                echo,
                metadata,
            } => {
                let message = self.signed(payload.into_message(key), metadata);
                self.publish(&channel, message, echo)
            }
            Command::Subscribe {
                channel,
                filter,
                since,
                auth,
            } => {
                let note = self
                    .notes
                    .of_subscribe(&channel, filter.as_deref(), auth.as_deref());
                let options = match self.wishes(filter.as_deref(), since, auth) {
                    Ok(options) => options,
                    Err(fault) => return Outcome::Now(Err(fault)),
                };
                let future = self.subscribe(channel.clone(), options, note);
                return Outcome::Later { channel, future };
            }
            Command::Unsubscribe { channel } => self.unsubscribe(&channel),
        })
    }

    /// The id that the client may come back with.
    pub(super) fn id(&self) -> Option<&str> {
        self.notes.session()
    }

    fn attach(&self, positions: &HashMap<RoomId, StreamPosition>) {
        if let Some(layers) = &self.layers {
            layers.attach(&self.client, positions);
        }
    }

    /// Goes on where another connection was lost: with its rooms, and with what its session had
    /// noted.
    fn resume(&self, arguments: &Arguments) -> Outcome {
        let asked = match session::Asked::read(arguments) {
            Ok(asked) => asked,
            Err(fault) => {
                self.attach(&HashMap::new());
                return Outcome::Now(Err(fault));
            }
        };
        self.attach(&asked.rooms);
        let sessions = self.layers.as_ref().and_then(Layers::sessions);
        let presence = self.layers.as_ref().and_then(Layers::presence);
        let (answer, commands, old) =
            asked.resume(sessions, presence, self.client.user(), &self.notes);
        if let Some(old) = old.and_then(|old| self.hub.client(old)) {
            old.close(Disconnect::RESUMED);
        }
        Outcome::Resumed { answer, commands }
    }

    /// A command of the session that was resumed is refused: it is not to be asked for again. When
    /// the client is closed, everything is.
    pub(super) fn not_restored(&self, key: &str, fault: &Fault) {
        if fault.code() != ErrorCode::Closed {
            self.notes.forget(key);
        }
    }

    fn operate(&self, name: &str, arguments: &Arguments) -> Result<Answer, Fault> {
        let operation = operations::find(name).ok_or_else(unknown_type)?;
        let layers = self.layers.as_ref().ok_or_else(no_layers)?;
        if operation.who == Who::Server {
            let why = "only the server's side may ask for this";
            return Err(Fault::new(ErrorCode::PermissionDenied, why).field("type"));
        }
        let call = Call {
            layers,
            caller: Caller::Client(&self.client),
            arguments,
        };
        let answer = (operation.run)(&call)?;
        // Nothing that is noted is answered later.
        let at = || layers.presence().map_or(0, Presence::millis);
        self.notes.done(operation, arguments, at);
        Ok(answer)
    }

    fn presence(&self, channel: String) -> Result<Done, Fault> {
        if ChannelKind::of(&channel) != ChannelKind::Presence {
            let why = "only channels named presence-... have members";
            return Err(Fault::new(ErrorCode::NotPresence, why).field("channel_id"));
        }
        self.check_subscribed(&channel)?;
        let members = self.hub.presence(&channel);
        Ok(Done::Roster { channel, members })
    }

    fn publish(&self, channel: &str, message: Message, echo: Echo) -> Result<Done, Fault> {
        seat::check_channel(self.layers.as_ref(), channel)?;
        if self.publishes == ClientPublish::Refuse {
            let why = "clients may not publish on this server";
            return Err(Fault::new(ErrorCode::Forbidden, why).field("type"));
        }
        if ChannelKind::of(channel) != ChannelKind::Public {
            self.check_subscribed(channel)?;
        }
        let delivery = match echo {
            Echo::All => self.hub.publish(channel, message),
            Echo::Others => self.hub.publish_except(channel, message, self.client.id()),
        };
        delivery
            .map(Done::Published)
            .map_err(|error| publish_fault(&error))
    }

    /// The message with who sends it, which no client can say of itself, and what it says of it.
    fn signed(&self, message: Message, metadata: Option<Metadata>) -> Message {
        let user = self.client.user().and_then(|user| UserId::parse(user).ok());
        if user.is_none() && metadata.is_none() {
            return message;
        }
        let mut stamp = Stamp::new("message").metadata(metadata);
        stamp.user = user;
        stamp.on(message)
    }

    /// How the client wants to subscribe.
    fn wishes(
        &self,
        filter: Option<&str>,
        since: Option<Since>,
        auth: Option<String>,
    ) -> Result<SubscribeOptions, Fault> {
        let mut options = SubscribeOptions::new();
        if let Some(Since { sequence, epoch }) = since {
            options = options.since(StreamPosition {
                offset: sequence,
                epoch,
            });
        }
        if let Some(auth) = auth {
            options = options.auth(auth);
        }
        if let Some(filter) = filter {
            let channels = self.layers.as_ref().and_then(Layers::channels);
            let channels = channels.ok_or_else(no_layers)?;
            let filter = channels.filter_of(filter).map_err(channels_fault)?;
            options = options.filter(filter);
        }
        Ok(options)
    }

    fn subscribe(
        &self,
        channel: String,
        options: SubscribeOptions,
        note: Option<Note>,
    ) -> Subscribing {
        let client = self.client.clone();
        let layers = self.layers.clone();
        let notes = self.notes.clone();
        Box::pin(async move {
            seat::join(layers.as_ref(), &client, &channel, options).await?;
            notes.put(note);
            Ok(())
        })
    }

    fn unsubscribe(&self, channel: &str) -> Result<Done, Fault> {
        seat::leave(self.layers.as_ref(), &self.client, channel)?;
        self.notes.left(channel);
        Ok(Done::Nothing)
    }

    fn check_subscribed(&self, channel: &str) -> Result<(), Fault> {
        if self
            .client
            .subscriptions()
            .iter()
            .any(|name| **name == *channel)
        {
            Ok(())
        } else {
            Err(not_subscribed())
        }
    }
}

/// The fault of a command that names a channel of the layers.
fn reserved_channel(command: &Command) -> Option<Fault> {
    let channel = match command {
        Command::Presence { channel }
        | Command::Publish { channel, .. }
        | Command::Subscribe { channel, .. }
        | Command::Unsubscribe { channel } => channel,
        Command::Operation { .. } | Command::Ping => return None,
    };
    is_reserved(channel).then(reserved)
}
