//! Every bound in one place: what each limits, its default, and what it costs at worst.

use std::time::Duration;

/// How much may wait for one client, in messages and in bytes. Both bounds are strict: a message
/// is refused, and the [`SlowConsumer`] policy applies, before either would be exceeded.
///
/// Worst case per client: `max_bytes` of payloads it alone still holds, and 8 bytes per message
/// of `max_messages`, rounded up to a power of two, once more than eight messages have waited.
/// Under a policy that evicts, some 40 bytes more per message that is queued while the outbox is
/// full; and under [`SlowConsumer::KeepLatest`] as much again, of messages and bytes, that its
/// channels may have been handed over for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutboxLimits {
    /// Messages that may wait. Default 64; 1 to [`OutboxLimits::MAX_MESSAGES`]. Under
    /// [`SlowConsumer::KeepLatest`] twice the number of keys, or more: for 500 symbols 1,000.
    pub max_messages: usize,
    /// Payload bytes that may wait; an empty payload counts as one byte. Default 1 MiB; at least
    /// [`Limits::max_payload`], at most [`OutboxLimits::MAX_BYTES`].
    pub max_bytes: usize,
}

impl OutboxLimits {
    /// The largest [`OutboxLimits::max_messages`]: 1,048,576.
    pub const MAX_MESSAGES: usize = 1 << 20;
    /// The largest [`OutboxLimits::max_bytes`]: 16 GiB.
    pub const MAX_BYTES: usize = 1 << 34;

    /// 64 messages, 1 MiB.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            max_messages: 64,
            max_bytes: 1 << 20,
        }
    }

    /// Sets [`Self::max_messages`].
    #[must_use]
    pub const fn messages(mut self, max_messages: usize) -> Self {
        self.max_messages = max_messages;
        self
    }

    /// Sets [`Self::max_bytes`].
    #[must_use]
    pub const fn bytes(mut self, max_bytes: usize) -> Self {
        self.max_bytes = max_bytes;
        self
    }
}

impl Default for OutboxLimits {
    fn default() -> Self {
        Self::new()
    }
}

/// What happens to a message for a client whose outbox has no room for it.
///
/// A client's own policy comes before its channel's, and that before the hub's. Whatever the
/// policy, the publisher does not wait, other clients notice nothing, and what was lost is
/// counted, per publish and per client.
///
/// ```
/// use throng::SlowConsumer;
/// use std::time::Duration;
///
/// // Lossless or not at all: close at the first message that does not fit.
/// let strict = SlowConsumer::DISCONNECT;
/// // Lossy for ten seconds, then close.
/// let patient = SlowConsumer::Disconnect { grace: Duration::from_secs(10) };
/// assert_ne!(strict, patient);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SlowConsumer {
    /// The client is disconnected with [`Disconnect::SLOW`](crate::Disconnect::SLOW).
    ///
    /// With a grace of zero, at the first message that does not fit: the client gets what was
    /// accepted before it, a gapless prefix, and then the close. With a longer grace, messages
    /// that do not fit are dropped, and the client is disconnected at the first one that finds it
    /// still behind after that time, or by the next [tick](crate::Hub::tick) or sweep of the hub.
    /// It is behind from the first message that did not fit, whatever
    /// the policy was then, until it has emptied its outbox.
    Disconnect {
        /// How long it may be behind; whole milliseconds, at most 2^48 of them.
        grace: Duration,
    },
    /// The new message is dropped. What the client gets has gaps where it was slow; the oldest
    /// messages arrive.
    #[default]
    DropNewest,
    /// The oldest waiting messages are dropped until the new one fits. Good where only the recent
    /// past matters.
    DropOldest,
    /// Queued messages of the same channel with the same
    /// [key](crate::Message::key) are conflated: the last of each remains. Good for prices,
    /// scores and positions. Messages without a key are never conflated.
    ///
    /// **How much room it needs.** Count the pairs of channel and key that the client is subscribed
    /// to; each message that has no key, or that is sent to the client alone, is a pair of its own.
    /// If all that the client gets is under this policy, and the [`OutboxLimits`] have
    ///
    /// * a message for each pair, and bytes for the largest value of each, then nothing is lost:
    ///   however fast they change, once publishing pauses and the client has received what is
    ///   queued, it has the last value of every pair. A pair that changes between every two
    ///   receives may have to wait until it pauses; it delays no other;
    /// * **two messages for each pair**, then every pair is also handed out within as many
    ///   receives. A client of 500 symbols wants [1,000 messages](OutboxLimits::messages); the
    ///   default is 64.
    ///
    /// With less room the message that has been queued longest is evicted, as under
    /// [`DropOldest`](Self::DropOldest), and that is counted. Messages of channels under
    /// [`Disconnect`](Self::Disconnect) and [`DropNewest`](Self::DropNewest) are neither conflated
    /// nor evicted; if they fill the outbox, the new message is dropped.
    ///
    /// Nothing is conflated before the outbox is full, and what remains is in the order of the
    /// publications. Where the receiver or another publisher is in the way at that very moment, the
    /// message is *handed over*: its channel keeps it, conflated in the same way, and puts it in
    /// later. It counts as delivered. A client can have as much handed over as its outbox may hold,
    /// once more; beyond that the new message is dropped. What is handed over when the client
    /// leaves the channel or is closed does not arrive.
    KeepLatest,
}

