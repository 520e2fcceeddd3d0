//! The server in one line.

use std::future::Future;

use crate::server;
use crate::server::Listener;
use crate::server::ServerConfig;
use crate::transport::Gateway;

/// Serves a hub or a gateway on `listener` until `shutdown` completes, then drains and returns:
/// [`server::serve`] with all the defaults.
///
/// ```no_run
/// use throng::Hub;
/// use tokio::net::TcpListener;
///
/// # #[tokio::main]
/// # async fn main() -> std::io::Result<()> {
/// let hub = Hub::new();
/// let listener = TcpListener::bind("127.0.0.1:8080").await?;
/// let shutdown = async { drop(tokio::signal::ctrl_c().await) };
/// throng::serve(listener, hub, shutdown).await;
/// # Ok(())
/// # }
/// ```
///
/// # Cancel safety
///
/// As [`server::serve`].
///
/// # Panics
///
/// Outside a tokio runtime whose time driver is enabled.
pub async fn serve(
    listener: impl Listener,
    gateway: impl Into<Gateway>,
    shutdown: impl Future<Output = ()>,
) {
    server::serve(listener, gateway, ServerConfig::new(), shutdown).await;
}
