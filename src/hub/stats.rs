//! Figures: what is there now, and what has happened.

use std::sync::Arc;
use std::time::Duration;

use crate::hub::delivery::Delivery;
use crate::hub::frame::StreamPosition;
use crate::id::ClientId;
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::AtomicUsize;
use crate::sync::atomic::Ordering;

/// The figures of a hub.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HubStats {
    /// Channels now.
    pub channels: usize,
    /// Clients now.
    pub clients: usize,
    /// Clients ever.
    pub connected: u64,
    /// Messages dropped because the client was behind and the policy drops the newest, or
    /// because it was disconnected for them, or because a channel had forgotten them before
    /// a client that has come back was given them.
    pub dropped: u64,
    /// Messages put into outboxes.
    pub delivered: u64,
    /// Clients disconnected because they were behind.
    pub disconnected_slow: u64,
    /// Messages that had been put into an outbox and were dropped or conflated for newer ones.
    pub evicted: u64,
    /// Messages that had been put into an outbox and [expired](crate::Message::expires_after)
    /// there.
    pub expired: u64,
    /// Bytes that all channels remember now, as
    /// [`Limits::max_history_bytes`](crate::Limits::max_history_bytes) counts them.
    pub history_bytes: u64,
    /// Publications that all channels remember now.
    pub history_messages: usize,
    /// Payload bytes that wait for clients that lag, in steps of 64 for each; 0 unless
    /// [`Limits::max_outbox_bytes`](crate::Limits::max_outbox_bytes) is set.
    pub lagging_bytes: u64,
    /// Clients for which more than four messages wait now; 0 unless
    /// [`Limits::max_outbox_bytes`](crate::Limits::max_outbox_bytes) is set.
    pub lagging_clients: u64,
    /// Panics of foreign code that ran inside the hub and were caught: wakers, filters, routers,
    /// callbacks, clocks, and destructors of payloads. A panic on a thread that calls no hub
    /// afterwards is not counted.
    pub panics: u64,
    /// Publishes: messages, and comings and goings in presence channels.
    pub published: u64,
    /// Waits of a publisher for the tasks that write to sockets, before its next publish.
    pub publish_waits: u64,
    /// Those of them that ended because the task did nothing for 250 ms.
    pub publish_waits_timed_out: u64,
    /// Subscriptions now.
    pub subscriptions: usize,
}

/// The figures of a channel, since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChannelStats {
    /// Messages put into outboxes.
    pub delivered: u64,
    /// Clients disconnected because they were behind.
    pub disconnected_slow: u64,
    /// Messages dropped because a client was behind, or forgotten before one that has come back was
    /// given them.
    pub dropped: u64,
    /// Waiting messages dropped or conflated for newer ones.
    pub evicted: u64,
    /// The last publication.
    pub position: StreamPosition,
    /// Publishes: messages, and comings and goings in a presence channel.
    pub published: u64,
    /// Publications that are remembered now.
    pub history_messages: usize,
    /// Their bytes, as [`HistoryOptions::max_bytes`](crate::HistoryOptions::max_bytes) counts them.
    pub history_bytes: usize,
    /// Subscribers now.
    pub subscribers: usize,
}

/// The figures of a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientStats {
    /// Messages of channels that the client has left since, which it did not receive: they were
    /// queued in its outbox, or [handed over](crate::SlowConsumer::KeepLatest) for it.
    pub abandoned: u64,
    /// Waiting messages replaced by newer ones of the same key.
    pub conflated: u64,
    /// Copies of messages that were received before by another [way](crate::Router), as by another
    /// pattern; they were dropped.
    pub copies: u64,
    /// Messages dropped because the outbox was full, or [forgotten](crate::SubscribeOptions::since)
    /// before they could be given.
    pub dropped: u64,
    /// Waiting messages dropped for newer ones.
    pub evicted: u64,
    /// Messages that were [handed over](crate::SlowConsumer::KeepLatest) to their channel, because
    /// others were in the way at that moment.
    pub handed_over: u64,
    /// Messages that [expired](crate::Message::expires_after) before they were received.
    pub expired: u64,
    /// The most messages that waited at a time.
    pub high_water: usize,
    /// Age of the message that the client receives next, since its
    /// [publication](crate::Frame::published_at), in whole milliseconds.
    ///
    /// `None` if nothing waits, or if the client was receiving at that very moment. Also while the
    /// receiver of a client whose policy evicts nothing is busy elsewhere, except where a socket of
    /// the transports of this crate takes no more: it is not disturbed for a figure.
    pub oldest_waiting: Option<Duration>,
    /// Payload bytes that wait now.
    pub queued_bytes: u64,
    /// Messages that wait now.
    pub queued_messages: usize,
    /// Messages received from the outbox, control messages not counted.
    pub received: u64,
}

/// A client that is behind; see [`Hub::slow_clients`](crate::Hub::slow_clients).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlowClient {
    /// Which client.
    pub id: ClientId,
    /// Its figures.
    pub stats: ClientStats,
    /// Its user.
    pub user: Option<Arc<str>>,
}

/// The counters of a channel. One thread writes at a time, the owner of the channel's state, so a
/// count is a load and a store.
#[derive(Debug, Default)]
pub(crate) struct ChannelCounters {
    delivered: AtomicU64,
    disconnected: AtomicU64,
    dropped: AtomicU64,
    epoch: u64,
    evicted: AtomicU64,
    history_bytes: AtomicUsize,
    history_messages: AtomicUsize,
    offset: AtomicU64,
    published: AtomicU64,
    subscribers: AtomicUsize,
}

impl ChannelCounters {
    pub(super) fn new(epoch: u64) -> Self {
        Self {
            epoch,
            ..Self::default()
        }
    }

