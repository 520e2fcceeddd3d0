//! What is said in streams of server-sent events only, and what is asked of them over HTTP.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use crate::hub::StreamPosition;
use crate::id::ClientId;
use crate::layers::ChannelTarget;
use crate::layers::Timestamp;

use super::ErrorCode;
use super::Fault;
use super::MAX_AUTH;
use super::SUBPROTOCOL;
use super::envelope::whole_millis;

/// One event that only streams have.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum StreamPush<'a> {
    /// The first event.
    Connected(&'a StreamHello<'a>),
    /// What a client that came back has missed, of one channel or, if the id it brought cannot be
    /// read, of all.
    Gap {
        /// The channel, of the hub: a room's has a name of its own.
        channel: Option<&'a str>,
        /// What is known of it.
        missed: Missed,
    },
    /// A channel could not be joined, or a room is not the user's any more.
    Refused {
        /// The channel, of the hub: a room's has a name of its own.
        channel: &'a str,
        /// Why.
        fault: &'a Fault,
    },
}

/// What a client is told first.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "made in one place, for the first event"
)]
pub struct StreamHello<'a> {
    /// The client's id in the hub.
    pub client: ClientId,
    /// The secret that requests to change the subscriptions of the stream carry in their path.
    pub token: &'a str,
    /// How often the server says something at least, in milliseconds.
    pub heartbeat_ms: u64,
    /// Whether the client brought an id to go on from.
    pub resumed: bool,
    /// The user it was taken for, if any.
    pub user: Option<&'a str>,
    /// When the credentials of the stream expire, in milliseconds from now, if they do.
    pub expires_in_ms: Option<u64>,
}

/// What is known of messages that were missed between two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "it is known, or it is not")]
pub enum Missed {
    /// All of the numbers from `first` to `last`.
    Range {
        /// The first number.
        first: u64,
        /// The last number.
        last: u64,
    },
    /// Nobody can say how many.
    Unknown {
        /// Why, in one word.
        reason: &'static str,
    },
}

impl StreamPush<'_> {
    /// Appends the JSON text of this push to `out`.
    pub fn write(self, out: &mut Vec<u8>) {
        let (kind, channel, data) = match self {
            Self::Connected(hello) => ("connected", None, Data::connected(hello)),
            Self::Gap { channel, missed } => ("gap", channel, Data::gap(missed)),
            Self::Refused { channel, fault } => ("error", Some(channel), Data::error(fault)),
        };
        let (channel_id, room_id) = match channel.map(ChannelTarget::of) {
            Some(ChannelTarget::Room(room)) => (None, Some(room)),
            _ => (channel, None),
        };
        let envelope = Envelope {
            kind,
            channel_id,
            room_id,
            data,
        };
        let written = serde_json::to_writer(out, &envelope);
        debug_assert!(written.is_ok(), "texts and numbers are always JSON");
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room_id: Option<&'a str>,
    data: Data<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    Connected {
        stream_token: &'a str,
        client_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Option<&'a str>,
        protocol: &'static str,
        heartbeat_interval_ms: u64,
        resumed: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_in_ms: Option<u64>,
    },
    Error {
        code: &'static str,
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        field: Option<&'a str>,
    },
    Gap {
        first: u64,
        last: u64,
        missed: u64,
    },
    Unknown {
        reason: &'static str,
    },
}

impl<'a> Data<'a> {
    fn connected(hello: &StreamHello<'a>) -> Self {
        Self::Connected {
            stream_token: hello.token,
            client_id: hello.client.to_string(),
            user: hello.user,
            protocol: SUBPROTOCOL,
            heartbeat_interval_ms: hello.heartbeat_ms,
            resumed: hello.resumed,
            expires_in_ms: hello.expires_in_ms,
        }
    }

    fn error(fault: &'a Fault) -> Self {
        Self::Error {
            code: fault.code().as_str(),
            message: fault.message(),
            field: fault.at(),
        }
    }

    fn gap(missed: Missed) -> Self {
        match missed {
            Missed::Range { first, last } => Self::Gap {
                first,
                last,
                missed: last.saturating_sub(first).saturating_add(1),
            },
            Missed::Unknown { reason } => Self::Unknown { reason },
        }
    }
}

