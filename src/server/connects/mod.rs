//! New connections in a second, in all and from one address.
//!
//! They are counted when they are accepted, before anything is read: a handshake of TLS is what a
//! flood of connections makes the server pay for.

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::num::NonZeroU64;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use ahash::RandomState;

use crate::policy::Network;
use crate::policy::Rate;
use crate::policy::Store;
use crate::time::Clock;

/// Rates of new connections.
///
/// # Memory
///
/// 2.1 MiB where addresses are counted, whatever their number.
pub(super) struct Connects {
    clock: Arc<dyn Clock>,
    /// Time is counted from here.
    since: Instant,
    all: Option<Store>,
    per_ip: Option<Store>,
    hasher: RandomState,
}

/// The addresses that there is room for.
const MAX_ADDRESSES: NonZeroUsize = NonZeroUsize::MIN.saturating_add((1 << 17) - 1);

const SECOND: Duration = Duration::from_secs(1);

impl Connects {
    pub(super) fn new(
        clock: Arc<dyn Clock>,
        per_second: Option<NonZeroU32>,
        per_ip: Option<NonZeroU32>,
    ) -> Self {
        let rate = |connects| Rate::bucket(connects, SECOND, connects);
        Self {
            since: clock.now(),
            clock,
            all: per_second.map(|connects| Store::one(rate(connects))),
            per_ip: per_ip.map(|connects| Store::keyed(rate(connects), MAX_ADDRESSES)),
            hasher: RandomState::new(),
        }
    }

    /// Counts a new connection, and that of `ip` if that is known; returns whether there is room
    /// for it in this second. One for which there is none is not counted.
    pub(super) fn admit(&self, ip: Option<IpAddr>) -> bool {
        if ip.is_some_and(|ip| !self.admit_from(ip)) {
            return false;
        }
        let Some(all) = &self.all else { return true };
        let now = self.now();
        let has_room = all.take(NonZeroU64::MIN, now).is_ok();
        if let (Some(per_ip), Some(ip), false) = (&self.per_ip, ip, has_room) {
            per_ip.give_back(self.key(ip), now);
        }
        has_room
    }

    /// Counts a new connection from `ip` that a proxy forwards on one of its own, which is counted;
    /// returns whether there is room for it in this second.
    pub(super) fn admit_from(&self, ip: IpAddr) -> bool {
        let Some(per_ip) = &self.per_ip else {
            return true;
        };
        per_ip.take(self.key(ip), self.now()).is_ok()
    }

    fn key(&self, ip: IpAddr) -> NonZeroU64 {
        let hash = self.hasher.hash_one(Network::of(ip));
        NonZeroU64::new(hash).unwrap_or(NonZeroU64::MIN)
    }

    fn now(&self) -> u64 {
        let elapsed = self.clock.now().saturating_duration_since(self.since);
        u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
    }
}

impl fmt::Debug for Connects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connects")
            .field("all", &self.all)
            .finish_non_exhaustive()
    }
}
