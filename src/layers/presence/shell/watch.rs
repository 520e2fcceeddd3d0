//! Who watches whom.

use std::mem;

use crate::hub::Client;
use crate::hub::SubscribeError;
use crate::hub::SubscribeOptions;
use crate::id::ClientId;
use crate::layers::name::Actor;
use crate::layers::name::UserId;
use crate::layers::presence::error::PresenceError;
use crate::layers::presence::page;
use crate::layers::presence::page::Page;
use crate::layers::presence::shell::Presence;
use crate::layers::presence::shell::publish::channel;
use crate::layers::presence::view::UserPresence;

impl Presence {
    /// Has the client's user watch another through this client, which is told of every change from
    /// now on. Says what the other is now. To watch whom one watches already is no error.
    ///
    /// # Errors
    ///
    /// [`PresenceError::Unauthenticated`] if the client is nobody's, [`PresenceError::Denied`] if
    /// its user may not see the other, [`PresenceError::TooManyWatches`] if that would be one too
    /// many, [`PresenceError::Subscribe`] if the client could not be subscribed.
    pub fn watch(&self, client: &Client, user: &UserId) -> Result<UserPresence, PresenceError> {
        let watcher = user_of(client)?;
        let actor = Actor::User(watcher.clone());
        if !self.may_see(&actor, user) {
            return Err(PresenceError::Denied);
        }
        let limit = self.shared.config.max_watches;
        let mut watches = self.shared.watches.lock();
        watches
            .add(&watcher, client.id(), user, limit)
            .map_err(|_| PresenceError::TooManyWatches { limit })?;
        drop(watches);
        if let Err(error) = self.bring_about(&watcher, client, user) {
            let mut watches = self.shared.watches.lock();
            watches.remove(&watcher, client.id(), user);
            return Err(PresenceError::Subscribe(error));
        }
        if !self.may_see(&actor, user) {
            // They have parted while this was going on, perhaps before there was a watch to end.
            self.end_watch(&watcher, client, user);
            return Err(PresenceError::Denied);
        }
        Ok(self.look(&actor, user))
    }

    /// Has the client's user watch another no longer through this client.
    pub fn unwatch(&self, client: &Client, user: &UserId) {
        if let Ok(watcher) = user_of(client) {
            self.end_watch(&watcher, client, user);
        }
    }

    /// Whom a user watches, through whichever client.
    #[must_use]
    pub fn watching(&self, user: &UserId) -> Vec<UserId> {
        self.shared.watches.lock().watching(user)
    }

    /// Who watches a user, in the order of their names: a page of at most `limit`, from after
    /// where the page before said in [`Page::next`].
    ///
    /// # Errors
    ///
    /// [`PresenceError::InvalidField`] if the limit is not 1 to 1000, or `after` no such text.
    pub fn watchers(
        &self,
        user: &UserId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<UserId>, PresenceError> {
        let limit = page::check_limit(limit)?;
        let after = after.map(page::user_of).transpose()?;
        let watches = self.shared.watches.lock();
        let mut items = watches.watchers(user, after.as_ref(), limit + 1);
        drop(watches);
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| has_more).map(page::cursor_of);
        Ok(Page { items, next })
    }

    /// A user has left a room: at the next [tick](Presence::tick) all watches end, of this user
    /// and by this user, that are no longer allowed, and the clients are told that they have left
    /// the channel. May be called under any lock.
    pub fn recheck(&self, user: &UserId) {
        self.shared.rechecks.lock().insert(user.clone());
    }

    pub(super) fn end_watches(&self, watcher: &UserId, connection: ClientId) {
        let mut watches = self.shared.watches.lock();
        watches.remove_connection(watcher, connection);
    }

    pub(super) fn end_forbidden_watches(&self) {
        let users = mem::take(&mut *self.shared.rechecks.lock());
        for user in users {
            let around = self.shared.watches.lock().around(&user);
            for (watcher, through, user) in around {
                if !self.may_see(&Actor::User(watcher.clone()), &user) {
                    self.force_unsubscribe(&watcher, through, &user);
                }
            }
        }
    }

    fn force_unsubscribe(&self, watcher: &UserId, through: ClientId, user: &UserId) {
        let mut watches = self.shared.watches.lock();
        watches.remove(watcher, through, user);
        drop(watches);
        if let Some(client) = self.shared.hub.client(through) {
            let _expelled = client.force_unsubscribe(&channel(user), "presence_denied");
            let _as_it_was = self.bring_about(watcher, &client, user);
        }
    }

    fn end_watch(&self, watcher: &UserId, client: &Client, user: &UserId) {
        let mut watches = self.shared.watches.lock();
        watches.remove(watcher, client.id(), user);
        drop(watches);
        let _as_it_was = self.bring_about(watcher, client, user);
    }

    /// Has the client be in the channel if there is a watch, and else not. Whoever has changed one
    /// of both calls it, so whoever comes last sees what holds, whatever others are at meanwhile.
    fn bring_about(
        &self,
        watcher: &UserId,
        client: &Client,
        user: &UserId,
    ) -> Result<(), SubscribeError> {
        let has = || {
            let watches = self.shared.watches.lock();
            watches.has(watcher, client.id(), user)
        };
        let mut wanted = has();
        loop {
            if wanted {
                match client.subscribe_detached(&channel(user), SubscribeOptions::new()) {
                    Ok(()) | Err(SubscribeError::AlreadySubscribed) => {}
                    Err(error) => return Err(error),
                }
            } else {
                let _was_in_it = client.unsubscribe(&channel(user));
            }
            let still = has();
            if still == wanted {
                return Ok(());
            }
            wanted = still;
        }
    }
}

fn user_of(client: &Client) -> Result<UserId, PresenceError> {
    let user = client.user().ok_or(PresenceError::Unauthenticated)?;
    UserId::parse(user).map_err(|_| PresenceError::Unauthenticated)
}
