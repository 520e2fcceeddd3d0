//! A slow-consumer policy in one word, so that it can be changed while it is in use.

use std::time::Duration;

use crate::limits::SlowConsumer;
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering;

/// A policy that may be absent, and may change at any time.
#[derive(Debug)]
pub(super) struct PolicyCell(AtomicU64);

const NONE: u64 = 0;
const DROP_NEWEST: u64 = 1;
const DROP_OLDEST: u64 = 2;
const KEEP_LATEST: u64 = 3;
const DISCONNECT: u64 = 4;
/// The grace, in milliseconds, stands above the kind.
const GRACE_SHIFT: u32 = 16;
const MOST_GRACE: u128 = (1 << 48) - 1;

impl PolicyCell {
    pub(super) fn new(policy: Option<SlowConsumer>) -> Self {
        Self(AtomicU64::new(encode(policy)))
    }

    pub(super) fn set(&self, policy: Option<SlowConsumer>) {
        // Relaxed: the word is all there is to see.
        self.0.store(encode(policy), Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> Option<SlowConsumer> {
        // Relaxed: as in `set`.
        decode(self.0.load(Ordering::Relaxed))
    }
}

/// What may become of a frame while it is queued, by the policy that it is queued under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// A newer frame of its channel and key may replace it, and it may be evicted.
    Conflates,
    /// It may be evicted.
    Evicts,
    /// It stays until it is received.
    Keeps,
}

impl Class {
    /// Returns the class of frames that are queued under `policy`.
    pub(super) fn of(policy: SlowConsumer) -> Self {
        match policy {
            SlowConsumer::KeepLatest => Self::Conflates,
            SlowConsumer::DropOldest => Self::Evicts,
            SlowConsumer::Disconnect { .. } | SlowConsumer::DropNewest => Self::Keeps,
        }
    }
}

/// Returns `true` if `policy` makes room by taking out queued messages.
pub(super) fn evicts(policy: SlowConsumer) -> bool {
    Class::of(policy) != Class::Keeps
}

fn encode(policy: Option<SlowConsumer>) -> u64 {
    match policy {
        None => NONE,
        Some(SlowConsumer::DropNewest) => DROP_NEWEST,
        Some(SlowConsumer::DropOldest) => DROP_OLDEST,
        Some(SlowConsumer::KeepLatest) => KEEP_LATEST,
        Some(SlowConsumer::Disconnect { grace }) => {
            let millis = u64::try_from(grace.as_millis().min(MOST_GRACE)).unwrap_or(u64::MAX);
            DISCONNECT | millis << GRACE_SHIFT
        }
    }
}

fn decode(word: u64) -> Option<SlowConsumer> {
    match word & ((1 << GRACE_SHIFT) - 1) {
        DROP_NEWEST => Some(SlowConsumer::DropNewest),
        DROP_OLDEST => Some(SlowConsumer::DropOldest),
        KEEP_LATEST => Some(SlowConsumer::KeepLatest),
        DISCONNECT => Some(SlowConsumer::Disconnect {
            grace: Duration::from_millis(word >> GRACE_SHIFT),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::PolicyCell;
    use crate::limits::SlowConsumer;

    #[test]
    fn what_is_set_is_got() {
        let grace = Duration::from_millis(1234);
        for policy in [
            None,
            Some(SlowConsumer::DropNewest),
            Some(SlowConsumer::DropOldest),
            Some(SlowConsumer::KeepLatest),
            Some(SlowConsumer::DISCONNECT),
            Some(SlowConsumer::Disconnect { grace }),
        ] {
            let cell = PolicyCell::new(None);
            cell.set(policy);
            assert_eq!(cell.get(), policy);
        }
    }

    #[test]
    fn an_endless_grace_is_cut_to_what_fits() {
        let cell = PolicyCell::new(Some(SlowConsumer::Disconnect {
            grace: Duration::MAX,
        }));
        let most = Duration::from_millis((1 << 48) - 1);
        assert_eq!(cell.get(), Some(SlowConsumer::Disconnect { grace: most }));
    }
}
