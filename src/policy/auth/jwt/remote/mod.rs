//! Keys from a URL, as identity providers publish them.
//!
//! # Cost
//!
//! Keys are fetched when the first token needs them, and again when they are too old: after what
//! `Cache-Control` says, but not sooner than a minute and not later than a day. One fetch is under
//! way at a time, whatever comes; it takes at most 5 s and reads at most 1 MiB.
//!
//! # Floods
//!
//! A token may name any key. A name that no key has causes one fetch in 30 s at most, and is not
//! asked for again within a minute. Such names are bounded, and none of them ever drives out a key.
//!
//! # Failures
//!
//! While the provider does not answer, the last keys are used for a day beyond their time. Without
//! keys, tokens are refused as `auth_unavailable`.

mod fetch;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use hyper::Uri;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::RootCertStore;

use crate::time::Clock;

use super::super::time::TimeOfDay;
use super::keys::Asked;
use super::keys::Found;
use super::keys::KeySet;

use self::fetch::Fetched;

pub use self::fetch::FetchError;
pub use self::fetch::InvalidUrl;

/// A URL at which a provider publishes its keys, a JSON Web Key Set.
///
/// ```
/// use throng::policy::jwt::{Jwt, JwksUrl, Keys};
///
/// let url = JwksUrl::parse("https://id.example/.well-known/jwks.json")?;
/// let jwt = Jwt::keys(Keys::from_url(url)?).audience("chat");
/// assert!(JwksUrl::parse("http://id.example/jwks.json").is_err(), "not encrypted");
/// # let _ = jwt;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct JwksUrl {
    uri: Uri,
    /// Certificates to trust; `None` for those of the system.
    roots: Option<RootCertStore>,
    timeout: Duration,
    time: TimeOfDay,
}

impl JwksUrl {
    /// Reads a URL: one of `https`, or, for tests and for a provider on the same machine, of `http`
    /// to a loopback address or to `localhost`.
    ///
    /// # Errors
    ///
    /// [`InvalidUrl`]: it is none of these, or holds a user name or a password.
    pub fn parse(url: &str) -> Result<Self, InvalidUrl> {
        let uri = url.parse().map_err(|_| InvalidUrl::Malformed)?;
        fetch::check(&uri)?;
        Ok(Self {
            uri,
            roots: None,
            timeout: Duration::from_secs(5),
            time: TimeOfDay::default(),
        })
    }

    /// Sets the clock, by which keys get too old. Default: that of the operating system.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.time = TimeOfDay::new(Arc::new(clock));
        self
    }

    /// Trusts the certificates in a PEM text, and no others. Default: those that the system trusts.
    ///
    /// # Errors
    ///
    /// [`InvalidUrl::Certificates`]: there is no certificate in `pem`, or one that cannot be read.
    pub fn root_certificates(mut self, pem: &[u8]) -> Result<Self, InvalidUrl> {
        self.roots = Some(fetch::roots(pem)?);
        Ok(self)
    }

    /// Sets how long a fetch may take. Default: 5 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl fmt::Debug for JwksUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JwksUrl").field(&self.to_string()).finish()
    }
}

/// Writes the URL without its query, which may hold a secret.
impl fmt::Display for JwksUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.uri.scheme_str().unwrap_or_default();
        let host = self.uri.host().unwrap_or_default();
        write!(f, "{scheme}://{host}")?;
        if let Some(port) = self.uri.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(self.uri.path())
    }
}

/// The time within which a name that no key has causes no second fetch.
const UNKNOWN_EVERY: Duration = Duration::from_secs(30);
/// The time for which a name is known to be that of no key.
const UNKNOWN_FOR: Duration = Duration::from_secs(60);
/// The most such names.
const MAX_UNKNOWN: usize = 1024;
/// The pause after a fetch that failed.
const RETRY_AFTER: Duration = Duration::from_secs(10);
/// The time beyond theirs for which keys are used while no newer ones can be fetched.
const STALE_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// The keys at a URL. Clones share them.
#[derive(Clone)]
pub(super) struct Remote {
    inner: Arc<Inner>,
}

struct Inner {
    url: JwksUrl,
    tls: TlsConnector,
    state: Mutex<State>,
}

struct State {
    keys: Option<Arc<KeySet>>,
    /// The keys are as good as new until then.
    fresh_until: Instant,
    /// No fetch before this, after one that failed.
    retry_at: Instant,
    /// No fetch for a name that no key has before this.
    unknown_at: Instant,
    unknown: HashMap<Box<str>, Instant>,
    /// Closed when the fetch that is under way is over.
    fetching: Option<watch::Receiver<()>>,
    last_error: Option<Arc<FetchError>>,
}

/// A question that is answered when the fetch that is under way is over.
pub(super) struct Later {
    remote: Remote,
    id: Option<Box<str>>,
    over: watch::Receiver<()>,
}

impl Remote {
    pub(super) fn new(url: JwksUrl) -> Result<Self, InvalidUrl> {
        let tls = fetch::connector(url.roots.clone())?;
        let now = url.time.instant();
        let state = State {
            keys: None,
            fresh_until: now,
            retry_at: now,
            unknown_at: now,
            unknown: HashMap::new(),
            fetching: None,
            last_error: None,
        };
        Ok(Self {
            inner: Arc::new(Inner {
                url,
                tls,
                state: Mutex::new(state),
            }),
        })
    }

