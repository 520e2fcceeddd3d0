//! The shape of every push, and what may stand in it.

use std::borrow::Cow;
use std::str;
use std::time::Duration;

use bytes::Bytes;
use data_encoding::BASE64;
#[cfg(feature = "openapi")]
use schemars::JsonSchema;
#[cfg(feature = "openapi")]
use schemars::Schema;
#[cfg(feature = "openapi")]
use schemars::SchemaGenerator;
#[cfg(feature = "openapi")]
use schemars::json_schema;
use serde::Serialize;
use serde::Serializer;
use serde_json::value::RawValue;

use crate::hub::Delivery;
use crate::hub::Event;
use crate::hub::Frame;
use crate::hub::Joined;
use crate::hub::Member;
use crate::layers::ChannelTarget;
use crate::layers::MessageHeader;
use crate::layers::Metadata;
use crate::message::Format;
use crate::message::Message;

use super::ErrorCode;
use super::Fault;
use super::Hello;
use super::MAX_AUTH;
use super::MAX_DEPTH;
use super::MAX_ID;
use super::MAX_KEY;
use super::RequestId;
use super::SUBPROTOCOL;
use super::Timestamp;
use super::Violation;

/// The shape of every push.
#[derive(Debug, Serialize)]
pub(super) struct Envelope<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reply_to: Option<&'a RequestId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message_id: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) channel_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pattern: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) room_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thread_id: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) epoch: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) event: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<Data<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) metadata: Option<&'a Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) published_at: Option<Timestamp>,
}

impl<'a> Envelope<'a> {
    pub(super) fn new(kind: &'static str) -> Self {
        Self {
            kind,
            reply_to: None,
            message_id: None,
            channel_id: None,
            pattern: None,
            room_id: None,
            thread_id: None,
            user_id: None,
            offset: None,
            epoch: None,
            key: None,
            event: None,
            data: None,
            text: None,
            base64: None,
            metadata: None,
            published_at: None,
        }
    }

    pub(super) fn reply(kind: &'static str, reply_to: Option<&'a RequestId>) -> Self {
        Self {
            reply_to,
            ..Self::new(kind)
        }
    }

    pub(super) fn of(frame: &'a Frame) -> Self {
        Self {
            published_at: Some(Timestamp::since_unix_epoch(frame.published_at())),
            ..Self::of_event(frame)
        }
    }

    fn of_event(frame: &'a Frame) -> Self {
        match frame.event() {
            Event::Gap(gap) => Self {
                data: Some(Data::Gap {
                    first: gap.first,
                    last: gap.last,
                    missed: gap.missed,
                    keys: gap.keys.iter().map(Key::of).collect(),
                    more: gap.more,
                }),
                ..Self::new("gap").about(&gap.channel)
            },
            Event::Joined(joined) => Self::joined(None, joined),
            Event::Unsubscribed(left) => Self {
                data: Some(Data::Left {
                    reason: &left.reason,
                }),
                ..Self::new("left").about(&left.channel)
            },
            Event::MemberAdded(member) => Self {
                data: Some(Data::Member(MemberData::of(member))),
                ..Self::placed("member_added", frame)
            },
            Event::MemberRemoved(member) => Self {
                data: Some(Data::Member(MemberData::of(member))),
                ..Self::placed("member_removed", frame)
            },
            Event::Message(message) => Self::message(frame, message),
        }
    }

    pub(super) fn joined(reply_to: Option<&'a RequestId>, joined: &'a Joined) -> Self {
        Self {
            offset: Some(joined.position.offset),
            epoch: Some(Decimal(joined.position.epoch)),
            data: Some(Data::Joined {
                recovered: joined.recovered,
                start: joined.start.offset,
                members: roster(&joined.members),
            }),
            ..Self::reply("joined", reply_to).about(&joined.channel)
        }
    }

