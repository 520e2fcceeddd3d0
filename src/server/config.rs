//! What can be set for a server, and what each setting costs.

use std::num::NonZeroU32;
use std::num::NonZeroUsize;
use std::time::Duration;

use crate::server::edge::Hosts;
use crate::server::edge::TrustedProxies;
use crate::server::tls::Tls;
use crate::transport::UNSENT_MARK;

/// How a server serves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerConfig {
    /// How many tasks accept connections. Default: one for each core.
    pub acceptors: Option<NonZeroUsize>,
    /// Whether requests that came through a proxy which is not [trusted](Self::trusted_proxies) are
    /// served where the gateway asks for no credentials. Default: they are answered with 403, for
    /// whatever a proxy forwards to a server on loopback is as public as the proxy. Where the
    /// gateway authenticates, they are served, and their headers ignored.
    pub allow_untrusted_proxies: bool,
    /// How long a client may take to send the body of a request. Default 30 s. Then the request
    /// is answered with what is wrong with it, and its connection over HTTP/1.1 closed.
    pub body_timeout: Duration,
    /// How long draining may take. Default 15 s.
    pub drain_timeout: Duration,
    /// How long a client may take for the handshake of TLS, and again to send the head of a
    /// request, and how long a connection may idle between two. Default 10 s. Until it has sent
    /// its first head, a connection costs about 2 KiB.
    pub head_timeout: Duration,
    /// The hosts that requests may name, beside loopback and the address of the listener. Default:
    /// none. It is what keeps the pages of strangers out, see [`Hosts`].
    pub hosts: Hosts,
    /// The largest body of a request, in bytes, checked before it is read. Default 1 MiB and
    /// 64 KiB, so that a payload of 1 MiB fits with what is around it.
    pub max_body: usize,
    /// The most connections at a time, WebSocket and HTTP together; at least 1. Default 100,000.
    /// Beyond it, connections are told to come back later, by
    /// [spare ones](Self::spare_connections), and then wait in the backlog of the listener.
    pub max_connections: usize,
    /// The most connections at a time from one IPv4 address, or from one network of IPv6 with 64
    /// bits; at least 1. Default: no limit. Beyond it, connections are told to come back later,
    /// by [spare ones](Self::spare_connections), and then closed before anything is read. Behind a
    /// [trusted proxy](Self::trusted_proxies) the clients are counted that it forwards, request by
    /// request; behind another one, all come from the proxy. Peers of Unix sockets are not counted.
    pub max_connections_per_ip: Option<usize>,
    /// The most new connections in a second from one IPv4 address, or from one network of IPv6 with
    /// 64 bits; as many at once. Default: no limit. Beyond it, as beyond
    /// [`Self::max_connections_per_ip`]; of a [trusted proxy](Self::trusted_proxies) the WebSockets
    /// and event streams are counted that it forwards, for each client.
    pub max_connects_per_ip: Option<NonZeroU32>,
    /// The most new connections in a second, as many at once. Default: no limit. Beyond it, as
    /// beyond [`Self::max_connections_per_ip`].
    pub max_connects_per_second: Option<NonZeroU32>,
    /// The largest head of a request, in bytes; at least 8 KiB. Default 16 KiB. A connection over
    /// HTTP/1.1 reads at most as much at a time.
    pub max_head: usize,
    /// The most headers of a request over HTTP/1.1. Default 100. More are answered with 431.
    pub max_headers: usize,
    /// The most requests at a time on one connection over HTTP/2. Default 200.
    pub max_streams: u32,
    /// Whether the page warns that everybody may join everything, and asks who one wants to be.
    /// Default: it does not.
    pub development: bool,
    /// Whether connections from [trusted proxies](Self::trusted_proxies) begin with a header of the
    /// PROXY protocol, version 1 or 2, and are closed if they do not. Default: they do not.
    pub proxy_protocol: bool,
    /// The connections beyond [`Self::max_connections`] and [`Self::max_connections_per_ip`] at a
    /// time that are answered nevertheless: with 503, or a close that tells them to come back
    /// later, and with the truth if they ask for `/healthz`, `/live` or `/ready`. Each has 2 s.
    /// Default 64.
    pub spare_connections: usize,
    /// The proxies that are believed about the address of the client, and of which requests are
    /// served without authentication. Default: none.
    pub trusted_proxies: TrustedProxies,
    /// The unsent mark of every accepted connection, in bytes: the kernel takes more of it only
    /// while less than that is unsent (`TCP_NOTSENT_LOWAT`), so that what a slow client does not
    /// take waits in its outbox, where its policy decides. Default 16 KiB; `None` leaves it to the
    /// kernel, which takes megabytes. The buffers of TLS and HTTP/2 are bounded to it as well, to
    /// 16 KiB at least. Linux alone has it, over TCP alone: elsewhere it has no effect, and
    /// `GET /api/v1/stats` counts the connections without it.
    pub unsent_mark: Option<NonZeroU32>,
    /// How long an HTTP connection may take no byte of an answer, and how often one over HTTP/2
    /// is asked whether it still is. Default 10 s. Then it is dropped.
    pub write_timeout: Duration,
    pub(super) tls: Option<Tls>,
}

