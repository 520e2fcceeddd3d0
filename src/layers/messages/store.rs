//! What a store of messages promises.

use std::time::Duration;

use bytes::Bytes;

use crate::layers::messages::error::StoreError;
use crate::layers::messages::query::MessageQuery;
use crate::layers::messages::query::MessageSearch;
use crate::layers::messages::query::Page;
use crate::layers::messages::record::NewMessage;
use crate::layers::messages::record::Revision;
use crate::layers::messages::record::StoredMessage;
use crate::layers::metadata::Metadata;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::message::Format;

/// Keeps messages.
///
/// It knows no rights: what somebody may do is settled before, but for what only the message itself
/// can tell, which is said with the change: `only_by` and `sent_since`. It may be called from many
/// threads, and may take its time: those who must not wait do not call it, see
/// [`MessageStore::blocks`].
///
/// # Order
///
/// Changes are applied one after the other, in the order of the list; lists that are given at the
/// same time, in either order. Messages of one room have numbers that only grow; a number is never
/// given twice, not even after what had it was deleted, cleaned away, or the process has ended.
///
/// # Durability
///
/// When [`write`](MessageStore::write) has returned, the changes it reports as made survive
/// whatever the store promises to survive: nothing for one in memory, the end of the process and
/// of the power for one in a file. A change that was not reported may be there or not, but never
/// half.
pub trait MessageStore: Send + Sync + 'static {
    /// Makes changes, all of them durable when it returns: one answer each, in order. One that
    /// fails leaves nothing behind and does not keep the others from being made; when the store
    /// itself fails, none is made and each is answered so.
    fn write(&self, changes: Vec<Change>) -> Vec<Result<Written, StoreError>>;

    /// A message, deleted or not.
    ///
    /// # Errors
    ///
    /// [`StoreError::Failed`].
    fn get(&self, room: &RoomId, sequence: u64) -> Result<Option<StoredMessage>, StoreError>;

    /// Some messages. A room or thread that is not known has none.
    ///
    /// # Errors
    ///
    /// [`StoreError::Failed`].
    fn page(&self, query: &MessageQuery) -> Result<Page, StoreError>;

    /// Messages with these words, the newest first; deleted ones are not found.
    ///
    /// # Errors
    ///
    /// [`StoreError::Failed`], [`StoreError::TimedOut`].
    fn search(&self, search: &MessageSearch) -> Result<Page, StoreError>;

    /// What a message said before its edits, the oldest first: the newest of them that have no more
    /// than so many [bytes](Revision::bytes) together, and the last one however large it is.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownMessage`], [`StoreError::Failed`].
    fn revisions(
        &self,
        room: &RoomId,
        sequence: u64,
        max_bytes: usize,
    ) -> Result<Vec<Revision>, StoreError>;

    /// Who has had a reaction, in order: at most `limit`, after that user.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownMessage`], [`StoreError::Failed`].
    fn reactors(
        &self,
        room: &RoomId,
        sequence: u64,
        reaction: &str,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError>;

    /// How many messages of a room have a greater number than `after`, are not by `user`, and were
    /// not deleted; counted up to `most`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Failed`].
    fn unread(
        &self,
        room: &RoomId,
        user: &UserId,
        after: u64,
        most: u64,
    ) -> Result<u64, StoreError>;

    /// The greatest number that was ever given in a room; zero if none was.
    ///
    /// # Errors
    ///
    /// [`StoreError::Failed`].
    fn last_sequence(&self, room: &RoomId) -> Result<u64, StoreError>;

    /// Removes for good, answers, revisions and reactions included, what is older than `retention`
    /// lets it be at `now` (milliseconds since 1970), at most `budget` messages, the oldest of a
    /// room first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Failed`].
    fn clean(
        &self,
        now: u64,
        retention: &Retention,
        budget: usize,
    ) -> Result<CleanupOutcome, StoreError>;

    /// Removes for good, all that hangs on them included, at most `budget` of the messages of a
    /// user, and as many of its reactions; says how many messages, and whether there are more. One
    /// who has much is forgotten in parts, so that other changes need not wait, and by
    /// [`Change::ForgetUser`] in the end.
    ///
    /// A store to which that makes no difference leaves all of it to the end, as this does.
    ///
    /// # Errors
    ///
    /// [`StoreError::Failed`].
    fn forget_part(&self, user: &UserId, budget: usize) -> Result<CleanupOutcome, StoreError> {
        let (_user, _budget) = (user, budget);
        Ok(CleanupOutcome::default())
    }

    /// Frees the room that is taken by what nobody can read any more, such as the messages of
    /// [forgotten rooms](Change::Room): of at most `budget` messages. Says whether there is more to
    /// do.
    ///
    /// A store that has freed it at once has nothing to do, as this.
    ///
    /// # Errors
    ///
    /// [`StoreError::Failed`].
    fn tidy(&self, budget: usize) -> Result<bool, StoreError> {
        let _budget = budget;
        Ok(false)
    }

    /// The rooms whose [snapshots](Change::Room) are kept.
    ///
    /// # Errors
    ///
    /// [`StoreError::Failed`].
    fn rooms(&self) -> Result<Vec<(RoomId, Bytes)>, StoreError>;

    /// What is kept.
    ///
    /// # Errors
    ///
    /// [`StoreError::Failed`].
    fn stats(&self) -> Result<StoreStats, StoreError>;

    /// Whether calls may wait for a disk or a network, and so are left to threads of their own.
    fn blocks(&self) -> bool;
}

