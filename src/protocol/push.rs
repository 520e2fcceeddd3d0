//! What a server may say.

use std::borrow::Cow;
use std::str;

use data_encoding::BASE64;
use serde::Serialize;
use serde::Serializer;
use serde_json::value::RawValue;

use crate::disconnect::Advice;
use crate::disconnect::Disconnect;
use crate::hub::Delivery;
use crate::hub::Event;
use crate::hub::Frame;
use crate::hub::Joined;
use crate::hub::Member;
use crate::id::ClientId;
use crate::layers::Metadata;
use crate::layers::Stamp;
use crate::layers::Subject;
use crate::message::Format;
use crate::message::Message;

use super::Fault;
use super::MAX_AUTH;
use super::MAX_DEPTH;
use super::MAX_ID;
use super::MAX_KEY;
use super::RequestId;
use super::SUBPROTOCOL;
use super::Timestamp;

/// One frame that the server sends.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Push<'a> {
    /// A command was carried out.
    Ack {
        /// The request.
        reply_to: &'a RequestId,
        /// What became of the message, when the command was a publish.
        delivery: Option<&'a Delivery>,
    },
    /// An operation was carried out.
    Answer {
        /// The request.
        reply_to: &'a RequestId,
        /// What it comes to, if it comes to anything.
        data: Option<&'a RawValue>,
    },
    /// The first frame of a connection.
    Connected(&'a Hello<'a>),
    /// The server is about to close the connection.
    Disconnect {
        /// Why.
        why: &'a Disconnect,
        /// When a client that is to come back should do so, in milliseconds from now.
        retry_after_ms: u64,
    },
    /// A command was refused.
    Error(&'a Fault),
    /// What the hub says to this client; the same bytes for all clients that receive the frame.
    Frame(&'a Frame),
    /// What the hub says about the channel that this client just asked to join.
    Joined {
        /// The request.
        reply_to: Option<&'a RequestId>,
        /// Where the client joined, and whom it found.
        joined: &'a Joined,
    },
    /// The answer to a ping.
    Pong {
        /// The request.
        reply_to: Option<&'a RequestId>,
    },
    /// Who is in a channel.
    Presence {
        /// The request.
        reply_to: Option<&'a RequestId>,
        /// The channel.
        channel: &'a str,
        /// Its members.
        members: &'a [Member],
    },
}

/// What a client is told first.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "made in one place, for the first push"
)]
pub struct Hello<'a> {
    /// The client's id in the hub.
    pub client: ClientId,
    /// The user it was taken for, if any.
    pub user: Option<&'a str>,
    /// The largest frame it may send, in bytes.
    pub max_message_bytes: usize,
    /// How often the server pings, in milliseconds.
    pub ping_interval_ms: u64,
    /// How long it waits for an answer, in milliseconds.
    pub pong_timeout_ms: u64,
}

impl Push<'_> {
    /// Appends the JSON text of this push to `out`.
    pub fn write(self, now: Timestamp, out: &mut Vec<u8>) {
        let envelope = self.envelope(now);
        let written = serde_json::to_writer(out, &envelope);
        debug_assert!(written.is_ok(), "texts and numbers are always JSON");
    }

    fn envelope(&self, now: Timestamp) -> Envelope<'_> {
        match *self {
            Self::Ack { reply_to, delivery } => Envelope {
                sequence: delivery
                    .and_then(Delivery::position)
                    .map(|position| position.offset),
                epoch: delivery
                    .and_then(Delivery::position)
                    .map(|position| Decimal(position.epoch)),
                data: delivery.map(|delivery| Data::Report(Report::of(delivery))),
                ..Envelope::reply("ack", Some(reply_to), now)
            },
            Self::Answer { reply_to, data } => Envelope {
                data: data.map(Data::Json),
                ..Envelope::reply("ack", Some(reply_to), now)
            },
            Self::Connected(hello) => Envelope {
                data: Some(Data::Connected(ConnectedData::of(hello))),
                ..Envelope::new("connected", now)
            },
            Self::Disconnect {
                why,
                retry_after_ms,
            } => {
                let reconnect = why.advice() == Advice::Reconnect;
                Envelope {
                    data: Some(Data::Disconnect {
                        code: why.code(),
                        reason: why.reason(),
                        reconnect,
                        retry_after_ms: reconnect.then_some(retry_after_ms),
                    }),
                    ..Envelope::new("disconnect", now)
                }
            }
            Self::Error(fault) => Envelope {
                data: Some(Data::Error(ErrorData::of(fault))),
                ..Envelope::reply("error", fault.request(), now)
            },
            Self::Frame(frame) => Envelope::of(frame, now),
            Self::Joined { reply_to, joined } => Envelope::joined(reply_to, joined, now),
            Self::Pong { reply_to } => Envelope::reply("pong", reply_to, now),
            Self::Presence {
                reply_to,
                channel,
                members,
            } => Envelope {
                channel_id: Some(channel),
                data: Some(Data::Roster {
                    members: roster(members),
                }),
                ..Envelope::reply("presence", reply_to, now)
            },
        }
    }
}

/// The shape of every push.
#[derive(Debug, Serialize)]
struct Envelope<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<&'a RequestId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_id: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Data<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a Metadata>,
    timestamp: Timestamp,
}

impl<'a> Envelope<'a> {
    fn new(kind: &'static str, timestamp: Timestamp) -> Self {
        Self {
            kind,
            reply_to: None,
            id: None,
            channel_id: None,
            pattern: None,
            room_id: None,
            thread_id: None,
            user_id: None,
            sequence: None,
            epoch: None,
            key: None,
            data: None,
            text: None,
            base64: None,
            metadata: None,
            timestamp,
        }
    }

