//! The place for policies: what decides, before a request is carried out, whether it may be.

use std::fmt;
use std::future::Future;
use std::ops::BitOr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU16;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;

use crate::code::ErrorCode;
use crate::protocol::Command;
use crate::protocol::Fault;
use crate::protocol::Request;
use crate::quiet::quietly;
use crate::session::operations;
use crate::session::operations::Method;
use crate::session::operations::Operation;

use super::Caller;

/// What decides whether a request may be carried out.
///
/// ```
/// use throng::policy::{Actions, Policy, Verdict};
/// use throng::protocol::{ErrorCode, Fault};
/// use throng::session::{Caller, Request};
/// use throng::{Gateway, Hub};
///
/// /// Anonymous callers may listen only.
/// struct NamesFirst;
///
/// impl Policy for NamesFirst {
///     fn name(&self) -> &str {
///         "names first"
///     }
///
///     fn actions(&self) -> Actions {
///         Actions::PUBLISH | Actions::SEND
///     }
///
///     fn check(&self, caller: &Caller<'_>, _: &mut Request) -> Verdict {
///         if caller.user().is_some() || caller.is_server() {
///             return Verdict::Pass;
///         }
///         Verdict::Refuse(Fault::new(ErrorCode::Forbidden, "log in to publish"))
///     }
/// }
///
/// let gateway = Gateway::builder(Hub::new()).policy(NamesFirst).build();
/// # let _ = gateway;
/// ```
///
/// # Isolation
///
/// A policy that panics refuses the request that it was asked about with
/// [`ErrorCode::PolicyFailed`], and nothing else.
///
/// # Progress
///
/// [`Policy::check`] runs on the thread of the connection, and must not block. What needs time is
/// a [`Verdict::Later`].
pub trait Policy: Send + Sync + 'static {
    /// The name of the policy, for logs and errors.
    fn name(&self) -> &str;

    /// The actions that it is asked about; of others it never hears. Read once, when the gateway is
    /// built. Default: all.
    fn actions(&self) -> Actions {
        Actions::ALL
    }

    /// Returns the actions that it is asked about beside [`Policy::actions`], where they change at
    /// run time. Read once, when the gateway is built; the policy keeps a clone, and
    /// [sets](Interest::set) it. Default: none.
    fn interest(&self) -> Option<Arc<Interest>> {
        None
    }

    /// Decides about one request, which it may change. Called once for each request that it has
    /// asked for and that no policy before it has refused; requests of a resumed session have
    /// [`Origin::Restored`](crate::session::Origin::Restored).
    fn check(&self, caller: &Caller<'_>, request: &mut Request) -> Verdict;
}

/// What a policy says of a request.
#[non_exhaustive]
pub enum Verdict {
    /// It may be carried out, as far as this policy is concerned.
    Pass,
    /// It is refused, and the caller is told why.
    Refuse(Fault),
    /// The decision needs time. Until it is made, later requests of the same connection wait, and
    /// those of other connections do not. The gateway drops the future when the connection ends.
    Later(Decision),
}

/// A decision that needs time: `Ok` lets the request pass.
pub type Decision = Pin<Box<dyn Future<Output = Result<(), Fault>> + Send>>;

impl Verdict {
    /// [`Verdict::Later`], without the box.
    pub fn later(decision: impl Future<Output = Result<(), Fault>> + Send + 'static) -> Self {
        Self::Later(Box::pin(decision))
    }
}

impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass => f.write_str("Pass"),
            Self::Refuse(fault) => f.debug_tuple("Refuse").field(fault).finish(),
            Self::Later(_) => f.write_str("Later"),
        }
    }
}

/// A set of kinds of requests. Each request is of one kind.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Actions(u16);

impl Actions {
    /// None.
    pub const NONE: Self = Self(0);
    /// Publishing to a channel.
    pub const PUBLISH: Self = Self(1);
    /// Sending to a room, a user or a client, or to all.
    pub const SEND: Self = Self(1 << 1);
    /// Subscribing to a channel or a pattern.
    pub const SUBSCRIBE: Self = Self(1 << 2);
    /// Unsubscribing from them.
    pub const UNSUBSCRIBE: Self = Self(1 << 3);
    /// Joining a room.
    pub const JOIN: Self = Self(1 << 4);
    /// Everything else that changes something.
    pub const CHANGE: Self = Self(1 << 5);
    /// Reading: it changes nothing.
    pub const READ: Self = Self(1 << 6);
    /// Asking whether the server is there.
    pub const PING: Self = Self(1 << 7);
    /// A command that the server does not know.
    pub const UNKNOWN: Self = Self(1 << 8);
    /// All.
    pub const ALL: Self = Self((1 << 9) - 1);

    /// Those in either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether there is one that is in both.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The kind of a command.
    #[must_use]
    pub fn of(command: &Command) -> Self {
        match command {
            Command::Operation { name, .. } => Self::named(name),
            Command::Ping => Self::PING,
            Command::Presence { .. } => Self::READ,
            Command::Publish { .. } => Self::PUBLISH,
            Command::Subscribe { .. } => Self::SUBSCRIBE,
            Command::Unsubscribe { .. } => Self::UNSUBSCRIBE,
        }
    }

