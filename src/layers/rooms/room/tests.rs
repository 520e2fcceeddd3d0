//! One room against a dull model, which says of each step whether it may be and why not.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::Room;
use crate::code::ErrorCode;
use crate::layers::name::Actor;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::layers::rooms::config::RoomsConfig;
use crate::layers::rooms::error::RoomError;
use crate::layers::rooms::options::InviteOptions;
use crate::layers::rooms::options::RoomOptions;
use crate::layers::rooms::role::Permission;
use crate::layers::rooms::role::Role;

/// Who acts: a user, or the server.
pub(super) type Who = Option<u8>;

#[derive(Clone, Debug)]
pub(super) enum Step {
    Join(u8, Option<u8>),
    Add(Who, u8, Role),
    Leave(u8),
    Kick(Who, u8),
    Ban(Who, u8, Option<u64>),
    Unban(Who, u8),
    Mute(Who, u8, Option<u64>),
    Unmute(Who, u8),
    SetRole(Who, u8, Role),
    Grant(Who, u8, Permission),
    Revoke(Who, u8, Permission),
    Transfer(Who, u8),
    Invite(Who, u32, Option<u64>),
    Lock(Who, bool),
    Archive(Who, bool),
    SlowMode(Who, u64),
    Send(Who),
    Wait(u64),
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let user = || 0..5_u8;
    let who = || prop_oneof![6 => user().prop_map(Some), 1 => Just(None)];
    let time = || prop::option::of(1..50_u64);
    let role = || prop::sample::select(Role::ALL.to_vec());
    let permission = || prop::sample::select(Permission::ALL.to_vec());
    prop_oneof![
        4 => (user(), prop::option::of(0..4_u8)).prop_map(|(a, b)| Step::Join(a, b)),
        2 => (who(), user(), role()).prop_map(|(a, b, c)| Step::Add(a, b, c)),
        1 => user().prop_map(Step::Leave),
        1 => (who(), user()).prop_map(|(a, b)| Step::Kick(a, b)),
        1 => (who(), user(), time()).prop_map(|(a, b, c)| Step::Ban(a, b, c)),
        1 => (who(), user()).prop_map(|(a, b)| Step::Unban(a, b)),
        1 => (who(), user(), time()).prop_map(|(a, b, c)| Step::Mute(a, b, c)),
        1 => (who(), user()).prop_map(|(a, b)| Step::Unmute(a, b)),
        3 => (who(), user(), role()).prop_map(|(a, b, c)| Step::SetRole(a, b, c)),
        2 => (who(), user(), permission()).prop_map(|(a, b, c)| Step::Grant(a, b, c)),
        1 => (who(), user(), permission()).prop_map(|(a, b, c)| Step::Revoke(a, b, c)),
        1 => (who(), user()).prop_map(|(a, b)| Step::Transfer(a, b)),
        2 => (who(), 0..3_u32, time()).prop_map(|(a, b, c)| Step::Invite(a, b, c)),
        1 => (who(), any::<bool>()).prop_map(|(a, b)| Step::Lock(a, b)),
        1 => (who(), prop::bool::weighted(0.2)).prop_map(|(a, b)| Step::Archive(a, b)),
        1 => (who(), prop::sample::select(vec![0, 0, 20])).prop_map(|(a, b)| Step::SlowMode(a, b)),
        3 => who().prop_map(Step::Send),
        3 => (0..40_u64).prop_map(Step::Wait),
    ]
}

/// What a room is, in the dullest way.
struct Model {
    private: bool,
    max_members: usize,
    now: u64,
    members: BTreeMap<u8, (Role, BTreeSet<Permission>)>,
    bans: BTreeMap<u8, Option<u64>>,
    mutes: BTreeMap<u8, Option<u64>>,
    last_sent: BTreeMap<u8, u64>,
    /// How often each may be used, was used, and until when.
    invites: Vec<(u32, u32, Option<u64>)>,
    locked: bool,
    archived: bool,
    slow: u64,
    sent: u64,
}

type Expected = Result<(), ErrorCode>;

impl Model {
    fn role(&self, user: u8) -> Option<Role> {
        self.members.get(&user).map(|(role, _)| *role)
    }

