//! Who is typing in which room.
//!
//! ```text
//!   start, stop ──▶ State, by shards ──▶ the room is told
//!   tick ────────▶  (pure, told the time)   (in order for each user)
//! ```
//!
//! * Whoever is shown to type is shown to have stopped: by a stop, by leaving, or
//!   [`TypingConfig::expires`] after the last start.
//! * It means nothing later: who comes late asks for the [list](Typing::list).

mod config;
mod error;
mod shell;
mod state;

pub use self::config::TypingConfig;
pub use self::error::TypingError;
pub use self::shell::Typing;
