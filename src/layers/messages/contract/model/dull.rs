//! The dull model.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::layers::messages::cursor::Cursor;
use crate::layers::messages::error::StoreError;
use crate::layers::messages::query::MessageQuery;
use crate::layers::messages::query::MessageSearch;
use crate::layers::messages::query::Order;
use crate::layers::messages::query::Page;
use crate::layers::messages::query::Scope;
use crate::layers::messages::record::Deletion;
use crate::layers::messages::record::NewMessage;
use crate::layers::messages::record::ReactionCount;
use crate::layers::messages::record::Replies;
use crate::layers::messages::record::Revision;
use crate::layers::messages::record::StoredMessage;
use crate::layers::messages::store::Change;
use crate::layers::messages::store::Retention;
use crate::layers::messages::store::Written;
use crate::layers::messages::terms::words_of;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;

/// A message with all that belongs to it; its reactions are beside it, as they came.
#[derive(Clone, Debug)]
pub(super) struct Row {
    message: StoredMessage,
    revisions: Vec<Revision>,
    reactions: Vec<(Box<str>, UserId)>,
}

impl Row {
    pub(super) fn stored(&self) -> StoredMessage {
        let mut stored = self.message.clone();
        for (reaction, user) in &self.reactions {
            let counts = &mut stored.reactions;
            let place = counts.iter().position(|it| it.reaction == *reaction);
            let place = place.unwrap_or_else(|| {
                counts.push(ReactionCount {
                    reaction: reaction.clone(),
                    count: 0,
                    users: Vec::new(),
                });
                counts.len() - 1
            });
            counts[place].count += 1;
            counts[place].users.push(user.clone());
            counts[place].users.truncate(ReactionCount::USERS);
        }
        stored
    }

    pub(super) fn reactors(&self, reaction: &str) -> Vec<UserId> {
        let of_it = self.reactions.iter().filter(|it| *it.0 == *reaction);
        of_it.map(|it| it.1.clone()).collect()
    }

    pub(super) fn newest_revisions(&self, most: usize) -> Vec<Revision> {
        let from = (0..self.revisions.len()).find(|at| {
            let bytes = self.revisions[*at..].iter().map(Revision::bytes);
            bytes.sum::<usize>() <= most || *at + 1 == self.revisions.len()
        });
        from.map_or_else(Vec::new, |from| self.revisions[from..].to_vec())
    }

    fn is_at(&self, room: &RoomId, sequence: u64) -> bool {
        self.message.room == *room && self.message.sequence == sequence
    }
}

#[derive(Debug)]
pub(super) struct Dull {
    pub(super) now: u64,
    last_id: u64,
    /// In the order of their ids.
    rows: Vec<Row>,
    last: BTreeMap<RoomId, u64>,
    snapshots: BTreeMap<RoomId, Bytes>,
}

impl Default for Dull {
    fn default() -> Self {
        Self {
            now: 100,
            last_id: 0,
            rows: Vec::new(),
            last: BTreeMap::new(),
            snapshots: BTreeMap::new(),
        }
    }
}

/// What is asked.
impl Dull {
    pub(super) fn get(&self, room: &RoomId, sequence: u64) -> Option<&Row> {
        self.rows.iter().find(|row| row.is_at(room, sequence))
    }

    pub(super) fn last(&self, room: &RoomId) -> u64 {
        self.last.get(room).copied().unwrap_or(0)
    }

    pub(super) fn snapshots(&self) -> Vec<(RoomId, Bytes)> {
        self.snapshots.clone().into_iter().collect()
    }

    pub(super) fn stats(&self) -> (u64, u64) {
        let mut rooms: Vec<_> = self.rows.iter().map(|row| &row.message.room).collect();
        rooms.sort();
        rooms.dedup();
        (self.rows.len() as u64, rooms.len() as u64)
    }

    pub(super) fn unread(&self, room: &RoomId, user: &UserId, after: u64, most: u64) -> u64 {
        let rows = self.rows.iter().map(|row| &row.message).filter(|it| {
            let is_new = it.room == *room && it.sequence > after;
            is_new && it.user.as_ref() != Some(user) && it.deleted.is_none()
        });
        most.min(rows.count() as u64)
    }

