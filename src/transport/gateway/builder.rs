//! How a gateway is set up.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::mem;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use hyper::http::request::Parts;
use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::hub::ConnectOptions;
use crate::hub::EncodingSlot;
use crate::hub::Hub;
use crate::layers::Layers;
use crate::layers::channels::AllPrivate;
use crate::layers::channels::PrivateChannels;
use crate::policy::Authenticator;
use crate::policy::ContentFilter;
use crate::policy::CustomLimiter;
use crate::policy::InvalidLimit;
use crate::policy::Limit;
use crate::policy::Limiter;
use crate::policy::Moderation;
use crate::policy::RateLimits;
use crate::policy::Revocations;
#[cfg(feature = "schema")]
use crate::policy::Schema;
#[cfg(feature = "jwt")]
use crate::policy::SubscriptionTokens;
use crate::policy::Tickets;
use crate::protocol::DIALECTS;
use crate::protocol::Dialect;
use crate::protocol::Spoken;
use crate::session::Actions;
use crate::session::Badges;
use crate::session::CallerInfo;
use crate::session::ClientPublish;
use crate::session::Door;
use crate::session::Entrance;
use crate::session::Fault;
use crate::session::Gate;
use crate::session::Hook;
use crate::session::Moments;
use crate::session::Notice;
use crate::session::Observer;
use crate::session::Permissions;
use crate::session::Permit;
use crate::session::Policy;
use crate::session::Rpc;
use crate::time::SystemClock;
use crate::transport::auth::AuthSettings;
use crate::transport::auth::Authority;
use crate::transport::auth::Lobby;
use crate::transport::flusher::Flushers;
use crate::transport::gateway::Gateway;
use crate::transport::gateway::Inner;
use crate::transport::gateway::registry::Registry;
use crate::transport::gateway::ticker::Ticker;
#[cfg(feature = "sse")]
use crate::transport::sse::SseConfig;
use crate::transport::ws::Origins;
use crate::transport::ws::WsConfig;

/// Says who sends a request.
pub(super) type Authenticate =
    Arc<dyn Fn(&Parts) -> Result<ConnectOptions, Unauthenticated> + Send + Sync>;

/// Makes a policy that counts its refusals with those of the rate limits.
type MakePolicy = Box<dyn FnOnce(&RateLimits) -> Arc<dyn Policy> + Send>;

/// A gateway to be.
#[must_use]
pub struct GatewayBuilder {
    hub: Hub,
    layers: Option<Layers>,
    #[cfg(feature = "sse")]
    sse: SseConfig,
    ws: WsConfig,
    dialects: Vec<&'static dyn Dialect>,
    origins: Origins,
    authenticate: Option<Authenticate>,
    drain_window: Duration,
    reconnect_window: Duration,
    gap_keys: usize,
    client_publish: ClientPublish,
    limits: Vec<Limit>,
    limiters: Vec<MakePolicy>,
    max_rate_limited: Option<NonZeroU32>,
    rate_limit_headers: bool,
    policies: Vec<Arc<dyn Policy>>,
    auth: AuthSettings,
    notice: Notice,
    private: Vec<PrivateChannels>,
    validates: bool,
    hooks: Vec<Hook>,
    moderation: Arc<Moderation>,
    rpc: Rpc,
}

impl GatewayBuilder {
    pub(super) fn new(hub: Hub) -> Self {
        Self {
            hub,
            layers: None,
            #[cfg(feature = "sse")]
            sse: SseConfig::new(),
            ws: WsConfig::new(),
            dialects: Vec::new(),
            origins: Origins::Same,
            authenticate: None,
            drain_window: Duration::from_secs(5),
            reconnect_window: Duration::from_secs(5),
            gap_keys: 0,
            client_publish: ClientPublish::default(),
            limits: Vec::new(),
            limiters: Vec::new(),
            max_rate_limited: NonZeroU32::new(100),
            rate_limit_headers: true,
            policies: Vec::new(),
            auth: AuthSettings::default(),
            notice: Notice {
                before: Duration::from_secs(30),
                grace: Duration::from_secs(25),
            },
            private: Vec::new(),
            validates: false,
            hooks: Vec::new(),
            moderation: Arc::new(Moderation::new()),
            rpc: Rpc::default(),
        }
    }

