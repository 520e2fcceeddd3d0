//! A room as bytes: all that has to outlive the process.
//!
//! It is JSON with a version. What follows from the rest is not in it: who has which role, say, is
//! read off the members. A field that is not known, or is missing, makes a snapshot invalid; so
//! whoever changes what is written raises the version.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::layers::rooms::config::RoomsConfig;
use crate::layers::rooms::error::InvalidSnapshot;
use crate::layers::rooms::role::Role;

use super::Invite;
use super::LogEntry;
use super::Member;
use super::Pin;
use super::Restriction;
use super::Room;
use super::recent::Recent;

/// The version that is written, and the only one that is read.
const VERSION: u64 = 1;

/// The most messages that a room can have had: those who count further lose count.
const MAX_MESSAGES: u64 = (1 << 53) - 1;

/// What is written.
#[derive(Serialize)]
struct Written<'a> {
    version: u64,
    name: &'a str,
    description: &'a str,
    category: Option<&'a str>,
    tags: &'a [Box<str>],
    metadata: &'a Map<String, Value>,
    owner: Option<&'a UserId>,
    private: bool,
    direct: bool,
    archived: bool,
    locked: bool,
    max_members: usize,
    slow_mode_ms: u64,
    created_at: u64,
    updated_at: u64,
    last_activity: u64,
    members: &'a BTreeMap<UserId, Member>,
    recent: &'a BTreeMap<UserId, u64>,
    bans: &'a BTreeMap<UserId, Restriction>,
    mutes: &'a BTreeMap<UserId, Restriction>,
    invites: BTreeMap<&'a str, &'a Invite>,
    pins: &'a [Pin],
    log: &'a VecDeque<LogEntry>,
    messages: u64,
    today: (u64, u64),
    peak_members: usize,
}

/// The same, as it is read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    #[serde(rename = "version")]
    _version: u64,
    name: Box<str>,
    description: Box<str>,
    category: Option<Box<str>>,
    tags: Vec<Box<str>>,
    metadata: Map<String, Value>,
    owner: Option<UserId>,
    private: bool,
    direct: bool,
    archived: bool,
    locked: bool,
    max_members: usize,
    slow_mode_ms: u64,
    created_at: u64,
    updated_at: u64,
    last_activity: u64,
    members: BTreeMap<UserId, Member>,
    recent: BTreeMap<UserId, u64>,
    bans: BTreeMap<UserId, Restriction>,
    mutes: BTreeMap<UserId, Restriction>,
    invites: BTreeMap<Box<str>, Invite>,
    pins: Vec<Pin>,
    log: VecDeque<LogEntry>,
    messages: u64,
    today: (u64, u64),
    peak_members: usize,
}

/// What every version says.
#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

impl Room {
    /// All of the room that has to outlive the process: equal for equal rooms.
    pub(in crate::layers::rooms) fn snapshot(&self) -> Bytes {
        // Nothing in it can fail to be written: keys are texts, and numbers are finite.
        serde_json::to_vec(&self.written()).map_or_else(|_| Bytes::new(), Bytes::from)
    }

    /// The room that a snapshot was taken of. Of its log, as much is kept as may be now; all else
    /// stays as it was, whatever may be now.
    pub(in crate::layers::rooms) fn restored(
        id: RoomId,
        snapshot: &[u8],
        config: &Arc<RoomsConfig>,
    ) -> Result<Self, InvalidSnapshot> {
        let read = Read::of(snapshot)?;
        read.check()?;
        Ok(read.into_room(id, config))
    }

    fn written(&self) -> Written<'_> {
        let invites = self.invites.iter().map(|(code, it)| (&**code, it));
        Written {
            version: VERSION,
            name: &self.name,
            description: &self.description,
            category: self.category.as_deref(),
            tags: &self.tags,
            metadata: &self.metadata,
            owner: self.owner.as_ref(),
            private: self.private,
            direct: self.direct,
            archived: self.archived,
            locked: self.locked,
            max_members: self.max_members,
            slow_mode_ms: self.slow_mode_ms,
            created_at: self.created_at,
            updated_at: self.updated_at,
            last_activity: self.last_activity,
            members: &self.members,
            recent: self.recent.all(),
            bans: &self.bans,
            mutes: &self.mutes,
            invites: invites.collect(),
            pins: &self.pins,
            log: &self.log,
            messages: self.messages,
            today: self.today,
            peak_members: self.peak_members,
        }
    }
}

impl Read {
    fn of(snapshot: &[u8]) -> Result<Self, InvalidSnapshot> {
        let malformed =
            |error: serde_json::Error| InvalidSnapshot::Malformed(error.to_string().into());
        // The version first: what is wrong with a newer one is that it is newer.
        let Versioned { version } = serde_json::from_slice(snapshot).map_err(malformed)?;
        if version != VERSION {
            return Err(InvalidSnapshot::Version(version));
        }
        serde_json::from_slice(snapshot).map_err(malformed)
    }

    /// What a room relies on.
    fn check(&self) -> Result<(), InvalidSnapshot> {
        let is_message = |number| (1..=self.messages).contains(&number);
        let mut members = self.members.iter();
        let is_owner = |user| self.owner.as_ref() == Some(user);
        let owner_is_in = self.owner.iter().all(|it| self.members.contains_key(it));
        let is_pair = self.private && self.owner.is_none() && self.members.len() == 2;
        // What holds, and what it contradicts where it does not.
        let reliances = [
            (self.messages <= MAX_MESSAGES, "more messages than can be"),
            (
                self.today.1 <= self.messages,
                "more messages today than ever",
            ),
            (
                self.members.values().all(|it| it.read <= self.messages),
                "a message was read that was never sent",
            ),
            (
                self.pins.iter().all(|pin| is_message(pin.message)),
                "a message is pinned that was never sent",
            ),
            (
                owner_is_in && members.all(|(user, it)| (it.role == Role::Owner) == is_owner(user)),
                "the owner is not the one member that is an owner",
            ),
            (!self.direct || is_pair, "a direct room that is not of two"),
        ];
        match reliances.into_iter().find(|(holds, _)| !holds) {
            Some((_, what)) => Err(InvalidSnapshot::Contradicts(what)),
            None => Ok(()),
        }
    }

    fn into_room(mut self, id: RoomId, config: &Arc<RoomsConfig>) -> Room {
        let surplus = self.log.len().saturating_sub(config.max_log);
        self.log.drain(..surplus);
        let peak_members = self.peak_members.max(self.members.len());
        let mut room = Room {
            id,
            name: self.name,
            description: self.description,
            category: self.category,
            tags: self.tags,
            metadata: self.metadata,
            owner: self.owner,
            private: self.private,
            direct: self.direct,
            archived: self.archived,
            locked: self.locked,
            max_members: self.max_members,
            slow_mode_ms: self.slow_mode_ms,
            created_at: self.created_at,
            updated_at: self.updated_at,
            last_activity: self.last_activity,
            config: Arc::clone(config),
            members: BTreeMap::new(),
            others: BTreeMap::new(),
            recent: Recent::of(self.recent),
            bans: self.bans,
            mutes: self.mutes,
            invites: self.invites.into_iter().collect(),
            pins: self.pins,
            log: self.log,
            messages: self.messages,
            today: self.today,
            peak_members,
        };
        for (user, member) in &self.members {
            room.index(member.role, user);
        }
        room.members = self.members;
        room
    }
}

#[cfg(test)]
mod tests;
