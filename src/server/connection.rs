//! One connection from accept to close.

use std::any::Any;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::sync::watch;
use tokio::time;

use crate::server::ServerConfig;
use crate::server::accept::Accepting;
use crate::server::edge::preamble;
use crate::server::http::Http;
use crate::server::peer::Peer;
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
    /// Whether trusted proxies begin with a PROXY header.
    has_preambles: bool,
}

impl Connections {
    pub(super) fn new(
        accepting: Arc<Accepting>,
        config: Arc<ServerConfig>,
        http: Http,
        has_preambles: bool,
        draining: watch::Receiver<bool>,
    ) -> Self {
        Self {
            accepting,
            config,
            draining,
            http: Arc::new(http),
            has_preambles,
        }
    }

    pub(super) fn accepting(&self) -> &Accepting {
        &self.accepting
    }

    pub(super) fn config(&self) -> &ServerConfig {
        &self.config
    }

    pub(super) fn permits(&self) -> &Arc<Permits> {
        self.http.permits()
    }

    /// Returns a permit for a connection from `address`, or `None` where it is closed at once. Of
    /// a trusted proxy, the clients are counted that it forwards, and not the proxy.
    pub(super) async fn permit(&self, address: Option<IpAddr>) -> Option<Permit> {
        let is_proxy = self.http.edge().trusts(address);
        self.permits().permit(address.filter(|_| !is_proxy)).await
    }

    /// Serves one connection until it ends or is handed over to a task of its own.
    pub(super) async fn serve<IO>(&self, io: IO, address: Option<IpAddr>, permit: Permit)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let is_busy = permit.is_spare();
        let peer = Peer {
            address,
            is_busy,
            hold: Arc::new(permit),
        };
        let serving = self.announced(io, peer);
        if is_busy {
            // There are few spare permits: who takes its time makes room for others.
            let most = MOST_BUSY.min(self.config.head_timeout);
            drop(time::timeout(most, serving).await);
        } else {
            serving.await;
        }
    }

    /// Reads the PROXY header, where there is to be one.
    async fn announced<IO>(&self, mut io: IO, mut peer: Peer)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        if self.has_preambles && self.http.edge().trusts(peer.address) {
            let preamble = time::timeout(self.config.head_timeout, preamble::read(&mut io));
            let Ok(Ok(client)) = preamble.await else {
                return self.accepting.refused();
            };
            if let Some(client) = client {
                match self.permits().place(Some(client)) {
                    Ok(Some(place)) => {
                        let both: Arc<dyn Any + Send + Sync> = Arc::new((place, peer.hold));
                        peer.hold = both;
                    }
                    Ok(None) => {}
                    Err(_) => peer.is_busy = true,
                }
                peer.is_busy |= !self.permits().admit_from(client);
                peer.address = Some(client);
            }
        }
        self.encrypted(io, peer).await;
    }

    async fn encrypted<IO>(&self, io: IO, peer: Peer)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Some(tls) = &self.config.tls else {
            return self.http.serve(io, peer).await;
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
            Ok(Ok(io)) => self.http.serve(io, peer).await,
            // Too late, or no TLS that we speak.
            Ok(Err(_)) | Err(_) => self.accepting.no_tls(),
        }
    }
}

/// How long a connection may take for which there is no room, at most.
const MOST_BUSY: Duration = Duration::from_secs(2);
