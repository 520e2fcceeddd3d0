//! Proxies in front of the server, and the client that they forward.
//!
//! Each proxy appends the address of its peer to `Forwarded` (RFC 7239) or `X-Forwarded-For`. Only
//! what a trusted proxy appended is known; everything to the left of it was written by the client.
//! So the list is walked from the right, for as long as its addresses are trusted proxies.

use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;

use hyper::HeaderMap;
use hyper::header;
use hyper::header::HeaderName;
use ipnet::IpNet;

use crate::protocol::ErrorCode;
use crate::transport::Problem;

/// The proxies whose `Forwarded` and `X-Forwarded-For` headers, and whose PROXY headers, are
/// believed. Default: none.
///
/// Trust proxies only that set or append to one of the two headers: a client can send either, and a
/// proxy that passes it on unchanged lets the client choose its address.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TrustedProxies {
    networks: Box<[IpNet]>,
    /// Whether connections without an address are trusted: those over a Unix socket.
    unix: bool,
}

impl TrustedProxies {
    /// Creates the list of these networks, written as `10.0.0.0/8` or as one address, or as `unix`
    /// for every peer of a Unix socket.
    ///
    /// # Errors
    ///
    /// [`InvalidProxy`] names the first that is none of them.
    ///
    /// # Examples
    ///
    /// ```
    /// use throng::server::TrustedProxies;
    ///
    /// let _ours = TrustedProxies::list(["127.0.0.1", "fd00::/8", "unix"])?;
    /// assert!(TrustedProxies::list(["proxy.example.com"]).is_err());
    /// # Ok::<_, throng::server::InvalidProxy>(())
    /// ```
    pub fn list<I>(proxies: I) -> Result<Self, InvalidProxy>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let mut networks = Vec::new();
        let mut unix = false;
        for proxy in proxies {
            let proxy = proxy.as_ref();
            if proxy == "unix" {
                unix = true;
                continue;
            }
            let network = match proxy.parse::<IpAddr>() {
                Ok(ip) => Some(IpNet::from(ip)),
                Err(_) => proxy.parse().ok(),
            };
            networks.push(network.ok_or_else(|| InvalidProxy(proxy.into()))?);
        }
        Ok(Self {
            networks: networks.into(),
            unix,
        })
    }

    /// Returns whether no proxy is trusted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty() && !self.unix
    }

    /// Returns whether `peer` is a trusted proxy; `None` is a peer of a Unix socket.
    pub(in crate::server) fn trust(&self, peer: Option<IpAddr>) -> bool {
        match peer {
            Some(ip) => {
                let (own, canonical) = (ip, ip.to_canonical());
                let mut networks = self.networks.iter();
                networks.any(|network| network.contains(&own) || network.contains(&canonical))
            }
            None => self.unix,
        }
    }

    /// Returns the address of the client that the trusted proxy `peer` forwards.
    ///
    /// # Errors
    ///
    /// [`InvalidForwarded`](ErrorCode::InvalidForwarded), where the headers cannot be read, or
    /// where `Forwarded` and `X-Forwarded-For` lead to different addresses: the client may have
    /// sent one of them.
    pub(in crate::server) fn client(
        &self,
        headers: &HeaderMap,
        peer: Option<IpAddr>,
    ) -> Result<Option<IpAddr>, Problem> {
        let standard = self.walk(headers, &header::FORWARDED, peer, forwarded)?;
        let usual = self.walk(headers, &FORWARDED_FOR, peer, listed)?;
        match (standard, usual) {
            (Some(one), Some(other)) if one != other => {
                let why = "`Forwarded` and `X-Forwarded-For` lead to different addresses";
                Err(Problem::new(ErrorCode::InvalidForwarded, why))
            }
            (Some(client), _) | (None, Some(client)) => Ok(Some(client)),
            (None, None) => Ok(peer),
        }
    }

    /// Returns the last address of a header, from the right, that a trusted proxy vouches for;
    /// `None` if there is no such header.
    fn walk(
        &self,
        headers: &HeaderMap,
        name: &HeaderName,
        peer: Option<IpAddr>,
        read: fn(&str) -> Option<Vec<Hop>>,
    ) -> Result<Option<IpAddr>, Problem> {
        let unreadable = || {
            let why = format!("`{name}` cannot be read");
            Problem::new(ErrorCode::InvalidForwarded, why)
        };
        let mut client = None;
        let values: Vec<_> = headers.get_all(name).iter().collect();
        for value in values.into_iter().rev() {
            let value = value.to_str().map_err(|_| unreadable())?;
            let hops = read(value).ok_or_else(unreadable)?;
            for hop in hops.into_iter().rev() {
                let Hop::Address(address) = hop else {
                    return Ok(client.or(peer));
                };
                client = Some(address);
                if !self.trust(client) {
                    return Ok(client);
                }
            }
        }
        Ok(client)
    }
}

