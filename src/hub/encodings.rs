//! The encodings of a frame: each is made once, and shared by all clients that take it.
//!
//! # Memory
//!
//! Three encodings have their place in the frame, those of throng's own transports; all others are
//! behind one box, which is allocated when the first of them is made. As long as a history has the
//! frame, its encodings count in [`Limits::max_history_bytes`](crate::Limits::max_history_bytes),
//! also those that are made later.

use std::sync::Arc;
use std::sync::OnceLock;

use bytes::Bytes;

use crate::hub::history::Budget;
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering;

/// A slot for one encoding of a frame.
///
/// The dialects of a gateway take the custom slots from 0 up, in the order in which they were
/// added; code that encodes frames itself takes them from the last one down.
///
/// ```
/// use bytes::Bytes;
/// use throng::{ConnectOptions, EncodingSlot, Hub};
///
/// const SHOUTED: EncodingSlot = EncodingSlot::custom(7);
///
/// let hub = Hub::new();
/// let (_ada, mut adas) = hub.connect(ConnectOptions::new())?;
/// let (_bob, mut bobs) = hub.connect(ConnectOptions::new())?;
/// hub.broadcast("hi")?;
/// let (one, other) = (adas.try_recv()?, bobs.try_recv()?);
/// let shout = |text: &Bytes| Bytes::from(text.to_ascii_uppercase());
/// assert_eq!(one.encoded(SHOUTED, |frame| shout(frame.payload())), "HI");
/// // Made once, for all receivers.
/// assert_eq!(other.encoded(SHOUTED, |_| unreachable!()), "HI");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EncodingSlot(u8);

impl EncodingSlot {
    /// Number of custom slots.
    pub const CUSTOM: usize = 8;

    /// Creates the custom slot of this number.
    ///
    /// # Panics
    ///
    /// Panics if `number` is not below [`EncodingSlot::CUSTOM`]; in a constant, at compile time.
    #[must_use]
    pub const fn custom(number: u8) -> Self {
        assert!(
            (number as usize) < Self::CUSTOM,
            "a frame has room for EncodingSlot::CUSTOM custom encodings"
        );
        Self(OWN + number)
    }

    /// Creates the slot of one of throng's own encodings.
    #[cfg(feature = "ws")]
    pub(crate) const fn own(number: u8) -> Self {
        assert!(number < OWN, "throng has room for so many of its own");
        Self(number)
    }
}

/// Slots of throng's own encodings.
const OWN: u8 = 4;

/// Slots that have their place in the frame.
const INLINE: usize = 3;

/// All others.
const REST: usize = OWN as usize + EncodingSlot::CUSTOM - INLINE;

type Slot = OnceLock<Bytes>;

/// Memory of an encoding besides its bytes: the count of its owners, and the allocator's share.
const OVERHEAD: u64 = 64;

/// The encodings of one frame.
pub(super) struct Encodings {
    inline: [Slot; INLINE],
    rest: OnceLock<Box<[Slot; REST]>>,
    /// The bytes of all encodings, doubled, and [`COUNTED`].
    size: AtomicU64,
    /// The budget they count in while a history has the frame.
    budget: OnceLock<Arc<Budget>>,
}

/// Set while the encodings count in the budget.
const COUNTED: u64 = 1;

impl Encodings {
    pub(super) fn new() -> Self {
        Self {
            inline: Default::default(),
            rest: OnceLock::new(),
            size: AtomicU64::new(0),
            budget: OnceLock::new(),
        }
    }

    /// Returns the encoding in `slot`, made by `make` if there is none.
    #[inline]
    pub(super) fn get(&self, slot: EncodingSlot, make: impl FnOnce() -> Bytes) -> &Bytes {
        let slot = self.slot(slot);
        match slot.get() {
            Some(encoding) => encoding,
            None => self.make(slot, make),
        }
    }

    fn slot(&self, slot: EncodingSlot) -> &Slot {
        let index = usize::from(slot.0);
        match self.inline.get(index) {
            Some(slot) => slot,
            None => &self.rest()[index - INLINE],
        }
    }

    fn rest(&self) -> &[Slot; REST] {
        self.rest.get_or_init(|| {
            self.grow(size_of::<[Slot; REST]>() as u64 + OVERHEAD);
            Box::default()
        })
    }

    #[cold]
    fn make<'a>(&'a self, slot: &'a Slot, make: impl FnOnce() -> Bytes) -> &'a Bytes {
        // Run by one thread only, so that each encoding is counted once.
        slot.get_or_init(|| {
            let encoding = make();
            self.grow(encoding.len() as u64 + OVERHEAD);
            encoding
        })
    }

    /// Counts `bytes` more.
    fn grow(&self, bytes: u64) {
        // Acquire: pairs with `enter`, so that whoever finds it counted finds the budget.
        let before = self.size.fetch_add(bytes << 1, Ordering::Acquire);
        if before & COUNTED != 0
            && let Some(budget) = self.budget.get()
        {
            budget.change(0, bytes);
        }
    }

    /// Counts what is made, and what will be made, in `budget`: a history has the frame.
    pub(super) fn enter(&self, budget: &Arc<Budget>) {
        let budget = self.budget.get_or_init(|| Arc::clone(budget));
        // Release: pairs with `grow`. What was counted before is added here, later bytes there.
        let before = self.size.fetch_or(COUNTED, Ordering::Release);
        if before & COUNTED == 0 {
            budget.change(0, before >> 1);
        }
    }

    /// Ends that: the history does not have the frame any more.
    pub(super) fn leave(&self) {
        // Acquire: as in `grow`.
        let before = self.size.fetch_and(!COUNTED, Ordering::Acquire);
        if before & COUNTED != 0
            && let Some(budget) = self.budget.get()
        {
            budget.change(before >> 1, 0);
        }
    }
}

#[cfg(all(test, not(throng_loom)))]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use bytes::Bytes;

    use super::EncodingSlot;
    use super::Encodings;
    use crate::hub::history::Budget;

    #[test]
    fn what_is_made_counts_while_a_history_has_the_frame_whenever_it_was_made() {
        let budget = Arc::new(Budget::new(1 << 20));
        let encodings = Encodings::new();
        let make = |bytes: usize| move || Bytes::from(vec![0; bytes]);
        encodings.get(EncodingSlot(0), make(1000));
        assert_eq!(budget.used(), 0, "no history has it");
        encodings.enter(&budget);
        let one = budget.used();
        assert!((1000..1200).contains(&one), "{one}");
        encodings.get(EncodingSlot(0), || unreachable!("made once"));
        assert_eq!(budget.used(), one);
        encodings.get(EncodingSlot::custom(7), make(1000));
        assert!(budget.used() >= one + 1000);
        encodings.leave();
        assert_eq!(budget.used(), 0);
        encodings.get(EncodingSlot::custom(0), make(1000));
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn threads_that_encode_while_a_history_takes_and_drops_the_frame_leave_nothing_counted() {
        let budget = Arc::new(Budget::new(1 << 20));
        for _ in 0..200 {
            let encodings = Encodings::new();
            thread::scope(|scope| {
                for slot in 0..4 {
                    let encodings = &encodings;
                    scope.spawn(move || {
                        let slot = EncodingSlot::custom(slot);
                        assert_eq!(encodings.get(slot, || Bytes::from(vec![0; 64])).len(), 64);
                    });
                }
                encodings.enter(&budget);
                thread::yield_now();
                encodings.leave();
            });
            assert_eq!(budget.used(), 0);
        }
    }
}
