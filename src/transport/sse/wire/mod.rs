//! A stream on its bare socket, without hyper: chunks of HTTP/1.1, written by a flusher.
//!
//! ```text
//!   hub wakes the outbox ──► row of a flusher's bell ──► flush                  (many per task)
//!   socket, timers, authorizer ──► the connection's own task ──► poll           (one per task)
//!                                         both lock the State
//! ```
//!
//! As for a WebSocket, the flusher does the one thing that is done very often, outbox to socket,
//! and the task everything else: it joins channels, sends comments, writes on when the socket was
//! full, notices that the client has gone, and ends the stream.
//!
//! # Order and loss
//!
//! The chunks are those that hyper would write. A stream with one channel has the same events as
//! all others: their chunks are made once and shared, and what the socket does not take of them
//! has never left the outbox, but for one event that was begun. Events that are a stream's own (of
//! several channels, joins, gaps) are gathered, 16 KiB at most, and have left the outbox by then.
//!
//! # Closing
//!
//! After the last event comes the last chunk. If neither side has said `Connection: close`, the
//! connection then goes back to the server, with what the client has sent meanwhile: up to 16 KiB
//! of requests that wait for their turn. Beyond that it is not read.
//!
//! A client that closes its side, or only its direction, ends the stream. One that takes nothing
//! for the write timeout while something is to be written is disconnected with
//! [`Disconnect::WRITE_TIMEOUT`](crate::Disconnect::WRITE_TIMEOUT), and its socket closed.

mod connection;
mod state;

#[cfg(feature = "server")]
pub(crate) use self::connection::Terms;
