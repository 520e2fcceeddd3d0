//! Which web pages may connect.

use hyper::header;
use hyper::header::HeaderMap;

/// Whose pages may connect. A browser says in `Origin` whose page it runs; what is not a browser
/// sends no `Origin`, and is not asked for one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origins {
    /// Every page may.
    Any,
    /// Pages of the server's own host may, and these: each as `scheme://host` or
    /// `scheme://host:port`, exactly as browsers send it.
    List(Vec<String>),
    /// Pages of the server's own host and port may. The default.
    #[default]
    Same,
}

impl Origins {
    /// Whether a request with these headers may be served.
    #[must_use]
    pub fn allow(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let (Some(origin), None) = (origins.next(), origins.next()) else {
            return !headers.contains_key(header::ORIGIN);
        };
        let Ok(origin) = origin.to_str() else {
            return matches!(self, Self::Any);
        };
        match self {
            Self::Any => true,
            Self::List(list) => {
                list.iter()
                    .any(|listed| listed.eq_ignore_ascii_case(origin))
                    || same(origin, headers)
            }
            Self::Same => same(origin, headers),
        }
    }
}

/// Whether the origin's host and port are those that the request was sent to.
fn same(origin: &str, headers: &HeaderMap) -> bool {
    let Some(host) = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
    else {
        return false;
    };
    let (default, authority) = match origin.split_once("://") {
        Some(("http", authority)) => (":80", authority),
        Some(("https", authority)) => (":443", authority),
        _ => return false,
    };
    let bare = |authority: &str| {
        authority
            .strip_suffix(default)
            .unwrap_or(authority)
            .to_ascii_lowercase()
    };
    bare(authority) == bare(host)
}
