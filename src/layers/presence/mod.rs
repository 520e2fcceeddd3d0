//! Who is there: a status for each user, over many connections.

mod config;
mod error;
mod figures;
mod state;
mod status;
mod update;
mod watches;

pub use self::config::PresenceConfig;
pub use self::config::Visibility;
pub use self::error::PresenceError;
pub use self::status::Status;
pub use self::update::Activity;
pub use self::update::CustomStatus;
pub use self::update::Device;
pub use self::update::PresenceUpdate;
