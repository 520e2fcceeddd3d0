//! Which messages a subscriber wants.

use std::fmt;
use std::sync::Arc;
use std::sync::Weak;

use crate::message::Message;
use crate::quiet::Quiet;
use crate::quiet::quietly;

/// Which messages of a channel a subscriber wants; the others are not put into its outbox, and
/// their offsets are missing from what it receives.
///
/// Clones are the same filter. All subscribers of a channel with the same filter are one group, for
/// which it is evaluated once per message, however many they are; so share one where you can.
///
/// It is called by whoever publishes, in the middle of the channel: it must be quick, and must not
/// use the hub. A filter that panics wants nothing of that message;
/// the panic is [counted](crate::HubStats::panics).
///
/// ```
/// use throng::{Filter, Message};
///
/// let short = Filter::new(|message: &Message| message.payload().len() < 100);
/// assert!(short.wants(&Message::text("hello")));
/// ```
#[derive(Clone)]
pub struct Filter(Arc<Quiet<Predicate>>);

type Predicate = Box<dyn Fn(&Message) -> bool + Send + Sync>;

impl Filter {
    /// A filter that wants what `wants` says.
    pub fn new(wants: impl Fn(&Message) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(Quiet::new(Box::new(wants))))
    }

    /// Whether it wants this message.
    #[must_use]
    pub fn wants(&self, message: &Message) -> bool {
        // Nothing of ours is touched in there, so that nothing can be left half done.
        quietly(|| (self.0.get())(message)).unwrap_or(false)
    }

    /// The filter that wants what both want.
    pub(super) fn both(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(Self::new(move |message| {
                one.wants(message) && other.wants(message)
            })),
            (one, other) => one.or(other),
        }
    }

    /// Whether both are the same, not only equal in what they want.
    #[must_use]
    pub fn ptr_eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The filter, as one remembers it who does not keep it.
    #[must_use]
    pub fn downgrade(&self) -> WeakFilter {
        WeakFilter(Arc::downgrade(&self.0))
    }

    /// A number that no other filter has while this one lives.
    pub(super) fn identity(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

/// A [`Filter`], as long as somebody else keeps it.
#[derive(Clone)]
pub struct WeakFilter(Weak<Quiet<Predicate>>);

impl WeakFilter {
    /// The filter, if somebody has it yet.
    #[must_use]
    pub fn upgrade(&self) -> Option<Filter> {
        self.0.upgrade().map(Filter)
    }
}

impl fmt::Debug for WeakFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WeakFilter").field(&self.upgrade()).finish()
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Filter").field(&self.identity()).finish()
    }
}
