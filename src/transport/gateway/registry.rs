//! The connections of a gateway.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU16;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use ahash::RandomState;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::disconnect::Disconnect;
use crate::hub::Client;
use crate::id::ClientId;
use crate::layers::Attendance;
use crate::layers::sessions::Session;
use crate::transport::gateway::Gateway;
use crate::transport::stats::ConnectionStats;
use crate::transport::stats::Counters;
use crate::transport::stats::Totals;
use crate::transport::stats::Transport;

/// Who is connected, split so that few meet at one lock.
pub(super) struct Registry {
    shards: [Mutex<HashMap<ClientId, Entry, RandomState>>; SHARDS],
    hasher: RandomState,
    len: AtomicUsize,
    /// Told whenever nobody is left.
    empty: Notify,
}

struct Entry {
    client: Client,
    counters: Arc<Counters>,
    transport: Transport,
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
        let shard = self.shard(client).lock();
        let entry = shard.get(&client)?;
        Some(entry.counters.stats(entry.transport))
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

    fn shard(&self, client: ClientId) -> &Mutex<HashMap<ClientId, Entry, RandomState>> {
        let hash = self.hasher.hash_one(client);
        // The table takes the low bits; these are the high ones.
        &self.shards[(hash >> 60) as usize % SHARDS]
    }

    fn insert(&self, client: &Client, counters: &Arc<Counters>, transport: Transport) {
        let entry = Entry {
            client: client.clone(),
            counters: Arc::clone(counters),
            transport,
        };
        // Relaxed: what was entered is read under the lock.
        self.len.fetch_add(1, Ordering::Relaxed);
        self.shard(client.id()).lock().insert(client.id(), entry);
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
    client: ClientId,
    transport: Transport,
    counters: Arc<Counters>,
    code: AtomicU16,
    /// What the layers know of it, until it ends.
    attendance: Option<Attendance>,
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
        attendance: Option<Attendance>,
    ) -> Self {
        let counters = Arc::default();
        gateway.totals(transport).opened();
        gateway.inner.registry.insert(client, &counters, transport);
        if gateway.is_draining() {
            // Who drains may have looked into the registry too early.
            client.close(Disconnect::GOING_AWAY);
        }
        Self {
            gateway: gateway.clone(),
            client: client.id(),
            transport,
            counters,
            code: AtomicU16::new(ABNORMAL),
            attendance,
        }
    }

    pub(crate) fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(crate) fn totals(&self) -> &Totals {
        self.gateway.totals(self.transport)
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
        self.code.store(code, Ordering::Relaxed);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // Relaxed: nobody else has it any more.
        self.totals().closed(self.code.load(Ordering::Relaxed));
        drop(self.attendance.take());
        self.gateway.inner.registry.remove(self.client);
    }
}