/// Returns the name of the first header that only a proxy adds.
pub(super) fn trace(headers: &HeaderMap) -> Option<&str> {
    let mut names = headers.keys().map(HeaderName::as_str);
    names.find(|name| {
        matches!(*name, "forwarded" | "via" | "x-real-ip") || name.starts_with("x-forwarded-")
    })
}

/// A node that a request came through, as a header names it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Hop {
    Address(IpAddr),
    /// `unknown`, or a name that the proxy made up.
    Hidden,
}

/// Reads `X-Forwarded-For`: addresses between commas.
fn listed(value: &str) -> Option<Vec<Hop>> {
    let nodes = value.split(',').map(str::trim);
    nodes.filter(|node| !node.is_empty()).map(node).collect()
}

/// Reads `Forwarded`: for each node the pairs between semicolons, of which `for` counts.
fn forwarded(value: &str) -> Option<Vec<Hop>> {
    let mut hops = Vec::new();
    for element in split_outside_quotes(value, b',')? {
        if element.trim().is_empty() {
            continue;
        }
        let mut hop = None;
        for pair in split_outside_quotes(element, b';')? {
            if pair.trim().is_empty() {
                continue;
            }
            let (name, value) = pair.split_once('=')?;
            if name.trim().eq_ignore_ascii_case("for") {
                let is_second = hop.is_some();
                hop = Some(node(&unquoted(value.trim())?)?);
                if is_second {
                    return None;
                }
            }
        }
        hops.push(hop.unwrap_or(Hop::Hidden));
    }
    Some(hops)
}

/// Splits a text at the separators that are in no quoted string; `None` if a quoted string does not
/// end.
fn split_outside_quotes(text: &str, separator: u8) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            byte if byte == separator && !quoted => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (!quoted).then_some(parts)
}

/// Returns a token as it is, and the content of a quoted string.
fn unquoted(text: &str) -> Option<String> {
    let Some(text) = text.strip_prefix('"') else {
        return (!text.contains('"')).then(|| text.to_owned());
    };
    let text = text.strip_suffix('"')?;
    let mut content = String::new();
    let mut escaped = false;
    for character in text.chars() {
        match character {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return None,
            character => {
                escaped = false;
                content.push(character);
            }
        }
    }
    (!escaped).then_some(content)
}

/// Reads a node: an address, perhaps with a port, or what hides one.
fn node(text: &str) -> Option<Hop> {
    if text.eq_ignore_ascii_case("unknown") || text.starts_with('_') {
        return Some(Hop::Hidden);
    }
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some(Hop::Address(ip.to_canonical()));
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(Hop::Address(address.ip().to_canonical()));
    }
    // The port may be hidden, too: `192.0.2.43:_web`.
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => text.split_once(':')?,
    };
    let port = port.strip_prefix(':').unwrap_or(port);
    if !port.is_empty() && !port.starts_with('_') {
        return None;
    }
    let ip = match text.starts_with('[') {
        true => IpAddr::from(host.parse::<Ipv6Addr>().ok()?),
        false => host.parse().ok()?,
    };
    Some(Hop::Address(ip.to_canonical()))
}

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The error returned for a text that names no proxies.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidProxy(Box<str>);

impl fmt::Display for InvalidProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` names no proxies: use an address, a network such as 10.0.0.0/8, or `unix`",
            self.0
        )
    }
}

impl Error for InvalidProxy {}

#[cfg(test)]
mod tests;
