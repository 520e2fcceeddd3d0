//! The tables of a hub, and what goes through them.

use std::hash::Hash;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::Weak;

use ahash::RandomState;
use crossbeam_utils::CachePadded;

use crate::disconnect::Disconnect;
use crate::hub::after::ChannelEvent;
use crate::hub::channel::Channel;
use crate::hub::channel::Core;
use crate::hub::channel::Op;
use crate::hub::channel::Output;
use crate::hub::channel::backlogged;
use crate::hub::client::Client;
use crate::hub::client::ClientCore;
use crate::hub::common::Common;
use crate::hub::delivery::Delivery;
use crate::hub::error::ChannelError;
use crate::hub::error::PublishError;
use crate::hub::handle::Handle;
use crate::hub::handle::Root;
use crate::hub::history::HistoryOptions;
use crate::hub::queue::Lines;
use crate::hub::table::CHUNK;
use crate::hub::table::Table;
use crate::id::ChannelName;
use crate::id::ClientId;
use crate::id::InvalidName;
use crate::message::Message;
use crate::raw::arena::Arena;
use crate::raw::combiner::Run;
use crate::sync::RwLock;
use crate::sync::atomic::AtomicBool;
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::AtomicUsize;
use crate::sync::atomic::Ordering;

/// A hub: its tables of clients and channels, split into shards.
///
/// No publish through a [`Channel`] comes here but to read the limits.
pub(crate) struct Shared {
    pub(super) common: Arc<Common>,
    /// The channel of all clients, for broadcasts.
    pub(super) everyone: Arc<Core>,
    shards: Box<[CachePadded<Shard>]>,
    /// Where the rings of clients have their lines; some shards share one.
    lines: Box<[Lines]>,
    hasher: RandomState,
    next_client: AtomicU64,
    channels: AtomicUsize,
    closed: AtomicBool,
    /// What all handles own together, as long as there is one.
    pub(super) root: OnceLock<Weak<Root>>,
}

/// How many arenas the lines of rings are in, if there are as many shards: so many that those who
/// connect seldom wait for each other, so few that a hub with few clients fills its pages.
const ARENAS: usize = 8;

#[derive(Default)]
struct Shard {
    clients: RwLock<Table<ClientId, Arc<ClientCore>>>,
    channels: RwLock<Table<ChannelName, Arc<Core>>>,
}

