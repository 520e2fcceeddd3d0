//! Which connections a user has.

use crate::hub::Client;
use crate::layers::name::UserId;

/// Knows the connections of users: those of a member receive what is sent to its rooms.
///
/// Asked in the middle of joins and leaves: it must neither wait nor call the rooms.
pub trait Connections: Send + Sync + 'static {
    /// The connections of a user, at this moment.
    fn of(&self, user: &UserId) -> Vec<Client>;
}

impl<F> Connections for F
where
    F: Fn(&UserId) -> Vec<Client> + Send + Sync + 'static,
{
    fn of(&self, user: &UserId) -> Vec<Client> {
        self(user)
    }
}
