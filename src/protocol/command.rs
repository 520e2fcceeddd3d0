//! What a client may ask.

use std::num::NonZeroU32;

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::hub::StreamPosition;
use crate::id::ClientId;
use crate::layers::EventName;
use crate::layers::InvalidMetadata;
use crate::layers::Metadata;

use super::Arguments;
use super::ErrorCode;
use super::Fault;
use super::MAX_AUTH;
use super::MAX_CHANNEL;
use super::MAX_ID;
use super::MAX_KEY;
use super::Payload;
use super::arguments::invalid;
use super::field::Field;
use super::field::Fields;
use super::field::check_depth;

/// A command, and the id that its reply will name.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "an id and a command, and nothing else"
)]
pub struct Request {
    /// What the client calls this request, to be named in the reply; without it, an unsubscribe and
    /// a publish are answered only when they fail.
    pub id: Option<RequestId>,
    /// What the client asks.
    pub command: Command,
}

impl From<Command> for Request {
    fn from(command: Command) -> Self {
        Self { id: None, command }
    }
}

impl Request {
    /// Reads one text frame.
    ///
    /// A field that the command does not have is refused, and named: what is silently ignored, such
    /// as a filter that is misspelt, is worse than what is said. Fields of an operation are checked
    /// when it is carried out.
    ///
    /// # Errors
    ///
    /// The fault names the request whenever the frame is JSON and its `id` is well formed.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let fields = Fields::parse(text)?;
        let id = RequestId::read(Field::new("id", fields.id))?;
        match check_depth(text).and_then(|()| Command::read(&fields, text)) {
            Ok(command) => Ok(Self { id, command }),
            Err(fault) => Err(fault.reply_to(id)),
        }
    }
}

/// The id of a request: a whole number or a string of at most [`MAX_ID`] bytes, echoed as it came.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
#[serde(untagged)]
#[expect(
    clippy::exhaustive_enums,
    reason = "JSON has no other kind of short name"
)]
pub enum RequestId {
    /// A whole number that is not negative.
    Number(u64),
    /// A text.
    Text(Box<str>),
}

impl RequestId {
    fn read(field: Field<'_>) -> Result<Option<Self>, Fault> {
        let id = field.read("a string or a whole number")?;
        match &id {
            Some(Self::Text(text)) if text.len() > MAX_ID => {
                let why = format!("`id` is longer than {MAX_ID} bytes");
                Err(Fault::new(ErrorCode::TooLarge, why).field("id"))
            }
            _ => Ok(id),
        }
    }
}

/// What a client may ask.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Command {
    /// What one of the layers on top of the hub is asked: those with a dot in their name.
    Operation {
        /// Which.
        name: Box<str>,
        /// All fields of the frame.
        arguments: Arguments,
    },
    /// Is anybody there?
    Ping,
    /// Who is in this channel?
    Presence {
        /// The channel's name.
        channel: String,
    },
    /// Send this to a channel.
    Publish {
        /// The channel's name.
        channel: String,
        /// What to send.
        payload: Payload,
        /// The conflation key.
        key: Option<String>,
        /// The client's name for what the message is.
        event: Option<EventName>,
        /// Whether this client gets the message too.
        echo: Echo,
        /// What the client says about it, for filters and for whoever receives it.
        metadata: Option<Metadata>,
        /// How long the message is worth receiving, in milliseconds.
        expires_in_ms: Option<NonZeroU32>,
        /// The client that does not get it.
        except: Option<ClientId>,
    },
    /// Receive what is published to a channel from now on.
    Subscribe {
        /// The channel's name.
        channel: String,
        /// Which messages are wanted, by their metadata, unread.
        filter: Option<String>,
        /// What the client has seen already, to be continued from there.
        since: Option<StreamPosition>,
        /// What the authorizer wants to see.
        auth: Option<String>,
        /// Whose subscription it is to be.
        whose: Whose,
    },
    /// Receive no more of a channel.
    Unsubscribe {
        /// The channel's name.
        channel: String,
        /// Whose subscription it is.
        whose: Whose,
    },
}

