//! How a gateway is set up.

mod auth;
mod error;
mod policies;

use std::fmt;
use std::mem;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use hyper::http::request::Parts;
use parking_lot::Mutex;

use crate::hub::ConnectOptions;
use crate::hub::EncodingSlot;
use crate::hub::Hub;
use crate::layers::Layers;
use crate::layers::channels::AllPrivate;
use crate::layers::channels::PrivateChannels;
use crate::policy::Limit;
use crate::policy::Moderation;
use crate::policy::RateLimits;
use crate::protocol::DIALECTS;
use crate::protocol::Dialect;
use crate::protocol::Spoken;
use crate::session::Badges;
use crate::session::ClientPublish;
use crate::session::Door;
use crate::session::Entrance;
use crate::session::Gate;
use crate::session::Hook;
use crate::session::Notice;
use crate::session::Permit;
use crate::session::Policy;
use crate::session::Rpc;
use crate::time::SystemClock;
use crate::transport::auth::AuthSettings;
use crate::transport::auth::Authority;
use crate::transport::flusher::Flushers;
use crate::transport::gateway::Gateway;
use crate::transport::gateway::Inner;
use crate::transport::gateway::registry::Registry;
use crate::transport::gateway::ticker::Ticker;
#[cfg(feature = "sse")]
use crate::transport::sse::SseConfig;
use crate::transport::ws::Origins;
use crate::transport::ws::WsConfig;

pub use self::error::GatewayError;
pub use self::error::TooManyDialects;
pub use self::error::Unauthenticated;

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

impl fmt::Debug for GatewayBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayBuilder")
            .field("ws", &self.ws)
            .field("origins", &self.origins)
            .finish_non_exhaustive()
    }
}
