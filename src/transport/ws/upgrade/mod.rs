//! The opening handshake.

use std::error::Error;
use std::fmt;

use data_encoding::BASE64;
use hyper::Method;
use hyper::Request;
use hyper::Response;
use hyper::StatusCode;
use hyper::Version;
use hyper::header;
use hyper::header::HeaderMap;
use hyper::header::HeaderName;
use hyper::header::HeaderValue;
use tungstenite::handshake::derive_accept_key;

use crate::disconnect::Disconnect;
use crate::layers::sessions::ID_LEN;
use crate::protocol;
use crate::protocol::DIALECTS;
use crate::protocol::SUBPROTOCOL;
use crate::protocol::Spoken;
use crate::transport::ws::Origins;
use crate::transport::ws::WsConfig;
use crate::transport::ws::extension::Params;
use crate::transport::ws::framing::Encoding;
use crate::transport::ws::reader::Inflate;

/// The response that switches a request to WebSocket, and what was agreed on.
///
/// The sub-protocol [`SUBPROTOCOL`] is chosen when the client offers it, or a dialect that every
/// gateway speaks, whichever comes first in its list. A client that offers
/// none speaks it too; one that offers only others gets none chosen, and should hang up.
/// Compression is agreed on when `config` has it and the client offers it.
///
/// # Errors
///
/// Says why the request cannot be switched, and with which status to answer it.
pub fn upgrade<T>(
    request: &Request<T>,
    origins: &Origins,
    config: &WsConfig,
) -> Result<(Response<()>, Negotiated), UpgradeError> {
    negotiate(request, origins, config, &DIALECTS)
}

/// [`upgrade`] by a gateway that speaks these dialects.
pub(super) fn negotiate<T>(
    request: &Request<T>,
    origins: &Origins,
    config: &WsConfig,
    dialects: &[Spoken],
) -> Result<(Response<()>, Negotiated), UpgradeError> {
    let headers = request.headers();
    if !origins.allow(request.uri(), headers) {
        return Err(UpgradeError::Origin);
    }
    let key = check(request)?;
    let query = request.uri().query().unwrap_or_default();
    let accepted = match dialect(headers, dialects) {
        Some((name, dialect)) => Negotiated {
            subprotocol: Some(name),
            dialect: Some(dialect),
            query: Some(query.into()),
            ..Negotiated::default()
        },
        None => Negotiated {
            subprotocol: subprotocol(headers),
            deflate: config
                .deflate
                .and_then(|deflate| Params::negotiate(headers, deflate)),
            resumes: resumes(query),
            ..Negotiated::default()
        },
    };
    Ok((answer(key, &accepted), accepted))
}

/// What was agreed on in a handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Negotiated {
    subprotocol: Option<&'static str>,
    /// `None`: the native protocol.
    dialect: Option<Spoken>,
    /// The query of the URL, for a dialect.
    query: Option<Box<str>>,
    deflate: Option<Params>,
    resumes: Option<Resumes>,
}

/// The session that is to go on, if the request names it.
type Resumes = Option<[u8; ID_LEN]>;

impl Negotiated {
    /// The sub-protocol that was chosen from those the client offered.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&'static str> {
        self.subprotocol
    }

    /// Whether the client speaks another dialect than the native protocol.
    pub(super) fn has_dialect(&self) -> bool {
        self.dialect.is_some()
    }

    /// Whether messages may be compressed.
    #[must_use]
    pub fn is_deflated(&self) -> bool {
        self.deflate.is_some()
    }

    /// Whether the client is going to say first what it had before: its request has `resume` in
    /// its query, alone or with the id of its session: `resume=…`. Its rooms wait for that.
    #[must_use]
    pub fn resumes(&self) -> bool {
        self.resumes.is_some()
    }

    /// The session that is to go on: the connection that still has it gives way.
    pub(super) fn session(&self) -> Option<&str> {
        let id = self.resumes.as_ref()?.as_ref()?;
        str::from_utf8(id).ok()
    }

    /// How compressed messages of the client are inflated, if it may send any.
    pub(super) fn inflate(&self) -> Option<Inflate> {
        self.deflate.map(Params::inflate)
    }

    /// The requests that the dialect makes of the query.
    ///
    /// # Errors
    ///
    /// The connection is to be closed for this reason.
    pub(super) fn opening(&self) -> Result<Vec<protocol::Request>, Disconnect> {
        let query = self.query.as_deref().unwrap_or_default();
        self.dialect
            .map_or_else(|| Ok(Vec::new()), |dialect| dialect.opening(query))
    }

    /// Which encoding of the hub's frames the client takes.
    pub(super) fn encoding(&self) -> Encoding {
        Encoding::new(self.deflate, self.dialect)
    }
}

