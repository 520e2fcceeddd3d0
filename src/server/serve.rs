//! Accept, serve, drain.

use std::future;
use std::future::Future;
use std::sync::Arc;
use std::thread;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time;

use crate::server::Listener;
use crate::server::ServerConfig;
use crate::server::accept;
use crate::server::accept::Accepting;
use crate::server::connection::Connections;
use crate::server::edge::Edge;
use crate::server::http::Http;
use crate::server::permits::Permits;
use crate::server::routes;
use crate::server::routes::App;
use crate::server::routes::Surface;
use crate::transport::Gateway;

/// Serves on `listener` until `shutdown` completes, then drains and returns.
///
/// The gateway is [drained](Gateway::drain), its hub stays open: who made it closes it.
///
/// ```no_run
/// use std::time::Duration;
///
/// use throng::server::{self, ServerConfig};
/// use throng::{Gateway, Hub};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let stopped = std::future::pending();
/// let gateway = Gateway::builder(Hub::new())
///     .drain_window(Duration::from_secs(20))
///     .build();
/// let config = ServerConfig::new()
///     .max_connections_per_ip(Some(100))
///     .drain_timeout(Duration::from_secs(30));
/// let listener = server::listen("0.0.0.0:8080".parse()?, 4096)?;
/// server::serve(listener, gateway, config, stopped).await;
/// # Ok(())
/// # }
/// ```
///
/// # Panics
///
/// Outside a tokio runtime whose time driver is enabled.
///
/// # Cancel safety
///
/// Dropped early, nothing is accepted any more and requests under way are dropped. WebSocket
/// connections and event streams over HTTP/1.1 are the gateway's and go on.
pub async fn serve(
    listener: impl Listener,
    gateway: impl Into<Gateway>,
    config: ServerConfig,
    shutdown: impl Future<Output = ()>,
) {
    let mut server = Server::new(gateway.into(), config);
    server.open(listener, Surface::Whole);
    server.run(shutdown).await;
}

/// [`serve`] on two listeners, one for clients and one for the API.
///
/// `listener` has `/ws`, `/sse` and health only; `api` has everything. Let `listener` face the
/// network, and `api` those that run the service.
///
/// Each listener has limits on connections of its own, both those of `config`. The PROXY protocol
/// is spoken on `listener` only.
///
/// ```no_run
/// use throng::Hub;
/// use throng::server::{self, ServerConfig};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let stopped = std::future::pending();
/// let listener = server::listen("0.0.0.0:8080".parse()?, 4096)?;
/// let api = server::listen("127.0.0.1:9090".parse()?, 128)?;
/// server::serve_apart(listener, api, Hub::new(), ServerConfig::new(), stopped).await;
/// # Ok(())
/// # }
/// ```
///
/// # Panics
///
/// As [`serve`].
///
/// # Cancel safety
///
/// As [`serve`].
pub async fn serve_apart(
    listener: impl Listener,
    api: impl Listener,
    gateway: impl Into<Gateway>,
    config: ServerConfig,
    shutdown: impl Future<Output = ()>,
) {
    let mut server = Server::new(gateway.into(), config);
    server.open(listener, Surface::Clients);
    server.open(api, Surface::Api);
    server.run(shutdown).await;
}

/// A gateway on its listeners.
struct Server {
    gateway: Gateway,
    config: Arc<ServerConfig>,
    accepting: Arc<Accepting>,
    drain: watch::Sender<bool>,
    permits: Vec<Arc<Permits>>,
    tasks: JoinSet<()>,
}

impl Server {
    fn new(gateway: Gateway, config: ServerConfig) -> Self {
        gateway.keep_time();
        let accepting = Arc::<Accepting>::default();
        let (stats, mark) = (Arc::downgrade(&accepting), config.unsent_mark);
        gateway.listens(move || Some(stats.upgrade()?.view(mark)));
        Self {
            gateway,
            config: Arc::new(config),
            accepting,
            drain: watch::Sender::new(false),
            permits: Vec::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Starts to accept connections.
    fn open<L: Listener>(&mut self, listener: L, surface: Surface) {
        let Self {
            gateway, config, ..
        } = self;
        // A user that is believed without credentials is as good as none.
        let is_open = config.development || !gateway.authenticates();
        let edge = Edge::new(
            config,
            is_open && !config.allow_untrusted_proxies,
            listener.local_address(),
            gateway.reconnect_window(),
        );
        let app = App {
            config: Arc::clone(config),
            gateway: gateway.clone(),
            draining: self.drain.subscribe(),
        };
        let router = routes::router(app, surface);
        let http = Http::new(router, Arc::clone(config), edge, self.drain.subscribe());
        let connections = Arc::new(Connections::new(
            Arc::clone(&self.accepting),
            Arc::clone(config),
            http,
            config.proxy_protocol && surface != Surface::Api,
            self.drain.subscribe(),
        ));
        self.permits.push(Arc::clone(connections.permits()));
        let listener = Arc::new(listener);
        let acceptors = config.acceptors;
        for _ in 0..acceptors.map_or_else(cores, |acceptors| acceptors.get()) {
            self.tasks.spawn(accept::accept(
                Arc::clone(&listener),
                Arc::clone(&connections),
                self.drain.subscribe(),
            ));
        }
    }

    /// Serves until the end, and drains.
    async fn run(mut self, end: impl Future<Output = ()>) {
        watch_files(&self.config, end).await;
        self.drain.send_replace(true);
        let drained = async {
            self.gateway.drain().await;
            while self.tasks.join_next().await.is_some() {}
            for permits in &self.permits {
                permits.returned().await;
            }
        };
        // What has not ended by then ends when `tasks` is dropped.
        drop(time::timeout(self.config.drain_timeout, drained).await);
    }
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, |cores| cores.get())
}

/// Waits for the end, and meanwhile looks whether the certificate changes.
async fn watch_files(config: &ServerConfig, end: impl Future<Output = ()>) {
    let watching = async {
        match &config.tls {
            Some(tls) => tls.watch().await,
            None => future::pending().await,
        }
    };
    tokio::select! {
        () = end => {}
        never = watching => match never {},
    }
}
