//! A hub with its transports: what a client of any kind connects through.

mod admission;
mod around;
mod builder;
#[cfg(feature = "openapi")]
mod documents;
mod drain;
mod execute;
mod peer;
mod registry;
mod ticker;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::Weak;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::http::request::Parts;
use parking_lot::Mutex;

use crate::disconnect::Disconnect;
use crate::hub::Client;
use crate::hub::ConnectError;
use crate::hub::ConnectOptions;
use crate::hub::Hub;
use crate::hub::Outbox;
use crate::id::ClientId;
use crate::layers::Layers;
use crate::layers::UserId;
use crate::layers::users::UserError;
use crate::limits::GapNotices;
use crate::policy::Filters;
use crate::policy::LimitKey;
use crate::policy::Moderation;
use crate::policy::RateLimits;
#[cfg(feature = "schema")]
use crate::policy::Schemas;
use crate::protocol::Spoken;
use crate::session::Entrance;
use crate::session::Hooks;
use crate::session::Identity;
use crate::transport::auth::Authority;
use crate::transport::flusher::Flushers;
use crate::transport::spread::spread;
#[cfg(feature = "sse")]
use crate::transport::sse::SseConfig;
#[cfg(feature = "sse")]
use crate::transport::sse::Streams;
use crate::transport::stats::AllTotals;
use crate::transport::stats::ConnectionStats;
use crate::transport::stats::Totals;
use crate::transport::stats::Transport;
use crate::transport::stats::TransportStats;
use crate::transport::ws::Origins;
use crate::transport::ws::WsConfig;

use self::around::Listener;
use self::builder::Authenticate;
use self::registry::Registry;
use self::ticker::Ticker;

pub(crate) use self::admission::Admission;
pub(crate) use self::admission::Entering;
pub use self::builder::GatewayBuilder;
pub use self::builder::GatewayError;
pub use self::builder::TooManyDialects;
pub use self::builder::Unauthenticated;
pub(crate) use self::peer::NoRoom;
pub use self::peer::PeerAddress;
pub(crate) use self::peer::arrival;
pub(crate) use self::registry::Probe;
pub(crate) use self::registry::Registration;

/// A hub with its transports: every client that comes over a socket comes through one. A cheap
/// clone.
///
/// ```
/// use throng::session::ClientPublish;
/// use throng::transport::memory;
/// use throng::{ConnectOptions, Gateway, Hub, Layers, Message};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::new();
/// let gateway = Gateway::builder(hub.clone())
///     .layers(Layers::new(&hub))
///     .client_publish(ClientPublish::Refuse)
///     .build();
/// // `Gateway::service` and `handlers::router` put it on sockets. Here, without any:
/// let (conn, mut peer) = memory::pair();
/// tokio::spawn(gateway.serve_conn(conn, ConnectOptions::new()));
/// peer.send(r#"{"type":"subscribe","channel_id":"news"}"#).await?;
/// assert!(peer.recv().await.unwrap().contains("connected"));
/// assert!(peer.recv().await.unwrap().contains("joined"));
///
/// let _delivery = hub.publish("news", Message::text("hello"))?;
/// assert!(peer.recv().await.unwrap().contains("hello"));
/// # Ok(())
/// # }
/// ```
///
/// Its clock runs in the tokio runtime in which it first served a client. When that runtime ends,
/// the clock goes on in another one in which a client has come, or comes later; the hub
/// [logs](crate::HubEvent::ClockMoved) it.
#[derive(Clone)]
pub struct Gateway {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    entrance: Arc<Entrance>,
    limits: RateLimits,
    moderation: Arc<Moderation>,
    /// What the listener of the last server that serves it says of itself.
    listener: Mutex<Option<Listener>>,
    #[cfg(feature = "sse")]
    sse: SseConfig,
    #[cfg(feature = "sse")]
    streams: Streams,
    ws: WsConfig,
    dialects: Box<[Spoken]>,
    origins: Origins,
    authenticate: Option<Authenticate>,
    authority: Option<Authority>,
    drain_window: Duration,
    reconnect_window: Duration,
    gap_keys: usize,
    registry: Registry,
    totals: Arc<AllTotals>,
    flushers: Flushers,
    ticker: Ticker,
    draining: AtomicBool,
}

