//! The number of connections, in all and from one address.

use std::collections::HashMap;
use std::future;
use std::net::IpAddr;
use std::sync::Arc;

use ahash::RandomState;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::policy::Network;
use crate::server::connects::Connects;

/// The permits of a listener, of which each connection needs one.
#[derive(Debug)]
pub(super) struct Permits {
    free: Semaphore,
    max: u32,
    /// For connections beyond the limits, which are answered that there is no room.
    spare: Semaphore,
    max_spare: u32,
    /// The most for one address.
    max_per_ip: Option<usize>,
    taken: Mutex<HashMap<Network, usize, RandomState>>,
    connects: Connects,
}

impl Permits {
    pub(super) fn new(
        max: usize,
        max_spare: usize,
        max_per_ip: Option<usize>,
        connects: Connects,
    ) -> Arc<Self> {
        let within = |n: usize| u32::try_from(n.min(Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
        let (max, max_spare) = (within(max).max(1), within(max_spare));
        Arc::new(Self {
            free: Semaphore::new(max as usize),
            max,
            spare: Semaphore::new(max_spare as usize),
            max_spare,
            max_per_ip,
            taken: Mutex::default(),
            connects,
        })
    }

    /// Waits until no permit is out any more.
    pub(super) async fn returned(&self) {
        let free = self.free.acquire_many(self.max);
        let spare = self.spare.acquire_many(self.max_spare);
        drop(tokio::join!(free, spare));
    }

    /// Returns a permit for a connection from `ip`, where addresses are counted: a spare one if
    /// there are as many connections as there may be, from there or in all, or as many new ones in
    /// this second. Waits where no spare
    /// one is left either, and returns `None` where none is left for an address at its limit.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, nothing is taken.
    pub(super) async fn permit(self: &Arc<Self>, ip: Option<IpAddr>) -> Option<Permit> {
        let is_too_soon = !self.connects.admit(ip);
        let Some(place) = self.place(ip).ok().filter(|_| !is_too_soon) else {
            let spare = self.spare.try_acquire().ok()?;
            spare.forget();
            return Some(self.spare_permit());
        };
        // Neither is ever closed.
        tokio::select! {
            biased;
            Ok(free) = self.free.acquire() => {
                free.forget();
                let counted = place.map_or(Counted::Nowhere, Place::into_counted);
                Some(Permit { permits: Arc::clone(self), counted })
            }
            Ok(spare) = self.spare.acquire() => {
                spare.forget();
                Some(self.spare_permit())
            }
            else => future::pending().await,
        }
    }

    fn spare_permit(self: &Arc<Self>) -> Permit {
        Permit {
            permits: Arc::clone(self),
            counted: Counted::Spare,
        }
    }

    /// Counts a new connection that a proxy forwards from `ip`; returns whether there is room for
    /// it in this second.
    pub(super) fn admit_from(&self, ip: IpAddr) -> bool {
        self.connects.admit_from(ip)
    }

    /// Counts one more for `ip`, until the place is dropped; `None` where addresses are not
    /// counted, or there is none.
    pub(super) fn place(self: &Arc<Self>, ip: Option<IpAddr>) -> Result<Option<Place>, Full> {
        let (Some(ip), Some(max)) = (ip, self.max_per_ip) else {
            return Ok(None);
        };
        let network = Network::of(ip);
        let mut networks = self.taken.lock();
        let taken = networks.entry(network).or_default();
        if *taken >= max.max(1) {
            return Err(Full);
        }
        *taken += 1;
        Ok(Some(Place {
            permits: Arc::clone(self),
            network: Some(network),
        }))
    }

    fn leave(&self, network: Network) {
        let mut taken = self.taken.lock();
        if let Some(count) = taken.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&network);
            }
        }
    }
}

/// The error of an address that has as many connections as it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// The right to a connection, until it is dropped. 24 bytes, because each connection has one for as
/// long as it lasts.
#[derive(Debug)]
pub(super) struct Permit {
    permits: Arc<Permits>,
    counted: Counted,
}

#[derive(Clone, Copy, Debug)]
enum Counted {
    For(Network),
    Nowhere,
    Spare,
}

impl Permit {
    /// Returns whether there is no room: the connection is only to be answered so.
    pub(super) fn is_spare(&self) -> bool {
        matches!(self.counted, Counted::Spare)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        match self.counted {
            Counted::Spare => return self.permits.spare.add_permits(1),
            Counted::For(network) => self.permits.leave(network),
            Counted::Nowhere => {}
        }
        self.permits.free.add_permits(1);
    }
}

/// One of the places of an address, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    permits: Arc<Permits>,
    /// `None` once a permit counts it.
    network: Option<Network>,
}

impl Place {
    /// Leaves the counting to a permit.
    fn into_counted(mut self) -> Counted {
        self.network.take().map_or(Counted::Nowhere, Counted::For)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(network) = self.network {
            self.permits.leave(network);
        }
    }
}

#[cfg(test)]
mod tests;
