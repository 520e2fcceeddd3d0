//! Who is in a presence channel.

use std::collections::HashMap;
use std::sync::Arc;

use ahash::RandomState;

use crate::hub::frame::Member;

/// The members of a presence channel, each with the number of its connections.
///
/// A member is known by its id: it comes with its first connection and goes with its last. The
/// info is that of the first.
#[derive(Debug, Default)]
pub(super) struct Roster {
    members: HashMap<MemberId, Seat, RandomState>,
}

/// A member, hashed and compared by its id alone.
#[derive(Debug)]
struct MemberId(Member);

#[derive(Debug)]
struct Seat {
    connections: usize,
}

/// Whether a member came or went, or only one of its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Changed,
    Same,
}

impl Roster {
    /// Counts a connection of `member`. `None` if it would be the first of one member too many.
    pub(super) fn add(&mut self, member: &Member, limit: usize) -> Option<Standing> {
        if let Some(seat) = self.members.get_mut(member.id()) {
            seat.connections += 1;
            return Some(Standing::Same);
        }
        if self.members.len() >= limit {
            return None;
        }
        self.members
            .insert(MemberId(member.clone()), Seat { connections: 1 });
        Some(Standing::Changed)
    }

    /// Counts a connection of `member` off. After the last, gives the member as it came, with the
    /// info of its first connection.
    pub(super) fn remove(&mut self, member: &Member) -> Option<Member> {
        let seat = self.members.get_mut(member.id())?;
        seat.connections -= 1;
        if seat.connections > 0 {
            return None;
        }
        let (MemberId(member), _) = self.members.remove_entry(member.id())?;
        Some(member)
    }

    pub(super) fn members(&self) -> Arc<[Member]> {
        self.members.keys().map(|member| member.0.clone()).collect()
    }
}

impl std::borrow::Borrow<str> for MemberId {
    fn borrow(&self) -> &str {
        self.0.id()
    }
}

impl std::hash::Hash for MemberId {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.id().hash(state);
    }
}

impl PartialEq for MemberId {
    fn eq(&self, other: &Self) -> bool {
        self.0.id() == other.0.id()
    }
}

impl Eq for MemberId {}
