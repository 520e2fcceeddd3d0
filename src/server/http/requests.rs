//! The requests of one connection: checked, routed, answered.

use std::any::Any;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Weak;
use std::time::Duration;

use axum::Router;
use http_body::Body;
use hyper::HeaderMap;
use hyper::Method;
use hyper::Request;
use hyper::Response;
use hyper::StatusCode;
use hyper::Version;
use hyper::body::Incoming;
use hyper::header;
use hyper::header::HeaderValue;
use hyper::http::request::Parts;
use hyper::service::Service;
use hyper::upgrade::Upgraded;
use hyper_util::service::TowerToHyperService;
use parking_lot::Mutex;

use crate::server::activity::Activity;
use crate::server::activity::Answer;
use crate::server::edge;
use crate::server::edge::Edge;
use crate::server::inbound::Inbound;
use crate::server::peer::Peer;
use crate::server::permits::Permits;
use crate::server::permits::Place;
use crate::transport::NoRoom;
use crate::transport::PeerAddress;
use crate::transport::Problem;
use crate::transport::sse;
use crate::transport::ws::Carrier;
use crate::transport::ws::Handover;

/// The router for the requests of one connection.
#[derive(Debug)]
pub(super) struct Routes {
    pub(super) router: TowerToHyperService<Router>,
    pub(super) activity: Activity,
    pub(super) edge: Arc<Edge>,
    pub(super) permits: Arc<Permits>,
    pub(super) peer: Peer,
    /// The place of the client whose request a trusted proxy forwarded last.
    pub(super) client: Arc<Mutex<Weak<Place>>>,
    /// Serves what the connection becomes on the bare stream.
    pub(super) take: fn(Handover, Upgraded),
    /// Takes a stream of events out of HTTP/1.1.
    pub(super) events: sse::Carrier,
    pub(super) body_timeout: Duration,
}

impl Service<Request<Incoming>> for Routes {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let active = self.activity.begin();
        let gives_way = may_give_way(&request);
        let (mut parts, body) = request.into_parts();
        let admitted = self.admit(&mut parts, gives_way);
        let body = Inbound::within(self.body_timeout, body, self.activity.clone());
        let router = self.router.clone();
        let closes = self.peer.is_busy && parts.version <= Version::HTTP_11;
        Box::pin(async move {
            let body = body.await;
            let (mut response, place) = match admitted {
                Ok(place) => {
                    let request = Request::from_parts(parts, body);
                    (router.call(request).await?, place)
                }
                Err(problem) => (problem.into_response(), None),
            };
            edge::protect(&mut response);
            if closes && response.status() != StatusCode::SWITCHING_PROTOCOLS {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            Ok(response.map(|body| Answer::new(body, active, place)))
        })
    }
}

impl Routes {
    /// Checks a request and notes where it comes from; returns the place of its client, if a
    /// trusted proxy forwarded it and addresses are counted.
    fn admit(&self, parts: &mut Parts, gives_way: bool) -> Result<Option<Arc<Place>>, Problem> {
        let address = self.edge.admit(parts, self.peer.address)?;
        let is_upgrade = parts.headers.contains_key(header::UPGRADE);
        let is_forwarded = address != self.peer.address;
        let forwarded = address.filter(|_| is_forwarded);
        let comes = forwarded.filter(|_| edge::is_connect(parts.uri.path()));
        let is_too_soon = comes.is_some_and(|client| !self.permits.admit_from(client));
        let place = match self.permits.place(forwarded) {
            Ok(place) if !self.peer.is_busy && !is_too_soon => place.map(Arc::new),
            _ if edge::is_health(parts.uri.path()) => None,
            // A page cannot read the status of a handshake: it is told by a close.
            _ if parts.uri.path() == "/ws" && is_upgrade => {
                parts.extensions.insert(NoRoom);
                None
            }
            _ => return Err(self.edge.busy()),
        };
        if let Some(address) = address {
            parts.extensions.insert(PeerAddress(address));
        }
        if is_upgrade {
            let hold = match &place {
                Some(place) => {
                    let both = (Arc::clone(place), Arc::clone(&self.peer.hold));
                    Arc::new(both) as Arc<dyn Any + Send + Sync>
                }
                None => Arc::clone(&self.peer.hold),
            };
            parts.extensions.insert(Carrier::new(self.take, hold));
        } else if gives_way {
            *self.client.lock() = place.as_ref().map(Arc::downgrade).unwrap_or_default();
            let keep_alive = !closes(&parts.headers);
            parts.extensions.insert(self.events.offered(keep_alive));
        }
        Ok(place)
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