impl SlowConsumer {
    /// Disconnects at the first message that does not fit.
    pub const DISCONNECT: Self = Self::Disconnect {
        grace: Duration::ZERO,
    };
}

/// Whether a client is told in band of what it has lost, and in how much detail.
///
/// ```
/// use throng::{ConnectOptions, GapNotices};
///
/// let options = ConnectOptions::new().gap_notices(GapNotices::ON.with_keys(16));
/// # drop(options);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GapNotices {
    on: bool,
    keys: u8,
}

impl GapNotices {
    /// The most keys that a notice can have.
    pub const MOST_KEYS: usize = 64;
    /// The most bytes of keys that a notice has: 4 KiB. Beyond that it says that there are more.
    pub const MOST_KEY_BYTES: usize = 4 << 10;
    /// No notices.
    pub const OFF: Self = Self { on: false, keys: 0 };
    /// Notices without keys.
    pub const ON: Self = Self { on: true, keys: 0 };

    /// Has a notice list at most so many [keys](crate::Gap::keys) of which the client lacks the
    /// present value. Default 0; more than [`GapNotices::MOST_KEYS`] count as that many.
    #[must_use]
    pub const fn with_keys(mut self, keys: usize) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "at most 64")]
        let most = Self::MOST_KEYS as u8;
        self.keys = if keys < Self::MOST_KEYS {
            #[expect(clippy::cast_possible_truncation, reason = "less than 64")]
            let keys = keys as u8;
            keys
        } else {
            most
        };
        self
    }

    /// Whether the client is told.
    #[must_use]
    pub const fn is_on(self) -> bool {
        self.on
    }

    /// How many keys a notice lists at most.
    #[must_use]
    pub const fn keys(self) -> usize {
        self.keys as usize
    }
}

impl From<bool> for GapNotices {
    fn from(on: bool) -> Self {
        if on { Self::ON } else { Self::OFF }
    }
}

