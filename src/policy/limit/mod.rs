//! Rate limits: how often a user, a connection, an address may do what.
//!
//! A [`Limit`] says what it counts (an action or an operation), by which keys it counts, how many
//! requests pass in which time, and by which algorithm. [`GatewayBuilder::limit`] sets it, and
//! [`RateLimits`] changes limits at run time. All limits are one policy: it is asked before every
//! other, about every request of every transport.
//!
//! ```
//! use std::time::Duration;
//! use throng::policy::{Actions, Limit, LimitKey};
//! use throng::{Gateway, Hub};
//!
//! let second = Duration::from_secs(1);
//! let gateway = Gateway::builder(Hub::new())
//!     .limit(Limit::per_user(Actions::PUBLISH, 30, second).burst(60))
//!     .limit(Limit::per_user(Actions::SEND, 5, second).and(LimitKey::Room).named("flood"))
//!     .build();
//! assert_eq!(gateway.limits().list().len(), 2);
//! ```
//!
//! # Counting
//!
//! A request counts for each limit that names its action and whose keys it has: a limit by room
//! does not count what is sent to no room. It passes if all of them let it pass; a request that one
//! refuses is not counted by the others. Requests of a resumed session are not counted, and those
//! of the server's side only where a limit [asks for it](Limit::including_server), or counts by API
//! key.
//!
//! # Memory
//!
//! 17 bytes for each key that a limit has [room for](Limit::max_keys), taken when the limit is
//! added; more keys take none. If more keys than that are in use, those that have used least lose
//! their counts: a flood of keys can loosen a limit, and never tightens it for another key.
//!
//! [`GatewayBuilder::limit`]: crate::GatewayBuilder::limit

mod keys;
mod limiter;
mod limits;
mod parse;
mod preset;
mod run_time;

#[cfg(test)]
mod tests;

use std::error::Error;
use std::fmt;
use std::num::NonZeroU32;
use std::num::NonZeroUsize;
use std::time::Duration;

use crate::policy::rate::MAX_REQUESTS;
use crate::policy::rate::Rate;
use crate::session::Actions;
use crate::session::is_operation;

pub use self::keys::LimitKey;
pub use self::keys::LimitSubject;
pub use self::limiter::Allowance;
pub use self::limiter::Limiter;
pub use self::limits::LimitStats;
pub use self::limits::LimitStatus;
pub use self::limits::RateLimits;
pub use self::limits::UnknownLimit;
pub use self::parse::InvalidLimitText;

pub(crate) use self::limiter::CustomLimiter;

use self::keys::Keys;

/// A rate limit.
///
/// A limit has a text form, as in [`throng serve --rate-limit`](#impl-FromStr-for-Limit):
///
/// ```
/// use throng::policy::Limit;
///
/// let limit: Limit = "chat=per-user+room:send:10/s:burst=20".parse()?;
/// assert_eq!(limit.name(), "chat");
/// // The keys of a product have one order.
/// assert_eq!(limit.to_string(), "chat=per-room+user:send:10/s:burst=20");
/// # Ok::<(), throng::policy::InvalidLimitText>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    name: Box<str>,
    keys: Keys,
    actions: Actions,
    operations: Vec<Box<str>>,
    requests: u32,
    period: Duration,
    algorithm: LimitAlgorithm,
    max_keys: usize,
    server: bool,
}

/// How a [`Limit`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LimitAlgorithm {
    /// A bucket of requests that refills evenly: bursts pass, up to its size.
    TokenBucket {
        /// The most requests that pass at once.
        burst: u32,
    },
    /// No more than the requests in any period, estimated from the counts of two periods.
    SlidingWindow,
}

impl Limit {
    /// The most bytes in the name of a limit.
    pub const MAX_NAME: usize = 64;

    /// The keys that a limit has room for by default.
    pub const MAX_KEYS: usize = 1 << 17;

    /// The most keys that a limit may have room for.
    pub const MOST_KEYS: usize = 1 << 26;

    /// The longest period.
    pub const MAX_PERIOD: Duration = Duration::from_secs(366 * 24 * 3600);

    /// The shortest period.
    pub const MIN_PERIOD: Duration = Duration::from_millis(1);

    /// Creates a limit on what all callers do together: `requests` of these actions in each
    /// `period`.
    #[must_use]
    pub fn overall(actions: Actions, requests: u32, period: Duration) -> Self {
        let limit = Self {
            name: Box::default(),
            keys: Keys::NONE,
            actions,
            operations: Vec::new(),
            requests,
            period,
            algorithm: LimitAlgorithm::TokenBucket { burst: requests },
            max_keys: Self::MAX_KEYS,
            server: false,
        };
        let name = limit.usual_name();
        Self { name, ..limit }
    }

    /// Creates a limit for each value of `key`.
    #[must_use]
    pub fn per(key: LimitKey, actions: Actions, requests: u32, period: Duration) -> Self {
        Self::overall(actions, requests, period).and(key)
    }

    /// Creates a limit for each user; each anonymous connection counts by itself.
    #[must_use]
    pub fn per_user(actions: Actions, requests: u32, period: Duration) -> Self {
        Self::per(LimitKey::User, actions, requests, period)
    }

