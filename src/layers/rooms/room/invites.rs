//! Invites: codes that let their bearers in.

use serde::Deserialize;
use serde::Serialize;

use crate::layers::name::Actor;
use crate::layers::name::UserId;
use crate::layers::rooms::error::RoomError;
use crate::layers::rooms::options::InviteOptions;
use crate::layers::rooms::role::Permission;

use super::Room;
use super::millis;

/// A code that lets its bearers in.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(in crate::layers::rooms) struct Invite {
    pub(in crate::layers::rooms) by: Option<UserId>,
    pub(in crate::layers::rooms) created_at: u64,
    pub(in crate::layers::rooms) expires_at: Option<u64>,
    /// 0: no limit.
    pub(in crate::layers::rooms) max_uses: u32,
    pub(in crate::layers::rooms) uses: u32,
}

impl Invite {
    fn check(&self, now: u64) -> Result<(), RoomError> {
        if self.expires_at.is_some_and(|at| at <= now) {
            return Err(RoomError::InviteExpired);
        }
        if self.max_uses > 0 && self.uses >= self.max_uses {
            return Err(RoomError::InviteExhausted);
        }
        Ok(())
    }
}

impl Room {
    /// Notes an invite under a code that nobody can guess.
    pub(in crate::layers::rooms) fn invite(
        &mut self,
        actor: &Actor,
        code: &str,
        options: InviteOptions,
        now: u64,
    ) -> Result<(), RoomError> {
        self.check_not_direct()?;
        self.check_permission(actor, Permission::InviteMembers)?;
        if self.archived {
            return Err(RoomError::Archived);
        }
        self.purge_invites(now);
        let limit = self.config.max_invites;
        if self.invites.len() >= limit {
            return Err(RoomError::TooMany {
                what: "invites",
                limit,
            });
        }
        let invite = Invite {
            by: actor.user().cloned(),
            created_at: now,
            expires_at: options
                .expires_in
                .map(|time| now.saturating_add(millis(time))),
            max_uses: options.max_uses,
            uses: 0,
        };
        self.invites.insert(code.into(), invite);
        Ok(())
    }

    /// Takes an invite back: whoever made it may, and whoever manages the room.
    pub(in crate::layers::rooms) fn revoke_invite(
        &mut self,
        actor: &Actor,
        code: &str,
    ) -> Result<(), RoomError> {
        self.check_reader(actor)?;
        let invite = self.invites.get(code).ok_or(RoomError::UnknownInvite)?;
        let is_own = actor.user().is_some() && actor.user() == invite.by.as_ref();
        if !is_own {
            self.check_permission(actor, Permission::ManageRoom)?;
        }
        self.invites.remove(code);
        Ok(())
    }

    /// The invites that can still be used.
    pub(in crate::layers::rooms) fn invites(
        &self,
        now: u64,
    ) -> impl Iterator<Item = (&str, &Invite)> {
        let invites = self.invites.iter();
        invites
            .filter(move |(_, invite)| invite.check(now).is_ok())
            .map(|(code, invite)| (&**code, invite))
    }

    /// An invite that can be used.
    pub(in crate::layers::rooms) fn valid_invite(
        &self,
        code: &str,
        now: u64,
    ) -> Result<&Invite, RoomError> {
        let invite = self.invites.get(code).ok_or(RoomError::UnknownInvite)?;
        invite.check(now)?;
        Ok(invite)
    }

    pub(super) fn check_invite(&self, code: &str, now: u64) -> Result<Box<str>, RoomError> {
        self.valid_invite(code, now).map(|_| code.into())
    }

    pub(super) fn use_invite(&mut self, code: &str) {
        if let Some(invite) = self.invites.get_mut(code) {
            invite.uses = invite.uses.saturating_add(1);
        }
    }

    /// Forgets what is long over. What is over since lately is kept for a day, so that whoever
    /// comes with it is told that it is, and not that it never was.
    pub(super) fn purge_invites(&mut self, now: u64) {
        self.invites.retain(|_, invite| {
            let is_old = |at: u64| at.saturating_add(super::DAY_MS) <= now;
            !invite.expires_at.is_some_and(is_old)
        });
        if self.invites.len() >= self.config.max_invites {
            self.invites.retain(|_, invite| invite.check(now).is_ok());
        }
    }
}
