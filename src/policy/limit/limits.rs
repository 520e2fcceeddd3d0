//! All limits of a gateway, as one policy.

use std::error::Error;
use std::fmt;
use std::num::NonZeroU32;
use std::num::NonZeroU64;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use ahash::RandomState;
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::code::ErrorCode;
use crate::disconnect::Disconnect;
use crate::layers::Timestamp;
use crate::policy::rate::OwnRates;
use crate::policy::rate::Rate;
use crate::policy::rate::Store;
use crate::policy::rate::Usage;
use crate::protocol::Fault;
use crate::protocol::Quota;
use crate::protocol::Request;
use crate::session::Actions;
use crate::session::Caller;
use crate::session::Interest;
use crate::session::Origin;
use crate::session::Policy;
use crate::session::Verdict;
use crate::time::Clock;
use crate::time::SystemClock;

use super::InvalidLimit;
use super::Limit;
use super::LimitKey;
use super::LimitSubject;
use super::keys::Keys;

/// The most limits of a gateway.
pub(super) const MAX_LIMITS: usize = 64;

/// The rate limits of a gateway: shown, added and removed at run time. A cheap clone.
///
/// [`Gateway::limits`](crate::Gateway::limits) returns it.
///
/// ```
/// use std::time::Duration;
/// use throng::policy::{Actions, Limit, LimitSubject};
/// use throng::{Gateway, Hub};
///
/// let gateway = Gateway::new(Hub::new());
/// let limits = gateway.limits();
/// let limit = Limit::per_user(Actions::PUBLISH, 30, Duration::from_secs(1)).burst(60);
/// limits.add(limit.named("chat"))?;
/// let status = limits.status("chat", &LimitSubject::new().user("ada"))?;
/// assert_eq!(status.remaining(), 60);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct RateLimits {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Arc<dyn Clock>,
    /// Time is counted from here.
    since: Instant,
    /// The time of day at that time, for clocks that do not know it later.
    began: Duration,
    hasher: RandomState,
    limits: ArcSwap<Vec<Arc<Entry>>>,
    /// Held while the limits are changed.
    changing: Mutex<()>,
    /// The rates that API keys have of their own, from the first request of one on.
    own: OnceLock<OwnRates>,
    /// The actions that any limit counts.
    interest: Arc<Interest>,
    max_refused: Option<NonZeroU32>,
    /// Whether responses over HTTP announce the limits.
    headers: bool,
}

/// A limit, and what is counted for it.
struct Entry {
    limit: Limit,
    /// The actions that include its operations.
    actions: Actions,
    store: Store,
    refused: AtomicU64,
}

/// The rate that an API key has of its own, and where it is counted.
struct Own<'a> {
    rates: &'a OwnRates,
    key: NonZeroU64,
    rate: Rate,
    requests: NonZeroU32,
}

/// The API keys with rates of their own that there is room for, 17 bytes each.
const MAX_API_KEYS: NonZeroUsize = NonZeroUsize::MIN.saturating_add((1 << 13) - 1);

/// The name of the rate of an API key in headers.
const OWN: &str = "api-key";

const SECOND: Duration = Duration::from_secs(1);

/// Requests that were taken, until it is known whether all limits let them pass.
type Taken = SmallVec<[(Arc<Entry>, NonZeroU64); 4]>;

impl Entry {
    fn new(limit: Limit) -> Result<Self, InvalidLimit> {
        limit.validate()?;
        let rate = limit.rate().ok_or(InvalidLimit::Requests)?;
        let store = match limit.keys {
            Keys::NONE => Store::one(rate),
            _ => Store::keyed(rate, limit.room_for()),
        };
        let by_name = limit.operations().map(Actions::named);
        Ok(Self {
            actions: by_name.fold(limit.actions, Actions::or),
            store,
            refused: AtomicU64::new(0),
            limit,
        })
    }

