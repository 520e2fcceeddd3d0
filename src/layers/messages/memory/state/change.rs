//! How changes are made.

use ahash::HashMap;
use bytes::Bytes;

use crate::layers::messages::error::StoreError;
use crate::layers::messages::memory::kept::Kept;
use crate::layers::messages::memory::reactions::Reactions;
use crate::layers::messages::memory::room::Room;
use crate::layers::messages::memory::state::State;
use crate::layers::messages::memory::state::leave;
use crate::layers::messages::memory::state::room_mut;
use crate::layers::messages::record::Deletion;
use crate::layers::messages::record::Revision;
use crate::layers::messages::store::Change;
use crate::layers::messages::store::Written;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;

impl State {
    /// Makes a change, or leaves all as it was.
    pub(in super::super) fn apply(&mut self, change: Change) -> Result<Written, StoreError> {
        let written = self.make(change)?;
        self.evict();
        Ok(written)
    }

    fn make(&mut self, change: Change) -> Result<Written, StoreError> {
        match change {
            Change::Save(draft) => self.save(draft),
            Change::Edit {
                room,
                sequence,
                payload,
                format,
                metadata,
                by,
                at: until,
                max_revisions,
                only_by,
                sent_since,
            } => {
                self.check_by(&room, sequence, only_by.as_ref())?;
                self.check_since(&room, sequence, sent_since)?;
                let new = Revision {
                    payload,
                    format,
                    metadata,
                    until,
                    by,
                };
                self.edit(&room, sequence, new, max_revisions)
            }
            Change::Delete {
                room,
                sequence,
                by,
                at,
                only_by,
            } => {
                self.check_by(&room, sequence, only_by.as_ref())?;
                self.delete(&room, sequence, Deletion { at, by })
            }
            Change::React {
                room,
                sequence,
                user,
                reaction,
                max_reactions,
            } => self.react((room, sequence), user, reaction, max_reactions),
            Change::Unreact {
                room,
                sequence,
                user,
                reaction,
            } => self.unreact(&(room, sequence), &user, &reaction),
            Change::Room { room, snapshot } => {
                self.keep_room(&room, snapshot.as_deref());
                Ok(Written::Nothing)
            }
            Change::ForgetUser(user) => Ok(Written::Removed(self.forget_user(&user))),
        }
    }

    /// Refuses a message of somebody else.
    fn check_by(
        &self,
        room: &RoomId,
        sequence: u64,
        only_by: Option<&UserId>,
    ) -> Result<(), StoreError> {
        let message = self.kept(room, sequence)?;
        if only_by.is_some() && message.user.as_ref() != only_by {
            return Err(StoreError::NotBy);
        }
        Ok(())
    }

    /// Refuses a message that was sent before.
    fn check_since(
        &self,
        room: &RoomId,
        sequence: u64,
        since: Option<u64>,
    ) -> Result<(), StoreError> {
        let found = self.room(room).and_then(|room| room.get(sequence));
        let (slot, _) = found.ok_or(StoreError::UnknownMessage)?;
        if since.is_some_and(|since| slot.at < since) {
            return Err(StoreError::TooOld);
        }
        Ok(())
    }

    /// Replaces what a message says by what `new` does, whose time and author are the edit's.
    fn edit(
        &mut self,
        room: &RoomId,
        sequence: u64,
        new: Revision,
        max_revisions: usize,
    ) -> Result<Written, StoreError> {
        let message = message_mut(&mut self.rooms, room, sequence)?;
        if message.deleted.is_some() {
            return Err(StoreError::Deleted);
        }
        if message.revisions.len() >= max_revisions {
            return Err(StoreError::TooMany {
                what: "revisions",
                limit: max_revisions,
            });
        }
        let bytes = Kept::bytes_of_edit(&new.payload, new.metadata.as_ref());
        self.limits.admit(message.bytes + bytes + Self::LISTS)?;
        message.edit(new);
        message.bytes += bytes;
        self.bytes += bytes;
        self.written(room, sequence)
    }

    fn delete(
        &mut self,
        name: &RoomId,
        sequence: u64,
        deletion: Deletion,
    ) -> Result<Written, StoreError> {
        let room = self.rooms.get_mut(name).ok_or(StoreError::UnknownMessage)?;
        let message = room.get_mut(sequence).ok_or(StoreError::UnknownMessage)?;
        if message.deleted.is_some() {
            return Ok(Written::Nothing);
        }
        message.deleted = Some(deletion);
        let (author, thread) = (message.user.clone(), message.thread);
        room.silence(sequence, author);
        uncount(room, thread);
        self.written(name, sequence)
    }

