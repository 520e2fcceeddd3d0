//! How much the channels of a client have been handed over for it.

use crate::raw::ring::Held;
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::AtomicUsize;
use crate::sync::atomic::Ordering;

/// How much is handed over for one client, over all its channels.
#[derive(Debug, Default)]
pub(super) struct Handed {
    /// Messages in the low bits, bytes above, so that both limits are strict.
    held: AtomicU64,
    /// Messages of no named channel: those sent to this client alone, and to all.
    plain: AtomicUsize,
}

/// Enough for the most messages that an outbox may hold.
const MESSAGE_BITS: u32 = 24;
const MESSAGE_MASK: u64 = (1 << MESSAGE_BITS) - 1;

impl Handed {
    /// Counts a message of so many `bytes`, in the place of one of `instead` bytes if there is one.
    /// `false` if the limits leave no room for it.
    pub(super) fn reserve(
        &self,
        bytes: u64,
        instead: Option<u64>,
        is_plain: bool,
        limits: Held,
    ) -> bool {
        // Relaxed: only a guess; the compare-exchange below settles it.
        let mut held = self.held.load(Ordering::Relaxed);
        loop {
            let messages = (held & MESSAGE_MASK) + u64::from(instead.is_none());
            let all = (held >> MESSAGE_BITS) - instead.unwrap_or(0) + bytes;
            if messages > limits.messages as u64 || all > limits.bytes {
                return false;
            }
            let next = all << MESSAGE_BITS | messages;
            // Relaxed: a bound by count; on failure, again a guess.
            let (won, lost) = (Ordering::Relaxed, Ordering::Relaxed);
            match self.held.compare_exchange_weak(held, next, won, lost) {
                Ok(_) => break,
                Err(now) => held = now,
            }
        }
        if is_plain && instead.is_none() {
            // Relaxed: see `has_plain`.
            self.plain.fetch_add(1, Ordering::Relaxed);
        }
        true
    }

    /// Counts off what has been put into the outbox, or has been given up.
    pub(super) fn release(&self, gone: Held, is_plain: bool) {
        let gone_all = gone.bytes << MESSAGE_BITS | gone.messages as u64;
        // Relaxed: a bound by count.
        self.held.fetch_sub(gone_all, Ordering::Relaxed);
        if is_plain {
            // Release: pairs with the Acquire in `has_plain`; what was put in came before.
            self.plain.fetch_sub(gone.messages, Ordering::Release);
        }
    }

    /// Whether a message of no named channel is handed over, which the next one must not overtake.
    pub(super) fn has_plain(&self) -> bool {
        // Acquire: pairs with the Release in `release`. A thread sees its own count, so zero says
        // that what it has handed over is in the outbox.
        self.plain.load(Ordering::Acquire) > 0
    }
}

#[cfg(test)]
mod tests {
    use super::Handed;
    use crate::raw::ring::Held;

    #[test]
    fn both_limits_are_strict_and_what_is_replaced_counts_no_more() {
        let limits = Held {
            messages: 2,
            bytes: 10,
        };
        let handed = Handed::default();
        assert!(handed.reserve(4, None, false, limits));
        assert!(!handed.reserve(7, None, false, limits), "in bytes");
        assert!(handed.reserve(6, None, true, limits));
        assert!(handed.has_plain());
        assert!(!handed.reserve(1, None, false, limits), "in messages");
        assert!(handed.reserve(3, Some(4), false, limits), "in its place");
        assert!(!handed.reserve(5, Some(3), false, limits));
        let (messages, bytes) = (1, 6);
        handed.release(Held { messages, bytes }, true);
        assert!(!handed.has_plain());
        assert!(handed.reserve(7, None, false, limits));
    }
}