    /// Names the channel as clients know it: channels of the layers stand for something else.
    fn about(mut self, channel: &'a str) -> Self {
        match ChannelTarget::of(channel) {
            ChannelTarget::Channel(channel) => self.channel_id = Some(channel),
            ChannelTarget::Pattern(pattern) => self.pattern = Some(pattern),
            ChannelTarget::Presence(user) => self.user_id = Some(user),
            ChannelTarget::Room(room) => self.room_id = Some(room),
        }
        self
    }

    /// Says what the layer that made the message says about it.
    fn stamped(mut self, stamp: &'a MessageHeader) -> Self {
        self.kind = stamp.kind;
        self.message_id = stamp.message_id.map(Decimal);
        self.thread_id = stamp.thread.map(Decimal);
        if let Some(room) = &stamp.room {
            self.room_id = Some(room);
        }
        if let Some(user) = &stamp.user {
            self.user_id = Some(user);
        }
        self.event = stamp.event.as_deref();
        self.metadata = stamp.metadata.as_ref();
        if stamp.ephemeral {
            // It says only which of them a slow client needs.
            self.key = None;
        }
        self
    }

    /// A push that has the frame's place in its channel, if it has one.
    fn placed(kind: &'static str, frame: &'a Frame) -> Self {
        let channel = frame.channel();
        let envelope = match channel {
            Some(channel) => Self::new(kind).about(channel),
            None => Self::new(kind),
        };
        Self {
            offset: channel.map(|_| frame.offset()),
            epoch: channel.map(|_| Decimal(frame.epoch())),
            ..envelope
        }
    }

    fn message(frame: &'a Frame, message: &'a Message) -> Self {
        let key = message.conflation_key();
        let mut envelope = Self {
            key: key.and_then(|key| str::from_utf8(key).ok()),
            ..Self::placed("message", frame)
        };
        if let Some(stamp) = MessageHeader::of(message) {
            envelope = envelope.stamped(stamp);
        }
        // A text is UTF-8 by construction; if it ever were not, it would go as bytes.
        match (message.format(), str::from_utf8(message.payload())) {
            (Format::Text, Ok(text)) => match json(text) {
                Some(value) => envelope.data = Some(Data::Json(value)),
                None => envelope.text = Some(text),
            },
            _ => envelope.base64 = Some(BASE64.encode(message.payload())),
        }
        envelope
    }
}

/// A key: text, or an object that has it in base64.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Key<'a> {
    Base64 { base64: String },
    Text(&'a str),
}

impl<'a> Key<'a> {
    fn of(key: &'a Bytes) -> Self {
        match str::from_utf8(key) {
            Ok(text) => Self::Text(text),
            Err(_) => Self::Base64 {
                base64: BASE64.encode(key),
            },
        }
    }
}

