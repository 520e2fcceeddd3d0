//! Why a measurement was not made.

use std::error::Error;
use std::fmt;
use std::io;

/// Why a measurement was not made, in words for the person at the keyboard.
#[derive(Debug)]
pub(super) struct Failed {
    what: String,
    source: Option<io::Error>,
}

impl Failed {
    pub(super) fn new(what: impl Into<String>) -> Self {
        let what = what.into();
        Self { what, source: None }
    }

    /// `what` could not be done, because of `source`.
    pub(super) fn io(what: impl Into<String>, source: io::Error) -> Self {
        Self {
            what: what.into(),
            source: Some(source),
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl Error for Failed {}
