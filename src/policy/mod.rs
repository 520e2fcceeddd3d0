//! Policies: what decides, before a request is carried out, whether it may be.
//!
//! [`GatewayBuilder::policy`](crate::GatewayBuilder::policy) sets one of the application's own; the
//! rate limits, [`GatewayBuilder::limit`](crate::GatewayBuilder::limit), are one of throng's. Each
//! is asked about every request whose [`Actions`] it names, whatever transport the request has come
//! by: WebSocket, event streams, REST, [`Conn`](crate::transport::Conn) and
//! [`Gateway::execute`](crate::Gateway::execute). The [`Hub`](crate::Hub) itself asks nobody:
//! whoever has it is trusted.

mod auth;
mod content;
mod filter;
mod limit;
mod rate;
mod scope;
#[cfg(feature = "schema")]
mod validate;

#[cfg(feature = "jwt")]
pub use self::auth::ApiKey;
#[cfg(feature = "jwt")]
pub use self::auth::ApiKeyError;
#[cfg(feature = "jwt")]
pub use self::auth::ApiKeyFile;
#[cfg(feature = "jwt")]
pub use self::auth::ApiKeys;
pub use self::auth::Authenticated;
pub use self::auth::Authenticator;
pub use self::auth::Carrier;
pub use self::auth::Credentials;
#[cfg(feature = "jwt")]
pub use self::auth::InvalidApiKeys;
#[cfg(feature = "jwt")]
pub use self::auth::LineError;
#[cfg(feature = "jwt")]
pub use self::auth::NewApiKey;
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
#[cfg(feature = "filter")]
pub use self::filter::Action;
#[cfg(feature = "filter")]
pub use self::filter::BuiltIn;
pub use self::filter::ContentFilter;
#[cfg(feature = "filter")]
pub use self::filter::FilterConfig;
pub use self::filter::FilterInfo;
#[cfg(feature = "filter")]
pub use self::filter::FilterKind;
pub use self::filter::Filtered;
pub use self::filter::Filters;
#[cfg(feature = "filter")]
pub use self::filter::InvalidFilter;
pub use self::limit::Allowance;
pub use self::limit::InvalidLimit;
pub use self::limit::InvalidLimitText;
pub use self::limit::Limit;
pub use self::limit::LimitAlgorithm;
pub use self::limit::LimitKey;
pub use self::limit::LimitStats;
pub use self::limit::LimitStatus;
pub use self::limit::LimitSubject;
pub use self::limit::Limiter;
pub use self::limit::RateLimits;
pub use self::limit::UnknownLimit;
pub use self::scope::InvalidScope;
pub use self::scope::Scope;
#[cfg(feature = "schema")]
pub use self::validate::InvalidSchema;
#[cfg(feature = "schema")]
pub use self::validate::Schema;
#[cfg(feature = "schema")]
pub use self::validate::SchemaConfig;
#[cfg(feature = "schema")]
pub use self::validate::SchemaInfo;
#[cfg(feature = "schema")]
pub use self::validate::Schemas;
pub use crate::session::Actions;
pub use crate::session::Arrival;
pub use crate::session::AsyncPolicy;
pub use crate::session::CallerInfo;
pub use crate::session::Decision;
pub use crate::session::Draft;
pub use crate::session::Event;
pub use crate::session::Hook;
pub use crate::session::HookInfo;
pub use crate::session::Hooks;
pub use crate::session::Interest;
pub use crate::session::Moments;
pub use crate::session::NewRoom;
pub use crate::session::Observer;
pub use crate::session::Policy;
pub use crate::session::Target;
pub use crate::session::Verdict;
pub use crate::session::from_async;

pub(crate) use self::content::Moderation;
pub(crate) use self::limit::CustomLimiter;
#[cfg(feature = "server")]
pub(crate) use self::rate::Network;
#[cfg(feature = "server")]
pub(crate) use self::rate::Rate;
#[cfg(feature = "server")]
pub(crate) use self::rate::Store;
