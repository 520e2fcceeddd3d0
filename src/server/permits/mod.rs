//! How many connections there may be, in all and from one address.

use std::collections::HashMap;
use std::future;
use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::sync::Arc;

use ahash::RandomState;
use parking_lot::Mutex;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;

/// What every connection needs one of.
#[derive(Debug)]
pub(super) struct Permits {
    free: Arc<Semaphore>,
    max: u32,
    /// The most for one address.
    max_per_ip: Option<usize>,
    taken: Mutex<HashMap<IpAddr, usize, RandomState>>,
}

impl Permits {
    pub(super) fn new(max: usize, max_per_ip: Option<usize>) -> Arc<Self> {
        let max = u32::try_from(max.clamp(1, Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
        Arc::new(Self {
            free: Arc::new(Semaphore::new(max as usize)),
            max,
            max_per_ip,
            taken: Mutex::default(),
        })
    }

    /// Waits until there may be one more connection. Dropped early, nothing has been taken.
    pub(super) async fn vacancy(&self) -> Vacancy {
        match Arc::clone(&self.free).acquire_owned().await {
            Ok(total) => Vacancy(total),
            // They have been closed, which nobody does.
            Err(_) => future::pending().await,
        }
    }

    /// Waits until no permit is out any more.
    pub(super) async fn returned(&self) {
        drop(self.free.acquire_many(self.max).await);
    }

    /// A permit for a connection from `ip`, unless there are as many as there may be.
    pub(super) fn permit(self: &Arc<Self>, vacancy: Vacancy, ip: Option<IpAddr>) -> Option<Permit> {
        let ip = ip.filter(|_| self.max_per_ip.is_some()).map(network);
        if let (Some(ip), Some(max)) = (ip, self.max_per_ip) {
            let mut taken = self.taken.lock();
            let taken = taken.entry(ip).or_default();
            if *taken >= max.max(1) {
                return None;
            }
            *taken += 1;
        }
        Some(Permit {
            permits: Arc::clone(self),
            ip,
            _total: vacancy.0,
        })
    }
}

/// The right to one more connection from wherever.
#[derive(Debug)]
pub(super) struct Vacancy(OwnedSemaphorePermit);

/// The right to a connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    permits: Arc<Permits>,
    ip: Option<IpAddr>,
    _total: OwnedSemaphorePermit,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(ip) = self.ip else { return };
        let mut taken = self.permits.taken.lock();
        if let Some(count) = taken.get_mut(&ip) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&ip);
            }
        }
    }
}

/// What an address counts for: itself, or the /64 it is in, for whoever has one IPv6 address has
/// all of those.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests;
