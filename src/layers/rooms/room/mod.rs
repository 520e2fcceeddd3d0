//! One room, as plain data that is told the time.
//!
//! Every verb checks who may, changes what is to be changed, and gives back what it came to; one
//! that is refused has changed nothing. Times are milliseconds since 1970 that never go back.

mod access;
mod invites;
mod messages;
mod moderation;
mod recent;
mod roles;
mod snapshot;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::ops::Bound;
use std::sync::Arc;

use ahash::RandomState;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

use crate::layers::meter;
use crate::layers::name::Actor;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::layers::rooms::config::RoomsConfig;
use crate::layers::rooms::error::RoomError;
use crate::layers::rooms::options::Category;
use crate::layers::rooms::options::RoomOptions;
use crate::layers::rooms::options::RoomPatch;
use crate::layers::rooms::role::Permission;
use crate::layers::rooms::role::Permissions;
use crate::layers::rooms::role::Role;
use crate::time::millis;

use self::recent::Recent;

pub(super) use self::access::Admission;
pub(super) use self::access::Departure;
pub(super) use self::invites::Invite;
pub(super) use self::messages::Pin;

/// One room.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) id: RoomId,
    pub(super) name: Box<str>,
    pub(super) description: Box<str>,
    pub(super) category: Option<Box<str>>,
    pub(super) tags: Vec<Box<str>>,
    pub(super) metadata: Map<String, Value>,
    pub(super) owner: Option<UserId>,
    pub(super) private: bool,
    /// Of two users, and nobody else ever.
    pub(super) direct: bool,
    pub(super) archived: bool,
    pub(super) locked: bool,
    /// 0: no limit.
    pub(super) max_members: usize,
    pub(super) slow_mode_ms: u64,
    pub(super) created_at: u64,
    pub(super) updated_at: u64,
    pub(super) last_activity: u64,
    config: Arc<RoomsConfig>,
    members: BTreeMap<UserId, Member>,
    /// Those who are something else than members, by what they are.
    others: BTreeMap<Role, BTreeSet<UserId>>,
    recent: Recent,
    bans: BTreeMap<UserId, Restriction>,
    mutes: BTreeMap<UserId, Restriction>,
    invites: HashMap<Box<str>, Invite, RandomState>,
    pins: Vec<Pin>,
    log: VecDeque<LogEntry>,
    /// How many messages there have been: the id of the last one.
    messages: u64,
    today: (u64, u64),
    peak_members: usize,
}

/// A user in a room.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Member {
    pub(super) role: Role,
    pub(super) granted: Permissions,
    pub(super) joined_at: u64,
    /// 0: never.
    pub(super) last_sent: u64,
    /// The last message that was read.
    pub(super) read: u64,
}

/// A ban or a mute.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Restriction {
    pub(super) by: Option<UserId>,
    pub(super) reason: Option<Box<str>>,
    pub(super) since: u64,
    pub(super) until: Option<u64>,
}

impl Restriction {
    fn is_over(&self, now: u64) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    fn left(&self, now: u64) -> Option<u64> {
        self.until.map(|until| until.saturating_sub(now))
    }
}

/// Something that a moderator did.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogEntry {
    pub(super) at: u64,
    pub(super) action: Cow<'static, str>,
    pub(super) actor: Option<UserId>,
    pub(super) target: Option<UserId>,
    pub(super) reason: Option<Box<str>>,
}

const DAY_MS: u64 = 24 * 3600 * 1000;

impl Room {
    /// A room without members.
    pub(super) fn new(
        id: RoomId,
        options: RoomOptions,
        config: &Arc<RoomsConfig>,
        now: u64,
    ) -> Self {
        Self {
            id,
            name: options.name.into(),
            description: options.description.into(),
            category: options.category.map(Into::into),
            tags: boxed(options.tags),
            metadata: options.metadata,
            owner: None,
            private: options.private,
            direct: false,
            archived: false,
            locked: false,
            max_members: options.max_members,
            slow_mode_ms: millis(options.slow_mode),
            created_at: now,
            updated_at: now,
            last_activity: now,
            config: Arc::clone(config),
            members: BTreeMap::new(),
            others: BTreeMap::new(),
            recent: Recent::default(),
            bans: BTreeMap::new(),
            mutes: BTreeMap::new(),
            invites: HashMap::default(),
            pins: Vec::new(),
            log: VecDeque::new(),
            messages: 0,
            today: (now / DAY_MS, 0),
            peak_members: 0,
        }
    }

    pub(super) fn member_count(&self) -> usize {
        self.members.len()
    }

    pub(super) fn is_member(&self, user: &UserId) -> bool {
        self.members.contains_key(user)
    }

    pub(super) fn member(&self, user: &UserId) -> Option<&Member> {
        self.members.get(user)
    }

