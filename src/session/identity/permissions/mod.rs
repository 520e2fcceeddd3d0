//! Permissions by pattern.

use crate::layers::channels::InvalidPattern;
use crate::layers::channels::Pattern;

/// The rights of a caller, each with the names that it holds for.
///
/// # Cost
///
/// Patterns are parsed once, when the permissions are made. A check compares the name with each
/// pattern of the right; [`Permissions::all`] compares nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    rights: [Allowed; RIGHTS],
    /// Whether `?actor=` may name a user.
    actor: bool,
}

/// A kind of permission.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Right {
    /// To subscribe to a channel or a pattern.
    Subscribe = 0,
    /// To publish to a channel.
    Publish = 1,
    /// To read the history, the presence and the statistics of a channel.
    Read = 2,
    /// To join a room, and to do there what the role in the room allows.
    Rooms = 3,
    /// To call an operation of the server's side; names are those of operations.
    Admin = 4,
}

const RIGHTS: usize = 5;

/// The scope that allows to act for users.
const ACTOR: &str = "actor";

/// The names for which a right is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Allowed {
    #[default]
    None,
    Some(Box<[Pattern]>),
    All,
}

impl Permissions {
    /// Creates permissions that allow nothing.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            rights: [const { Allowed::None }; RIGHTS],
            actor: false,
        }
    }

    /// Creates permissions that allow a user everything but [`Right::Admin`].
    #[must_use]
    pub const fn all() -> Self {
        let all = Allowed::All;
        Self {
            rights: [all, Allowed::All, Allowed::All, Allowed::All, Allowed::None],
            actor: false,
        }
    }

    /// Allows `right` on all names that match `pattern`, which is one of [`Pattern::parse`]; `>`
    /// allows every name.
    ///
    /// # Errors
    ///
    /// [`InvalidPattern`]: `pattern` is no pattern.
    pub fn allow(mut self, right: Right, pattern: &str) -> Result<Self, InvalidPattern> {
        let pattern = Pattern::parse(pattern)?;
        let allowed = &mut self.rights[right as usize];
        *allowed = match std::mem::take(allowed) {
            _ if pattern.text() == ">" => Allowed::All,
            Allowed::All => Allowed::All,
            Allowed::None => Allowed::Some([pattern].into()),
            Allowed::Some(patterns) => {
                let mut patterns = Vec::from(patterns);
                patterns.push(pattern);
                Allowed::Some(patterns.into())
            }
        };
        Ok(self)
    }

    /// Allows operations of the server's side by a scope: the name of an operation, such as
    /// `publish`; all of one kind, such as `room.*`; or `*`, all of them. The scope `actor` allows
    /// to act for users, and no other scope includes it.
    ///
    /// # Errors
    ///
    /// [`InvalidPattern`]: `scope` is none of these.
    pub fn allow_scope(mut self, scope: &str) -> Result<Self, InvalidPattern> {
        if scope == ACTOR {
            self.actor = true;
            return Ok(self);
        }
        match scope.strip_suffix('*') {
            Some(kind) if kind.is_empty() || kind.ends_with('.') => {
                self.allow(Right::Admin, &format!("{kind}>"))
            }
            _ => self.allow(Right::Admin, scope),
        }
    }

    /// Returns whether the caller may act for users, as with `?actor=`.
    #[must_use]
    pub const fn allows_actor(&self) -> bool {
        self.actor
    }

    /// Returns whether `right` is allowed on every name that `pattern` can match.
    #[must_use]
    pub fn allow_pattern(&self, right: Right, pattern: &Pattern) -> bool {
        match &self.rights[right as usize] {
            Allowed::None => false,
            Allowed::Some(patterns) => patterns.iter().any(|allowed| allowed.covers(pattern)),
            Allowed::All => true,
        }
    }

    /// Returns whether `right` is allowed on every name.
    #[must_use]
    pub const fn allow_all(&self, right: Right) -> bool {
        matches!(self.rights[right as usize], Allowed::All)
    }

    /// Returns whether `right` is allowed on any name.
    #[must_use]
    pub const fn allow_any(&self, right: Right) -> bool {
        !matches!(self.rights[right as usize], Allowed::None)
    }

    /// Returns whether a pattern other than `>` allows `right` on `name`.
    #[must_use]
    pub fn name_it(&self, right: Right, name: &str) -> bool {
        !self.allow_all(right) && self.allow_name(right, name)
    }

    /// Returns whether `right` is allowed on `name`.
    #[must_use]
    pub fn allow_name(&self, right: Right, name: &str) -> bool {
        match &self.rights[right as usize] {
            Allowed::None => false,
            Allowed::Some(patterns) => patterns.iter().any(|pattern| pattern.matches(name)),
            Allowed::All => true,
        }
    }
}

#[cfg(test)]
mod tests;