    fn written(&self, room: &RoomId, sequence: u64) -> Result<Written, StoreError> {
        let stored = self.get(room, sequence).ok_or(StoreError::UnknownMessage)?;
        Ok(Written::Message(Box::new(stored)))
    }

    fn react(
        &mut self,
        place: (RoomId, u64),
        user: UserId,
        reaction: Box<str>,
        max_reactions: usize,
    ) -> Result<Written, StoreError> {
        let message = message_mut(&mut self.rooms, &place.0, place.1)?;
        let reactions = &mut message.reactions;
        if message.deleted.is_some() {
            return Err(StoreError::Deleted);
        }
        if reactions.is_by(&reaction, &user) {
            return Ok(Written::Nothing);
        }
        if !reactions.has(&reaction) && reactions.len() >= max_reactions {
            return Err(StoreError::TooMany {
                what: "reactions",
                limit: max_reactions,
            });
        }
        let bytes = Reactions::bytes_of(&reaction);
        self.limits.admit(message.bytes + bytes + Self::LISTS)?;
        message.bytes += bytes;
        self.bytes += bytes;
        let count = reactions.add(reaction, user.clone());
        self.reacted.entry(user).or_default().insert(place);
        Ok(Written::Reaction(count))
    }

    fn unreact(
        &mut self,
        place: &(RoomId, u64),
        user: &UserId,
        reaction: &str,
    ) -> Result<Written, StoreError> {
        let message = message_mut(&mut self.rooms, &place.0, place.1)?;
        let Some(count) = message.reactions.remove(reaction, user) else {
            return Ok(Written::Nothing);
        };
        let bytes = Reactions::bytes_of(reaction);
        message.bytes -= bytes;
        self.bytes -= bytes;
        if !message.reactions.has_any_by(user) {
            leave(&mut self.reacted, user, place);
        }
        Ok(Written::Reaction(count))
    }

    fn keep_room(&mut self, name: &RoomId, snapshot: Option<&[u8]>) {
        let Some(snapshot) = snapshot else {
            return self.forget_room(name);
        };
        let room = room_mut(&mut self.rooms, &mut self.room_bytes, name);
        let before = room.snapshot.replace(Bytes::copy_from_slice(snapshot));
        self.room_bytes += snapshot.len();
        self.room_bytes -= before.map_or(0, |it| it.len());
    }

    fn forget_room(&mut self, name: &RoomId) {
        let Some(room) = self.rooms.remove(name) else {
            return;
        };
        self.room_bytes -= room.bytes(name);
        if let Some((front, _)) = room.front() {
            self.fronts.remove(&front);
        }
        for user in room.users() {
            leave(&mut self.authors, user, name);
        }
        for (sequence, message) in room.messages() {
            self.messages -= 1;
            self.bytes -= message.bytes;
            self.forget_reactions(name, sequence, &message.reactions);
        }
    }

    fn forget_user(&mut self, user: &UserId) -> u64 {
        let mut removed = 0;
        for name in self.authors.remove(user).unwrap_or_default() {
            let room = self.rooms.get_mut(&name);
            let ids = room.map(|room| room.take_user(user));
            for id in ids.unwrap_or_default() {
                let message = self.remove(&name, id);
                removed += 1;
                let counted = message.filter(|it| it.deleted.is_none());
                let thread = counted.and_then(|it| it.thread);
                if let Some(room) = self.rooms.get_mut(&name) {
                    uncount(room, thread);
                }
            }
        }
        for (name, sequence) in self.reacted.remove(user).unwrap_or_default() {
            if let Ok(message) = message_mut(&mut self.rooms, &name, sequence) {
                let names = message.reactions.forget(user);
                let bytes = names
                    .iter()
                    .map(|it| Reactions::bytes_of(it))
                    .sum::<usize>();
                message.bytes -= bytes;
                self.bytes -= bytes;
            }
        }
        removed
    }
}

fn message_mut<'a>(
    rooms: &'a mut HashMap<RoomId, Box<Room>>,
    room: &RoomId,
    sequence: u64,
) -> Result<&'a mut Kept, StoreError> {
    let message = rooms.get_mut(room).and_then(|room| room.get_mut(sequence));
    message.ok_or(StoreError::UnknownMessage)
}

/// Counts one answer less in a thread.
fn uncount(room: &mut Room, thread: Option<u64>) {
    if let Some(root) = thread.and_then(|number| room.get_mut(number)) {
        root.replies.count -= 1;
    }
}
