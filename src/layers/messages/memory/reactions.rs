//! The reactions to one message.

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
    /// In the order of their places, which are beside them.
    users: Vec<(u64, UserId)>,
    /// The places of the users once there are [`Reaction::MANY`].
    places: Option<Box<HashMap<UserId, u64>>>,
}

impl Reactions {
    /// What one takes, about.
    pub(super) fn bytes_of(name: &str) -> usize {
        const USER: usize = 256;
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
        self.of(name).is_some_and(|it| it.place(user).is_some())
    }

    /// Whether a user has any.
    pub(super) fn has_any_by(&self, user: &UserId) -> bool {
        self.list.iter().any(|it| it.place(user).is_some())
    }

    /// Adds one that the user has not, and says how many have it now.
    pub(super) fn add(&mut self, name: Box<str>, user: UserId) -> u64 {
        let at = self.list.iter().position(|it| it.name == name);
        let at = at.unwrap_or_else(|| {
            self.list.reserve_exact(1);
            self.list.push(Reaction {
                name,
                users: Vec::with_capacity(1),
                places: None,
            });
            self.list.len() - 1
        });
        let place = self.given;
        self.given += 1;
        self.list[at].add(place, user);
        self.list[at].users.len() as u64
    }

    /// Takes one back, and says how many have it now; `None` if the user had it not.
    pub(super) fn remove(&mut self, name: &str, user: &UserId) -> Option<u64> {
        let reaction = self.list.iter_mut().find(|it| *it.name == *name)?;
        reaction.remove(user)?;
        let left = reaction.users.len() as u64;
        self.tidy();
        Some(left)
    }

    /// Takes all of a user back, and gives their names.
    pub(super) fn forget(&mut self, user: &UserId) -> Vec<Box<str>> {
        let of_user = self.list.iter_mut().filter_map(|it| {
            it.remove(user)?;
            Some(it.name.clone())
        });
        let names = of_user.collect();
        self.tidy();
        names
    }

    fn tidy(&mut self) {
        self.list.retain(|it| !it.users.is_empty());
        let first = |it: &Reaction| it.users.first().map(|(place, _)| *place);
        self.list.sort_by_key(first);
    }

    pub(super) fn counts(&self) -> Vec<ReactionCount> {
        let counts = self.list.iter().map(|it| ReactionCount {
            reaction: it.name.clone(),
            count: it.users.len() as u64,
            users: it.listed(0, ReactionCount::USERS),
        });
        counts.collect()
    }

    /// Who has it, in order, after a user if one is given.
    pub(super) fn reactors(&self, name: &str, after: Option<&UserId>, limit: usize) -> Vec<UserId> {
        let Some(reaction) = self.of(name) else {
            return Vec::new();
        };
        match after.map(|user| reaction.place(user)) {
            None => reaction.listed(0, limit),
            Some(None) => Vec::new(),
            Some(Some(place)) => reaction.listed(place + 1, limit),
        }
    }

    /// The users, each as often as they have reacted.
    pub(super) fn users(&self) -> impl Iterator<Item = &UserId> {
        let users = self.list.iter().flat_map(|it| &it.users);
        users.map(|(_, user)| user)
    }

    fn of(&self, name: &str) -> Option<&Reaction> {
        self.list.iter().find(|it| *it.name == *name)
    }
}

impl Reaction {
    /// How many users are worth a map: most reactions have few.
    const MANY: usize = 16;

    fn place(&self, user: &UserId) -> Option<u64> {
        match &self.places {
            Some(places) => places.get(user).copied(),
            None => {
                let found = self.users.iter().find(|(_, it)| it == user);
                found.map(|(place, _)| *place)
            }
        }
    }

    fn add(&mut self, place: u64, user: UserId) {
        self.users.push((place, user.clone()));
        if let Some(places) = &mut self.places {
            places.insert(user, place);
        } else if self.users.len() > Self::MANY {
            let places = self
                .users
                .iter()
                .map(|(place, user)| (user.clone(), *place));
            self.places = Some(Box::new(places.collect()));
        }
    }

    fn remove(&mut self, user: &UserId) -> Option<()> {
        let place = self.place(user)?;
        let at = self.users.binary_search_by_key(&place, |it| it.0).ok()?;
        self.users.remove(at);
        if let Some(places) = &mut self.places {
            places.remove(user);
        }
        Some(())
    }

    /// The users from a place on, at most so many.
    fn listed(&self, from: u64, limit: usize) -> Vec<UserId> {
        let start = self.users.partition_point(|it| it.0 < from);
        let users = self.users[start..].iter().take(limit);
        users.map(|(_, user)| user.clone()).collect()
    }
}
