//! The integration tests, one binary.

#[cfg(feature = "server")]
mod binary;
#[cfg(feature = "server")]
mod browser;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "server")]
mod websocket;
