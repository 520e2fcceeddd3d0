//! The one integration test binary: what the crate promises, seen from outside, and how its
//! source has to look.

mod channel;
mod examples;
mod guarantees;
mod hub;
mod lagodev;
mod layering;
mod orderings;
mod outbox;
mod panics;
mod presence;
mod slow_consumer;
mod source;
mod support;
mod unsafe_code;
