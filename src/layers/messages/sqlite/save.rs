//! Messages that come, are edited, and are deleted.

use rusqlite::OptionalExtension;

use crate::layers::messages::error::StoreError;
use crate::layers::messages::record::NewMessage;
use crate::layers::messages::record::Replies;
use crate::layers::messages::record::StoredMessage;
use crate::layers::messages::sqlite::known::Room;
use crate::layers::messages::sqlite::row;
use crate::layers::messages::sqlite::write::Fault;
use crate::layers::messages::sqlite::write::Target;
use crate::layers::messages::sqlite::write::Work;
use crate::layers::messages::store::Written;
use crate::layers::metadata::Metadata;
use crate::layers::name::UserId;
use crate::message::Format;

impl Work<'_> {
    pub(super) fn save(&mut self, draft: NewMessage) -> Result<Written, Fault> {
        let known = self.room(&draft.room)?;
        let sequence = next(known.map_or(0, |room| room.last_sequence), draft.sequence)?;
        let thread = draft.thread.map(|root| self.thread(known, root));
        let thread = thread.transpose()?;
        // Nothing is refused from here on.
        let mut room = self.make_room(&draft.room)?;
        let user = self.make_anyone(draft.user.as_ref())?;
        room.last_sequence = sequence;
        room.last_at = row::nat(row::int(draft.at.max(room.last_at)));
        let id = self.insert(room, user, thread, &draft)?;
        self.known.put_room(&draft.room, room);
        Ok(Written::Message(Box::new(StoredMessage {
            id: row::nat(id),
            room: draft.room,
            sequence,
            user: draft.user,
            thread: thread.map(row::nat),
            payload: draft.payload,
            format: draft.format,
            event: draft.event,
            metadata: draft.metadata,
            at: room.last_at,
            edited_at: None,
            edits: 0,
            deleted: None,
            replies: Replies::default(),
            reactions: Vec::new(),
        })))
    }

    /// The thread of a message that answers the one with this number.
    fn thread(&self, room: Option<Room>, root: u64) -> Result<i64, Fault> {
        let room = room.ok_or(StoreError::UnknownThread)?;
        let mut statement = self.db.prepare_cached(ROOT)?;
        let found = statement.query_row((room.id, row::int(root)), |row| row.get(0));
        let found = found.optional()?;
        found.ok_or_else(|| StoreError::UnknownThread.into())
    }

    /// The id of the last message of a room, which this is from now on.
    fn insert(
        &self,
        room: Room,
        user: Option<i64>,
        thread: Option<i64>,
        draft: &NewMessage,
    ) -> rusqlite::Result<i64> {
        let (sequence, at) = (row::int(room.last_sequence), row::int(room.last_at));
        let format = row::kept(draft.format);
        let metadata = text(draft.metadata.as_ref())?;
        let payload: &[u8] = &draft.payload;
        let event = draft.event.as_deref();
        let values = (
            room.id, sequence, user, thread, at, format, metadata, payload, event,
        );
        self.execute(INSERT, values)?;
        let id = self.db.last_insert_rowid();
        self.index(id, room.id, (user, event), (payload, draft.format))?;
        self.execute(COUNT, (room.id, sequence, at))?;
        if let Some(thread) = thread {
            self.execute(ANSWERED, (room.id, thread, at))?;
        }
        Ok(id)
    }

    pub(super) fn edit(
        &mut self,
        target: &Target,
        (payload, format): (&[u8], Format),
        metadata: Option<&Metadata>,
        by: Option<&UserId>,
        at: u64,
    ) -> Result<Written, Fault> {
        let by = self.make_anyone(by)?;
        let at = row::int(at);
        self.execute(SUPERSEDE, (target.id, at, by))?;
        let values = (target.id, at, row::kept(format), text(metadata)?, payload);
        self.execute(EDIT, values)?;
        self.unindex(target.id)?;
        let marks = (target.user, target.event.as_deref());
        self.index(target.id, target.room, marks, (payload, format))?;
        self.changed(target.id)
    }

    pub(super) fn delete(
        &mut self,
        target: &Target,
        by: Option<&UserId>,
        at: u64,
    ) -> Result<Written, Fault> {
        if target.is_deleted {
            return Ok(Written::Nothing);
        }
        let by = self.make_anyone(by)?;
        self.execute(DELETE, (target.id, row::int(at), by))?;
        self.unindex(target.id)?;
        if let Some(thread) = target.thread {
            self.unanswer(target.room, thread)?;
        }
        self.changed(target.id)
    }

    /// Counts an answer no more, if the message that it answers is still there.
    pub(super) fn unanswer(&self, room: i64, thread: i64) -> rusqlite::Result<()> {
        self.execute(UNANSWERED, (room, thread))?;
        Ok(())
    }
}

/// The number of the next message.
fn next(last: u64, asked: Option<u64>) -> Result<u64, StoreError> {
    let sequence = asked.unwrap_or(last + 1);
    let is_fit = sequence > last && sequence <= NewMessage::MAX_SEQUENCE;
    is_fit.then_some(sequence).ok_or(StoreError::Sequence)
}

/// Metadata as JSON.
fn text(metadata: Option<&Metadata>) -> rusqlite::Result<Option<String>> {
    let text = metadata.map(serde_json::to_string).transpose();
    text.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// The thread of a message that can be answered, which may be its own: neither it nor the first
/// of the thread was deleted.
pub(super) const ROOT: &str = "
    SELECT root.sequence FROM messages m INDEXED BY messages_by_sequence
    JOIN messages root INDEXED BY messages_by_sequence
    ON root.room = m.room AND root.sequence = coalesce(m.thread, m.sequence)
    WHERE m.room = ?1 AND m.sequence = ?2 AND m.deleted_at IS NULL AND root.deleted_at IS NULL";

const INSERT: &str = "
    INSERT INTO messages (room, sequence, user, thread, at, format, metadata, payload, event)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

pub(super) const COUNT: &str =
    "UPDATE rooms SET last_sequence = ?2, last_at = ?3, messages = messages + 1 WHERE id = ?1";

pub(super) const ANSWERED: &str = "
    UPDATE messages INDEXED BY messages_by_sequence
    SET replies = replies + 1, last_reply_at = ?3 WHERE room = ?1 AND sequence = ?2";

pub(super) const UNANSWERED: &str = "
    UPDATE messages INDEXED BY messages_by_sequence
    SET replies = replies - 1 WHERE room = ?1 AND sequence = ?2 AND replies > 0";

pub(super) const SUPERSEDE: &str = "
    INSERT INTO editions (message, until, editor, format, metadata, payload)
    SELECT id, ?2, ?3, format, metadata, payload FROM messages WHERE id = ?1";

pub(super) const EDIT: &str = "
    UPDATE messages SET edited_at = ?2, edits = edits + 1, format = ?3,
        metadata = coalesce(?4, metadata), payload = ?5 WHERE id = ?1";

pub(super) const DELETE: &str =
    "UPDATE messages SET deleted_at = ?2, deleted_by = ?3 WHERE id = ?1";