    fn holds(over: Option<&Option<u64>>, now: u64) -> bool {
        over.is_some_and(|until| until.is_none_or(|until| until > now))
    }

    fn banned(&self, user: u8) -> bool {
        Self::holds(self.bans.get(&user), self.now)
    }

    fn may(&self, user: u8, permission: Permission) -> bool {
        use Permission::*;
        let Some((role, granted)) = self.members.get(&user) else {
            return false;
        };
        let by_role = match role {
            Role::Owner | Role::Admin => true,
            Role::Moderator => !matches!(permission, ManageRoom | ManageRoles),
            Role::Member => {
                permission == SendMessage || permission == InviteMembers && !self.private
            }
            Role::Guest => false,
        };
        by_role || granted.contains(&permission)
    }

    /// Whoever acts is in the room and has the permission.
    fn allowed(&self, who: Who, permission: Permission) -> Expected {
        match who {
            None => Ok(()),
            Some(user) if self.role(user).is_none() => Err(self.outsider()),
            Some(user) if self.may(user, permission) => Ok(()),
            Some(_) => Err(ErrorCode::PermissionDenied),
        }
    }

    fn outsider(&self) -> ErrorCode {
        if self.private {
            ErrorCode::UnknownRoom
        } else {
            ErrorCode::NotMember
        }
    }

    fn is_in(&self, user: u8) -> Expected {
        self.role(user).map(drop).ok_or(ErrorCode::NotMember)
    }

    /// The one is above the other, who is not the owner.
    fn above(&self, who: Who, other: u8) -> Expected {
        let others = self.role(other);
        let is_above =
            who.is_none_or(|user| others.is_none_or(|role| self.role(user) > Some(role)));
        if is_above && others != Some(Role::Owner) {
            Ok(())
        } else {
            Err(ErrorCode::InsufficientRole)
        }
    }

    fn giveable(&self, who: Who, role: Role) -> Expected {
        if role == Role::Owner {
            return Err(ErrorCode::InvalidRole);
        }
        let own = who.and_then(|user| self.role(user));
        let is_plain = role == Role::Member && own == Some(Role::Member);
        if who.is_none() || own > Some(role) || is_plain {
            Ok(())
        } else {
            Err(ErrorCode::InsufficientRole)
        }
    }

    fn room_for_one(&self) -> Expected {
        let is_full = self.max_members > 0 && self.members.len() >= self.max_members;
        if is_full {
            Err(ErrorCode::RoomFull)
        } else {
            Ok(())
        }
    }

    fn join(&mut self, user: u8, invite: Option<u8>) -> Expected {
        let invited = invite.is_some_and(|at| self.invites.len() > usize::from(at));
        if self.private && !invited && self.role(user).is_none() {
            return Err(match invite {
                Some(_) => ErrorCode::UnknownInvite,
                None => ErrorCode::UnknownRoom,
            });
        }
        if self.banned(user) {
            return Err(ErrorCode::Banned);
        }
        if self.role(user).is_some() {
            return Ok(());
        }
        if self.archived {
            return Err(ErrorCode::RoomArchived);
        }
        if self.locked {
            return Err(ErrorCode::RoomLocked);
        }
        let invite = invite.map(usize::from);
        match invite.map(|at| self.invites.get(at)) {
            Some(None) => return Err(ErrorCode::UnknownInvite),
            Some(Some((_, _, Some(until)))) if *until <= self.now => {
                return Err(ErrorCode::InviteExpired);
            }
            Some(Some((max, uses, _))) if *max > 0 && uses >= max => {
                return Err(ErrorCode::InviteExhausted);
            }
            _ => {}
        }
        self.room_for_one()?;
        if let Some(at) = invite {
            self.invites[at].1 += 1;
        }
        self.members.insert(user, (Role::Member, BTreeSet::new()));
        Ok(())
    }

