//! One asking for an operation.

use std::sync::Arc;

use serde_json::Map;
use serde_json::Value;

use crate::code::ErrorCode;
use crate::hub::Client;
use crate::layers::Actor;
use crate::layers::EventName;
use crate::layers::Layers;
use crate::layers::MessageHeader;
use crate::layers::RoomId;
use crate::layers::UserId;
use crate::layers::rooms::RoomError;
use crate::message::Message;
use crate::protocol::Arguments;
use crate::protocol::Fault;
use crate::protocol::checked;
use crate::protocol::event_of;
use crate::protocol::invalid;
use crate::protocol::missing;
use crate::session::Caller;
use crate::session::Entrance;
use crate::session::fault::no_layers;

use super::Argument;
use super::Kind;

/// Which connection it is about, for operations that the API may ask for as well.
pub(super) const CONNECTION: Argument = Argument::optional(
    "client_id",
    Kind::Text,
    "The connection; default the one that asks. Over HTTP it has to be named.",
);

/// The application's name for what a message is.
pub(super) const EVENT: Argument = Argument::optional(
    "event",
    Kind::Text,
    "The application's name for what it is, such as `order.placed`; passed on, and stored with it. 1 to \
     128 bytes, no control characters.",
);

/// Digits of an id, and some.
const MAX_CONNECTION: usize = 32;

/// One asking for an operation: who asks, and with which arguments.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) entrance: &'a Arc<Entrance>,
    pub(crate) caller: &'a Caller<'a>,
    pub(crate) arguments: &'a Arguments,
}

