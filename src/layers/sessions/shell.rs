//! The sessions of one hub, behind a lock.

use std::fmt;
use std::str;
use std::sync::Arc;
use std::time::Instant;

use data_encoding::BASE32_NOPAD;
use parking_lot::Mutex;

use crate::id::ClientId;
use crate::layers::name::UserId;
use crate::layers::sessions::config::SessionsConfig;
use crate::layers::sessions::state::ID_BYTES;
use crate::layers::sessions::state::Id;
use crate::layers::sessions::state::Note;
use crate::layers::sessions::state::ResumeError;
use crate::layers::sessions::state::Resumed;
use crate::layers::sessions::state::State;
use crate::layers::sessions::store::SessionStore;
use crate::quiet::quietly;
use crate::time::Clock;
use crate::time::SystemClock;

/// The sessions of one hub. A cheap clone.
///
/// ```
/// use throng::{ConnectOptions, Hub};
/// use throng::sessions::{Note, Sessions, SessionsConfig};
///
/// let hub = Hub::new();
/// let (client, _outbox) = hub.connect(ConnectOptions::new())?;
/// let sessions = Sessions::new(SessionsConfig::new());
/// let session = sessions.open(None, client.id())?;
/// let _noted = session.note(&Note { key: "news".into(), text: "subscribed".into() });
/// let id = session.id().to_owned();
/// drop(session); // the connection is lost
///
/// let resumed = sessions.resume(&id, None)?;
/// assert_eq!(&*resumed.notes[0].text, "subscribed");
/// assert!(sessions.resume(&id, None).is_err(), "once");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Sessions {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Takes the sessions whose connection is lost.
    store: Option<Arc<dyn SessionStore>>,
}

/// The session of a connection; dropped with it, it is kept for a while.
#[must_use = "a session that is dropped is lost"]
pub struct Session {
    sessions: Sessions,
    id: Id,
    text: [u8; ID_LEN],
}

/// The bytes of an id as it is told: five bits each.
pub(crate) const ID_LEN: usize = (ID_BYTES * 8).div_ceil(5);

impl Sessions {
    /// No sessions yet, by the clock of the system.
    #[must_use]
    pub fn new(config: SessionsConfig) -> Self {
        Self::with_clock(config, Arc::new(SystemClock::new()))
    }

    /// No sessions yet, by this clock.
    #[must_use]
    pub fn with_clock(config: SessionsConfig, clock: Arc<dyn Clock>) -> Self {
        Self::build(config, clock, None)
    }

    /// Sessions that are kept in a store when their connection is lost.
    #[must_use]
    pub fn with_store(config: SessionsConfig, store: Arc<dyn SessionStore>) -> Self {
        let clock = Arc::new(SystemClock::new());
        Self::build(config, clock, Some(store))
    }

    fn build(
        config: SessionsConfig,
        clock: Arc<dyn Clock>,
        store: Option<Arc<dyn SessionStore>>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                clock,
                state: Mutex::new(State::new(config)),
                store,
            }),
        }
    }

    /// Opens the session of a connection.
    ///
    /// # Errors
    ///
    /// When the system has no randomness to give.
    pub fn open(
        &self,
        owner: Option<&UserId>,
        client: ClientId,
    ) -> Result<Session, getrandom::Error> {
        let mut id = [0; ID_BYTES];
        getrandom::fill(&mut id)?;
        self.inner.state.lock().open(id, owner.cloned(), client);
        Ok(Session {
            sessions: self.clone(),
            id,
            text: text_of(&id),
        })
    }

    /// Gives what a session had noted to its owner, once.
    ///
    /// # Errors
    ///
    /// [`ResumeError`] says why not; one of another user is not touched.
    pub fn resume(&self, id: &str, owner: Option<&UserId>) -> Result<Resumed, ResumeError> {
        let key = id_of(id).ok_or(ResumeError::Unknown)?;
        let now = self.inner.clock.now();
        let resumed = self.inner.state.lock().resume(&key, owner, now);
        match (resumed, &self.inner.store) {
            (Err(ResumeError::Unknown), Some(store)) => {
                let taken = quietly(|| store.take(id, owner));
                let stored = taken.ok_or(ResumeError::Unknown)??;
                Ok(Resumed {
                    notes: stored.notes,
                    incomplete: stored.incomplete,
                    connected: None,
                })
            }
            (resumed, _) => resumed,
        }
    }

    /// The connection that still has a session of this owner's. The session stays as it is.
    #[must_use]
    pub fn connected(&self, id: &str, owner: Option<&UserId>) -> Option<ClientId> {
        let id = id_of(id)?;
        self.inner.state.lock().connected(&id, owner)
    }

    /// How many sessions there are, and how many of them have no connection.
    #[must_use]
    pub fn count(&self) -> (usize, usize) {
        self.inner.state.lock().len()
    }

    /// When to call [`Sessions::tick`] next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.inner.state.lock().first_due()
    }

    /// Forgets the sessions that were kept long enough at `now`.
    pub fn tick(&self, now: Instant) {
        // Some at a time: whoever connects needs the lock.
        while self.inner.state.lock().expire(now, BATCH) {}
    }
}

/// How many sessions are forgotten while the lock is held.
const BATCH: usize = 256;

impl Session {
    /// The id, for the client alone.
    #[must_use]
    pub fn id(&self) -> &str {
        // It is base32, and so never the default.
        str::from_utf8(&self.text).unwrap_or_default()
    }

    /// Notes something; says whether there was room for it. If not, whoever resumes the session is
    /// told that it is incomplete.
    #[must_use = "what there is no room for is not brought back"]
    pub fn note(&self, note: &Note) -> bool {
        self.sessions.inner.state.lock().note(&self.id, note)
    }

    /// Notes all that a session that was resumed had noted, as [`Session::note`] does: should this
    /// connection be lost too, before any of it has come back, the next one has it.
    pub fn take_over(&self, resumed: &Resumed) {
        self.sessions
            .inner
            .state
            .lock()
            .take_over(&self.id, resumed);
    }

    /// Forgets what was noted under a key.
    pub fn forget(&self, key: &str) {
        self.sessions.inner.state.lock().forget(&self.id, key);
    }
}

/// Returns an id as its client is told it: base32 in lower case.
fn text_of(id: &Id) -> [u8; ID_LEN] {
    let mut text = [0; ID_LEN];
    BASE32_NOPAD.encode_mut(id, &mut text);
    text.make_ascii_lowercase();
    text
}

/// Returns the id that a text stands for. There is one text for each id.
fn id_of(text: &str) -> Option<Id> {
    let mut upper: [u8; ID_LEN] = text.as_bytes().try_into().ok()?;
    if upper.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    upper.make_ascii_uppercase();
    let mut id = [0; ID_BYTES];
    let decoded = BASE32_NOPAD.decode_mut(&upper, &mut id);
    decoded.is_ok_and(|length| length == ID_BYTES).then_some(id)
}

impl Drop for Session {
    fn drop(&mut self) {
        let Inner {
            clock,
            state,
            store,
        } = &*self.sessions.inner;
        let Some(store) = store else {
            return state.lock().lose(&self.id, clock.now());
        };
        let handed = state.lock().hand_over(&self.id);
        if let Some((session, ttl)) = handed {
            let _put = quietly(|| store.put(self.id(), session, ttl));
        }
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("count", &self.count())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Session {
    /// Without the id, which is a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}
