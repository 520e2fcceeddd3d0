//! WebSocket (RFC 6455) on any byte stream of tokio: [the native protocol](crate::protocol).
//!
//! [`upgrade`] answers the HTTP request, [`Gateway::serve_ws`](crate::Gateway::serve_ws) does
//! everything after it; [`Gateway::websocket`](crate::Gateway::websocket) does both, under any
//! server that is built on hyper.
//!
//! ```text
//!   publish ─► outboxes ─► list of a flusher ─► flusher: outbox to socket, client after client
//!                                                  │ what a socket does not take
//!   socket, timers, authorizer ─► task of the connection: reads, answers, writes on, closes
//! ```
//!
//! # Order
//!
//! Frames of the hub are written in the order of the client's outbox. Replies to commands are
//! written in the order of the commands, and may overtake frames that were published before.
//! The `joined` reply comes before everything that its subscription brings.
//!
//! # Writing
//!
//! What waits in the outbox is written together; nothing waits for more to come, unless
//! [a delay](WsConfig::flush_delay) is set. The bytes of a frame (WebSocket header and JSON,
//! compressed or not) are made once and shared by all clients. Small frames are copied together
//! for one write, 16 KiB at most; larger ones are named to the kernel, up to 32 in one write.
//! A plain TCP or Unix socket is written past the runtime's readiness, which is asked only when
//! the socket is full; every other stream is written through it.
//!
//! The flushers of a gateway, one for each worker thread of its runtime, write for all its
//! clients. A client that takes nothing costs them one look: the rest is up to its own task.
//!
//! # Loss
//!
//! None but what the slow-consumer policy of the outbox drops. Of the frames that are shown to the
//! socket, those that it does not take have never left the outbox, but for one that was begun: they
//! count against its limits, and are conflated, evicted and dropped as before. Replies, control
//! messages and gap notices that were taken are written next.
//!
//! What the kernel has taken is beyond every policy. An [unsent mark](super::set_unsent_mark)
//! bounds it; without one it is up to some megabytes for each client.
//!
//! # Reading
//!
//! tungstenite has the codec of frame headers and the handshake; the reader is our own, since
//! tungstenite's keeps a buffer for each connection and refuses compressed messages. A client
//! that breaks the protocol is closed with 1002, 1007 or 1009 as soon as its bytes show it.
//!
//! # Lobby
//!
//! A connection without credentials, of a gateway with an
//! [`Authenticator`](crate::policy::Authenticator), waits in a [lobby](super::Lobby): it is no
//! client of the hub before its first message has shown some. Until then it is read and answered,
//! and nothing else.
//!
//! # Compression
//!
//! permessage-deflate (RFC 7692) is off unless configured, with the feature `deflate`. It is
//! agreed on without context takeover, both ways, so that a broadcast is compressed once for all,
//! and an idle client has no window of its own. A client that asks for a window of fewer bits
//! gets compressed what is no longer than that window, for which any will do, and the rest as it
//! is.
//!
//! # Closing
//!
//! Every close that the server begins has a code and a reason. What was accepted for the client
//! before it is written first, within [`WsConfig::write_timeout`]; then a `disconnect` push, which
//! says when to come back; then the close frame; then the server waits
//! [`WsConfig::close_timeout`] for the client to hang up. A client that closes, or that breaks the
//! protocol, gets what was accepted for it and the close frame.
//!
//! # Memory
//!
//! One command at a time: while one is being carried out, one more is held, and beyond it the
//! socket is not read. So a connection holds at most two inbound messages and what was read behind
//! them, 64 KiB at most, and outbound its outbox and one frame that was begun. While 64 KiB
//! of replies wait to be written, no more commands are read. An idle connection has no buffer:
//! reading and writing use memory of the worker thread.
//!
//! # Progress
//!
//! Publishers wait for no connection: a wake-up sets a bit, and once in a pass rings the flusher.
//! Commands of a client, and the callbacks of the hub that they
//! lead to, run in the client's own task; a flusher that finds it busy passes it over and is
//! called again.

mod config;
mod connection;
#[cfg(feature = "deflate")]
mod deflate;
mod extension;
pub(crate) mod framing;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod handover;
mod lobby;
#[cfg(not(feature = "deflate"))]
mod no_deflate;
mod origin;
mod reader;
mod replies;
mod timing;
mod upgrade;

pub use self::config::WsConfig;
#[cfg(feature = "deflate")]
pub use self::deflate::Deflate;
#[cfg(feature = "sse")]
pub(crate) use self::origin::Grant;
pub use self::origin::InvalidOrigin;
pub use self::origin::OriginList;
pub use self::origin::Origins;
pub use self::upgrade::Negotiated;
pub use self::upgrade::UpgradeError;
pub use self::upgrade::upgrade;

use self::upgrade::negotiate;

#[cfg(not(feature = "deflate"))]
use self::no_deflate::Deflate;

#[cfg(feature = "server")]
pub(crate) use self::handover::Carrier;
#[cfg(feature = "server")]
pub(crate) use self::handover::Handover;
#[cfg(feature = "server")]
pub(crate) use self::handover::recover;

#[cfg(test)]
mod tests;