impl Gateway {
    /// A gateway with all the defaults.
    #[must_use]
    pub fn new(hub: Hub) -> Self {
        Self::builder(hub).build()
    }

    /// A gateway to be set up.
    pub fn builder(hub: Hub) -> GatewayBuilder {
        GatewayBuilder::new(hub)
    }

    /// The hub.
    #[must_use]
    pub fn hub(&self) -> &Hub {
        self.inner.entrance.hub()
    }

    /// What is served on top of the hub.
    #[must_use]
    pub fn layers(&self) -> Option<&Layers> {
        self.inner.entrance.layers()
    }

    /// Returns the rate limits, which can be changed while the gateway serves.
    #[must_use]
    pub fn limits(&self) -> &RateLimits {
        &self.inner.limits
    }

    /// Returns the hooks, which may be added and removed while the gateway serves.
    #[must_use]
    pub fn hooks(&self) -> &Hooks {
        self.inner.entrance.hooks()
    }

    /// Returns the content filters, which may be added and removed while the gateway serves.
    #[must_use]
    pub fn filters(&self) -> &Filters {
        &self.inner.moderation.filters
    }

    /// Returns the schemas, which may be added and removed while the gateway serves.
    #[cfg(feature = "schema")]
    #[must_use]
    pub fn schemas(&self) -> &Schemas {
        &self.inner.moderation.schemas
    }

    /// How streams of server-sent events are kept.
    #[cfg(feature = "sse")]
    #[must_use]
    pub fn sse_config(&self) -> &SseConfig {
        &self.inner.sse
    }

    /// How WebSocket connections are kept.
    #[must_use]
    pub fn ws_config(&self) -> &WsConfig {
        &self.inner.ws
    }

    /// Whose pages may connect.
    #[must_use]
    pub fn origins(&self) -> &Origins {
        &self.inner.origins
    }

    /// How the client of this request is to be connected, as far as
    /// [`GatewayBuilder::authenticate`] says it; authenticators are not asked.
    ///
    /// # Errors
    ///
    /// [`Unauthenticated`], when whatever [`GatewayBuilder::authenticate`] set says so.
    pub fn authenticate(&self, request: &Parts) -> Result<ConnectOptions, Unauthenticated> {
        let options = match &self.inner.authenticate {
            Some(authenticate) => authenticate(request)?,
            None => ConnectOptions::new(),
        };
        Ok(match self.layers() {
            Some(_) => peer::described(options, request),
            None if self.limits().count_by(LimitKey::Address) => peer::addressed(options, request),
            None => options,
        })
    }

    /// Returns whether requests are [authenticated](GatewayBuilder::authenticate).
    #[must_use]
    pub fn authenticates(&self) -> bool {
        self.authority().is_some() || self.inner.authenticate.is_some()
    }

    /// Closes the connections whose identity `is_meant`; returns their number. Connections without
    /// an identity are not asked about.
    pub fn disconnect_where(
        &self,
        why: &Disconnect,
        is_meant: impl Fn(&Identity) -> bool,
    ) -> usize {
        let badges = self.entrance().badges();
        badges.map_or(0, |badges| badges.close(why, is_meant))
    }

    /// What the connections of one transport have done.
    #[must_use]
    pub fn stats(&self, transport: Transport) -> TransportStats {
        self.totals(transport).stats()
    }

    /// What one connection has done; `None` when it is none of this gateway's.
    #[must_use]
    pub fn connection(&self, client: ClientId) -> Option<ConnectionStats> {
        self.inner.registry.stats(client)
    }

