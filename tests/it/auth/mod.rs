//! Identity on every transport: credentials, the lobby, permissions, and the end of all of them.

mod carriers;
mod example;
mod isolation;
mod keys;
mod lobby;
mod permissions;
mod revocation;
pub(crate) mod served;
mod subscriptions;
mod tickets;
mod time;
mod world;
