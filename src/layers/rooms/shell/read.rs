//! What can be asked about rooms.

use std::collections::HashSet;

use crate::layers::name::Actor;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::layers::rooms::error::RoomError;
use crate::layers::rooms::role::Permission;
use crate::layers::rooms::role::Permissions;
use crate::layers::rooms::role::Role;
use crate::layers::rooms::view::BanView;
use crate::layers::rooms::view::InviteView;
use crate::layers::rooms::view::LogEntryView;
use crate::layers::rooms::view::MemberView;
use crate::layers::rooms::view::MuteView;
use crate::layers::rooms::view::PinView;
use crate::layers::rooms::view::ReadView;
use crate::layers::rooms::view::RoomStats;
use crate::layers::rooms::view::RoomView;

use super::Rooms;

/// The most members that are looked at for one page of those of a role.
pub(super) const MOST_LOOKED_AT: usize = 10_000;

impl Rooms {
    /// What a room says about itself. Private ones say it to members only.
    ///
    /// # Errors
    ///
    /// [`RoomError::UnknownRoom`].
    pub fn get(&self, actor: &Actor, room: &RoomId) -> Result<RoomView, RoomError> {
        self.with(room, |_, state, _| {
            state.room.check_visible(actor)?;
            Ok(RoomView::of(&state.room))
        })
    }

    /// Returns the category of a room; `None` if it has none, or there is no such room.
    #[must_use]
    pub fn category(&self, room: &RoomId) -> Option<String> {
        let category = self.with(room, |_, state, _| {
            Ok(state.room.category.as_ref().map(ToString::to_string))
        });
        category.ok().flatten()
    }

    /// The rooms that a user is in: those that are direct last.
    #[must_use]
    pub fn rooms_of(&self, user: &UserId) -> Vec<RoomId> {
        self.inner.users.rooms(user)
    }

    /// The rooms that both users are in.
    #[must_use]
    pub fn common(&self, one: &UserId, other: &UserId) -> Vec<RoomId> {
        let others: HashSet<_> = self.rooms_of(other).into_iter().collect();
        let mut rooms = self.rooms_of(one);
        rooms.retain(|room| others.contains(room));
        rooms
    }

    /// Whether a user is a member of a room.
    #[must_use]
    pub fn is_member(&self, user: &UserId, room: &RoomId) -> bool {
        let is_member = self.with(room, |_, state, _| Ok(state.room.is_member(user)));
        is_member.unwrap_or(false)
    }

    /// Returns whether the actor may know that a room exists: of private and direct rooms, members
    /// may.
    #[must_use]
    pub fn is_known_to(&self, actor: &Actor, room: &RoomId) -> bool {
        self.with(room, |_, state, _| state.room.check_visible(actor))
            .is_ok()
    }

    /// What a user may do in a room; nothing if it is no member.
    ///
    /// # Errors
    ///
    /// [`RoomError::UnknownRoom`].
    pub fn permissions(&self, user: &UserId, room: &RoomId) -> Result<Permissions, RoomError> {
        self.with(room, |_, state, _| Ok(state.room.permissions(user)))
    }

    /// One member.
    ///
    /// # Errors
    ///
    /// [`RoomError::NotMember`], of either.
    pub fn member(
        &self,
        actor: &Actor,
        room: &RoomId,
        user: &UserId,
    ) -> Result<MemberView, RoomError> {
        self.with(room, |_, state, now| {
            state.room.check_visible(actor)?;
            let member = state.room.member(user).ok_or(RoomError::NotMember)?;
            Ok(MemberView::of(&state.room, user, member, now))
        })
    }

