//! Who comes in, who goes, and who has to.

use std::time::Duration;

use data_encoding::BASE32_NOPAD;
use serde_json::Value;
use serde_json::json;

use crate::layers::name::Actor;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::layers::rooms::error::RoomError;
use crate::layers::rooms::options::InviteOptions;
use crate::layers::rooms::role::Role;
use crate::layers::rooms::room::Admission;
use crate::layers::rooms::room::Departure;
use crate::layers::rooms::view::InviteView;
use crate::layers::rooms::view::RoomView;
use crate::time::millis;

use super::Cell;
use super::JoinRequest;
use super::RoomChange;
use super::Rooms;
use super::State;
use super::create::random_text;
use super::told::signed;

/// The most bytes in the reason of a kick, a ban or a mute.
const MAX_REASON: usize = 512;

impl Rooms {
    /// Lets a user into a room; all of its connections receive it from now on. Nothing happens if
    /// it is in already.
    ///
    /// # Errors
    ///
    /// [`RoomError`] says what is in the way: `Banned`, `Archived`, `Locked`, `UnknownRoom` or a
    /// bad invite, `Full`, `RoomLimitReached`, `Refused`, in this order.
    pub fn join(
        &self,
        user: &UserId,
        room: &RoomId,
        invite: Option<&str>,
    ) -> Result<RoomView, RoomError> {
        let code = invite.map(|invite| code_in(invite, room)).transpose()?;
        let joined = self.with(room, |cell, state, now| {
            if let Some(admission) = state.room.check_join(user, code, now)? {
                self.ask(&JoinRequest::Join {
                    user,
                    room,
                    invited: code.is_some(),
                })?;
                self.admit(cell, state, user, admission, now)?;
            }
            Ok(RoomView::of(&state.room))
        });
        match joined {
            Err(RoomError::UnknownRoom) if invite.is_some() => Err(RoomError::UnknownInvite),
            joined => joined,
        }
    }

    /// Brings a user in. Needs [`Permission::InviteMembers`], and for another role than member
    /// [`Permission::ManageRoles`] and a role above it. Says whether it is new there.
    ///
    /// [`Permission::InviteMembers`]: crate::rooms::Permission::InviteMembers
    /// [`Permission::ManageRoles`]: crate::rooms::Permission::ManageRoles
    ///
    /// # Errors
    ///
    /// As [`Rooms::join`], and [`RoomError::PermissionDenied`], [`RoomError::InsufficientRole`].
    pub fn add_member(
        &self,
        actor: &Actor,
        room: &RoomId,
        user: &UserId,
        role: Role,
    ) -> Result<bool, RoomError> {
        self.with(room, |cell, state, now| {
            let Some(admission) = state.room.check_add(actor, user, role, now)? else {
                return Ok(false);
            };
            self.admit(cell, state, user, admission, now)?;
            let data = json!({ "room": RoomView::of(&state.room), "by": actor.user() });
            self.tell_user(user, "room.added", room, &data);
            Ok(true)
        })
    }

    /// Brings several users in, as [`Rooms::add_member`] does each: one result for each, in their
    /// order.
    #[must_use]
    pub fn add_members(
        &self,
        actor: &Actor,
        room: &RoomId,
        users: &[UserId],
    ) -> Vec<Result<bool, RoomError>> {
        let users = users.iter();
        users
            .map(|user| self.add_member(actor, room, user, Role::Member))
            .collect()
    }

    /// Lets a member go. An owner goes only as the last one, and the room is then deleted.
    ///
    /// # Errors
    ///
    /// [`RoomError::NotMember`], [`RoomError::OwnerCannotLeave`].
    pub fn leave(&self, user: &UserId, room: &RoomId) -> Result<(), RoomError> {
        self.with(room, |cell, state, now| {
            if state.room.leave(user, now)? == Departure::Abandoned {
                self.inner.users.leave(user, room);
                self.observed(&RoomChange::Left(room.clone(), user.clone()));
                self.remove(cell, state, None);
                self.detach_all(user, room, "left");
                return Ok(());
            }
            self.gone(cell, state, user, "left");
            Ok(())
        })
    }

