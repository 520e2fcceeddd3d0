//! Rooms that were there before the process was.

use std::time::Duration;

use bytes::Bytes;

use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::layers::rooms::error::LoadError;
use crate::layers::rooms::error::RoomError;
use crate::layers::rooms::room::Room;

use super::Rooms;
use super::State;
use super::changes::Known;

impl Rooms {
    /// Makes rooms of their snapshots, as [`Rooms::take_changed`] gave them; says how many. Nobody
    /// is asked or told: no hook, no observer, no event. Limits of rooms and of users do not apply.
    /// Connections of members that are there receive their rooms.
    ///
    /// Messages sent do not count as changes; so the numbers of messages go on from where they were
    /// when the snapshot was taken.
    ///
    /// # Errors
    ///
    /// [`LoadError`] says which room cannot be had and why; those before it are there, those after
    /// it were not looked at.
    pub fn load(
        &self,
        snapshots: impl IntoIterator<Item = (RoomId, Bytes)>,
    ) -> Result<usize, LoadError> {
        let mut loaded = 0;
        for (id, snapshot) in snapshots {
            let config = &self.inner.config;
            let room = match Room::restored(id.clone(), &snapshot, config) {
                Ok(room) => room,
                Err(why) => return Err(LoadError::Snapshot { room: id, why }),
            };
            self.bring_back(room)
                .map_err(|why| LoadError::Room { room: id, why })?;
            loaded += 1;
        }
        Ok(loaded)
    }

    fn bring_back(&self, room: Room) -> Result<(), RoomError> {
        let id = room.id.clone();
        let cell = self.cell_of(room)?;
        let mut state = cell.state.lock();
        self.insert(&id, &cell, usize::MAX)?;
        if let Err(error) = self.place(&state.room) {
            state.is_gone = true;
            self.take_out(&id);
            return Err(error);
        }
        // Whoever gave the snapshot has it.
        state.known = Known::Yes;
        for user in state.room.members() {
            self.attach_all(user, &id);
        }
        self.enlist(&state.room);
        self.rearm(&mut state);
        Ok(())
    }

    /// Notes of all members that they are in the room.
    fn place(&self, room: &Room) -> Result<(), RoomError> {
        let users = &self.inner.users;
        if !room.direct {
            room.members().for_each(|user| users.put(user, &room.id));
            return Ok(());
        }
        let pair: Vec<&UserId> = room.members().collect();
        let [first, second] = pair[..] else {
            return Err(RoomError::InvalidRoom("a direct room is of two"));
        };
        // In the order in which those go who make one, so that who meet them agree.
        if users.pair(first, second, &room.id) {
            if users.pair(second, first, &room.id) {
                return Ok(());
            }
            users.leave(first, &room.id);
        }
        Err(RoomError::Exists)
    }

    /// Has the room forget in time what will be over.
    fn rearm(&self, state: &mut State) {
        if let Some(next) = state.room.next_expiry() {
            let left = next.saturating_sub(self.now());
            self.purged_after(state, Duration::from_millis(left));
        }
    }
}

#[cfg(test)]
mod tests;
