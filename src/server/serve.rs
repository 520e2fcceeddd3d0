//! Accept, serve, drain.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time;

use crate::server::ServerConfig;
use crate::server::routes;
use crate::server::routes::App;
use crate::transport::Gateway;

/// Serves on `listener` until `shutdown` completes, then drains and returns.
///
/// The gateway is [drained](Gateway::drain), its hub stays open: who made it closes it.
///
/// # Panics
///
/// Outside a tokio runtime whose time driver is enabled.
///
/// # Cancel safety
///
/// Dropped early, nothing is accepted any more and requests under way are dropped. WebSocket
/// connections are the gateway's and go on.
pub async fn serve(
    listener: TcpListener,
    gateway: Gateway,
    config: ServerConfig,
    shutdown: impl Future<Output = ()>,
) {
    let (drain, draining) = watch::channel(false);
    let config = Arc::new(config);
    let app = App {
        gateway: gateway.clone(),
        config: Arc::clone(&config),
    };
    let router = TowerToHyperService::new(routes::router(app));
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let full = connections.len() >= config.max_connections.max(1);
        tokio::select! {
            () = &mut shutdown => break,
            _ = connections.join_next(), if !connections.is_empty() => {}
            accepted = accept(&listener), if !full => {
                let draining = draining.clone();
                let head_timeout = config.head_timeout;
                connections.spawn(converse(accepted, router.clone(), head_timeout, draining));
            }
        }
    }
    drop(listener);
    drain.send_replace(true);
    let drained = async {
        gateway.drain().await;
        while connections.join_next().await.is_some() {}
    };
    // What has not ended by then ends when `connections` is dropped.
    drop(time::timeout(config.drain_timeout, drained).await);
}

/// The next connection. When none can be had, waits before it tries again, since the reason
/// (most often that there are no more file descriptors) does not pass at once.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) if is_of_one_connection(&error) => {}
            Err(_) => time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// One connection: HTTP, until it ends or is upgraded.
async fn converse(
    stream: TcpStream,
    router: TowerToHyperService<Router>,
    head_timeout: Duration,
    mut draining: watch::Receiver<bool>,
) {
    // Messages are small and each is written whole: there is nothing to wait for.
    drop(stream.set_nodelay(true));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), router)
        .with_upgrades();
    let mut connection = pin!(connection);
    tokio::select! {
        ended = &mut connection => return drop(ended),
        _ = draining.wait_for(|draining| *draining) => {}
    }
    connection.as_mut().graceful_shutdown();
    drop(connection.await);
}

/// The largest head of a request, in bytes.
const MAX_HEAD: usize = 16 * 1024;
