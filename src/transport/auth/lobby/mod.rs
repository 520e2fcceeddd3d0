//! The places of connections that have not authenticated yet.

use std::collections::HashMap;
use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;

use ahash::RandomState;
use parking_lot::Mutex;

/// The lobby: where WebSocket connections without credentials wait until their first message shows
/// some.
///
/// A connection there is no client of the hub: nothing is subscribed to, and nothing is delivered.
///
/// # Memory
///
/// For each connection there, its task, and what has arrived of one message of at most 16 KiB.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub struct Lobby {
    timeout: Duration,
    max: usize,
    max_per_address: usize,
}

impl Lobby {
    /// Creates the default: 5 s, 1,024 connections, 16 from one address.
    pub const fn new() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            max: 1024,
            max_per_address: 16,
        }
    }

    /// Sets how long a connection may take to show credentials.
    pub const fn timeout(mut self, time: Duration) -> Self {
        self.timeout = time;
        self
    }

    /// Sets the most connections at a time; those beyond are told to come back later.
    pub const fn max_connections(mut self, connections: usize) -> Self {
        self.max = connections;
        self
    }

    /// Sets the most connections at a time from one IPv4 address, or from one /64 of IPv6.
    pub const fn max_per_address(mut self, connections: usize) -> Self {
        self.max_per_address = connections;
        self
    }
}

impl Default for Lobby {
    fn default() -> Self {
        Self::new()
    }
}

/// The places of a lobby. A cheap clone.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    lobby: Lobby,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_address: HashMap<IpAddr, usize, RandomState>,
}

/// A place in a lobby, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    address: Option<IpAddr>,
}

impl Places {
    pub(crate) fn new(lobby: Lobby) -> Self {
        Self {
            lobby,
            taken: Arc::default(),
        }
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.lobby.timeout
    }

    /// Takes a place; `None` if there is none left.
    pub(crate) fn take(&self, address: Option<IpAddr>) -> Option<Place> {
        let address = address.map(network);
        let mut taken = self.taken.lock();
        if taken.all >= self.lobby.max {
            return None;
        }
        if let Some(address) = address {
            let own = taken.by_address.get(&address).copied().unwrap_or_default();
            if own >= self.lobby.max_per_address {
                return None;
            }
            taken.by_address.insert(address, own + 1);
        }
        taken.all += 1;
        drop(taken);
        Some(Place {
            places: self.clone(),
            address,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock();
        taken.all -= 1;
        if let Some(address) = self.address
            && let Some(own) = taken.by_address.get_mut(&address)
        {
            *own -= 1;
            if *own == 0 {
                taken.by_address.remove(&address);
            }
        }
    }
}

/// The address, or of IPv6 the /64 that it is in.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests;
