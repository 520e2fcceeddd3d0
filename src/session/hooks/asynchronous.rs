//! Policies that are asynchronous functions.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use tokio::time;

use crate::code::ErrorCode;
use crate::protocol::Fault;
use crate::protocol::Request;
use crate::session::Actions;
use crate::session::Caller;
use crate::session::Policy;
use crate::session::Verdict;

use super::CallerInfo;

/// A [`Policy`] that is an asynchronous function: see [`from_async`].
pub struct AsyncPolicy<F> {
    name: Box<str>,
    actions: Actions,
    timeout: Duration,
    check: F,
}

/// Creates a policy from an asynchronous function of the caller and the request. Its decision is
/// awaited by the connection that asks alone, for at most 1 s.
///
/// ```
/// use throng::policy::{Actions, CallerInfo, from_async};
/// use throng::protocol::{ErrorCode, Fault};
/// use throng::session::Request;
/// use throng::{Gateway, Hub};
///
/// async fn is_muted(user: Option<&str>) -> bool {
///     user == Some("eve")
/// }
///
/// let moderate = async |who: CallerInfo, _: Request| match is_muted(who.user.as_deref()).await {
///     true => Err(Fault::new(ErrorCode::SendDenied, "a moderator muted you")),
///     false => Ok(()),
/// };
/// let gateway = Gateway::builder(Hub::new())
///     .policy(from_async("moderate", Actions::PUBLISH | Actions::SEND, moderate))
///     .build();
/// # let _ = gateway;
/// ```
///
/// # Isolation
///
/// A function that panics refuses its request with [`ErrorCode::PolicyFailed`]; one that takes
/// longer than its [timeout](AsyncPolicy::timeout), with [`ErrorCode::HookTimeout`].
pub fn from_async<F, D>(name: impl Into<Box<str>>, actions: Actions, check: F) -> AsyncPolicy<F>
where
    F: Fn(CallerInfo, Request) -> D + Send + Sync + 'static,
    D: Future<Output = Result<(), Fault>> + Send + 'static,
{
    AsyncPolicy {
        name: name.into(),
        actions,
        timeout: Duration::from_secs(1),
        check,
    }
}

impl<F> AsyncPolicy<F> {
    /// Sets the time that a decision may take. Default 1 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl<F, D> Policy for AsyncPolicy<F>
where
    F: Fn(CallerInfo, Request) -> D + Send + Sync + 'static,
    D: Future<Output = Result<(), Fault>> + Send + 'static,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn actions(&self) -> Actions {
        self.actions
    }

    fn check(&self, caller: &Caller<'_>, request: &mut Request) -> Verdict {
        let timeout = self.timeout;
        let decision = (self.check)(CallerInfo::of(caller), request.clone());
        Verdict::later(async move {
            time::timeout(timeout, decision).await.unwrap_or_else(|_| {
                let why = "a policy of this server took too long; the request was not carried out";
                Err(Fault::new(ErrorCode::HookTimeout, why))
            })
        })
    }
}

impl<F> fmt::Debug for AsyncPolicy<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncPolicy")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