    /// How many connections are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.inner.registry.len()
    }

    /// Whether [`Gateway::drain`] has been called: nobody is let in any more.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        // Acquire: pairs with the Release in `drain`, so that who sees it also sees what came
        // before.
        self.inner.draining.load(Ordering::Acquire)
    }

    /// Within which time a client that is told to come back should do so.
    #[must_use]
    pub fn reconnect_window(&self) -> Duration {
        self.inner.reconnect_window
    }

    /// Disconnects the connection that still has this session, if whoever is about to connect with
    /// these options is its user: it counts no more, so that what nobody has found to be dead yet
    /// keeps nobody out.
    pub(crate) fn give_way(&self, session: &str, options: &ConnectOptions) {
        let user = options.user_id().map(UserId::parse).transpose();
        if let (Some(layers), Ok(user), false) = (self.layers(), user, self.is_draining()) {
            layers.give_way(session, user.as_ref());
        }
    }

    /// Connects a client that came over `transport`; its rooms are attached now or later, by
    /// [`Layers::attach`].
    pub(crate) fn enter(
        &self,
        admission: impl Into<Admission>,
        transport: Transport,
        attach: bool,
    ) -> Result<(Client, Outbox, Registration), UserError> {
        let Admission { options, identity } = admission.into();
        if self.is_draining() {
            return Err(UserError::Connect(ConnectError::Closed));
        }
        let keys = self.inner.gap_keys.max(options.gap_keys());
        let notices = GapNotices::ON.with_keys(keys);
        let options = options.join_notices(true).gap_notices(notices);
        let (client, outbox, attendance) = match self.layers() {
            Some(layers) => {
                let connected = layers.enter(options, transport.as_str())?;
                let (client, outbox, attendance) = connected;
                (client, outbox, Some(attendance))
            }
            None => {
                let connected = self.hub().connect(options);
                let (client, outbox) = connected.map_err(UserError::Connect)?;
                (client, outbox, None)
            }
        };
        let registration = Registration::new(self, &client, transport, attendance);
        self.entrance().admit(&client, identity);
        if attach {
            self.entrance().attach(&client, &HashMap::new());
        }
        self.keep_time();
        Ok((client, outbox, registration))
    }

    /// Has the hub and the layers be told the time from now on.
    pub(crate) fn keep_time(&self) {
        self.inner.ticker.start(&Arc::downgrade(&self.inner));
    }

    #[cfg(feature = "sse")]
    pub(crate) fn streams(&self) -> &Streams {
        &self.inner.streams
    }

    /// Has the connection of a client asked for what its socket knows.
    pub(crate) fn watch(&self, client: ClientId, probe: Weak<dyn Probe>) {
        self.inner.registry.watch(client, probe);
    }

    pub(crate) fn entrance(&self) -> &Arc<Entrance> {
        &self.inner.entrance
    }

    pub(crate) fn totals(&self, transport: Transport) -> &Totals {
        self.inner.totals.of(transport)
    }

    pub(crate) fn all_totals(&self) -> Arc<AllTotals> {
        Arc::clone(&self.inner.totals)
    }

    /// The dialects that WebSocket clients may speak besides the native protocol.
    pub(crate) fn dialects(&self) -> &[Spoken] {
        &self.inner.dialects
    }

    pub(crate) fn flushers(&self) -> &Flushers {
        &self.inner.flushers
    }

    /// When a peer that was not let in should come back: another time for each call.
    pub(crate) fn retry_later(&self) -> Duration {
        let random = getrandom::u32().unwrap_or(u32::MAX / 2);
        let part = f64::from(random) / 2_f64.powi(32);
        self.inner.reconnect_window.mul_f64(part)
    }

    /// When a client that is told to come back should do so: the same for the same client, so
    /// that those who leave together do not come back together.
    pub(crate) fn retry_after(&self, client: ClientId) -> Duration {
        self.inner.reconnect_window.mul_f64(spread(client))
    }
}

impl From<Hub> for Gateway {
    fn from(hub: Hub) -> Self {
        Self::new(hub)
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("connections", &self.connections())
            .field("draining", &self.is_draining())
            .finish_non_exhaustive()
    }
}