    /// What a member may do; nothing for those who are none.
    pub(super) fn permissions(&self, user: &UserId) -> Permissions {
        let Some(member) = self.members.get(user) else {
            return Permissions::NONE;
        };
        member.role.permissions(self.private).or(member.granted)
    }

    /// Whether the actor may see what is in the room.
    pub(super) fn check_reader(&self, actor: &Actor) -> Result<(), RoomError> {
        match actor {
            Actor::Server => Ok(()),
            Actor::User(user) if self.is_member(user) => Ok(()),
            Actor::User(_) if self.is_hidden() => Err(RoomError::UnknownRoom),
            Actor::User(_) => Err(RoomError::NotMember),
        }
    }

    /// Whether the actor may know of the room.
    pub(super) fn check_visible(&self, actor: &Actor) -> Result<(), RoomError> {
        if self.is_hidden() {
            self.check_reader(actor)
        } else {
            Ok(())
        }
    }

    /// Whether only members may know that the room exists.
    pub(super) fn is_hidden(&self) -> bool {
        self.private || self.direct
    }

    pub(super) fn check_permission(
        &self,
        actor: &Actor,
        permission: Permission,
    ) -> Result<(), RoomError> {
        let Actor::User(user) = actor else {
            return Ok(());
        };
        self.check_reader(actor)?;
        if self.permissions(user).has(permission) {
            Ok(())
        } else {
            Err(RoomError::PermissionDenied(permission))
        }
    }

    /// Whether the role of the actor is above that of the other, if the other is a member.
    pub(super) fn check_above(&self, actor: &Actor, other: &UserId) -> Result<(), RoomError> {
        let Actor::User(user) = actor else {
            return Ok(());
        };
        let role = |user| self.members.get(user).map(|member| member.role);
        match (role(user), role(other)) {
            (Some(own), Some(others)) if own <= others => Err(RoomError::InsufficientRole),
            (None, _) => Err(RoomError::NotMember),
            _ => Ok(()),
        }
    }

    pub(super) fn check_not_direct(&self) -> Result<(), RoomError> {
        if self.direct {
            let why = "a direct room is of its two users, and stays as it is";
            return Err(RoomError::InvalidRoom(why));
        }
        Ok(())
    }

    /// Changes what the room says about itself.
    pub(super) fn update(
        &mut self,
        actor: &Actor,
        patch: RoomPatch,
        now: u64,
    ) -> Result<(), RoomError> {
        self.check_not_direct()?;
        self.check_permission(actor, Permission::ManageRoom)?;
        patch.check(&self.config)?;
        if let Some(name) = patch.name {
            self.name = name.into();
        }
        if let Some(description) = patch.description {
            self.description = description.into();
        }
        if let Some(Category(category)) = patch.category {
            self.category = category.map(Into::into);
        }
        if let Some(tags) = patch.tags {
            self.tags = boxed(tags);
        }
        if let Some(metadata) = patch.metadata {
            self.metadata = metadata;
        }
        self.private = patch.private.unwrap_or(self.private);
        self.max_members = patch.max_members.unwrap_or(self.max_members);
        self.updated_at = now;
        Ok(())
    }

    /// Archives or restores; says whether that changed anything.
    pub(super) fn set_archived(
        &mut self,
        actor: &Actor,
        archived: bool,
        now: u64,
    ) -> Result<bool, RoomError> {
        self.check_permission(actor, Permission::ManageRoom)?;
        let changes = self.archived != archived;
        if changes {
            self.archived = archived;
            self.updated_at = now;
            self.note(
                now,
                if archived { "archive" } else { "restore" },
                actor,
                None,
                None,
            );
        }
        Ok(changes)
    }

    /// Locks or unlocks; says whether that changed anything.
    pub(super) fn set_locked(
        &mut self,
        actor: &Actor,
        locked: bool,
        now: u64,
    ) -> Result<bool, RoomError> {
        self.check_not_direct()?;
        self.check_permission(actor, Permission::ManageRoom)?;
        let changes = self.locked != locked;
        if changes {
            self.locked = locked;
            self.updated_at = now;
            self.note(
                now,
                if locked { "lock" } else { "unlock" },
                actor,
                None,
                None,
            );
        }
        Ok(changes)
    }

    pub(super) fn set_slow_mode(
        &mut self,
        actor: &Actor,
        wait_ms: u64,
        now: u64,
    ) -> Result<bool, RoomError> {
        self.check_not_direct()?;
        self.check_permission(actor, Permission::ManageRoom)?;
        let changes = self.slow_mode_ms != wait_ms;
        if changes {
            self.slow_mode_ms = wait_ms;
            self.recent.clear();
            self.updated_at = now;
            self.note(now, "slow_mode", actor, None, None);
        }
        Ok(changes)
    }

