//! The connections of a gateway.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::Weak;
use std::sync::atomic::AtomicU16;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use ahash::RandomState;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::disconnect::Disconnect;
use crate::hub::Client;
use crate::id::ClientId;
use crate::layers::ConnectionGuard;
use crate::layers::sessions::Session;
use crate::session::Event;
use crate::session::Moments;
use crate::transport::gateway::Gateway;
use crate::transport::stats::ConnectionStats;
use crate::transport::stats::Counters;
use crate::transport::stats::Tally;
use crate::transport::stats::Totals;
use crate::transport::stats::Transport;

/// Who is connected, split so that few meet at one lock.
///
/// # Memory
///
/// The tables hold a number and a pointer per connection, because they are up to half empty. The
/// [`Entry`] of a connection is 112 bytes, its [`Registration`] 64.
pub(super) struct Registry {
    shards: [Mutex<Table>; SHARDS],
    hasher: RandomState,
    len: AtomicUsize,
    /// Told whenever nobody is left.
    empty: Notify,
}

type Table = HashMap<ClientId, Arc<Entry>, RandomState>;

/// What the registry and the registration of a connection share.
struct Entry {
    client: Client,
    counters: Counters,
    /// With which code the connection ends.
    code: AtomicU16,
    transport: Transport,
    probe: OnceLock<Weak<dyn Probe>>,
}

/// A connection whose socket can be asked.
pub(crate) trait Probe: Send + Sync {
    /// Bytes that the kernel has not sent; `None` where that is not known at this moment.
    fn unsent(self: Arc<Self>) -> Option<u64>;
}

const SHARDS: usize = 16;

impl Registry {
    pub(super) fn new() -> Self {
        let hasher = RandomState::new();
        Self {
            shards: std::array::from_fn(|_| Mutex::new(HashMap::with_hasher(hasher.clone()))),
            hasher,
            len: AtomicUsize::new(0),
            empty: Notify::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        // Acquire: pairs with the Release of who left, so that nothing of it is left either.
        self.len.load(Ordering::Acquire)
    }

    pub(super) fn stats(&self, client: ClientId) -> Option<ConnectionStats> {
        let entry = Arc::clone(self.shard(client).lock().get(&client)?);
        // Not under the lock: this may be the last owner of the connection.
        let unsent = entry
            .probe
            .get()
            .and_then(|probe| probe.upgrade()?.unsent());
        let stats = entry.counters.stats(entry.transport);
        Some(ConnectionStats { unsent, ..stats })
    }

    /// Has the client's connection asked for what its socket knows.
    pub(super) fn watch(&self, client: ClientId, probe: Weak<dyn Probe>) {
        if let Some(entry) = self.shard(client).lock().get(&client) {
            entry.probe.get_or_init(|| probe);
        }
    }

    /// All clients, in no order.
    pub(super) fn clients(&self) -> Vec<Client> {
        let mut clients = Vec::with_capacity(self.len());
        for shard in &self.shards {
            clients.extend(shard.lock().values().map(|entry| entry.client.clone()));
        }
        clients
    }

    /// Waits until nobody is left.
    pub(super) async fn emptied(&self) {
        loop {
            let empty = self.empty.notified();
            if self.len() == 0 {
                return;
            }
            empty.await;
        }
    }

    fn shard(&self, client: ClientId) -> &Mutex<Table> {
        let hash = self.hasher.hash_one(client);
        // The table takes the low bits; these are the high ones.
        &self.shards[(hash >> 60) as usize % SHARDS]
    }

    fn insert(&self, entry: &Arc<Entry>) {
        let id = entry.client.id();
        // Relaxed: what was entered is read under the lock.
        self.len.fetch_add(1, Ordering::Relaxed);
        self.shard(id).lock().insert(id, Arc::clone(entry));
    }

    fn remove(&self, client: ClientId) {
        let entry = self.shard(client).lock().remove(&client);
        drop(entry);
        // Release: pairs with the Acquire in `len`. AcqRel would add nothing: nobody but the one
        // who waits for zero concludes anything from it.
        if self.len.fetch_sub(1, Ordering::Release) == 1 {
            self.empty.notify_waiters();
        }
    }
}

/// One connection in the registry, until it is dropped.
pub(crate) struct Registration {
    gateway: Gateway,
    entry: Arc<Entry>,
    /// What the layers know of it, until it ends.
    attendance: Option<ConnectionGuard>,
}

/// What is noted for a connection that ended without a close code: RFC 6455 §7.4.1.
const ABNORMAL: u16 = 1006;

impl Registration {
    /// The session of the connection.
    pub(crate) fn session(&self) -> Option<Arc<Session>> {
        self.attendance.as_ref()?.session()
    }

    pub(super) fn new(
        gateway: &Gateway,
        client: &Client,
        transport: Transport,
        attendance: Option<ConnectionGuard>,
    ) -> Self {
        let entry = Arc::new(Entry {
            client: client.clone(),
            counters: Counters::default(),
            code: AtomicU16::new(ABNORMAL),
            transport,
            probe: OnceLock::new(),
        });
        gateway.totals(transport).opened();
        gateway.inner.registry.insert(&entry);
        if gateway.is_draining() {
            // Who drains may have looked into the registry too early.
            client.close(Disconnect::GOING_AWAY);
        }
        let connected = || Event::Connected {
            client: client.id(),
            user: client.user().map(Into::into),
            transport: transport.as_str(),
        };
        gateway.hooks().notify(Moments::CONNECTED, connected);
        Self {
            gateway: gateway.clone(),
            entry,
            attendance,
        }
    }

    pub(crate) fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    pub(crate) fn totals(&self) -> &Totals {
        self.gateway.totals(self.entry.transport)
    }

    /// Adds to the figures of the connection, and notifies the hooks of a flush.
    pub(crate) fn count(&self, tally: &Tally) {
        self.entry.counters.add(tally);
        if tally.frames_out > 0 {
            let delivered = || Event::Delivered {
                client: self.entry.client.id(),
                frames: tally.frames_out,
                bytes: tally.bytes_out,
            };
            self.gateway.hooks().notify(Moments::DELIVERED, delivered);
        }
    }

    /// The client has asked for something.
    pub(crate) fn touch(&self) {
        if let Some(attendance) = &self.attendance {
            attendance.touch();
        }
    }

    /// Notes with which code the connection ends.
    pub(crate) fn closed(&self, code: u16) {
        // Relaxed: read when the registration is dropped, by whoever has it to itself.
        self.entry.code.store(code, Ordering::Relaxed);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // Relaxed: written by whoever had the registration before.
        self.totals()
            .closed(self.entry.code.load(Ordering::Relaxed));
        drop(self.attendance.take());
        if let Some(badges) = self.gateway.entrance().badges() {
            badges.remove(self.entry.client.id());
        }
        let client = &self.entry.client;
        self.gateway.inner.registry.remove(client.id());
        let disconnected = || Event::Disconnected {
            client: client.id(),
            user: client.user().map(Into::into),
            transport: self.entry.transport.as_str(),
            why: client.close_reason().cloned().unwrap_or(Disconnect::CLOSED),
        };
        self.gateway
            .hooks()
            .notify(Moments::DISCONNECTED, disconnected);
    }
}
