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
//! | `POST /sse/{stream_token}/subscribe` | adds channels to a stream |
//! | `POST /sse/{stream_token}/unsubscribe` | takes a stream off channels |
//! | `GET /healthz`, `GET /live` | `ok`, also where there is no room for connections |
//! | `GET /ready` | `ok`, and 503 from when the server drains |
//! | `GET /api/v1/stats` | the counters of the hub, the transports and the listener |
//! | `GET /api/v1/channels` | the channels |
//! | `GET /api/v1/channels/{channel}` | one channel: subscribers, position, members |
//! | `POST /api/v1/channels/{channel}/publish` | publishes to a channel |
//! | `POST /api/v1/broadcast` | sends to all clients |
//! | `GET /api/v1/clients/slow?n=10` | the clients that keep up worst |
//! | `GET /api/v1/clients/{client_id}/stats` | one client: channels, outbox, connection |
//! | `POST /api/v1/clients/{client_id}/send` | sends to one client |
//!
//! Errors are problem details (RFC 9457).
//!
//! # Who may ask
//!
//! Requests have to name a host that is the server's own, or one of [`ServerConfig::hosts`], so
//! that no page of a stranger gets in by letting the name of its host resolve to this server.
//! Requests of web pages from other hosts are refused, as for WebSocket, see
//! [`Origins`](crate::transport::ws::Origins); pages of those that are listed may use the API
//! and streams (CORS). Where the gateway asks for no credentials, requests that came through a
//! proxy are refused, unless it is one of [`ServerConfig::trusted_proxies`]: a server on
//! loopback behind a proxy is as public as the proxy. Of a trusted one, the
//! [`PeerAddress`](crate::transport::PeerAddress) is that of the client which it forwards.
//!
//! # Draining
//!
//! When `shutdown` completes, nothing is accepted any more, the [gateway](crate::Gateway) closes
//! its clients with 1001 over its window, each after what was accepted for it, and requests under
//! way are answered. Requests that have not ended after [`ServerConfig::drain_timeout`] are
//! dropped; WebSocket connections and event streams over HTTP/1.1 that have not are the gateway's,
//! and end by its timeouts.
//!
//! # Who does not get in
//!
//! Connections need a permit before anything is read from them: see
//! [`ServerConfig::max_connections`] and [`ServerConfig::max_connections_per_ip`]. Some beyond
//! these are answered all the same, see [`ServerConfig::spare_connections`]: they are told when to
//! come back, and whether the server is healthy. They are
//! accepted by several tasks, and everything after that (TLS, HTTP, the handshake of WebSocket)
//! happens in a task of each connection's own, within [`ServerConfig::head_timeout`]: whoever is
//! silent or slow holds up nobody else. When connections cannot be had, most often since there
//! are no more file descriptors, the server tries again after 5 ms, 10 ms and so on up to a
//! second, or as soon as a connection ends, and says so once in the log.
//!
//! # Memory
//!
//! A request costs at most [`ServerConfig::max_body`] and [`ServerConfig::max_head`]; a body of up
//! to 16 KiB is read before anything is made of the request. Once a
//! connection has become a WebSocket, nothing of HTTP is left of it; nor while it is a stream of
//! events over HTTP/1.1.

mod accept;
mod activity;
mod body;
mod claim;
mod config;
mod connection;
mod connects;
mod deadline;
mod edge;
mod http;
mod inbound;
mod listener;
mod operations;
mod page;
mod peer;
mod permits;
mod routes;
mod serve;
pub(crate) mod simple;

#[cfg(feature = "tls")]
mod tls;

#[cfg(not(feature = "tls"))]
#[path = "no_tls.rs"]
mod tls;

pub use self::claim::trust_query_user;
pub use self::config::ServerConfig;
pub use self::edge::Hosts;
pub use self::edge::InvalidHost;
pub use self::edge::InvalidProxy;
pub use self::edge::TrustedProxies;
#[cfg(fuzzing)]
#[doc(hidden)]
pub use self::edge::fuzzing;
pub use self::listener::Listener;
pub use self::listener::listen;
pub use self::serve::serve;
pub use self::serve::serve_apart;
#[cfg(feature = "tls")]
pub use self::tls::Tls;
#[cfg(feature = "tls")]
pub use self::tls::TlsError;
