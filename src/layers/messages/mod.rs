//! Messages that are kept: sent to rooms, read again later, searched, edited, answered.
//!
//! A [`MessageStore`] keeps them, in memory or in a file; everything that decides (who may, what
//! number, what is told) is above it and the same for all stores.

mod config;
mod cursor;
mod error;
mod memory;
mod pending;
mod query;
mod record;
mod shell;
mod store;
mod terms;
mod view;
mod walk;
mod writer;

#[cfg(feature = "sqlite")]
pub mod sqlite;

#[cfg(test)]
mod contract;

pub use self::config::MessagesConfig;
pub use self::cursor::Cursor;
pub use self::cursor::InvalidCursor;
pub use self::error::MessageError;
pub use self::error::OpenError;
pub use self::error::StoreError;
pub use self::memory::MemoryLimits;
pub use self::memory::MemoryStore;
pub use self::pending::Pending;
pub use self::query::MessageQuery;
pub use self::query::MessageSearch;
pub use self::query::Order;
pub use self::query::Page;
pub use self::query::Scope;
pub use self::record::Deletion;
pub use self::record::NewMessage;
pub use self::record::ReactionCount;
pub use self::record::Replies;
pub use self::record::Revision;
pub use self::record::StoredMessage;
pub use self::shell::Messages;
pub use self::shell::OutgoingMessage;
pub use self::shell::Unread;
pub use self::store::Change;
pub use self::store::CleanupOutcome;
pub use self::store::MessageStore;
pub use self::store::Retention;
pub use self::store::StoreStats;
pub use self::store::Written;
pub use self::terms::InvalidTerms;
pub use self::terms::Term;
pub use self::terms::Terms;
pub use self::terms::words;
pub use self::terms::words_of;
pub use self::view::DeletionView;
pub use self::view::MessageView;
pub use self::view::ReactionView;
pub use self::view::RepliesView;
pub use self::view::RevisionView;