    /// Returns whether it counts requests of this caller.
    fn counts(&self, caller: &Caller<'_>) -> bool {
        !caller.is_server() || self.limit.server || self.limit.keys.has(LimitKey::ApiKey)
    }

    /// Returns whether it counts requests for this operation.
    fn names(&self, action: Actions, name: &str) -> bool {
        self.limit.actions.meets(action) || self.limit.operations().any(|known| known == name)
    }
}

impl RateLimits {
    /// Creates limits that limit nothing yet. With `max_refused`, a connection is closed with
    /// [`Disconnect::RATE_LIMITED`] when more requests than that were refused in a row.
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        max_refused: Option<NonZeroU32>,
        headers: bool,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                since: clock.now(),
                began: clock
                    .unix_time()
                    .unwrap_or_else(|| SystemClock::new().since_unix_epoch()),
                clock,
                hasher: RandomState::new(),
                limits: ArcSwap::default(),
                changing: Mutex::new(()),
                own: OnceLock::new(),
                interest: Arc::default(),
                max_refused,
                headers,
            }),
        }
    }

    /// Adds a limit, which counts from now on. It takes the place of that of the same name, whose
    /// counts are lost; returns that one.
    ///
    /// # Errors
    ///
    /// [`InvalidLimit`]: it cannot be enforced, or there are 64 limits.
    pub fn add(&self, limit: Limit) -> Result<Option<Limit>, InvalidLimit> {
        let entry = Arc::new(Entry::new(limit)?);
        let _changing = self.inner.changing.lock();
        let mut limits = Vec::clone(&self.inner.limits.load());
        let same = |known: &Arc<Entry>| known.limit.name == entry.limit.name;
        let replaced = match limits.iter().position(same) {
            Some(index) => Some(std::mem::replace(&mut limits[index], entry)),
            None if limits.len() >= MAX_LIMITS => return Err(InvalidLimit::TooMany),
            None => {
                limits.push(entry);
                None
            }
        };
        self.set(limits);
        Ok(replaced.map(|entry| entry.limit.clone()))
    }

    /// Removes a limit and its counts; returns it, if there was one of this name.
    #[expect(clippy::must_use_candidate, reason = "it is gone either way")]
    pub fn remove(&self, name: &str) -> Option<Limit> {
        let _changing = self.inner.changing.lock();
        let mut limits = Vec::clone(&self.inner.limits.load());
        let index = limits.iter().position(|entry| *entry.limit.name == *name)?;
        let removed = limits.remove(index);
        self.set(limits);
        Some(removed.limit.clone())
    }

    fn set(&self, limits: Vec<Arc<Entry>>) {
        self.inner.limits.store(Arc::new(limits));
        self.update_interest();
    }

    fn update_interest(&self) {
        let limits = self.inner.limits.load();
        let of = |all: Actions, entry: &Arc<Entry>| all.or(entry.actions);
        let begin = match self.inner.own.get() {
            Some(_) => Actions::ALL,
            None => Actions::NONE,
        };
        self.inner.interest.set(limits.iter().fold(begin, of));
    }

    /// Counts the requests of API keys that have a rate of their own, from now on.
    pub(super) fn count_own_rates(&self) {
        if self.inner.own.get().is_some() {
            return;
        }
        let _changing = self.inner.changing.lock();
        self.inner.own.get_or_init(|| OwnRates::new(MAX_API_KEYS));
        self.update_interest();
    }

    /// The rate that the API key of a caller has of its own.
    fn own_of<'a>(&'a self, caller: &Caller<'_>) -> Option<Own<'a>> {
        let rates = self.inner.own.get()?;
        let requests = caller.identity()?.max_rate()?;
        let key = LimitSubject::new().api_key(caller.api_key()?);
        Some(Own {
            rates,
            key: key.hash(Keys::NONE.with(LimitKey::ApiKey), &self.inner.hasher)?,
            rate: Rate::bucket(requests, SECOND, requests),
            requests,
        })
    }

    /// Takes one request of the rate that the API key of a caller has of its own.
    fn take_own(&self, caller: &Caller<'_>, now: u64) -> Result<(), Fault> {
        let Some(own) = self.own_of(caller) else {
            return Ok(());
        };
        let taken = own.rates.take(own.key, &own.rate, now);
        taken.map_err(|wait| {
            let millis = wait.as_nanos().div_ceil(1_000_000);
            let rate = own.requests;
            let why =
                format!("the rate of this API key, {rate}/s, is reached; try again in {millis} ms");
            Fault::new(ErrorCode::RateLimited, why)
                .retry_after(wait)
                .quota(self.own_quota(&own, now))
        })
    }

    fn own_quota(&self, own: &Own<'_>, now: u64) -> Quota {
        let usage = own.rates.usage(own.key, &own.rate, now);
        Quota {
            name: OWN.into(),
            requests: own.requests.get(),
            window: SECOND,
            remaining: usage.remaining,
            reset: usage.reset,
            reset_at: self.time_after(usage.reset),
            is_announced: self.inner.headers,
        }
    }

    /// Returns the limits in the order in which they were added.
    #[must_use]
    pub fn list(&self) -> Vec<LimitStats> {
        let limits = self.inner.limits.load();
        let stats = |entry: &Arc<Entry>| LimitStats {
            limit: entry.limit.clone(),
            capacity: entry.store.capacity(),
            evicted: entry.store.evicted(),
            // Relaxed: a figure for people.
            refused: entry.refused.load(Ordering::Relaxed),
        };
        limits.iter().map(stats).collect()
    }

    /// Returns whether any limit counts by this key.
    pub(crate) fn count_by(&self, key: LimitKey) -> bool {
        let limits = self.inner.limits.load();
        limits.iter().any(|entry| entry.limit.keys.has(key))
    }

    /// Returns what is left of a limit to a subject. Counts nothing.
    ///
    /// # Errors
    ///
    /// [`UnknownLimit`]: there is no limit of this name, or the subject lacks one of its keys.
    pub fn status(
        &self,
        name: &str,
        subject: &LimitSubject<'_>,
    ) -> Result<LimitStatus, UnknownLimit> {
        let (entry, key) = self.find(name, subject)?;
        Ok(self.status_of(&entry, key))
    }

    /// Clears what a limit has counted of a subject; returns whether that was anything.
    ///
    /// # Errors
    ///
    /// As of [`Self::status`].
    pub fn reset(&self, name: &str, subject: &LimitSubject<'_>) -> Result<bool, UnknownLimit> {
        let (entry, key) = self.find(name, subject)?;
        Ok(entry.store.reset(key, self.now()))
    }

    fn find(
        &self,
        name: &str,
        subject: &LimitSubject<'_>,
    ) -> Result<(Arc<Entry>, NonZeroU64), UnknownLimit> {
        let limits = self.inner.limits.load();
        let entry = limits.iter().find(|entry| *entry.limit.name == *name);
        let entry = entry.ok_or(UnknownLimit::Name)?;
        let keys = entry.limit.keys;
        let hash = subject.hash(keys, &self.inner.hasher);
        match hash {
            Some(key) if subject.is_whole(keys) => Ok((Arc::clone(entry), key)),
            _ => Err(UnknownLimit::Subject(keys.iter().collect())),
        }
    }

    fn status_of(&self, entry: &Entry, key: NonZeroU64) -> LimitStatus {
        let usage = entry.store.usage(key, self.now());
        LimitStatus {
            quota: entry.limit.quota().0,
            reset_at: self.time_after(usage.reset),
            usage,
        }
    }

    /// Returns what is left to this caller of the limits that count such a request, over HTTP: of
    /// the one that has the least left. Counts nothing.
    #[cfg(feature = "server")]
    pub(crate) fn watch(&self, caller: &Caller<'_>, request: &Request) -> Option<Watched> {
        if !self.inner.headers {
            return None;
        }
        if caller.identity().is_some_and(|it| it.max_rate().is_some()) {
            self.count_own_rates();
        }
        let mut watched = Taken::new();
        self.each(caller, request, |entry, key| {
            watched.push((Arc::clone(entry), key));
            Ok::<(), ()>(())
        })
        .ok();
        let own = self.own_of(caller).map(|own| (own.key, own.requests));
        (!watched.is_empty() || own.is_some()).then(|| Watched {
            limits: self.clone(),
            watched,
            own,
        })
    }

    /// Calls `visit` for each limit that counts this request, with its key, until that fails.
    fn each<E>(
        &self,
        caller: &Caller<'_>,
        request: &Request,
        mut visit: impl FnMut(&Arc<Entry>, NonZeroU64) -> Result<(), E>,
    ) -> Result<(), E> {
        let limits = self.inner.limits.load();
        let action = Actions::of(&request.command);
        let name = request.command.name();
        let counts = |entry: &&Arc<Entry>| entry.counts(caller) && entry.names(action, name);
        let counting = limits.iter().filter(counts);
        let keys = counting
            .clone()
            .fold(Keys::NONE, |keys, entry| keys.or(entry.limit.keys));
        let subject = LimitSubject::of(caller, &request.command, keys);
        for entry in counting {
            if let Some(key) = subject.hash(entry.limit.keys, &self.inner.hasher) {
                visit(entry, key)?;
            }
        }
        Ok(())
    }

    /// The fault of a request that a limit refuses.
    fn fault(&self, entry: &Entry, key: NonZeroU64, wait: Duration) -> Fault {
        // Relaxed: a figure for people.
        entry.refused.fetch_add(1, Ordering::Relaxed);
        let usage = entry.store.usage(key, self.now());
        let (name, rate) = (entry.limit.name(), entry.limit.rate_text());
        let millis = wait.as_nanos().div_ceil(1_000_000);
        let why = format!("rate limit `{name}` of {rate} reached; try again in {millis} ms");
        let quota = self.quota(&entry.limit, usage);
        Fault::new(ErrorCode::RateLimited, why)
            .retry_after(wait)
            .quota(quota)
    }

    fn quota(&self, limit: &Limit, usage: Usage) -> Quota {
        let (requests, window) = limit.quota();
        Quota {
            name: limit.name.clone(),
            requests,
            window,
            remaining: usage.remaining,
            reset: usage.reset,
            reset_at: self.time_after(usage.reset),
            is_announced: self.inner.headers,
        }
    }

    /// Counts a refusal, and closes a connection that goes on all the same.
    pub(super) fn refused(&self, caller: &Caller<'_>) {
        let Some((meter, client)) = caller.meter().zip(caller.client()) else {
            return;
        };
        // Relaxed: a count of its own.
        let refused = meter.refused.fetch_add(1, Ordering::Relaxed);
        if self
            .inner
            .max_refused
            .is_some_and(|max| refused >= max.get())
        {
            client.close(Disconnect::RATE_LIMITED);
        }
    }

    fn now(&self) -> u64 {
        let elapsed = self.inner.clock.now();
        let elapsed = elapsed.saturating_duration_since(self.inner.since);
        u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
    }

    fn time_after(&self, wait: Duration) -> Timestamp {
        let now = self.inner.clock.unix_time();
        let elapsed = || Duration::from_nanos(self.now());
        let now = now.unwrap_or_else(|| self.inner.began.saturating_add(elapsed()));
        Timestamp::since_unix_epoch(now.saturating_add(wait))
    }
}