impl Shared {
    pub(super) fn new(common: Common, shards: usize) -> Self {
        let common = Arc::new(common);
        Self {
            everyone: Core::new(None, None, Arc::clone(&common)),
            common,
            shards: (0..shards).map(|_| CachePadded::default()).collect(),
            lines: (0..shards.min(ARENAS)).map(|_| Arena::new()).collect(),
            hasher: RandomState::new(),
            next_client: AtomicU64::new(1),
            channels: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            root: OnceLock::new(),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        // SeqCst: pairs with `close` and the second look in `enter`.
        self.closed.load(Ordering::SeqCst)
    }

    /// Ends every client, and lets none in any more.
    pub(super) fn close(&self, why: &Disconnect) {
        // SeqCst: a client that is in a table after we have looked there sees this, since it looks
        // after it went in: one of the two of us closes it.
        self.closed.store(true, Ordering::SeqCst);
        self.each_client(|client| client.close_quietly(why.clone()));
        self.sweep();
        self.common.serve();
    }

    /// Does something with each client, outside of every lock.
    pub(super) fn each_client(&self, each: impl FnMut(Arc<ClientCore>)) {
        let tables = self.shards.iter().map(|shard| &shard.clients);
        scan(tables, each);
    }

    pub(super) fn client(&self, id: ClientId) -> Option<Arc<ClientCore>> {
        self.shard_of_client(id).clients.read().get(&id).cloned()
    }

    pub(super) fn next_client(&self) -> ClientId {
        // Relaxed: a number, and no two callers get the same.
        ClientId::new(self.next_client.fetch_add(1, Ordering::Relaxed))
    }

    /// Puts a client into the table.
    pub(super) fn enter(&self, client: &Arc<ClientCore>) {
        self.shard_of_client(client.id)
            .clients
            .write()
            .insert(client.id, Arc::clone(client));
    }

    /// Takes a client out of the table.
    pub(super) fn forget(&self, id: ClientId) {
        let client = self.shard_of_client(id).clients.write().remove(&id);
        // Dropped here, outside the lock.
        drop(client);
    }

    /// Counts one more channel, unless there are as many as there may be.
    fn count_channel(&self) -> bool {
        let limit = self.common.limits.max_channels;
        // Relaxed: a bound by count; the read-modify-write alone makes it strict.
        let counted = self.channels.fetch_add(1, Ordering::Relaxed) < limit;
        if !counted {
            // Relaxed: as above.
            self.channels.fetch_sub(1, Ordering::Relaxed);
        }
        counted
    }

    /// Does something with each channel, outside of every lock.
    pub(super) fn each_channel(&self, each: impl FnMut(Arc<Core>)) {
        let tables = self.shards.iter().map(|shard| &shard.channels);
        scan(tables, each);
    }

    pub(super) fn channel_count(&self) -> usize {
        self.sweep();
        // Relaxed: a figure for people.
        self.channels.load(Ordering::Relaxed)
    }

    pub(super) fn check_name(&self, name: &str) -> Result<(), InvalidName> {
        ChannelName::check(name, self.common.limits.max_channel_name)
    }

    /// Checks a message before anything is spent on it.
    #[inline]
    pub(super) fn check(&self, message: Message) -> Result<Message, PublishError> {
        let limit = self.common.limits.max_payload;
        if message.payload().len() > limit {
            return Err(PublishError::TooLarge { message, limit });
        }
        // Relaxed: a publish that races the close of the hub may go either way.
        if self.closed.load(Ordering::Relaxed) {
            return Err(PublishError::Closed(message));
        }
        Ok(message)
    }

    #[inline]
    pub(super) fn publish(
        &self,
        channel: &Core,
        message: Message,
        except: Option<ClientId>,
    ) -> Result<Delivery, PublishError> {
        let message = self.check(message)?;
        let op = Op::Publish {
            message,
            except,
            reply: None,
        };
        match channel.try_run(op, self.common.limits.max_backlog) {
            Run::Applied(Output::Delivery(delivery)) => Ok(delivery),
            Run::Applied(Output::Replied) | Run::HandedOver => Ok(Delivery::of_another()),
            Run::Refused(op) => Err(backlogged(op)),
        }
    }

    /// Does what is due: has channels forget what is too old, takes those that nobody holds any
    /// more, and that remember nothing, out of the table, and disconnects clients whose grace is
    /// over.
    pub(super) fn sweep(&self) {
        let common = &self.common;
        let mut expired = false;
        loop {
            if let Some(channel) = common.changed.pop() {
                channel.note_looked_at();
                self.look_at(&channel);
            } else if let Some(channel) = common.aging.next(|| common.millis()) {
                channel.expire();
                expired = true;
            } else if let Some(channel) = common.lingering.next(|| common.millis()) {
                self.look_at(&channel);
            } else if let Some(client) = common.graces.next(|| common.millis()) {
                client.end_grace();
                expired = true;
            } else {
                break;
            }
        }
        if expired {
            common.serve();
        } else {
            self.serve_told();
        }
    }

    /// Has a channel wait for what is to be done with it, or reclaims it.
    fn look_at(&self, channel: &Arc<Core>) {
        self.common.aging.add(channel, channel.ages_at());
        if !channel.is_unheld() {
            return;
        }
        if self.stays(channel) {
            self.common.lingering.add(channel, channel.lingers_until());
        } else {
            self.reclaim(channel);
        }
    }

    /// Whether a channel stays although nobody holds it.
    fn stays(&self, channel: &Core) -> bool {
        channel.stays_for() > 0 && channel.stays_until() >= self.common.millis()
    }

    /// Has told who wants to know what channels have come and gone; here no lock is held.
    fn serve_told(&self) {
        if self.common.on_channel.get().is_some() {
            self.common.serve();
        }
    }

    /// Reclaims the channel that stays least long of those that nobody holds, though it stays.
    /// `false` if there is none.
    fn reclaim_early(&self) -> bool {
        while let Some((channel, due)) = self.common.lingering.first() {
            let lingers_until = channel.lingers_until();
            if lingers_until > due {
                // Somebody has held it meanwhile.
                self.common.lingering.add(&channel, lingers_until);
            } else if self.reclaim_if(&channel, || true) {
                self.serve_told();
                return true;
            }
        }
        false
    }

    fn reclaim(&self, channel: &Arc<Core>) {
        // Whoever has come and gone meanwhile has had it looked at again.
        self.reclaim_if(channel, || !self.stays(channel));
    }

    /// Takes a channel that nobody holds out of the table; `false` if it is held, or is not there,
    /// or is not to be.
    fn reclaim_if(&self, channel: &Arc<Core>, is_to_be: impl FnOnce() -> bool) -> bool {
        let Some(name) = channel.name() else {
            return false;
        };
        let mut channels = self.shard_of_channel(name).channels.write();
        let is_there = channels
            .get(name)
            .is_some_and(|there| Arc::ptr_eq(there, channel));
        if !is_there || !channel.is_unheld() || !is_to_be() {
            return false;
        }
        let removed = channels.remove(name);
        let told = || ChannelEvent::Removed(name.clone());
        self.common.tell_channel(told);
        drop(channels);
        self.common.counters.retire(&channel.counters().read());
        // Relaxed: a bound by count, see `count_channel`.
        self.channels.fetch_sub(1, Ordering::Relaxed);
        drop(removed);
        true
    }

    /// Where a client's ring has its line.
    pub(super) fn lines(&self, id: ClientId) -> &Lines {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the low bits choose an arena"
        )]
        let index = id.get() as usize;
        &self.lines[index & (self.lines.len() - 1)]
    }

    fn shard_of_client(&self, id: ClientId) -> &Shard {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the low bits choose a shard"
        )]
        let index = id.get() as usize;
        &self.shards[index & (self.shards.len() - 1)]
    }

    fn shard_of_channel(&self, name: &str) -> &Shard {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the low bits choose a shard"
        )]
        let index = self.hasher.hash_one(name) as usize;
        &self.shards[index & (self.shards.len() - 1)]
    }
}

