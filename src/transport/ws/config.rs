//! What can be set for a WebSocket connection, and what each setting costs.

use std::time::Duration;

use crate::transport::ws::Deflate;

/// How a WebSocket connection is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WsConfig {
    /// How long a closed connection waits for its peer to hang up. Default 2 s.
    pub close_timeout: Duration,
    /// How messages are compressed; `None` without the feature `deflate`.
    pub(super) deflate: Option<Deflate>,
    /// How long what waits for a client may wait for more, to be written together: fewer writes
    /// for so much latency. Default zero: never waits. A client's own delay, see
    /// [`ConnectOptions::flush_delay`](crate::ConnectOptions::flush_delay), comes before it.
    /// The outbox must hold what comes in that time.
    pub flush_delay: Duration,
    /// How long a client may ask for nothing before it is closed with 3022; pings and pongs are
    /// no asking. Default: for ever, so that passive listeners stay.
    pub idle_timeout: Option<Duration>,
    /// The largest frame that a client may send, in bytes; a larger one closes the connection
    /// with 1009. Default 64 KiB. Above [`Self::max_message`] it has no effect.
    pub max_frame: usize,
    /// The largest message that a client may send, in bytes, however many frames it comes in; a
    /// larger one closes the connection with 1009. Default 64 KiB. At worst two of them are held
    /// for each connection.
    pub max_message: usize,
    /// How often the server pings, give or take a tenth, which differs from client to client.
    /// Default 25 s; at least 1 ms.
    pub ping_interval: Duration,
    /// How long after a ping the client must have sent something, a pong or anything else.
    /// Default 10 s. Then it is closed with 3012.
    pub pong_timeout: Duration,
    /// How long the socket may take no byte at all, and how long everything that was accepted
    /// before a close may take to be written. Default 10 s. Then the connection is dropped.
    pub write_timeout: Duration,
}

impl WsConfig {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            close_timeout: Duration::from_secs(2),
            deflate: None,
            flush_delay: Duration::ZERO,
            idle_timeout: None,
            max_frame: 64 * 1024,
            max_message: 64 * 1024,
            ping_interval: Duration::from_secs(25),
            pong_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(10),
        }
    }

    /// Sets [`Self::close_timeout`].
    #[must_use]
    pub const fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self
    }

    /// Compresses messages to and from the clients that offer it (permessage-deflate, RFC 7692).
    /// Default: none.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub const fn deflate(mut self, deflate: Option<Deflate>) -> Self {
        self.deflate = deflate;
        self
    }

    /// Sets [`Self::flush_delay`].
    #[must_use]
    pub const fn flush_delay(mut self, delay: Duration) -> Self {
        self.flush_delay = delay;
        self
    }

    /// Sets [`Self::idle_timeout`].
    #[must_use]
    pub const fn idle_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Sets [`Self::max_frame`].
    #[must_use]
    pub const fn max_frame(mut self, bytes: usize) -> Self {
        self.max_frame = bytes;
        self
    }

    /// Sets [`Self::max_message`].
    #[must_use]
    pub const fn max_message(mut self, bytes: usize) -> Self {
        self.max_message = bytes;
        self
    }

    /// Sets [`Self::ping_interval`].
    #[must_use]
    pub const fn ping_interval(mut self, interval: Duration) -> Self {
        self.ping_interval = interval;
        self
    }

    /// Sets [`Self::pong_timeout`].
    #[must_use]
    pub const fn pong_timeout(mut self, timeout: Duration) -> Self {
        self.pong_timeout = timeout;
        self
    }

    /// Sets [`Self::write_timeout`].
    #[must_use]
    pub const fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }
}

impl Default for WsConfig {
    fn default() -> Self {
        Self::new()
    }
}