impl Policy for RateLimits {
    fn name(&self) -> &str {
        "rate limits"
    }

    fn actions(&self) -> Actions {
        Actions::NONE
    }

    fn interest(&self) -> Option<Arc<Interest>> {
        Some(Arc::clone(&self.inner.interest))
    }

    fn check(&self, caller: &Caller<'_>, request: &mut Request) -> Verdict {
        if matches!(caller.origin(), Origin::Claim | Origin::Restored) {
            return Verdict::Pass;
        }
        let now = self.now();
        let mut taken = Taken::new();
        let checked = self.each(caller, request, |entry, key| {
            match entry.store.take(key, now) {
                Ok(()) => {
                    taken.push((Arc::clone(entry), key));
                    Ok(())
                }
                Err(wait) => Err(self.fault(entry, key, wait)),
            }
        });
        let is_counted = !taken.is_empty() || self.inner.own.get().is_some();
        let checked = checked.and_then(|()| self.take_own(caller, now));
        match checked {
            Ok(()) => {
                if let Some(meter) = caller.used_meter().filter(|_| is_counted) {
                    // Relaxed: as in `refused`.
                    meter.refused.store(0, Ordering::Relaxed);
                }
                Verdict::Pass
            }
            Err(fault) => {
                for (entry, key) in taken {
                    entry.store.give_back(key, now);
                }
                self.refused(caller);
                Verdict::Refuse(fault)
            }
        }
    }
}

