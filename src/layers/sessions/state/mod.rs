//! The sessions, as plain data that is told the time.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::time::Instant;

use ahash::RandomState;

use crate::code::ErrorCode;
use crate::id::ClientId;
use crate::layers::name::UserId;
use crate::layers::sessions::config::SessionsConfig;

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
#[derive(Debug)]
pub(super) struct State {
    config: SessionsConfig,
    sessions: HashMap<Box<str>, Kept, RandomState>,
    /// Those without a connection, by when they were lost. One that was resumed is not there any
    /// more, or is another by now: `lost` tells.
    queue: VecDeque<(u64, Box<str>)>,
    next: u64,
    kept: usize,
    kept_bytes: usize,
}

/// Places in the queue of sessions that are gone, beside as many as there are sessions in it.
const QUEUE_SLACK: usize = 64;

#[derive(Debug)]
struct Kept {
    owner: Option<UserId>,
    client: ClientId,
    notes: Vec<Note>,
    bytes: usize,
    /// There was no room for a note.
    incomplete: bool,
    /// Which place it has in the queue, and until when it is kept; none while it is open.
    lost: Option<(u64, Instant)>,
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
            next: 0,
            kept: 0,
            kept_bytes: 0,
        }
    }

    pub(super) fn open(&mut self, id: &str, owner: Option<UserId>, client: ClientId) {
        let session = Kept {
            owner,
            client,
            notes: Vec::new(),
            bytes: 0,
            incomplete: false,
            lost: None,
        };
        self.sessions.insert(id.into(), session);
    }

    /// Notes something in an open session; says whether there was room for it.
    pub(super) fn note(&mut self, id: &str, note: Note) -> bool {
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
        session.notes.push(note);
        true
    }

    /// Notes in an open session what another has left.
    pub(super) fn take_over(&mut self, id: &str, resumed: &Resumed) {
        for note in &resumed.notes {
            // One that there is no room for makes it incomplete.
            let _noted = self.note(id, note.clone());
        }
        if let Some(session) = self.opened(id) {
            session.incomplete |= resumed.incomplete;
        }
    }

    pub(super) fn forget(&mut self, id: &str, key: &str) {
        if let Some(session) = self.opened(id) {
            session.forget(key);
        }
    }

    fn opened(&mut self, id: &str) -> Option<&mut Kept> {
        let session = self.sessions.get_mut(id);
        session.filter(|session| session.lost.is_none())
    }

    /// The connection of a session is lost: from now on it is kept for a while.
    pub(super) fn lose(&mut self, id: &str, now: Instant) {
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        if self.config.ttl.is_zero() {
            self.sessions.remove(id);
            return;
        }
        let place = self.next;
        self.next += 1;
        session.lost = Some((place, now + self.config.ttl));
        self.kept += 1;
        self.kept_bytes += session.bytes;
        self.queue.push_back((place, id.into()));
        self.forget_resumed();
        while self.kept > self.config.max_sessions || self.kept_bytes > self.config.max_total_bytes
        {
            if !self.drop_oldest() {
                break;
            }
        }
        self.expire(now);
    }

    /// The connection that has a session of this owner's.
    pub(super) fn connected(&self, id: &str, owner: Option<&UserId>) -> Option<ClientId> {
        let session = self.sessions.get(id)?;
        let is_open = session.lost.is_none() && session.owner.as_ref() == owner;
        is_open.then_some(session.client)
    }

    /// Gives a session to its owner, once.
    pub(super) fn resume(
        &mut self,
        id: &str,
        owner: Option<&UserId>,
        now: Instant,
    ) -> Result<Resumed, ResumeError> {
        self.expire(now);
        let session = self.sessions.get(id).ok_or(ResumeError::Unknown)?;
        if session.owner.as_ref() != owner {
            return Err(ResumeError::NotOwned);
        }
        let session = self.remove(id).ok_or(ResumeError::Unknown)?;
        Ok(Resumed {
            connected: session.lost.is_none().then_some(session.client),
            incomplete: session.incomplete,
            notes: session.notes,
        })
    }

    /// Forgets those that were kept long enough.
    pub(super) fn expire(&mut self, now: Instant) {
        while self.first_due().is_some_and(|due| due <= now) {
            self.drop_oldest();
        }
    }

    /// When the next one is to be forgotten.
    pub(super) fn first_due(&mut self) -> Option<Instant> {
        while let Some((place, id)) = self.queue.front() {
            let lost = self.sessions.get(id).and_then(|session| session.lost);
            match lost {
                Some((at, due)) if at == *place => return Some(due),
                _ => self.queue.pop_front(),
            };
        }
        None
    }

    /// Those that come back and are lost again, in turn, fill the queue no further than this.
    fn forget_resumed(&mut self) {
        if self.queue.len() <= 2 * self.kept + QUEUE_SLACK {
            return;
        }
        let sessions = &self.sessions;
        self.queue.retain(|(place, id)| {
            let lost = sessions.get(id).and_then(|session| session.lost);
            lost.is_some_and(|(at, _)| at == *place)
        });
    }

    fn drop_oldest(&mut self) -> bool {
        if self.first_due().is_none() {
            return false;
        }
        let Some((_, id)) = self.queue.pop_front() else {
            return false;
        };
        self.remove(&id).is_some()
    }

    fn remove(&mut self, id: &str) -> Option<Kept> {
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

impl Kept {
    fn forget(&mut self, key: &str) {
        let noted = self.notes.iter().position(|note| *note.key == *key);
        if let Some(noted) = noted {
            self.bytes -= self.notes.remove(noted).bytes();
        }
    }
}

#[cfg(test)]
mod tests;
