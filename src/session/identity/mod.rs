//! The identity of a caller: a user, and what that user may do.

mod permissions;

use std::num::NonZeroU32;

use crate::layers::Timestamp;
use crate::layers::UserId;
use crate::layers::channels::Pattern;

pub use self::permissions::Permissions;
pub use self::permissions::Right;

/// A caller as an [`Authenticator`](crate::policy::Authenticator) recognized it.
///
/// ```
/// use throng::UserId;
/// use throng::session::{Identity, Permissions, Right};
///
/// let ada = Identity::of(UserId::parse("ada")?)
///     .permissions(Permissions::none().allow(Right::Subscribe, "news.>")?);
/// assert!(ada.may(Right::Subscribe, "news.today"));
/// assert!(!ada.may(Right::Publish, "news.today"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Identity {
    user: Option<UserId>,
    info: Option<Box<str>>,
    permissions: Permissions,
    expires_at: Option<Timestamp>,
    issued_at: Option<Timestamp>,
    token_id: Option<Box<str>>,
    subscriptions: Vec<Box<str>>,
    patterns: Vec<Pattern>,
    api_key: Option<Box<str>>,
    rate: Option<NonZeroU32>,
}

impl Identity {
    /// Creates the identity of a user with all permissions of a user.
    #[must_use]
    pub fn of(user: UserId) -> Self {
        Self {
            user: Some(user),
            ..Self::guest()
        }
    }

    /// Creates the identity of an anonymous caller with all permissions of a user.
    #[must_use]
    pub fn guest() -> Self {
        Self {
            user: None,
            info: None,
            permissions: Permissions::all(),
            expires_at: None,
            issued_at: None,
            token_id: None,
            subscriptions: Vec::new(),
            patterns: Vec::new(),
            api_key: None,
            rate: None,
        }
    }

    /// Creates the identity of a program that has shown an API key. It has no permission until
    /// [`Identity::permissions`] says which.
    #[must_use]
    pub fn of_api_key(id: impl Into<Box<str>>) -> Self {
        Self {
            permissions: Permissions::none(),
            api_key: Some(id.into()),
            ..Self::guest()
        }
    }

    /// Sets what members of a presence channel are shown of this user, as JSON.
    #[must_use]
    pub fn info(mut self, json: impl Into<Box<str>>) -> Self {
        self.info = Some(json.into());
        self
    }

    /// Sets the permissions. Default: all.
    #[must_use]
    pub fn permissions(mut self, permissions: Permissions) -> Self {
        self.permissions = permissions;
        self
    }

    /// Sets when the credentials expire. Default: never.
    #[must_use]
    pub fn expires_at(mut self, time: Timestamp) -> Self {
        self.expires_at = Some(time);
        self
    }

    /// Sets when the credentials were issued, for revocation by time.
    #[must_use]
    pub fn issued_at(mut self, time: Timestamp) -> Self {
        self.issued_at = Some(time);
        self
    }

    /// Sets the id of the token (`jti`), for revocation by id.
    #[must_use]
    pub fn token_id(mut self, id: impl Into<Box<str>>) -> Self {
        self.token_id = Some(id.into());
        self
    }

    /// Adds a channel that the server subscribes the connection to.
    #[must_use]
    pub fn subscription(mut self, channel: impl Into<Box<str>>) -> Self {
        self.subscriptions.push(channel.into());
        self
    }

    /// Adds a pattern that the server subscribes the connection to.
    #[must_use]
    pub fn pattern(mut self, pattern: Pattern) -> Self {
        self.patterns.push(pattern);
        self
    }

    /// Sets the requests that these credentials allow in a second. Default: as many as the server
    /// allows every caller.
    #[must_use]
    pub fn rate(mut self, per_second: NonZeroU32) -> Self {
        self.rate = Some(per_second);
        self
    }

    /// Returns the user; `None` for a guest and for an API key.
    #[must_use]
    pub const fn user(&self) -> Option<&UserId> {
        self.user.as_ref()
    }

    /// Returns what members of a presence channel are shown, as JSON.
    #[must_use]
    pub fn member_info(&self) -> Option<&str> {
        self.info.as_deref()
    }

    /// Returns whether the permissions allow `right` on `name`: a channel, a room or, for
    /// [`Right::Admin`], an operation.
    #[must_use]
    pub fn may(&self, right: Right, name: &str) -> bool {
        self.permissions.allow_name(right, name)
    }

    /// Returns whether the caller may act for users, as with `?actor=`.
    #[must_use]
    pub const fn may_act_for_users(&self) -> bool {
        self.permissions.allows_actor()
    }

    /// Returns the id of the API key that was shown, if it was one.
    #[must_use]
    pub fn api_key(&self) -> Option<&str> {
        self.api_key.as_deref()
    }

    /// Returns the requests that these credentials allow in a second, if they have a limit of their
    /// own.
    #[must_use]
    pub const fn max_rate(&self) -> Option<NonZeroU32> {
        self.rate
    }

    /// Returns the permissions.
    #[must_use]
    pub const fn all_permissions(&self) -> &Permissions {
        &self.permissions
    }

    /// Returns when the credentials expire.
    #[must_use]
    pub const fn expiry(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// Returns when the credentials were issued.
    #[must_use]
    pub const fn issue(&self) -> Option<Timestamp> {
        self.issued_at
    }

    /// Returns the id of the token.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.token_id.as_deref()
    }

    /// Returns the channels that the server subscribes the connection to.
    pub fn subscriptions(&self) -> impl Iterator<Item = &str> {
        self.subscriptions.iter().map(|channel| &**channel)
    }

    /// Returns the patterns that the server subscribes the connection to.
    #[must_use]
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }
}
