//! The one integration test binary: what the crate promises, seen from outside.

#[cfg(feature = "server")]
mod bench;
