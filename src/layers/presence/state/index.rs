//! The users by what they are, newest first.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::layers::name::UserId;
use crate::layers::presence::status::Status;

/// Where in the index a user is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::layers::presence) enum Place {
    Away,
    Busy,
    /// Neither connected nor there in any other way.
    Gone,
    /// There, and offline because it says so.
    Hidden,
    Invisible,
    Online,
}

impl Place {
    pub(in crate::layers::presence) const ALL: [Self; 6] = [
        Self::Away,
        Self::Busy,
        Self::Gone,
        Self::Hidden,
        Self::Invisible,
        Self::Online,
    ];

    /// Where those are who are there as others see it.
    pub(in crate::layers::presence) const PRESENT: &[Self] =
        &[Self::Online, Self::Away, Self::Busy];

    /// Where those are who show this status; all who are offline to others are under that.
    pub(in crate::layers::presence) const fn of(status: Status) -> &'static [Self] {
        match status {
            Status::Away => &[Self::Away],
            Status::Busy => &[Self::Busy],
            Status::Invisible => &[Self::Invisible],
            Status::Offline => &[Self::Gone, Self::Hidden, Self::Invisible],
            Status::Online => &[Self::Online],
        }
    }
}

/// A place in the order: since when the user shows what it shows, and who it is.
pub(in crate::layers::presence) type Position = (Instant, UserId);

/// The users by what they are, each list in the order of time. One more entry of 24 bytes for each
/// user, and what a B-tree needs around it.
#[derive(Debug, Default)]
pub(in crate::layers::presence) struct Index {
    lists: [BTreeSet<Position>; Place::ALL.len()],
}

impl Index {
    pub(super) fn insert(&mut self, place: Place, position: Position) {
        self.lists[place as usize].insert(position);
    }

    pub(super) fn remove(&mut self, place: Place, position: &Position) {
        self.lists[place as usize].remove(position);
    }

    pub(in crate::layers::presence) fn count(&self, place: Place) -> usize {
        self.lists[place as usize].len()
    }

    pub(super) fn oldest(&self, place: Place) -> Option<&UserId> {
        self.lists[place as usize].first().map(|(_, user)| user)
    }

    /// At most `most` of those in `places`, newest first, from just before `before` on.
    pub(in crate::layers::presence) fn newest(
        &self,
        places: &[Place],
        before: Option<&Position>,
        most: usize,
    ) -> Vec<Position> {
        let mut found = Vec::new();
        for place in places {
            let list = &self.lists[*place as usize];
            match before {
                Some(before) => found.extend(list.range(..before).rev().take(most).cloned()),
                None => found.extend(list.iter().rev().take(most).cloned()),
            }
        }
        if places.len() > 1 {
            found.sort_unstable_by(|one, other| other.cmp(one));
            found.truncate(most);
        }
        found
    }
}
