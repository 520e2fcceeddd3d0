//! The way of changes to the store.

use std::sync::Arc;

use crate::layers::messages::store::Change;
use crate::layers::messages::store::MessageStore;
use crate::layers::messages::writer::Then;
use crate::layers::messages::writer::Writes;
use crate::layers::messages::writer::silent;
use crate::layers::rooms::Asked;

/// The way of changes to the store. Dropping it waits for nothing, so those may have one who hold
/// the lock of a room.
#[derive(Clone)]
pub(super) enum Line {
    /// They are made at once.
    Here(Arc<dyn MessageStore>),
    /// They are made on a thread that waits for the store.
    There(Writes),
}

impl Line {
    /// Makes a change, unless the room that it needs was not kept.
    pub(super) fn write(&self, change: Change, needs: Option<Asked>, then: Then) {
        match self {
            Self::Here(store) => {
                let mut answers = store.write(vec![change]);
                then(answers.pop().unwrap_or_else(|| Err(silent())));
            }
            Self::There(writes) => writes.write(change, needs, then),
        }
    }

    /// Whether what waits takes more than half of the room that there is.
    pub(super) fn is_half_full(&self) -> bool {
        match self {
            Self::Here(_) => false,
            Self::There(writes) => writes.is_half_full(),
        }
    }
}