    /// Takes a member out; it may come back. Needs [`Permission::RemoveMembers`] and a role above
    /// its.
    ///
    /// [`Permission::RemoveMembers`]: crate::rooms::Permission::RemoveMembers
    ///
    /// # Errors
    ///
    /// [`RoomError::NotMember`], [`RoomError::PermissionDenied`],
    /// [`RoomError::InsufficientRole`].
    pub fn kick(
        &self,
        actor: &Actor,
        room: &RoomId,
        user: &UserId,
        reason: Option<&str>,
    ) -> Result<(), RoomError> {
        check_reason(reason)?;
        self.with(room, |cell, state, now| {
            state.room.kick(actor, user, reason, now)?;
            let data = signed(Some(actor), json!({ "user_id": user, "reason": reason }));
            self.expel(cell, state, user, ("room.member_kicked", "kicked"), &data);
            Ok(())
        })
    }

    /// Takes a user out, if it is in, and does not let it in again, for good or for a time. Needs
    /// [`Permission::BanMembers`] and a role above its.
    ///
    /// [`Permission::BanMembers`]: crate::rooms::Permission::BanMembers
    ///
    /// # Errors
    ///
    /// As [`Rooms::kick`], and [`RoomError::TooMany`].
    pub fn ban(
        &self,
        actor: &Actor,
        room: &RoomId,
        user: &UserId,
        reason: Option<&str>,
        lasting: Option<Duration>,
    ) -> Result<(), RoomError> {
        check_reason(reason)?;
        self.with(room, |cell, state, now| {
            let was_member = state.room.ban(actor, user, reason, lasting, now)?;
            let data = json!({
                "user_id": user,
                "reason": reason,
                "duration_ms": lasting.map(millis),
            });
            let data = signed(Some(actor), data);
            if was_member {
                self.expel(cell, state, user, ("room.member_banned", "banned"), &data);
            } else {
                self.tell_json(cell, state, "room.member_banned", data.to_string());
            }
            if let Some(lasting) = lasting {
                self.purged_after(state, lasting);
            }
            Ok(())
        })
    }

    /// Lets a banned user come in again. Needs [`Permission::BanMembers`].
    ///
    /// [`Permission::BanMembers`]: crate::rooms::Permission::BanMembers
    ///
    /// # Errors
    ///
    /// [`RoomError::NotBanned`], [`RoomError::PermissionDenied`].
    pub fn unban(&self, actor: &Actor, room: &RoomId, user: &UserId) -> Result<(), RoomError> {
        self.with(room, |cell, state, now| {
            state.room.unban(actor, user, now)?;
            let data = json!({ "user_id": user });
            self.tell(cell, state, "room.member_unbanned", Some(actor), data);
            Ok(())
        })
    }

    /// Does not let a member send, for good or for a time. Needs [`Permission::MuteMembers`] and
    /// a role above its. A mute outlasts a leave.
    ///
    /// [`Permission::MuteMembers`]: crate::rooms::Permission::MuteMembers
    ///
    /// # Errors
    ///
    /// As [`Rooms::ban`].
    pub fn mute(
        &self,
        actor: &Actor,
        room: &RoomId,
        user: &UserId,
        reason: Option<&str>,
        lasting: Option<Duration>,
    ) -> Result<(), RoomError> {
        check_reason(reason)?;
        self.with(room, |cell, state, now| {
            state.room.mute(actor, user, reason, lasting, now)?;
            let data = json!({
                "user_id": user,
                "reason": reason,
                "duration_ms": lasting.map(millis),
            });
            self.tell(cell, state, "room.member_muted", Some(actor), data);
            if let Some(lasting) = lasting {
                self.purged_after(state, lasting);
            }
            Ok(())
        })
    }

    /// Lets a muted member send again. Needs [`Permission::MuteMembers`].
    ///
    /// [`Permission::MuteMembers`]: crate::rooms::Permission::MuteMembers
    ///
    /// # Errors
    ///
    /// [`RoomError::NotMuted`], [`RoomError::PermissionDenied`].
    pub fn unmute(&self, actor: &Actor, room: &RoomId, user: &UserId) -> Result<(), RoomError> {
        self.with(room, |cell, state, now| {
            state.room.unmute(actor, user, now)?;
            let data = json!({ "user_id": user });
            self.tell(cell, state, "room.member_unmuted", Some(actor), data);
            Ok(())
        })
    }

