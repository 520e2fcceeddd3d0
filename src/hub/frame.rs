//! What a client receives: one event, stored once and shared by all who get it.

use std::fmt;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::OnceLock;

use ahash::RandomState;
use bytes::Bytes;

use crate::hub::membership::OpenGap;
use crate::id::ChannelName;
use crate::message::Format;
use crate::message::Message;
use crate::raw::ring::Weigh;
use crate::raw::shared::Shared;

/// What a client receives: a message of a channel, or news about a channel.
///
/// A frame is stored once, whatever the number of its receivers; a clone is one reference count.
#[derive(Clone)]
pub struct Frame(pub(super) Shared<Body>);

/// What a frame holds.
#[repr(C)]
pub(crate) struct Body {
    // First, beside the count: all that a fan-out reads.
    /// See [`Weigh`].
    weight: u64,
    pub(super) what: What,
    channel: Option<ChannelName>,
    position: StreamPosition,
    /// Of the channel and the key, if there are both.
    key_hash: Option<u64>,
    wires: [OnceLock<Bytes>; Wire::COUNT],
}

/// The event of a frame, owned.
pub(super) enum What {
    Gap(Gap),
    /// A gap that may still grow; it becomes a [`What::Gap`] when it is taken.
    GapIn(Arc<OpenGap>),
    Joined(Joined),
    Left(Left),
    MemberAdded(Member),
    MemberRemoved(Member),
    Message(Message),
}

impl Frame {
    pub(super) fn new(what: What, channel: Option<&ChannelName>, position: StreamPosition) -> Self {
        let body = Body {
            weight: what.weight(),
            key_hash: channel.and_then(|channel| what.key_hash(channel)),
            what,
            channel: channel.cloned(),
            position,
            wires: Default::default(),
        };
        Self(Shared::new(body))
    }

    #[inline(always)]
    pub(super) fn into_shared(self) -> Shared<Body> {
        self.0
    }

    /// The hash of the channel and the key, if there are both.
    pub(super) fn key_hash(&self) -> Option<u64> {
        self.0.key_hash
    }

    /// Whether both are of one channel and have one key.
    pub(super) fn has_key_of(&self, other: &Self) -> bool {
        self.key_hash() == other.key_hash()
            && self.key() == other.key()
            && self.channel() == other.channel()
    }

    /// What happened.
    #[must_use]
    pub fn event(&self) -> Event<'_> {
        match &self.0.what {
            What::Gap(gap) => Event::Gap(gap),
            What::GapIn(_) => unreachable!("an open gap is closed before it leaves the outbox"),
            What::Joined(joined) => Event::Joined(joined),
            What::Left(left) => Event::Left(left),
            What::MemberAdded(member) => Event::MemberAdded(member),
            What::MemberRemoved(member) => Event::MemberRemoved(member),
            What::Message(message) => Event::Message(message),
        }
    }

    /// The message, if this is one.
    #[must_use]
    pub fn message(&self) -> Option<&Message> {
        match &self.0.what {
            What::Message(message) => Some(message),
            _ => None,
        }
    }

    /// The payload of a message; empty for every other event.
    #[must_use]
    pub fn payload(&self) -> &Bytes {
        static EMPTY: Bytes = Bytes::new();
        self.message().map_or(&EMPTY, Message::payload)
    }

    /// The format of the payload; text for every other event.
    #[must_use]
    pub fn format(&self) -> Format {
        self.message().map_or(Format::Text, Message::format)
    }

    /// The key a message is conflated by.
    #[must_use]
    pub fn key(&self) -> Option<&Bytes> {
        self.message().and_then(Message::conflation_key)
    }

    /// The channel this belongs to; `None` for what was sent to this client alone or to all.
    #[must_use]
    pub fn channel(&self) -> Option<&ChannelName> {
        self.0.channel.as_ref()
    }

    /// The position in the channel, counted from 1; 0 for what has no channel, and for a
    /// [gap](Event::Gap) and a [`Left`]. That of a [`Joined`] is its
    /// [position](Joined::position).
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.0.position.offset
    }

    /// The life of the channel that the offset belongs to; of no use where the frame has no
    /// position.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.0.position.epoch
    }

    /// The encoding of this frame for `wire`, made by `make` the first time any client asks for
    /// it and shared from then on.
    ///
    /// Who uses a wire must always make the same of a frame: of two that make it at once, one
    /// encoding is kept and shared.
    pub fn encoded(&self, wire: Wire, make: impl FnOnce(&Self) -> Bytes) -> &Bytes {
        self.0.wires[wire.0 as usize].get_or_init(|| make(self))
    }

    /// Whether both are the same frame, not only equal ones.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.0.ptr_eq(&other.0)
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("channel", &self.channel().map(ChannelName::as_str))
            .field("offset", &self.offset())
            .field("event", &self.event())
            .finish()
    }
}

