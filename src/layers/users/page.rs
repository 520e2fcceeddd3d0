//! Lists, a page at a time.

use serde::Serialize;

use crate::id::ClientId;
use crate::layers::users::error::UserError;
use crate::layers::users::roster::Place;

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Page<T> {
    /// What is on the page; of those who are idle it may be empty though there are more.
    pub items: Vec<T>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// The page of `items`, in order, of which one more than `limit` may be there.
    pub(super) fn of(mut items: Vec<T>, limit: usize, cursor: impl Fn(&T) -> String) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(cursor);
        Self { items, next }
    }
}

/// The connection after which a page begins.
pub(super) fn connection(after: Option<&str>) -> Result<Option<ClientId>, UserError> {
    let parsed = after.map(str::parse).transpose();
    parsed.map_err(|_| UserError::InvalidCursor)
}

/// A place, as a cursor.
pub(super) fn cursor(place: Place) -> String {
    format!("{}-{}", place.0, place.1)
}

/// The place that a cursor says.
pub(super) fn place(cursor: &str) -> Result<Place, UserError> {
    let (at, id) = cursor.split_once('-').ok_or(UserError::InvalidCursor)?;
    let at = at.parse().map_err(|_| UserError::InvalidCursor)?;
    let id = id.parse().map_err(|_| UserError::InvalidCursor)?;
    Ok((at, id))
}