/// The `data` of a push, by its type.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Data<'a> {
    Connected(ConnectedData<'a>),
    Disconnect {
        code: u16,
        reason: &'a str,
        reconnect: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    Error(ErrorData<'a>),
    Gap {
        first: u64,
        last: u64,
        missed: u64,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        keys: Vec<Key<'a>>,
        #[serde(skip_serializing_if = "is_false")]
        more: bool,
    },
    Joined {
        recovered: bool,
        start: u64,
        members: Vec<MemberData<'a>>,
    },
    Json(&'a RawValue),
    Left {
        reason: &'a str,
    },
    Member(MemberData<'a>),
    Report(DeliveryReport),
    Roster {
        members: Vec<MemberData<'a>>,
    },
}

#[derive(Debug, Serialize)]
pub(super) struct ConnectedData<'a> {
    client_id: Decimal,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a str>,
    protocol: &'static str,
    ping_interval_ms: u64,
    pong_timeout_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in_ms: Option<u64>,
    limits: LimitsData,
}

impl<'a> ConnectedData<'a> {
    pub(super) fn of(hello: &'a Hello<'a>) -> Self {
        Self {
            client_id: Decimal(hello.client.get()),
            user: hello.user,
            session_id: hello.session,
            protocol: SUBPROTOCOL,
            ping_interval_ms: hello.ping_interval_ms,
            pong_timeout_ms: hello.pong_timeout_ms,
            expires_in_ms: hello.expires_in_ms,
            limits: LimitsData {
                message_bytes: hello.max_message_bytes,
                nesting: MAX_DEPTH,
                id_bytes: MAX_ID,
                key_bytes: MAX_KEY,
                auth_bytes: MAX_AUTH,
            },
        }
    }
}

#[derive(Debug, Serialize)]
struct LimitsData {
    message_bytes: usize,
    nesting: usize,
    id_bytes: usize,
    key_bytes: usize,
    auth_bytes: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct ErrorData<'a> {
    code: ErrorCode,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reset_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Violation],
}

impl<'a> ErrorData<'a> {
    pub(super) fn of(fault: &'a Fault) -> Self {
        Self {
            code: fault.code(),
            message: fault.message(),
            field: fault.at(),
            retry_after_ms: fault.wait().map(whole_millis),
            reset_at: fault.limit().map(|limit| limit.reset_at),
            reason: fault.own_reason(),
            errors: fault.errors(),
        }
    }
}

/// Milliseconds, of which one that has begun is a whole one: who waits so long has waited enough.
pub(crate) fn whole_millis(wait: Duration) -> u64 {
    u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// What became of a message, in numbers.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
pub struct DeliveryReport {
    addressed: u64,
    delivered: u64,
    dropped: u64,
    disconnected: u64,
    evicted: u64,
    #[serde(skip_serializing_if = "is_zero")]
    routed: u64,
    #[serde(skip_serializing_if = "is_false")]
    deferred: bool,
}

impl DeliveryReport {
    /// The report of this delivery.
    #[must_use]
    pub fn of(delivery: &Delivery) -> Self {
        Self {
            addressed: delivery.addressed() as u64,
            delivered: delivery.delivered() as u64,
            dropped: delivery.dropped() as u64,
            disconnected: delivery.disconnected() as u64,
            evicted: delivery.evicted() as u64,
            routed: delivery.routed() as u64,
            deferred: delivery.is_deferred(),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// One who is in a presence channel.
#[derive(Clone, Debug, Serialize)]
pub(super) struct MemberData<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<Info<'a>>,
}

impl<'a> MemberData<'a> {
    fn of(member: &'a Member) -> Self {
        Self {
            id: member.id(),
            info: Info::of(member.info()),
        }
    }
}

/// A member as it is on the wire: `id`, and `info` as JSON when it is, or else as a text.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a wrapper that says how its content is written"
)]
pub struct MemberView(pub Member);

impl Serialize for MemberView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        MemberData::of(&self.0).serialize(serializer)
    }
}

/// A member's info: the JSON value that it is, or else a text.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum Info<'a> {
    Json(&'a RawValue),
    Text(Cow<'a, str>),
}

impl<'a> Info<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        if bytes.is_empty() {
            return None;
        }
        Some(match str::from_utf8(bytes).ok().and_then(json) {
            Some(value) => Self::Json(value),
            None => Self::Text(String::from_utf8_lossy(bytes)),
        })
    }
}

pub(super) fn roster(members: &[Member]) -> Vec<MemberData<'_>> {
    members.iter().map(MemberData::of).collect()
}

/// The text as a JSON value, when it is one.
fn json(text: &str) -> Option<&RawValue> {
    serde_json::from_str(text).ok()
}

/// A number that may exceed 2^53, where the numbers of JavaScript end: a string of digits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimal(pub(super) u64);

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

#[cfg(feature = "openapi")]
impl JsonSchema for MemberView {
    fn schema_name() -> Cow<'static, str> {
        "ChannelMember".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "A member of a presence channel.",
            "required": ["id"],
            "properties": {
                "id": { "type": "string", "description": "The id of the member." },
                "info": { "description": "What the application says about it: JSON, or else a text." },
            },
        })
    }
}
