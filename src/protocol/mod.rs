//! Bytes to commands, and pushes to bytes: the native JSON protocol, version 1.
//!
//! Pure: nothing here reads a clock, takes a lock or does I/O. Time comes in as a [`Timestamp`].
//! Hostile input ends here: [`Request::parse`] never panics, and whatever it refuses, it refuses
//! with a [`Fault`] that names the request, the field and a stable [`ErrorCode`].
//!
//! One text frame of a WebSocket holds one JSON object. Every field, command, push, error and
//! close code is listed in [`docs::protocol`](crate::docs::protocol).
//!
//! ```
//! use throng::protocol::{Command, ErrorCode, Request};
//!
//! let request = Request::parse(r#"{"id":7,"type":"subscribe","channel_id":"news"}"#)?;
//! assert!(matches!(request.command, Command::Subscribe { ref channel, .. } if channel == "news"));
//!
//! let fault = Request::parse(r#"{"id":8,"type":"subscribe"}"#).unwrap_err();
//! assert_eq!((fault.code(), fault.at()), (ErrorCode::MissingField, Some("channel_id")));
//! # Ok::<(), throng::session::Fault>(())
//! ```
//!
//! # Memory
//!
//! Parsing allocates at most the size of the text, once for each string that it keeps. Values
//! inside `data` are checked, never built.

mod arguments;
mod command;
mod dialect;
mod envelope;
mod fault;
mod field;
mod named;
mod payload;
mod problem;
mod push;
mod quota;
mod raw;
mod remembered;
mod stream;

use crate::hub::EncodingSlot;

pub use crate::code::ErrorCode;
pub use crate::layers::Timestamp;

pub use self::arguments::Arguments;
#[cfg(feature = "server")]
pub(crate) use self::arguments::MOST_FIELDS;
pub use self::arguments::invalid;
pub use self::arguments::missing;
pub use self::command::Command;
pub use self::command::Echo;
pub use self::command::Request;
pub use self::command::RequestId;
pub use self::command::Whose;
pub(crate) use self::command::checked;
pub(crate) use self::command::client_of;
pub(crate) use self::command::event_of;
pub use self::command::unknown_type;
pub use self::dialect::Dialect;
pub use self::dialect::Heard;
pub use self::dialect::Said;
pub(crate) use self::dialect::Spoken;
pub use self::envelope::DeliveryReport;
pub use self::envelope::MemberView;
pub(crate) use self::envelope::whole_millis;
pub use self::fault::Fault;
pub use self::fault::Violation;
pub use self::payload::Payload;
pub(crate) use self::problem::ProblemDetails;
pub use self::push::Hello;
pub use self::push::Push;
pub use self::quota::Quota;
pub use self::remembered::HistoryEntry;
pub use self::stream::Missed;
pub use self::stream::StreamHello;
pub use self::stream::StreamPush;
pub use self::stream::StreamRequest;
pub use self::stream::stream_response;

/// The dialects that every gateway speaks besides the native protocol, in the slots from
/// [`EncodingSlot::own`]`(3)` on.
pub(crate) const DIALECTS: [Spoken; 1] = [Spoken::new(&raw::Raw, EncodingSlot::own(3))];

/// The WebSocket sub-protocol that names this dialect and its version.
pub const SUBPROTOCOL: &str = "throng.v1.json";

/// The longest text that a request may use as its `id`, in bytes.
pub const MAX_ID: usize = 64;

/// The longest channel name that is looked at, in bytes; the hub may set a lower limit.
pub const MAX_CHANNEL: usize = 1024;

/// The longest `auth` of a subscribe command, in bytes.
pub const MAX_AUTH: usize = 8192;

/// The longest conflation key of a publish command, in bytes.
pub const MAX_KEY: usize = 256;

/// How many objects and arrays may stand inside each other, the frame's own object included.
pub const MAX_DEPTH: usize = 64;

#[cfg(test)]
mod tests;