    fn reply(kind: &'static str, reply_to: Option<&'a RequestId>, now: Timestamp) -> Self {
        Self {
            reply_to,
            ..Self::new(kind, now)
        }
    }

    fn of(frame: &'a Frame, now: Timestamp) -> Self {
        match frame.event() {
            Event::Gap(gap) => Self {
                data: Some(Data::Gap {
                    first: gap.first,
                    last: gap.last,
                    missed: gap.missed,
                }),
                ..Self::new("gap", now).about(&gap.channel)
            },
            Event::Joined(joined) => Self::joined(None, joined, now),
            Event::Left(left) => Self {
                data: Some(Data::Left {
                    reason: &left.reason,
                }),
                ..Self::new("left", now).about(&left.channel)
            },
            Event::MemberAdded(member) => Self {
                data: Some(Data::Member(MemberData::of(member))),
                ..Self::placed("member_added", frame, now)
            },
            Event::MemberRemoved(member) => Self {
                data: Some(Data::Member(MemberData::of(member))),
                ..Self::placed("member_removed", frame, now)
            },
            Event::Message(message) => Self::message(frame, message, now),
        }
    }

    fn joined(reply_to: Option<&'a RequestId>, joined: &'a Joined, now: Timestamp) -> Self {
        Self {
            sequence: Some(joined.position.offset),
            epoch: Some(Decimal(joined.position.epoch)),
            data: Some(Data::Joined {
                recovered: joined.recovered,
                start: joined.start.offset,
                members: roster(&joined.members),
            }),
            ..Self::reply("joined", reply_to, now).about(&joined.channel)
        }
    }

    /// Names the channel as clients know it: channels of the layers stand for something else.
    fn about(mut self, channel: &'a str) -> Self {
        match Subject::of(channel) {
            Subject::Channel(channel) => self.channel_id = Some(channel),
            Subject::Pattern(pattern) => self.pattern = Some(pattern),
            Subject::Presence(user) => self.user_id = Some(user),
            Subject::Room(room) => self.room_id = Some(room),
        }
        self
    }

    /// Says what the layer that made the message says about it.
    fn stamped(mut self, stamp: &'a Stamp) -> Self {
        self.kind = stamp.kind;
        self.id = stamp.id.map(Decimal);
        self.thread_id = stamp.thread.map(Decimal);
        if let Some(room) = &stamp.room {
            self.room_id = Some(room);
        }
        if let Some(user) = &stamp.user {
            self.user_id = Some(user);
        }
        self.metadata = stamp.metadata.as_ref();
        if stamp.ephemeral {
            // It says only which of them a slow client needs.
            self.key = None;
        }
        self
    }

    /// A push that has the frame's place in its channel, if it has one.
    fn placed(kind: &'static str, frame: &'a Frame, now: Timestamp) -> Self {
        let channel = frame.channel();
        let envelope = match channel {
            Some(channel) => Self::new(kind, now).about(channel),
            None => Self::new(kind, now),
        };
        Self {
            sequence: channel.map(|_| frame.offset()),
            epoch: channel.map(|_| Decimal(frame.epoch())),
            ..envelope
        }
    }

    fn message(frame: &'a Frame, message: &'a Message, now: Timestamp) -> Self {
        let key = message.conflation_key();
        let mut envelope = Self {
            key: key.and_then(|key| str::from_utf8(key).ok()),
            ..Self::placed("message", frame, now)
        };
        if let Some(stamp) = Stamp::of(message) {
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

/// The `data` of a push, by its type.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Data<'a> {
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
    Report(Report),
    Roster {
        members: Vec<MemberData<'a>>,
    },
}

#[derive(Debug, Serialize)]
struct ConnectedData<'a> {
    client_id: Decimal,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    protocol: &'static str,
    ping_interval_ms: u64,
    pong_timeout_ms: u64,
    limits: LimitsData,
}

impl<'a> ConnectedData<'a> {
    fn of(hello: &'a Hello<'a>) -> Self {
        Self {
            client_id: Decimal(hello.client.get()),
            user: hello.user,
            protocol: SUBPROTOCOL,
            ping_interval_ms: hello.ping_interval_ms,
            pong_timeout_ms: hello.pong_timeout_ms,
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
struct ErrorData<'a> {
    code: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
}

impl<'a> ErrorData<'a> {
    fn of(fault: &'a Fault) -> Self {
        Self {
            code: fault.code().as_str(),
            message: fault.message(),
            field: fault.at(),
        }
    }
}

/// What became of a message, in numbers.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Report {
    addressed: u64,
    delivered: u64,
    dropped: u64,
    disconnected: u64,
    evicted: u64,
    #[serde(skip_serializing_if = "is_false")]
    handed_over: bool,
}

impl Report {
    /// The report of this delivery.
    #[must_use]
    pub fn of(delivery: &Delivery) -> Self {
        Self {
            addressed: delivery.addressed() as u64,
            delivered: delivery.delivered() as u64,
            dropped: delivery.dropped() as u64,
            disconnected: delivery.disconnected() as u64,
            evicted: delivery.evicted() as u64,
            handed_over: delivery.is_handed_over(),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// One who is in a presence channel.
#[derive(Clone, Debug, Serialize)]
struct MemberData<'a> {
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

fn roster(members: &[Member]) -> Vec<MemberData<'_>> {
    members.iter().map(MemberData::of).collect()
}

/// The text as a JSON value, when it is one.
fn json(text: &str) -> Option<&RawValue> {
    serde_json::from_str(text).ok()
}

/// A number that may exceed 2^53, where the numbers of JavaScript end: a string of digits.
#[derive(Clone, Copy, Debug)]
struct Decimal(u64);

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}
