//! How many connections there may be, in all and from one address.

use std::collections::HashMap;
use std::future;
use std::net::IpAddr;
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
    taken: Mutex<HashMap<Network, usize, RandomState>>,
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
        let network = ip.filter(|_| self.max_per_ip.is_some()).map(Network::of);
        if let (Some(network), Some(max)) = (network, self.max_per_ip) {
            let mut taken = self.taken.lock();
            let taken = taken.entry(network).or_default();
            if *taken >= max.max(1) {
                return None;
            }
            *taken += 1;
        }
        // The permit adds it again when it is dropped.
        vacancy.0.forget();
        Some(Permit {
            permits: Arc::clone(self),
            network,
        })
    }
}

/// The right to one more connection from wherever.
#[derive(Debug)]
pub(super) struct Vacancy(OwnedSemaphorePermit);

/// The right to a connection, until it is dropped. 24 bytes, because each connection has one for as
/// long as it lasts.
#[derive(Debug)]
pub(super) struct Permit {
    permits: Arc<Permits>,
    /// `None` where addresses are not counted.
    network: Option<Network>,
}

impl Permit {
    fn leave_network(&self) {
        let Some(network) = self.network else { return };
        let mut taken = self.permits.taken.lock();
        if let Some(count) = taken.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&network);
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.leave_network();
        self.permits.free.add_permits(1);
    }
}

/// The unit in which addresses are counted: an IPv4 address, or the upper 64 bits of an IPv6
/// address, because the owner of one IPv6 address has all of those.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Network {
    V4(u32),
    V6(u64),
}

impl Network {
    fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip.to_bits()),
            IpAddr::V6(ip) => {
                let [high @ .., _, _, _, _] = ip.segments();
                Self::V6(
                    high.iter()
                        .fold(0, |bits, part| bits << 16 | u64::from(*part)),
                )
            }
        }
    }
}

#[cfg(test)]
mod tests;