    pub(super) fn check_delete(&self, actor: &Actor) -> Result<(), RoomError> {
        match actor {
            Actor::Server => Ok(()),
            Actor::User(user) if self.owner.as_ref() == Some(user) => self.check_not_direct(),
            Actor::User(_) => {
                self.check_reader(actor)?;
                Err(RoomError::InsufficientRole)
            }
        }
    }

    /// Members from `after` on, those of one role or all, in the order of their ids.
    pub(super) fn members_after<'a>(
        &'a self,
        after: Option<&UserId>,
        role: Option<Role>,
    ) -> impl Iterator<Item = (&'a UserId, &'a Member)> + use<'a> {
        let others = role.filter(|role| *role != Role::Member);
        let all = others.is_none().then(|| range_after(&self.members, after));
        let all = all.into_iter().flatten();
        let all = all.filter(move |(_, member)| role.is_none_or(|role| member.role == role));
        let others = others.and_then(|role| self.others.get(&role));
        let from = beyond(after);
        let others = others.map(|users| users.range((from, Bound::Unbounded)));
        let others = others.into_iter().flatten();
        all.chain(others.filter_map(|user| self.members.get_key_value(user)))
    }

    /// At most `limit` members after `after`, of one role or all, and after whom to go on, if
    /// anybody may be left. Looks at no more than `most` members, so a page can be short.
    pub(super) fn page_of_members(
        &self,
        after: Option<&UserId>,
        role: Option<Role>,
        limit: usize,
        most: usize,
    ) -> (Vec<(&UserId, &Member)>, Option<UserId>) {
        if role != Some(Role::Member) {
            let page: Vec<_> = self.members_after(after, role).take(limit).collect();
            let next = (page.len() == limit).then(|| page.last().map(|it| it.0.clone()));
            return (page, next.flatten());
        }
        let mut page = Vec::new();
        for (looked_at, (user, member)) in range_after(&self.members, after).enumerate() {
            meter::examined(1);
            if member.role == Role::Member {
                page.push((user, member));
            }
            if page.len() == limit || looked_at + 1 == most {
                return (page, Some(user.clone()));
            }
        }
        (page, None)
    }

    /// All members.
    pub(super) fn members(&self) -> impl Iterator<Item = &UserId> {
        self.members.keys()
    }

    pub(super) fn bans_after(
        &self,
        after: Option<&UserId>,
        now: u64,
    ) -> impl Iterator<Item = (&UserId, &Restriction)> {
        range_after(&self.bans, after).filter(move |(_, ban)| !ban.is_over(now))
    }

    pub(super) fn mutes_after(
        &self,
        after: Option<&UserId>,
        now: u64,
    ) -> impl Iterator<Item = (&UserId, &Restriction)> {
        range_after(&self.mutes, after).filter(move |(_, mute)| !mute.is_over(now))
    }

    /// What moderators did, the latest first.
    pub(super) fn log(&self) -> impl Iterator<Item = &LogEntry> {
        self.log.iter().rev()
    }

    pub(super) fn pins(&self) -> &[Pin] {
        &self.pins
    }

    pub(super) fn message_count(&self) -> u64 {
        self.messages
    }

    pub(super) fn messages_today(&self, now: u64) -> u64 {
        let (day, count) = self.today;
        if day == now / DAY_MS { count } else { 0 }
    }

    pub(super) fn peak_members(&self) -> usize {
        self.peak_members
    }

    pub(super) fn ban_count(&self) -> usize {
        self.bans.len()
    }

    pub(super) fn mute_count(&self) -> usize {
        self.mutes.len()
    }

    pub(super) fn invite_count(&self) -> usize {
        self.invites.len()
    }

    fn note(
        &mut self,
        at: u64,
        action: &'static str,
        actor: &Actor,
        target: Option<&UserId>,
        reason: Option<&str>,
    ) {
        if self.config.max_log == 0 {
            return;
        }
        if self.log.len() >= self.config.max_log {
            self.log.pop_front();
        }
        self.log.push_back(LogEntry {
            at,
            action: Cow::Borrowed(action),
            actor: actor.user().cloned(),
            target: target.cloned(),
            reason: reason.map(Into::into),
        });
    }
}

fn range_after<'a, V>(
    map: &'a BTreeMap<UserId, V>,
    after: Option<&UserId>,
) -> impl Iterator<Item = (&'a UserId, &'a V)> + use<'a, V> {
    map.range((beyond(after), Bound::Unbounded))
}

fn beyond(after: Option<&UserId>) -> Bound<UserId> {
    after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.clone()))
}

fn boxed(texts: Vec<String>) -> Vec<Box<str>> {
    texts.into_iter().map(Into::into).collect()
}

#[cfg(test)]
mod tests;
