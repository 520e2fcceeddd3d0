//! What most applications build on a hub: users with their connections, rooms with members,
//! channels with patterns and filters, presence, typing, messages that are kept, sessions.
//!
//! ```text
//!        ┌────────┐ ┌────────┐ ┌──────────┐ ┌──────────┐ ┌────────┐
//!        │ users  │ │ rooms  │ │ channels │ │ presence │ │ typing │
//!        └───┬────┘ └───┬────┘ └────┬─────┘ └────┬─────┘ └───┬────┘
//!            └──────────┴─────── the hub ────────┴───────────┘
//! ```
//!
//! Each layer is made of plain state that is told the time, and a thin shell that locks it and
//! publishes what has happened. Each can be used alone; the hub knows none of them. There is no
//! runtime in here: what is to happen later waits in a timer wheel for whoever tells the time.

mod metadata;
pub(crate) mod meter;
mod name;
#[cfg(feature = "openapi")]
mod schema;
mod stamp;
mod timestamp;
mod together;
mod wheel;

pub mod channels;
pub mod messages;
pub mod presence;
pub mod rooms;
pub mod sessions;
pub mod typing;
pub mod users;

pub use self::metadata::InvalidMetadata;
pub use self::metadata::Metadata;
pub use self::name::Actor;
pub use self::name::ChannelTarget;
pub use self::name::EventName;
pub use self::name::RoomId;
pub use self::name::UserId;
pub use self::name::is_reserved;
pub use self::stamp::MessageHeader;
pub use self::timestamp::InvalidTimestamp;
pub use self::timestamp::Timestamp;
pub use self::together::ConnectionGuard;
pub use self::together::Layers;
pub use self::together::LayersBuilder;
