//! One connection from accept to close.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::sync::watch;
use tokio::time;

use crate::server::ServerConfig;
use crate::server::accept::Accepting;
use crate::server::http::Http;
use crate::server::permits::Permit;
use crate::server::permits::Permits;

/// What serves connections.
#[derive(Debug)]
pub(super) struct Connections {
    accepting: Arc<Accepting>,
    config: Arc<ServerConfig>,
    /// Turns true when the server drains.
    draining: watch::Receiver<bool>,
    http: Arc<Http>,
    permits: Arc<Permits>,
}

impl Connections {
    pub(super) fn new(
        accepting: Arc<Accepting>,
        config: Arc<ServerConfig>,
        http: Http,
        draining: watch::Receiver<bool>,
    ) -> Self {
        Self {
            accepting,
            permits: Permits::new(config.max_connections, config.max_connections_per_ip),
            config,
            draining,
            http: Arc::new(http),
        }
    }

    pub(super) fn accepting(&self) -> &Accepting {
        &self.accepting
    }

    pub(super) fn config(&self) -> &ServerConfig {
        &self.config
    }

    pub(super) fn permits(&self) -> &Arc<Permits> {
        &self.permits
    }

    /// Serves one connection until it ends or is handed over to a task of its own.
    pub(super) async fn serve<IO>(&self, io: IO, peer: Option<IpAddr>, permit: Permit)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let permit = Arc::new(permit);
        let Some(tls) = &self.config.tls else {
            return self.http.serve(io, peer, permit).await;
        };
        let mut draining = self.draining.clone();
        let handshake = time::timeout(
            self.config.head_timeout,
            tls.accept(io, self.config.unsent_mark),
        );
        let handshake = tokio::select! {
            handshake = handshake => handshake,
            _ = draining.wait_for(|draining| *draining) => return,
        };
        match handshake {
            Ok(Ok(io)) => self.http.serve(io, peer, permit).await,
            // Too late, or no TLS that we speak.
            Ok(Err(_)) | Err(_) => self.accepting.no_tls(),
        }
    }
}
