//! Why a client was disconnected, in a form that tells it what to do next.
//!
//! | codes | meaning | the client |
//! |---|---|---|
//! | 1001 | the server is going away (RFC 6455 §7.4.1) | reconnects, with jitter |
//! | 1000, 1002-1010 | done, or the client's mistake (RFC 6455 §7.4.1) | stays away |
//! | 3000-3499 | throng's, passing | reconnects, with jitter |
//! | 3500-3999 | throng's, final | stays away |
//! | 4000-4499 | the application's, passing | reconnects, with jitter |
//! | 4500-4999 | the application's, final | stays away |
//!
//! The ranges are those of the Centrifuge client protocol, so that existing clients act rightly.
//! A reason has at most [`Disconnect::MAX_REASON`] bytes: it must fit into a close frame.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

/// Why a client was disconnected: a code whose range says whether to come back, and a reason.
///
/// Codes 3000-3499 (throng's) and 4000-4499 (the application's) tell the client to reconnect, with
/// jitter; 3500-3999 and 4500-4999 tell it to stay away. The ranges are those of the Centrifuge
/// client protocol.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Disconnect {
    code: u16,
    reason: Cow<'static, str>,
}

impl Disconnect {
    /// The most bytes a reason may have: 125 of a control frame less 2 for the code.
    pub const MAX_REASON: usize = 123;

    /// Both sides are done with each other; the client has no reason to come back.
    pub const NORMAL: Self = Self::known(1000, "done");
    /// The server is going away; the client should come back, with jitter, perhaps to another.
    pub const GOING_AWAY: Self = Self::known(1001, "going away");
    /// The client broke the WebSocket protocol.
    pub const PROTOCOL_ERROR: Self = Self::known(1002, "protocol error");
    /// The client sent what its dialect does not have.
    pub const UNSUPPORTED: Self = Self::known(1003, "unsupported data");
    /// A text of the client is not UTF-8.
    pub const INVALID_UTF8: Self = Self::known(1007, "text is not UTF-8");
    /// The client did what the server's policy forbids.
    pub const POLICY: Self = Self::known(1008, "policy");
    /// A message of the client is larger than the server takes.
    pub const TOO_LARGE: Self = Self::known(1009, "message too large");
    /// A dialect of the application failed.
    pub const INTERNAL: Self = Self::known(1011, "internal error");
    /// Ended without a more particular reason; the client may come back.
    pub const CLOSED: Self = Self::known(3000, "closed");
    /// The hub is shutting down; the client should come back, with jitter.
    pub const SHUTDOWN: Self = Self::known(3001, "shutdown");
    /// The client did not keep up and the policy in force was to disconnect it.
    pub const SLOW: Self = Self::known(3008, "slow consumer");
    /// The transport could not write to the client in time.
    pub const WRITE_TIMEOUT: Self = Self::known(3009, "write timeout");
    /// The client did not answer a ping in time.
    pub const NO_PONG: Self = Self::known(3012, "no pong");
    /// The client asked for too much, again and again.
    pub const RATE_LIMITED: Self = Self::known(3013, "rate limited");
    /// The client let the control lane fill: it does not read at all.
    pub const CONTROL_OVERFLOW: Self = Self::known(3020, "control lane overflow");
    /// The outbox was dropped: whoever received for the client has gone.
    pub const RECEIVER_DROPPED: Self = Self::known(3021, "receiver gone");
    /// The client asked for nothing for too long.
    pub const IDLE: Self = Self::known(3022, "idle");
    /// The server has no room for the connection now; the client should come back later.
    pub const BUSY: Self = Self::known(3023, "busy");
    /// The client's token expired; it should come back with a new one.
    pub const TOKEN_EXPIRED: Self = Self::known(3005, "token expired");
    /// The client did not show valid credentials, or none in time.
    pub const TOKEN_INVALID: Self = Self::known(3500, "invalid token");
    /// The client's token was revoked.
    pub const TOKEN_REVOKED: Self = Self::known(3510, "token revoked");
    /// The client sent something it may not send.
    pub const BAD_REQUEST: Self = Self::known(3501, "bad request");
    /// The client has no right, or no longer, to be here.
    pub const UNAUTHORIZED: Self = Self::known(3507, "unauthorized");
    /// The client goes on over another connection, which has its session now.
    pub const RESUMED: Self = Self::known(3502, "resumed elsewhere");
    /// An operator or the application removed the client for good.
    pub const KICKED: Self = Self::known(3503, "kicked");
    /// The limit on connections was reached.
    pub const TOO_MANY_CONNECTIONS: Self = Self::known(3504, "too many connections");

    /// A reason of the application's own: a code from 4000 to 4999 and a text.
    ///
    /// # Errors
    ///
    /// Says what is wrong when the code is outside 4000-4999 or the reason is longer than
    /// [`Disconnect::MAX_REASON`] bytes.
    pub fn new(code: u16, reason: impl Into<Cow<'static, str>>) -> Result<Self, InvalidDisconnect> {
        let reason = reason.into();
        if !(4000..=4999).contains(&code) {
            return Err(InvalidDisconnect::Code(code));
        }
        if reason.len() > Self::MAX_REASON {
            return Err(InvalidDisconnect::Reason { len: reason.len() });
        }
        Ok(Self { code, reason })
    }

    /// [`Disconnect::KICKED`] with a reason of its own.
    ///
    /// # Errors
    ///
    /// [`InvalidDisconnect::Reason`] when the reason is longer than [`Disconnect::MAX_REASON`]
    /// bytes.
    pub fn kicked(reason: impl Into<Cow<'static, str>>) -> Result<Self, InvalidDisconnect> {
        let reason = reason.into();
        if reason.len() > Self::MAX_REASON {
            return Err(InvalidDisconnect::Reason { len: reason.len() });
        }
        let code = Self::KICKED.code;
        Ok(Self { code, reason })
    }

    /// The code, as a WebSocket close frame carries it.
    #[must_use]
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The reason, at most [`Disconnect::MAX_REASON`] bytes.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// What the client should do about it.
    #[must_use]
    pub fn advice(&self) -> ReconnectAdvice {
        match self.code {
            1000 | 1002..=1010 | 3500..=3999 | 4500..=4999 => ReconnectAdvice::StayAway,
            _ => ReconnectAdvice::Reconnect,
        }
    }

    pub(crate) const fn known(code: u16, reason: &'static str) -> Self {
        Self {
            code,
            reason: Cow::Borrowed(reason),
        }
    }
}

impl fmt::Display for Disconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.reason, self.code)
    }
}

/// What a disconnected client should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a client comes back or it does not"
)]
pub enum ReconnectAdvice {
    /// Come back after a jittered delay.
    Reconnect,
    /// Do not come back by itself.
    StayAway,
}

/// Why a [`Disconnect`] could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidDisconnect {
    /// The code is not one of the application's.
    Code(u16),
    /// The reason does not fit into a close frame.
    Reason {
        /// Its length in bytes.
        len: usize,
    },
}

impl fmt::Display for InvalidDisconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "close code is {code}, 4000 to 4999 are allowed"),
            Self::Reason { len } => {
                write!(
                    f,
                    "close reason has {len} bytes, at most {} are allowed",
                    Disconnect::MAX_REASON
                )
            }
        }
    }
}

impl Error for InvalidDisconnect {}
