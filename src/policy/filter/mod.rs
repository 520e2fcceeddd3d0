//! Content filters: checks and changes of messages, once per publication.
//!
//! # Order
//!
//! A filter with a lower priority number is asked first; of several with the same, the one that
//! was added first. A filter sees what those before it have changed.
//!
//! # Isolation
//!
//! A filter that panics blocks the message, with [`ErrorCode::HookFailed`].
//!
//! # Cost
//!
//! Without filters: one load of a bit mask per request. A filter reads each string of the payload
//! once.

#[cfg(feature = "filter")]
mod config;
#[cfg(feature = "filter")]
mod fold;
#[cfg(feature = "filter")]
mod kinds;

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use parking_lot::RwLock;

use crate::code::ErrorCode;
use crate::protocol::Fault;
use crate::protocol::Violation;
use crate::quiet::quietly;
use crate::session::CallerInfo;
use crate::session::Draft;

#[cfg(feature = "filter")]
pub use self::config::Action;
#[cfg(feature = "filter")]
pub use self::config::FilterConfig;
#[cfg(feature = "filter")]
pub use self::config::FilterKind;
#[cfg(feature = "filter")]
pub use self::config::InvalidFilter;
#[cfg(feature = "filter")]
pub use self::kinds::BuiltIn;

use super::content::Active;

/// Checks the content of messages before they are published.
///
/// ```
/// use throng::policy::{CallerInfo, ContentFilter, Draft, Filtered};
/// use throng::{Gateway, Hub};
///
/// /// Nothing is sold here.
/// struct NoAdverts;
///
/// impl ContentFilter for NoAdverts {
///     fn name(&self) -> &str {
///         "no adverts"
///     }
///
///     fn filter(&self, _: &CallerInfo, message: &mut Draft) -> Filtered {
///         match message.text().is_some_and(|text| text.contains("for sale")) {
///             true => Filtered::Block("advert".into()),
///             false => Filtered::Pass,
///         }
///     }
/// }
///
/// let gateway = Gateway::builder(Hub::new()).filter(NoAdverts).build();
/// assert_eq!(gateway.filters().list().len(), 1);
/// ```
pub trait ContentFilter: Send + Sync + 'static {
    /// Returns the name, by which the filter is listed, replaced and removed. A message that the
    /// filter flags has it among its flags.
    fn name(&self) -> &str;

    /// Returns the priority: filters with a lower number are asked first. Default 0.
    fn priority(&self) -> i32 {
        0
    }

    /// Returns the kind, for lists. Default `custom`.
    fn kind(&self) -> &'static str {
        "custom"
    }

    /// Checks one message, which it may change. Must not block.
    fn filter(&self, caller: &CallerInfo, message: &mut Draft) -> Filtered;
}

/// The decision of a filter about a message.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Filtered {
    /// The message passes, as it is now.
    Pass,
    /// The message passes, marked with the name of the filter.
    Flag,
    /// The message is refused with [`ErrorCode::MessageBlocked`]; its sender receives this rule,
    /// such as `words`.
    Block(Box<str>),
}

/// The content filters of a gateway. A cheap clone.
#[derive(Clone)]
pub struct Filters {
    inner: Arc<Inner>,
}

struct Inner {
    filters: RwLock<List>,
    active: Arc<Active>,
}

type List = Arc<[Arc<Entry>]>;

struct Entry {
    filter: Box<dyn ContentFilter>,
    checked: AtomicU64,
    blocked: AtomicU64,
    changed: AtomicU64,
    flagged: AtomicU64,
}

/// A content filter, as [`Filters::list`] returns it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct FilterInfo {
    /// Name of the filter.
    pub name: Box<str>,
    /// Kind of the filter.
    pub kind: &'static str,
    /// Priority of the filter.
    pub priority: i32,
    /// Number of messages that it was asked about.
    pub checked: u64,
    /// Number of messages that it blocked.
    pub blocked: u64,
    /// Number of messages that it changed.
    pub changed: u64,
    /// Number of messages that it flagged.
    pub flagged: u64,
}

