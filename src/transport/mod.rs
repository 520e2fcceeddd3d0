//! Bytes on sockets. tokio starts here.

mod conn;
mod dialogue;
pub(crate) mod fault;
mod gateway;
mod problem;
mod rate;
mod seat;
#[cfg(feature = "sse")]
mod service;
mod session;
mod stats;

pub mod memory;
#[cfg(feature = "sse")]
pub mod sse;
pub mod ws;

pub use self::conn::Conn;
pub use self::gateway::Gateway;
pub use self::gateway::GatewayBuilder;
pub use self::gateway::PeerAddress;
pub use self::gateway::Unauthenticated;
pub use self::problem::Problem;
#[cfg(feature = "sse")]
pub use self::service::GatewayService;
pub use self::stats::ConnectionStats;
pub use self::stats::LatencyStats;
pub use self::stats::Transport;
pub use self::stats::TransportStats;
