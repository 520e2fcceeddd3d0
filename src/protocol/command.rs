//! What a client may ask.

use bytes::Bytes;
use data_encoding::BASE64;
use serde::Deserialize;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::layers::InvalidMetadata;
use crate::layers::Metadata;
use crate::message::Message;

use super::Arguments;
use super::ErrorCode;
use super::Fault;
use super::MAX_AUTH;
use super::MAX_CHANNEL;
use super::MAX_ID;
use super::MAX_KEY;
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

impl Request {
    /// Reads one text frame.
    ///
    /// Fields that no command knows are skipped, so that newer clients can talk to older
    /// servers. A field that this command does not use is not read either.
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
        /// Whether this client gets the message too.
        echo: Echo,
        /// What the client says about it, for filters and for whoever receives it.
        metadata: Option<Metadata>,
    },
    /// Receive what is published to a channel from now on.
    Subscribe {
        /// The channel's name.
        channel: String,
        /// Which messages are wanted, by their metadata, unread.
        filter: Option<String>,
        /// What the client has seen already, to be continued from there.
        since: Option<Since>,
        /// What the authorizer wants to see.
        auth: Option<String>,
    },
    /// Receive no more of a channel.
    Unsubscribe {
        /// The channel's name.
        channel: String,
    },
}

impl Command {
    fn read(fields: &Fields<'_>, text: &str) -> Result<Self, Fault> {
        let kind = Field::new("type", fields.kind);
        let Some(name) = kind.required()?.string(usize::MAX)? else {
            return Err(kind.invalid("a string"));
        };
        match name.as_str() {
            "ping" => Ok(Self::Ping),
            "presence" => Ok(Self::Presence {
                channel: channel(fields)?,
            }),
            "publish" => Self::read_publish(fields),
            "subscribe" => Self::read_subscribe(fields),
            "unsubscribe" => Ok(Self::Unsubscribe {
                channel: channel(fields)?,
            }),
            name if name.contains('.') => Ok(Self::Operation {
                name: name.into(),
                arguments: Arguments::parse(text)?,
            }),
            _ => Err(unknown_type()),
        }
    }

    fn read_publish(fields: &Fields<'_>) -> Result<Self, Fault> {
        Ok(Self::Publish {
            channel: channel(fields)?,
            payload: Payload::read(fields)?,
            key: Field::new("key", fields.key).string(MAX_KEY)?,
            echo: match Field::new("echo", fields.echo).boolean()? {
                Some(false) => Echo::Others,
                Some(true) | None => Echo::All,
            },
            metadata: metadata(fields)?,
        })
    }

    fn read_subscribe(fields: &Fields<'_>) -> Result<Self, Fault> {
        Ok(Self::Subscribe {
            channel: channel(fields)?,
            filter: filter(fields)?,
            since: Since::read(Field::new("since", fields.since))?,
            auth: Field::new("auth", fields.auth).string(MAX_AUTH)?,
        })
    }
}

/// The JSON text of a filter.
fn filter(fields: &Fields<'_>) -> Result<Option<String>, Fault> {
    let filter: Option<&RawValue> = Field::new("filter", fields.filter).read("an object")?;
    Ok(filter.map(|filter| filter.get().to_owned()))
}

/// What a message says about itself.
pub(super) fn metadata(fields: &Fields<'_>) -> Result<Option<Metadata>, Fault> {
    let metadata = Field::new("metadata", fields.metadata).read("an object")?;
    let metadata = metadata.map(Metadata::new).transpose();
    metadata.map_err(|error| {
        let code = match error {
            InvalidMetadata::TooDeep => ErrorCode::TooDeep,
            InvalidMetadata::TooLarge | InvalidMetadata::TooManyKeys => ErrorCode::TooLarge,
        };
        Fault::new(code, error.to_string()).field("metadata")
    })
}

/// The fault of a command that nobody knows.
#[must_use]
pub fn unknown_type() -> Fault {
    let why = "`type` must be one of ping, presence, publish, subscribe, unsubscribe, or the \
               name of an operation, such as room.join";
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

/// What is published, as the client gave it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the three forms of the wire")]
pub enum Payload {
    /// Bytes that need not be text.
    Binary(Bytes),
    /// The text of a JSON value.
    Json(String),
    /// A text.
    Text(String),
}

impl Payload {
    /// The message that carries this payload. JSON is a text like any other.
    #[must_use]
    pub fn into_message(self, key: Option<String>) -> Message {
        let message = match self {
            Self::Binary(bytes) => Message::binary(bytes),
            Self::Json(text) | Self::Text(text) => Message::text(text),
        };
        match key {
            Some(key) => message.key(key),
            None => message,
        }
    }

    /// The payload among the arguments of an operation: one of `data`, `text` and `base64`.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::MissingField`], [`ErrorCode::InvalidField`].
    pub fn of(arguments: &Arguments) -> Result<Self, Fault> {
        let [data, text, base64] = ["data", "text", "base64"].map(|name| arguments.raw(name));
        Self::one_of(data, text, base64)
    }

    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, Fault> {
        Self::one_of(fields.data, fields.text, fields.base64)
    }

    fn one_of(
        data: Option<&RawValue>,
        text: Option<&RawValue>,
        base64: Option<&RawValue>,
    ) -> Result<Self, Fault> {
        match (data, text, base64) {
            (Some(data), None, None) => Ok(Self::Json(data.get().to_owned())),
            (None, Some(_), None) => Self::read_text(Field::new("text", text)),
            (None, None, Some(_)) => Self::read_base64(Field::new("base64", base64)),
            (None, None, None) => {
                let why = "one of `data`, `text` and `base64` is needed";
                Err(Fault::new(ErrorCode::MissingField, why).field("data"))
            }
            _ => {
                let why = "only one of `data`, `text` and `base64` may be given";
                Err(Fault::new(ErrorCode::InvalidField, why).field("data"))
            }
        }
    }

    fn read_text(field: Field<'_>) -> Result<Self, Fault> {
        let text = field
            .string(usize::MAX)?
            .ok_or_else(|| field.invalid("a string"))?;
        Ok(Self::Text(text))
    }

    fn read_base64(field: Field<'_>) -> Result<Self, Fault> {
        let expected = "a string of padded base64";
        let text = field
            .string(usize::MAX)?
            .ok_or_else(|| field.invalid(expected))?;
        let bytes = BASE64
            .decode(text.as_bytes())
            .map_err(|_| field.invalid(expected))?;
        Ok(Self::Binary(bytes.into()))
    }
}

/// The last position of a channel that a client has seen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a position has these two parts")]
pub struct Since {
    /// The number of the last message seen.
    pub sequence: u64,
    /// The life of the channel that the number belongs to.
    pub epoch: u64,
}

impl Since {
    fn read(field: Field<'_>) -> Result<Option<Self>, Fault> {
        #[derive(Deserialize)]
        struct Wire {
            sequence: u64,
            epoch: String,
        }

        let expected = "an object {sequence: whole number, epoch: string}, as it was received";
        let Some(Wire { sequence, epoch }) = field.read(expected)? else {
            return Ok(None);
        };
        let epoch = epoch.parse().map_err(|_| field.invalid(expected))?;
        Ok(Some(Self { sequence, epoch }))
    }
}
