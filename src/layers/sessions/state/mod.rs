//! The sessions, as plain data that is told the time.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::num::NonZeroU64;
use std::time::Duration;
use std::time::Instant;

use ahash::RandomState;

use crate::code::ErrorCode;
use crate::id::ClientId;
use crate::layers::name::UserId;
use crate::layers::sessions::config::SessionsConfig;
use crate::layers::sessions::store::StoredSession;
use crate::pairs::Pairs;

/// Something that a client has asked for, and is to have again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a note is these two texts")]
pub struct Note {
    /// What it is about: a later one about the same takes its place.
    pub key: Box<str>,
    /// What it says; only whoever has noted it reads it.
    pub text: Box<str>,
}

impl Note {
    fn bytes(&self) -> usize {
        self.key.len() + self.text.len()
    }
}

/// Sessions, open and kept.
///
/// # Memory
///
/// Some 120 bytes for a session and one block for all of its notes.
#[derive(Debug)]
pub(super) struct State {
    config: SessionsConfig,
    /// Boxed, because a table is up to half empty.
    sessions: HashMap<Id, Box<Kept>, RandomState>,
    /// Those without a connection, by when they were lost. One that was resumed is not there any
    /// more, or is another by now: `lost` tells.
    queue: VecDeque<Lost>,
    next: NonZeroU64,
    kept: usize,
    kept_bytes: usize,
}

/// Places in the queue of sessions that are gone, beside as many as there are sessions in it.
const QUEUE_SLACK: usize = 64;

/// The id of a session.
pub(super) type Id = [u8; ID_BYTES];

/// Random bytes of an id: nobody guesses one of 128 bits.
pub(super) const ID_BYTES: usize = 16;

/// A session without a connection.
#[derive(Debug)]
struct Lost {
    /// Its place in the queue, which no other has.
    place: NonZeroU64,
    due: Instant,
    id: Id,
}

#[derive(Debug)]
struct Kept {
    owner: Option<UserId>,
    client: ClientId,
    /// The key and the text of each.
    notes: Pairs,
    bytes: usize,
    /// There was no room for a note.
    incomplete: bool,
    /// Which place it has in the queue; none while it is open.
    lost: Option<NonZeroU64>,
}

/// What a resumed session was.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resumed {
    /// What was noted, the oldest first.
    pub notes: Vec<Note>,
    /// Whether there was once no room for a note.
    pub incomplete: bool,
    /// The connection that still has it, and is to be closed.
    pub connected: Option<ClientId>,
}

/// Why a session was not resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResumeError {
    /// It is another user's. It stays that user's.
    NotOwned,
    /// There is none of this id: it was resumed already, is too old, or never was.
    Unknown,
}

impl ResumeError {
    /// The code that it has on the wire.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::NotOwned => ErrorCode::SessionNotOwned,
            Self::Unknown => ErrorCode::UnknownSession,
        }
    }
}

impl fmt::Display for ResumeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotOwned => "the session is another user's",
            Self::Unknown => "there is no such session: resumed already, too old, or never there",
        })
    }
}

impl Error for ResumeError {}

impl State {
    pub(super) fn new(config: SessionsConfig) -> Self {
        Self {
            config,
            sessions: HashMap::default(),
            queue: VecDeque::new(),
            next: NonZeroU64::MIN,
            kept: 0,
            kept_bytes: 0,
        }
    }

    pub(super) fn open(&mut self, id: Id, owner: Option<UserId>, client: ClientId) {
        let session = Kept {
            owner,
            client,
            notes: Pairs::default(),
            bytes: 0,
            incomplete: false,
            lost: None,
        };
        self.sessions.insert(id, Box::new(session));
    }

    /// Notes something in an open session; says whether there was room for it.
    pub(super) fn note(&mut self, id: &Id, note: &Note) -> bool {
        let max = self.config.max_bytes;
        let Some(session) = self.opened(id) else {
            return false;
        };
        session.forget(&note.key);
        if session.bytes + note.bytes() > max {
            session.incomplete = true;
            return false;
        }
        session.bytes += note.bytes();
        session.notes.push(&note.key, &note.text);
        true
    }

    /// Notes in an open session what another has left.
    pub(super) fn take_over(&mut self, id: &Id, resumed: &Resumed) {
        for note in &resumed.notes {
            // One that there is no room for makes it incomplete.
            let _noted = self.note(id, note);
        }
        if let Some(session) = self.opened(id) {
            session.incomplete |= resumed.incomplete;
        }
    }

    pub(super) fn forget(&mut self, id: &Id, key: &str) {
        if let Some(session) = self.opened(id) {
            session.forget(key);
        }
    }

    fn opened(&mut self, id: &Id) -> Option<&mut Kept> {
        let session = self.sessions.get_mut(id);
        session
            .map(|session| &mut **session)
            .filter(|session| session.lost.is_none())
    }

