//! The way in from outside: hosts, proxies, and what is refused without authentication.

use std::error::Error;
use std::fmt;
use std::iter;
use std::net::SocketAddr;

use clap::Args;
use throng::server::Hosts;
use throng::server::ServerConfig;
use throng::server::TrustedProxies;

use crate::cli::ServeOptions;

/// The way in from outside.
#[derive(Debug, Args)]
pub(crate) struct EdgeOptions {
    /// Another host that requests may name, beside loopback and the listen address, such as
    /// chat.example.com or *.example.com; may be given several times. `*` stands for every host.
    /// Requests for others are answered with 421: it is what keeps the pages of strangers out.
    #[arg(long, value_name = "NAME", value_parser = host)]
    host: Vec<String>,

    /// Network of proxies in front of this server, such as 10.0.0.0/8, one address, or `unix`; may
    /// be given several times. The client is then the one that they name in `Forwarded` or
    /// `X-Forwarded-For`. Without authentication, requests through other proxies are refused.
    #[arg(long, value_name = "CIDR", value_parser = proxy)]
    trusted_proxy: Vec<String>,

    /// Connections from --trusted-proxy begin with a header of the PROXY protocol, version 1 or 2;
    /// those that lack it are closed.
    #[arg(long, requires = "trusted_proxy")]
    proxy_protocol: bool,

    /// Serve the API and the page on an address of their own; --listen then has /ws, /sse and
    /// health only.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) api_listen: Option<SocketAddr>,

    /// Connections at a time from one IPv4 address, or from one /64 of IPv6; of a --trusted-proxy
    /// the clients are counted that it forwards. 0 for no limit. Unless given, 20 where other
    /// machines can connect, and no limit on loopback.
    #[arg(long, value_name = "N")]
    max_connections_per_ip: Option<usize>,

    /// Connections beyond the limits that are answered nevertheless, at a time: told to come back
    /// later, or whether the server is healthy.
    #[arg(long, value_name = "N", default_value = "64")]
    spare_connections: usize,

    /// Serve without authentication, on whatever address, and do not warn of it.
    #[arg(long)]
    insecure: bool,
}

impl EdgeOptions {
    /// Sets what these options say.
    pub(crate) fn configure(
        &self,
        config: ServerConfig,
        authenticates: bool,
        is_local: bool,
    ) -> Result<ServerConfig, Box<dyn Error>> {
        let is_local = is_local && self.trusted_proxy.is_empty();
        let per_ip = match self.max_connections_per_ip {
            Some(0) => None,
            None if is_local => None,
            None => Some(PER_IP),
            limit => limit,
        };
        Ok(config
            .max_connections_per_ip(per_ip)
            .proxy_protocol(self.proxy_protocol)
            .spare_connections(self.spare_connections)
            .hosts(Hosts::list(&self.host)?)
            .trusted_proxies(TrustedProxies::list(&self.trusted_proxy)?)
            .allow_untrusted_proxies(authenticates))
    }
}

/// The connections of one address, where other machines can connect.
const PER_IP: usize = 20;

/// Returns whether clients and callers of the API have to show credentials.
pub(crate) fn has_authentication(options: &ServeOptions) -> bool {
    options.auth.is_on()
}

/// Warns of a server that asks for no credentials, or refuses to start it where it would be open to
/// a network.
pub(crate) fn check(options: &ServeOptions) -> Result<(), Exposed> {
    if has_authentication(options) || options.edge.insecure {
        return Ok(());
    }
    let mut addresses = iter::once(options.listen).chain(options.edge.api_listen);
    if let Some(exposed) = addresses.find(|address| !is_loopback(*address)) {
        return Err(Exposed(exposed));
    }
    eprintln!(
        "throng: warning: no authentication: every program on this machine may read, publish and \
         use the API ({AUTHENTICATION}; --insecure silences this)"
    );
    Ok(())
}

/// Returns whether only programs on this machine can connect.
pub(crate) fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// Returns whether clients on other machines can connect, by themselves or through a proxy.
pub(crate) fn is_public(options: &ServeOptions) -> bool {
    !is_loopback(options.listen) || !options.edge.trusted_proxy.is_empty()
}

/// The flags that turn on authentication.
const AUTHENTICATION: &str =
    "--jwt-secret-file, --jwt-key-file, --jwks-file, --jwks-url, --api-key-file";

/// An address that a server without authentication is not started on.
#[derive(Debug)]
pub(crate) struct Exposed(SocketAddr);

impl Exposed {
    /// The exit status, `EX_CONFIG` of sysexits.h.
    pub(crate) const STATUS: u8 = 78;
}

impl fmt::Display for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(address) = self;
        write!(
            f,
            "refusing to listen on {address} without authentication: every client could read, \
             publish and use the API.\n\
             \x20 Turn on authentication: {AUTHENTICATION}\n\
             \x20 or serve this machine only: --listen 127.0.0.1:{port}\n\
             \x20 or serve every client that can connect: --insecure",
            port = address.port()
        )
    }
}

impl Error for Exposed {}

fn host(text: &str) -> Result<String, String> {
    let valid = Hosts::list([text]);
    valid
        .map(|_| text.to_owned())
        .map_err(|error| error.to_string())
}

fn proxy(text: &str) -> Result<String, String> {
    let valid = TrustedProxies::list([text]);
    valid
        .map(|_| text.to_owned())
        .map_err(|error| error.to_string())
}