    /// Members in the order of their ids, at most `limit`, those after `after`, of one role or
    /// all; and after whom to go on. A page of plain members can be short, with somebody to go on
    /// after, when many others had to be looked at.
    ///
    /// # Errors
    ///
    /// [`RoomError::UnknownRoom`], also for a private room, unless the actor is in it.
    pub fn members(
        &self,
        actor: &Actor,
        room: &RoomId,
        role: Option<Role>,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<(Vec<MemberView>, Option<UserId>), RoomError> {
        self.with(room, |_, state, now| {
            state.room.check_visible(actor)?;
            let room = &state.room;
            let (page, next) = room.page_of_members(after, role, limit, MOST_LOOKED_AT);
            let members = page.into_iter();
            let members = members.map(|(user, member)| MemberView::of(room, user, member, now));
            Ok((members.collect(), next))
        })
    }

    /// Those who are banned, as [`Rooms::members`] gives members. Needs
    /// [`Permission::BanMembers`].
    ///
    /// # Errors
    ///
    /// [`RoomError::PermissionDenied`].
    pub fn bans(
        &self,
        actor: &Actor,
        room: &RoomId,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<(Vec<BanView>, Option<UserId>), RoomError> {
        self.with(room, |_, state, now| {
            state.room.check_permission(actor, Permission::BanMembers)?;
            let bans = state.room.bans_after(after, now).take(limit);
            Ok(paged(bans.map(|(user, it)| BanView::of(user, it)), limit))
        })
    }

    /// Those who are muted, as [`Rooms::bans`]. Needs [`Permission::MuteMembers`].
    ///
    /// # Errors
    ///
    /// [`RoomError::PermissionDenied`].
    pub fn mutes(
        &self,
        actor: &Actor,
        room: &RoomId,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<(Vec<MuteView>, Option<UserId>), RoomError> {
        self.with(room, |_, state, now| {
            state
                .room
                .check_permission(actor, Permission::MuteMembers)?;
            let mutes = state.room.mutes_after(after, now).take(limit);
            Ok(paged(mutes.map(|(user, it)| BanView::of(user, it)), limit))
        })
    }

    /// Invites that can still be used. Needs [`Permission::InviteMembers`].
    ///
    /// # Errors
    ///
    /// [`RoomError::PermissionDenied`].
    pub fn invites(&self, actor: &Actor, room: &RoomId) -> Result<Vec<InviteView>, RoomError> {
        self.with(room, |_, state, now| {
            state
                .room
                .check_permission(actor, Permission::InviteMembers)?;
            let invites = state.room.invites(now);
            Ok(invites
                .map(|(code, invite)| InviteView::of(&state.room, code, invite))
                .collect())
        })
    }

    /// An invite, and the room that it leads to; whoever has the code may know.
    ///
    /// # Errors
    ///
    /// [`RoomError::UnknownInvite`], [`RoomError::InviteExpired`],
    /// [`RoomError::InviteExhausted`].
    pub fn check_invite(&self, invite: &str) -> Result<(InviteView, RoomView), RoomError> {
        let room = Self::room_of_invite(invite)?;
        let checked = self.with(&room, |_, state, now| {
            let found = state.room.valid_invite(invite, now)?;
            let view = InviteView::of(&state.room, invite, found);
            Ok((view, RoomView::of(&state.room)))
        });
        match checked {
            Err(RoomError::UnknownRoom) => Err(RoomError::UnknownInvite),
            checked => checked,
        }
    }

    /// The latest that moderators did, the last first. Needs any of the permissions of a
    /// moderator.
    ///
    /// # Errors
    ///
    /// [`RoomError::PermissionDenied`].
    pub fn log(
        &self,
        actor: &Actor,
        room: &RoomId,
        limit: usize,
    ) -> Result<Vec<LogEntryView>, RoomError> {
        self.with(room, |_, state, _| {
            state
                .room
                .check_permission(actor, Permission::RemoveMembers)?;
            Ok(state.room.log().take(limit).map(LogEntryView::of).collect())
        })
    }

    /// What is pinned, in the order in which it was.
    ///
    /// # Errors
    ///
    /// [`RoomError::UnknownRoom`], [`RoomError::NotMember`].
    pub fn pins(&self, actor: &Actor, room: &RoomId) -> Result<Vec<PinView>, RoomError> {
        self.with(room, |_, state, _| {
            state.room.check_reader(actor)?;
            Ok(state.room.pins().iter().map(PinView::of).collect())
        })
    }

    /// Up to where members have read, as [`Rooms::members`] gives them.
    ///
    /// # Errors
    ///
    /// [`RoomError::UnknownRoom`], [`RoomError::NotMember`].
    pub fn reads(
        &self,
        actor: &Actor,
        room: &RoomId,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<(Vec<ReadView>, Option<UserId>), RoomError> {
        self.with(room, |_, state, _| {
            state.room.check_reader(actor)?;
            let messages = state.room.message_count();
            let members = state.room.members_after(after, None).take(limit);
            let reads = members.map(|(user, member)| ReadView {
                user_id: user.clone(),
                message_id: member.read,
                unread: messages - member.read,
            });
            let reads: Vec<_> = reads.collect();
            let next = (reads.len() == limit).then(|| reads.last().map(|it| it.user_id.clone()));
            Ok((reads, next.flatten()))
        })
    }

    /// What is counted of a room.
    ///
    /// # Errors
    ///
    /// [`RoomError::UnknownRoom`], also for a private room, unless the actor is in it.
    pub fn stats(&self, actor: &Actor, room: &RoomId) -> Result<RoomStats, RoomError> {
        self.with(room, |cell, state, now| {
            state.room.check_visible(actor)?;
            let connections = cell.channel.subscriber_count();
            Ok(RoomStats::of(&state.room, connections, now))
        })
    }
}

fn paged(entries: impl Iterator<Item = BanView>, limit: usize) -> (Vec<BanView>, Option<UserId>) {
    let entries: Vec<_> = entries.collect();
    let next = (entries.len() == limit).then(|| entries.last().map(|it| it.user_id.clone()));
    (entries, next.flatten())
}
