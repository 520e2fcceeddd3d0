//! One connection that speaks HTTP, until it ends or becomes something else.
//!
//! hyper's own builder for both versions can give no connection back before it ends. So the version
//! is found out here, by the first bytes, and hyper is asked for the one or the other. A stream of
//! events over HTTP/1.1 then leaves hyper with its socket, and the connection comes back when the
//! stream has ended.

mod linger;
mod preface;
mod requests;

use std::future::Future;
use std::pin::Pin;
use std::pin::pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use hyper::server::conn::http1;
use hyper::server::conn::http1::Parts;
use hyper::server::conn::http1::UpgradeableConnection;
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
use crate::server::connects::Connects;
use crate::server::deadline::Deadline;
use crate::server::edge::Edge;
use crate::server::peer::Peer;
use crate::server::permits::Permits;
use crate::time::SystemClock;
use crate::transport::sse;
use crate::transport::sse::Terms;
use crate::transport::ws::Handover;
use crate::transport::ws::recover;

use self::preface::Preface;
use self::requests::Routes;

/// What all connections have in common.
#[derive(Debug)]
pub(super) struct Http {
    http1: http1::Builder,
    http2: auto::Builder<TokioExecutor>,
    router: Router,
    config: Arc<ServerConfig>,
    edge: Arc<Edge>,
    permits: Arc<Permits>,
    /// Turns true when the server drains.
    draining: watch::Receiver<bool>,
}

impl Http {
    pub(super) fn new(
        router: Router,
        config: Arc<ServerConfig>,
        edge: Edge,
        draining: watch::Receiver<bool>,
    ) -> Self {
        let max_head = config.max_head.max(MIN_HEAD);
        let permits = Permits::new(
            config.max_connections,
            config.spare_connections,
            config.max_connections_per_ip,
            Connects::new(
                Arc::new(SystemClock::new()),
                config.max_connects_per_second,
                config.max_connects_per_ip,
            ),
        );
        let mut http1 = http1::Builder::new();
        http1
            .timer(TokioTimer::new())
            .header_read_timeout(config.head_timeout)
            .max_buf_size(max_head)
            .max_headers(config.max_headers);
        let mut http2 = auto::Builder::new(TokioExecutor::new()).http2_only();
        http2
            .http2()
            .timer(TokioTimer::new())
            .max_header_list_size(u32::try_from(max_head).unwrap_or(u32::MAX))
            .max_concurrent_streams(config.max_streams)
            .keep_alive_interval(config.write_timeout)
            .keep_alive_timeout(config.write_timeout);
        if let Some(mark) = config.unsent_mark {
            // By itself, hyper takes 400 KiB of each answer.
            let most = mark.get().max(MIN_SEND) as usize;
            http2.http2().max_send_buf_size(most);
        }
        Self {
            http1,
            http2,
            router,
            config,
            edge: Arc::new(edge),
            permits,
            draining,
        }
    }

    pub(super) fn edge(&self) -> &Edge {
        &self.edge
    }

    pub(super) fn permits(&self) -> &Arc<Permits> {
        &self.permits
    }