impl ServerConfig {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self {
            acceptors: None,
            allow_untrusted_proxies: false,
            body_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(15),
            head_timeout: Duration::from_secs(10),
            hosts: Hosts::default(),
            max_body: (1 << 20) + (64 << 10),
            max_connections: 100_000,
            max_connections_per_ip: None,
            max_connects_per_ip: None,
            max_connects_per_second: None,
            max_head: 16 << 10,
            max_headers: 100,
            max_streams: 200,
            development: false,
            proxy_protocol: false,
            spare_connections: 64,
            trusted_proxies: TrustedProxies::default(),
            unsent_mark: Some(UNSENT_MARK),
            write_timeout: Duration::from_secs(10),
            tls: None,
        }
    }

    /// Sets [`Self::acceptors`].
    #[must_use]
    pub fn acceptors(mut self, acceptors: Option<NonZeroUsize>) -> Self {
        self.acceptors = acceptors;
        self
    }

    /// Sets [`Self::allow_untrusted_proxies`].
    #[must_use]
    pub fn allow_untrusted_proxies(mut self, allow: bool) -> Self {
        self.allow_untrusted_proxies = allow;
        self
    }

    /// Sets [`Self::body_timeout`].
    #[must_use]
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.body_timeout = timeout;
        self
    }

    /// Sets [`Self::drain_timeout`].
    #[must_use]
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.drain_timeout = timeout;
        self
    }

    /// Sets [`Self::head_timeout`].
    #[must_use]
    pub fn head_timeout(mut self, timeout: Duration) -> Self {
        self.head_timeout = timeout;
        self
    }

    /// Sets [`Self::hosts`].
    #[must_use]
    pub fn hosts(mut self, hosts: Hosts) -> Self {
        self.hosts = hosts;
        self
    }

    /// Sets [`Self::max_body`].
    #[must_use]
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sets [`Self::max_connections`].
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections;
        self
    }

    /// Sets [`Self::max_connections_per_ip`].
    #[must_use]
    pub fn max_connections_per_ip(mut self, connections: Option<usize>) -> Self {
        self.max_connections_per_ip = connections;
        self
    }

    /// Sets [`Self::max_connects_per_ip`].
    #[must_use]
    pub fn max_connects_per_ip(mut self, connects: Option<NonZeroU32>) -> Self {
        self.max_connects_per_ip = connects;
        self
    }

    /// Sets [`Self::max_connects_per_second`].
    #[must_use]
    pub fn max_connects_per_second(mut self, connects: Option<NonZeroU32>) -> Self {
        self.max_connects_per_second = connects;
        self
    }

    /// Sets [`Self::max_head`].
    #[must_use]
    pub fn max_head(mut self, bytes: usize) -> Self {
        self.max_head = bytes;
        self
    }

    /// Sets [`Self::max_headers`].
    #[must_use]
    pub fn max_headers(mut self, headers: usize) -> Self {
        self.max_headers = headers;
        self
    }

    /// Sets [`Self::max_streams`].
    #[must_use]
    pub fn max_streams(mut self, streams: u32) -> Self {
        self.max_streams = streams;
        self
    }

    /// Sets [`Self::development`].
    #[must_use]
    pub fn development(mut self, development: bool) -> Self {
        self.development = development;
        self
    }

    /// Sets [`Self::proxy_protocol`].
    #[must_use]
    pub fn proxy_protocol(mut self, required: bool) -> Self {
        self.proxy_protocol = required;
        self
    }

    /// Sets [`Self::spare_connections`].
    #[must_use]
    pub fn spare_connections(mut self, connections: usize) -> Self {
        self.spare_connections = connections;
        self
    }

    /// Sets [`Self::trusted_proxies`].
    #[must_use]
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.trusted_proxies = proxies;
        self
    }

    /// Sets [`Self::unsent_mark`].
    #[must_use]
    pub fn unsent_mark(mut self, bytes: Option<NonZeroU32>) -> Self {
        self.unsent_mark = bytes;
        self
    }

    /// Sets [`Self::write_timeout`].
    #[must_use]
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self::new()
    }
}
