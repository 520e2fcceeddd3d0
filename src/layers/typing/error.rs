//! Why somebody may not type.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::code::ErrorCode;

/// Why somebody may not type.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TypingError {
    /// The user may not send to the room: what [was asked](crate::typing::Typing::permit) says so.
    Denied {
        /// The code that it has on the wire.
        code: ErrorCode,
        /// What is wrong.
        reason: Arc<str>,
    },
    /// As many users type in the room as may.
    TooMany {
        /// [`TypingConfig::max_per_room`](crate::typing::TypingConfig::max_per_room).
        limit: usize,
    },
}

impl TypingError {
    /// The user may not send to the room, with the code and the reason of whoever decides that.
    pub fn denied(code: ErrorCode, reason: impl Into<Arc<str>>) -> Self {
        let reason = reason.into();
        Self::Denied { code, reason }
    }

    /// The code that it has on the wire.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Denied { code, .. } => *code,
            Self::TooMany { .. } => ErrorCode::TooManyTyping,
        }
    }

    /// The field that it is about.
    #[must_use]
    pub fn field(&self) -> Option<&'static str> {
        Some("room_id")
    }
}

impl fmt::Display for TypingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied { reason, .. } => f.write_str(reason),
            Self::TooMany { limit } => {
                write!(
                    f,
                    "{limit} users type in this room already, and no more are shown"
                )
            }
        }
    }
}

impl Error for TypingError {}
