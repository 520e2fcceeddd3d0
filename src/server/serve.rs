//! Accept, serve, drain.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use hyper_util::service::TowerToHyperService;
use hyper_util::service::TowerToHyperServiceFuture;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time;

use crate::hub::Hub;
use crate::server::ServerConfig;
use crate::server::routes;
use crate::server::routes::App;
use crate::server::socket::Afterwards;

/// Serves on `listener` until `shutdown` completes, then drains and returns.
///
/// The hub stays open: who made it closes it. Its clients that came over this server are closed
/// with 3001.
///
/// # Panics
///
/// Outside a tokio runtime whose time driver is enabled.
///
/// # Cancel safety
///
/// Dropped early, every connection is dropped with it, without a close frame.
pub async fn serve(
    listener: TcpListener,
    hub: Hub,
    config: ServerConfig,
    shutdown: impl Future<Output = ()>,
) {
    let (drain, draining) = watch::channel(false);
    let config = Arc::new(config);
    let app = App {
        hub,
        config: Arc::clone(&config),
        draining,
    };
    let router = TowerToHyperService::new(routes::router(app.clone()));
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let full = connections.len() >= config.max_connections.max(1);
        tokio::select! {
            () = &mut shutdown => break,
            _ = connections.join_next(), if !connections.is_empty() => {}
            accepted = accept(&listener), if !full => {
                connections.spawn(converse(accepted, router.clone(), app.clone()));
            }
        }
    }
    drop(listener);
    drain.send_replace(true);
    let drained = async { while connections.join_next().await.is_some() {} };
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

/// One connection: HTTP, and what the last request made of it.
async fn converse(stream: TcpStream, router: TowerToHyperService<Router>, app: App) {
    // Messages are small and each is written whole: there is nothing to wait for.
    drop(stream.set_nodelay(true));
    let afterwards = Afterwards::default();
    let service = WithAfterwards {
        router,
        afterwards: afterwards.clone(),
    };
    if speak_http(stream, service, app).await.is_ok()
        && let Some(session) = afterwards.take()
    {
        session.await;
    }
}

async fn speak_http(stream: TcpStream, service: WithAfterwards, app: App) -> hyper::Result<()> {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(app.config.head_timeout)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let mut draining = app.draining.clone();
    tokio::select! {
        ended = &mut connection => return ended,
        _ = draining.wait_for(|draining| *draining) => {}
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}

/// The largest head of a request, in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// The router, told which connection a request came over.
struct WithAfterwards {
    router: TowerToHyperService<Router>,
    afterwards: Afterwards,
}

impl Service<Request<Incoming>> for WithAfterwards {
    type Response = axum::response::Response;
    type Error = Infallible;
    type Future = TowerToHyperServiceFuture<Router, Request<Incoming>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.afterwards.clone());
        self.router.call(request)
    }
}