    /// Adds an authenticator, which is asked about the credentials that those added before do not
    /// know. Default: none, and then every caller is let in.
    ///
    /// With an authenticator, requests of the REST API and event streams need credentials; a
    /// WebSocket connection without them waits in the [lobby](Lobby) until its first message shows
    /// some, unless [guests](Self::guests) are let in.
    ///
    /// ```
    /// use throng::policy::{Authenticated, Authenticator, Credentials};
    /// use throng::session::Identity;
    /// use throng::{Gateway, Hub, UserId};
    ///
    /// /// Knows one token.
    /// struct Ada;
    ///
    /// impl Authenticator for Ada {
    ///     fn name(&self) -> &str {
    ///         "ada"
    ///     }
    ///
    ///     fn authenticate(&self, credentials: &Credentials<'_>) -> Authenticated {
    ///         match (credentials.secret, UserId::parse("ada")) {
    ///             (Some("a secret"), Ok(ada)) => Authenticated::Is(Box::new(Identity::of(ada))),
    ///             _ => Authenticated::Unknown,
    ///         }
    ///     }
    /// }
    ///
    /// let gateway = Gateway::builder(Hub::new()).authenticator(Ada).build();
    /// assert!(gateway.authenticates());
    /// ```
    pub fn authenticator(mut self, authenticator: impl Authenticator) -> Self {
        self.auth.authenticators.push(Arc::new(authenticator));
        self
    }

    /// How long one authenticator may take for a decision; then the credentials are refused with
    /// [`AuthUnavailable`](crate::ErrorCode::AuthUnavailable). Default 1 s.
    pub fn auth_timeout(mut self, time: Duration) -> Self {
        self.auth.timeout = time;
        self
    }

    /// Lets callers without credentials in as anonymous, with these permissions: over WebSocket and
    /// to event streams, not to the REST API. Default: they are refused. Without an
    /// [authenticator](Self::authenticator) it means nothing.
    pub fn guests(mut self, permissions: Permissions) -> Self {
        self.auth.guests = Some(permissions);
        self
    }

    /// Sets where WebSocket connections without credentials wait.
    pub fn lobby(mut self, lobby: Lobby) -> Self {
        self.auth.lobby = lobby;
        self
    }

    /// Whether a token may stand in the query, as `?token=`: there it is likely to end up in logs.
    /// Default: it may not. Tickets may always.
    pub fn token_in_query(mut self, allowed: bool) -> Self {
        self.auth.query = allowed;
        self
    }

    /// Reads the credentials from this cookie, too: of requests that the server's own pages make,
    /// or those of a [named origin](Self::origins). Default: from none.
    pub fn auth_cookie(mut self, name: impl Into<Box<str>>) -> Self {
        self.auth.cookie = Some(name.into());
        self
    }

    /// Sets the table of revoked credentials. Default: an empty one, in memory.
    pub fn revocations(mut self, revocations: Revocations) -> Self {
        self.auth.revocations = revocations;
        self
    }

    /// Sets the tickets that `POST /api/v1/tickets` issues. Default: at most 10,000, for 30 s each.
    pub fn tickets(mut self, tickets: Tickets) -> Self {
        self.auth.tickets = tickets;
        self
    }

    /// Sets which tokens allow a subscription, in the `auth` of a subscribe. The subscription ends
    /// when the token expires. Default: none; the hub's authorizer is asked about every `auth`.
    #[cfg(feature = "jwt")]
    pub fn subscription_tokens(mut self, tokens: SubscriptionTokens) -> Self {
        self.auth.subscriptions = Some(tokens);
        self
    }

    /// How long before its token expires a connection is told so, with an `expiring` push. Default
    /// 30 s.
    pub fn expiry_notice(mut self, before: Duration) -> Self {
        self.notice.before = before;
        self
    }

    /// How long after its token has expired a connection is closed with
    /// [`Disconnect::TOKEN_EXPIRED`](crate::Disconnect::TOKEN_EXPIRED), unless it shows a new one.
    /// Default 25 s.
    pub fn expiry_grace(mut self, grace: Duration) -> Self {
        self.notice.grace = grace;
        self
    }

    /// Whether each request is refused from the moment at which the token of its connection has
    /// expired or is revoked, and not only at the end of the connection. Default: it is not.
    pub fn validate_on_message(mut self, validates: bool) -> Self {
        self.validates = validates;
        self
    }

    /// Adds channels that belong to one user each, by their names. Default: none.
    ///
    /// ```
    /// use throng::channels::PrivateChannels;
    /// use throng::{Gateway, Hub};
    ///
    /// let private = PrivateChannels::parse("user.{user}.>")?;
    /// let gateway = Gateway::builder(Hub::new()).private_channels(private).build();
    /// # drop(gateway);
    /// # Ok::<(), throng::channels::InvalidPrivateChannels>(())
    /// ```
    pub fn private_channels(mut self, channels: PrivateChannels) -> Self {
        self.private.push(channels);
        self
    }

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
    /// that come over the REST API or by [`Gateway::execute`] are counted by user and address;
    /// those of the server's side are not. Each channel that an event stream joins is a command.
    /// Default: no limit.
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

