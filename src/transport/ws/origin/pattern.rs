//! Sites, as browsers name them, and patterns of them.

use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

/// Where a page comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site<'a> {
    pub(super) scheme: &'a str,
    host: &'a str,
    /// `None` when the scheme has no port of its own and none is named.
    port: Option<u16>,
}

impl<'a> Site<'a> {
    /// Reads an `Origin`.
    pub(super) fn of_origin(origin: &'a str) -> Option<Self> {
        let (scheme, authority) = origin.split_once("://")?;
        Self::at(scheme, authority)
    }

    /// The site of this scheme at this host and perhaps port.
    pub(super) fn at(scheme: &'a str, authority: &'a str) -> Option<Self> {
        let (host, port) = split(authority)?;
        Some(Self {
            scheme,
            host,
            port: port.or_else(|| default_port(scheme)),
        })
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        self.scheme.eq_ignore_ascii_case(other.scheme)
            && self.host.eq_ignore_ascii_case(other.host)
            && self.port == other.port
    }
}

/// Sites that are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    /// `None`: of any scheme.
    scheme: Option<Box<str>>,
    host: Host,
    /// `None`: the scheme's own.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    /// Every host whose name ends like this: with a dot, and a domain.
    Below(Box<str>),
    /// This host.
    Exactly(Box<str>),
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = match text.split_once("://") {
            Some((scheme, authority)) => (Some(scheme), authority),
            None => (None, text),
        };
        if !scheme.is_none_or(|scheme| is_scheme(scheme) && is_of_pages(scheme)) {
            return None;
        }
        let below = authority.strip_prefix('*');
        let (host, port) = match below {
            Some(rest) => split(rest.strip_prefix('.')?)?,
            None => split(authority)?,
        };
        if host.eq_ignore_ascii_case("null") || port == Some(0) || !is_as_browsers_write(host) {
            return None;
        }
        Some(Self {
            scheme: scheme.map(Into::into),
            host: match below {
                Some(_) => Host::Below(format!(".{host}").into()),
                None => Host::Exactly(host.into()),
            },
            port,
        })
    }

    pub(super) fn matches(&self, site: &Site<'_>) -> bool {
        let scheme = self.scheme.as_deref().unwrap_or(site.scheme);
        let host = match &self.host {
            Host::Below(domain) => ends_with(site.host, domain),
            Host::Exactly(host) => site.host.eq_ignore_ascii_case(host),
        };
        let port = self.port.or_else(|| default_port(site.scheme));
        host && port == site.port && scheme.eq_ignore_ascii_case(site.scheme)
    }
}

/// Whether `host` has `domain`, with the dot before it, at its end. Then there is something before
/// it, for no host begins with a dot.
fn ends_with(host: &str, domain: &str) -> bool {
    let start = host.len().checked_sub(domain.len());
    start.is_some_and(|start| host.as_bytes()[start..].eq_ignore_ascii_case(domain.as_bytes()))
}

/// The host and the port of an authority without a user.
fn split(authority: &str) -> Option<(&str, Option<u16>)> {
    let ends_in_bracket = authority.ends_with(']');
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !ends_in_bracket => {
            let digits = port.bytes().all(|byte| byte.is_ascii_digit());
            (host, Some(port.parse().ok().filter(|_| digits)?))
        }
        _ => (authority, None),
    };
    let is_host = match host.strip_prefix('[') {
        Some(ip) => is_ipv6(ip.strip_suffix(']')?),
        None => is_name(host),
    };
    is_host.then_some((host, port))
}

fn is_ipv6(text: &str) -> bool {
    text.parse::<Ipv6Addr>().is_ok()
}

fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !label.is_empty() && label.bytes().all(fits)
    };
    text.split('.').all(is_label)
}

fn is_scheme(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.bytes().all(fits)
}

/// Returns whether pages can have an origin of this scheme.
fn is_of_pages(scheme: &str) -> bool {
    let others = ["about", "blob", "data", "file", "javascript", "ws", "wss"];
    !others
        .iter()
        .any(|other| scheme.eq_ignore_ascii_case(other))
}

/// Returns whether a host, if it is an address, is written as browsers write it in an origin.
fn is_as_browsers_write(host: &str) -> bool {
    if let Some(ip) = host.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')) {
        return ip
            .parse::<Ipv6Addr>()
            .is_ok_and(|parsed| parsed.to_string().eq_ignore_ascii_case(ip));
    }
    let last = host.rsplit('.').next().unwrap_or(host);
    let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    let is_number = match hex {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => last.bytes().all(|byte| byte.is_ascii_digit()),
    };
    // A host whose last part is a number is an address.
    !is_number || host.parse::<Ipv4Addr>().is_ok()
}

fn default_port(scheme: &str) -> Option<u16> {
    if scheme.eq_ignore_ascii_case("http") {
        Some(80)
    } else if scheme.eq_ignore_ascii_case("https") {
        Some(443)
    } else {
        None
    }
}
