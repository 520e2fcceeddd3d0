//! The one integration test binary: what the crate promises, seen from outside, and how its
//! source has to look.

mod findings;
mod layering;
#[path = "../support/model.rs"]
mod model;
mod orderings;
mod panics;
mod properties;
#[path = "../support/replay.rs"]
mod replay;
mod source;
mod unsafe_code;
