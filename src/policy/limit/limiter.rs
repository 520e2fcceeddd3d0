//! Limiters of the application's own.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::code::ErrorCode;
use crate::protocol::Fault;
use crate::protocol::Request;
use crate::session::Caller;
use crate::session::Origin;
use crate::session::Policy;
use crate::session::Verdict;

use super::RateLimits;

/// A rate limiter of the application's own, where [`Limit`](super::Limit) does not suffice:
/// [`GatewayBuilder::limiter`](crate::GatewayBuilder::limiter).
///
/// ```
/// use std::time::Duration;
/// use throng::policy::{Allowance, Limiter};
/// use throng::session::Caller;
/// use throng::{Gateway, Hub};
///
/// /// Guests publish nothing for now.
/// struct QuietGuests;
///
/// impl Limiter for QuietGuests {
///     fn check(&self, caller: &Caller<'_>, action: &str) -> Allowance {
///         match (caller.user(), action) {
///             (None, "publish") => Allowance::Refuse(Some(Duration::from_secs(60))),
///             _ => Allowance::Pass,
///         }
///     }
/// }
///
/// let gateway = Gateway::builder(Hub::new()).limiter(QuietGuests).build();
/// # let _ = gateway;
/// ```
///
/// # Isolation
///
/// A limiter that panics refuses the request with
/// [`ErrorCode::PolicyFailed`](crate::ErrorCode::PolicyFailed), and nothing else.
///
/// # Progress
///
/// [`Limiter::check`] runs on the thread of the connection, and must not block. Answer
/// [`Allowance::Later`] where the counts are elsewhere.
pub trait Limiter: Send + Sync + 'static {
    /// Decides about a request of `caller` for `action`, the name of a command such as `publish` or
    /// `room.join`. Called once for each request that the limits before it let pass, of the
    /// server's side too ([`Caller::is_server`]), but for those of a resumed session.
    fn check(&self, caller: &Caller<'_>, action: &str) -> Allowance;
}

/// The answer of a [`Limiter`].
#[non_exhaustive]
pub enum Allowance {
    /// The request passes.
    Pass,
    /// The request is refused with [`ErrorCode::RateLimited`](crate::ErrorCode::RateLimited), and
    /// the time after which it may pass, if that is known.
    Refuse(Option<Duration>),
    /// The decision needs time. The future must not itself answer `Later`.
    Later(Pin<Box<dyn Future<Output = Self> + Send>>),
}

impl Allowance {
    /// [`Allowance::Later`], without the box.
    pub fn later(decision: impl Future<Output = Self> + Send + 'static) -> Self {
        Self::Later(Box::pin(decision))
    }
}

impl fmt::Debug for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass => f.write_str("Pass"),
            Self::Refuse(wait) => f.debug_tuple("Refuse").field(wait).finish(),
            Self::Later(_) => f.write_str("Later"),
        }
    }
}

/// A limiter as a policy.
pub(crate) struct CustomLimiter<L> {
    pub(crate) limiter: L,
    pub(crate) limits: RateLimits,
}

impl<L: Limiter> Policy for CustomLimiter<L> {
    fn name(&self) -> &str {
        "limiter"
    }

    fn check(&self, caller: &Caller<'_>, request: &mut Request) -> Verdict {
        if matches!(caller.origin(), Origin::Claim | Origin::Restored) {
            return Verdict::Pass;
        }
        match self.limiter.check(caller, request.command.name()) {
            Allowance::Pass => Verdict::Pass,
            Allowance::Refuse(wait) => {
                self.limits.refused(caller);
                Verdict::Refuse(fault(wait))
            }
            Allowance::Later(decision) => {
                let (limits, caller) = (self.limits.clone(), caller.to_owned());
                Verdict::later(async move {
                    match decision.await {
                        Allowance::Pass => Ok(()),
                        Allowance::Refuse(wait) => {
                            limits.refused(&caller.caller());
                            Err(fault(wait))
                        }
                        Allowance::Later(_) => {
                            let why = "the limiter of this server has not decided";
                            Err(Fault::new(ErrorCode::PolicyFailed, why))
                        }
                    }
                })
            }
        }
    }
}

fn fault(wait: Option<Duration>) -> Fault {
    let Some(wait) = wait else {
        return Fault::new(ErrorCode::RateLimited, "too many requests; try again later");
    };
    let millis = wait.as_nanos().div_ceil(1_000_000);
    let why = format!("too many requests; try again in {millis} ms");
    Fault::new(ErrorCode::RateLimited, why).retry_after(wait)
}
