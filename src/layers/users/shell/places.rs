//! How connections come and go: the places that they take.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use crate::hub::Client;
use crate::hub::ConnectOptions;
use crate::hub::Outbox;
use crate::layers::name::UserId;
use crate::layers::users::connection::Connection;
use crate::layers::users::connection::Entry;
use crate::layers::users::error::UserError;
use crate::layers::users::error::Whose;
use crate::layers::users::owners::Owner;
use crate::layers::users::shell::Users;
use crate::time::SystemClock;

impl Users {
    /// Connects a client and counts it. `transport` says how it is connected.
    ///
    /// The places are reserved first, so no limit is passed however many connect at once, and
    /// given back if the hub refuses.
    ///
    /// # Errors
    ///
    /// [`UserError::TooManyConnections`] says which limit was reached; also
    /// [`UserError::InvalidUser`] and [`UserError::Connect`].
    pub fn connect(
        &self,
        options: ConnectOptions,
        transport: &'static str,
    ) -> Result<(Client, Outbox, Connection), UserError> {
        let user = options.for_user().map(UserId::parse).transpose();
        let user = user.map_err(UserError::InvalidUser)?;
        let places = Places::reserve(self, user)?;
        let connected = self.shared.hub.connect(options);
        let (client, outbox) = connected.map_err(UserError::Connect)?;
        let connection = self.enter(places, &client, transport);
        Ok((client, outbox, connection))
    }

    fn enter(&self, places: Places<'_>, client: &Client, transport: &'static str) -> Connection {
        let now = self.millis();
        let owner = places.take(client);
        let entry = Arc::new(Entry {
            client: client.clone(),
            owner,
            transport,
            since: SystemClock::new().since_unix_epoch(),
            began: now,
            last_active: AtomicU64::new(now),
        });
        let id = client.id();
        let mut owners = self.owners(&entry.owner).lock();
        let is_first = owners.enter(&entry.owner, id, Arc::clone(&entry));
        self.roster(id).lock().insert(id, Arc::clone(&entry));
        if is_first && entry.user().is_some() {
            add(&self.shared.counts.users);
        }
        drop(owners);
        Connection::new(self.clone(), entry, is_first)
    }

    /// Takes a connection away; says whether it was the last of its owner.
    pub(in crate::layers::users) fn release(&self, entry: &Entry) -> bool {
        let id = entry.client.id();
        let counts = &self.shared.counts;
        let mut owners = self.owners(&entry.owner).lock();
        self.roster(id).lock().remove(id);
        let Some(is_last) = owners.leave(&entry.owner, id) else {
            return false;
        };
        match entry.user() {
            None => subtract(&counts.nobodys),
            Some(_) if is_last => subtract(&counts.users),
            Some(_) => {}
        }
        subtract(&counts.connections);
        is_last
    }
}

/// The places of a connection that is about to come; dropped, they are free.
struct Places<'a> {
    users: &'a Users,
    user: Option<UserId>,
    taken: bool,
}

impl<'a> Places<'a> {
    fn reserve(users: &'a Users, user: Option<UserId>) -> Result<Self, UserError> {
        let config = &users.shared.config;
        let counts = &users.shared.counts;
        reserve(&counts.connections, config.max_total, Whose::Everybody)?;
        let own = match &user {
            None => reserve(&counts.nobodys, config.max_anonymous, Whose::Nobody),
            Some(user) => users.reserve_for(user),
        };
        if let Err(error) = own {
            subtract(&counts.connections);
            return Err(error);
        }
        Ok(Self {
            users,
            user,
            taken: false,
        })
    }

    /// The owner of the places, now that the client is known.
    fn take(mut self, client: &Client) -> Owner {
        self.taken = true;
        match self.user.take() {
            Some(user) => Owner::User(user),
            None => Owner::Nobody(client.id()),
        }
    }
}

impl Users {
    fn reserve_for(&self, user: &UserId) -> Result<(), UserError> {
        let owner = Owner::User(user.clone());
        let max = self.shared.config.max_per_user;
        if self.owners(&owner).lock().reserve(&owner, max) {
            return Ok(());
        }
        let (of, limit) = (Whose::User, max.unwrap_or(usize::MAX));
        Err(UserError::TooManyConnections { of, limit })
    }
}

impl Drop for Places<'_> {
    fn drop(&mut self) {
        if self.taken {
            return;
        }
        let counts = &self.users.shared.counts;
        match self.user.take() {
            None => subtract(&counts.nobodys),
            Some(user) => {
                let owner = Owner::User(user);
                self.users.owners(&owner).lock().cancel(&owner);
            }
        }
        subtract(&counts.connections);
    }
}

fn reserve(count: &AtomicUsize, max: Option<usize>, of: Whose) -> Result<(), UserError> {
    let Some(limit) = max else {
        add(count);
        return Ok(());
    };
    let more = |count| (count < limit).then_some(count + 1);
    // Relaxed: the count is all that is agreed on.
    let reserved = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    reserved
        .map(|_| ())
        .map_err(|_| UserError::TooManyConnections { of, limit })
}

fn add(count: &AtomicUsize) {
    // Relaxed: the count is all that is agreed on.
    count.fetch_add(1, Ordering::Relaxed);
}

fn subtract(count: &AtomicUsize) {
    // Relaxed: the count is all that is agreed on.
    count.fetch_sub(1, Ordering::Relaxed);
}
