//! What is there.

use std::sync::Arc;

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::hub::Client;
use crate::id::ClientId;
use crate::layers::name::UserId;
use crate::layers::users::connection::ClientInfo;
use crate::layers::users::connection::Entry;
use crate::layers::users::error::UserError;
use crate::layers::users::page::Page;
use crate::layers::users::page::connection;
use crate::layers::users::shell::Users;
use crate::layers::users::shell::load;

/// A user that has connections, in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
#[non_exhaustive]
pub struct UserEntry {
    /// Who it is.
    #[serde(rename = "user_id")]
    pub user: UserId,
    /// How many connections it has.
    pub clients: usize,
}

impl Users {
    /// The clients of a user, oldest first, but for those that were closed.
    #[must_use]
    pub fn clients_of(&self, user: &UserId) -> Vec<Client> {
        let mut clients = self.clients(user);
        clients.retain(|client| !client.is_closed());
        clients
    }

    /// How many connections a user has.
    #[must_use]
    pub fn client_count_of(&self, user: &UserId) -> usize {
        self.owners(user).lock().count(user)
    }

    /// How many channels are counted for a user.
    #[must_use]
    pub fn channels_of(&self, user: &UserId) -> usize {
        self.owners(user).lock().channels(user)
    }

    /// How many connections there are, or are about to be.
    #[must_use]
    pub fn client_count(&self) -> usize {
        load(&self.shared.counts.connections)
    }

    /// How many of the connections are nobody's.
    #[must_use]
    pub fn anonymous_count(&self) -> usize {
        load(&self.shared.counts.nobodys)
    }

    /// How many users have connections.
    #[must_use]
    pub fn user_count(&self) -> usize {
        load(&self.shared.counts.users)
    }

    /// What is known about a connection, if it is there.
    #[must_use]
    pub fn client_info(&self, client: ClientId) -> Option<ClientInfo> {
        self.entry(client).map(|entry| entry.info())
    }

    /// What is known about each connection of a user, oldest first.
    #[must_use]
    pub fn client_infos_of(&self, user: &UserId) -> Vec<ClientInfo> {
        let owners = self.owners(user).lock();
        let entries: Vec<_> = owners.handles(user).map(Arc::clone).collect();
        drop(owners);
        entries.iter().map(|entry| entry.info()).collect()
    }

    /// A page of the connections of a user, oldest first.
    ///
    /// # Errors
    ///
    /// [`UserError::InvalidCursor`] if `after` is not the `next` of an earlier page.
    pub fn list_clients_of(
        &self,
        user: &UserId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<ClientInfo>, UserError> {
        let after = connection(after)?;
        let owners = self.owners(user).lock();
        let some = owners.handles_after(user, after);
        let entries: Vec<_> = some.take(limit.saturating_add(1)).map(Arc::clone).collect();
        drop(owners);
        Ok(page_of(&entries, limit))
    }

    /// A page of the users that have connections, in the order of their ids. Who is there for as
    /// long as all pages take is on one of them.
    ///
    /// # Errors
    ///
    /// [`UserError::InvalidCursor`] if `after` is not the `next` of an earlier page.
    pub fn list(&self, after: Option<&str>, limit: usize) -> Result<Page<UserEntry>, UserError> {
        let after = after.map(UserId::parse).transpose();
        let after = after.map_err(|_| UserError::InvalidCursor)?;
        let mut items = Vec::new();
        for owners in &self.shared.owners {
            let owners = owners.lock();
            let users = owners.users(after.as_ref()).take(limit.saturating_add(1));
            items.extend(users.map(|(user, clients)| UserEntry {
                user: user.clone(),
                clients,
            }));
        }
        items.sort_unstable_by(|a, b| a.user.cmp(&b.user));
        Ok(Page::of(items, limit, |entry| entry.user.to_string()))
    }

    /// A page of the connections, in the order in which they have come. Who is there for as long
    /// as all pages take is on one of them.
    ///
    /// # Errors
    ///
    /// [`UserError::InvalidCursor`] if `after` is not the `next` of an earlier page.
    pub fn list_clients(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<ClientInfo>, UserError> {
        let after = connection(after)?;
        let mut entries = Vec::new();
        for roster in &self.shared.rosters {
            let roster = roster.lock();
            let some = roster.after(after).take(limit.saturating_add(1));
            entries.extend(some.map(|(_, entry)| Arc::clone(entry)));
        }
        entries.sort_unstable_by_key(|entry| entry.client.id());
        entries.truncate(limit.saturating_add(1));
        Ok(page_of(&entries, limit))
    }
}

fn page_of(entries: &[Arc<Entry>], limit: usize) -> Page<ClientInfo> {
    let items = entries.iter().map(|entry| entry.info()).collect();
    Page::of(items, limit, |info: &ClientInfo| info.client_id.to_string())
}
