//! Which web pages may connect.

mod pattern;

use std::error::Error;
use std::fmt;

use hyper::Uri;
use hyper::header;
use hyper::header::HeaderMap;
use hyper::header::HeaderValue;

use self::pattern::Pattern;
use self::pattern::Site;

/// Whose pages may connect. A browser says in `Origin` whose page it runs; what is not a browser
/// sends no `Origin`, and is not asked for one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origins {
    /// Every page may.
    Any,
    /// Pages of the server's own host and port may, and these: see [`Origins::list`].
    List(OriginList),
    /// Pages of the server's own host and port may. The default.
    #[default]
    Same,
}

/// Origins beside the server's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginList(Box<[Pattern]>);

impl Origins {
    /// The server's own host and port, and these:
    ///
    /// | written | whose pages may |
    /// |---|---|
    /// | `https://example.com` | of this scheme and host, at the scheme's own port |
    /// | `https://example.com:8443` | of this scheme, host and port |
    /// | `example.com`, `example.com:8080` | of any scheme |
    /// | `*.example.com` | of every host below `example.com`, which is not one itself |
    /// | `https://*.example.com:8443` | of all that |
    /// | `*` | everybody |
    ///
    /// Without a port, it is 80 for `http` and 443 for `https`. None at all are
    /// [`Origins::Same`].
    ///
    /// # Errors
    ///
    /// Says which is written otherwise, or can match no page: `null`, since sandboxed and local
    /// pages share that origin; `ws:` and `wss:`, which no page has; addresses that browsers write
    /// otherwise.
    ///
    /// # Examples
    ///
    /// ```
    /// use throng::transport::ws::Origins;
    ///
    /// let _ours = Origins::list(["https://example.com", "*.example.com"])?;
    /// assert!(Origins::list(["https://example.com/path"]).is_err());
    /// # Ok::<_, throng::transport::ws::InvalidOrigin>(())
    /// ```
    pub fn list<I>(origins: I) -> Result<Self, InvalidOrigin>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let mut patterns = Vec::new();
        let mut any = false;
        for origin in origins {
            let origin = origin.as_ref();
            if origin == "*" {
                any = true;
                continue;
            }
            let pattern = Pattern::parse(origin);
            patterns.push(pattern.ok_or_else(|| InvalidOrigin(origin.into()))?);
        }
        Ok(match patterns {
            _ if any => Self::Any,
            patterns if patterns.is_empty() => Self::Same,
            patterns => Self::List(OriginList(patterns.into())),
        })
    }

    /// Whether a request to `uri` with these headers may be served.
    #[must_use]
    pub fn allow(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        !matches!(self.grant(uri, headers), Grant::Refused)
    }

    /// Returns what the page that sends a request to `uri` with these headers may do.
    pub(crate) fn grant<'a>(&self, uri: &Uri, headers: &'a HeaderMap) -> Grant<'a> {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let (first, second) = (origins.next(), origins.next());
        let Some(origin) = first else {
            return Grant::NoPage;
        };
        let site = origin.to_str().ok().and_then(Site::of_origin);
        let is_listed = site.is_some_and(|site| {
            let listed = match self {
                Self::Any | Self::Same => false,
                Self::List(list) => list.0.iter().any(|pattern| pattern.matches(&site)),
            };
            listed || is_same(&site, uri, headers)
        });
        match self {
            _ if second.is_some() => Grant::Refused,
            _ if is_listed => Grant::Listed(origin),
            Self::Any => Grant::Any,
            Self::List(_) | Self::Same => Grant::Refused,
        }
    }
}

/// The rights of the page that sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grant<'a> {
    /// It is no page: there is no `Origin`.
    NoPage,
    /// It may be served, and send credentials: its origin, this one, is listed or the server's own.
    Listed(&'a HeaderValue),
    /// It may be served without credentials: every page may.
    Any,
    /// It may not be served.
    Refused,
}

impl Origins {
    /// Whether the credentials that a browser adds by itself may be taken: from pages that are
    /// named, and from the server's own. Requests that tell of no page are not of those.
    pub(crate) fn allow_credentials(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        if !headers.contains_key(header::ORIGIN) {
            let site = headers.get("sec-fetch-site");
            return site.is_some_and(|site| site == "same-origin");
        }
        let named = match self {
            // A page of any origin would act for the user.
            Self::Any => &Self::Same,
            named => named,
        };
        named.allow(uri, headers)
    }
}

/// Whether the request was sent to this site.
fn is_same(site: &Site<'_>, uri: &Uri, headers: &HeaderMap) -> bool {
    let host = match uri.authority() {
        // As over HTTP/2, where there need be no `Host`.
        Some(authority) => Some(authority.as_str()),
        None => headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok()),
    };
    host.and_then(|host| Site::at(site.scheme, host))
        .is_some_and(|own| own.is(site))
}

/// An origin that was written in a way that is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidOrigin(Box<str>);

impl fmt::Display for InvalidOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no origin: use `*`, `host` or `*.domain`, with `scheme://` before it and \
             `:port` behind it or without",
            self.0
        )
    }
}

impl Error for InvalidOrigin {}

#[cfg(test)]
mod tests;
