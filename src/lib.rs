#![doc = include_str!("../README.md")]
//!
//! # Where to go from here
//!
//! * [`Hub`] is the root of everything; [`Channel`] and [`Outbox`] are the two ends of the hot
//!   path, and the latter says what an outbox promises.
//! * [`SlowConsumer`], [`OutboxLimits`], [`HistoryOptions`] and [`Limits`] are what there is to
//!   tune.
//! * [`Authorizer`] decides who may join, [`HubBuilder::on_presence`] tells who has.
//! * With the feature `layers`: `Layers` has users, rooms, messages, patterns, presence, typing and
//!   sessions; with `ws`, `transport::Gateway` puts all of it on sockets; with `server`, `serve` is
//!   a whole server. `docs::features` lists what there is, `docs::protocol` what clients say,
//!   `docs::operations` what they can ask.
//! * With `jwt`, `policy::jwt` and `policy::ApiKeys` decide who a caller is; their chapter is
//!   `docs::authentication`.
//! * With `tune`, `tune` measures which of these settings fit a feed and its clients; `throng tune`
//!   is its command line. `docs::tuning` is its chapter.
//! * [`docs::architecture`] is the map of the code, [`docs::design`] says why it is so,
//!   [`docs::guarantees`] what holds each promise, [`docs::performance`] what it costs,
//!   [`docs::failures`] how others have failed.

#![deny(missing_docs, missing_debug_implementations, unsafe_code)]
#![warn(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::print_stdout
)]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]
#![doc(test(attr(deny(warnings))))]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod quiet;
mod sync;

#[cfg(feature = "layers")]
mod code;
mod disconnect;
mod id;
mod limits;
mod message;
mod pairs;
mod time;

mod raw;

pub mod docs;

mod hub;

#[cfg(feature = "json")]
mod json;

#[cfg(feature = "layers")]
mod layers;

#[cfg(feature = "ws")]
pub mod policy;
#[cfg(feature = "ws")]
pub mod protocol;
#[cfg(feature = "ws")]
pub mod session;
#[cfg(feature = "ws")]
pub mod transport;

#[cfg(feature = "axum")]
pub mod handlers;
#[cfg(feature = "tune")]
pub mod report;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "tune")]
pub mod tune;

#[cfg(feature = "layers")]
pub use self::code::ErrorCode;
pub use self::disconnect::Disconnect;
pub use self::disconnect::InvalidDisconnect;
pub use self::disconnect::ReconnectAdvice;
pub use self::hub::*;
pub use self::id::ChannelKind;
pub use self::id::ChannelName;
pub use self::id::ClientId;
pub use self::id::InvalidName;
#[cfg(feature = "json")]
pub use self::json::JsonError;
#[cfg(feature = "json")]
pub use self::json::PublishJsonError;
#[cfg(feature = "json")]
pub use self::json::TypedChannel;
#[cfg(feature = "layers")]
pub use self::layers::*;
pub use self::limits::GapNotices;
pub use self::limits::Limits;
pub use self::limits::OutboxLimits;
pub use self::limits::SlowConsumer;
pub use self::message::Format;
pub use self::message::Message;
pub use self::message::Text;
#[cfg(feature = "server")]
pub use self::server::simple::serve;
#[cfg(all(fuzzing, feature = "ws"))]
pub use self::session::operations::session::fuzzing as fuzzing_sessions;
pub use self::time::Clock;
pub use self::time::ManualClock;
pub use self::time::SystemClock;
#[cfg(feature = "ws")]
pub use self::transport::Gateway;
#[cfg(feature = "ws")]
pub use self::transport::GatewayBuilder;
