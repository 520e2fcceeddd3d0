//! Ids that stay taken after their rooms are gone.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::Weak;

use parking_lot::Mutex;

use crate::layers::name::RoomId;
use crate::layers::rooms::error::RoomError;

use super::Inner;
use super::Rooms;
use super::State;

/// As long as somebody has it, no other room has the id of this one, be it there or gone. A cheap
/// clone.
///
/// Whoever looks at a room first and then at what is kept of it holds one meanwhile, and so does
/// whoever removes that: nothing of one room is ever taken for that of the next.
#[derive(Clone, Default)]
pub(crate) struct Stay(Arc<Hold>);

#[derive(Default)]
struct Hold {
    /// Once the room is gone: what is to be taken out of which table.
    leaving: OnceLock<(Weak<Inner>, RoomId)>,
    after: Mutex<Vec<After>>,
}

type After = Box<dyn FnOnce() + Send>;

impl Stay {
    /// Has something done when the id can be had again; never, unless the room is gone. It is
    /// called by whoever was the last to have one.
    pub(crate) fn then(&self, after: impl FnOnce() + Send + 'static) {
        self.0.after.lock().push(Box::new(after));
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let Some((rooms, room)) = self.leaving.take() else {
            return;
        };
        if let Some(inner) = rooms.upgrade() {
            Rooms { inner }.take_out(&room);
        }
        for after in mem::take(self.after.get_mut()) {
            after();
        }
    }
}

impl Rooms {
    /// Has `remover` called with each room that is gone, in the middle of it, as observers are.
    /// Nobody has its id again before what `remover` is given is dropped.
    pub(crate) fn on_removal(&self, remover: impl Fn(&RoomId, Stay) + Send + Sync + 'static) {
        self.inner.removers.write().push(Arc::new(remover));
    }

    /// Has the id of a room stay its own, whatever happens to it.
    pub(crate) fn stay(&self, room: &RoomId) -> Result<Stay, RoomError> {
        self.with(room, |_, state, _| Ok(state.stay.clone()))
    }

    /// Leaves a room that is gone to those who remove what was kept of it; its id is free when
    /// nobody holds it.
    pub(super) fn leave_behind(&self, state: &mut State) {
        let stay = mem::take(&mut state.stay);
        let leaving = (Arc::downgrade(&self.inner), state.room.id.clone());
        // An error: it is gone already, which nobody says twice.
        let _gone = stay.0.leaving.set(leaving);
        let removers: Vec<_> = self.inner.removers.read().iter().map(Arc::clone).collect();
        for remover in removers {
            remover(&state.room.id, stay.clone());
        }
    }

    /// Whether a room is not one that is gone and whose id is still taken.
    pub(super) fn check_not_leaving(&self, room: &RoomId) -> Result<(), RoomError> {
        let Ok(cell) = self.cell(room) else {
            return Ok(());
        };
        let is_leaving = cell.state.lock().is_gone;
        // One that came to nothing is out of the table before its lock is let go.
        if is_leaving && self.cell(room).is_ok_and(|it| Arc::ptr_eq(&it, &cell)) {
            return Err(RoomError::Exists);
        }
        Ok(())
    }
}

impl fmt::Debug for Stay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stay").finish_non_exhaustive()
    }
}
