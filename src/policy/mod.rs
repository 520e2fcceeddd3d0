//! Policies: what decides, before a request is carried out, whether it may be.
//!
//! [`GatewayBuilder::policy`](crate::GatewayBuilder::policy) sets one of the application's own; the
//! command rate, [`GatewayBuilder::max_commands`](crate::GatewayBuilder::max_commands), is one of
//! throng's. Each is asked about every request whose [`Actions`] it names, whatever transport the
//! request has come by: WebSocket, event streams, REST, [`Conn`](crate::transport::Conn) and
//! [`Gateway::execute`](crate::Gateway::execute). The [`Hub`](crate::Hub) itself asks nobody:
//! whoever has it is trusted.

mod auth;
mod rate;

pub use self::auth::Authenticated;
pub use self::auth::Authenticator;
pub use self::auth::Carrier;
pub use self::auth::Credentials;
pub use self::auth::Refusal;
pub use self::auth::RevocationError;
pub use self::auth::Revocations;
pub use self::auth::RevocationsConfig;
pub use self::auth::Revoked;
#[cfg(feature = "jwt")]
pub use self::auth::SubscriptionTokens;
pub use self::auth::TicketError;
pub use self::auth::Tickets;
pub use self::auth::TicketsConfig;
#[cfg(feature = "jwt")]
pub use self::auth::jwt;
pub use crate::session::Actions;
pub use crate::session::Decision;
pub use crate::session::Policy;
pub use crate::session::Verdict;

pub(crate) use self::rate::CommandRate;