impl fmt::Debug for RateLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = self.inner.limits.load();
        let limits = limits.iter().map(|entry| &entry.limit);
        f.debug_list().entries(limits).finish()
    }
}

/// The limits that count a request, for the headers of the response to it.
#[cfg(feature = "server")]
pub(crate) struct Watched {
    limits: RateLimits,
    watched: Taken,
    own: Option<(NonZeroU64, NonZeroU32)>,
}

#[cfg(feature = "server")]
impl Watched {
    /// Returns what is left now of the limit that has the least left.
    pub(crate) fn quota(&self) -> Option<Quota> {
        let now = self.limits.now();
        let quotas = self.watched.iter().map(|(entry, key)| {
            let usage = entry.store.usage(*key, now);
            self.limits.quota(&entry.limit, usage)
        });
        let rates = self.limits.inner.own.get();
        let own = self.own.zip(rates).map(|((key, requests), rates)| {
            let rate = Rate::bucket(requests, SECOND, requests);
            let own = Own {
                rates,
                key,
                rate,
                requests,
            };
            self.limits.own_quota(&own, now)
        });
        quotas.chain(own).min_by_key(|quota| quota.remaining)
    }
}

/// A limit, and what it has counted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitStats {
    /// The limit that is counted.
    pub limit: Limit,
    /// The number of keys that there is room for.
    pub capacity: usize,
    /// Keys that lost their counts because there was no room.
    pub evicted: u64,
    /// Requests that it has refused.
    pub refused: u64,
}

