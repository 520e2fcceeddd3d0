//! The checks that every request passes before it is routed: the host that it names, and the
//! proxies that it came through.
//!
//! They come before the origin is checked, before preflights are answered and before a connection
//! is switched to WebSocket, so that no route can be without them.

#[cfg(fuzzing)]
pub mod fuzzing;
mod hosts;
pub(super) mod preamble;
mod proxies;

use std::net::IpAddr;
use std::net::SocketAddr;
use std::time::Duration;

use hyper::Response;
use hyper::StatusCode;
use hyper::Version;
use hyper::header;
use hyper::header::HeaderValue;
use hyper::http::request::Parts;
use hyper::http::uri::Authority;

use crate::protocol::ErrorCode;
use crate::server::ServerConfig;
use crate::transport::Problem;

pub use self::hosts::Hosts;
pub use self::hosts::InvalidHost;
pub use self::proxies::InvalidProxy;
pub use self::proxies::TrustedProxies;

/// The checks of the requests of one listener.
#[derive(Debug)]
pub(super) struct Edge {
    hosts: Hosts,
    proxies: TrustedProxies,
    /// Whether requests that came through other proxies are refused.
    refuses_proxies: bool,
    listen: Option<SocketAddr>,
    /// Within which time clients come back for which there was no room.
    window: Duration,
}

impl Edge {
    /// Creates the checks of a listener that is bound to `listen`.
    pub(super) fn new(
        config: &ServerConfig,
        refuses_proxies: bool,
        listen: Option<SocketAddr>,
        window: Duration,
    ) -> Self {
        Self {
            hosts: config.hosts.clone(),
            proxies: config.trusted_proxies.clone(),
            refuses_proxies,
            listen,
            window,
        }
    }

    /// Returns the address that the request of a connection from `peer` comes from, or why it is
    /// refused.
    pub(super) fn admit(
        &self,
        request: &Parts,
        peer: Option<IpAddr>,
    ) -> Result<Option<IpAddr>, Problem> {
        self.check_host(request)?;
        if self.proxies.trust(peer) {
            return self.proxies.client(&request.headers, peer);
        }
        match proxies::trace(&request.headers) {
            Some(header) if self.refuses_proxies => Err(untrusted(header)),
            _ => Ok(peer),
        }
    }

    /// Returns the answer to a request for which there is no room.
    pub(super) fn busy(&self) -> Problem {
        Problem::busy(self.window)
    }

    /// Returns whether connections from `peer` come from a trusted proxy.
    pub(super) fn trusts(&self, peer: Option<IpAddr>) -> bool {
        self.proxies.trust(peer)
    }

    fn check_host(&self, request: &Parts) -> Result<(), Problem> {
        let mut named = request.headers.get_all(header::HOST).iter();
        let (header, more) = (named.next(), named.next());
        let authority = request.uri.authority();
        if more.is_some() {
            return Err(invalid_host("the request has several `Host` headers"));
        }
        if header.is_none() && authority.is_none() && request.version != Version::HTTP_10 {
            return Err(invalid_host("the request has no `Host` header"));
        }
        let header = match header.map(|host| Authority::try_from(host.as_bytes())) {
            Some(Ok(host)) => Some(host),
            Some(Err(_)) => return Err(invalid_host("`Host` is not a host")),
            None => None,
        };
        let mut hosts = authority.into_iter().chain(&header);
        match hosts.find(|host| !self.hosts.allow(host, self.listen)) {
            Some(host) => Err(not_allowed(host)),
            None => Ok(()),
        }
    }
}

/// Returns whether a request for this path begins a connection of a client.
pub(super) fn is_connect(path: &str) -> bool {
    matches!(path, "/ws" | "/sse")
}

/// Returns whether a request is answered although there is no room: those that look after the
/// server must not take it for dead.
pub(super) fn is_health(path: &str) -> bool {
    matches!(path, "/healthz" | "/live" | "/ready")
}

/// Adds the headers that keep browsers from guessing what an answer is, and caches from keeping
/// it, where the answer does not say itself.
pub(super) fn protect<B>(response: &mut Response<B>) {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return;
    }
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        let value = HeaderValue::from_static(value);
        headers.entry(name).or_insert(value);
    }
}

fn invalid_host(why: &str) -> Problem {
    Problem::new(ErrorCode::InvalidHost, why)
}

fn not_allowed(host: &Authority) -> Problem {
    let why = format!(
        "this server does not serve the host `{}`: allow it with `--host` (ServerConfig::hosts)",
        host.host()
    );
    Problem::new(ErrorCode::HostNotAllowed, why)
}

fn untrusted(header: &str) -> Problem {
    let why = format!(
        "the request came through a proxy (`{header}`), and this server asks for no credentials: \
         name the proxy with `--trusted-proxy` (ServerConfig::trusted_proxies), or turn on \
         authentication"
    );
    Problem::new(ErrorCode::UntrustedProxy, why)
}