    pub(super) fn page(&self, query: &MessageQuery) -> Page {
        let rows = self.rows.iter().filter(|row| {
            let message = &row.message;
            let user = message.user.as_ref();
            let in_scope = match &query.scope {
                Scope::Room(room) => message.room == *room,
                Scope::Thread(room, of) => message.room == *room && message.thread == Some(*of),
                Scope::User(whose, rooms) => user == Some(whose) && rooms.contains(&message.room),
            };
            in_scope
                && query.user.as_ref().is_none_or(|only| user == Some(only))
                && (query.event.is_none() || query.event == message.event)
                && query.from.is_none_or(|from| from <= message.at)
                && query.until.is_none_or(|until| message.at <= until)
                && (!query.roots || message.thread.is_none())
        });
        cut(
            rows.map(Row::stored).collect(),
            query.cursor,
            query.order,
            (query.bounded(), query.max_bytes),
        )
    }

    pub(super) fn search(&self, search: &MessageSearch) -> Page {
        let rows = self.rows.iter().filter(|row| {
            let message = &row.message;
            let user = message.user.as_ref();
            search.rooms.contains(&message.room)
                && search.user.as_ref().is_none_or(|only| user == Some(only))
                && (search.event.is_none() || search.event == message.event)
                && message.deleted.is_none()
                && search
                    .terms
                    .are_in(&words_of(&message.payload, message.format))
        });
        let limit = search.limit.clamp(1, MessageQuery::MAX_LIMIT);
        cut(
            rows.map(Row::stored).collect(),
            search.cursor,
            Order::NewestFirst,
            (limit, search.max_bytes),
        )
    }

    /// A cursor at, before, or after one of the messages.
    pub(super) fn near(&self, cursor: Cursor) -> Cursor {
        let place = |n: u64| {
            let all = self.rows.len();
            let n = usize::try_from(n).unwrap();
            let row = n.checked_rem(all).map(|index| &self.rows[index]);
            row.map_or(0, |row| row.message.id + n as u64 / all as u64 % 3 - 1)
        };
        match cursor {
            Cursor::Newer(n) => Cursor::Newer(place(n)),
            Cursor::Older(n) => Cursor::Older(place(n)),
        }
    }
}

/// The page of these messages, which are in the order of their ids.
fn cut(
    mut found: Vec<StoredMessage>,
    cursor: Option<Cursor>,
    order: Order,
    (limit, bytes): (usize, usize),
) -> Page {
    let goes_newer = match cursor {
        Some(cursor) => matches!(cursor, Cursor::Newer(_)),
        None => order == Order::OldestFirst,
    };
    found.retain(|it| match cursor {
        Some(Cursor::Newer(id)) => it.id > id,
        Some(Cursor::Older(id)) => it.id < id,
        None => true,
    });
    let fits = |count: &usize| {
        let nearest: Vec<_> = if goes_newer {
            found.iter().take(*count).collect()
        } else {
            found.iter().rev().take(*count).collect()
        };
        nearest.into_iter().map(StoredMessage::bytes).sum::<usize>() <= bytes
    };
    let most = (1..=found.len()).rev().find(fits).unwrap_or(1);
    let limit = limit.min(most);
    let over = found.len().saturating_sub(limit);
    if goes_newer {
        found.truncate(limit);
    } else {
        found.drain(..over);
    }
    let (first, last) = (found.first().map(|it| it.id), found.last().map(|it| it.id));
    let (older, newer) = match cursor {
        Some(Cursor::Newer(id)) => (
            Some(Cursor::Older(first.unwrap_or_else(|| id.saturating_add(1)))),
            Some(Cursor::Newer(last.unwrap_or(id))),
        ),
        Some(Cursor::Older(id)) => (
            first.map(Cursor::Older).filter(|_| over > 0),
            Some(Cursor::Newer(last.unwrap_or_else(|| id.saturating_sub(1)))),
        ),
        None => (
            first.map(Cursor::Older).filter(|_| over > 0 && !goes_newer),
            last.map(Cursor::Newer),
        ),
    };
    if order == Order::NewestFirst {
        found.reverse();
    }
    Page {
        messages: found,
        older,
        newer,
    }
}