/// The part of a limit that is left to a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitStatus {
    quota: u32,
    usage: Usage,
    reset_at: Timestamp,
}

impl LimitStatus {
    /// Returns whether a request would pass now.
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        self.usage.remaining > 0
    }

    /// Returns the requests that pass at once when nothing was used.
    #[must_use]
    pub const fn quota(&self) -> u32 {
        self.quota
    }

    /// Returns the requests that would pass now.
    #[must_use]
    pub const fn remaining(&self) -> u32 {
        self.usage.remaining
    }

    /// Returns the time until a request passes; zero if one passes now.
    #[must_use]
    pub const fn retry_after(&self) -> Duration {
        self.usage.wait
    }

    /// Returns the time at which nothing of it is used, if there are no more requests.
    #[must_use]
    pub const fn reset_at(&self) -> Timestamp {
        self.reset_at
    }
}

/// The error returned for a limit that does not exist, or that counts otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnknownLimit {
    /// No limit has this name.
    Name,
    /// The subject must have these keys.
    Subject(Vec<LimitKey>),
}

impl fmt::Display for UnknownLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("no rate limit has this name"),
            Self::Subject(keys) => {
                let names: Vec<_> = keys.iter().map(|key| key.as_str()).collect();
                write!(f, "this rate limit counts by {}", names.join(" and "))
            }
        }
    }
}

impl Error for UnknownLimit {}
