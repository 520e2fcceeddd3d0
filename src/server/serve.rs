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
use crate::server::routes;
use crate::server::routes::App;
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
    let gateway = gateway.into();
    gateway.keep_time();
    let (drain, draining) = watch::channel(false);
    let config = Arc::new(config);
    let accepting = Arc::<Accepting>::default();
    let (listener_stats, mark) = (Arc::downgrade(&accepting), config.unsent_mark);
    gateway.listens(move || Some(listener_stats.upgrade()?.view(mark)));
    let app = App {
        config: Arc::clone(&config),
        gateway: gateway.clone(),
    };
    // A user that is believed without credentials is as good as none.
    let is_open = config.development || !gateway.authenticates();
    let refuses_proxies = is_open && !config.allow_untrusted_proxies;
    let edge = Edge::new(&config, refuses_proxies, listener.local_address());
    let http = Http::new(
        routes::router(app),
        Arc::clone(&config),
        edge,
        draining.clone(),
    );
    let connections = Connections::new(accepting, Arc::clone(&config), http, draining.clone());
    let connections = Arc::new(connections);
    let mut tasks = JoinSet::new();
    accept_with(listener, &connections, &draining, &mut tasks);
    watch_files(&config, shutdown).await;

    drain.send_replace(true);
    let drained = async {
        gateway.drain().await;
        while tasks.join_next().await.is_some() {}
        connections.permits().returned().await;
    };
    // What has not ended by then ends when `tasks` is dropped.
    drop(time::timeout(config.drain_timeout, drained).await);
}

/// Starts the acceptors.
fn accept_with<L: Listener>(
    listener: L,
    connections: &Arc<Connections>,
    draining: &watch::Receiver<bool>,
    tasks: &mut JoinSet<()>,
) {
    let listener = Arc::new(listener);
    let acceptors = connections.config().acceptors;
    for _ in 0..acceptors.map_or_else(cores, |acceptors| acceptors.get()) {
        let listener = Arc::clone(&listener);
        tasks.spawn(accept::accept(
            listener,
            Arc::clone(connections),
            draining.clone(),
        ));
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
