//! What a room says about itself, and who its owner is.

use std::time::Duration;

use serde_json::json;

use crate::layers::name::Actor;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::layers::rooms::error::RoomError;
use crate::layers::rooms::options::RoomPatch;
use crate::layers::rooms::role::Permission;
use crate::layers::rooms::role::Role;
use crate::layers::rooms::view::RoomView;
use crate::time::millis;

use super::RoomChange;
use super::Rooms;

impl Rooms {
    /// Changes what a room says about itself; needs [`Permission::ManageRoom`].
    ///
    /// # Errors
    ///
    /// [`RoomError::PermissionDenied`], and what is wrong with the patch.
    pub fn update(
        &self,
        actor: &Actor,
        room: &RoomId,
        patch: RoomPatch,
    ) -> Result<RoomView, RoomError> {
        self.with(room, |cell, state, now| {
            state.room.update(actor, patch, now)?;
            let view = RoomView::of(&state.room);
            self.tell(
                cell,
                state,
                "room.updated",
                Some(actor),
                json!({ "room": view }),
            );
            self.enlist(&state.room);
            self.observed(&RoomChange::Updated(room.clone()));
            Ok(view)
        })
    }

    /// Archives a room: it can only be read. Needs [`Permission::ManageRoom`].
    ///
    /// # Errors
    ///
    /// [`RoomError::PermissionDenied`].
    pub fn archive(&self, actor: &Actor, room: &RoomId) -> Result<(), RoomError> {
        self.set_archived(actor, room, true)
    }

    /// Takes a room out of the archive. Needs [`Permission::ManageRoom`].
    ///
    /// # Errors
    ///
    /// [`RoomError::PermissionDenied`].
    pub fn restore(&self, actor: &Actor, room: &RoomId) -> Result<(), RoomError> {
        self.set_archived(actor, room, false)
    }

    fn set_archived(&self, actor: &Actor, room: &RoomId, archived: bool) -> Result<(), RoomError> {
        self.with(room, |cell, state, now| {
            if state.room.set_archived(actor, archived, now)? {
                let kind = if archived {
                    "room.archived"
                } else {
                    "room.restored"
                };
                self.tell(cell, state, kind, Some(actor), json!({}));
                self.enlist(&state.room);
                self.observed(&RoomChange::Updated(room.clone()));
            }
            Ok(())
        })
    }

    /// Has a room let nobody in, but those whom somebody with [`Permission::ManageRoom`] adds;
    /// needs that permission.
    ///
    /// # Errors
    ///
    /// [`RoomError::PermissionDenied`].
    pub fn lock(&self, actor: &Actor, room: &RoomId) -> Result<(), RoomError> {
        self.set_locked(actor, room, true)
    }

    /// Has a room let users in again. Needs [`Permission::ManageRoom`].
    ///
    /// # Errors
    ///
    /// [`RoomError::PermissionDenied`].
    pub fn unlock(&self, actor: &Actor, room: &RoomId) -> Result<(), RoomError> {
        self.set_locked(actor, room, false)
    }

    fn set_locked(&self, actor: &Actor, room: &RoomId, locked: bool) -> Result<(), RoomError> {
        self.with(room, |cell, state, now| {
            if state.room.set_locked(actor, locked, now)? {
                let kind = if locked {
                    "room.locked"
                } else {
                    "room.unlocked"
                };
                self.tell(cell, state, kind, Some(actor), json!({}));
                self.enlist(&state.room);
                self.observed(&RoomChange::Updated(room.clone()));
            }
            Ok(())
        })
    }

    /// How long each member has to wait between two messages; zero ends it. Moderators and those
    /// above them need not wait. Needs [`Permission::ManageRoom`].
    ///
    /// # Errors
    ///
    /// [`RoomError::PermissionDenied`].
    pub fn set_slow_mode(
        &self,
        actor: &Actor,
        room: &RoomId,
        wait: Duration,
    ) -> Result<(), RoomError> {
        let wait_ms = millis(wait);
        self.with(room, |cell, state, now| {
            if state.room.set_slow_mode(actor, wait_ms, now)? {
                let data = json!({ "slow_mode_ms": wait_ms });
                self.tell(cell, state, "room.slow_mode", Some(actor), data);
            }
            Ok(())
        })
    }

    /// Makes another member the owner: the owner may, and the server. The owner so far stays, as
    /// an admin.
    ///
    /// # Errors
    ///
    /// [`RoomError::NotMember`], [`RoomError::InsufficientRole`].
    pub fn transfer_ownership(
        &self,
        actor: &Actor,
        room: &RoomId,
        user: &UserId,
    ) -> Result<(), RoomError> {
        self.with(room, |cell, state, now| {
            let was = state.room.transfer(actor, user, now)?;
            let data = json!({ "user_id": user, "was": was });
            self.tell(cell, state, "room.owner_changed", Some(actor), data);
            self.enlist(&state.room);
            self.observed(&RoomChange::Updated(room.clone()));
            Ok(())
        })
    }

    /// Makes a member something else. Needs [`Permission::ManageRoles`], a role above that of the
    /// member, and one above what it is to be.
    ///
    /// # Errors
    ///
    /// [`RoomError::NotMember`], [`RoomError::PermissionDenied`],
    /// [`RoomError::InsufficientRole`], [`RoomError::InvalidRole`] for an owner.
    pub fn set_role(
        &self,
        actor: &Actor,
        room: &RoomId,
        user: &UserId,
        role: Role,
    ) -> Result<(), RoomError> {
        self.with(room, |cell, state, now| {
            let was = state.room.set_role(actor, user, role, now)?;
            if was != role {
                let data = json!({ "user_id": user, "role": role, "was": was });
                self.tell(cell, state, "room.role_changed", Some(actor), data);
            }
            Ok(())
        })
    }

    /// Grants a member something beyond its role. Needs [`Permission::ManageRoles`], the granted
    /// permission itself, and a role above that of the member.
    ///
    /// # Errors
    ///
    /// As [`Rooms::set_role`].
    pub fn grant(
        &self,
        actor: &Actor,
        room: &RoomId,
        user: &UserId,
        permission: Permission,
    ) -> Result<(), RoomError> {
        self.with(room, |cell, state, now| {
            if state.room.grant(actor, user, permission, now)? {
                let data = json!({
                    "user_id": user,
                    "permissions": state.room.permissions(user),
                });
                self.tell(cell, state, "room.permissions_changed", Some(actor), data);
            }
            Ok(())
        })
    }

    /// Takes back what was granted to a member. Needs what [`Rooms::grant`] does.
    ///
    /// # Errors
    ///
    /// As [`Rooms::set_role`].
    pub fn revoke(
        &self,
        actor: &Actor,
        room: &RoomId,
        user: &UserId,
        permission: Permission,
    ) -> Result<(), RoomError> {
        self.with(room, |cell, state, now| {
            if state.room.revoke(actor, user, permission, now)? {
                let data = json!({
                    "user_id": user,
                    "permissions": state.room.permissions(user),
                });
                self.tell(cell, state, "room.permissions_changed", Some(actor), data);
            }
            Ok(())
        })
    }
}
