//! The opening handshake.

use std::error::Error;
use std::fmt;

use hyper::Request;
use hyper::Response;
use hyper::StatusCode;
use hyper::header;
use hyper::header::HeaderMap;
use hyper::header::HeaderValue;
use tungstenite::Error as WsError;
use tungstenite::error::ProtocolError;
use tungstenite::handshake::server::create_response_with_body;

use crate::protocol::SUBPROTOCOL;
use crate::transport::ws::Origins;
use crate::transport::ws::framing::Encoding;
use crate::transport::ws::reader::Inflate;

/// The response that switches a request to WebSocket.
///
/// The sub-protocol [`SUBPROTOCOL`] is chosen when the client offers it. A client that offers
/// none speaks it too; one that offers only others gets none chosen, and should hang up.
///
/// # Errors
///
/// Says why the request cannot be switched, and with which status to answer it.
pub fn upgrade<T>(
    request: &Request<T>,
    origins: &Origins,
) -> Result<(Response<()>, Accepted), Refusal> {
    if !origins.allow(request.headers()) {
        return Err(Refusal::Origin);
    }
    let mut response = create_response_with_body(request, || ()).map_err(|error| match error {
        WsError::Protocol(ProtocolError::MissingSecWebSocketVersionHeader) => Refusal::Version,
        _ => Refusal::NotWebSocket,
    })?;
    if offers_ours(request.headers()) {
        let ours = HeaderValue::from_static(SUBPROTOCOL);
        response
            .headers_mut()
            .insert(header::SEC_WEBSOCKET_PROTOCOL, ours);
    }
    Ok((response, Accepted::default()))
}

/// What was agreed on in a handshake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Accepted {}

impl Accepted {
    /// How compressed messages of the client are inflated, if it may send any.
    pub(super) fn inflate(self) -> Option<Inflate> {
        None
    }

    /// Which encoding of the hub's frames the client takes.
    pub(super) fn encoding(self) -> Encoding {
        Encoding {}
    }
}

fn offers_ours(headers: &HeaderMap) -> bool {
    let offers = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    offers
        .filter_map(|offer| offer.to_str().ok())
        .flat_map(|offer| offer.split(','))
        .any(|offer| offer.trim() == SUBPROTOCOL)
}

/// Why a request was not switched to WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It is not a WebSocket handshake.
    NotWebSocket,
    /// It comes from a page of another host.
    Origin,
    /// It asks for a version of the protocol other than 13.
    Version,
}

impl Refusal {
    /// The status to answer with. [`Refusal::Version`] also needs `Sec-WebSocket-Version: 13`.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::NotWebSocket => StatusCode::BAD_REQUEST,
            Self::Origin => StatusCode::FORBIDDEN,
            Self::Version => StatusCode::UPGRADE_REQUIRED,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotWebSocket => "not a WebSocket handshake",
            Self::Origin => "pages of this origin may not connect",
            Self::Version => "only version 13 of the WebSocket protocol is spoken",
        })
    }
}

impl Error for Refusal {}
