//! One asking for an operation.

use serde_json::Map;
use serde_json::Value;

use crate::code::ErrorCode;
use crate::hub::Client;
use crate::layers::Actor;
use crate::layers::Layers;
use crate::layers::Metadata;
use crate::layers::RoomId;
use crate::layers::Stamp;
use crate::layers::UserId;
use crate::message::Message;
use crate::protocol::Arguments;
use crate::protocol::Fault;
use crate::protocol::invalid;
use crate::protocol::missing;

use super::Argument;
use super::Kind;

/// Which connection it is about, for operations that the API may ask for as well.
pub(super) const CONNECTION: Argument = Argument::optional(
    "client_id",
    Kind::Text,
    "The connection; default the one that asks. Over HTTP it has to be named.",
);

/// Digits of an id, and some.
const MAX_CONNECTION: usize = 32;

/// One asking for an operation: who asks, and with which arguments.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) layers: &'a Layers,
    pub(crate) caller: Caller<'a>,
    pub(crate) arguments: &'a Arguments,
}

/// Who asks.
#[derive(Debug)]
pub(crate) enum Caller<'a> {
    /// A connection, over which the answer goes back.
    Client(&'a Client),
    /// The API, on behalf of a user or of the server.
    Api(Actor),
}

impl<'a> Call<'a> {
    /// On whose behalf it is.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Unauthenticated`] for a connection that is nobody's.
    pub(crate) fn actor(&self) -> Result<Actor, Fault> {
        match &self.caller {
            Caller::Api(actor) => Ok(actor.clone()),
            Caller::Client(_) => self.user().map(Actor::User),
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
        match &self.caller {
            Caller::Client(client) => {
                let user = client.user();
                let user = user.ok_or_else(|| nobody("this connection is nobody's"))?;
                UserId::parse(user).map_err(|error| nobody("").because(&error))
            }
            Caller::Api(Actor::User(user)) => Ok(user.clone()),
            Caller::Api(Actor::Server) => {
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
        match self.caller {
            Caller::Client(client) => Ok(client),
            Caller::Api(_) => {
                let why = "this is about the connection that asks: ask over a WebSocket";
                Err(Fault::new(ErrorCode::InvalidField, why))
            }
        }
    }

    /// The connection that it is about: the one that asks, or the one that [`CONNECTION`] names; a
    /// user can name its own alone.
    pub(crate) fn connection(&self) -> Result<Client, Fault> {
        let actor = match &self.caller {
            Caller::Client(client) => return Ok(Client::clone(client)),
            Caller::Api(actor) => actor,
        };
        let id = self.text(CONNECTION.name, MAX_CONNECTION)?;
        let client = id.parse().ok().and_then(|id| self.layers.hub().client(id));
        let is_theirs = |client: &Client| match actor {
            Actor::Server => true,
            Actor::User(user) => client.user() == Some(user),
        };
        client.filter(is_theirs).ok_or_else(|| {
            let why = "this user has no connection of this id";
            Fault::new(ErrorCode::UnknownConnection, why).field(CONNECTION.name)
        })
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

    /// The message with the metadata that the arguments give it.
    pub(crate) fn stamped(&self, message: Message) -> Result<Message, Fault> {
        let metadata: Option<Map<String, Value>> = self.arguments.json("metadata", "an object")?;
        let Some(metadata) = metadata else {
            return Ok(message);
        };
        let metadata = Metadata::new(metadata).map_err(|error| {
            Fault::new(ErrorCode::TooLarge, error.to_string()).field("metadata")
        })?;
        Ok(Stamp::new("message").metadata(Some(metadata)).on(message))
    }

    /// The room that `room_id` names.
    pub(crate) fn room(&self) -> Result<RoomId, Fault> {
        self.optional_room()?.ok_or_else(|| missing("room_id"))
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
