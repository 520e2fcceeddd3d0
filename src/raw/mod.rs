//! The lock-free floor: everything `unsafe` is here, and nothing here has a policy.
//!
//! * [`combiner`]: an elected drainer; a state that sees its operations one at a time although
//!   nobody waits.
//! * [`prefetch`]: a hint to the processor.
//! * [`relay`]: a value that several look after, one at a time, and nobody waits for.
//! * [`ring`]: a bounded queue of many producers and one consumer, with the wake-up folded in.
//! * [`shared`]: a reference-counted value whose count is raised once for a whole fan-out.
//!
//! What is here reports *full*, *closed*, *handed over*; what to do about it is decided above.

#![expect(
    unsafe_code,
    reason = "the floor is where unsafe code lives; see its module docs"
)]

pub(crate) mod combiner;
pub(crate) mod prefetch;
#[cfg(any(feature = "ws", test))]
pub(crate) mod relay;
pub(crate) mod ring;
pub(crate) mod shared;