/// What is done.
impl Dull {
    /// The change with real numbers and times; those of before may be a little in disorder.
    pub(super) fn in_time(&mut self, mut change: Change) -> Change {
        self.now += 1;
        let now = self.now;
        match &mut change {
            Change::Save(draft) => {
                let last = self.last(&draft.room);
                draft.at = now - draft.at;
                draft.sequence = draft.sequence.map(|over| (last + over).saturating_sub(1));
                draft.thread = draft.thread.map(|back| last.saturating_sub(back));
            }
            Change::Edit {
                room,
                sequence,
                at,
                sent_since,
                ..
            } => {
                (*at, *sequence) = (now, self.last(room).saturating_sub(*sequence));
                *sent_since = sent_since.map(|ago| now.saturating_sub(ago));
            }
            Change::Delete {
                room, sequence, at, ..
            } => {
                (*at, *sequence) = (now, self.last(room).saturating_sub(*sequence));
            }
            Change::React { room, sequence, .. } | Change::Unreact { room, sequence, .. } => {
                *sequence = self.last(room).saturating_sub(*sequence);
            }
            Change::ForgetUser(_) | Change::Room { .. } => self.now += 10,
        }
        change
    }

    /// What the change comes to. Of what the store said only the id is taken, if it has grown.
    pub(super) fn apply(
        &mut self,
        change: &Change,
        said: &Result<Written, StoreError>,
    ) -> Result<Written, StoreError> {
        let id = match said {
            Ok(Written::Message(message)) => message.id,
            _ => 0,
        };
        let result = self.make(change, id);
        for at in 0..self.rows.len() {
            let StoredMessage { room, sequence, .. } = &self.rows[at].message;
            let answers = self.rows.iter().map(|row| &row.message).filter(|it| {
                it.room == *room && it.thread == Some(*sequence) && it.deleted.is_none()
            });
            self.rows[at].message.replies.count = answers.count() as u64;
        }
        result
    }

    fn make(&mut self, change: &Change, id: u64) -> Result<Written, StoreError> {
        match change {
            Change::Save(draft) => self.save(draft, id),
            Change::Room { room, snapshot } => {
                self.snapshots.remove(room);
                match snapshot {
                    Some(is) => drop(self.snapshots.insert(room.clone(), is.clone())),
                    None => {
                        self.rows.retain(|row| row.message.room != *room);
                        self.last.remove(room);
                    }
                }
                Ok(Written::Nothing)
            }
            Change::ForgetUser(user) => {
                let before = self.rows.len();
                self.rows
                    .retain(|row| row.message.user.as_ref() != Some(user));
                for row in &mut self.rows {
                    row.reactions.retain(|it| it.1 != *user);
                }
                Ok(Written::Removed((before - self.rows.len()) as u64))
            }
            Change::Edit { room, sequence, .. }
            | Change::Delete { room, sequence, .. }
            | Change::React { room, sequence, .. }
            | Change::Unreact { room, sequence, .. } => {
                let row = self.rows.iter_mut().find(|row| row.is_at(room, *sequence));
                row.ok_or(StoreError::UnknownMessage)?.make(change)
            }
        }
    }

    fn save(&mut self, draft: &NewMessage, id: u64) -> Result<Written, StoreError> {
        let last = self.last(&draft.room);
        let sequence = draft.sequence.unwrap_or(last + 1);
        if sequence <= last || sequence > NewMessage::MAX_SEQUENCE {
            return Err(StoreError::Sequence);
        }
        let thread = draft.thread.map(|it| self.thread(&draft.room, it));
        let thread = thread.transpose()?;
        let in_room = self
            .rows
            .iter()
            .filter(|row| row.message.room == draft.room);
        let before = in_room.map(|row| row.message.at).max().unwrap_or(0);
        let at = draft.at.max(before);
        let message = StoredMessage {
            id: id.max(self.last_id + 1),
            room: draft.room.clone(),
            sequence,
            user: draft.user.clone(),
            thread,
            payload: draft.payload.clone(),
            format: draft.format,
            event: draft.event.clone(),
            metadata: draft.metadata.clone(),
            at,
            edited_at: None,
            edits: 0,
            deleted: None,
            replies: Replies::default(),
            reactions: Vec::new(),
        };
        if let Some(root) = self
            .rows
            .iter_mut()
            .find(|row| thread.is_some_and(|thread| row.is_at(&draft.room, thread)))
        {
            root.message.replies.last_at = at;
        }
        self.last_id = message.id;
        self.last.insert(draft.room.clone(), sequence);
        self.rows.push(Row {
            message: message.clone(),
            revisions: Vec::new(),
            reactions: Vec::new(),
        });
        Ok(Written::Message(message.into()))
    }

