//! Bytes on sockets. tokio starts here.

mod dialogue;
pub(crate) mod fault;
mod gateway;
mod problem;
mod rate;
mod session;
mod stats;

#[cfg(feature = "sse")]
pub mod sse;
pub mod ws;

pub use self::gateway::Gateway;
pub use self::gateway::GatewayBuilder;
pub use self::gateway::Unauthenticated;
pub use self::problem::Problem;
pub use self::stats::ConnectionStats;
pub use self::stats::LatencyStats;
pub use self::stats::Transport;
pub use self::stats::TransportStats;
