//! The connections that read.

use std::ops::Deref;
use std::ops::DerefMut;

use parking_lot::Condvar;
use parking_lot::Mutex;
use parking_lot::MutexGuard;
use rusqlite::Connection;

/// Connections, each lent to one reader at a time. Who finds none waits for the next.
pub(super) struct Pool {
    connections: Vec<Mutex<Connection>>,
    /// Which of them are not lent.
    idle: Mutex<Vec<usize>>,
    returned: Condvar,
}

impl Pool {
    pub(super) fn new(connections: Vec<Connection>) -> Self {
        Self {
            idle: Mutex::new((0..connections.len()).collect()),
            connections: connections.into_iter().map(Mutex::new).collect(),
            returned: Condvar::new(),
        }
    }

    pub(super) fn lend(&self) -> Lent<'_> {
        let mut idle = self.idle.lock();
        loop {
            if let Some(index) = idle.pop() {
                let connection = self.connections[index].lock();
                return Lent {
                    pool: self,
                    index,
                    connection,
                };
            }
            self.returned.wait(&mut idle);
        }
    }
}

/// A connection that goes back when it is dropped.
pub(super) struct Lent<'a> {
    pool: &'a Pool,
    index: usize,
    connection: MutexGuard<'a, Connection>,
}

impl Deref for Lent<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Lent<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.pool.idle.lock().push(self.index);
        self.pool.returned.notify_one();
    }
}
