//! Users, and the connections of each.
//!
//! ```text
//!   connect ──▶ a place is reserved ──▶ the hub ──▶ Connection ──▶ leave: the place is free
//!                 per user, nobody's, in all          touch
//! ```
//!
//! * A limit is never passed, however many come at once, and what a connection took up is given
//!   back exactly once.
//! * No listing looks at all users or connections; only a [broadcast](Users::broadcast_except)
//!   reaches all.

mod config;
mod connection;
mod error;
mod owners;
mod page;
mod roster;
mod shell;
mod small;

pub use self::config::UsersConfig;
pub use self::connection::ClientInfo;
pub use self::connection::Connection;
pub use self::connection::Disconnected;
pub use self::error::ConnectionLimit;
pub use self::error::UserError;
pub use self::page::Page;
pub use self::shell::Sent;
pub use self::shell::UserEntry;
pub use self::shell::Users;

/// The key under which a client's metadata has the address that it comes from.
pub const ADDRESS: &str = "address";

/// The key under which a client's metadata has the user agent.
pub const AGENT: &str = "agent";
