//! Many outboxes that one thread, or one task, serves.

mod ready;

use std::fmt;
use std::future::poll_fn;
use std::task::Context;
use std::task::Poll;

use self::ready::Bell;
use self::ready::Ready;
use crate::disconnect::Disconnect;
use crate::hub::batch::Batch;
use crate::hub::error::Closed;
use crate::hub::error::TryRecvError;
use crate::hub::frame::Frame;
use crate::hub::outbox::Outbox;
use crate::sync::block_on;

/// Many outboxes that one thread, or one task, serves: the fast way to receive for many clients.
///
/// A thread that goes from outbox to outbox spends most of its time waiting for memory, and on
/// counting a broadcast's receivers down one by one. A set fetches each outbox before its turn
/// comes, gathers what it takes, and lowers the reference count of a frame once for each run of
/// it. [`OutboxSet::drain`] goes through all outboxes; [`OutboxSet::recv`] waits until any of them
/// has something, and then looks at those alone.
///
/// ```
/// use throng::{ConnectOptions, Hub, Message, OutboxSet};
///
/// let hub = Hub::new();
/// let mut set = OutboxSet::new();
/// for _ in 0..3 {
///     let (client, outbox) = hub.connect(ConnectOptions::new())?;
///     client.subscribe_blocking("news")?;
///     set.insert(outbox);
/// }
/// let _delivery = hub.publish("news", Message::text("to all"))?;
///
/// let mut received = 0;
/// let frames = set.drain(32, |_key, frame| {
///     assert_eq!(frame.payload(), "to all");
///     received += 1;
/// });
/// assert_eq!((frames, received), (3, 3));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Order
///
/// The frames of one outbox come in the order in which [`Outbox::recv`] would give them. Outboxes
/// come in no order; one that has more than the maximum comes again after the others, so that none
/// keeps the others waiting.
///
/// # Closing
///
/// An outbox whose client was closed gives what was accepted before, and is then taken out of the
/// set, dropped, and named once by [`OutboxSet::next_ended`]. Dropping the set disconnects all of
/// its clients, as dropping their outboxes does.
///
/// # Memory
///
/// Some 100 bytes for each outbox, besides the outbox itself; 100 more once it was waited for.
/// What is gathered is given back before a call returns.
///
/// # Progress
///
/// Nothing here waits for publishers but what [`Outbox`] says of `try_recv`. A publisher that wakes
/// the set puts the number of the outbox into a list, which takes no lock.
#[derive(Default)]
pub struct OutboxSet {
    /// Dense, in no order.
    entries: Vec<Entry>,
    /// By the index of a key: where its entry is.
    places: Vec<Place>,
    /// The indices that are free.
    free: Vec<u32>,
    ended: Vec<(OutboxKey, Disconnect)>,
    batch: Batch,
    /// Made when the set is first waited for.
    ready: Option<Ready>,
}

/// An outbox in an [`OutboxSet`]. The key of one that was removed is not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OutboxKey {
    index: u32,
    generation: u32,
}

struct Entry {
    outbox: Outbox,
    key: OutboxKey,
    /// Made when the set is first waited for.
    bell: Option<Bell>,
}

#[derive(Clone, Copy)]
struct Place {
    generation: u32,
    /// Where the entry is; nothing while the index is free.
    at: Option<u32>,
}

/// How many outboxes ahead of the one being served the next is fetched.
const AHEAD: usize = 8;

/// Frames gathered before they are given back; so few that they stay in the first-level cache.
const GATHERED: usize = 1024;

/// How often a poll that finds nothing looks again because an outbox has rung meanwhile.
const LOOKS: usize = 3;

impl OutboxSet {
    /// An empty set; allocates with the first outbox.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts an outbox into the set. What is in it already is received like everything else.
    ///
    /// # Panics
    ///
    /// When the set has 2^32 - 1 outboxes.
    pub fn insert(&mut self, outbox: Outbox) -> OutboxKey {
        let at = u32::try_from(self.entries.len()).expect("fewer than 2^32 outboxes");
        let index = self.free.pop().unwrap_or_else(|| {
            let index = u32::try_from(self.places.len()).expect("fewer than 2^32 outboxes");
            let generation = 0;
            self.places.push(Place {
                generation,
                at: None,
            });
            index
        });
        let place = &mut self.places[index as usize];
        place.at = Some(at);
        let key = OutboxKey {
            index,
            generation: place.generation,
        };
        let bell = self.ready.as_ref().map(|ready| ready.bell(key));
        self.entries.push(Entry { outbox, key, bell });
        key
    }