impl Echo {
    pub(super) fn of(echo: Option<bool>) -> Self {
        match echo {
            Some(false) => Self::Others,
            Some(true) | None => Self::All,
        }
    }
}

impl Command {
    /// What it is called on the wire: its `type`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Operation { name, .. } => name,
            Self::Ping => "ping",
            Self::Presence { .. } => "presence",
            Self::Publish { .. } => "publish",
            Self::Subscribe { .. } => "subscribe",
            Self::Unsubscribe { .. } => "unsubscribe",
        }
    }

    fn read(fields: &Fields<'_>, text: &str) -> Result<Self, Fault> {
        let kind = Field::new("type", fields.kind);
        let Some(name) = kind.required()?.string(usize::MAX)? else {
            return Err(kind.invalid("a string"));
        };
        match name.as_str() {
            "ping" => fields.only("ping", &[]).map(|()| Self::Ping),
            "presence" => {
                fields.only("presence", PRESENCE)?;
                Ok(Self::Presence {
                    channel: channel(fields)?,
                })
            }
            "publish" => Self::read_publish(fields),
            "subscribe" => Self::read_subscribe(fields),
            "unsubscribe" => {
                fields.only("unsubscribe", UNSUBSCRIBE)?;
                Ok(Self::Unsubscribe {
                    channel: channel(fields)?,
                    whose: Whose::read(fields)?,
                })
            }
            name if name.contains('.') || UNDOTTED.contains(&name) => {
                let mut arguments = Arguments::parse(text)?;
                arguments.remove("id");
                arguments.remove("type");
                Ok(Self::Operation {
                    name: name.into(),
                    arguments,
                })
            }
            _ => Err(unknown_type()),
        }
    }

    fn read_publish(fields: &Fields<'_>) -> Result<Self, Fault> {
        fields.only("publish", PUBLISH)?;
        Ok(Self::Publish {
            channel: channel(fields)?,
            payload: Payload::read(fields)?,
            key: Field::new("key", fields.key).string(MAX_KEY)?,
            event: event_of(Field::new("event", fields.event).string(usize::MAX)?)?,
            echo: Echo::of(Field::new("echo", fields.echo).boolean()?),
            metadata: metadata(fields)?,
            expires_in_ms: lifetime(fields)?,
            except: client_of(
                "except",
                Field::new("except", fields.except).string(MAX_ID)?,
            )?,
        })
    }

    fn read_subscribe(fields: &Fields<'_>) -> Result<Self, Fault> {
        fields.only("subscribe", SUBSCRIBE)?;
        Ok(Self::Subscribe {
            channel: channel(fields)?,
            filter: filter(fields)?,
            since: position(Field::new("since", fields.since))?,
            auth: Field::new("auth", fields.auth).string(MAX_AUTH)?,
            whose: Whose::read(fields)?,
        })
    }
}

/// The fields of each command that is read into a variant of its own.
pub(super) const PRESENCE: &[&str] = &["channel_id"];
pub(super) const PUBLISH: &[&str] = &[
    "channel_id",
    "data",
    "text",
    "base64",
    "key",
    "event",
    "echo",
    "metadata",
    "expires_in_ms",
    "except",
];
pub(super) const SUBSCRIBE: &[&str] = &[
    "channel_id",
    "filter",
    "since",
    "auth",
    "client_id",
    "user_id",
];
pub(super) const UNSUBSCRIBE: &[&str] = &["channel_id", "client_id", "user_id"];

/// Operations whose names have no dot.
const UNDOTTED: &[&str] = &["auth", "batch", "broadcast", "rpc", "stats"];

/// Whose subscription a command is about.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "there is no fourth way to name it")]
pub enum Whose {
    /// That of the connection that asks.
    #[default]
    Own,
    /// That of this connection.
    Client(ClientId),
    /// Those of all connections of this user.
    User(String),
}

impl Whose {
    fn read(fields: &Fields<'_>) -> Result<Self, Fault> {
        let client = Field::new("client_id", fields.client_id).string(MAX_ID)?;
        let user = Field::new("user_id", fields.user_id).string(MAX_CHANNEL)?;
        Self::one_of(client, user)
    }

