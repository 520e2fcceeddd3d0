//! Bans and mutes.

use std::time::Duration;

use crate::layers::name::Actor;
use crate::layers::name::UserId;
use crate::layers::rooms::error::RoomError;
use crate::layers::rooms::role::Permission;

use super::Restriction;
use super::Room;
use super::millis;

impl Room {
    /// Bans a user, who need not be a member; says whether it was one.
    pub(in crate::layers::rooms) fn ban(
        &mut self,
        actor: &Actor,
        user: &UserId,
        reason: Option<&str>,
        lasting: Option<Duration>,
        now: u64,
    ) -> Result<bool, RoomError> {
        self.check_not_direct()?;
        self.check_permission(actor, Permission::BanMembers)?;
        self.check_above(actor, user)?;
        self.check_not_owner(user)?;
        let limit = self.config.max_bans;
        if self.bans.len() >= limit {
            self.purge(now);
        }
        if self.bans.len() >= limit && !self.bans.contains_key(user) {
            return Err(RoomError::TooMany {
                what: "bans",
                limit,
            });
        }
        let ban = restriction(actor, reason, lasting, now);
        self.bans.insert(user.clone(), ban);
        let was_member = self.is_member(user);
        self.remove(user, now);
        self.note(now, "ban", actor, Some(user), reason);
        Ok(was_member)
    }

    pub(in crate::layers::rooms) fn unban(
        &mut self,
        actor: &Actor,
        user: &UserId,
        now: u64,
    ) -> Result<(), RoomError> {
        self.check_permission(actor, Permission::BanMembers)?;
        match self.bans.remove(user) {
            Some(ban) if !ban.is_over(now) => {
                self.note(now, "unban", actor, Some(user), None);
                Ok(())
            }
            _ => Err(RoomError::NotBanned),
        }
    }

    /// Mutes a member.
    pub(in crate::layers::rooms) fn mute(
        &mut self,
        actor: &Actor,
        user: &UserId,
        reason: Option<&str>,
        lasting: Option<Duration>,
        now: u64,
    ) -> Result<(), RoomError> {
        self.check_not_direct()?;
        self.check_permission(actor, Permission::MuteMembers)?;
        if !self.is_member(user) {
            return Err(RoomError::NotMember);
        }
        self.check_above(actor, user)?;
        self.check_not_owner(user)?;
        let limit = self.config.max_bans;
        if self.mutes.len() >= limit {
            self.purge(now);
        }
        if self.mutes.len() >= limit && !self.mutes.contains_key(user) {
            return Err(RoomError::TooMany {
                what: "mutes",
                limit,
            });
        }
        let mute = restriction(actor, reason, lasting, now);
        self.mutes.insert(user.clone(), mute);
        self.note(now, "mute", actor, Some(user), reason);
        Ok(())
    }

    pub(in crate::layers::rooms) fn unmute(
        &mut self,
        actor: &Actor,
        user: &UserId,
        now: u64,
    ) -> Result<(), RoomError> {
        self.check_permission(actor, Permission::MuteMembers)?;
        // Or those who may mute could lift what those above them have laid on them.
        self.check_above(actor, user)?;
        match self.mutes.remove(user) {
            Some(mute) if !mute.is_over(now) => {
                self.note(now, "unmute", actor, Some(user), None);
                Ok(())
            }
            _ => Err(RoomError::NotMuted),
        }
    }

    /// Whether a user is muted, and so may not send.
    pub(in crate::layers::rooms) fn check_not_muted(
        &self,
        user: &UserId,
        now: u64,
    ) -> Result<(), RoomError> {
        match self.mutes.get(user) {
            Some(mute) if !mute.is_over(now) => Err(RoomError::Muted {
                for_ms: mute.left(now),
            }),
            _ => Ok(()),
        }
    }

    /// When the next ban or mute is over, if one ever is.
    pub(in crate::layers::rooms) fn next_expiry(&self) -> Option<u64> {
        let all = self.bans.values().chain(self.mutes.values());
        all.filter_map(|it| it.until).min()
    }

    /// Forgets what is over; says which bans and which mutes those were.
    pub(in crate::layers::rooms) fn purge(&mut self, now: u64) -> (Vec<UserId>, Vec<UserId>) {
        let over = |all: &mut std::collections::BTreeMap<UserId, Restriction>| {
            let gone: Vec<_> = all
                .iter()
                .filter(|(_, it)| it.is_over(now))
                .map(|(user, _)| user.clone())
                .collect();
            for user in &gone {
                all.remove(user);
            }
            gone
        };
        self.purge_invites(now);
        (over(&mut self.bans), over(&mut self.mutes))
    }
}

fn restriction(
    actor: &Actor,
    reason: Option<&str>,
    lasting: Option<Duration>,
    now: u64,
) -> Restriction {
    Restriction {
        by: actor.user().cloned(),
        reason: reason.map(Into::into),
        since: now,
        until: lasting.map(|lasting| now.saturating_add(millis(lasting))),
    }
}
