//! One connection that speaks HTTP, until it ends or becomes something else.

use std::any::Any;
use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::Response;
use hyper::body::Incoming;
use hyper::header;
use hyper::service::Service;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::sync::watch;
use tokio::time;

use crate::server::ServerConfig;
use crate::server::activity::Activity;
use crate::server::activity::Answer;
use crate::server::deadline::Deadline;
use crate::server::inbound::Inbound;
use crate::transport::PeerAddress;
use crate::transport::ws::Carrier;
use crate::transport::ws::Handover;
use crate::transport::ws::recover;

/// What all connections have in common.
#[derive(Debug)]
pub(super) struct Http {
    builder: auto::Builder<TokioExecutor>,
    router: Router,
    config: Arc<ServerConfig>,
    /// Turns true when the server drains.
    draining: watch::Receiver<bool>,
}

impl Http {
    pub(super) fn new(
        router: Router,
        config: Arc<ServerConfig>,
        draining: watch::Receiver<bool>,
    ) -> Self {
        let max_head = config.max_head.max(MIN_HEAD);
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(config.head_timeout)
            .max_buf_size(max_head)
            .max_headers(config.max_headers);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_header_list_size(u32::try_from(max_head).unwrap_or(u32::MAX))
            .max_concurrent_streams(config.max_streams)
            .keep_alive_interval(config.write_timeout)
            .keep_alive_timeout(config.write_timeout);
        Self {
            builder,
            router,
            config,
            draining,
        }
    }

    /// Serves one connection until it ends, or until it is handed over. `permit` is dropped when
    /// the connection ends, whatever it has become.
    pub(super) async fn serve<IO>(
        &self,
        io: IO,
        peer: Option<IpAddr>,
        permit: Arc<dyn Any + Send + Sync>,
    ) where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = Activity::default();
        let io = Deadline::new(io, self.config.write_timeout, activity.clone());
        let service = Routes {
            router: TowerToHyperService::new(self.router.clone()),
            activity: activity.clone(),
            peer: peer.map(PeerAddress),
            carrier: Carrier::new(take::<IO>, permit),
            body_timeout: self.config.body_timeout,
        };
        let connection = self
            .builder
            .serve_connection_with_upgrades(TokioIo::new(io), service);
        let mut connection = pin!(connection);
        let mut draining = self.draining.clone();
        let mut ending = false;
        let mut events = 0;
        let mut tick = time::interval(self.config.head_timeout.max(MIN_TICK));
        tick.reset();
        loop {
            tokio::select! {
                // An error: whose it is, no more can be said to it.
                ended = connection.as_mut() => return drop(ended),
                _ = draining.wait_for(|draining| *draining), if !ending => {}
                _ = tick.tick() => {
                    let idle = activity.events() == events && activity.is_idle(OWNERS);
                    events = activity.events();
                    if !idle {
                        continue;
                    }
                    if ending {
                        return;
                    }
                }
            }
            ending = true;
            connection.as_mut().graceful_shutdown();
        }
    }
}

/// The smallest limit that hyper knows.
const MIN_HEAD: usize = 8 * 1024;

/// How often to look at least whether a connection is used.
const MIN_TICK: Duration = Duration::from_millis(1);

/// Who has an activity apart from requests: the connection, its stream and its service.
const OWNERS: usize = 3;

/// Serves what a connection has become on the bare stream.
fn take<IO>(handover: Handover, upgraded: Upgraded)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // An error: it came over something else, which happens to none of ours.
    if let Ok((io, buffered)) = recover::<Deadline<IO>>(upgraded) {
        handover.serve(io.into_inner(), &buffered);
    }
}

/// The router for the requests of one connection.
#[derive(Debug)]
struct Routes {
    router: TowerToHyperService<Router>,
    activity: Activity,
    peer: Option<PeerAddress>,
    carrier: Carrier,
    body_timeout: Duration,
}

impl Service<Request<Incoming>> for Routes {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        if request.headers().contains_key(header::UPGRADE) {
            request.extensions_mut().insert(self.carrier.clone());
        }
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(peer);
        }
        let active = self.activity.begin();
        let (router, body_timeout) = (self.router.clone(), self.body_timeout);
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = Inbound::within(body_timeout, body).await;
            let response = router.call(Request::from_parts(parts, body)).await?;
            Ok(response.map(|body| Answer::new(body, active)))
        })
    }
}

#[cfg(test)]
mod tests;
