//! Lists, a page at a time.

use std::time::Duration;
use std::time::Instant;

use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;

use crate::layers::name::UserId;
use crate::layers::presence::error::PresenceError;
use crate::layers::presence::state::Look;
use crate::layers::presence::state::Position;
use crate::layers::presence::status::Status;

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Page<T> {
    /// What is on the page; it may be empty though there are more.
    pub items: Vec<T>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<String>,
}

/// Which users a list is to show, newest change first.
///
/// A page looks at a bounded number of users, whatever there is to find; so it may have fewer than
/// asked for, or none, and still have a next one.
///
/// ```
/// use std::time::Duration;
/// use throng::presence::{PresenceQuery, Status};
///
/// // Who has gone in the last hour?
/// let query = PresenceQuery::new()
///     .status(Status::Offline)
///     .changed_within(Duration::from_secs(3600));
/// # let _ = query;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct PresenceQuery {
    pub(super) status: Option<Status>,
    pub(super) changed_within: Option<Duration>,
    pub(super) ago: Option<Duration>,
    pub(super) filter: PresenceFilter,
    pub(super) after: Option<String>,
    pub(super) limit: usize,
}

impl PresenceQuery {
    /// The most users on a page.
    pub const MAX_LIMIT: usize = 1000;

    /// All who are there: online, away or busy. 50 on a page.
    pub fn new() -> Self {
        Self {
            status: None,
            changed_within: None,
            ago: None,
            filter: PresenceFilter::new(),
            after: None,
            limit: 50,
        }
    }

    /// Those of this status alone.
    pub fn status(mut self, status: Status) -> Self {
        self.status = Some(status);
        self
    }

    /// Those alone who have become what they are within this time.
    pub fn changed_within(mut self, time: Duration) -> Self {
        self.changed_within = Some(time);
        self
    }

    /// Those who were there so long ago, or had the status then, whatever they are now; as far as
    /// the history of each reaches.
    pub fn ago(mut self, time: Duration) -> Self {
        self.ago = Some(time);
        self
    }

    /// Those alone of whom this is true.
    pub fn filter(mut self, filter: PresenceFilter) -> Self {
        self.filter = filter;
        self
    }

    /// The page after the one that said so in [`Page::next`].
    pub fn after(mut self, next: impl Into<String>) -> Self {
        self.after = Some(next.into());
        self
    }

    /// At most so many on a page: 1 to [`Self::MAX_LIMIT`].
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }
}

impl Default for PresenceQuery {
    fn default() -> Self {
        Self::new()
    }
}

/// What has to be true of a user for it to be listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct PresenceFilter {
    status: Option<Status>,
    device: Option<Box<str>>,
    activity: Option<Box<str>>,
}

impl PresenceFilter {
    /// Everybody.
    pub fn new() -> Self {
        Self::default()
    }

    /// Of this status.
    pub fn status(mut self, status: Status) -> Self {
        self.status = Some(status);
        self
    }

    /// There with a device of this kind.
    pub fn device(mut self, kind: &str) -> Self {
        self.device = Some(kind.into());
        self
    }

    /// At an activity of this kind.
    pub fn activity(mut self, kind: &str) -> Self {
        self.activity = Some(kind.into());
        self
    }

    pub(super) fn is_everybody(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn admits(&self, look: &Look) -> bool {
        let activity = || look.profile.activity.as_ref().map(|it| it.kind());
        let mut devices = look.devices.iter();
        self.status.is_none_or(|status| look.status == status)
            && (self.activity.is_none() || activity() == self.activity.as_deref())
            && (self.device.as_deref()).is_none_or(|kind| devices.any(|it| it.kind() == kind))
    }
}

/// Checks how many there may be on a page.
pub(super) fn check_limit(limit: usize) -> Result<usize, PresenceError> {
    if (1..=PresenceQuery::MAX_LIMIT).contains(&limit) {
        return Ok(limit);
    }
    Err(PresenceError::InvalidField {
        field: "limit",
        allowed: "1 to 1000",
    })
}

/// Where a page ends, as text.
pub(super) fn cursor((since, user): &Position, start: Instant) -> String {
    let nanos = since.saturating_duration_since(start).as_nanos();
    BASE64URL_NOPAD.encode(format!("{nanos}.{user}").as_bytes())
}

/// Where a page begins.
pub(super) fn position(cursor: &str, start: Instant) -> Result<Position, PresenceError> {
    let text = decode(cursor)?;
    let (nanos, user) = text.split_once('.').ok_or(BAD_CURSOR)?;
    let nanos = nanos.parse().map_err(|_| BAD_CURSOR)?;
    let since = start.checked_add(Duration::from_nanos(nanos));
    let user = UserId::parse(user).map_err(|_| BAD_CURSOR)?;
    Ok((since.ok_or(BAD_CURSOR)?, user))
}

/// Where a page ends that is in the order of the names.
pub(super) fn cursor_of(user: &UserId) -> String {
    BASE64URL_NOPAD.encode(user.as_bytes())
}

/// After whom such a page begins.
pub(super) fn user_of(cursor: &str) -> Result<UserId, PresenceError> {
    UserId::parse(&decode(cursor)?).map_err(|_| BAD_CURSOR)
}

fn decode(cursor: &str) -> Result<String, PresenceError> {
    let bytes = BASE64URL_NOPAD.decode(cursor.as_bytes());
    String::from_utf8(bytes.map_err(|_| BAD_CURSOR)?).map_err(|_| BAD_CURSOR)
}

const BAD_CURSOR: PresenceError = PresenceError::InvalidField {
    field: "after",
    allowed: "what `next` was on the page before",
};