impl Filters {
    pub(super) fn new(active: Arc<Active>) -> Self {
        Self {
            inner: Arc::new(Inner {
                filters: RwLock::default(),
                active,
            }),
        }
    }

    /// Adds a filter, or replaces the filter of the same name.
    pub fn add(&self, filter: impl ContentFilter) {
        let entry = Arc::new(Entry {
            filter: Box::new(filter),
            checked: AtomicU64::new(0),
            blocked: AtomicU64::new(0),
            changed: AtomicU64::new(0),
            flagged: AtomicU64::new(0),
        });
        let mut list = self.inner.filters.write();
        let mut filters = list.to_vec();
        match filters.iter_mut().find(|it| it.name() == entry.name()) {
            Some(known) => drop(mem::replace(known, entry)),
            None => filters.push(entry),
        }
        // Stable: of the same priority, the first that was added stays first.
        filters.sort_by_key(|entry| entry.filter.priority());
        self.replace(&mut list, filters);
    }

    /// Removes a filter. Returns `false` if there is none of this name.
    #[expect(clippy::must_use_candidate, reason = "the removal is what matters")]
    pub fn remove(&self, name: &str) -> bool {
        let mut list = self.inner.filters.write();
        let mut filters = list.to_vec();
        filters.retain(|entry| entry.name() != name);
        let was_there = filters.len() < list.len();
        self.replace(&mut list, filters);
        was_there
    }

    /// Returns the filters in the order in which they are asked.
    #[must_use]
    pub fn list(&self) -> Vec<FilterInfo> {
        let filters = Arc::clone(&self.inner.filters.read());
        filters.iter().map(|entry| entry.info()).collect()
    }

    fn replace(&self, list: &mut List, filters: Vec<Arc<Entry>>) {
        self.inner.active.filters(!filters.is_empty());
        *list = filters.into();
    }

    pub(super) fn check(&self, who: &CallerInfo, draft: &mut Draft) -> Result<(), Fault> {
        let filters = Arc::clone(&self.inner.filters.read());
        filters.iter().try_for_each(|entry| entry.check(who, draft))
    }
}

impl Entry {
    fn name(&self) -> &str {
        self.filter.name()
    }

    fn check(&self, who: &CallerInfo, draft: &mut Draft) -> Result<(), Fault> {
        count(&self.checked);
        let before = draft.changes();
        let Some(filtered) = quietly(|| self.filter.filter(who, draft)) else {
            let why = "a filter of this server failed; the message was not published";
            return Err(Fault::new(ErrorCode::HookFailed, why));
        };
        if draft.changes() != before {
            count(&self.changed);
        }
        match filtered {
            Filtered::Pass => {}
            Filtered::Flag => {
                count(&self.flagged);
                draft.flag(self.name());
            }
            Filtered::Block(rule) => {
                count(&self.blocked);
                let why = "a content filter of this server blocked the message";
                let fault = Fault::new(ErrorCode::MessageBlocked, why);
                return Err(fault.violations([Violation::new("", rule)]));
            }
        }
        Ok(())
    }

    fn info(&self) -> FilterInfo {
        // Relaxed: counts of their own.
        FilterInfo {
            name: self.name().into(),
            kind: self.filter.kind(),
            priority: self.filter.priority(),
            checked: self.checked.load(Ordering::Relaxed),
            blocked: self.blocked.load(Ordering::Relaxed),
            changed: self.changed.load(Ordering::Relaxed),
            flagged: self.flagged.load(Ordering::Relaxed),
        }
    }
}

fn count(count: &AtomicU64) {
    // Relaxed: nothing else is concluded from it.
    count.fetch_add(1, Ordering::Relaxed);
}

impl fmt::Debug for Filters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.list()).finish()
    }
}

#[cfg(all(test, feature = "filter"))]
mod tests;
