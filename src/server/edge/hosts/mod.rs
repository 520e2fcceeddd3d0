//! The names under which a server may be addressed.
//!
//! A page of any site can have the browser send requests to this server: it lets the name of its
//! own host resolve to this server's address (DNS rebinding). Its origin and the `Host` of the
//! request then agree. What gives it away is that the name is none of this server's.

use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::net::SocketAddr;

use hyper::http::uri::Authority;

/// The hosts that requests may name, in `Host` or `:authority`; the port is not compared.
///
/// | host | is allowed |
/// |---|---|
/// | `localhost`, names below it, loopback addresses | always |
/// | the address of the listener | always; if that is `0.0.0.0` or `[::]`, every address |
/// | `example.com` | if it is listed |
/// | a name below `example.com` | if `*.example.com` is listed |
/// | every other | if `*` is listed |
///
/// A request for another host is answered with 421 and
/// [`HostNotAllowed`](crate::ErrorCode::HostNotAllowed), before its origin is checked.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Hosts(Box<[Name]>);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Name {
    Any,
    /// Every name that ends like this: with a dot, and a domain.
    Below(Box<str>),
    Exactly(Box<str>),
    Ip(IpAddr),
}

impl Hosts {
    /// Creates the list of these names, beside those that are always allowed.
    ///
    /// # Errors
    ///
    /// [`InvalidHost`] names the first that is neither a host nor `*.` and a domain.
    ///
    /// # Examples
    ///
    /// ```
    /// use throng::server::Hosts;
    ///
    /// let _ours = Hosts::list(["chat.example.com", "*.example.org"])?;
    /// assert!(Hosts::list(["https://example.com"]).is_err());
    /// # Ok::<_, throng::server::InvalidHost>(())
    /// ```
    pub fn list<I>(names: I) -> Result<Self, InvalidHost>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let names = names.into_iter().map(|name| {
            let name = name.as_ref();
            Name::parse(name).ok_or_else(|| InvalidHost(name.into()))
        });
        Ok(Self(names.collect::<Result<_, _>>()?))
    }

    /// Returns whether requests may name `host`, an authority, of a server that listens on
    /// `listen`.
    pub(super) fn allow(&self, host: &Authority, listen: Option<SocketAddr>) -> bool {
        let host = host.host();
        let host = host.strip_suffix('.').unwrap_or(host);
        match ip(host) {
            Some(ip) => {
                ip.is_loopback()
                    || listen.is_some_and(|listen| is_at(listen, ip))
                    || self.0.iter().any(|name| match name {
                        Name::Any => true,
                        Name::Ip(allowed) => *allowed == ip,
                        Name::Below(_) | Name::Exactly(_) => false,
                    })
            }
            None => {
                host.eq_ignore_ascii_case("localhost")
                    || ends_with(host, ".localhost")
                    || self.0.iter().any(|name| match name {
                        Name::Any => true,
                        Name::Below(domain) => ends_with(host, domain),
                        Name::Exactly(name) => host.eq_ignore_ascii_case(name),
                        Name::Ip(_) => false,
                    })
            }
        }
    }
}

/// Returns whether a server that is bound to `listen` is reached at `ip`.
fn is_at(listen: SocketAddr, ip: IpAddr) -> bool {
    let bound = listen.ip().to_canonical();
    bound.is_unspecified() || bound == ip
}

/// Returns the address that a host is, if it is one.
fn ip(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|ip| ip.strip_suffix(']'));
    let ip = bare.unwrap_or(host).parse::<IpAddr>().ok()?;
    Some(ip.to_canonical())
}

/// Returns whether `host` ends with `domain`, and has at least one character before it.
fn ends_with(host: &str, domain: &str) -> bool {
    let start = host.len().checked_sub(domain.len());
    start.is_some_and(|start| {
        start > 0 && host.as_bytes()[start..].eq_ignore_ascii_case(domain.as_bytes())
    })
}

impl Name {
    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Any);
        }
        if let Some(ip) = ip(text) {
            return Some(Self::Ip(ip));
        }
        match text.strip_prefix("*.") {
            Some(domain) => is_name(domain).then(|| Self::Below(format!(".{domain}").into())),
            None => is_name(text).then(|| Self::Exactly(text.into())),
        }
    }
}

fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !label.is_empty() && label.bytes().all(fits)
    };
    text.split('.').all(is_label)
}

/// The error returned for a name that no request can have as its host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidHost(Box<str>);

impl fmt::Display for InvalidHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no host: use `example.com`, `*.example.com`, an address or `*`, without \
             scheme and port",
            self.0
        )
    }
}

impl Error for InvalidHost {}

#[cfg(test)]
mod tests;
