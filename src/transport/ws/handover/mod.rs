//! From an HTTP request to a client of the hub, whatever serves HTTP.

#[cfg(feature = "server")]
use std::any::Any;
use std::fmt;
#[cfg(feature = "server")]
use std::sync::Arc;

use bytes::Bytes;
use hyper::Request;
use hyper::Response;
use hyper::upgrade::OnUpgrade;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

use crate::hub::ConnectOptions;
use crate::transport::gateway::Gateway;
use crate::transport::problem::Problem;
use crate::transport::ws;
use crate::transport::ws::Negotiated;
use crate::transport::ws::UpgradeError;
use crate::transport::ws::connection::Hold;

impl Gateway {
    /// Answers a request for a WebSocket connection, under any server built on hyper: axum,
    /// hyper itself, anything of tower.
    ///
    /// The response is to be sent as it is, with an empty body. Then the connection is served in
    /// a task of its own, and that of HTTP ends. A plain `TcpStream` is recovered from under
    /// HTTP; any other stream is served through hyper's.
    ///
    /// # Errors
    ///
    /// The answer to a request that cannot be served: one that is no WebSocket handshake, that a
    /// page of a foreign origin makes, that [is not let in](crate::GatewayBuilder::authenticate),
    /// or that comes while the gateway [drains](Self::is_draining).
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime whose time driver is enabled.
    pub fn websocket<B>(&self, request: Request<B>) -> Result<Response<()>, Problem> {
        if self.is_draining() {
            return Err(Problem::draining(self.reconnect_window()));
        }
        let (mut parts, _) = request.into_parts();
        let on_upgrade = parts.extensions.remove::<OnUpgrade>();
        let carrier = parts.extensions.remove::<Carrier>().unwrap_or_default();
        let request = Request::from_parts(parts, ());
        let (response, accepted) =
            ws::negotiate(&request, self.origins(), self.ws_config(), self.dialects())?;
        let options = self.authenticate(&request.into_parts().0)?;
        let on_upgrade = on_upgrade.ok_or(UpgradeError::NotWebSocket)?;
        let gateway = self.clone();
        tokio::spawn(async move {
            // An error: the client has gone before it was answered.
            if let Ok(upgraded) = on_upgrade.await {
                let handover = Handover {
                    gateway,
                    accepted,
                    options,
                    hold: carrier.hold,
                };
                (carrier.take)(handover, upgraded);
            }
        });
        Ok(response)
    }
}

/// What a request came over, left in its extensions by a server that knows.
#[derive(Clone)]
pub(crate) struct Carrier {
    take: fn(Handover, Upgraded),
    hold: Hold,
}

impl Carrier {
    /// A stream that `take` recovers and [serves](Handover::serve); `hold` is dropped when the
    /// connection has ended.
    #[cfg(feature = "server")]
    pub(crate) fn new(take: fn(Handover, Upgraded), hold: Arc<dyn Any + Send + Sync>) -> Self {
        Self {
            take,
            hold: Some(hold),
        }
    }
}

impl Default for Carrier {
    fn default() -> Self {
        Self {
            take: |handover, upgraded| match recover::<TcpStream>(upgraded) {
                Ok((io, buffered)) => {
                    // Messages are small and each is written whole: there is nothing to wait for.
                    drop(io.set_nodelay(true));
                    handover.serve(io, &buffered);
                }
                Err(upgraded) => handover.serve(TokioIo::new(upgraded), &[]),
            },
            hold: None,
        }
    }
}

impl fmt::Debug for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Carrier").finish_non_exhaustive()
    }
}

/// A connection between HTTP and WebSocket.
pub(crate) struct Handover {
    gateway: Gateway,
    accepted: Negotiated,
    options: ConnectOptions,
    hold: Hold,
}

impl Handover {
    /// Serves the connection in a task that holds nothing of HTTP.
    pub(crate) fn serve<IO>(self, io: IO, buffered: &[u8])
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self {
            gateway,
            accepted,
            options,
            hold,
        } = self;
        tokio::spawn(gateway.serve_held(io, buffered, &accepted, options, hold));
    }
}

/// The stream under an upgraded connection and what was read from it, if it is one of these.
pub(crate) fn recover<IO>(upgraded: Upgraded) -> Result<(IO, Bytes), Upgraded>
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
{
    match auto::upgrade::downcast::<TokioIo<IO>>(upgraded) {
        Ok(parts) => Ok((parts.io.into_inner(), parts.read_buf)),
        Err(upgraded) => {
            let parts = upgraded.downcast::<TokioIo<IO>>()?;
            Ok((parts.io.into_inner(), parts.read_buf))
        }
    }
}

#[cfg(test)]
mod tests;
