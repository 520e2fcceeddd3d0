//! From an HTTP request to a client of the hub, whatever serves HTTP.

#[cfg(feature = "server")]
use std::any::Any;
use std::fmt;
#[cfg(feature = "server")]
use std::sync::Arc;

use bytes::Bytes;
use hyper::Request;
use hyper::Response;
use hyper::header;
use hyper::http::request::Parts;
use hyper::upgrade::OnUpgrade;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

use crate::disconnect::Disconnect;
use crate::transport::auth;
use crate::transport::gateway::Admission;
use crate::transport::gateway::Entering;
use crate::transport::gateway::Gateway;
use crate::transport::gateway::NoRoom;
use crate::transport::gateway::PeerAddress;
use crate::transport::problem::Problem;
use crate::transport::ws;
use crate::transport::ws::Negotiated;
use crate::transport::ws::UpgradeError;
use crate::transport::ws::connection::Hold;
use crate::transport::ws::lobby::Waiting;

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
    /// or that comes while the gateway [drains](Self::is_draining). A request of a page (with an
    /// `Origin`) whose credentials are refused is switched all the same, and the connection closed
    /// with a code: a page cannot read the status of such a response.
    ///
    /// # Panics
    ///
    /// The future panics outside a tokio runtime whose time driver is enabled.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, no client is connected.
    pub fn websocket<B>(
        &self,
        request: Request<B>,
    ) -> impl Future<Output = Result<Response<()>, Problem>> + Send + use<B> {
        let gateway = self.clone();
        let parts = request.into_parts().0;
        async move { gateway.switch(parts).await }
    }

    async fn switch(self, mut parts: Parts) -> Result<Response<()>, Problem> {
        if self.is_draining() {
            return Err(Problem::draining(self.reconnect_window()));
        }
        let on_upgrade = parts.extensions.remove::<OnUpgrade>();
        let carrier = parts.extensions.remove::<Carrier>().unwrap_or_default();
        let request = Request::from_parts(parts, ());
        let (response, accepted) =
            ws::negotiate(&request, self.origins(), self.ws_config(), self.dialects())?;
        let begin = self.begin(&request.into_parts().0, &accepted).await?;
        let on_upgrade = on_upgrade.ok_or(UpgradeError::NotWebSocket)?;
        tokio::spawn(async move {
            // An error: the client has gone before it was answered.
            if let Ok(upgraded) = on_upgrade.await {
                let handover = Handover {
                    gateway: self,
                    accepted,
                    begin,
                    hold: carrier.hold,
                };
                (carrier.take)(handover, upgraded);
            }
        });
        Ok(response)
    }

    /// Decides how a connection begins.
    async fn begin(&self, request: &Parts, accepted: &Negotiated) -> Result<Begin, Problem> {
        if request.extensions.get::<NoRoom>().is_some() {
            return Ok(Begin::Refused(Disconnect::BUSY));
        }
        let is_page = request.headers.contains_key(header::ORIGIN);
        let (refusal, options) = match self.entering(request).await? {
            Entering::Admitted(admission) => return Ok(Begin::Admitted(admission)),
            Entering::Refused(refusal) => (refusal, None),
            Entering::Unknown(options) => (auth::missing(), Some(options)),
        };
        let native = options.filter(|_| !accepted.has_dialect());
        if let Some((options, authority)) = native.zip(self.authority()) {
            let address = request.extensions.get();
            let address = address.map(|PeerAddress(address)| *address);
            return match authority.places().take(address) {
                Some(place) => Ok(Begin::Waiting(Waiting {
                    options,
                    authority: authority.clone(),
                    place,
                    address,
                })),
                None if is_page => Ok(Begin::Refused(Disconnect::BUSY)),
                None => Err(Problem::busy(self.reconnect_window())),
            };
        }
        if is_page {
            return Ok(Begin::Refused(refusal.close().clone()));
        }
        Err(Problem::refused(&refusal))
    }
}

/// How a connection begins.
enum Begin {
    Admitted(Admission),
    /// It is told why it is closed.
    Refused(Disconnect),
    /// It waits in the lobby.
    Waiting(Waiting),
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
    begin: Begin,
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
            begin,
            hold,
        } = self;
        match begin {
            Begin::Admitted(admission) => {
                tokio::spawn(gateway.serve_held(io, buffered, &accepted, admission, hold));
            }
            Begin::Refused(why) => {
                let refused = gateway.turn_away(io, &accepted, &why);
                tokio::spawn(async move {
                    refused.await;
                    drop(hold);
                });
            }
            Begin::Waiting(waiting) => {
                tokio::spawn(gateway.wait(io, buffered.into(), accepted, waiting, hold));
            }
        }
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