    /// How many keys a `gap` lists at most, to every client: those of which it lacks the present
    /// value ([`GapNotices::with_keys`](crate::GapNotices::with_keys)). Default 0; more than 64
    /// count as 64. [`ConnectOptions`] may ask for more for one client.
    pub fn gap_keys(mut self, keys: usize) -> Self {
        self.gap_keys = keys;
        self
    }

    /// Has users, rooms, channels, presence and typing served on top of the hub. Default: none of
    /// them.
    pub fn layers(mut self, layers: Layers) -> Self {
        self.layers = Some(layers);
        self
    }

    /// How streams of server-sent events are kept.
    #[cfg(feature = "sse")]
    pub fn sse(mut self, config: SseConfig) -> Self {
        self.sse = config;
        self
    }

    /// How WebSocket connections are kept.
    pub fn ws(mut self, config: WsConfig) -> Self {
        self.ws = config;
        self
    }

    /// Adds a dialect that WebSocket clients may ask for, by its sub-protocol. Default: only
    /// throng's own. At most [`EncodingSlot::CUSTOM`], each of which takes the next custom slot of
    /// the frames.
    ///
    /// ```
    /// use throng::protocol::{Dialect, Heard, Push, Said};
    /// use throng::{Gateway, Hub, Message};
    ///
    /// struct Echo;
    ///
    /// impl Dialect for Echo {
    ///     fn subprotocols(&self) -> &'static [&'static str] {
    ///         &["echo"]
    ///     }
    ///
    ///     fn hear(&self, message: Message) -> Heard {
    ///         Heard::Answered(message)
    ///     }
    ///
    ///     fn say(&self, _: Push<'_>) -> Said {
    ///         Said::Nothing
    ///     }
    /// }
    ///
    /// let gateway = Gateway::builder(Hub::new()).dialect(&Echo).build();
    /// # drop(gateway);
    /// ```
    pub fn dialect(mut self, dialect: &'static dyn Dialect) -> Self {
        self.dialects.push(dialect);
        self
    }

    /// Whose pages may connect. Default: the server's own.
    pub fn origins(mut self, origins: Origins) -> Self {
        self.origins = origins;
        self
    }

    /// Sets the function from a request that opens a connection to how its client is connected: its
    /// user, its credentials for the hub's authorizer, its outbox. It is called before any
    /// [authenticator](Self::authenticator), whose user stands. It must not block. Default: every
    /// request may open a connection, and has no user.
    pub fn authenticate<F>(mut self, authenticate: F) -> Self
    where
        F: Fn(&Parts) -> Result<ConnectOptions, Unauthenticated> + Send + Sync + 'static,
    {
        self.authenticate = Some(Arc::new(authenticate));
        self
    }

    /// Over which time [`Gateway::drain`] spreads the closing of the connections. Default 5 s;
    /// zero closes all at once.
    pub fn drain_window(mut self, window: Duration) -> Self {
        self.drain_window = window;
        self
    }

    /// Within which time clients that are told to come back should do so, each at a moment of
    /// its own. Default 5 s.
    pub fn reconnect_window(mut self, time: Duration) -> Self {
        self.reconnect_window = time;
        self
    }

    /// Creates the gateway.
    ///
    /// # Panics
    ///
    /// Panics where [`GatewayBuilder::try_build`] fails.
    #[must_use]
    pub fn build(self) -> Gateway {
        match self.try_build() {
            Ok(gateway) => gateway,
            // A mistake in the program, which only an application with dialects can make.
            Err(error) => panic!("{error}"),
        }
    }

    /// Creates the gateway.
    ///
    /// # Errors
    ///
    /// * [`GatewayError::Dialects`]: more than [`EncodingSlot::CUSTOM`] were
    ///   [added](Self::dialect).
    /// * [`GatewayError::Limit`]: a [rate limit](Self::limit) cannot be enforced.
    pub fn try_build(mut self) -> Result<Gateway, GatewayError> {
        let dialects = self.spoken().map_err(GatewayError::Dialects)?;
        let limits = self.rate_limits()?;
        let authority = (!self.auth.authenticators.is_empty())
            .then(|| Authority::new(mem::take(&mut self.auth)));
        let entrance = self.entrance(&limits, authority.as_ref());
        let gateway = Gateway {
            inner: Arc::new(Inner {
                entrance,
                limits,
                moderation: self.moderation,
                listener: Mutex::default(),
                #[cfg(feature = "sse")]
                sse: self.sse,
                #[cfg(feature = "sse")]
                streams: Default::default(),
                ws: self.ws,
                dialects,
                origins: self.origins,
                authenticate: self.authenticate,
                authority,
                drain_window: self.drain_window,
                reconnect_window: self.reconnect_window,
                gap_keys: self.gap_keys,
                registry: Registry::new(),
                totals: Arc::default(),
                flushers: Flushers::default(),
                ticker: Ticker::default(),
                draining: AtomicBool::new(false),
            }),
        };
        gateway.surround();
        gateway.heed_revocations();
        gateway.entrance().guard_rooms();
        Ok(gateway)
    }
}