/// Checks the request (RFC 6455 §4.2.1), and returns the client's key.
fn check<T>(request: &Request<T>) -> Result<&[u8], UpgradeError> {
    let headers = request.headers();
    let is_handshake = request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && only(headers, header::HOST).is_some()
        && listed(headers, header::UPGRADE).any(|name| name.eq_ignore_ascii_case("websocket"))
        && listed(headers, header::CONNECTION).any(|name| name.eq_ignore_ascii_case("upgrade"));
    if !is_handshake {
        return Err(UpgradeError::NotWebSocket);
    }
    if only(headers, header::SEC_WEBSOCKET_VERSION) != Some(b"13") {
        return Err(UpgradeError::Version);
    }
    let key = only(headers, header::SEC_WEBSOCKET_KEY).ok_or(UpgradeError::NotWebSocket)?;
    match BASE64.decode(key) {
        Ok(nonce) if nonce.len() == 16 => Ok(key),
        _ => Err(UpgradeError::NotWebSocket),
    }
}

fn answer(key: &[u8], accepted: &Negotiated) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    // Base64 is ASCII, and so a header's value.
    let accept = HeaderValue::try_from(derive_accept_key(key)).expect("base64 is ASCII");
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(name) = accepted.subprotocol {
        let chosen = HeaderValue::from_static(name);
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, chosen);
    }
    if let Some(deflate) = accepted.deflate {
        headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, deflate.answer());
    }
    response
}

fn resumes(query: &str) -> Option<Resumes> {
    query.split('&').find_map(|field| {
        let (name, value) = field.split_once('=').unwrap_or((field, ""));
        // Anything else that it says is no session, and means no more than the name alone.
        (name == "resume").then(|| value.as_bytes().try_into().ok())
    })
}

/// The first dialect among those that the client offers, unless it offers the native protocol
/// before.
fn dialect(headers: &HeaderMap, dialects: &[Spoken]) -> Option<(&'static str, Spoken)> {
    let offered = listed(headers, header::SEC_WEBSOCKET_PROTOCOL);
    let mut offered = offered.take_while(|offer| *offer != SUBPROTOCOL);
    offered.find_map(|offer| {
        let named = |dialect: &Spoken| Some((dialect.subprotocol(offer)?, *dialect));
        dialects.iter().find_map(named)
    })
}

fn subprotocol(headers: &HeaderMap) -> Option<&'static str> {
    listed(headers, header::SEC_WEBSOCKET_PROTOCOL)
        .any(|offer| offer == SUBPROTOCOL)
        .then_some(SUBPROTOCOL)
}

/// The value of a header that stands exactly once.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&[u8]> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value.as_bytes()),
        _ => None,
    }
}

/// What is listed in a header, which may stand several times.
fn listed(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

/// Why a request was not switched to WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpgradeError {
    /// It is not a WebSocket handshake.
    NotWebSocket,
    /// It comes from a page of another host.
    Origin,
    /// It asks for a version of the protocol other than 13.
    Version,
}

impl UpgradeError {
    /// The status to answer with. [`UpgradeError::Version`] also needs `Sec-WebSocket-Version: 13`.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::NotWebSocket => StatusCode::BAD_REQUEST,
            Self::Origin => StatusCode::FORBIDDEN,
            Self::Version => StatusCode::UPGRADE_REQUIRED,
        }
    }
}

impl fmt::Display for UpgradeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotWebSocket => "not a WebSocket handshake",
            Self::Origin => "pages of this origin may not connect",
            Self::Version => "only version 13 of the WebSocket protocol is spoken",
        })
    }
}

impl Error for UpgradeError {}

#[cfg(test)]
mod tests;
