//! The contract, kept by a store in a directory that goes with it.

use std::ops::Deref;

use super::*;
use crate::layers::messages::contract::contract;

contract!(Temporary::new);

/// A store, and after it its directory.
struct Temporary {
    store: SqliteStore,
    _dir: Dir,
}

impl Temporary {
    fn new() -> Self {
        let dir = Dir::new();
        Self {
            store: dir.open(),
            _dir: dir,
        }
    }
}

impl Deref for Temporary {
    type Target = SqliteStore;

    fn deref(&self) -> &SqliteStore {
        &self.store
    }
}
