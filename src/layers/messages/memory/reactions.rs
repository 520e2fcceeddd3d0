//! The reactions to one message.

use std::collections::BTreeMap;
use std::ops::Bound;

use ahash::HashMap;

use crate::layers::messages::record::ReactionCount;
use crate::layers::name::UserId;

/// The reactions to one message, in the order in which the first of those came who have them.
#[derive(Debug, Default)]
pub(super) struct Reactions {
    list: Vec<Reaction>,
    /// How many there have ever been: each is known by how many were before it.
    given: u64,
}

/// A reaction with its users; it has one at least.
#[derive(Debug)]
struct Reaction {
    name: Box<str>,
    users: BTreeMap<u64, UserId>,
    places: HashMap<UserId, u64>,
}

impl Reactions {
    /// What one takes, about.
    pub(super) fn bytes_of(name: &str) -> usize {
        const USER: usize = 128;
        USER + name.len()
    }

    /// How many different ones there are.
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.of(name).is_some()
    }

    pub(super) fn is_by(&self, name: &str, user: &UserId) -> bool {
        self.of(name).is_some_and(|it| it.places.contains_key(user))
    }

    /// Whether a user has any.
    pub(super) fn has_any_by(&self, user: &UserId) -> bool {
        self.list.iter().any(|it| it.places.contains_key(user))
    }

    /// Adds one that the user has not, and says how many have it now.
    pub(super) fn add(&mut self, name: Box<str>, user: UserId) -> u64 {
        let at = self.list.iter().position(|it| it.name == name);
        let at = at.unwrap_or_else(|| {
            self.list.push(Reaction {
                name,
                users: BTreeMap::new(),
                places: HashMap::default(),
            });
            self.list.len() - 1
        });
        let place = self.given;
        self.given += 1;
        let reaction = &mut self.list[at];
        reaction.users.insert(place, user.clone());
        reaction.places.insert(user, place);
        reaction.users.len() as u64
    }

    /// Takes one back, and says how many have it now; `None` if the user had it not.
    pub(super) fn remove(&mut self, name: &str, user: &UserId) -> Option<u64> {
        let reaction = self.list.iter_mut().find(|it| *it.name == *name)?;
        let place = reaction.places.remove(user)?;
        reaction.users.remove(&place);
        let left = reaction.users.len() as u64;
        self.tidy();
        Some(left)
    }

    /// Takes all of a user back, and gives their names.
    pub(super) fn forget(&mut self, user: &UserId) -> Vec<Box<str>> {
        let mut names = Vec::new();
        for reaction in &mut self.list {
            if let Some(place) = reaction.places.remove(user) {
                reaction.users.remove(&place);
                names.push(reaction.name.clone());
            }
        }
        self.tidy();
        names
    }

    fn tidy(&mut self) {
        self.list.retain(|it| !it.users.is_empty());
        let first = |it: &Reaction| it.users.first_key_value().map(|(place, _)| *place);
        self.list.sort_by_key(first);
    }

    pub(super) fn counts(&self) -> Vec<ReactionCount> {
        let counts = self.list.iter().map(|it| ReactionCount {
            reaction: it.name.clone(),
            count: it.users.len() as u64,
            users: it
                .users
                .values()
                .take(ReactionCount::USERS)
                .cloned()
                .collect(),
        });
        counts.collect()
    }

    /// Who has it, in order, after a user if one is given.
    pub(super) fn reactors(&self, name: &str, after: Option<&UserId>, limit: usize) -> Vec<UserId> {
        let Some(reaction) = self.of(name) else {
            return Vec::new();
        };
        let start = match after.map(|user| reaction.places.get(user)) {
            None => Bound::Unbounded,
            Some(Some(place)) => Bound::Excluded(*place),
            Some(None) => return Vec::new(),
        };
        let users = reaction.users.range((start, Bound::Unbounded));
        users.take(limit).map(|(_, user)| user.clone()).collect()
    }

    /// The users, each as often as they have reacted.
    pub(super) fn users(&self) -> impl Iterator<Item = &UserId> {
        self.list.iter().flat_map(|it| it.users.values())
    }

    fn of(&self, name: &str) -> Option<&Reaction> {
        self.list.iter().find(|it| *it.name == *name)
    }
}