    /// Serves one connection until it ends, or until it is handed over.
    pub(super) async fn serve<IO>(self: &Arc<Self>, mut io: IO, peer: Peer)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut draining = self.draining.clone();
        let preface = time::timeout(self.config.head_timeout, Preface::read(&mut io));
        let preface = tokio::select! {
            preface = preface => preface,
            _ = draining.wait_for(|draining| *draining) => return,
        };
        match preface {
            Ok(Ok(Preface::Http1(unread))) => self.serve_http1(io, unread, peer).await,
            Ok(Ok(Preface::Http2(unread))) => self.serve_http2(io, unread, peer).await,
            // It has sent nothing in time.
            Ok(Err(_)) | Err(_) => {}
        }
    }

    async fn serve_http1<IO>(self: &Arc<Self>, io: IO, unread: Bytes, peer: Peer)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (io, service) = self.parts(io, unread, &peer);
        let activity = service.activity.clone();
        let carrier = service.events.clone();
        let client = Arc::clone(&service.client);
        let connection = self.http1.serve_connection(io, service).with_upgrades();
        let mut connection = Http1 {
            connection,
            carrier,
        };
        let connected = self.drive(Pin::new(&mut connection), &activity, |connection| {
            Pin::new(&mut connection.get_mut().connection).graceful_shutdown();
        });
        let Some((stream, ending)) = connected.await else {
            return;
        };
        // Whose place the stream takes; the request that has it ends next.
        let place = client.lock().upgrade();
        let Some(Parts { io, read_buf, .. }) = connection.connection.into_parts() else {
            return;
        };
        let io = io.into_inner().into_inner();
        let Some(stream) = stream else {
            if activity.has_unread() {
                self.linger(io).await;
            }
            return;
        };
        let http = Arc::clone(self);
        let terms = Terms {
            back: Box::new(move |io, unread| {
                drop(place);
                tokio::spawn(http.serve_again(io, unread, peer));
            }),
            may_go_on: !ending,
            unread: read_buf,
            write_timeout: self.config.write_timeout,
        };
        stream.serve(io, terms);
    }

    /// Goes on with a connection after a stream of events. A type of its own: what it serves may
    /// come here again.
    fn serve_again<IO>(
        self: Arc<Self>,
        io: IO,
        unread: Bytes,
        peer: Peer,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        Box::pin(async move { self.serve_http1(io, unread, peer).await })
    }

    async fn serve_http2<IO>(&self, io: IO, unread: Bytes, peer: Peer)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (io, service) = self.parts(io, unread, &peer);
        let activity = service.activity.clone();
        let connection = self.http2.serve_connection(io, service);
        let connection = pin!(connection);
        let ended = self.drive(connection, &activity, |connection| {
            connection.graceful_shutdown();
        });
        // An error: whose it is, no more can be said to it.
        drop(ended.await);
    }

    /// The stream of a connection and the service for its requests.
    fn parts<IO>(&self, io: IO, unread: Bytes, peer: &Peer) -> (TokioIo<Deadline<IO>>, Routes)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = Activity::default();
        let events = sse::Carrier::default();
        let write_timeout = self.config.write_timeout;
        let mut io = Deadline::new(io, write_timeout, activity.clone(), events.clone());
        io.unread(unread);
        let service = Routes {
            router: TowerToHyperService::new(self.router.clone()),
            activity,
            edge: Arc::clone(&self.edge),
            permits: Arc::clone(&self.permits),
            peer: peer.clone(),
            client: Arc::default(),
            take: take::<IO>,
            events,
            body_timeout: self.config.body_timeout,
        };
        (TokioIo::new(io), service)
    }

    /// Drives a connection until it is ready, which it is also told to be when it is idle or the
    /// server drains: returns its output, and whether it was told so. `None` if it was idle
    /// thereafter.
    async fn drive<C: Future>(
        &self,
        mut connection: Pin<&mut C>,
        activity: &Activity,
        end: impl Fn(Pin<&mut C>),
    ) -> Option<(C::Output, bool)> {
        let mut draining = self.draining.clone();
        let mut ending = false;
        let mut events = 0;
        let mut tick = time::interval(self.config.head_timeout.max(MIN_TICK));
        tick.reset();
        loop {
            tokio::select! {
                ended = connection.as_mut() => return Some((ended, ending)),
                _ = draining.wait_for(|draining| *draining), if !ending => {}
                _ = tick.tick() => {
                    let idle = activity.events() == events && activity.is_idle(OWNERS);
                    events = activity.events();
                    if !idle {
                        continue;
                    }
                    if ending {
                        return None;
                    }
                }
            }
            ending = true;
            end(connection.as_mut());
        }
    }
}

/// A connection over HTTP/1.1, until it ends or a stream of events is to have its socket.
struct Http1<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static> {
    connection: UpgradeableConnection<TokioIo<Deadline<IO>>, Routes>,
    carrier: sse::Carrier,
}

impl<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static> Future for Http1<IO> {
    type Output = Option<sse::Handover>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // An error: whose it is, no more can be said to it.
        if let Poll::Ready(ended) = Pin::new(&mut self.connection).poll(cx) {
            drop(ended);
            return Poll::Ready(None);
        }
        match self.carrier.take() {
            Some(stream) => Poll::Ready(Some(stream)),
            None => Poll::Pending,
        }
    }
}

/// The smallest limit that hyper knows.
const MIN_HEAD: usize = 8 * 1024;

/// How much of an answer HTTP/2 may take before it is written, at least: one frame.
const MIN_SEND: u32 = 16 << 10;

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

#[cfg(test)]
mod tests;
