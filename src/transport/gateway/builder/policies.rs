//! Settings of limits, policies, hooks, filters and methods.

use std::future::Future;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::policy::ContentFilter;
use crate::policy::CustomLimiter;
use crate::policy::Limit;
use crate::policy::Limiter;
use crate::policy::RateLimits;
#[cfg(feature = "schema")]
use crate::policy::Schema;
use crate::session::Actions;
use crate::session::CallerInfo;
use crate::session::ClientPublish;
use crate::session::Fault;
use crate::session::Hook;
use crate::session::Moments;
use crate::session::Observer;
use crate::session::Policy;

use super::GatewayBuilder;

impl GatewayBuilder {
    /// Whether clients may publish. Default: they may not; what every client may publish to, no
    /// subscriber can trust.
    pub fn client_publish(mut self, publishes: ClientPublish) -> Self {
        self.client_publish = publishes;
        self
    }

    /// Adds a rate limit, in place of that of the same name. Limits hold on every transport, and
    /// are asked before everything else: see [`Limit`]. Default: none.
    pub fn limit(mut self, limit: Limit) -> Self {
        self.limits.retain(|known| known.name() != limit.name());
        self.limits.push(limit);
        self
    }

    /// Adds a rate limiter of the application's own, which is asked after the limits and before the
    /// policies. Default: none.
    pub fn limiter(mut self, limiter: impl Limiter) -> Self {
        let policy = |limits: &RateLimits| {
            let limits = limits.clone();
            Arc::new(CustomLimiter { limiter, limits }) as Arc<dyn Policy>
        };
        self.limiters.push(Box::new(policy));
        self
    }

    /// Sets the most commands that a connection may send in a second: the [`Limit`] named
    /// `commands`, of [`Limit::per_connection`]. Those beyond it are refused with
    /// [`RateLimited`](crate::ErrorCode::RateLimited), and told after how long to try again. A
    /// connection that was silent may send one second's worth at once. Requests on behalf of a user
    /// that come over the REST API or by [`Gateway::execute`][execute] are counted by user and
    /// address; those of the server's side are not. Each channel that an event stream joins is a
    /// command.
    /// Default: no limit.
    ///
    /// [execute]: crate::Gateway::execute
    pub fn max_commands(mut self, per_second: Option<NonZeroU32>) -> Self {
        let second = Duration::from_secs(1);
        self.limits.retain(|known| known.name() != COMMANDS);
        match per_second {
            Some(commands) => {
                let limit = Limit::per_connection(Actions::ALL, commands.get(), second);
                self.limit(limit.named(COMMANDS))
            }
            None => self,
        }
    }

    /// Sets how many requests in a row are refused as too many before the connection is closed with
    /// [`Disconnect::RATE_LIMITED`](crate::Disconnect::RATE_LIMITED). Default 100; `None` never
    /// closes.
    pub fn max_rate_limited(mut self, requests: Option<NonZeroU32>) -> Self {
        self.max_rate_limited = requests;
        self
    }

    /// Sets whether responses over HTTP have `RateLimit-Policy` and `RateLimit`, which say what is
    /// left of a rate limit. Default: they have.
    pub fn rate_limit_headers(mut self, announce: bool) -> Self {
        self.rate_limit_headers = announce;
        self
    }

    /// Adds a policy, which is asked after those that were added before, and after the rate
    /// limits. Default: none.
    pub fn policy(mut self, policy: impl Policy) -> Self {
        self.policies.push(Arc::new(policy));
        self
    }

    /// Adds a hook, as [`Hooks::add`](crate::policy::Hooks::add). Default: none.
    pub fn hook(mut self, hook: Hook) -> Self {
        self.hooks.push(hook);
        self
    }

    /// Adds an observer of all events, as a hook of its own. Default: none.
    pub fn observe(self, observer: impl Observer) -> Self {
        let name = format!("observer {}", self.hooks.len());
        self.hook(Hook::new(name).observe(Moments::ALL, observer))
    }

    /// Adds a content filter, as [`Filters::add`](crate::policy::Filters::add). Default: none.
    pub fn filter(self, filter: impl ContentFilter) -> Self {
        self.moderation.filters.add(filter);
        self
    }

    /// Adds a schema, as [`Schemas::add`](crate::policy::Schemas::add). Default: none.
    #[cfg(feature = "schema")]
    pub fn schema(self, schema: Schema) -> Self {
        self.moderation.schemas.add(schema);
        self
    }

    /// Adds a method that clients call with `{"type":"rpc","method":"quote","args":...}`, and
    /// programs with `POST /api/v1/rpc/quote`. A call is a request: policies are asked first, and
    /// its answer keeps its place among the replies. The method itself decides what its caller may
    /// do: the permissions of a token are in [`CallerInfo::identity`]. Default: none.
    ///
    /// ```
    /// use serde::{Deserialize, Serialize};
    /// use throng::policy::CallerInfo;
    /// use throng::protocol::{ErrorCode, Fault};
    /// use throng::{Gateway, Hub};
    ///
    /// #[derive(Deserialize)]
    /// struct Quote {
    ///     symbol: String,
    /// }
    ///
    /// #[derive(Serialize)]
    /// struct Price {
    ///     cents: u64,
    /// }
    ///
    /// let gateway = Gateway::builder(Hub::new())
    ///     .rpc("quote", async |_: CallerInfo, quote: Quote| match quote.symbol.as_str() {
    ///         "XY" => Ok(Price { cents: 1015 }),
    ///         _ => {
    ///             let fault = Fault::new(ErrorCode::RpcFailed, "there is no such symbol");
    ///             Err(fault.reason("unknown_symbol"))
    ///         }
    ///     })
    ///     .build();
    /// # let _ = gateway;
    /// ```
    ///
    /// # Isolation
    ///
    /// A handler that panics refuses its call with [`HookFailed`](crate::ErrorCode::HookFailed);
    /// a call that takes longer than [`rpc_timeout`](Self::rpc_timeout) is dropped, and answered
    /// with [`HookTimeout`](crate::ErrorCode::HookTimeout).
    pub fn rpc<A, R, F, D>(mut self, method: impl Into<Box<str>>, handler: F) -> Self
    where
        A: DeserializeOwned,
        R: Serialize,
        F: Fn(CallerInfo, A) -> D + Send + Sync + 'static,
        D: Future<Output = Result<R, Fault>> + Send + 'static,
    {
        self.rpc.add(method.into(), handler);
        self
    }

    /// Sets the time that a call of [`Self::rpc`] may take. Default 10 s.
    pub fn rpc_timeout(mut self, timeout: Duration) -> Self {
        self.rpc.set_timeout(timeout);
        self
    }
}

/// The name of the limit of [`GatewayBuilder::max_commands`].
const COMMANDS: &str = "commands";
