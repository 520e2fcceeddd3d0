//! The lock-free floor: everything `unsafe` is here, and nothing here has a policy.
//!
//! * [`bell`]: wake-ups by index: many receivers share one task, and each is woken by a bit.
//! * [`arena`]: small values side by side.
//! * [`combiner`]: an elected drainer; a state that sees its operations one at a time although
//!   nobody waits.
//! * [`prefetch`]: a hint to the processor.
//! * [`relay`]: a value that several look after, one at a time, and nobody waits for.
//! * [`ring`]: a bounded queue of many producers and one consumer, with the wake-up folded in.
//! * [`shared`]: a reference-counted value whose count is raised once for a whole fan-out.
//! * [`unsent`]: what the kernel knows of a connection.
//!
//! What is here reports *full*, *closed*, *handed over*; what to do about it is decided above.

#![expect(
    unsafe_code,
    reason = "the floor is where unsafe code lives; see its module docs"
)]

pub(crate) mod arena;
#[cfg_attr(
    not(any(feature = "ws", test)),
    expect(dead_code, reason = "only transports have rows")
)]
pub(crate) mod bell;
pub(crate) mod combiner;
pub(crate) mod prefetch;
#[cfg(any(feature = "ws", test))]
pub(crate) mod relay;
pub(crate) mod ring;
pub(crate) mod shared;
#[cfg(all(feature = "ws", any(target_os = "android", target_os = "linux")))]
pub(crate) mod unsent;
