//! The unit in which addresses are counted.

use std::net::IpAddr;

/// An IPv4 address, or the upper 64 bits of an IPv6 address, because the owner of one IPv6 address
/// has all of those.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Network {
    V4(u32),
    V6(u64),
}

impl Network {
    pub(crate) fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip.to_bits()),
            IpAddr::V6(ip) => {
                let high = ip.to_bits() >> u64::BITS;
                Self::V6(u64::try_from(high).unwrap_or_default())
            }
        }
    }
}