impl Weigh for Body {
    #[inline(always)]
    fn weight(&self) -> u64 {
        self.weight
    }
}

/// No control message weighs more, so that each fits an empty control lane.
const HEAVIEST: usize = 1 << 20;

impl What {
    fn key_hash(&self, channel: &ChannelName) -> Option<u64> {
        static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        let Self::Message(message) = self else {
            return None;
        };
        let key = message.conflation_key()?;
        Some(HASHER.hash_one((channel.as_str(), &**key)))
    }

    fn weight(&self) -> u64 {
        let bytes = match self {
            Self::Message(message) => message.payload().len(),
            Self::MemberAdded(member) | Self::MemberRemoved(member) => member.weight(),
            Self::Joined(joined) => (joined.members.len() * size_of::<Member>()).min(HEAVIEST),
            Self::Left(left) => left.reason.len().min(HEAVIEST),
            Self::Gap(_) | Self::GapIn(_) => 1,
        };
        bytes.max(1) as u64
    }
}

/// What happened, as a client sees it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Publications of a channel did not reach this client. Sent to those who asked for
    /// [gap notices](crate::ConnectOptions::gap_notices).
    Gap(&'a Gap),
    /// This client has joined a channel. Sent for presence channels, and for all channels to
    /// those who asked for [join notices](crate::ConnectOptions::join_notices).
    Joined(&'a Joined),
    /// The server ended this client's subscription.
    Left(&'a Left),
    /// A member has come to a presence channel.
    MemberAdded(&'a Member),
    /// A member has gone from a presence channel.
    MemberRemoved(&'a Member),
    /// A message.
    Message(&'a Message),
}

/// A slot for one encoding of a frame: a transport picks a number and keeps to it.
///
/// throng's own transports use the numbers from 0 up; an embedder's start from the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Wire(u8);

impl Wire {
    /// How many encodings a frame has room for.
    pub const COUNT: usize = 4;

    /// The wire of this number.
    ///
    /// # Panics
    ///
    /// When `number` is not below [`Wire::COUNT`]; in a constant, at compile time.
    #[must_use]
    pub const fn new(number: u8) -> Self {
        assert!(
            (number as usize) < Self::COUNT,
            "a frame has room for Wire::COUNT encodings"
        );
        Self(number)
    }
}

/// A place in the stream of a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a position is these two numbers")]
pub struct StreamPosition {
    /// How many publications the channel has had in this epoch.
    pub offset: u64,
    /// Which life of the channel: a channel that was reclaimed and made anew counts from zero
    /// in another epoch.
    pub epoch: u64,
}

/// Publications that did not reach a client.
///
/// `missed` of the offsets from `first` to `last` did not come; those between them that are not
/// counted have arrived. Of what was forgotten before it could be
/// [given](crate::SubscribeOptions::since), all offsets are counted, also those of messages that the
/// client would not have got: for its filter, as ephemeral ones, or as one that is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// The channel.
    pub channel: ChannelName,
    /// The first offset that was lost.
    pub first: u64,
    /// The last offset that was lost.
    pub last: u64,
    /// How many were lost.
    pub missed: u64,
}

/// A subscription as it begins: from here on the client gets everything.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Joined {
    /// The channel.
    pub channel: ChannelName,
    /// The last publication before the join.
    pub position: StreamPosition,
    /// Everything after this reaches the client: the position, or an earlier one from where the
    /// history of the channel is replayed.
    pub start: StreamPosition,
    /// Whether everything after the position asked for with
    /// [`SubscribeOptions::since`](crate::SubscribeOptions::since) reaches the client. False when
    /// none was asked for.
    pub recovered: bool,
    /// Who is in a presence channel, the newcomer among them; empty for other channels.
    pub members: Arc<[Member]>,
}

/// A subscription that the server ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Left {
    /// The channel.
    pub channel: ChannelName,
    /// Why.
    pub reason: Arc<str>,
}

/// Somebody in a presence channel, perhaps over several connections. A clone is one reference
/// count.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Member(Arc<MemberInner>);

#[derive(PartialEq, Eq, Hash)]
struct MemberInner {
    id: Box<str>,
    info: Bytes,
}

impl Member {
    /// A member: an id that is the same for all connections of one user, and what the others
    /// may know, typically JSON.
    #[must_use]
    pub fn new(id: impl Into<Box<str>>, info: impl Into<Bytes>) -> Self {
        Self(Arc::new(MemberInner {
            id: id.into(),
            info: info.into(),
        }))
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// What the others may know.
    #[must_use]
    pub fn info(&self) -> &Bytes {
        &self.0.info
    }

    fn weight(&self) -> usize {
        self.0.id.len() + self.0.info.len()
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member")
            .field("id", &self.id())
            .field("info", self.info())
            .finish()
    }
}
