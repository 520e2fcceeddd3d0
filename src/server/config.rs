//! What can be set for a server, and what each setting costs.

use std::time::Duration;

/// How a server serves.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerConfig {
    /// How long draining may take. Default 15 s.
    pub drain_timeout: Duration,
    /// How long a client may take to send the head of a request, and how long a connection may
    /// idle between two. Default 10 s.
    pub head_timeout: Duration,
    /// The largest body of a request, in bytes, checked before it is read. Default 1 MiB and
    /// 64 KiB, so that a payload of 1 MiB fits with what is around it.
    pub max_body: usize,
    /// The most connections at a time, WebSocket and HTTP together; at least 1. Default 100,000.
    /// Beyond it, connections wait in the backlog of the listener.
    pub max_connections: usize,
    /// Whether the page warns that everybody may join everything, and asks who one wants to be.
    /// Default: it does not.
    pub open: bool,
}

impl ServerConfig {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            drain_timeout: Duration::from_secs(15),
            head_timeout: Duration::from_secs(10),
            max_body: (1 << 20) + (64 << 10),
            max_connections: 100_000,
            open: false,
        }
    }

    /// Sets [`Self::drain_timeout`].
    #[must_use]
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.drain_timeout = timeout;
        self
    }

    /// Sets [`Self::head_timeout`].
    #[must_use]
    pub fn head_timeout(mut self, timeout: Duration) -> Self {
        self.head_timeout = timeout;
        self
    }

    /// Sets [`Self::max_body`].
    #[must_use]
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sets [`Self::max_connections`].
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections;
        self
    }

    /// Sets [`Self::open`].
    #[must_use]
    pub fn open(mut self, open: bool) -> Self {
        self.open = open;
        self
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self::new()
    }
}
