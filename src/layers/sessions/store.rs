//! The seam to a store for sessions without a connection.

use std::fmt;
use std::time::Duration;

use crate::layers::name::UserId;
use crate::layers::sessions::state::Note;
use crate::layers::sessions::state::ResumeError;

/// A store for sessions whose connection is lost, in the place of memory: with it, sessions outlive
/// the process, and go on at another.
///
/// # Progress
///
/// Both methods are called on the thread of the connection, and must not block: a store that is
/// slow keeps its own cache, and writes behind it.
pub trait SessionStore: Send + Sync + 'static {
    /// Stores a session under its id, for at most `ttl`. The store has limits of its own: those
    /// that [`SessionsConfig`](super::SessionsConfig) sets for all sessions do not hold.
    fn put(&self, id: &str, session: StoredSession, ttl: Duration);

    /// Removes a session and returns it, once.
    ///
    /// # Errors
    ///
    /// * [`ResumeError::Unknown`]: there is none of this id.
    /// * [`ResumeError::NotOwned`]: it belongs to another user, and stays in the store.
    fn take(&self, id: &str, owner: Option<&UserId>) -> Result<StoredSession, ResumeError>;
}

impl fmt::Debug for dyn SessionStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionStore").finish_non_exhaustive()
    }
}

/// A session in a [`SessionStore`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a store has to make it anew")]
pub struct StoredSession {
    /// The user that it belongs to; `None` for an anonymous client.
    pub owner: Option<UserId>,
    /// The notes, the oldest first.
    pub notes: Vec<Note>,
    /// Whether there was no room for a note.
    pub incomplete: bool,
}
