//! The cost of requests, and what a task may spend before others have their turn.
//!
//! A request never waits for another task by itself, so a task that carries out one after the
//! other would have its thread to itself. The cost of requests is counted: deliveries, names
//! examined, bytes parsed. A connection of the native protocol counts for itself, and stops
//! reading when its [`BUDGET`] is spent. Every other task pays out of its cooperative budget of
//! the runtime, which is as large, and begins anew with each poll of the task.
//!
//! # Progress
//!
//! [`spend`] lets other tasks have their turn at most once, however much a request has cost.

use std::future::poll_fn;
use std::task::Poll;

use tokio::task::coop::poll_proceed;

/// The cost of a turn, in units of some 50 ns: 1.6 ms, and the last request may cost more. A
/// delivery and a name that was examined cost what their sources say.
pub(super) const BUDGET: u32 = 32_768;

/// The cost of each request: to parse it, to answer it.
pub(super) const COMMAND_COST: u64 = 32;

/// So many bytes of a request cost one.
pub(super) const BYTES_FOR_ONE: u64 = 8;

/// A unit of the runtime's budget, of which a task has 128 for each poll.
const UNIT: u64 = BUDGET as u64 / 128;

/// The cost of a request of so many bytes, apart from what it leads to.
pub(crate) fn request_cost(bytes: usize) -> u64 {
    COMMAND_COST + bytes as u64 / BYTES_FOR_ONE
}

/// Pays for a request that has been carried out: lets other tasks have their turn when this one has
/// nothing left. Outside a task of tokio, and in one that is unconstrained, it does nothing.
///
/// # Cancel safety
///
/// Dropped early, other tasks may have had their turn in vain.
pub(crate) async fn spend(cost: u64) {
    let mut units = cost.div_ceil(UNIT);
    poll_fn(|cx| {
        while units > 0 {
            match poll_proceed(cx) {
                Poll::Ready(paid) => paid.made_progress(),
                Poll::Pending => {
                    units = 0;
                    return Poll::Pending;
                }
            }
            units -= 1;
        }
        Poll::Ready(())
    })
    .await;
}

#[cfg(test)]
mod tests;
