//! WebSocket (RFC 6455) on any byte stream of tokio: [the native protocol](crate::protocol).
//!
//! [`upgrade`] answers the HTTP request, [`Gateway::serve_ws`](crate::Gateway::serve_ws) does
//! everything after it.
//!
//! # Order
//!
//! Frames of the hub are written in the order of the client's outbox. Replies to commands are
//! written in the order of the commands, and may overtake frames that were published before.
//! The `joined` reply comes before everything that its subscription brings.
//!
//! # Writing
//!
//! What waits in the outbox is written together, up to 256 frames at a time and 32 in one system
//! call; nothing waits for more to come. The bytes of a frame (WebSocket header and JSON) are made
//! once and shared by all clients.
//!
//! # Closing
//!
//! Every close that the server begins has a code and a reason. What was accepted for the client
//! before it is written first, within [`WsConfig::write_timeout`]; then the close frame; then the
//! server waits [`WsConfig::close_timeout`] for the client to hang up.
//!
//! # Memory
//!
//! One command at a time: while one is being carried out, one more is held, and beyond it the
//! socket is not read. So a connection holds at most two inbound messages and a read buffer of
//! 4 KiB, and outbound its outbox and as much again that is being written. While 64 KiB of replies
//! wait to be written, no more commands are read.

mod config;
mod connection;
#[cfg(feature = "deflate")]
mod deflate;
mod extension;
mod flusher;
pub(crate) mod framing;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod handover;
#[cfg(not(feature = "deflate"))]
mod no_deflate;
mod origin;
mod output;
mod reader;
mod timing;
mod upgrade;

pub use self::config::WsConfig;
#[cfg(feature = "deflate")]
pub use self::deflate::Deflate;
pub use self::origin::InvalidOrigin;
pub use self::origin::OriginList;
pub use self::origin::Origins;
pub use self::upgrade::Accepted;
pub use self::upgrade::Refusal;
pub use self::upgrade::upgrade;

#[cfg(not(feature = "deflate"))]
use self::no_deflate::Deflate;

#[cfg(feature = "server")]
pub(crate) use self::handover::Carrier;
#[cfg(feature = "server")]
pub(crate) use self::handover::Handover;
#[cfg(feature = "server")]
pub(crate) use self::handover::recover;
pub use super::session::ClientPublish;

pub(crate) use self::flusher::Flushers;

#[cfg(test)]
mod tests;