    fn add(&mut self, who: Who, user: u8, role: Role) -> Expected {
        self.allowed(who, Permission::InviteMembers)?;
        if role != Role::Member {
            self.allowed(who, Permission::ManageRoles)?;
        }
        self.giveable(who, role)?;
        if self.banned(user) {
            return Err(ErrorCode::Banned);
        }
        if self.role(user).is_some() {
            return Ok(());
        }
        if self.archived {
            return Err(ErrorCode::RoomArchived);
        }
        if self.locked && self.allowed(who, Permission::ManageRoom).is_err() {
            return Err(ErrorCode::RoomLocked);
        }
        self.room_for_one()?;
        self.members.insert(user, (role, BTreeSet::new()));
        Ok(())
    }

    /// Whoever goes and comes again waits no less than whoever stays.
    fn gone(&mut self, user: u8) {
        self.members.remove(&user);
        if self.slow == 0 {
            self.last_sent.remove(&user);
        }
    }

    fn send(&mut self, who: Who) -> Expected {
        if self.archived {
            return Err(ErrorCode::RoomArchived);
        }
        if let Some(user) = who {
            let Some(role) = self.role(user) else {
                let code = if self.banned(user) {
                    ErrorCode::Banned
                } else {
                    ErrorCode::NotMember
                };
                return Err(code);
            };
            if Self::holds(self.mutes.get(&user), self.now) {
                return Err(ErrorCode::Muted);
            }
            if !self.may(user, Permission::SendMessage) {
                return Err(ErrorCode::SendDenied);
            }
            let too_soon = self
                .last_sent
                .get(&user)
                .is_some_and(|at| self.now < at + self.slow);
            if self.slow > 0 && role < Role::Moderator && too_soon {
                return Err(ErrorCode::SlowMode);
            }
            self.last_sent.insert(user, self.now);
        }
        self.sent += 1;
        Ok(())
    }

    fn apply(&mut self, step: &Step) -> Expected {
        use Permission as P;
        match *step {
            Step::Join(user, invite) => self.join(user, invite),
            Step::Add(who, user, role) => self.add(who, user, role),
            Step::Leave(user) => {
                self.is_in(user)?;
                if self.role(user) == Some(Role::Owner) && self.members.len() > 1 {
                    return Err(ErrorCode::OwnerCannotLeave);
                }
                self.gone(user);
                Ok(())
            }
            Step::Kick(who, user) => {
                self.allowed(who, P::RemoveMembers)?;
                self.is_in(user)?;
                self.above(who, user)?;
                self.gone(user);
                Ok(())
            }
            Step::Ban(who, user, time) => {
                self.allowed(who, P::BanMembers)?;
                self.above(who, user)?;
                self.bans.insert(user, time.map(|time| self.now + time));
                self.gone(user);
                Ok(())
            }
            Step::Unban(who, user) => {
                self.allowed(who, P::BanMembers)?;
                let was = self.banned(user);
                self.bans.remove(&user);
                if was {
                    Ok(())
                } else {
                    Err(ErrorCode::NotBanned)
                }
            }
            Step::Mute(who, user, time) => {
                self.allowed(who, P::MuteMembers)?;
                self.is_in(user)?;
                self.above(who, user)?;
                self.mutes.insert(user, time.map(|time| self.now + time));
                Ok(())
            }
            Step::Unmute(who, user) => {
                self.allowed(who, P::MuteMembers)?;
                let is_above = who.is_none_or(|by| self.role(by) > self.role(user));
                if !is_above {
                    return Err(ErrorCode::InsufficientRole);
                }
                let was = Self::holds(self.mutes.get(&user), self.now);
                self.mutes.remove(&user);
                if was {
                    Ok(())
                } else {
                    Err(ErrorCode::NotMuted)
                }
            }
            Step::SetRole(who, user, role) => {
                self.allowed(who, P::ManageRoles)?;
                self.is_in(user)?;
                // Who is above the owner? Nobody; the server may not either.
                if who.is_some() {
                    self.above(who, user)?;
                }
                self.giveable(who, role)?;
                self.above(None, user)?;
                self.members.entry(user).and_modify(|it| it.0 = role);
                Ok(())
            }
            Step::Grant(who, user, permission) | Step::Revoke(who, user, permission) => {
                self.allowed(who, P::ManageRoles)?;
                self.allowed(who, permission)?;
                self.is_in(user)?;
                let is_above = who.is_none_or(|by| self.role(by) > self.role(user));
                if !is_above {
                    return Err(ErrorCode::InsufficientRole);
                }
                let grants = matches!(step, Step::Grant(..));
                self.members.entry(user).and_modify(|(_, granted)| {
                    if grants {
                        granted.insert(permission)
                    } else {
                        granted.remove(&permission)
                    };
                });
                Ok(())
            }
            Step::Transfer(who, user) => {
                if let Some(by) = who {
                    let role = self.role(by).ok_or_else(|| self.outsider())?;
                    if role != Role::Owner {
                        return Err(ErrorCode::InsufficientRole);
                    }
                }
                self.is_in(user)?;
                for (role, _) in self.members.values_mut() {
                    if *role == Role::Owner {
                        *role = Role::Admin;
                    }
                }
                self.members.entry(user).and_modify(|it| it.0 = Role::Owner);
                // Nobody could lift it.
                self.mutes.remove(&user);
                Ok(())
            }
            Step::Invite(who, max, time) => {
                self.allowed(who, P::InviteMembers)?;
                if self.archived {
                    return Err(ErrorCode::RoomArchived);
                }
                self.invites
                    .push((max, 0, time.map(|time| self.now + time)));
                Ok(())
            }
            Step::Lock(who, locked) => self
                .allowed(who, P::ManageRoom)
                .map(|()| self.locked = locked),
            Step::Archive(who, archived) => self
                .allowed(who, P::ManageRoom)
                .map(|()| self.archived = archived),
            Step::SlowMode(who, wait) => {
                self.allowed(who, P::ManageRoom)?;
                if wait != self.slow {
                    let members = &self.members;
                    self.last_sent.retain(|user, _| members.contains_key(user));
                }
                self.slow = wait;
                Ok(())
            }
            Step::Send(who) => self.send(who),
            Step::Wait(time) => {
                self.now += time;
                Ok(())
            }
        }
    }
}

