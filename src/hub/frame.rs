//! What a client receives: one event, stored once and shared by all who get it.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::LazyLock;
use std::time::Duration;

use ahash::RandomState;
use bytes::Bytes;

use crate::hub::agenda::NEVER;
use crate::hub::encodings::EncodingSlot;
use crate::hub::encodings::Encodings;
use crate::hub::history::Budget;
use crate::hub::membership::OpenGap;
use crate::hub::policy::Class;
use crate::id::ChannelName;
use crate::message::Format;
use crate::message::Message;
use crate::quiet::Quiet;
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
    terms: Terms,
    pub(super) what: What,
    channel: Option<ChannelName>,
    position: StreamPosition,
    /// Time of publication, in milliseconds since 1970.
    published_at: u64,
    /// Of the channel and the key, if there are both.
    key_hash: Option<NonZeroU64>,
    encodings: Encodings,
}

/// The terms that a frame is queued under: its class for clients without a policy of their own, and
/// when it expires, in one word.
#[derive(Clone, Copy)]
pub(super) struct Terms(u64);

impl Terms {
    const CLASS: u64 = 3;

    /// `expires_at` is in milliseconds since the hub began; or [`NEVER`].
    pub(super) fn of(class: Class, expires_at: u64) -> Self {
        let class = match class {
            Class::Conflates => 0,
            Class::Evicts => 1,
            Class::Keeps => 2,
        };
        Self(expires_at.min(NEVER >> 2) << 2 | class)
    }

    fn class(self) -> Class {
        match self.0 & Self::CLASS {
            0 => Class::Conflates,
            1 => Class::Evicts,
            _ => Class::Keeps,
        }
    }

    #[inline(always)]
    fn expires(self) -> bool {
        self.0 | Self::CLASS != NEVER
    }

    fn expires_at(self) -> u64 {
        self.0 >> 2
    }
}

/// The event of a frame, owned.
pub(super) enum What {
    Gap(Gap),
    /// A gap that may still grow; it becomes a [`What::Gap`] when it is taken.
    GapIn(Arc<OpenGap>),
    Joined(Joined),
    Left(Unsubscribed),
    MemberAdded(Member),
    MemberRemoved(Member),
    Message(Message),
    /// A publication of another channel, and the life of the channel that passes it on; or
    /// a [replay](Frame::replay), and the life of its own.
    Routed(Frame, u64),
}

impl Frame {
    /// Creates a frame that stays queued until it is received.
    pub(super) fn new(
        what: What,
        channel: Option<&ChannelName>,
        position: StreamPosition,
        published_at: u64,
    ) -> Self {
        let terms = Terms::of(Class::Keeps, NEVER);
        Self::publication(terms, what, channel, position, published_at)
    }

    /// Creates a frame that is queued under `terms`, and was published at `published_at`, in
    /// milliseconds since 1970.
    pub(super) fn publication(
        terms: Terms,
        what: What,
        channel: Option<&ChannelName>,
        position: StreamPosition,
        published_at: u64,
    ) -> Self {
        let body = Body {
            weight: what.weight(),
            terms,
            key_hash: channel.and_then(|channel| what.key_hash(channel)),
            what,
            channel: channel.cloned(),
            position,
            published_at,
            encodings: Encodings::new(),
        };
        Self(Shared::new(body))
    }

    /// Creates the frame by which the channel whose life is `of` passes this publication on: the
    /// same content and encodings, of another `class`.
    pub(super) fn routed(&self, of: u64, class: Class) -> Self {
        let body = Body {
            weight: self.0.weight,
            what: What::Routed(self.clone(), of),
            channel: None,
            position: self.0.position,
            published_at: self.0.published_at,
            key_hash: self.0.key_hash,
            terms: Terms::of(class, self.0.terms.expires_at()),
            encodings: Encodings::new(),
        };
        Self(Shared::new(body))
    }

    /// Returns the life of the channel by which it comes to its receivers: its own, or that of one
    /// that it was routed to. With the client, this names the membership.
    pub(super) fn of(&self) -> u64 {
        match self.0.what {
            What::Routed(_, of) => of,
            _ => self.0.position.epoch,
        }
    }

    /// Creates the frame by which a client that may get copies of this publication is given it by a
    /// replay: such a client [knows it](Self::is_replay) by that.
    pub(super) fn replay(&self) -> Self {
        self.routed(self.epoch(), self.class())
    }

    /// Whether it was made by [`Frame::replay`].
    pub(super) fn is_replay(&self) -> bool {
        matches!(self.0.what, What::Routed(_, of) if of == self.0.position.epoch)
    }

    /// What it holds, wherever it was published.
    fn body(&self) -> &Body {
        match &self.0.what {
            What::Routed(frame, _) => &frame.0,
            _ => &self.0,
        }
    }

    /// Returns what may become of it in the outbox of a client without a policy of its own.
    pub(super) fn class(&self) -> Class {
        self.0.terms.class()
    }

    #[inline(always)]
    pub(super) fn into_shared(self) -> Shared<Body> {
        self.0
    }

    /// Whether it expires, and so has to be looked at when it is received.
    #[inline(always)]
    pub(super) fn expires(&self) -> bool {
        self.0.terms.expires()
    }

    /// Whether it has expired `now`, in milliseconds since the hub began; asked only if it expires.
    pub(super) fn has_expired(&self, now: impl FnOnce() -> u64) -> bool {
        self.expires() && self.0.terms.expires_at() <= now()
    }

    /// The hash of the channel and the key, if there are both.
    pub(super) fn key_hash(&self) -> Option<u64> {
        self.0.key_hash.map(NonZeroU64::get)
    }

