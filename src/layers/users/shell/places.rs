//! How connections come and go: the places that they take.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;

use crate::hub::Client;
use crate::hub::ConnectOptions;
use crate::hub::Outbox;
use crate::layers::name::UserId;
use crate::layers::users::connection::Connection;
use crate::layers::users::connection::Entry;
use crate::layers::users::connection::Owner;
use crate::layers::users::error::ConnectionLimit;
use crate::layers::users::error::UserError;
use crate::layers::users::owners::Names;
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
        let user = options.user_id().map(UserId::parse).transpose();
        let user = user.map_err(UserError::InvalidUser)?;
        let places = Places::reserve(self, user)?;
        let connected = self.shared.hub.connect(options);
        let (client, outbox) = connected.map_err(UserError::Connect)?;
        let connection = self.enter(places, &client, transport);
        Ok((client, outbox, connection))
    }

    fn enter(&self, places: Places<'_>, client: &Client, transport: &'static str) -> Connection {
        let now = self.millis();
        let owner = places.take();
        let entry = Arc::new(Entry {
            client: client.clone(),
            owner,
            transport,
            since: nanos(SystemClock::new().since_unix_epoch()),
            began: now,
            last_active: AtomicU64::new(now),
        });
        let id = client.id();
        let insert = || self.roster(id).lock().insert(id, Arc::clone(&entry));
        let mut is_first = true;
        match entry.user() {
            None => insert(),
            Some(user) => {
                let mut owners = self.owners(user).lock();
                is_first = owners.enter(user, id, Arc::clone(&entry));
                insert();
                if is_first {
                    add(&self.shared.counts.users);
                }
            }
        }
        Connection::new(self.clone(), entry, is_first)
    }

    /// Takes a connection away; says whether it was the last of its owner.
    pub(in crate::layers::users) fn release(&self, entry: &Entry) -> bool {
        let id = entry.client.id();
        let counts = &self.shared.counts;
        let remove = || self.roster(id).lock().remove(id);
        let Some(user) = entry.user() else {
            if remove().is_none() {
                return false;
            }
            subtract(&counts.nobodys);
            subtract(&counts.connections);
            return true;
        };
        let mut owners = self.owners(user).lock();
        remove();
        let Some(is_last) = owners.leave(user, id) else {
            return false;
        };
        if is_last {
            subtract(&counts.users);
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
        reserve(
            &counts.connections,
            config.max_total,
            ConnectionLimit::Total,
        )?;
        let own = match &user {
            None => reserve(
                &counts.nobodys,
                config.max_anonymous,
                ConnectionLimit::Anonymous,
            ),
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

    /// The owner of the places.
    fn take(mut self) -> Owner {
        self.taken = true;
        match self.user.take() {
            Some(user) => Owner::User(user),
            None => Owner::Nobody(Mutex::new(Names::new())),
        }
    }
}

impl Users {
    fn reserve_for(&self, user: &UserId) -> Result<(), UserError> {
        let max = self.shared.config.max_per_user;
        if self.owners(user).lock().reserve(user, max) {
            return Ok(());
        }
        let (scope, limit) = (ConnectionLimit::PerUser, max.unwrap_or(usize::MAX));
        Err(UserError::TooManyConnections { scope, limit })
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
                self.users.owners(&user).lock().cancel(&user);
            }
        }
        subtract(&counts.connections);
    }
}

fn reserve(
    count: &AtomicUsize,
    max: Option<usize>,
    scope: ConnectionLimit,
) -> Result<(), UserError> {
    let Some(limit) = max else {
        add(count);
        return Ok(());
    };
    let more = |count| (count < limit).then_some(count + 1);
    // Relaxed: the count is all that is agreed on.
    let reserved = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    reserved
        .map(|_| ())
        .map_err(|_| UserError::TooManyConnections { scope, limit })
}

fn add(count: &AtomicUsize) {
    // Relaxed: the count is all that is agreed on.
    count.fetch_add(1, Ordering::Relaxed);
}

fn subtract(count: &AtomicUsize) {
    // Relaxed: the count is all that is agreed on.
    count.fetch_sub(1, Ordering::Relaxed);
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
