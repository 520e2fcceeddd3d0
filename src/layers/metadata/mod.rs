//! What a sender says about a message besides its payload: what filters look at.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::Serializer;
use serde_json::Map;
use serde_json::Value;

use crate::layers::stamp::MessageHeader;
use crate::message::Message;

/// What a sender says about a message besides its payload: a JSON object, passed on as it is, and
/// looked at by filters. A clone is one reference count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    object: Map<String, Value>,
    /// See [`Metadata::memory`].
    memory: usize,
    /// As JSON.
    json_bytes: usize,
}

impl PartialEq for Inner {
    /// What it says counts, and not how much memory that happens to take.
    fn eq(&self, other: &Self) -> bool {
        self.object == other.object
    }
}

impl Eq for Inner {}

impl Metadata {
    /// The most bytes that it may have as JSON.
    pub const MAX_BYTES: usize = 4096;
    /// How deep objects and arrays may stand inside each other in it, itself included: what is
    /// deeper may be written, and not be read again.
    pub const MAX_DEPTH: usize = 64;
    /// The most keys that it may have.
    pub const MAX_KEYS: usize = 32;

    /// Metadata of this object.
    ///
    /// # Errors
    ///
    /// [`InvalidMetadata`] when it has more than [`Self::MAX_KEYS`] keys or
    /// [`Self::MAX_BYTES`] bytes, or is deeper than [`Self::MAX_DEPTH`].
    pub fn new(object: Map<String, Value>) -> Result<Self, InvalidMetadata> {
        if object.len() > Self::MAX_KEYS {
            return Err(InvalidMetadata::TooManyKeys);
        }
        if object.values().any(|it| is_deeper(it, Self::MAX_DEPTH - 1)) {
            return Err(InvalidMetadata::TooDeep);
        }
        let json_bytes = serde_json::to_string(&object).map_or(usize::MAX, |text| text.len());
        if json_bytes > Self::MAX_BYTES {
            return Err(InvalidMetadata::TooLarge);
        }
        let memory = of_object(&object);
        Ok(Self(Arc::new(Inner {
            object,
            memory,
            json_bytes,
        })))
    }

    /// The metadata of a message, if it has some.
    #[must_use]
    pub fn of(message: &Message) -> Option<&Self> {
        MessageHeader::of(message)?.metadata.as_ref()
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

    /// How much memory it takes, about: a tree of values takes many times what its JSON does.
    pub(crate) fn memory(&self) -> usize {
        self.0.memory
    }

    /// How many bytes it has as JSON.
    #[must_use]
    pub fn json_bytes(&self) -> usize {
        self.0.json_bytes
    }
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.object.serialize(serializer)
    }
}

/// The memory that is taken beside an object itself: nodes with room for eleven keys, of which at
/// least five are there, and what the keys and values own.
fn of_object(object: &Map<String, Value>) -> usize {
    const NODE: usize = 16 + 11 * (size_of::<String>() + size_of::<Value>());
    let nodes = object.len().div_ceil(5) * NODE;
    let owned = object
        .iter()
        .map(|(key, value)| key.capacity() + of_value(value));
    nodes + owned.sum::<usize>()
}

/// The memory that is taken beside a value itself.
fn of_value(value: &Value) -> usize {
    match value {
        Value::Array(values) => {
            let owned = values.iter().map(of_value).sum::<usize>();
            values.capacity() * size_of::<Value>() + owned
        }
        Value::Object(object) => of_object(object),
        Value::String(text) => text.capacity(),
        Value::Bool(_) | Value::Null | Value::Number(_) => 0,
    }
}

/// Why an object is no metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidMetadata {
    /// Objects and arrays stand more than [`Metadata::MAX_DEPTH`] deep in it.
    TooDeep,
    /// It has more than [`Metadata::MAX_BYTES`] bytes as JSON.
    TooLarge,
    /// It has more than [`Metadata::MAX_KEYS`] keys.
    TooManyKeys,
}

impl fmt::Display for InvalidMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooDeep => write!(f, "metadata is at most {} deep", Metadata::MAX_DEPTH),
            Self::TooLarge => write!(f, "metadata has at most {} bytes", Metadata::MAX_BYTES),
            Self::TooManyKeys => write!(f, "metadata has at most {} keys", Metadata::MAX_KEYS),
        }
    }
}

impl Error for InvalidMetadata {}

/// Whether objects and arrays stand more than so many deep in there.
pub(super) fn is_deeper(value: &Value, most: usize) -> bool {
    match value {
        Value::Array(_) | Value::Object(_) if most == 0 => true,
        Value::Array(all) => all.iter().any(|it| is_deeper(it, most - 1)),
        Value::Object(all) => all.values().any(|it| is_deeper(it, most - 1)),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