    /// Returns the key of this id, or begins to fetch keys.
    pub(super) fn find(&self, id: Option<&str>) -> Asked {
        let now = self.inner.url.time.instant();
        let mut state = self.inner.state.lock();
        let is_fresh = now < state.fresh_until;
        let usable = state.usable(now).map(|keys| keys.find(id));
        let begins = match (usable, id) {
            // Of one fetch, everyone who waits for a key gets the answer.
            (Some(Found::Unknown), Some(id)) if state.is_fetching() => {
                state.knows_unknown(id, now).then_some(Found::Unknown)
            }
            (Some(Found::Unknown), Some(id)) if is_fresh => {
                let known = state.knows_unknown(id, now) || now < state.unknown_at;
                known.then_some(Found::Unknown)
            }
            (Some(found), _) if is_fresh || now < state.retry_at => Some(found),
            (None, _) if now < state.retry_at => Some(Found::Unavailable),
            _ => None,
        };
        if let Some(answer) = begins {
            return Asked::Now(answer);
        }
        let over = match &state.fetching {
            Some(over) => over.clone(),
            None => match self.begin(&mut state, now) {
                Some(over) => over,
                None => return Asked::Now(Found::Unavailable),
            },
        };
        Asked::Later(Later {
            remote: self.clone(),
            id: id.map(Into::into),
            over,
        })
    }

    /// Fetches the keys now, and waits until they are there.
    pub(super) async fn refresh(&self) -> Result<(), Arc<FetchError>> {
        let over = {
            let mut state = self.inner.state.lock();
            let now = self.inner.url.time.instant();
            match &state.fetching {
                Some(over) => Some(over.clone()),
                None => self.begin(&mut state, now),
            }
        };
        if let Some(mut over) = over {
            // An error: the fetch is over.
            while over.changed().await.is_ok() {}
        }
        let state = self.inner.state.lock();
        state.last_error.clone().map_or(Ok(()), Err)
    }

    /// Begins to fetch in a task of its own, which goes on when those who wait give up; `None`
    /// outside a runtime.
    fn begin(&self, state: &mut State, now: Instant) -> Option<watch::Receiver<()>> {
        let runtime = Handle::try_current().ok()?;
        state.unknown_at = now + UNKNOWN_EVERY;
        let (sender, over) = watch::channel(());
        state.fetching = Some(over.clone());
        let remote = self.clone();
        // Also when the task panics or ends with its runtime.
        let ends = Ends(remote.clone(), Some(sender));
        runtime.spawn(async move {
            let Inner { url, tls, .. } = &*remote.inner;
            let fetched = fetch::fetch(&url.uri, tls, url.timeout).await;
            remote.store(fetched);
            drop(ends);
        });
        Some(over)
    }

    fn store(&self, fetched: Result<Fetched, FetchError>) {
        let now = self.inner.url.time.instant();
        let mut state = self.inner.state.lock();
        match fetched {
            Ok(Fetched { keys, ttl }) => {
                state.keys = Some(Arc::new(keys));
                state.fresh_until = now + ttl;
                state.retry_at = now;
                state.last_error = None;
            }
            Err(error) => {
                #[cfg(feature = "tracing")]
                tracing::warn!(url = %self.inner.url, "keys could not be fetched: {error}");
                state.retry_at = now + RETRY_AFTER;
                state.last_error = Some(Arc::new(error));
            }
        }
    }

    /// Answers after a fetch is over.
    fn answer(&self, id: Option<&str>) -> Found {
        let now = self.inner.url.time.instant();
        let mut state = self.inner.state.lock();
        let Some(keys) = state.usable(now) else {
            return Found::Unavailable;
        };
        let found = keys.find(id);
        if let (Found::Unknown, Some(id), None) = (&found, id, &state.last_error) {
            state.note_unknown(id, now);
        }
        found
    }
}

impl State {
    /// Returns the keys, if they are not too old even while no newer ones can be fetched.
    fn usable(&self, now: Instant) -> Option<&KeySet> {
        let keys = self.keys.as_deref()?;
        (now < self.fresh_until + STALE_FOR).then_some(keys)
    }

    fn is_fetching(&self) -> bool {
        self.fetching.is_some()
    }

    fn knows_unknown(&self, id: &str, now: Instant) -> bool {
        self.unknown.get(id).is_some_and(|until| now < *until)
    }

    /// Notes that no key has this id. If there is no room it is not noted, and the pause between
    /// fetches is all that bounds them.
    fn note_unknown(&mut self, id: &str, now: Instant) {
        if self.unknown.len() >= MAX_UNKNOWN {
            self.unknown.retain(|_, until| now < *until);
        }
        if self.unknown.len() < MAX_UNKNOWN {
            self.unknown.insert(id.into(), now + UNKNOWN_FOR);
        }
    }
}

impl Later {
    /// Waits until the fetch is over, and returns the key.
    pub(super) async fn found(mut self) -> Found {
        // An error: the fetch is over.
        while self.over.changed().await.is_ok() {}
        self.remote.answer(self.id.as_deref())
    }
}

/// Lets the next fetch begin, and those who wait for this one go on, when dropped.
struct Ends(Remote, Option<watch::Sender<()>>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.inner.state.lock().fetching = None;
        drop(mem::take(&mut self.1));
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.inner.state.lock().keys.clone();
        f.debug_struct("Remote")
            .field("url", &self.inner.url)
            .field("has_keys", &keys.is_some())
            .finish()
    }
}