    /// The thread that an answer to this message is in.
    fn thread(&self, room: &RoomId, sequence: u64) -> Result<u64, StoreError> {
        let row = self.get(room, sequence);
        let row = row.filter(|row| row.message.deleted.is_none());
        match row.ok_or(StoreError::UnknownThread)?.message.thread {
            Some(root) => self.thread(room, root),
            None => Ok(sequence),
        }
    }

    pub(super) fn clean(&mut self, retention: &Retention) -> u64 {
        let (before, now) = (self.rows.len(), self.now);
        if let Some(age) = retention.max_age {
            let age = u64::try_from(age.as_millis()).unwrap();
            self.rows.retain(|row| row.message.at + age >= now);
        }
        if let Some(most) = retention.max_per_room {
            let mut kept = BTreeMap::<_, u64>::new();
            self.rows.reverse();
            self.rows.retain(|row| {
                let kept = kept.entry(row.message.room.clone()).or_default();
                *kept += 1;
                *kept <= most
            });
            self.rows.reverse();
        }
        self.now += 10;
        (before - self.rows.len()) as u64
    }
}

impl Row {
    fn make(&mut self, change: &Change) -> Result<Written, StoreError> {
        let is_deleted = self.message.deleted.is_some();
        match change.clone() {
            Change::Delete {
                only_by: Some(user),
                ..
            }
            | Change::Edit {
                only_by: Some(user),
                ..
            } if self.message.user != Some(user.clone()) => Err(StoreError::NotBy),
            Change::Edit {
                sent_since: Some(since),
                ..
            } if self.message.at < since => Err(StoreError::TooOld),
            Change::Delete { .. } if is_deleted => Ok(Written::Nothing),
            Change::Edit { .. } | Change::React { .. } if is_deleted => Err(StoreError::Deleted),
            Change::Delete { by, at, .. } => {
                self.message.deleted = Some(Deletion { at, by });
                Ok(Written::Message(self.stored().into()))
            }
            Change::Edit { max_revisions, .. } if self.revisions.len() >= max_revisions => {
                Err(StoreError::TooMany {
                    what: "revisions",
                    limit: max_revisions,
                })
            }
            Change::Edit {
                payload,
                format,
                metadata,
                by,
                at: until,
                ..
            } => {
                self.edit(Revision {
                    payload,
                    format,
                    metadata,
                    until,
                    by,
                });
                Ok(Written::Message(self.stored().into()))
            }
            Change::React {
                user,
                reaction,
                max_reactions,
                ..
            } => self.react(reaction, user, max_reactions),
            Change::Unreact { user, reaction, .. } => {
                let users = self.reactors(&reaction);
                if !users.contains(&user) {
                    return Ok(Written::Nothing);
                }
                self.reactions
                    .retain(|it| *it.0 != *reaction || it.1 != user);
                Ok(Written::Reaction(users.len() as u64 - 1))
            }
            other => panic!("not of a message: {other:?}"),
        }
    }

    fn react(
        &mut self,
        reaction: Box<str>,
        user: UserId,
        limit: usize,
    ) -> Result<Written, StoreError> {
        let users = self.reactors(&reaction);
        if users.contains(&user) {
            return Ok(Written::Nothing);
        }
        if users.is_empty() && self.stored().reactions.len() >= limit {
            let what = "reactions";
            return Err(StoreError::TooMany { what, limit });
        }
        self.reactions.push((reaction, user));
        Ok(Written::Reaction(users.len() as u64 + 1))
    }

    fn edit(&mut self, new: Revision) {
        let message = &mut self.message;
        self.revisions.push(Revision {
            payload: std::mem::replace(&mut message.payload, new.payload),
            format: std::mem::replace(&mut message.format, new.format),
            metadata: message.metadata.clone(),
            until: new.until,
            by: new.by,
        });
        message.metadata = new.metadata.or_else(|| message.metadata.take());
        (message.edited_at, message.edits) = (Some(new.until), message.edits + 1);
    }
}
