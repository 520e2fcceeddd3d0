//! One connection that speaks HTTP, until it ends or becomes something else.
//!
//! hyper's own builder for both versions can give no connection back before it ends. So the version
//! is found out here, by the first bytes, and hyper is asked for the one or the other. A stream of
//! events over HTTP/1.1 then leaves hyper with its socket, and the connection comes back when the
//! stream has ended.

mod preface;

use std::any::Any;
use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::pin::pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use http_body::Body;
use hyper::HeaderMap;
use hyper::Method;
use hyper::Request;
use hyper::Response;
use hyper::Version;
use hyper::body::Incoming;
use hyper::header;
use hyper::server::conn::http1;
use hyper::server::conn::http1::Parts;
use hyper::server::conn::http1::UpgradeableConnection;
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
use crate::server::edge;
use crate::server::edge::Edge;
use crate::server::inbound::Inbound;
use crate::transport::PeerAddress;
use crate::transport::sse;
use crate::transport::sse::Terms;
use crate::transport::ws::Carrier;
use crate::transport::ws::Handover;
use crate::transport::ws::recover;

use self::preface::Preface;

/// What all connections have in common.
#[derive(Debug)]
pub(super) struct Http {
    http1: http1::Builder,
    http2: auto::Builder<TokioExecutor>,
    router: Router,
    config: Arc<ServerConfig>,
    edge: Arc<Edge>,
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
            draining,
        }
    }

    /// Serves one connection until it ends, or until it is handed over. `permit` is dropped when
    /// the connection ends, whatever it has become.
    pub(super) async fn serve<IO>(
        self: &Arc<Self>,
        mut io: IO,
        peer: Option<IpAddr>,
        permit: Arc<dyn Any + Send + Sync>,
    ) where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut draining = self.draining.clone();
        let preface = time::timeout(self.config.head_timeout, Preface::read(&mut io));
        let preface = tokio::select! {
            preface = preface => preface,
            _ = draining.wait_for(|draining| *draining) => return,
        };
        match preface {
            Ok(Ok(Preface::Http1(unread))) => self.serve_http1(io, unread, peer, permit).await,
            Ok(Ok(Preface::Http2(unread))) => self.serve_http2(io, unread, peer, permit).await,
            // It has sent nothing in time.
            Ok(Err(_)) | Err(_) => {}
        }
    }

    async fn serve_http1<IO>(
        self: &Arc<Self>,
        io: IO,
        unread: Bytes,
        peer: Option<IpAddr>,
        permit: Arc<dyn Any + Send + Sync>,
    ) where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (io, service) = self.parts(io, unread, peer, Arc::clone(&permit));
        let activity = service.activity.clone();
        let carrier = service.events.clone();
        let connection = self.http1.serve_connection(io, service).with_upgrades();
        let mut connection = Http1 {
            connection,
            carrier,
        };
        let connected = self.drive(Pin::new(&mut connection), activity, |connection| {
            Pin::new(&mut connection.get_mut().connection).graceful_shutdown();
        });
        let Some((Some(stream), ending)) = connected.await else {
            return;
        };
        let Some(Parts { io, read_buf, .. }) = connection.connection.into_parts() else {
            return;
        };
        let http = Arc::clone(self);
        let terms = Terms {
            back: Box::new(move |io, unread| {
                tokio::spawn(http.serve_again(io, unread, peer, permit));
            }),
            may_go_on: !ending,
            unread: read_buf,
            write_timeout: self.config.write_timeout,
        };
        stream.serve(io.into_inner().into_inner(), terms);
    }

    /// Goes on with a connection after a stream of events. A type of its own: what it serves may
    /// come here again.
    fn serve_again<IO>(
        self: Arc<Self>,
        io: IO,
        unread: Bytes,
        peer: Option<IpAddr>,
        permit: Arc<dyn Any + Send + Sync>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        Box::pin(async move { self.serve_http1(io, unread, peer, permit).await })
    }

    async fn serve_http2<IO>(
        &self,
        io: IO,
        unread: Bytes,
        peer: Option<IpAddr>,
        permit: Arc<dyn Any + Send + Sync>,
    ) where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (io, service) = self.parts(io, unread, peer, permit);
        let activity = service.activity.clone();
        let connection = self.http2.serve_connection(io, service);
        let connection = pin!(connection);
        let ended = self.drive(connection, activity, |connection| {
            connection.graceful_shutdown();
        });
        // An error: whose it is, no more can be said to it.
        drop(ended.await);
    }

    /// The stream of a connection and the service for its requests.
    fn parts<IO>(
        &self,
        io: IO,
        unread: Bytes,
        peer: Option<IpAddr>,
        permit: Arc<dyn Any + Send + Sync>,
    ) -> (TokioIo<Deadline<IO>>, Routes)
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
            peer,
            carrier: Carrier::new(take::<IO>, permit),
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
        activity: Activity,
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

/// The router for the requests of one connection.
#[derive(Debug)]
struct Routes {
    router: TowerToHyperService<Router>,
    activity: Activity,
    edge: Arc<Edge>,
    peer: Option<IpAddr>,
    carrier: Carrier,
    /// Takes a stream of events out of HTTP/1.1.
    events: sse::Carrier,
    body_timeout: Duration,
}

impl Service<Request<Incoming>> for Routes {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        if request.headers().contains_key(header::UPGRADE) {
            request.extensions_mut().insert(self.carrier.clone());
        } else if may_give_way(&request) {
            let keep_alive = !closes(request.headers());
            request
                .extensions_mut()
                .insert(self.events.offered(keep_alive));
        }
        let active = self.activity.begin();
        let (router, body_timeout) = (self.router.clone(), self.body_timeout);
        let (mut parts, body) = request.into_parts();
        let admitted = self.edge.admit(&parts, self.peer);
        Box::pin(async move {
            let body = Inbound::within(body_timeout, body).await;
            let mut response = match admitted {
                Ok(client) => {
                    if let Some(client) = client {
                        parts.extensions.insert(PeerAddress(client));
                    }
                    router.call(Request::from_parts(parts, body)).await?
                }
                Err(problem) => problem.into_response(),
            };
            edge::protect(&mut response);
            Ok(response.map(|body| Answer::new(body, active)))
        })
    }
}

/// Whether hyper has nothing more to do for a request once the head of its response is written.
fn may_give_way(request: &Request<Incoming>) -> bool {
    request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && request.body().is_end_stream()
}

/// Whether the client says that the connection ends with this request.
fn closes(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::CONNECTION).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|option| option.trim().eq_ignore_ascii_case("close"))
}

#[cfg(test)]
mod tests;
