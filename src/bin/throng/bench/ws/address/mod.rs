//! Where a server is.

use std::fmt;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;

/// A URL without encryption: `scheme://host[:port]/path`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Address {
    /// As it goes into the `Host` header.
    pub(super) authority: String,
    /// Host and port, to be resolved.
    pub(super) target: String,
    /// With its query, if there is one.
    pub(super) path: String,
}

impl Address {
    /// Reads a `ws` address when `WS`, else a `http` address.
    pub(crate) fn parse<const WS: bool>(text: &str) -> Result<Self, String> {
        let scheme = if WS { "ws" } else { "http" };
        let expected = || format!("must be like {scheme}://127.0.0.1:8080/path");
        let rest = text
            .strip_prefix(scheme)
            .and_then(|rest| rest.strip_prefix("://"));
        let rest = rest.ok_or_else(expected)?;
        if !rest.chars().all(|c| c.is_ascii_graphic()) {
            return Err(expected());
        }
        let slash = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(slash);
        let has_port = authority
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        if authority.is_empty() || authority.contains('@') {
            return Err(expected());
        }
        let port = if has_port { "" } else { ":80" };
        Ok(Self {
            authority: authority.to_owned(),
            target: format!("{authority}{port}"),
            path: if path.is_empty() {
                "/".to_owned()
            } else {
                path.to_owned()
            },
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.authority, self.path)
    }
}

/// The local address of connection number `index` of `connections` to `server`.
///
/// One local address has ports for some 28,000 connections to a server; but the loopback network
/// has 16 million addresses. None: let the system choose.
pub(crate) fn local(index: usize, connections: usize, server: SocketAddr) -> Option<SocketAddr> {
    let loopback = matches!(server.ip(), IpAddr::V4(ip) if ip.is_loopback());
    if !loopback || connections <= PER_ADDRESS {
        return None;
    }
    let last = u8::try_from(2 + index / PER_ADDRESS % 250).unwrap_or(1);
    Some(SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)))
}

/// Connections from one local address.
const PER_ADDRESS: usize = 20_000;

#[cfg(test)]
mod tests;
