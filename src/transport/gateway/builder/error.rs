//! The errors of a gateway that cannot be built, and of a client that cannot connect.

use std::error::Error;
use std::fmt;

use crate::hub::EncodingSlot;
use crate::policy::InvalidLimit;

/// The error returned when a gateway cannot be created.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GatewayError {
    /// Too many dialects were added.
    Dialects(TooManyDialects),
    /// A rate limit cannot be enforced.
    Limit {
        /// The name of the limit.
        name: Box<str>,
        /// The reason.
        error: InvalidLimit,
    },
}

impl fmt::Display for GatewayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dialects(error) => error.fmt(f),
            Self::Limit { name, error } => write!(f, "rate limit `{name}`: {error}"),
        }
    }
}

impl Error for GatewayError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Dialects(error) => Some(error),
            Self::Limit { error, .. } => Some(error),
        }
    }
}

/// The error returned when more dialects were added to a gateway than frames have slots for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TooManyDialects {
    /// Number of dialects that were added.
    pub dialects: usize,
}

impl fmt::Display for TooManyDialects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (is, limit) = (self.dialects, EncodingSlot::CUSTOM);
        write!(
            f,
            "{is} dialects were added to the gateway, at most {limit} are allowed"
        )
    }
}

impl Error for TooManyDialects {}

/// Why a request may not open a connection: answered with 401.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unauthenticated(Box<str>);

impl Unauthenticated {
    /// With a reason that the client is told.
    pub fn new(reason: impl Into<Box<str>>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for Unauthenticated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Unauthenticated {}