/// The room itself, asked the same.
pub(super) struct Real {
    pub(super) room: Room,
    pub(super) now: u64,
    pub(super) invites: usize,
}

impl Real {
    pub(super) fn apply(&mut self, step: &Step) -> Result<(), RoomError> {
        let now = self.now;
        let room = &mut self.room;
        match *step {
            Step::Join(who, invite) => {
                let code = invite.map(|number| number.to_string());
                let admission = room.check_join(&user(who), code.as_deref(), now)?;
                if let Some(admission) = admission {
                    room.admit(&user(who), admission, now);
                }
                Ok(())
            }
            Step::Add(who, other, role) => {
                let admission = room.check_add(&actor(who), &user(other), role, now)?;
                if let Some(admission) = admission {
                    room.admit(&user(other), admission, now);
                }
                Ok(())
            }
            Step::Leave(who) => room.leave(&user(who), now).map(drop),
            Step::Kick(who, other) => room.kick(&actor(who), &user(other), None, now),
            Step::Ban(who, other, time) => room
                .ban(
                    &actor(who),
                    &user(other),
                    None,
                    time.map(Duration::from_millis),
                    now,
                )
                .map(drop),
            Step::Unban(who, other) => room.unban(&actor(who), &user(other), now),
            Step::Mute(who, other, time) => room.mute(
                &actor(who),
                &user(other),
                None,
                time.map(Duration::from_millis),
                now,
            ),
            Step::Unmute(who, other) => room.unmute(&actor(who), &user(other), now),
            Step::SetRole(who, other, role) => room
                .set_role(&actor(who), &user(other), role, now)
                .map(drop),
            Step::Grant(who, other, permission) => room
                .grant(&actor(who), &user(other), permission, now)
                .map(drop),
            Step::Revoke(who, other, permission) => room
                .revoke(&actor(who), &user(other), permission, now)
                .map(drop),
            Step::Transfer(who, other) => room.transfer(&actor(who), &user(other), now).map(drop),
            Step::Invite(who, max, time) => {
                let mut options = InviteOptions::new().max_uses(max);
                if let Some(time) = time {
                    options = options.expires_in(Duration::from_millis(time));
                }
                room.invite(&actor(who), &self.invites.to_string(), options, now)?;
                self.invites += 1;
                Ok(())
            }
            Step::Lock(who, locked) => room.set_locked(&actor(who), locked, now).map(drop),
            Step::Archive(who, archived) => room.set_archived(&actor(who), archived, now).map(drop),
            Step::SlowMode(who, wait) => room.set_slow_mode(&actor(who), wait, now).map(drop),
            Step::Send(who) => room.send(&actor(who), now).map(drop),
            Step::Wait(time) => {
                self.now += time;
                Ok(())
            }
        }
    }
}