    /// Takes an outbox out of the set, with what it has not given yet. `None` if the key is not, or
    /// no longer, of this set.
    pub fn remove(&mut self, key: OutboxKey) -> Option<Outbox> {
        let at = self.place(key)?;
        Some(self.take(at).outbox)
    }

    /// An outbox of the set; `None` if the key is not, or no longer, of this set.
    #[must_use]
    pub fn get(&self, key: OutboxKey) -> Option<&Outbox> {
        self.place(key).map(|at| &self.entries[at].outbox)
    }

    /// The keys of the outboxes in the set, in no order.
    pub fn keys(&self) -> impl Iterator<Item = OutboxKey> {
        self.entries.iter().map(|entry| entry.key)
    }

    /// How many outboxes are in the set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes what is there for every outbox, at most `max` frames for each, and calls `each` with
    /// every frame; returns how many it was. A `max` of 0 counts as 1. Never waits.
    ///
    /// Looks at every outbox, at a few nanoseconds for each; where most have nothing,
    /// [`OutboxSet::recv`] looks at those that have something.
    ///
    /// A frame that `each` wants to keep is cloned, at the price of one reference count.
    ///
    /// # Panics
    ///
    /// When `each` does: then the frames taken with that one are lost.
    pub fn drain(&mut self, max: usize, mut each: impl FnMut(OutboxKey, &Frame)) -> usize {
        let (mut frames, mut at) = (0, 0);
        while at < self.entries.len() {
            if let Some(later) = self.entries.get(at + AHEAD) {
                later.outbox.prefetch();
            }
            let entry = &mut self.entries[at];
            match entry.outbox.try_recv_batch(&mut self.batch, max) {
                Ok(taken) => {
                    frames += taken;
                    self.hand_out(at, taken, &mut each);
                }
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Closed(closed)) => {
                    // The last one has come into its place.
                    self.end(at, &closed);
                    continue;
                }
            }
            at += 1;
        }
        self.batch.clear();
        frames
    }

    /// Waits until an outbox has something, or was closed; then takes as [`OutboxSet::drain`] does,
    /// but from outboxes that have something only. Returns how many frames it was, which is 0 when
    /// nothing but ends were found, and when the set is empty.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: frames are handed to `each` in the very poll that takes them.
    ///
    /// # Panics
    ///
    /// As [`OutboxSet::drain`].
    pub async fn recv(&mut self, max: usize, mut each: impl FnMut(OutboxKey, &Frame)) -> usize {
        poll_fn(|cx| self.poll_recv(cx, max, &mut each)).await
    }

    /// [`OutboxSet::recv`] for code that is not async; parks the thread while it waits.
    ///
    /// # Panics
    ///
    /// As [`OutboxSet::drain`].
    pub fn recv_blocking(&mut self, max: usize, each: impl FnMut(OutboxKey, &Frame)) -> usize {
        block_on(self.recv(max, each))
    }

    /// [`OutboxSet::recv`] as a poll. Only the last task to have polled is woken.
    ///
    /// Looks at no more outboxes than had something when it began, so that it returns although
    /// publishers go on.
    ///
    /// # Panics
    ///
    /// As [`OutboxSet::drain`].
    pub fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        max: usize,
        mut each: impl FnMut(OutboxKey, &Frame),
    ) -> Poll<usize> {
        if self.ready.is_none() {
            self.begin_waiting();
        }
        for _ in 0..LOOKS {
            let ends = self.ended.len();
            let frames = self.take_ready(max, &mut each);
            if frames > 0 || self.ended.len() > ends || self.entries.is_empty() {
                return Poll::Ready(frames);
            }
            let parks = self.ready.as_mut().is_none_or(|ready| ready.park(cx));
            if parks {
                return Poll::Pending;
            }
        }
        // A publisher is in the middle of a push, or others ring on: their threads go first.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// An outbox whose client was closed and that has given all it had, and why it was closed. Each
    /// is named once; it is no longer in the set.
    pub fn next_ended(&mut self) -> Option<(OutboxKey, Disconnect)> {
        self.ended.pop()
    }

    /// Takes from the outboxes that have rung, each once.
    fn take_ready(&mut self, max: usize, each: &mut impl FnMut(OutboxKey, &Frame)) -> usize {
        let rung = self.ready.as_mut().map_or(0, Ready::gather);
        let mut frames = 0;
        for _ in 0..rung {
            let later = self.ready.as_ref().and_then(|ready| ready.later(AHEAD));
            if let Some(later) = later.and_then(|later| self.get(later)) {
                later.prefetch();
            }
            let next = self.ready.as_mut().and_then(Ready::next);
            if let Some(at) = next.and_then(|key| self.place(key)) {
                frames += self.take_rung(at, max, each);
            }
        }
        self.batch.clear();
        frames
    }

    /// Takes from one outbox. One that had something comes again, for it may have more; one that
    /// had nothing rings when it has.
    fn take_rung(
        &mut self,
        at: usize,
        max: usize,
        each: &mut impl FnMut(OutboxKey, &Frame),
    ) -> usize {
        let entry = &mut self.entries[at];
        let Some(bell) = &entry.bell else { return 0 };
        bell.hush();
        let mut cx = Context::from_waker(bell.waker());
        match entry.outbox.poll_recv_batch(&mut cx, &mut self.batch, max) {
            Poll::Ready(Ok(taken)) => {
                bell.waker().wake_by_ref();
                self.hand_out(at, taken, each);
                taken
            }
            Poll::Ready(Err(closed)) => {
                self.end(at, &closed);
                0
            }
            Poll::Pending => 0,
        }
    }

    /// Hands out the last `taken` frames, and gives back what was gathered when it is much.
    #[inline(always)]
    fn hand_out(&mut self, at: usize, taken: usize, each: &mut impl FnMut(OutboxKey, &Frame)) {
        let key = self.entries[at].key;
        let gathered = self.batch.as_slice();
        for frame in &gathered[gathered.len() - taken..] {
            each(key, frame);
        }
        if self.batch.len() >= GATHERED {
            self.batch.clear();
        }
    }

    /// Has every outbox ring when it has something.
    #[cold]
    fn begin_waiting(&mut self) {
        let ready = Ready::new();
        for entry in &mut self.entries {
            entry.bell = Some(ready.bell(entry.key));
        }
        self.ready = Some(ready);
    }

    #[cold]
    fn end(&mut self, at: usize, closed: &Closed) {
        let entry = self.take(at);
        self.ended.push((entry.key, closed.disconnect().clone()));
    }

    fn place(&self, key: OutboxKey) -> Option<usize> {
        let place = self.places.get(key.index as usize)?;
        let at = place.at.filter(|_| place.generation == key.generation)?;
        Some(at as usize)
    }

    /// Takes an entry out; the last one takes its place.
    fn take(&mut self, at: usize) -> Entry {
        let entry = self.entries.swap_remove(at);
        if let Some(moved) = self.entries.get(at) {
            let place = &mut self.places[moved.key.index as usize];
            place.at = u32::try_from(at).ok();
        }
        let place = &mut self.places[entry.key.index as usize];
        place.at = None;
        // An index whose generations are used up stays unused.
        if let Some(generation) = place.generation.checked_add(1) {
            place.generation = generation;
            self.free.push(entry.key.index);
        }
        entry
    }
}

impl Extend<Outbox> for OutboxSet {
    fn extend<I: IntoIterator<Item = Outbox>>(&mut self, outboxes: I) {
        for outbox in outboxes {
            self.insert(outbox);
        }
    }
}

impl FromIterator<Outbox> for OutboxSet {
    fn from_iter<I: IntoIterator<Item = Outbox>>(outboxes: I) -> Self {
        let mut set = Self::new();
        set.extend(outboxes);
        set
    }
}

impl fmt::Debug for OutboxSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboxSet")
            .field("outboxes", &self.len())
            .finish_non_exhaustive()
    }
}
