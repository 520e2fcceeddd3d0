//! The identities of connections, and when they end.
//!
//! A connection that was authenticated has a [`Badge`]: its identity, which a refresh replaces, and
//! the subscriptions that tokens of their own allow. [`Badges`] has all of them, and is told the
//! time: a connection is told before its token expires, and closed some time after it has.
//!
//! # Memory
//!
//! A pointer for each connection; what is behind it only while the gateway has an
//! [`Authenticator`](crate::policy::Authenticator). A badge keeps at most one grant for each
//! channel that its client is subscribed to, and 16 more.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ahash::RandomState;
use parking_lot::Mutex;
use parking_lot::RwLock;
use serde_json::json;

use crate::disconnect::Disconnect;
use crate::hub::Client;
use crate::id::ClientId;
use crate::layers::Layers;
use crate::layers::MessageHeader;
use crate::message::Message;
use crate::session::seat;
use crate::time::millis;

use super::Identity;

/// The identity of one connection, and what it was allowed beside it.
#[derive(Debug)]
pub(crate) struct Badge {
    client: Client,
    identity: RwLock<Arc<Identity>>,
    grants: Mutex<Vec<Grant>>,
}

/// A subscription that a token of its own allows.
#[derive(Debug)]
struct Grant {
    channel: Box<str>,
    /// Milliseconds since 1970; `None` for as long as the connection lasts.
    until: Option<u64>,
}

/// When a connection is told that its token expires, and how long after that it is closed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notice {
    pub(crate) before: Duration,
    pub(crate) grace: Duration,
}

/// All badges of a gateway.
#[derive(Debug)]
pub(crate) struct Badges {
    notice: Notice,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    badges: HashMap<ClientId, Arc<Badge>, RandomState>,
    due: BTreeSet<(u64, ClientId, Due)>,
}

/// An event that a time brings.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Due {
    /// Grants of the client end.
    Grant,
    /// The client is told that its token is about to expire.
    Notice,
    /// The client is closed, for its token has expired.
    End,
}

/// The number of grants from which those of channels that were left are looked for.
const MANY: usize = 16;

impl Badge {
    fn new(client: &Client, identity: Arc<Identity>) -> Self {
        Self {
            client: client.clone(),
            identity: RwLock::new(identity),
            grants: Mutex::default(),
        }
    }

    /// Returns the identity that is in force.
    pub(crate) fn identity(&self) -> Arc<Identity> {
        Arc::clone(&self.identity.read())
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Whether a token of its own allows the subscription, at this time.
    pub(crate) fn grants(&self, channel: &str, now: u64) -> bool {
        let grants = self.grants.lock();
        let is_it = |grant: &Grant| *grant.channel == *channel;
        let found = grants.iter().find(|grant| is_it(grant));
        found.is_some_and(|grant| grant.until.is_none_or(|until| now < until))
    }

    fn expiry(&self) -> Option<u64> {
        self.identity.read().expiry().map(|time| time.millis())
    }
}

impl Badges {
    pub(crate) fn new(notice: Notice) -> Self {
        Self {
            notice,
            table: Mutex::default(),
        }
    }

    /// Makes the badge of a connection that has begun.
    pub(crate) fn issue(&self, client: &Client, identity: Arc<Identity>) -> Arc<Badge> {
        let badge = Arc::new(Badge::new(client, identity));
        let mut table = self.table.lock();
        self.schedule(&mut table, &badge);
        table.badges.insert(client.id(), Arc::clone(&badge));
        badge
    }

    /// Returns the badge of a connection.
    pub(crate) fn of(&self, client: ClientId) -> Option<Arc<Badge>> {
        self.table.lock().badges.get(&client).cloned()
    }

    /// Removes the badge of a connection that has ended.
    pub(crate) fn remove(&self, client: ClientId) {
        let mut table = self.table.lock();
        let Some(badge) = table.badges.remove(&client) else {
            return;
        };
        self.unschedule(&mut table, &badge);
        for grant in &*badge.grants.lock() {
            if let Some(until) = grant.until {
                table.due.remove(&(until, client, Due::Grant));
            }
        }
        drop(table);
    }

    /// Replaces the identity of a connection.
    pub(crate) fn replace(&self, badge: &Arc<Badge>, identity: Arc<Identity>) {
        let mut table = self.table.lock();
        self.unschedule(&mut table, badge);
        *badge.identity.write() = identity;
        // A connection that has ended meanwhile is not to be found here any more.
        if table.badges.contains_key(&badge.client.id()) {
            self.schedule(&mut table, badge);
        }
    }