    /// The kind of the commands of this name.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "ping" => Self::PING,
            "presence" => Self::READ,
            "publish" => Self::PUBLISH,
            "subscribe" => Self::SUBSCRIBE,
            "unsubscribe" => Self::UNSUBSCRIBE,
            name => operations::find(name).map_or(Self::UNKNOWN, Self::of_operation),
        }
    }

    fn of_operation(operation: &Operation) -> Self {
        match operation.name {
            "room.join" => Self::JOIN,
            "pattern.subscribe" => Self::SUBSCRIBE,
            "pattern.unsubscribe" => Self::UNSUBSCRIBE,
            "broadcast" => Self::SEND,
            name if name.contains(".send") => Self::SEND,
            _ if operation.method == Method::Get => Self::READ,
            _ => Self::CHANGE,
        }
    }
}

impl BitOr for Actions {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.or(other)
    }
}

/// Actions that a policy is asked about from now on, until it sets others.
///
/// A request that is at the gate while they are set may still be decided by those of before.
#[derive(Debug, Default)]
pub struct Interest(AtomicU16);

impl Interest {
    /// Creates an interest in these actions.
    #[must_use]
    pub const fn new(actions: Actions) -> Self {
        Self(AtomicU16::new(actions.0))
    }

    /// Sets the actions.
    pub fn set(&self, actions: Actions) {
        // Release: pairs with the Acquire in `get`, so that a request that is checked because of it
        // finds what the policy has changed before.
        self.0.store(actions.0, Ordering::Release);
    }

    /// Returns the actions.
    #[must_use]
    pub fn get(&self) -> Actions {
        // Acquire: pairs with the Release in `set`.
        Actions(self.0.load(Ordering::Acquire))
    }
}

/// The policies of a gateway, in the order in which they are asked.
#[derive(Default)]
pub(crate) struct Gate {
    policies: Box<[Guard]>,
    /// What any of them wants to be asked about.
    actions: Actions,
    /// The actions that they want to be asked about besides, at this moment.
    interests: Box<[Arc<Interest>]>,
}

struct Guard {
    actions: Actions,
    interest: Option<Arc<Interest>>,
    policy: Arc<dyn Policy>,
}

impl Guard {
    fn meets(&self, action: Actions) -> bool {
        let interest = self.interest.as_ref();
        self.actions.meets(action) || interest.is_some_and(|it| it.get().meets(action))
    }
}

/// What the gate says of a request.
pub(crate) enum Checked {
    Passed(Request),
    Refused(Fault),
    Later(Deciding),
}

/// A request about which a policy has not decided yet.
pub(crate) struct Deciding {
    request: Box<Request>,
    /// The policy that is asked after this one.
    next: usize,
    decision: Decision,
}

impl Gate {
    pub(crate) fn new(policies: Vec<Arc<dyn Policy>>) -> Self {
        let guard = |policy: Arc<dyn Policy>| Guard {
            actions: policy.actions(),
            interest: policy.interest(),
            policy,
        };
        let policies: Box<[_]> = policies.into_iter().map(guard).collect();
        let actions = policies
            .iter()
            .fold(Actions::NONE, |all, guard| all | guard.actions);
        let interests = policies.iter().filter_map(|guard| guard.interest.clone());
        Self {
            actions,
            interests: interests.collect(),
            policies,
        }
    }

    /// Returns the actions that any policy wants to be asked about now.
    #[inline]
    fn actions(&self) -> Actions {
        let now = |all: Actions, interest: &Arc<Interest>| all | interest.get();
        self.interests.iter().fold(self.actions, now)
    }

    /// Asks all policies.
    #[inline]
    pub(crate) fn check(&self, caller: &Caller<'_>, request: Request) -> Checked {
        if self.actions() == Actions::NONE {
            return Checked::Passed(request);
        }
        self.check_from(0, caller, request)
    }

    /// Asks those that were not asked yet, now that one has decided.
    pub(crate) fn go_on(&self, caller: &Caller<'_>, decided: Deciding) -> Checked {
        self.check_from(decided.next, caller, *decided.request)
    }

    fn check_from(&self, first: usize, caller: &Caller<'_>, mut request: Request) -> Checked {
        let action = Actions::of(&request.command);
        if !self.actions().meets(action) {
            return Checked::Passed(request);
        }
        for (index, guard) in self.policies.iter().enumerate().skip(first) {
            if !guard.meets(action) {
                continue;
            }
            let verdict = quietly(|| guard.policy.check(caller, &mut request));
            match verdict {
                Some(Verdict::Pass) => {}
                Some(Verdict::Refuse(fault)) => return Checked::Refused(fault),
                Some(Verdict::Later(decision)) => {
                    return Checked::Later(Deciding {
                        request: Box::new(request),
                        next: index + 1,
                        decision,
                    });
                }
                None => return Checked::Refused(failed()),
            }
        }
        Checked::Passed(request)
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.policies.iter().map(|guard| guard.policy.name());
        f.debug_list().entries(names).finish()
    }
}

impl Deciding {
    /// The command that it is about.
    pub(super) fn command(&self) -> &Command {
        &self.request.command
    }

    /// Ready when the policy has decided.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let decision = self.decision.as_mut();
        quietly(|| decision.poll(cx)).unwrap_or_else(|| Poll::Ready(Err(failed())))
    }
}

/// What is said of a request when a policy panics.
fn failed() -> Fault {
    let why = "a policy of this server failed; the request was not carried out";
    Fault::new(ErrorCode::PolicyFailed, why)
}
