//! Users, and the connections of each.

/// The key under which a client's metadata has the address that it comes from.
pub const ADDRESS: &str = "address";

/// The key under which a client's metadata has the user agent.
pub const AGENT: &str = "agent";