    /// The connection of a session is lost: from now on it is kept for a while.
    pub(super) fn lose(&mut self, id: &Id, now: Instant) {
        if self.config.ttl.is_zero() {
            self.sessions.remove(id);
            return;
        }
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        let place = self.next;
        self.next = place.saturating_add(1);
        session.lost = Some(place);
        self.kept += 1;
        self.kept_bytes += session.bytes;
        let (due, id) = (now + self.config.ttl, *id);
        self.queue.push_back(Lost { place, due, id });
        self.forget_resumed();
        while self.kept > self.config.max_sessions || self.kept_bytes > self.config.max_total_bytes
        {
            if !self.drop_oldest() {
                break;
            }
        }
        // Twice as many as come are forgotten, the others by the tick.
        self.expire(now, 2);
    }

    /// Removes an open session, to be stored elsewhere; and for how long.
    pub(super) fn hand_over(&mut self, id: &Id) -> Option<(StoredSession, Duration)> {
        let session = self.sessions.remove(id)?;
        let stored = StoredSession {
            owner: session.owner.clone(),
            incomplete: session.incomplete,
            notes: session.noted(),
        };
        Some((stored, self.config.ttl))
    }

    /// The connection that has a session of this owner's.
    pub(super) fn connected(&self, id: &Id, owner: Option<&UserId>) -> Option<ClientId> {
        let session = self.sessions.get(id)?;
        let is_open = session.lost.is_none() && session.owner.as_ref() == owner;
        is_open.then_some(session.client)
    }

    /// Gives a session to its owner, once.
    pub(super) fn resume(
        &mut self,
        id: &Id,
        owner: Option<&UserId>,
        now: Instant,
    ) -> Result<Resumed, ResumeError> {
        self.expire(now, 2);
        let session = self.sessions.get(id).ok_or(ResumeError::Unknown)?;
        if session.lost.is_some_and(|place| self.is_due(place, now)) {
            // Kept long enough, and not yet forgotten.
            return Err(ResumeError::Unknown);
        }
        if session.owner.as_ref() != owner {
            return Err(ResumeError::NotOwned);
        }
        let session = self.remove(id).ok_or(ResumeError::Unknown)?;
        Ok(Resumed {
            connected: session.lost.is_none().then_some(session.client),
            incomplete: session.incomplete,
            notes: session.noted(),
        })
    }

    /// Forgets at most so many of those that were kept long enough; says whether there may be more.
    pub(super) fn expire(&mut self, now: Instant, most: usize) -> bool {
        for _ in 0..most {
            if self.first_due().is_none_or(|due| due > now) {
                return false;
            }
            self.drop_oldest();
        }
        true
    }

    /// Whether what has this place in the queue was kept long enough.
    fn is_due(&self, place: NonZeroU64, now: Instant) -> bool {
        // Places are given in order.
        let found = self.queue.binary_search_by_key(&place, |lost| lost.place);
        let lost = found.ok().and_then(|index| self.queue.get(index));
        lost.is_none_or(|lost| lost.due <= now)
    }

    /// When the next one is to be forgotten.
    pub(super) fn first_due(&mut self) -> Option<Instant> {
        while let Some(lost) = self.queue.front() {
            if lost.is_in(&self.sessions) {
                return Some(lost.due);
            }
            self.queue.pop_front();
        }
        None
    }

    /// Those that come back and are lost again, in turn, fill the queue no further than this.
    fn forget_resumed(&mut self) {
        if self.queue.len() <= 2 * self.kept + QUEUE_SLACK {
            return;
        }
        let sessions = &self.sessions;
        self.queue.retain(|lost| lost.is_in(sessions));
    }

    fn drop_oldest(&mut self) -> bool {
        if self.first_due().is_none() {
            return false;
        }
        let Some(Lost { id, .. }) = self.queue.pop_front() else {
            return false;
        };
        self.remove(&id).is_some()
    }

    fn remove(&mut self, id: &Id) -> Option<Box<Kept>> {
        let session = self.sessions.remove(id)?;
        if session.lost.is_some() {
            self.kept -= 1;
            self.kept_bytes -= session.bytes;
        }
        Some(session)
    }

    /// How many there are, and how many of them without a connection.
    pub(super) fn len(&self) -> (usize, usize) {
        (self.sessions.len(), self.kept)
    }
}

impl Lost {
    /// Whether the session is still without a connection since then.
    fn is_in(&self, sessions: &HashMap<Id, Box<Kept>, RandomState>) -> bool {
        let session = sessions.get(&self.id);
        session.is_some_and(|session| session.lost == Some(self.place))
    }
}

impl Kept {
    fn forget(&mut self, key: &str) {
        let noted = self.notes.iter().find(|(noted, _)| *noted == key);
        if let Some((_, text)) = noted {
            self.bytes -= key.len() + text.len();
            let others = self.notes.iter().filter(|(noted, _)| *noted != key);
            self.notes = others.collect();
        }
    }

    /// Returns the notes, the oldest first.
    fn noted(&self) -> Vec<Note> {
        let notes = self.notes.iter().map(|(key, text)| Note {
            key: key.into(),
            text: text.into(),
        });
        notes.collect()
    }
}

#[cfg(test)]
mod tests;
