//! How connections are ended: by an operator, or for doing nothing.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use crate::disconnect::Disconnect;
use crate::disconnect::InvalidDisconnect;
use crate::hub::Client;
use crate::id::ClientId;
use crate::layers::name::UserId;
use crate::layers::users::connection::ClientInfo;
use crate::layers::users::connection::Entry;
use crate::layers::users::error::UserError;
use crate::layers::users::page::Page;
use crate::layers::users::page::cursor;
use crate::layers::users::page::place;
use crate::layers::users::roster::Idle;
use crate::layers::users::roster::Place;
use crate::layers::users::roster::START;
use crate::layers::users::roster::merged;
use crate::layers::users::shell::Users;
use crate::time::millis;

impl Users {
    /// Disconnects a connection for good, with [`Disconnect::KICKED`] and this reason.
    ///
    /// # Errors
    ///
    /// [`UserError::UnknownClient`], also for one that was closed already, and
    /// [`UserError::ReasonTooLong`].
    pub fn kick(&self, client: ClientId, reason: &str) -> Result<(), UserError> {
        let why = kicked(reason)?;
        let entry = self.entry(client).ok_or(UserError::UnknownClient)?;
        if entry.client.is_closed() {
            return Err(UserError::UnknownClient);
        }
        entry.client.close(why);
        Ok(())
    }

    /// Disconnects a connection whose client goes on over another, with [`Disconnect::RESUMED`]. It
    /// takes up no place any more, though it may take a while until it has ended.
    pub fn replace(&self, client: ClientId) {
        if let Some(entry) = self.entry(client) {
            entry.client.close(Disconnect::RESUMED);
            self.release(&entry);
        }
    }

    /// Disconnects all connections of a user for good, and says how many.
    ///
    /// # Errors
    ///
    /// [`UserError::UnknownUser`] if it has none, and [`UserError::ReasonTooLong`].
    pub fn kick_user(&self, user: &UserId, reason: &str) -> Result<usize, UserError> {
        let why = kicked(reason)?;
        let mut clients = self.clients(user);
        clients.retain(|client| !client.is_closed());
        if clients.is_empty() {
            return Err(UserError::UnknownUser);
        }
        for client in &clients {
            client.close(why.clone());
        }
        Ok(clients.len())
    }

    /// A page of the connections that have done nothing for `longer_than`, longest idle first. It
    /// may have fewer than `limit`, or none, and still have a next one: connections that were
    /// active since are moved, a bounded number for each page.
    ///
    /// # Errors
    ///
    /// [`UserError::InvalidCursor`] if `after` is not the `next` of an earlier page.
    pub fn idle(
        &self,
        longer_than: Duration,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<ClientInfo>, UserError> {
        let after = after.map_or(Ok(START), place)?;
        let until = self.idle_since(self.shared.clock.now(), longer_than);
        let idle = self.look(after, until, limit);
        let items = idle.found.iter().map(|(_, entry)| entry.info()).collect();
        let next = idle.stopped.map(cursor);
        Ok(Page { items, next })
    }

    /// Closes those that have done nothing for `longer_than`, at most `limit`, the longest idle
    /// first, with [`Disconnect::IDLE`]; says how many. Call it again for as long as the page of
    /// the [idle](Users::idle) is not empty.
    #[expect(
        clippy::must_use_candidate,
        reason = "closing them may be all that is wanted"
    )]
    pub fn close_idle(&self, longer_than: Duration, limit: usize) -> usize {
        let until = self.idle_since(self.shared.clock.now(), longer_than);
        let mut closed = 0;
        loop {
            let idle = self.look(START, until, limit - closed);
            let clients = idle
                .found
                .into_iter()
                .map(|(_, entry)| entry.client.clone());
            closed += self.dismiss(clients);
            if idle.stopped.is_none() || closed >= limit {
                return closed;
            }
        }
    }

    /// When to call [`Users::tick`] next; never, unless somebody connects, if it is `None`.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let idle_after = self.shared.config.idle_after?;
        let rosters = self.shared.rosters.iter();
        let oldest = rosters.filter_map(|roster| roster.lock().oldest()).min()?;
        let elapsed = Duration::from_millis(oldest);
        self.shared
            .start
            .checked_add(elapsed)?
            .checked_add(idle_after)
    }

    /// Closes the connections that at `now` have done nothing for
    /// [`UsersConfig::idle_after`](crate::users::UsersConfig::idle_after).
    pub fn tick(&self, now: Instant) {
        let Some(idle_after) = self.shared.config.idle_after else {
            return;
        };
        let until = self.idle_since(now, idle_after);
        for roster in &self.shared.rosters {
            loop {
                let idle = roster.lock().idle(START, until, BATCH);
                self.dismiss(
                    idle.found
                        .into_iter()
                        .map(|(_, entry)| entry.client.clone()),
                );
                if idle.stopped.is_none() {
                    break;
                }
            }
        }
    }

    fn dismiss(&self, clients: impl Iterator<Item = Client>) -> usize {
        let mut closed = 0;
        for client in clients {
            self.roster(client.id()).lock().dismiss(client.id());
            closed += usize::from(!client.is_closed());
            client.close(Disconnect::IDLE);
        }
        closed
    }

    /// The idle of all shards that come after `after`, as far as each has looked.
    fn look(&self, after: Place, until: u64, limit: usize) -> Idle<Arc<Entry>> {
        let rosters = self.shared.rosters.iter();
        let looks = rosters.map(|roster| roster.lock().idle(after, until, limit));
        merged(looks, limit)
    }

    /// Who was active last at this time or before is idle for so long.
    fn idle_since(&self, now: Instant, longer_than: Duration) -> u64 {
        self.millis_of(now).saturating_sub(millis(longer_than))
    }
}

fn kicked(reason: &str) -> Result<Disconnect, UserError> {
    let why = if reason.is_empty() {
        Ok(Disconnect::KICKED)
    } else {
        Disconnect::kicked(reason.to_owned())
    };
    why.map_err(|error| match error {
        InvalidDisconnect::Reason { len } => UserError::ReasonTooLong { len },
        InvalidDisconnect::Code(_) => unreachable!("the code is its own"),
    })
}

/// Connections that are closed after one look.
const BATCH: usize = 256;
