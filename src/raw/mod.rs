//! The lock-free floor: all `unsafe` of the crate, no policy, no domain words.
//!
//! * [`combiner`]: one state whose operations are applied one at a time, by whoever comes first.

#![expect(unsafe_code, reason = "the one place where it may be written")]

pub(crate) mod combiner;
