//! The one integration test binary: what the crate promises, seen from outside, and how its
//! source has to look.

#[cfg(feature = "server")]
mod bench;
mod layering;
mod orderings;
mod panics;
mod source;
mod unsafe_code;