    pub(super) fn of(arguments: &Arguments) -> Result<Self, Fault> {
        let client = arguments.text("client_id", MAX_ID)?;
        Self::one_of(client, arguments.text("user_id", MAX_CHANNEL)?)
    }

    fn one_of(client: Option<String>, user: Option<String>) -> Result<Self, Fault> {
        match (client_of("client_id", client)?, user) {
            (None, None) => Ok(Self::Own),
            (Some(client), None) => Ok(Self::Client(client)),
            (None, Some(user)) => Ok(Self::User(user)),
            (Some(_), Some(_)) => {
                let why = "only one of `client_id` and `user_id` may be given";
                Err(Fault::new(ErrorCode::InvalidField, why).field("client_id"))
            }
        }
    }
}

/// The id of a client, if it is there.
pub(crate) fn client_of(
    field: &'static str,
    id: Option<String>,
) -> Result<Option<ClientId>, Fault> {
    let parsed = id.map(|id| id.parse()).transpose();
    parsed.map_err(|_| invalid(field, "the id of a client, a string of digits"))
}

/// The name of an event, if it is there.
pub(crate) fn event_of(name: Option<String>) -> Result<Option<EventName>, Fault> {
    let parsed = name.map(|name| EventName::parse(&name)).transpose();
    parsed.map_err(|error| {
        let expected = "a name of 1 to 128 bytes without control characters";
        invalid("event", expected).because(&error)
    })
}

/// The JSON text of a filter.
fn filter(fields: &Fields<'_>) -> Result<Option<String>, Fault> {
    let filter: Option<&RawValue> = Field::new("filter", fields.filter).read("an object")?;
    Ok(filter.map(|filter| filter.get().to_owned()))
}

/// What a message says about itself.
pub(super) fn metadata(fields: &Fields<'_>) -> Result<Option<Metadata>, Fault> {
    checked(Field::new("metadata", fields.metadata).read("an object")?)
}

pub(crate) fn checked(metadata: Option<Map<String, Value>>) -> Result<Option<Metadata>, Fault> {
    let metadata = metadata.map(Metadata::new).transpose();
    metadata.map_err(|error| {
        let code = match error {
            InvalidMetadata::TooDeep => ErrorCode::TooDeep,
            InvalidMetadata::TooLarge | InvalidMetadata::TooManyKeys => ErrorCode::TooLarge,
        };
        Fault::new(code, error.to_string()).field("metadata")
    })
}

/// How long a message is worth receiving.
pub(super) fn lifetime(fields: &Fields<'_>) -> Result<Option<NonZeroU32>, Fault> {
    let field = Field::new("expires_in_ms", fields.expires_in_ms);
    field.read(LIFETIME)
}

pub(super) const LIFETIME: &str = "a whole number of milliseconds, 1 to 4294967295";

/// The fault of a command that nobody knows.
#[must_use]
pub fn unknown_type() -> Fault {
    let why = "`type` must be the name of an operation, such as publish or room.join";
    Fault::new(ErrorCode::UnknownType, why).field("type")
}

fn channel(fields: &Fields<'_>) -> Result<String, Fault> {
    let field = Field::new("channel_id", fields.channel_id);
    field
        .required()?
        .string(MAX_CHANNEL)?
        .ok_or_else(|| field.invalid("a string"))
}

/// Who gets what a client publishes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third side")]
pub enum Echo {
    /// All subscribers, the publisher too when it is one.
    All,
    /// All subscribers but the publisher.
    Others,
}

/// Reads the last position of a channel that a client has seen.
pub(super) fn position(field: Field<'_>) -> Result<Option<StreamPosition>, Fault> {
    #[derive(Deserialize)]
    struct Position {
        offset: u64,
        epoch: String,
    }

    let Some(Position { offset, epoch }) = field.read(SINCE)? else {
        return Ok(None);
    };
    let epoch = epoch.parse().map_err(|_| field.invalid(SINCE))?;
    Ok(Some(StreamPosition { offset, epoch }))
}

pub(super) const SINCE: &str =
    "an object {offset: whole number, epoch: string}, as it was received";
