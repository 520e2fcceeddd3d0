//! Messages to users, over all of their connections.

use std::collections::BTreeSet;
use std::ops::Add;
use std::sync::Arc;

use parking_lot::Mutex;
#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::hub::Client;
use crate::id::ClientId;
use crate::layers::name::UserId;
use crate::layers::users::connection::Entry;
use crate::layers::users::roster::Roster;
use crate::layers::users::shell::Users;
use crate::message::Message;

/// What became of a message to users: `delivered + dropped = addressed`, in connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
#[non_exhaustive]
pub struct Sent {
    /// Connections that it was meant for.
    pub addressed: usize,
    /// Those whose outbox has taken it.
    pub delivered: usize,
    /// Those whose outbox has not.
    pub dropped: usize,
}

impl Users {
    /// Sends a message to all connections of a user. To a user that has none, it reaches nobody.
    /// Never waits.
    pub fn send_to_user(&self, user: &UserId, message: &Message) -> Sent {
        send(&self.clients_of(user), message)
    }

    /// [`Users::send_to_user`] for several. Who is named twice gets it once.
    pub fn send_to_users(&self, users: &[UserId], message: &Message) -> Sent {
        let users: BTreeSet<_> = users.iter().collect();
        let each = users
            .into_iter()
            .map(|user| self.send_to_user(user, message));
        each.fold(Sent::default(), Add::add)
    }

    /// Sends a message to all connections but those of some users; nobody's get it too. Who comes
    /// meanwhile may get it or not. Never waits; it takes as long as there are connections.
    pub fn broadcast_except(&self, users: &[UserId], message: &Message) -> Sent {
        let users: BTreeSet<_> = users.iter().collect();
        let mut sent = Sent::default();
        for roster in &self.shared.rosters {
            let mut after = None;
            while let Some((last, clients)) = batch(roster, after, &users) {
                after = Some(last);
                sent = sent + send(&clients, message);
            }
        }
        sent
    }
}

/// Some clients that come after one, but those of some users; and the last looked at.
fn batch(
    roster: &Mutex<Roster<Arc<Entry>>>,
    after: Option<ClientId>,
    except: &BTreeSet<&UserId>,
) -> Option<(ClientId, Vec<Client>)> {
    let roster = roster.lock();
    let mut clients = Vec::new();
    let mut last = None;
    for (id, entry) in roster.after(after).take(BATCH) {
        last = Some(id);
        let is_excepted = entry.user().is_some_and(|user| except.contains(user));
        if !is_excepted && !entry.client.is_closed() {
            clients.push(entry.client.clone());
        }
    }
    Some((last?, clients))
}

impl Add for Sent {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            addressed: self.addressed + other.addressed,
            delivered: self.delivered + other.delivered,
            dropped: self.dropped + other.dropped,
        }
    }
}

fn send(clients: &[Client], message: &Message) -> Sent {
    let mut sent = Sent::default();
    for client in clients {
        let outcome = client.send(message.clone());
        sent.addressed += 1;
        sent.delivered += usize::from(outcome.is_ok());
        sent.dropped += usize::from(outcome.is_err());
    }
    sent
}

/// Connections that are looked up under one lock.
const BATCH: usize = 256;