pub(super) fn user(number: u8) -> UserId {
    UserId::parse(&format!("u{number}")).unwrap()
}

pub(super) fn actor(who: Who) -> Actor {
    who.map_or(Actor::Server, |number| Actor::User(user(number)))
}

proptest! {
    #[test]
    fn a_room_does_what_the_model_does(
        steps in prop::collection::vec(step(), 1..80),
        private in any::<bool>(),
        max_members in prop::sample::select(vec![0, 3]),
    ) {
        let now = 1_000_000;
        let options = RoomOptions::new("den").private(private).max_members(max_members);
        let config = Arc::new(RoomsConfig::new());
        let mut room = Room::new(RoomId::parse("den").unwrap(), options, &config, now);
        room.found(&user(0), now);
        let mut real = Real { room, now, invites: 0 };
        let mut model = Model {
            private,
            max_members,
            now,
            members: [(0, (Role::Owner, BTreeSet::new()))].into(),
            bans: BTreeMap::new(),
            mutes: BTreeMap::new(),
            last_sent: BTreeMap::new(),
            invites: Vec::new(),
            locked: false,
            archived: false,
            slow: 0,
            sent: 0,
        };
        for step in &steps {
            let expected = model.apply(step);
            let got = real.apply(step).map_err(|error| error.code());
            prop_assert_eq!(got, expected, "{:?}", step);
            if model.members.is_empty() {
                // The owner has gone as the last one: whoever keeps the room deletes it.
                return Ok(());
            }
            let room = &real.room;
            let members: Vec<_> = room.members().cloned().collect();
            let expected: Vec<_> = model.members.keys().map(|number| user(*number)).collect();
            prop_assert_eq!(members, expected);
            for role in Role::ALL {
                let having: Vec<_> = room
                    .members_after(None, Some(role))
                    .map(|(user, _)| user.clone())
                    .collect();
                let expected: Vec<_> = model
                    .members
                    .iter()
                    .filter(|(_, (it, _))| *it == role)
                    .map(|(number, _)| user(*number))
                    .collect();
                prop_assert_eq!(having, expected, "{}", role);
            }
            for number in 0..5 {
                for permission in Permission::ALL {
                    let may = room.permissions(&user(number)).has(permission);
                    prop_assert_eq!(may, model.may(number, permission), "{} {}", number, permission);
                }
            }
            let owner = model.members.iter().find(|(_, (role, _))| *role == Role::Owner);
            prop_assert_eq!(room.owner.clone(), owner.map(|(number, _)| user(*number)));
            prop_assert_eq!(room.message_count(), model.sent);
        }
    }
}

#[test]
fn who_leaves_a_slow_room_and_comes_back_waits_no_less() {
    let (now, config) = (1_000_000, Arc::new(RoomsConfig::new()));
    let options = RoomOptions::new("den").slow_mode(Duration::from_millis(20));
    let mut room = Room::new(RoomId::parse("den").unwrap(), options, &config, now);
    room.found(&user(0), now);
    let come = |room: &mut Room, now| {
        let admission = room.check_join(&user(1), None, now).unwrap().unwrap();
        room.admit(&user(1), admission, now);
    };
    come(&mut room, now);
    room.send(&actor(Some(1)), now).unwrap();
    room.leave(&user(1), now + 5).unwrap();
    come(&mut room, now + 5);
    room.kick(&Actor::Server, &user(1), None, now + 6).unwrap();
    come(&mut room, now + 6);
    let too_soon = room.send(&actor(Some(1)), now + 7).unwrap_err();
    assert_eq!(too_soon, RoomError::SlowMode { retry_after_ms: 13 });
    room.send(&actor(Some(1)), now + 20).unwrap();
}