    /// Whether both are of one channel, have one key, and are of one membership.
    pub(super) fn has_key_of(&self, other: &Self) -> bool {
        self.key_hash() == other.key_hash()
            && self.of() == other.of()
            && self.key() == other.key()
            && self.channel() == other.channel()
    }

    /// What happened.
    #[must_use]
    pub fn event(&self) -> Event<'_> {
        match &self.body().what {
            What::Routed(..) => unreachable!("a frame is routed once"),
            What::Gap(gap) => Event::Gap(gap),
            What::GapIn(_) => unreachable!("an open gap is closed before it leaves the outbox"),
            What::Joined(joined) => Event::Joined(joined),
            What::Left(left) => Event::Unsubscribed(left),
            What::MemberAdded(member) => Event::MemberAdded(member),
            What::MemberRemoved(member) => Event::MemberRemoved(member),
            What::Message(message) => Event::Message(message),
        }
    }

    /// The message, if this is one.
    #[must_use]
    pub fn message(&self) -> Option<&Message> {
        match &self.body().what {
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
        self.body().channel.as_ref()
    }

    /// The position in the channel, counted from 1; 0 for what has no channel, and for a
    /// [gap](Event::Gap) and an [end](Event::Unsubscribed). That of a [`Joined`] is its
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

    /// Returns the time of publication: what had elapsed since 1970 began, in UTC without leap
    /// seconds, in whole milliseconds.
    ///
    /// The channel sets it once, by the [clock](crate::HubBuilder::clock) of the hub, when it takes
    /// the publication over; a replay, a page of the history and a copy for a pattern show the
    /// same. Within a channel it never decreases with the offset, also where the time of day is set
    /// back, except that a [message with a time of its own](Message::published_at) has that time.
    #[must_use]
    pub fn published_at(&self) -> Duration {
        Duration::from_millis(self.0.published_at)
    }

    /// Returns the encoding of this frame in `slot`, made by `make` when the first client asks for
    /// it, and shared from then on.
    ///
    /// All code that uses a slot must make the same of a frame: of two threads that ask at once,
    /// one waits for the encoding of the other.
    pub fn encoded(&self, slot: EncodingSlot, make: impl FnOnce(&Self) -> Bytes) -> &Bytes {
        self.body().encodings.get(slot, || make(self))
    }

    /// Counts the encodings in `budget` from now on: a history has the frame.
    pub(super) fn enter_history(&self, budget: &Arc<Budget>) {
        self.0.encodings.enter(budget);
    }

    /// Ends that.
    pub(super) fn leave_history(&self) {
        self.0.encodings.leave();
    }

    /// Creates a frame of the same content without encodings.
    pub(super) fn unencoded(&self) -> Self {
        let What::Message(message) = &self.0.what else {
            return self.clone();
        };
        let body = Body {
            weight: self.0.weight,
            terms: self.0.terms,
            what: What::Message(message.clone()),
            channel: self.0.channel.clone(),
            position: self.0.position,
            published_at: self.0.published_at,
            key_hash: self.0.key_hash,
            encodings: Encodings::new(),
        };
        Self(Shared::new(body))
    }

    /// Whether both are the same frame, not only equal ones.
    #[must_use]
    pub fn ptr_eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.body(), other.body())
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
    fn key_hash(&self, channel: &ChannelName) -> Option<NonZeroU64> {
        static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        let Self::Message(message) = self else {
            return None;
        };
        let key = message.conflation_key()?;
        let hash = HASHER.hash_one((channel.as_str(), &**key));
        Some(NonZeroU64::new(hash).unwrap_or(NonZeroU64::MIN))
    }

    fn weight(&self) -> u64 {
        let bytes = match self {
            Self::Message(message) => message.payload().len(),
            Self::MemberAdded(member) | Self::MemberRemoved(member) => member.weight(),
            Self::Joined(joined) => (joined.members.len() * size_of::<Member>()).min(HEAVIEST),
            Self::Left(left) => left.reason.len().min(HEAVIEST),
            Self::Gap(_) | Self::GapIn(_) => 1,
            // It is made with the weight of what it holds.
            Self::Routed(frame, _) => return frame.0.weight,
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
    Unsubscribed(&'a Unsubscribed),
    /// A member has come to a presence channel.
    MemberAdded(&'a Member),
    /// A member has gone from a presence channel.
    MemberRemoved(&'a Member),
    /// A message.
    Message(&'a Message),
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
/// [given](crate::SubscribeOptions::since), all offsets are counted, also those of messages that
/// the client would not have got: for its filter, as ephemeral ones, or as one that is left out.
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
    /// The [keys](crate::Message::key) of which the client lacks the present value: of those that
    /// were lost, the ones of which nothing newer is queued for it. Empty unless the client has
    /// [asked for keys](crate::GapNotices::with_keys).
    pub keys: Vec<Bytes>,
    /// Whether there may be more such keys than are listed.
    pub more: bool,
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
pub struct Unsubscribed {
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
    info: Quiet<Bytes>,
}

impl Member {
    /// A member: an id that is the same for all connections of one user, and what the others
    /// may know, typically JSON.
    #[must_use]
    pub fn new(id: impl Into<Box<str>>, info: impl Into<Bytes>) -> Self {
        Self(Arc::new(MemberInner {
            id: id.into(),
            info: Quiet::new(info.into()),
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
        self.0.info.get()
    }

    fn weight(&self) -> usize {
        self.0.id.len() + self.0.info.get().len()
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
