//! Who comes in, and who goes.

use crate::layers::name::Actor;
use crate::layers::name::UserId;
use crate::layers::rooms::error::RoomError;
use crate::layers::rooms::role::Permission;
use crate::layers::rooms::role::Permissions;
use crate::layers::rooms::role::Role;

use super::Member;
use super::Room;

/// That a user may come in, and as what; nothing has changed yet.
#[derive(Debug)]
#[must_use = "no user has joined yet"]
pub(in crate::layers::rooms) struct Admission {
    role: Role,
    /// The invite that is used up by it.
    invite: Option<Box<str>>,
}

/// What becomes of a room that somebody has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::layers::rooms) enum Departure {
    /// Others are there.
    Stays,
    /// Its owner was the last one: nobody is left who could do anything about it.
    Abandoned,
}

impl Room {
    /// Whether a user may come in by itself; `None` if it is in already.
    pub(in crate::layers::rooms) fn check_join(
        &self,
        user: &UserId,
        invite: Option<&str>,
        now: u64,
    ) -> Result<Option<Admission>, RoomError> {
        let invite = invite.map(|code| self.check_invite(code, now));
        let is_invited = !matches!(invite, None | Some(Err(RoomError::UnknownInvite)));
        if self.is_hidden() && !is_invited && !self.is_member(user) {
            // The same as of a room that does not exist.
            return Err(match invite {
                Some(_) => RoomError::UnknownInvite,
                None => RoomError::UnknownRoom,
            });
        }
        self.check_not_banned(user, now)?;
        if self.is_member(user) {
            return Ok(None);
        }
        if self.archived {
            return Err(RoomError::Archived);
        }
        if self.locked {
            return Err(RoomError::Locked);
        }
        let invite = invite.transpose()?;
        self.check_full()?;
        Ok(Some(Admission {
            role: Role::Member,
            invite,
        }))
    }

    /// Whether a user may be brought in by another; `None` if it is in already.
    pub(in crate::layers::rooms) fn check_add(
        &self,
        actor: &Actor,
        user: &UserId,
        role: Role,
        now: u64,
    ) -> Result<Option<Admission>, RoomError> {
        self.check_not_direct()?;
        self.check_permission(actor, Permission::InviteMembers)?;
        if role != Role::Member {
            self.check_permission(actor, Permission::ManageRoles)?;
        }
        self.check_giveable(actor, role)?;
        self.check_not_banned(user, now)?;
        if self.is_member(user) {
            return Ok(None);
        }
        if self.archived {
            return Err(RoomError::Archived);
        }
        if self.locked
            && self
                .check_permission(actor, Permission::ManageRoom)
                .is_err()
        {
            return Err(RoomError::Locked);
        }
        self.check_full()?;
        Ok(Some(Admission { role, invite: None }))
    }

    /// The owner comes in, with the room being made.
    pub(in crate::layers::rooms) fn found(&mut self, owner: &UserId, now: u64) {
        self.owner = Some(owner.clone());
        self.insert(owner, Role::Owner, now);
    }

    /// One of the two of a direct room comes in, with the room being made.
    pub(in crate::layers::rooms) fn seat(&mut self, user: &UserId, now: u64) {
        self.insert(user, Role::Member, now);
    }

    /// Lets a user in who may come.
    pub(in crate::layers::rooms) fn admit(
        &mut self,
        user: &UserId,
        admission: Admission,
        now: u64,
    ) {
        if let Some(code) = admission.invite {
            self.use_invite(&code);
        }
        self.insert(user, admission.role, now);
    }

    /// Whether a member may go.
    pub(in crate::layers::rooms) fn check_leave(&self, user: &UserId) -> Result<(), RoomError> {
        self.check_not_direct()?;
        let member = self.member(user).ok_or(RoomError::NotMember)?;
        if member.role == Role::Owner && self.members.len() > 1 {
            return Err(RoomError::OwnerCannotLeave);
        }
        Ok(())
    }

    /// Lets a member go who may.
    pub(in crate::layers::rooms) fn leave(
        &mut self,
        user: &UserId,
        now: u64,
    ) -> Result<Departure, RoomError> {
        self.check_leave(user)?;
        let was_owner = self.owner.as_ref() == Some(user);
        self.remove(user, now);
        Ok(if was_owner && self.members.is_empty() {
            Departure::Abandoned
        } else {
            Departure::Stays
        })
    }

    /// Takes a member out.
    pub(in crate::layers::rooms) fn kick(
        &mut self,
        actor: &Actor,
        user: &UserId,
        reason: Option<&str>,
        now: u64,
    ) -> Result<(), RoomError> {
        self.check_not_direct()?;
        self.check_permission(actor, Permission::RemoveMembers)?;
        if !self.is_member(user) {
            return Err(RoomError::NotMember);
        }
        self.check_above(actor, user)?;
        self.check_not_owner(user)?;
        self.remove(user, now);
        self.note(now, "kick", actor, Some(user), reason);
        Ok(())
    }

    /// The owner is never taken out, not by the server either: there has to be one.
    pub(super) fn check_not_owner(&self, user: &UserId) -> Result<(), RoomError> {
        if self.owner.as_ref() == Some(user) {
            return Err(RoomError::InsufficientRole);
        }
        Ok(())
    }

    pub(super) fn check_not_banned(&self, user: &UserId, now: u64) -> Result<(), RoomError> {
        match self.bans.get(user) {
            Some(ban) if !ban.is_over(now) => Err(RoomError::Banned {
                for_ms: ban.left(now),
            }),
            _ => Ok(()),
        }
    }

    fn check_full(&self) -> Result<(), RoomError> {
        if self.max_members > 0 && self.members.len() >= self.max_members {
            return Err(RoomError::Full {
                limit: self.max_members,
            });
        }
        Ok(())
    }

    fn insert(&mut self, user: &UserId, role: Role, now: u64) {
        let member = Member {
            role,
            granted: Permissions::NONE,
            joined_at: now,
            last_sent: self.recent.take(user).unwrap_or(0),
            read: self.messages,
        };
        self.members.insert(user.clone(), member);
        self.index(role, user);
        self.peak_members = self.peak_members.max(self.members.len());
        self.last_activity = now;
    }

    pub(super) fn remove(&mut self, user: &UserId, now: u64) {
        let Some(member) = self.members.remove(user) else {
            return;
        };
        self.unindex(member.role, user);
        let wait = self.slow_mode_ms;
        if member.last_sent > 0 && member.last_sent.saturating_add(wait) > now {
            let over = now.saturating_sub(wait);
            let most = self.config.max_bans;
            self.recent.put(user, member.last_sent, over, most);
        }
    }

    /// Those who are plain members are in no index: most are.
    pub(super) fn index(&mut self, role: Role, user: &UserId) {
        if role != Role::Member {
            self.others.entry(role).or_default().insert(user.clone());
        }
    }

    pub(super) fn unindex(&mut self, role: Role, user: &UserId) {
        if let Some(users) = self.others.get_mut(&role) {
            users.remove(user);
        }
    }
}
