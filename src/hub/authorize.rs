//! Who may join a private or presence channel.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use crate::hub::frame::Member;
use crate::id::ChannelKind;
use crate::id::ChannelName;
use crate::id::ClientId;

/// Decides who may join a private or presence channel. It is not asked about public channels, and
/// a hub without one denies every other join.
///
/// Implemented for closures:
///
/// ```
/// use throng::{Authorization, AuthRequest, Hub, Member};
///
/// let hub = Hub::builder()
///     .authorizer(|request: &AuthRequest| match request.user() {
///         Some(user) => Authorization::AllowAs(Member::new(user, "{}")),
///         None => Authorization::deny("log in first"),
///     })
///     .build()?;
/// # let _ = hub;
/// # Ok::<(), throng::BuildError>(())
/// ```
///
/// A decision that has to ask somebody else answers [`Authorization::Later`] with a future; it is
/// awaited by the join and by nothing else.
pub trait Authorizer: Send + Sync + 'static {
    /// Decides about one join. Must not block: the join that asks waits for it.
    fn authorize(&self, request: &AuthRequest) -> Authorization;
}

impl<F> Authorizer for F
where
    F: Fn(&AuthRequest) -> Authorization + Send + Sync + 'static,
{
    fn authorize(&self, request: &AuthRequest) -> Authorization {
        self(request)
    }
}

/// The answer of an [`Authorizer`].
#[non_exhaustive]
pub enum Authorization {
    /// Yes. In a presence channel the member's id is the client's user, or the client's id if it
    /// has none, and the info is empty.
    Allow,
    /// Yes, and in a presence channel the client is this member.
    AllowAs(Member),
    /// No, and why; the client is told.
    Deny(Arc<str>),
    /// To be awaited. The future must not itself answer `Later` more than a few times.
    Later(Pin<Box<dyn Future<Output = Self> + Send>>),
}

impl Authorization {
    /// No, and why.
    #[must_use]
    pub fn deny(reason: impl Into<Arc<str>>) -> Self {
        Self::Deny(reason.into())
    }

    /// To be awaited.
    #[must_use]
    pub fn later(decision: impl Future<Output = Self> + Send + 'static) -> Self {
        Self::Later(Box::pin(decision))
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow => f.write_str("Allow"),
            Self::AllowAs(member) => f.debug_tuple("AllowAs").field(member).finish(),
            Self::Deny(reason) => f.debug_tuple("Deny").field(reason).finish(),
            Self::Later(_) => f.write_str("Later"),
        }
    }
}

/// What an [`Authorizer`] is asked.
#[derive(Clone, Debug)]
pub struct AuthRequest {
    pub(super) channel: ChannelName,
    pub(super) client: ClientId,
    pub(super) user: Option<Arc<str>>,
    pub(super) auth: Bytes,
}

impl AuthRequest {
    /// The channel to be joined.
    #[must_use]
    pub fn channel(&self) -> &ChannelName {
        &self.channel
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> ChannelKind {
        self.channel.kind()
    }

    /// The client that wants to join.
    #[must_use]
    pub fn client(&self) -> ClientId {
        self.client
    }

    /// Its user, as given when it connected.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Its credentials: those given with this subscription, or else those given when it
    /// connected. The hub does not look into them.
    #[must_use]
    pub fn auth(&self) -> &Bytes {
        &self.auth
    }
}
