//! What can be set for sessions.

use std::time::Duration;

/// How sessions are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionsConfig {
    /// For how long a session is kept after its connection was lost. Default 30 s.
    pub ttl: Duration,
    /// Sessions without a connection at a time; the oldest are forgotten beyond. Default 100,000.
    pub max_sessions: usize,
    /// Bytes that one session notes: beyond it, nothing more is noted. Default 64 KiB.
    pub max_bytes: usize,
    /// Bytes that all sessions without a connection note together; the oldest are forgotten
    /// beyond. Default 64 MiB.
    pub max_total_bytes: usize,
}

impl SessionsConfig {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            ttl: Duration::from_secs(30),
            max_sessions: 100_000,
            max_bytes: 64 << 10,
            max_total_bytes: 64 << 20,
        }
    }

    /// Sets [`Self::ttl`].
    #[must_use]
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// Sets [`Self::max_sessions`].
    #[must_use]
    pub const fn max_sessions(mut self, sessions: usize) -> Self {
        self.max_sessions = sessions;
        self
    }

    /// Sets [`Self::max_bytes`].
    #[must_use]
    pub const fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets [`Self::max_total_bytes`].
    #[must_use]
    pub const fn max_total_bytes(mut self, bytes: usize) -> Self {
        self.max_total_bytes = bytes;
        self
    }
}

impl Default for SessionsConfig {
    fn default() -> Self {
        Self::new()
    }
}
