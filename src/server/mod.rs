//! The parts put together: HTTP, WebSocket and the page, on one listener.
//!
//! The caller brings the listener, the hub and the end: [`serve`] runs until `shutdown`
//! completes and then drains.
//!
//! | route | what it does |
//! |---|---|
//! | `GET /` | the page: numbers, and a small client |
//! | `GET /ws` | WebSocket, speaking [the native protocol](crate::docs::protocol) |
//! | `GET /sse` | [server-sent events](crate::transport::sse) |
//! | `POST /sse/{connection_id}/subscribe` | adds channels to a stream |
//! | `POST /sse/{connection_id}/unsubscribe` | takes a stream off channels |
//! | `GET /healthz` | `ok` |
//! | `GET /api/v1/stats` | the counters of the hub |
//! | `GET /api/v1/channels` | the channels |
//! | `GET /api/v1/channels/{channel}` | one channel: subscribers, position, members |
//! | `POST /api/v1/channels/{channel}/publish` | publishes to a channel |
//! | `POST /api/v1/broadcast` | sends to all clients |
//! | `GET /api/v1/clients/slow?n=10` | the clients that keep up worst |
//! | `POST /api/v1/clients/{id}/send` | sends to one client |
//! | `DELETE /api/v1/clients/{id}` | disconnects one client, with 3503 |
//!
//! Errors are problem details (RFC 9457). The API asks for no credentials: listen on loopback, or
//! put something in front of it that does. Requests of web pages from other hosts are refused,
//! as for WebSocket, see [`Origins`](crate::transport::ws::Origins).
//!
//! # Draining
//!
//! When `shutdown` completes, nothing is accepted any more, every WebSocket client is closed
//! with 3001 after what was accepted for it, and requests under way are answered. What has not
//! ended after [`ServerConfig::drain_timeout`] is dropped.
//!
//! # Memory
//!
//! A connection costs a few KiB and its outbox; a request at most
//! [`ServerConfig::max_body`] and 16 KiB for its head.

mod api;
mod body;
mod claim;
mod config;
mod page;
mod routes;
mod serve;
pub(crate) mod simple;
mod view;

pub use self::claim::claimed_user;
pub use self::config::ServerConfig;
pub use self::serve::serve;
