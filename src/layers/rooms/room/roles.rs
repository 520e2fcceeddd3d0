//! What members are, and what was granted to them.

use crate::layers::name::Actor;
use crate::layers::name::UserId;
use crate::layers::rooms::error::RoomError;
use crate::layers::rooms::role::Permission;
use crate::layers::rooms::role::Role;

use super::Room;

impl Room {
    /// Makes a member something else; says what it was.
    pub(in crate::layers::rooms) fn set_role(
        &mut self,
        actor: &Actor,
        user: &UserId,
        role: Role,
        now: u64,
    ) -> Result<Role, RoomError> {
        self.check_not_direct()?;
        self.check_permission(actor, Permission::ManageRoles)?;
        if !self.is_member(user) {
            return Err(RoomError::NotMember);
        }
        self.check_above(actor, user)?;
        self.check_giveable(actor, role)?;
        self.check_not_owner(user)?;
        let was = self.put_role(user, role);
        self.note(now, "set_role", actor, Some(user), Some(role.as_str()));
        Ok(was)
    }

    /// Whether the actor may make somebody that.
    pub(super) fn check_giveable(&self, actor: &Actor, role: Role) -> Result<(), RoomError> {
        if role == Role::Owner {
            let why = "there is one owner: transfer the ownership";
            return Err(RoomError::InvalidRole(why));
        }
        let Actor::User(user) = actor else {
            return Ok(());
        };
        match self.member(user) {
            Some(member) if role < member.role => Ok(()),
            // Whoever may bring in a member may bring it in as what it is itself.
            Some(member) if role == Role::Member && member.role == Role::Member => Ok(()),
            Some(_) => Err(RoomError::InsufficientRole),
            None => Err(RoomError::NotMember),
        }
    }

    /// Grants a member something beyond its role; says whether that is news.
    pub(in crate::layers::rooms) fn grant(
        &mut self,
        actor: &Actor,
        user: &UserId,
        permission: Permission,
        now: u64,
    ) -> Result<bool, RoomError> {
        self.check_grant(actor, user, permission)?;
        let member = self.members.get_mut(user).ok_or(RoomError::NotMember)?;
        let news = !member.granted.has(permission);
        member.granted = member.granted.with(permission);
        if news {
            self.note(now, "grant", actor, Some(user), Some(permission.as_str()));
        }
        Ok(news)
    }

    /// Takes back what was granted; says whether it was.
    pub(in crate::layers::rooms) fn revoke(
        &mut self,
        actor: &Actor,
        user: &UserId,
        permission: Permission,
        now: u64,
    ) -> Result<bool, RoomError> {
        self.check_grant(actor, user, permission)?;
        let member = self.members.get_mut(user).ok_or(RoomError::NotMember)?;
        let had = member.granted.has(permission);
        member.granted = member.granted.without(permission);
        if had {
            self.note(now, "revoke", actor, Some(user), Some(permission.as_str()));
        }
        Ok(had)
    }

    /// Makes another member the owner; the owner so far becomes an admin.
    pub(in crate::layers::rooms) fn transfer(
        &mut self,
        actor: &Actor,
        user: &UserId,
        now: u64,
    ) -> Result<Option<UserId>, RoomError> {
        self.check_not_direct()?;
        self.check_reader(actor)?;
        if let Actor::User(actor) = actor
            && self.owner.as_ref() != Some(actor)
        {
            return Err(RoomError::InsufficientRole);
        }
        if !self.is_member(user) {
            return Err(RoomError::NotMember);
        }
        let was = self.owner.replace(user.clone());
        if let Some(was) = &was
            && was != user
        {
            self.put_role(was, Role::Admin);
        }
        self.put_role(user, Role::Owner);
        // Nobody is above an owner, so nobody could lift it.
        self.mutes.remove(user);
        self.updated_at = now;
        self.note(now, "transfer", actor, Some(user), None);
        Ok(was)
    }

    fn check_grant(
        &self,
        actor: &Actor,
        user: &UserId,
        permission: Permission,
    ) -> Result<(), RoomError> {
        self.check_not_direct()?;
        self.check_permission(actor, Permission::ManageRoles)?;
        self.check_permission(actor, permission)?;
        if !self.is_member(user) {
            return Err(RoomError::NotMember);
        }
        self.check_above(actor, user)
    }

    fn put_role(&mut self, user: &UserId, role: Role) -> Role {
        let Some(member) = self.members.get_mut(user) else {
            return role;
        };
        let was = std::mem::replace(&mut member.role, role);
        self.unindex(was, user);
        self.index(role, user);
        was
    }
}