/// A change to what is kept.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// Keeps a message. Gives [`Written::Message`].
    Save(NewMessage),
    /// Replaces what a message says, and keeps what it said. Gives [`Written::Message`].
    ///
    /// Where several of its conditions do not hold, it is the first of these that is told:
    /// [`StoreError::UnknownMessage`], [`StoreError::NotBy`], [`StoreError::TooOld`],
    /// [`StoreError::Deleted`], [`StoreError::TooMany`].
    Edit {
        /// Where.
        room: RoomId,
        /// Which.
        sequence: u64,
        /// What it says from now on.
        payload: Bytes,
        /// How that is to be read.
        format: Format,
        /// What is said about it from now on; `None` leaves it.
        metadata: Option<Metadata>,
        /// Who edits; `None` if the server.
        by: Option<UserId>,
        /// When, in milliseconds since 1970.
        at: u64,
        /// How many revisions may be kept: [`StoreError::TooMany`] beyond.
        max_revisions: usize,
        /// Only if this user has sent it: [`StoreError::NotBy`] otherwise.
        only_by: Option<UserId>,
        /// Only if it was sent then or later, in milliseconds since 1970: [`StoreError::TooOld`]
        /// otherwise.
        sent_since: Option<u64>,
    },
    /// Marks a message as deleted; once it is, nothing happens. Gives [`Written::Message`], or
    /// [`Written::Nothing`] if it was so already. Refused with [`StoreError::UnknownMessage`], or
    /// then, deleted or not, with [`StoreError::NotBy`].
    Delete {
        /// Where.
        room: RoomId,
        /// Which.
        sequence: u64,
        /// Who deletes; `None` if the server.
        by: Option<UserId>,
        /// When, in milliseconds since 1970.
        at: u64,
        /// Only if this user has sent it: [`StoreError::NotBy`] otherwise.
        only_by: Option<UserId>,
    },
    /// Adds the reaction of a user to a message. Gives [`Written::Reaction`], or
    /// [`Written::Nothing`] if it was there.
    React {
        /// Where.
        room: RoomId,
        /// To which.
        sequence: u64,
        /// Who.
        user: UserId,
        /// Typically an emoji.
        reaction: Box<str>,
        /// How many different ones a message may have: [`StoreError::TooMany`] beyond.
        max_reactions: usize,
    },
    /// Takes the reaction of a user back. Gives [`Written::Reaction`], or [`Written::Nothing`] if
    /// it was not there.
    Unreact {
        /// Where.
        room: RoomId,
        /// To which.
        sequence: u64,
        /// Who.
        user: UserId,
        /// Which.
        reaction: Box<str>,
    },
    /// Keeps what a room is, instead of what was kept before; with `None`, forgets the room and all
    /// of its messages for good: nobody finds them again, though they may
    /// [take their space](MessageStore::tidy) for a while. Its numbers are forgotten only then.
    /// Gives [`Written::Nothing`].
    Room {
        /// Which.
        room: RoomId,
        /// What it is, opaque to the store.
        snapshot: Option<Bytes>,
    },
    /// Removes all messages of a user for good, in all rooms. Gives [`Written::Removed`].
    ForgetUser(UserId),
}

impl Change {
    /// How many bytes of somebody else's it has in it.
    pub(crate) fn payload_len(&self) -> usize {
        match self {
            Self::Save(draft) => draft.payload.len(),
            Self::Edit { payload, .. } => payload.len(),
            Self::Room { snapshot, .. } => snapshot.as_ref().map_or(0, Bytes::len),
            Self::Delete { .. }
            | Self::ForgetUser(_)
            | Self::React { .. }
            | Self::Unreact { .. } => 0,
        }
    }
}

/// What a change came to.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Written {
    /// The message as it is now.
    Message(Box<StoredMessage>),
    /// It was so already.
    Nothing,
    /// How many users have the reaction now.
    Reaction(u64),
    /// How many messages were removed.
    Removed(u64),
}

/// How long and how many messages are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retention {
    /// For how long; for ever without it. 30 days unless set.
    pub max_age: Option<Duration>,
    /// How many of each room; all without it. 100,000 unless set.
    pub max_per_room: Option<u64>,
}

impl Retention {
    /// 30 days, and 100,000 of each room.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            max_age: Some(Duration::from_secs(30 * 24 * 60 * 60)),
            max_per_room: Some(100_000),
        }
    }

    /// Sets [`Self::max_age`].
    #[must_use]
    pub const fn max_age(mut self, age: Option<Duration>) -> Self {
        self.max_age = age;
        self
    }

    /// Sets [`Self::max_per_room`].
    #[must_use]
    pub const fn max_per_room(mut self, messages: Option<u64>) -> Self {
        self.max_per_room = messages;
        self
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self::new()
    }
}

/// What cleaning has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CleanupOutcome {
    /// How many messages were removed.
    pub messages: u64,
    /// Whether there may be more to remove.
    pub more: bool,
}

/// What a store keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreStats {
    /// How many messages.
    pub messages: u64,
    /// How many rooms have some.
    pub rooms: u64,
    /// How many bytes that takes, about.
    pub bytes: u64,
}
