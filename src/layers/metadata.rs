//! What a sender says about a message besides its payload: what filters look at.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::Serializer;
use serde_json::Map;
use serde_json::Value;

use crate::layers::stamp::Stamp;
use crate::message::Message;

/// What a sender says about a message besides its payload: a JSON object, passed on as it is, and
/// looked at by filters. A clone is one reference count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata(Arc<Inner>);

#[derive(Debug, PartialEq, Eq)]
struct Inner {
    object: Map<String, Value>,
    /// As JSON.
    bytes: usize,
}

impl Metadata {
    /// The most bytes that it may have as JSON.
    pub const MAX_BYTES: usize = 4096;
    /// The most keys that it may have.
    pub const MAX_KEYS: usize = 32;

    /// Metadata of this object.
    ///
    /// # Errors
    ///
    /// [`InvalidMetadata`] when it has more than [`Self::MAX_KEYS`] keys or
    /// [`Self::MAX_BYTES`] bytes.
    pub fn new(object: Map<String, Value>) -> Result<Self, InvalidMetadata> {
        if object.len() > Self::MAX_KEYS {
            return Err(InvalidMetadata::TooManyKeys);
        }
        let bytes = serde_json::to_string(&object).map_or(usize::MAX, |text| text.len());
        if bytes > Self::MAX_BYTES {
            return Err(InvalidMetadata::TooLarge);
        }
        Ok(Self(Arc::new(Inner { object, bytes })))
    }

    /// The metadata of a message, if it has some.
    #[must_use]
    pub fn of(message: &Message) -> Option<&Self> {
        Stamp::of(message)?.metadata.as_ref()
    }

    /// What it says about `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.object.get(key)
    }

    /// The object.
    #[must_use]
    pub fn object(&self) -> &Map<String, Value> {
        &self.0.object
    }

    /// How many bytes it has as JSON.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.bytes
    }
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.object.serialize(serializer)
    }
}

/// Why an object is no metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidMetadata {
    /// It has more than [`Metadata::MAX_BYTES`] bytes as JSON.
    TooLarge,
    /// It has more than [`Metadata::MAX_KEYS`] keys.
    TooManyKeys,
}

impl fmt::Display for InvalidMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => write!(f, "metadata has at most {} bytes", Metadata::MAX_BYTES),
            Self::TooManyKeys => write!(f, "metadata has at most {} keys", Metadata::MAX_KEYS),
        }
    }
}

impl Error for InvalidMetadata {}
