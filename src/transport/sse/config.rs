//! What can be set for streams, and what each setting costs.

use std::time::Duration;

/// How streams of server-sent events are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SseConfig {
    /// A stream that has had nothing to say for so long sends a comment, so that whoever stands
    /// between keeps the connection open; give or take a tenth, so that streams that began
    /// together don't all speak at once. Default 15 s.
    pub heartbeat: Duration,
    /// The most bytes in the body of a request that subscribes or unsubscribes. Default 64 KiB.
    pub max_body: usize,
    /// The most channels that one request may name. Default 64. How many a stream may have in all
    /// is [`Limits::max_subscriptions`](crate::Limits::max_subscriptions).
    pub max_channels: usize,
    /// The most bytes in the `id` of an event, which names all channels of the stream; a channel
    /// that could make it longer is refused. Default 4 KiB: many proxies let no more pass in a
    /// header. Each channel takes 43 bytes and its name.
    pub max_id: usize,
    /// How long clients are to wait before they come back when the connection breaks, give or take
    /// a fifth. Default 3 s.
    pub retry: Duration,
    /// How long a client may take nothing while something waits for it, before it is disconnected
    /// with [`Disconnect::WRITE_TIMEOUT`](crate::Disconnect::WRITE_TIMEOUT). Default 10 s. Over
    /// HTTP/1.1 of this crate's server that of the server counts as well: the shorter one holds.
    pub write_timeout: Duration,
}

impl SseConfig {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            heartbeat: Duration::from_secs(15),
            max_body: 64 << 10,
            max_channels: 64,
            max_id: 4096,
            retry: Duration::from_secs(3),
            write_timeout: Duration::from_secs(10),
        }
    }

    /// Sets [`Self::heartbeat`].
    #[must_use]
    pub const fn heartbeat(mut self, interval: Duration) -> Self {
        self.heartbeat = interval;
        self
    }

    /// Sets [`Self::max_body`].
    #[must_use]
    pub const fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sets [`Self::max_channels`].
    #[must_use]
    pub const fn max_channels(mut self, channels: usize) -> Self {
        self.max_channels = channels;
        self
    }

    /// Sets [`Self::max_id`].
    #[must_use]
    pub const fn max_id(mut self, bytes: usize) -> Self {
        self.max_id = bytes;
        self
    }

    /// Sets [`Self::retry`].
    #[must_use]
    pub const fn retry(mut self, wait: Duration) -> Self {
        self.retry = wait;
        self
    }

    /// Sets [`Self::write_timeout`].
    #[must_use]
    pub const fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }
}

impl Default for SseConfig {
    fn default() -> Self {
        Self::new()
    }
}