    /// Notes that a token allows a subscription of a connection, until a time.
    pub(crate) fn grant(&self, badge: &Arc<Badge>, channel: &str, until: Option<u64>) {
        let id = badge.client.id();
        let mut table = self.table.lock();
        let mut grants = badge.grants.lock();
        let is_kept = grants.len() < MANY;
        grants.retain(|grant| {
            let is_left = !is_kept && !badge.client.is_subscribed(&grant.channel);
            *grant.channel != *channel && !is_left
        });
        grants.push(Grant {
            channel: channel.into(),
            until,
        });
        if let Some(until) = until
            && table.badges.contains_key(&id)
        {
            table.due.insert((until, id, Due::Grant));
        }
    }

    /// Forgets that a token allowed a subscription.
    pub(crate) fn revoke_grant(badge: &Badge, channel: &str) {
        let is_other = |grant: &Grant| *grant.channel != *channel;
        badge.grants.lock().retain(is_other);
    }

    /// Closes the connections whose identity `is_meant`; returns their number.
    pub(crate) fn close(&self, why: &Disconnect, is_meant: impl Fn(&Identity) -> bool) -> usize {
        let badges: Vec<_> = self.table.lock().badges.values().cloned().collect();
        let meant = badges.iter().filter(|badge| is_meant(&badge.identity()));
        // Not under the lock: with a close, callbacks are called.
        meant.map(|badge| badge.client.close(why.clone())).count()
    }

    /// Does what is due at `now`, in milliseconds since 1970.
    pub(crate) fn tick(&self, now: u64, layers: Option<&Layers>) {
        for (badge, due) in self.take_due(now) {
            match due {
                Due::Grant => badge.end_grants(now, layers),
                Due::Notice => badge.tell(now),
                Due::End => badge.client.close(Disconnect::TOKEN_EXPIRED),
            }
        }
    }

    fn take_due(&self, now: u64) -> Vec<(Arc<Badge>, Due)> {
        let mut due = Vec::new();
        let mut table = self.table.lock();
        while let Some(first) = table.due.first().copied()
            && first.0 <= now
        {
            table.due.remove(&first);
            if let Some(badge) = table.badges.get(&first.1) {
                due.push((Arc::clone(badge), first.2));
            }
        }
        due
    }

    fn schedule(&self, table: &mut Table, badge: &Badge) {
        for due in self.ends(badge).into_iter().flatten() {
            table.due.insert(due);
        }
    }

    fn unschedule(&self, table: &mut Table, badge: &Badge) {
        for due in self.ends(badge).into_iter().flatten() {
            table.due.remove(&due);
        }
    }

    /// Returns the events at the end of an identity.
    fn ends(&self, badge: &Badge) -> Option<[(u64, ClientId, Due); 2]> {
        let (expiry, id) = (badge.expiry()?, badge.client.id());
        let notice = expiry.saturating_sub(millis(self.notice.before));
        let end = expiry.saturating_add(millis(self.notice.grace));
        Some([(notice, id, Due::Notice), (end, id, Due::End)])
    }
}

impl Badge {
    /// Tells the client that its token is about to expire.
    fn tell(&self, now: u64) {
        let Some(expiry) = self.expiry() else { return };
        let left = json!({ "expires_in_ms": expiry.saturating_sub(now) }).to_string();
        let push = MessageHeader::new(EXPIRING).attach_to(Message::text(left));
        // An error: the client does not read, or has gone. It is closed all the same.
        let _full = self.client.send(push);
    }

    /// Ends the subscriptions whose tokens have expired.
    fn end_grants(&self, now: u64, layers: Option<&Layers>) {
        let is_over = |grant: &Grant| grant.until.is_some_and(|until| until <= now);
        let mut over = Vec::new();
        self.grants.lock().retain_mut(|grant| {
            let is_over = is_over(grant);
            if is_over {
                over.push(std::mem::take(&mut grant.channel));
            }
            !is_over
        });
        for channel in over {
            seat::remove(layers, &self.client, &channel, "expired");
        }
    }
}

/// The push that tells a client that its token is about to expire.
pub(crate) const EXPIRING: &str = "expiring";

#[cfg(test)]
mod tests;