impl<'a> Call<'a> {
    /// What is served on top of the hub.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::FeatureDisabled`] where it is the bare hub.
    pub(crate) fn layers(&self) -> Result<&'a Layers, Fault> {
        self.entrance.layers().ok_or_else(no_layers)
    }

    /// On whose behalf it is.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Unauthenticated`] for a connection that is nobody's.
    pub(crate) fn actor(&self) -> Result<Actor, Fault> {
        match self.caller.actor() {
            Some(actor) => Ok(actor.clone()),
            None => self.user().map(Actor::User),
        }
    }

    /// The user on whose behalf it is.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Unauthenticated`] for a connection that is nobody's, and for the API unless
    /// it says for whom.
    pub(crate) fn user(&self) -> Result<UserId, Fault> {
        let nobody = |why: &'static str| Fault::new(ErrorCode::Unauthenticated, why);
        match self.caller.actor() {
            None => {
                let user = self.caller.user();
                let user = user.ok_or_else(|| nobody("this connection has no user"))?;
                UserId::parse(user).map_err(|error| nobody("").because(&error))
            }
            Some(Actor::User(user)) => Ok(user.clone()),
            Some(Actor::Server) => {
                Err(nobody("only a user can do that; name one: ?actor=ada").field("actor"))
            }
        }
    }

    /// The connection that asks.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidField`] for the API, which is none.
    pub(crate) fn client(&self) -> Result<&'a Client, Fault> {
        self.caller.client().ok_or_else(|| {
            let why = "this is about the connection that asks: ask over a WebSocket";
            Fault::new(ErrorCode::InvalidField, why)
        })
    }

    /// The connection that it is about: the one that asks, or the one that [`CONNECTION`] names; a
    /// user can name its own alone.
    pub(crate) fn connection(&self) -> Result<Client, Fault> {
        if let Some(client) = self.caller.client() {
            return Ok(client.clone());
        }
        let actor = self.actor()?;
        let id = self.text(CONNECTION.name, MAX_CONNECTION)?;
        let client = id
            .parse()
            .ok()
            .and_then(|id| self.entrance.hub().client(id));
        let is_theirs = |client: &Client| match &actor {
            Actor::Server => true,
            Actor::User(user) => client.user() == Some(&**user),
        };
        client.filter(is_theirs).ok_or_else(|| {
            let why = "this user has no connection of this id";
            Fault::new(ErrorCode::UnknownClient, why).field(CONNECTION.name)
        })
    }

    /// The connections of whoever asks: the one that asks, or all of the user on whose behalf it
    /// is.
    pub(crate) fn connections(&self) -> Vec<Client> {
        self.entrance.clients_of(self.caller)
    }

    /// A text that has to be there.
    pub(crate) fn text(&self, name: &'static str, max: usize) -> Result<String, Fault> {
        self.arguments.text(name, max)?.ok_or_else(|| missing(name))
    }

    /// The user that an argument names.
    pub(crate) fn user_named(&self, name: &'static str) -> Result<UserId, Fault> {
        self.optional_user(name)?.ok_or_else(|| missing(name))
    }

    /// The user that an argument names, if it is there.
    pub(crate) fn optional_user(&self, name: &'static str) -> Result<Option<UserId>, Fault> {
        let Some(text) = self.arguments.text(name, usize::MAX)? else {
            return Ok(None);
        };
        UserId::parse(&text)
            .map(Some)
            .map_err(|error| invalid(name, "the id of a user").because(&error))
    }

    /// The users that an argument names, at most `most`.
    pub(crate) fn users(&self, name: &'static str, most: usize) -> Result<Vec<UserId>, Fault> {
        let ids = self.arguments.texts(name, most, UserId::MAX_LEN)?;
        let ids = ids.ok_or_else(|| missing(name))?;
        let parsed = ids.iter().map(|id| UserId::parse(id));
        parsed
            .collect::<Result<_, _>>()
            .map_err(|error| invalid(name, "ids of users").because(&error))
    }

    /// The user that an argument names, if the actor is that user or the server.
    pub(crate) fn own_user(&self, name: &'static str) -> Result<UserId, Fault> {
        let user = self.user_named(name)?;
        if self.actor()?.user().is_some_and(|actor| *actor != user) {
            let why = "a user may ask this about itself only";
            return Err(Fault::new(ErrorCode::PermissionDenied, why).field(name));
        }
        Ok(user)
    }

    /// The message with the event and the metadata that the arguments give it.
    pub(crate) fn stamped(&self, message: Message) -> Result<Message, Fault> {
        let metadata: Option<Map<String, Value>> = self.arguments.json("metadata", "an object")?;
        let (event, metadata) = (self.event()?, checked(metadata)?);
        if event.is_none() && metadata.is_none() {
            return Ok(message);
        }
        let header = MessageHeader::new("message").event(event);
        Ok(header.metadata(metadata).attach_to(message))
    }

    /// The event that the arguments name.
    pub(crate) fn event(&self) -> Result<Option<EventName>, Fault> {
        event_of(self.arguments.text(EVENT.name, usize::MAX)?)
    }

    /// The room that `room_id` names, if the actor may know of it.
    pub(crate) fn room(&self) -> Result<RoomId, Fault> {
        self.known_room()?.ok_or_else(|| missing("room_id"))
    }

    /// The room that `room_id` names, if it is there, and if the actor may know of it.
    pub(crate) fn known_room(&self) -> Result<Option<RoomId>, Fault> {
        let room = self.optional_room()?;
        room.iter().try_for_each(|room| self.check_known(room))?;
        Ok(room)
    }

    /// Refuses a room that the user may not know of in the words for one that does not exist. An
    /// invite is checked with the room.
    pub(crate) fn check_known(&self, room: &RoomId) -> Result<(), Fault> {
        let rooms = self.entrance.layers().and_then(Layers::rooms);
        let is_known = match (rooms, self.actor()) {
            (Some(rooms), Ok(actor @ Actor::User(_))) => rooms.is_known_to(&actor, room),
            _ => true,
        };
        if is_known || self.arguments.has("invite") {
            return Ok(());
        }
        let error = RoomError::UnknownRoom;
        Err(super::fault(error.code(), error.field(), &error))
    }

    /// The room that `room_id` names, if it is there.
    pub(crate) fn optional_room(&self) -> Result<Option<RoomId>, Fault> {
        let Some(text) = self.arguments.text("room_id", usize::MAX)? else {
            return Ok(None);
        };
        RoomId::parse(&text)
            .map(Some)
            .map_err(|error| invalid("room_id", "the id of a room").because(&error))
    }

    /// How many entries, and after which: `limit`, from 1 to 1,000, default 50, and `after`, as an
    /// earlier page gave it as `next`.
    pub(crate) fn page(&self) -> Result<(usize, Option<String>), Fault> {
        let limit = self.arguments.number("limit", 1, MOST_PER_PAGE)?;
        let limit = limit.unwrap_or(PER_PAGE);
        let after = self.arguments.text("after", MAX_CURSOR)?;
        Ok((usize::try_from(limit).unwrap_or(usize::MAX), after))
    }
}

const PER_PAGE: u64 = 50;
const MOST_PER_PAGE: u64 = 1000;
const MAX_CURSOR: usize = 1024;
