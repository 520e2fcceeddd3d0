//! The one integration test binary: what the crate promises, seen from outside, and how its
//! source has to look.

mod auto_traits;
mod findings;
mod layering;
#[path = "../support/model.rs"]
mod model;
mod orderings;
mod panics;
mod properties;
#[path = "../support/replay.rs"]
mod replay;
mod sizes;
mod source;
mod stress;
mod unsafe_code;
