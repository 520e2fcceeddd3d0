//! How much a channel remembers, and what for.

use std::time::Duration;

/// How much a channel remembers, and what newcomers get of it. Every bound holds; what exceeds one
/// is forgotten, the oldest first.
///
/// With a bound of zero nothing is remembered, as if the channel had no history.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HistoryOptions {
    /// Publications that are kept; [`HistoryMode::Latest`] keeps one, whatever this is. Default
    /// 256.
    pub max_messages: usize,
    /// Bytes that are kept, in payloads, keys and attachments; an empty payload counts as one.
    /// Default 1 MiB. A message that is larger is not kept, nor is anything before it then. What
    /// comes on top is said at [`Limits::max_history_bytes`](crate::Limits::max_history_bytes).
    pub max_bytes: usize,
    /// For how long a publication is kept, in whole milliseconds, whether anybody is in the channel
    /// or not. Default 5 minutes. Nobody is given what is older; its memory is given back by the
    /// next [tick](crate::Hub::tick), or by what does the same. So long, too, a channel is kept
    /// after each holder has gone, and with it its epoch; but at most a minute if it never had a
    /// publication.
    pub max_age: Duration,
    /// What is kept for whom. Default [`HistoryMode::Stream`].
    pub mode: HistoryMode,
}

/// What a history is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HistoryMode {
    /// Whoever comes back with a [position](crate::SubscribeOptions::since) gets everything after
    /// it. Whoever comes without one gets what is published from then on.
    #[default]
    Stream,
    /// Only the last message is kept, and everybody who comes gets it first, unless it has it
    /// already: the channel is a value that changes.
    ///
    /// Who comes with an outbox that is half full gets it once there is room. Of a presence channel
    /// it is not told meanwhile who else comes and goes, for that is not kept: then
    /// [`Hub::presence`](crate::Hub::presence) tells who is there.
    Latest,
}

impl HistoryOptions {
    /// The last 256 messages of at most 1 MiB, for five minutes.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            max_messages: 256,
            max_bytes: 1 << 20,
            max_age: Duration::from_secs(300),
            mode: HistoryMode::Stream,
        }
    }

    /// The last message, for newcomers to begin with.
    #[must_use]
    pub const fn latest() -> Self {
        Self {
            mode: HistoryMode::Latest,
            ..Self::new()
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

    /// Sets [`Self::max_age`].
    #[must_use]
    pub const fn age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// Whether anything is remembered.
    pub(in crate::hub) fn is_any(&self) -> bool {
        self.kept() > 0 && self.max_bytes > 0 && self.max_age.as_millis() > 0
    }

    /// How many publications are kept in fact.
    pub(super) fn kept(&self) -> usize {
        match self.mode {
            HistoryMode::Stream => self.max_messages,
            HistoryMode::Latest => 1,
        }
    }
}

impl Default for HistoryOptions {
    fn default() -> Self {
        Self::new()
    }
}
