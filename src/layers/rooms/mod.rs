//! Rooms: members with roles, and what they may do.
//!
//! ```text
//!   Rooms ── shards ──▶ Room (pure, told the time): members, roles, bans, mutes, invites, pins
//!     │                   │ says what happened
//!     │                   ▼
//!     ├── events ──▶ the hub's channel `$room:<id>` ──▶ every connection of every member
//!     └── users ───▶ which rooms a user is in, and how many it may be in
//! ```
//!
//! * Membership is a user's, and survives its connections. While a user is a member, all of its
//!   connections receive what is sent to the room, and none after.
//! * Whatever a room says about itself is enforced where it matters, on the way in and on the way
//!   of a message: bans and mutes, private, full, locked and archived, slow mode, roles and
//!   permissions, and how many rooms a user may be in.
//! * Members are told of what happens, in the order in which it happened. In large rooms, comings
//!   and goings are told together, so that a crowd that comes costs as many frames as it has
//!   heads, not the square of that.

mod batch;
mod config;
mod connections;
mod directory;
mod error;
mod options;
mod role;
mod room;
mod shell;
mod view;

pub use self::config::RoomsConfig;
pub use self::connections::Connections;
pub use self::directory::RoomQuery;
pub use self::error::InvalidSnapshot;
pub use self::error::LoadError;
pub use self::error::RoomError;
pub use self::options::InviteOptions;
pub use self::options::RoomOptions;
pub use self::options::RoomPatch;
pub use self::role::Permission;
pub use self::role::Permissions;
pub use self::role::Role;
pub(crate) use self::shell::Accepted;
pub(crate) use self::shell::Asked;
pub use self::shell::JoinRequest;
pub use self::shell::RoomChange;
pub use self::shell::Rooms;
pub use self::shell::Sent;
pub(crate) use self::shell::Snapshot;
pub(crate) use self::shell::Stay;
pub(crate) use self::shell::stamped;
pub use self::view::BanView;
pub use self::view::InviteView;
pub use self::view::LogEntryView;
pub use self::view::MemberView;
pub use self::view::MuteView;
pub use self::view::PinView;
pub use self::view::ReadView;
pub use self::view::RoomStats;
pub use self::view::RoomView;