    /// Creates a limit for each connection. Callers without a connection, as over the REST API,
    /// count by user and address.
    #[must_use]
    pub fn per_connection(actions: Actions, requests: u32, period: Duration) -> Self {
        Self::per(LimitKey::Connection, actions, requests, period)
    }

    /// Creates a limit for each IPv4 address, and for each /64 of IPv6. Callers without an
    /// address, as over a Unix socket, are not counted.
    #[must_use]
    pub fn per_address(actions: Actions, requests: u32, period: Duration) -> Self {
        Self::per(LimitKey::Address, actions, requests, period)
    }

    /// Creates a limit for each room that requests name.
    #[must_use]
    pub fn per_room(actions: Actions, requests: u32, period: Duration) -> Self {
        Self::per(LimitKey::Room, actions, requests, period)
    }

    /// Creates a limit for each channel that requests name.
    #[must_use]
    pub fn per_channel(actions: Actions, requests: u32, period: Duration) -> Self {
        Self::per(LimitKey::Channel, actions, requests, period)
    }

    /// Creates a limit for each API key, whose requests it counts although they are of the server's
    /// side.
    #[must_use]
    pub fn per_api_key(actions: Actions, requests: u32, period: Duration) -> Self {
        Self::per(LimitKey::ApiKey, actions, requests, period)
    }

    /// Counts by this key as well: `per_user(..).and(LimitKey::Room)` counts each user in each
    /// room.
    #[must_use]
    pub fn and(self, key: LimitKey) -> Self {
        self.changed(|limit| limit.keys = limit.keys.with(key))
    }

    /// Counts an operation by its name as well, such as `room.join`.
    #[must_use]
    pub fn operation(self, name: impl Into<Box<str>>) -> Self {
        let name = name.into();
        if self.operations.contains(&name) {
            return self;
        }
        self.changed(|limit| limit.operations.push(name))
    }

    /// Changes what it counts, and its name with it, unless it was given one.
    fn changed(mut self, change: impl FnOnce(&mut Self)) -> Self {
        let is_usual = self.name == self.usual_name();
        change(&mut self);
        if is_usual {
            self.name = self.usual_name();
        }
        self
    }

    /// Sets the name. Default: what the limit counts, such as `per-user.publish`. A limit replaces
    /// that of the same name.
    #[must_use]
    pub fn named(mut self, name: impl Into<Box<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the most requests that pass at once, for a token bucket. Default: those of one
    /// period.
    #[must_use]
    pub fn burst(mut self, requests: u32) -> Self {
        self.algorithm = LimitAlgorithm::TokenBucket { burst: requests };
        self
    }

    /// Counts by a sliding window instead of a token bucket: no bursts beyond the requests of one
    /// period.
    #[must_use]
    pub fn sliding_window(mut self) -> Self {
        self.algorithm = LimitAlgorithm::SlidingWindow;
        self
    }

    /// Sets how many keys there is room for, 17 bytes each. Default [`Limit::MAX_KEYS`].
    #[must_use]
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.max_keys = keys;
        self
    }

