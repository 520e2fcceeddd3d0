//! The one integration test binary: what the crate promises, seen from outside, and how its
//! source has to look.

mod layering;
mod orderings;
mod panics;
mod source;
mod unsafe_code;

#[cfg(feature = "server")]
mod bench;
#[cfg(feature = "server")]
mod binary;
#[cfg(feature = "server")]
mod browser;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "server")]
mod websocket;
