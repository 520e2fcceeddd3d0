//! Filters: which messages of a channel are wanted, by their metadata.

mod condition;

use std::collections::HashMap;
use std::error::Error;
use std::fmt;

use ahash::RandomState;
use parking_lot::Mutex;
use serde_json::Map;
use serde_json::Value;

use crate::hub::Filter;
use crate::hub::WeakFilter;
use crate::layers::metadata::Metadata;

use self::condition::Condition;

/// What is wanted of the [`Metadata`] of messages: a JSON object whose keys all have to hold.
///
/// ```
/// use serde_json::json;
/// use throng::channels::MetadataFilter;
///
/// let filter = MetadataFilter::parse(&json!({
///     "symbol": ["XY", "YZ"],
///     "price": { "gte": 100, "lt": 200.5 },
///     "test": { "exists": false },
/// }))?;
/// # let _ = filter;
/// # Ok::<(), throng::channels::InvalidFilter>(())
/// ```
///
/// | value of a key | the metadata's value of that key |
/// |---|---|
/// | anything but a list or an object | equals it |
/// | a list | equals one of its items |
/// | `{"eq"}`, `{"in"}` | the same, spelled out |
/// | `{"ne"}`, `{"nin"}` | equals it not, or none of its items |
/// | `{"gt"}`, `{"gte"}`, `{"lt"}`, `{"lte"}` | is greater, and so on: numbers by their value, texts by their code points |
/// | `{"prefix"}` | is a text that begins so |
/// | `{"exists"}` | is there (`true`), or is not (`false`) |
///
/// Of several in one object all have to hold. A value that is not there equals nothing and is not
/// compared. Where the metadata has a list, one of its items has to hold; for `ne` and `nin`, all.
/// Numbers are compared exactly: `1` equals `1.0`, and 2^53 + 1 does not equal 2^53.
#[derive(Clone, Debug, PartialEq)]
pub struct MetadataFilter {
    keys: Vec<(Box<str>, Vec<Condition>)>,
    /// Equal filters have equal ones.
    canonical: Box<str>,
}

impl MetadataFilter {
    /// The most bytes of a filter as JSON.
    pub const MAX_BYTES: usize = 4096;
    /// The most keys.
    pub const MAX_KEYS: usize = 16;
    /// The most items of a list.
    pub const MAX_ITEMS: usize = 64;

    /// Reads a filter.
    ///
    /// # Errors
    ///
    /// [`InvalidFilter`] says where it is wrong, and what is allowed there.
    pub fn parse(filter: &Value) -> Result<Self, InvalidFilter> {
        let Value::Object(object) = filter else {
            return Err(InvalidFilter::new("", "an object"));
        };
        let canonical = canonical(object);
        if canonical.len() > Self::MAX_BYTES {
            return Err(InvalidFilter::new("", "at most 4,096 bytes"));
        }
        if object.len() > Self::MAX_KEYS {
            return Err(InvalidFilter::new("", "an object of at most 16 keys"));
        }
        let keys = object.iter().map(|(key, value)| {
            let conditions = Condition::parse(key, value)?;
            Ok((key.as_str().into(), conditions))
        });
        Ok(Self {
            keys: keys.collect::<Result<_, _>>()?,
            canonical: canonical.into(),
        })
    }

    /// Whether a message with this metadata is wanted.
    #[must_use]
    pub fn wants(&self, metadata: Option<&Metadata>) -> bool {
        self.keys.iter().all(|(key, conditions)| {
            let value = metadata.and_then(|metadata| metadata.get(key));
            conditions.iter().all(|condition| condition.holds(value))
        })
    }
}

/// The text of an object with its keys in order, at every depth: so `serde_json` keeps them.
fn canonical(object: &Map<String, Value>) -> String {
    serde_json::to_string(object).unwrap_or_default()
}

/// Gives equal filters the same [`Filter`] of the hub, so that those who have them are one group.
#[derive(Debug, Default)]
pub(super) struct Interned {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    filters: HashMap<Box<str>, WeakFilter, RandomState>,
    /// How many may be known before those are looked for that nobody has any more.
    mark: usize,
}

impl Interned {
    /// The hub's filter of this one.
    pub(super) fn filter(&self, filter: MetadataFilter) -> Filter {
        let mut known = self.known.lock();
        let same = known.filters.get(&filter.canonical);
        if let Some(same) = same.and_then(WeakFilter::upgrade) {
            return same;
        }
        if known.filters.len() >= known.mark {
            known.filters.retain(|_, known| known.upgrade().is_some());
            known.mark = (known.filters.len() * 2).max(64);
        }
        let canonical = filter.canonical.clone();
        let made = Filter::new(move |message| filter.wants(Metadata::of(message)));
        known.filters.insert(canonical, made.downgrade());
        made
    }
}

/// Why something is no filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidFilter {
    at: Box<str>,
    allowed: &'static str,
}

impl InvalidFilter {
    fn new(at: impl Into<Box<str>>, allowed: &'static str) -> Self {
        Self {
            at: at.into(),
            allowed,
        }
    }

    /// Where it is wrong: the key, and the word in it, after a dot.
    #[must_use]
    pub fn at(&self) -> &str {
        &self.at
    }
}

impl fmt::Display for InvalidFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.at {
            "" => write!(f, "a filter must be {}", self.allowed),
            at => write!(f, "`{at}` of a filter must be {}", self.allowed),
        }
    }
}

impl Error for InvalidFilter {}

#[cfg(test)]
mod tests;