/// The bounds of a hub as a whole.
///
/// Each is checked before memory is spent on what exceeds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Publications of one channel that may wait while another publisher is in the middle of it.
    /// Default 4,096; at least 1. Beyond it a publish is refused and the message given back.
    ///
    /// The same number bounds what callbacks are still to be told: beyond it, joins of presence
    /// channels are refused, and lines of the log are dropped.
    pub max_backlog: usize,
    /// Bytes in a channel's name. Default 164 (Pusher's); 1 to 65,535.
    pub max_channel_name: usize,
    /// Channels at a time. Default 1,000,000; at least 1. About 600 bytes each. One that nobody
    /// holds, and that is only there for what it remembers, makes way for a new one: the one that
    /// was to go first.
    pub max_channels: usize,
    /// Clients at a time. Default 1,000,000; at least 1. Under 1 KiB each while idle.
    pub max_clients: usize,
    /// Bytes that all channels may remember together: the payloads, keys, attachments and
    /// [encodings](crate::Frame::encoded) of the publications, and 648 for each besides. Default
    /// 256 MiB; with 0 none remembers anything. Beyond it, a channel that is published to forgets
    /// its own oldest.
    ///
    /// A publication has an encoding for each dialect that a client has received it in: up to three
    /// by the transports of this crate, for WebSocket, the same compressed, and for server-sent
    /// events. Each takes 64 bytes, and is as long as the payload, the metadata and some 200 bytes
    /// where the payload is JSON; a third longer for a binary payload, and at most seven times as
    /// long, for a payload that is all control characters or line breaks. While there is more than
    /// this limit, the encodings that a replay makes are not kept.
    pub max_history_bytes: usize,
    /// Bytes in a member's id. Default 128 (Pusher's); at least 1.
    pub max_member_id: usize,
    /// Bytes in a member's info. Default 1,024 (Pusher's).
    pub max_member_info: usize,
    /// Members of one presence channel. Default 10,000; at least 1. A newcomer is told all of
    /// them, so joins cost in proportion.
    pub max_members: usize,
    /// Payload bytes that may wait for all clients that lag, together. Default [`usize::MAX`]: no
    /// bound but that of each outbox; at least 1.
    ///
    /// A client lags while more than four messages wait for it, and then each counts with its
    /// payload, though many clients may share it. A client that keeps up neither counts nor costs
    /// anything. While those that lag have no more than half of this, their own [`OutboxLimits`]
    /// decide alone. Beyond that, the outbox of a client that lags counts as full, and its
    /// [`SlowConsumer`] policy applies, when it would have more than its share: that half, divided
    /// by the number of clients that lag. So those with most waiting are the first. When all is
    /// used up, every outbox of a client that lags counts as full.
    ///
    /// A hub that is bounded so does some 30 ns more work for each message to a client that lags.
    pub max_outbox_bytes: usize,
    /// Bytes in a payload. Default 1 MiB; at most [`OutboxLimits::max_bytes`], so that every
    /// message fits an empty outbox.
    pub max_payload: usize,
    /// Channels that one client is subscribed to. Default 128; at least 1. About 100 bytes each.
    pub max_subscriptions: usize,
}

impl Limits {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            max_backlog: 4096,
            max_channel_name: 164,
            max_channels: 1_000_000,
            max_clients: 1_000_000,
            max_history_bytes: 256 << 20,
            max_member_id: 128,
            max_member_info: 1024,
            max_members: 10_000,
            max_outbox_bytes: usize::MAX,
            max_payload: 1 << 20,
            max_subscriptions: 128,
        }
    }

    /// Sets [`Self::max_history_bytes`].
    #[must_use]
    pub const fn history_bytes(mut self, bytes: usize) -> Self {
        self.max_history_bytes = bytes;
        self
    }

    /// Sets [`Self::max_backlog`].
    #[must_use]
    pub const fn backlog(mut self, publications: usize) -> Self {
        self.max_backlog = publications;
        self
    }

    /// Sets [`Self::max_channel_name`].
    #[must_use]
    pub const fn channel_name(mut self, bytes: usize) -> Self {
        self.max_channel_name = bytes;
        self
    }

    /// Sets [`Self::max_channels`].
    #[must_use]
    pub const fn channels(mut self, channels: usize) -> Self {
        self.max_channels = channels;
        self
    }

    /// Sets [`Self::max_clients`].
    #[must_use]
    pub const fn clients(mut self, clients: usize) -> Self {
        self.max_clients = clients;
        self
    }

    /// Sets [`Self::max_member_id`].
    #[must_use]
    pub const fn member_id(mut self, bytes: usize) -> Self {
        self.max_member_id = bytes;
        self
    }

    /// Sets [`Self::max_member_info`].
    #[must_use]
    pub const fn member_info(mut self, bytes: usize) -> Self {
        self.max_member_info = bytes;
        self
    }

    /// Sets [`Self::max_members`].
    #[must_use]
    pub const fn members(mut self, members: usize) -> Self {
        self.max_members = members;
        self
    }

    /// Sets [`Self::max_outbox_bytes`].
    #[must_use]
    pub const fn outbox_bytes(mut self, bytes: usize) -> Self {
        self.max_outbox_bytes = bytes;
        self
    }

    /// Sets [`Self::max_payload`].
    #[must_use]
    pub const fn payload(mut self, bytes: usize) -> Self {
        self.max_payload = bytes;
        self
    }

    /// Sets [`Self::max_subscriptions`].
    #[must_use]
    pub const fn subscriptions(mut self, channels: usize) -> Self {
        self.max_subscriptions = channels;
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}