/// Does something with all that is in some tables. A lock is held for one [chunk](Table::chunk) at
/// a time, and not while anything is done: who needs it for a first publish or a join waits no
/// longer than that, however many entries there are.
fn scan<'a, K: Eq + Hash + 'a, V: 'a>(
    tables: impl Iterator<Item = &'a RwLock<Table<K, Arc<V>>>>,
    mut each: impl FnMut(Arc<V>),
) {
    let mut some = Vec::with_capacity(CHUNK);
    for table in tables {
        let mut from = Some(0);
        while let Some(at) = from {
            let table = table.read();
            let (chunk, next) = table.chunk(at);
            some.extend(chunk.cloned());
            drop(table);
            some.drain(..).for_each(&mut each);
            from = next;
        }
    }
}

impl Handle {
    /// The channel of this name, made if it is not there.
    pub(super) fn channel(&self, name: ChannelName) -> Result<Channel, ChannelError> {
        if let Some(channel) = self.existing(&name)
            && !self.is_closed()
        {
            return Ok(channel);
        }
        // Asked outside of every lock: the rule may look into the hub, and may panic.
        let options = self.common.remembers(&name);
        self.make(name, options)
    }

    /// The channel of this name, made to remember so much if it is not there.
    pub(super) fn make(
        &self,
        name: ChannelName,
        options: Option<HistoryOptions>,
    ) -> Result<Channel, ChannelError> {
        if self.is_closed() {
            return Err(ChannelError::Closed);
        }
        // What closed clients held may be all that fills the table.
        self.sweep();
        let mut channels = loop {
            let channels = self.shard_of_channel(&name).channels.write();
            if let Some(core) = channels.get(&name) {
                return Ok(self.held(core));
            }
            if self.count_channel() {
                break channels;
            }
            drop(channels);
            if !self.reclaim_early() {
                let limit = self.common.limits.max_channels;
                return Err(ChannelError::TooManyChannels { limit });
            }
        };
        let core = Core::new(Some(name.clone()), options, Arc::clone(&self.common));
        let channel = self.held(&core);
        let told = || ChannelEvent::Created(name.clone());
        self.common.tell_channel(told);
        channels.insert(name, core);
        drop(channels);
        self.serve_told();
        Ok(channel)
    }

    /// The channel of this name, if it is there.
    pub(super) fn existing(&self, name: &str) -> Option<Channel> {
        let channels = self.shard_of_channel(name).channels.read();
        channels.get(name).map(|core| self.held(core))
    }

    /// A handle to a channel; the caller has the lock of its table.
    fn held(&self, core: &Arc<Core>) -> Channel {
        core.hold();
        Channel::of_held(Arc::clone(core), self.clone())
    }

    pub(super) fn client_of(&self, core: &Arc<ClientCore>) -> Client {
        Client {
            core: Arc::clone(core),
            hub: self.clone(),
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // What is still to be reclaimed holds on to what it is queued in.
        self.sweep();
    }
}