    /// Makes a code that lets its bearers in; with `to`, that user is told of it. Needs
    /// [`Permission::InviteMembers`].
    ///
    /// [`Permission::InviteMembers`]: crate::rooms::Permission::InviteMembers
    ///
    /// # Errors
    ///
    /// [`RoomError::PermissionDenied`], [`RoomError::TooMany`], [`RoomError::Archived`].
    pub fn create_invite(
        &self,
        actor: &Actor,
        room: &RoomId,
        options: InviteOptions,
        to: Option<&UserId>,
    ) -> Result<InviteView, RoomError> {
        let code = code_for(room)?;
        self.with(room, |_, state, now| {
            state.room.invite(actor, &code, options, now)?;
            let invite = state.room.valid_invite(&code, now);
            let invite = InviteView::of(&state.room, &code, invite?);
            if let Some(user) = to {
                let data = json!({
                    "room": RoomView::of(&state.room),
                    "invite": invite.invite,
                    "by": actor.user(),
                });
                self.tell_user(user, "room.invited", room, &data);
            }
            Ok(invite)
        })
    }

    /// Takes an invite back. Its maker may, and whoever has [`Permission::ManageRoom`].
    ///
    /// [`Permission::ManageRoom`]: crate::rooms::Permission::ManageRoom
    ///
    /// # Errors
    ///
    /// [`RoomError::UnknownInvite`], [`RoomError::PermissionDenied`].
    pub fn revoke_invite(
        &self,
        actor: &Actor,
        room: &RoomId,
        invite: &str,
    ) -> Result<(), RoomError> {
        let code = code_in(invite, room)?;
        self.with(room, |_, state, _| state.room.revoke_invite(actor, code))
    }

    /// The room that an invite leads to.
    ///
    /// # Errors
    ///
    /// [`RoomError::UnknownInvite`] when it is none.
    pub fn room_of_invite(invite: &str) -> Result<RoomId, RoomError> {
        let (room, _) = invite.split_once('.').ok_or(RoomError::UnknownInvite)?;
        let room = BASE32_NOPAD.decode(room.to_ascii_uppercase().as_bytes());
        let room = room.ok().and_then(|room| String::from_utf8(room).ok());
        let room = room.and_then(|room| RoomId::parse(&room).ok());
        room.ok_or(RoomError::UnknownInvite)
    }

    fn admit(
        &self,
        cell: &Cell,
        state: &mut State,
        user: &UserId,
        admission: Admission,
        now: u64,
    ) -> Result<(), RoomError> {
        let room = state.room.id.clone();
        self.inner.users.enter(user, &room)?;
        state.room.admit(user, admission, now);
        self.attach_all(user, &room);
        self.tell_joined(cell, state, user);
        Ok(())
    }

    fn gone(&self, cell: &Cell, state: &mut State, user: &UserId, reason: &'static str) {
        self.part(state, user, reason);
        self.tell_left(cell, state, user, reason);
    }

    /// Takes a user out, and tells the others and the user of it: as which event, and for which
    /// reason.
    fn expel(
        &self,
        cell: &Cell,
        state: &mut State,
        user: &UserId,
        (event, reason): (&'static str, &'static str),
        data: &Value,
    ) {
        self.part(state, user, reason);
        self.tell_json(cell, state, event, data.to_string());
        self.tell_user(user, event, &state.room.id, data);
        self.tell_left(cell, state, user, reason);
    }

    /// Takes a user off the room's channel. What is queued of the room does not reach it any more,
    /// so what it is to know of its going is sent to it alone, after this.
    fn part(&self, state: &State, user: &UserId, reason: &'static str) {
        let room = &state.room.id;
        self.inner.users.leave(user, room);
        self.detach_all(user, room, reason);
    }
}

fn check_reason(reason: Option<&str>) -> Result<(), RoomError> {
    if reason.is_some_and(|reason| reason.len() > MAX_REASON) {
        return Err(RoomError::TooLarge {
            field: "reason",
            limit: MAX_REASON,
        });
    }
    Ok(())
}

/// An invite to a room: which one, and what nobody guesses.
fn code_for(room: &RoomId) -> Result<String, RoomError> {
    let room = BASE32_NOPAD.encode(room.as_bytes());
    Ok(format!("{room}.{}", random_text::<15>()?).to_ascii_lowercase())
}

/// The invite as the room knows it, if it is one of this room's.
fn code_in<'a>(invite: &'a str, room: &RoomId) -> Result<&'a str, RoomError> {
    if Rooms::room_of_invite(invite)? == *room {
        Ok(invite)
    } else {
        Err(RoomError::UnknownInvite)
    }
}
