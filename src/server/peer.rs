//! The other end of a connection.

use std::any::Any;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// The other end of a connection. A cheap clone.
#[derive(Clone)]
pub(super) struct Peer {
    pub(super) address: Option<IpAddr>,
    /// Whether there is no room for it: it is only answered so.
    pub(super) is_busy: bool,
    /// Dropped when the connection ends, whatever it has become.
    pub(super) hold: Arc<dyn Any + Send + Sync>,
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("address", &self.address)
            .field("is_busy", &self.is_busy)
            .finish_non_exhaustive()
    }
}
