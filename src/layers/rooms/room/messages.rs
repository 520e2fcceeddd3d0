//! Messages: who may send, what is pinned, what was read.

use serde::Deserialize;
use serde::Serialize;

use crate::layers::name::Actor;
use crate::layers::name::UserId;
use crate::layers::rooms::error::RoomError;
use crate::layers::rooms::role::Permission;
use crate::layers::rooms::role::Role;

use super::DAY_MS;
use super::Room;

/// A message that is pinned.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(in crate::layers::rooms) struct Pin {
    pub(in crate::layers::rooms) message: u64,
    pub(in crate::layers::rooms) by: Option<UserId>,
    pub(in crate::layers::rooms) at: u64,
}

impl Room {
    /// Takes a message in, and gives it its id: they count from 1.
    pub(in crate::layers::rooms) fn send(
        &mut self,
        actor: &Actor,
        now: u64,
    ) -> Result<u64, RoomError> {
        self.let_send(actor, now)?;
        self.messages += 1;
        let member = actor.user().and_then(|user| self.members.get_mut(user));
        if let Some(member) = member {
            member.read = self.messages;
        }
        let day = now / DAY_MS;
        self.today = match self.today {
            (known, count) if known == day => (day, count + 1),
            _ => (day, 1),
        };
        Ok(self.messages)
    }

    /// Lets somebody send, be it a message of the room or not.
    pub(in crate::layers::rooms) fn let_send(
        &mut self,
        actor: &Actor,
        now: u64,
    ) -> Result<(), RoomError> {
        if self.archived {
            return Err(RoomError::Archived);
        }
        if let Actor::User(user) = actor {
            self.check_send(user, now)?;
            if let Some(member) = self.members.get_mut(user) {
                member.last_sent = now;
            }
        }
        self.last_activity = now;
        Ok(())
    }

    /// Counts on from `last`, if that is further.
    pub(in crate::layers::rooms) fn count_on(&mut self, last: u64) {
        self.messages = self.messages.max(last);
    }

    /// Whether a user may send now.
    pub(in crate::layers::rooms) fn check_send(
        &self,
        user: &UserId,
        now: u64,
    ) -> Result<(), RoomError> {
        let Some(member) = self.members.get(user) else {
            self.check_not_banned(user, now)?;
            return Err(RoomError::NotMember);
        };
        self.check_not_muted(user, now)?;
        let permissions = member.role.permissions(self.private).or(member.granted);
        if !permissions.has(Permission::SendMessage) {
            return Err(RoomError::SendDenied);
        }
        let next = member.last_sent.saturating_add(self.slow_mode_ms);
        let is_bound = self.slow_mode_ms > 0 && member.last_sent > 0;
        if is_bound && member.role < Role::Moderator && now < next {
            return Err(RoomError::SlowMode {
                retry_after_ms: next - now,
            });
        }
        Ok(())
    }

    /// Pins a message; says whether that is news.
    pub(in crate::layers::rooms) fn pin(
        &mut self,
        actor: &Actor,
        message: u64,
        now: u64,
    ) -> Result<bool, RoomError> {
        self.check_permission(actor, Permission::PinMessages)?;
        self.check_message(message)?;
        if self.pins.iter().any(|pin| pin.message == message) {
            return Ok(false);
        }
        let limit = self.config.max_pins;
        if self.pins.len() >= limit {
            return Err(RoomError::TooMany {
                what: "pins",
                limit,
            });
        }
        self.pins.push(Pin {
            message,
            by: actor.user().cloned(),
            at: now,
        });
        self.note(now, "pin", actor, None, None);
        Ok(true)
    }

    pub(in crate::layers::rooms) fn unpin(
        &mut self,
        actor: &Actor,
        message: u64,
        now: u64,
    ) -> Result<(), RoomError> {
        self.check_permission(actor, Permission::PinMessages)?;
        let pinned = self.pins.iter().position(|pin| pin.message == message);
        self.pins.remove(pinned.ok_or(RoomError::UnknownMessage)?);
        self.note(now, "unpin", actor, None, None);
        Ok(())
    }

    /// Notes up to where a member has read; never back. Says where that is now, and whether it
    /// has moved.
    pub(in crate::layers::rooms) fn mark_read(
        &mut self,
        user: &UserId,
        message: u64,
    ) -> Result<(u64, bool), RoomError> {
        if !self.is_member(user) {
            return Err(RoomError::NotMember);
        }
        self.check_message(message)?;
        let member = self.members.get_mut(user).ok_or(RoomError::NotMember)?;
        let moves = message > member.read;
        member.read = member.read.max(message);
        Ok((member.read, moves))
    }

    fn check_message(&self, message: u64) -> Result<(), RoomError> {
        if (1..=self.messages).contains(&message) {
            Ok(())
        } else {
            Err(RoomError::UnknownMessage)
        }
    }
}