impl GatewayBuilder {
    /// All dialects, each with the slot of its encoding.
    fn spoken(&self) -> Result<Box<[Spoken]>, TooManyDialects> {
        if self.dialects.len() > EncodingSlot::CUSTOM {
            return Err(TooManyDialects {
                dialects: self.dialects.len(),
            });
        }
        let slots = (0..).map(EncodingSlot::custom);
        let added = self.dialects.iter().zip(slots);
        let added = added.map(|(dialect, slot)| Spoken::new(*dialect, slot));
        Ok(DIALECTS.into_iter().chain(added).collect())
    }

    fn rate_limits(&mut self) -> Result<RateLimits, GatewayError> {
        let clock = Arc::new(SystemClock::new());
        let limits = RateLimits::new(clock, self.max_rate_limited, self.rate_limit_headers);
        for limit in mem::take(&mut self.limits) {
            let name = limit.name().into();
            let added = limits.add(limit);
            added.map_err(|error| GatewayError::Limit { name, error })?;
        }
        Ok(limits)
    }

    /// Where all requests go in.
    fn entrance(&mut self, limits: &RateLimits, authority: Option<&Authority>) -> Arc<Entrance> {
        let private = AllPrivate::new(self.private.clone());
        if let Some(channels) = self.layers.as_ref().and_then(Layers::channels)
            && !private.is_empty()
        {
            channels.set_private(private.clone());
        }
        let door = authority.map(|authority| Arc::new(authority.clone()) as Arc<dyn Door>);
        let badges = authority.map(|_| Badges::new(self.notice));
        let permit = Permit::new(private, door, self.validates);
        let mut policies: Vec<Arc<dyn Policy>> = vec![Arc::new(limits.clone())];
        let limiters = mem::take(&mut self.limiters);
        policies.extend(limiters.into_iter().map(|limiter| limiter(limits)));
        policies.append(&mut self.policies);
        let (hub, layers) = (self.hub.clone(), self.layers.clone());
        let entrance = Entrance::new(hub, layers, self.client_publish, Gate::new(policies));
        let moderation = Arc::<Moderation>::clone(&self.moderation);
        let entrance = entrance
            .guarded(permit, badges)
            .limited_by(Arc::new(limits.clone()))
            .moderated_by(moderation)
            .methods(mem::take(&mut self.rpc));
        for hook in mem::take(&mut self.hooks) {
            entrance.hooks().add(hook);
        }
        Arc::new(entrance)
    }
}

/// The name of the limit of [`GatewayBuilder::max_commands`].
const COMMANDS: &str = "commands";

impl fmt::Debug for GatewayBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayBuilder")
            .field("ws", &self.ws)
            .field("origins", &self.origins)
            .finish_non_exhaustive()
    }
}

/// The error returned when a gateway cannot be created.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GatewayError {
    /// Too many dialects were added.
    Dialects(TooManyDialects),
    /// A rate limit cannot be enforced.
    Limit {
        /// The name of the limit.
        name: Box<str>,
        /// The reason.
        error: InvalidLimit,
    },
}

impl fmt::Display for GatewayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dialects(error) => error.fmt(f),
            Self::Limit { name, error } => write!(f, "rate limit `{name}`: {error}"),
        }
    }
}

impl Error for GatewayError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Dialects(error) => Some(error),
            Self::Limit { error, .. } => Some(error),
        }
    }
}

/// The error returned when more dialects were added to a gateway than frames have slots for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TooManyDialects {
    /// Number of dialects that were added.
    pub dialects: usize,
}

impl fmt::Display for TooManyDialects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (is, limit) = (self.dialects, EncodingSlot::CUSTOM);
        write!(
            f,
            "{is} dialects were added to the gateway, at most {limit} are allowed"
        )
    }
}

impl Error for TooManyDialects {}

/// Why a request may not open a connection: answered with 401.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unauthenticated(Box<str>);

impl Unauthenticated {
    /// With a reason that the client is told.
    pub fn new(reason: impl Into<Box<str>>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for Unauthenticated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Unauthenticated {}
