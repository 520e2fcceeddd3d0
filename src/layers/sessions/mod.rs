//! Sessions: what a client had asked for, kept for a while after its connection is lost.
//!
//! ```text
//!   connected ──▶ open ──────▶ kept ──────▶ forgotten
//!                  │  notes      │  after the TTL, or for those that came later
//!                  └── resume ◀──┘  once, by its owner
//! ```
//!
//! A session is known by an id that nobody guesses, told to its client when it connects. Whoever
//! comes back with it, as the same user, gets what it had noted, once: which channels and patterns
//! it was subscribed to, with their filters, and whom it watched. What it is let in again is
//! decided anew. Its rooms are its user's, and its presence too: those need no session.

mod config;
mod shell;
mod state;
mod store;

pub use self::config::SessionsConfig;
#[cfg(feature = "ws")]
pub(crate) use self::shell::ID_LEN;
pub use self::shell::Session;
pub use self::shell::Sessions;
pub use self::state::Note;
pub use self::state::ResumeError;
pub use self::state::Resumed;
pub use self::store::SessionStore;
pub use self::store::StoredSession;