    pub(super) fn publish(&self, delivery: &Delivery) {
        add(&self.published, 1);
        add(&self.delivered, delivery.delivered as u64);
        if delivery.dropped + delivery.evicted > 0 {
            add(&self.dropped, delivery.dropped as u64);
            add(&self.disconnected, delivery.disconnected as u64);
            add(&self.evicted, delivery.evicted as u64);
        }
    }

    pub(super) fn remember(&self, (messages, bytes): (usize, usize)) {
        // Relaxed: a figure for people.
        self.history_messages.store(messages, Ordering::Relaxed);
        // Relaxed: as above.
        self.history_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Counts publications that were given to one who had missed them.
    pub(super) fn replay(&self, messages: usize) {
        add(&self.delivered, messages as u64);
    }

    /// Counts publications that one who had missed them is not given any more, perhaps as the
    /// client was disconnected for it.
    pub(super) fn lose(&self, messages: u64, disconnected: bool) {
        add(&self.dropped, messages);
        add(&self.disconnected, u64::from(disconnected));
    }

    /// Counts messages that were evicted or conflated for what had been handed over.
    pub(super) fn evict(&self, messages: usize) {
        add(&self.evicted, messages as u64);
    }

    pub(super) fn advance(&self, offset: u64) {
        // Relaxed: a figure for people.
        self.offset.store(offset, Ordering::Relaxed);
    }

    pub(super) fn count_subscribers(&self, subscribers: usize) {
        // Relaxed: a figure; who acts on it takes the table's lock and looks again.
        self.subscribers.store(subscribers, Ordering::Relaxed);
    }

    pub(super) fn subscribers(&self) -> usize {
        // Relaxed: as above.
        self.subscribers.load(Ordering::Relaxed)
    }

    pub(super) fn position(&self) -> StreamPosition {
        // Relaxed: a figure for people.
        StreamPosition {
            offset: self.offset.load(Ordering::Relaxed),
            epoch: self.epoch,
        }
    }

    pub(super) fn read(&self) -> ChannelStats {
        ChannelStats {
            delivered: read(&self.delivered),
            disconnected_slow: read(&self.disconnected),
            dropped: read(&self.dropped),
            evicted: read(&self.evicted),
            // Relaxed: a figure for people.
            history_bytes: self.history_bytes.load(Ordering::Relaxed),
            // Relaxed: as above.
            history_messages: self.history_messages.load(Ordering::Relaxed),
            position: self.position(),
            published: read(&self.published),
            subscribers: self.subscribers(),
        }
    }
}

/// The counters of a hub that belong to no channel that is there now.
#[derive(Debug, Default)]
pub(crate) struct HubCounters {
    pub(super) clients: AtomicUsize,
    pub(super) connected: AtomicU64,
    /// Of channels that were reclaimed, and of messages sent to one client.
    delivered: AtomicU64,
    disconnected: AtomicU64,
    dropped: AtomicU64,
    evicted: AtomicU64,
    expired: AtomicU64,
    panics: AtomicU64,
    published: AtomicU64,
}

impl HubCounters {
    /// Adds a message that expired in an outbox.
    pub(super) fn expire(&self) {
        gather(&self.expired, 1);
    }

    /// Adds a client that was disconnected at the end of its grace.
    pub(super) fn disconnect(&self) {
        gather(&self.disconnected, 1);
    }

    /// Adds panics of foreign code.
    pub(super) fn caught(&self, panics: u32) {
        gather(&self.panics, panics.into());
    }

    /// Adds the figures of a channel that is going to be forgotten.
    pub(super) fn retire(&self, stats: &ChannelStats) {
        gather(&self.delivered, stats.delivered);
        gather(&self.disconnected, stats.disconnected_slow);
        gather(&self.dropped, stats.dropped);
        gather(&self.evicted, stats.evicted);
        gather(&self.published, stats.published);
    }

    /// Adds a message sent to one client.
    pub(super) fn send(&self, delivery: &Delivery) {
        gather(&self.published, 1);
        gather(&self.delivered, delivery.delivered as u64);
        gather(&self.dropped, delivery.dropped as u64);
        gather(&self.disconnected, delivery.disconnected as u64);
        gather(&self.evicted, delivery.evicted as u64);
    }

    pub(super) fn read(&self) -> HubStats {
        HubStats {
            // Relaxed: a figure for people.
            clients: self.clients.load(Ordering::Relaxed),
            connected: read(&self.connected),
            delivered: read(&self.delivered),
            disconnected_slow: read(&self.disconnected),
            dropped: read(&self.dropped),
            evicted: read(&self.evicted),
            expired: read(&self.expired),
            panics: read(&self.panics),
            published: read(&self.published),
            ..HubStats::default()
        }
    }
}

impl HubStats {
    pub(super) fn add(&mut self, channel: &ChannelStats) {
        self.delivered += channel.delivered;
        self.disconnected_slow += channel.disconnected_slow;
        self.dropped += channel.dropped;
        self.evicted += channel.evicted;
        self.history_messages += channel.history_messages;
        self.published += channel.published;
        self.subscriptions += channel.subscribers;
    }
}

pub(super) fn read(counter: &AtomicU64) -> u64 {
    // Relaxed: a figure for people.
    counter.load(Ordering::Relaxed)
}

/// Adds to a counter that one thread writes at a time.
pub(super) fn add(counter: &AtomicU64, more: u64) {
    // Relaxed: a figure for people; nobody else writes.
    let sum = counter.load(Ordering::Relaxed) + more;
    // Relaxed: as above.
    counter.store(sum, Ordering::Relaxed);
}

/// Adds to a counter that many write.
fn gather(counter: &AtomicU64, more: u64) {
    if more > 0 {
        // Relaxed: a figure for people.
        counter.fetch_add(more, Ordering::Relaxed);
    }
}
