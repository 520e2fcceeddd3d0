//! Named channels: patterns, filters on metadata, declared channels.
//!
//! ```text
//!   publish ──▶ channel ──▶ its subscribers, in groups by filter
//!                  │
//!                  └─ which patterns match? ──▶ the channel of each pattern ──▶ its subscribers
//!                       (asked once, and again when patterns come or go)
//! ```
//!
//! * Who subscribes to a pattern gets what is published to any channel that matches, those to come
//!   too: the same frames, with the name and the position that they have in their channel.
//! * Private and presence channels are in no pattern: whoever wants them asks the authorizer.
//! * A filter is evaluated on the server, once for all who have the same.
//! * A channel is there as long as somebody is in it. One that is *declared* says more about
//!   itself, and with [`ChannelsConfig::declared_only`] there are no others.

mod config;
mod error;
mod filter;
mod names;
mod pattern;
mod private;
mod shell;

pub use self::config::ChannelsConfig;
pub use self::error::ChannelsError;
pub use self::filter::InvalidFilter;
pub use self::filter::MetadataFilter;
pub use self::names::ChannelView;
#[cfg(feature = "ws")]
pub(crate) use self::names::Known;
pub use self::pattern::InvalidPattern;
pub use self::pattern::Pattern;
#[cfg(feature = "ws")]
pub(crate) use self::private::AllPrivate;
pub use self::private::InvalidPrivateChannels;
pub use self::private::PrivateChannels;
pub use self::shell::ChannelOptions;
pub use self::shell::ChannelStatsView;
pub use self::shell::Channels;