/// A request to change the subscriptions of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamRequest {
    /// The channels, each once.
    pub channels: Vec<String>,
    /// Where to go on in some of them.
    pub since: BTreeMap<String, StreamPosition>,
    /// What the authorizer wants to see.
    pub auth: Option<String>,
}

impl StreamRequest {
    /// Reads a JSON object with `channels`, at most `max` of them, and perhaps `since` and `auth`.
    ///
    /// # Errors
    ///
    /// The fault names the field, and says what is allowed.
    pub fn parse(text: &str, max: usize) -> Result<Self, Fault> {
        // Serde would also take an array, field by field.
        if !text.trim_ascii_start().starts_with('{') {
            let why = "the body is one JSON object";
            return Err(Fault::new(ErrorCode::InvalidJson, why));
        }
        let wire: SelectionData<'_> = serde_json::from_str(text)
            .map_err(|error| Fault::new(ErrorCode::InvalidJson, error.to_string()))?;
        let Some(names) = wire.channels else {
            let why = "`channels` is needed, a list of names";
            return Err(Fault::new(ErrorCode::MissingField, why).field("channels"));
        };
        if names.len() > max {
            let why = format!("`channels` has more than {max} names");
            return Err(Fault::new(ErrorCode::TooLarge, why).field("channels"));
        }
        let mut channels: Vec<String> = Vec::with_capacity(names.len());
        for name in names {
            if !channels.iter().any(|known| **known == *name) {
                channels.push(name.into_owned());
            }
        }
        let since = wire.since.unwrap_or_default();
        let since = since.into_iter().map(|(name, wire)| {
            let since = wire.since()?;
            Ok((name.into_owned(), since))
        });
        if wire.auth.as_ref().is_some_and(|auth| auth.len() > MAX_AUTH) {
            let why = format!("`auth` is longer than {MAX_AUTH} bytes");
            return Err(Fault::new(ErrorCode::TooLarge, why).field("auth"));
        }
        Ok(Self {
            channels,
            since: since.collect::<Result<_, Fault>>()?,
            auth: wire.auth.map(Cow::into_owned),
        })
    }
}

#[derive(Deserialize)]
#[serde(expecting = "an object {channels, since?, auth?}")]
struct SelectionData<'a> {
    #[serde(borrow)]
    channels: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow)]
    since: Option<BTreeMap<Cow<'a, str>, SinceData<'a>>>,
    #[serde(borrow)]
    auth: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct SinceData<'a> {
    offset: u64,
    #[serde(borrow)]
    epoch: Cow<'a, str>,
}

impl SinceData<'_> {
    fn since(&self) -> Result<StreamPosition, Fault> {
        let epoch = self.epoch.parse().map_err(|_| {
            let why = "`since` must name positions {offset, epoch} as they were received";
            Fault::new(ErrorCode::InvalidField, why).field("since")
        })?;
        Ok(StreamPosition {
            offset: self.offset,
            epoch,
        })
    }
}

/// What came of a request to change subscriptions, as JSON.
///
/// `{"status":"ok"}`, or `{"status":"partial","errors":[...]}` when some channels were refused.
#[must_use]
pub fn stream_response(errors: &[(String, Fault)]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Line<'a> {
        channel: &'a str,
        code: &'static str,
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reset_at: Option<Timestamp>,
    }

    #[derive(Serialize)]
    struct Answer<'a> {
        status: &'static str,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        errors: Vec<Line<'a>>,
    }

    let lines = errors.iter().map(|(channel, fault)| Line {
        channel,
        code: fault.code().as_str(),
        message: fault.message(),
        retry_after_ms: fault.wait().map(whole_millis),
        reset_at: fault.limit().map(|limit| limit.reset_at),
    });
    let status = if errors.is_empty() { "ok" } else { "partial" };
    let answer = Answer {
        status,
        errors: lines.collect(),
    };
    // Texts are always JSON.
    serde_json::to_vec(&answer).unwrap_or_default()
}
