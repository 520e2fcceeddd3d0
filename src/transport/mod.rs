//! Bytes on sockets. tokio starts here.

mod auth;
mod conn;
#[cfg(feature = "sse")]
pub(crate) mod cors;
#[cfg(feature = "sse")]
pub(crate) mod encoding;
mod flusher;
mod gateway;
mod output;
mod pace;
mod problem;
#[cfg(feature = "sse")]
mod service;
mod spread;
mod stats;
mod unsent;

pub mod memory;
#[cfg(feature = "sse")]
pub mod sse;
pub mod ws;

pub use self::auth::Lobby;
pub use self::conn::Conn;
pub use self::gateway::Gateway;
pub use self::gateway::GatewayBuilder;
pub use self::gateway::GatewayError;
#[cfg(feature = "server")]
pub(crate) use self::gateway::NoRoom;
pub use self::gateway::PeerAddress;
pub use self::gateway::TooManyDialects;
pub use self::gateway::Unauthenticated;
pub use self::problem::Problem;
#[cfg(feature = "server")]
pub(crate) use self::problem::announce;
#[cfg(feature = "sse")]
pub use self::service::GatewayService;
pub use self::stats::ConnectionStats;
pub use self::stats::LatencyStats;
pub use self::stats::Transport;
pub use self::stats::TransportStats;
pub use self::unsent::UNSENT_MARK;
pub use self::unsent::set_unsent_mark;
