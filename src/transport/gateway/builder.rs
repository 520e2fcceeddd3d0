//! How a gateway is set up.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use hyper::http::request::Parts;

use crate::hub::ConnectOptions;
use crate::hub::Hub;
use crate::layers::Layers;
use crate::transport::gateway::Gateway;
use crate::transport::gateway::Inner;
use crate::transport::gateway::registry::Registry;
use crate::transport::gateway::ticker::Ticker;
#[cfg(feature = "sse")]
use crate::transport::sse::SseConfig;
use crate::transport::ws::Flushers;
use crate::transport::ws::Origins;
use crate::transport::ws::WsConfig;

/// Says who sends a request.
pub(super) type Authenticate =
    Arc<dyn Fn(&Parts) -> Result<ConnectOptions, Unauthenticated> + Send + Sync>;

/// A gateway to be.
#[must_use]
pub struct GatewayBuilder {
    hub: Hub,
    layers: Option<Layers>,
    #[cfg(feature = "sse")]
    sse: SseConfig,
    ws: WsConfig,
    origins: Origins,
    authenticate: Option<Authenticate>,
    drain_window: Duration,
    reconnect_within: Duration,
}

impl GatewayBuilder {
    pub(super) fn new(hub: Hub) -> Self {
        Self {
            hub,
            layers: None,
            #[cfg(feature = "sse")]
            sse: SseConfig::new(),
            ws: WsConfig::new(),
            origins: Origins::Same,
            authenticate: None,
            drain_window: Duration::from_secs(5),
            reconnect_within: Duration::from_secs(5),
        }
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

    /// Whose pages may connect. Default: the server's own.
    pub fn origins(mut self, origins: Origins) -> Self {
        self.origins = origins;
        self
    }

    /// Says who sends a request that opens a connection, and how its client is connected: its
    /// user, its credentials, its outbox. Called in the middle of the handshake: it must not
    /// block. Default: everybody may come, and is nobody.
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
    pub fn reconnect_within(mut self, time: Duration) -> Self {
        self.reconnect_within = time;
        self
    }

    /// The gateway.
    #[must_use]
    pub fn build(self) -> Gateway {
        Gateway {
            inner: Arc::new(Inner {
                hub: self.hub,
                layers: self.layers,
                #[cfg(feature = "sse")]
                sse: self.sse,
                #[cfg(feature = "sse")]
                streams: Default::default(),
                ws: self.ws,
                origins: self.origins,
                authenticate: self.authenticate,
                drain_window: self.drain_window,
                reconnect_within: self.reconnect_within,
                registry: Registry::new(),
                totals: Arc::default(),
                flushers: Flushers::default(),
                ticker: Ticker::default(),
                draining: AtomicBool::new(false),
            }),
        }
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
