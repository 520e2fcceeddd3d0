//! Who is there: a status for each user, over many connections.
//!
//! ```text
//!   connected, set, touch ──▶ State, by shards ──▶ what others see has changed ──▶ watchers
//!   tick ─────────────────▶  (pure, told the time)     (in order for each user)    rooms
//!                                                                                  observers
//! ```
//!
//! * A user is online with its first connection, and offline [`PresenceConfig::grace`] after the
//!   last: a page that is loaded anew is no news.
//! * What a user says it is, away or busy, holds until it says otherwise or is gone. Nothing it
//!   does changes that, nor does a further connection.
//! * A user that is connected never times out. One that was only said to be there does.
//! * An invisible user is offline to others, and nothing it says is shown to them.

mod config;
mod error;
mod figures;
mod page;
mod shell;
mod state;
mod status;
mod update;
mod view;
mod watches;

pub use self::config::PresenceConfig;
pub use self::config::Visibility;
pub use self::error::PresenceError;
pub use self::page::Page;
pub use self::page::PresenceFilter;
pub use self::page::PresenceQuery;
pub use self::shell::ObserverId;
pub use self::shell::Presence;
pub use self::shell::PresenceBatch;
#[cfg(feature = "ws")]
pub(crate) use self::shell::Said;
pub use self::status::Status;
pub use self::update::Activity;
pub use self::update::CustomStatus;
pub use self::update::DEVICE;
pub use self::update::DEVICE_NAME;
pub use self::update::Device;
pub use self::update::PresenceUpdate;
pub(in crate::layers) use self::update::device_of;
pub use self::view::CustomStatusView;
pub use self::view::DeviceView;
pub use self::view::PresenceCounts;
pub use self::view::StatusChange;
pub use self::view::StatusEntry;
pub use self::view::UserPresence;