    /// Counts requests of the server's side as well. Default: not.
    #[must_use]
    pub fn including_server(mut self) -> Self {
        self.server = true;
        self
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the keys by which it counts; none if it counts all callers together.
    pub fn keys(&self) -> impl Iterator<Item = LimitKey> {
        self.keys.iter()
    }

    /// Returns the kinds of requests that it counts, beside its [operations](Self::operations).
    #[must_use]
    pub const fn actions(&self) -> Actions {
        self.actions
    }

    /// Returns the operations that it counts by name.
    pub fn operations(&self) -> impl Iterator<Item = &str> {
        self.operations.iter().map(|name| &**name)
    }

    /// Returns the requests that pass in each period.
    #[must_use]
    pub const fn requests(&self) -> u32 {
        self.requests
    }

    /// Returns the period.
    #[must_use]
    pub const fn period(&self) -> Duration {
        self.period
    }

    /// Returns how it counts.
    #[must_use]
    pub const fn algorithm(&self) -> LimitAlgorithm {
        self.algorithm
    }

    /// Returns the number of keys that there is room for.
    #[must_use]
    pub const fn key_capacity(&self) -> usize {
        self.max_keys
    }

    /// Returns whether it counts requests of the server's side.
    #[must_use]
    pub const fn includes_server(&self) -> bool {
        self.server
    }

    /// Checks that it can be enforced.
    ///
    /// # Errors
    ///
    /// [`InvalidLimit`] names the first thing that is wrong.
    pub fn validate(&self) -> Result<(), InvalidLimit> {
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let is_name = (1..=Self::MAX_NAME).contains(&self.name.len());
        if !is_name || !self.name.chars().all(is_of_name) {
            return Err(InvalidLimit::Name);
        }
        if self.actions == Actions::NONE && self.operations.is_empty() {
            return Err(InvalidLimit::CountsNothing);
        }
        let unknown = self.operations().find(|name| !is_operation(name));
        if let Some(name) = unknown {
            return Err(InvalidLimit::UnknownOperation(name.into()));
        }
        if !(Self::MIN_PERIOD..=Self::MAX_PERIOD).contains(&self.period) {
            return Err(InvalidLimit::Period);
        }
        if self.requests == 0 || u128::from(self.requests) > self.period.as_nanos() {
            return Err(InvalidLimit::Requests);
        }
        if !(1..=Self::MOST_KEYS).contains(&self.max_keys) {
            return Err(InvalidLimit::MaxKeys);
        }
        match self.algorithm {
            LimitAlgorithm::TokenBucket { burst } => self.validate_burst(burst),
            LimitAlgorithm::SlidingWindow if self.requests > MAX_REQUESTS => {
                Err(InvalidLimit::Requests)
            }
            LimitAlgorithm::SlidingWindow if self.period < MIN_WINDOW => Err(InvalidLimit::Period),
            LimitAlgorithm::SlidingWindow => Ok(()),
        }
    }

    fn validate_burst(&self, burst: u32) -> Result<(), InvalidLimit> {
        let refilled = self.period.as_nanos() * u128::from(burst) / u128::from(self.requests);
        if burst == 0 || refilled > 10 * Self::MAX_PERIOD.as_nanos() {
            return Err(InvalidLimit::Burst);
        }
        Ok(())
    }

    /// Returns the requests that pass at once when nothing was used, and the time in which as many
    /// pass again.
    fn quota(&self) -> (u32, Duration) {
        match self.algorithm {
            LimitAlgorithm::TokenBucket { burst } => {
                let each = self.period.as_nanos() / u128::from(self.requests.max(1));
                let whole = u64::try_from(each * u128::from(burst)).unwrap_or(u64::MAX);
                (burst, Duration::from_nanos(whole))
            }
            LimitAlgorithm::SlidingWindow => (self.requests, self.period),
        }
    }

    /// Returns the rate; `None` if the limit is not valid.
    fn rate(&self) -> Option<Rate> {
        let requests = NonZeroU32::new(self.requests)?;
        Some(match self.algorithm {
            LimitAlgorithm::TokenBucket { burst } => {
                Rate::bucket(requests, self.period, NonZeroU32::new(burst)?)
            }
            LimitAlgorithm::SlidingWindow => Rate::window(requests, self.period),
        })
    }

    fn room_for(&self) -> NonZeroUsize {
        NonZeroUsize::new(self.max_keys).unwrap_or(NonZeroUsize::MIN)
    }
}

/// The shortest window: threads may differ by some windows in the time that they have read.
const MIN_WINDOW: Duration = Duration::from_millis(100);

/// The reason for which a [`Limit`] cannot be enforced.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidLimit {
    /// The burst is 0, or takes more than ten years to flow back.
    Burst,
    /// It names neither an action nor an operation.
    CountsNothing,
    /// It has room for no keys, or for more than [`Limit::MOST_KEYS`].
    MaxKeys,
    /// The name is empty, longer than [`Limit::MAX_NAME`], or has other characters than letters,
    /// digits, `.`, `_` and `-`.
    Name,
    /// The period is shorter than [`Limit::MIN_PERIOD`] (for a sliding window, than 100 ms), or
    /// longer than [`Limit::MAX_PERIOD`].
    Period,
    /// It lets no request pass, or more than one in a nanosecond, or, for a sliding window, more
    /// than 1,048,575 in a period.
    Requests,
    /// There are 64 limits already.
    TooMany,
    /// No operation has this name.
    UnknownOperation(Box<str>),
}

impl InvalidLimit {
    /// The argument of `limit.add` that is wrong.
    pub(crate) const fn field(&self) -> Option<&'static str> {
        Some(match self {
            Self::Burst => "burst",
            Self::CountsNothing | Self::UnknownOperation(_) => "actions",
            Self::MaxKeys => "max_keys",
            Self::Name => "name",
            Self::Period => "period_ms",
            Self::Requests => "requests",
            Self::TooMany => return None,
        })
    }
}

impl fmt::Display for InvalidLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Burst => f.write_str(
                "the burst of a rate limit must be at least 1, and flow back within ten years",
            ),
            Self::CountsNothing => {
                f.write_str("a rate limit must count at least one action or operation")
            }
            Self::MaxKeys => write!(
                f,
                "a rate limit must have room for 1 to {} keys",
                Limit::MOST_KEYS
            ),
            Self::Name => write!(
                f,
                "the name of a rate limit must be 1 to {} letters, digits, `.`, `_` and `-`",
                Limit::MAX_NAME
            ),
            Self::Period => f.write_str(
                "the period of a rate limit must be 1 ms (of a sliding window 100 ms) to 366 days",
            ),
            Self::Requests => write!(
                f,
                "a rate limit must let at least 1 request pass, at most one in a nanosecond, and in a \
                 sliding window at most {MAX_REQUESTS}"
            ),
            Self::TooMany => write!(f, "there are {} rate limits already", limits::MAX_LIMITS),
            Self::UnknownOperation(name) => write!(f, "no operation is called `{name}`"),
        }
    }
}

impl Error for InvalidLimit {}
