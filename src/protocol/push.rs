//! What a server may say.

use serde_json::value::RawValue;

use crate::disconnect::Disconnect;
use crate::disconnect::ReconnectAdvice;
use crate::hub::Delivery;
use crate::hub::Frame;
use crate::hub::Joined;
use crate::hub::Member;
use crate::id::ClientId;

use super::Fault;
use super::RequestId;
use super::Timestamp;
use super::envelope::ConnectedData;
use super::envelope::Data;
use super::envelope::Decimal;
use super::envelope::DeliveryReport;
use super::envelope::Envelope;
use super::envelope::ErrorData;
use super::envelope::roster;

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
        /// Time of the join, as the channel has it.
        published_at: Timestamp,
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
    /// With what it may come back, if with anything: a secret.
    pub session: Option<&'a str>,
    /// The largest frame it may send, in bytes.
    pub max_message_bytes: usize,
    /// How often the server pings, in milliseconds.
    pub ping_interval_ms: u64,
    /// How long it waits for an answer, in milliseconds.
    pub pong_timeout_ms: u64,
    /// When the credentials of the connection expire, in milliseconds from now, if they do.
    pub expires_in_ms: Option<u64>,
}

impl Push<'_> {
    /// Appends the JSON text of this push to `out`.
    pub fn write(self, out: &mut Vec<u8>) {
        let envelope = self.envelope();
        let written = serde_json::to_writer(out, &envelope);
        debug_assert!(written.is_ok(), "texts and numbers are always JSON");
    }

    fn envelope(&self) -> Envelope<'_> {
        match *self {
            Self::Ack { reply_to, delivery } => Envelope {
                offset: delivery
                    .and_then(Delivery::position)
                    .map(|position| position.offset),
                epoch: delivery
                    .and_then(Delivery::position)
                    .map(|position| Decimal(position.epoch)),
                data: delivery.map(|delivery| Data::Report(DeliveryReport::of(delivery))),
                ..Envelope::reply("ack", Some(reply_to))
            },
            Self::Answer { reply_to, data } => Envelope {
                data: data.map(Data::Json),
                ..Envelope::reply("ack", Some(reply_to))
            },
            Self::Connected(hello) => Envelope {
                data: Some(Data::Connected(ConnectedData::of(hello))),
                ..Envelope::new("connected")
            },
            Self::Disconnect {
                why,
                retry_after_ms,
            } => {
                let reconnect = why.advice() == ReconnectAdvice::Reconnect;
                Envelope {
                    data: Some(Data::Disconnect {
                        code: why.code(),
                        reason: why.reason(),
                        reconnect,
                        retry_after_ms: reconnect.then_some(retry_after_ms),
                    }),
                    ..Envelope::new("disconnect")
                }
            }
            Self::Error(fault) => Envelope {
                data: Some(Data::Error(ErrorData::of(fault))),
                ..Envelope::reply("error", fault.request())
            },
            Self::Frame(frame) => Envelope::of(frame),
            Self::Joined {
                reply_to,
                joined,
                published_at,
            } => Envelope {
                published_at: Some(published_at),
                ..Envelope::joined(reply_to, joined)
            },
            Self::Pong { reply_to } => Envelope::reply("pong", reply_to),
            Self::Presence {
                reply_to,
                channel,
                members,
            } => Envelope {
                channel_id: Some(channel),
                data: Some(Data::Roster {
                    members: roster(members),
                }),
                ..Envelope::reply("presence", reply_to)
            },
        }
    }
}
