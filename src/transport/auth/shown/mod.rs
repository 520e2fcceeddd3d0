//! The credentials that a request shows.

use hyper::HeaderMap;
use hyper::header;
use hyper::header::HeaderName;
use hyper::http::request::Parts;

use crate::code::ErrorCode;
use crate::policy::Carrier;
use crate::protocol::Fault;
use crate::transport::problem::Problem;

/// The credentials that a request shows, and how.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    pub(super) carrier: Carrier,
    pub(super) secret: &'a str,
}

/// How the sub-protocol begins that carries a token.
const SUBPROTOCOL: &str = "throng.bearer.";

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

impl<'a> Shown<'a> {
    /// Finds the credentials of a request: of several that are the same, the first.
    ///
    /// # Errors
    ///
    /// Two differ, or a header cannot be understood.
    pub(super) fn find(
        request: &'a Parts,
        cookie: Option<&str>,
        query: bool,
    ) -> Result<Option<Self>, Problem> {
        let mut found: Option<Self> = None;
        let mut add = |carrier, secret: &'a str| match &found {
            Some(first) if first.secret != secret => Err(two()),
            Some(_) => Ok(()),
            None => {
                found = Some(Self { carrier, secret });
                Ok(())
            }
        };
        let headers = &request.headers;
        for value in headers.get_all(header::AUTHORIZATION) {
            let token = value.to_str().ok().and_then(bearer);
            add(Carrier::Header, token.ok_or_else(no_bearer)?)?;
        }
        for value in headers.get_all(API_KEY) {
            let key = value.to_str().map_err(|_| no_bearer())?;
            add(Carrier::Header, key.trim())?;
        }
        for offer in listed(headers, header::SEC_WEBSOCKET_PROTOCOL, ',') {
            if let Some(token) = offer.strip_prefix(SUBPROTOCOL) {
                add(Carrier::Subprotocol, token)?;
            }
        }
        if let Some(cookie) = cookie {
            for pair in listed(headers, header::COOKIE, ';') {
                if let Some((name, value)) = pair.split_once('=')
                    && name == cookie
                {
                    add(Carrier::Cookie, value.trim_matches('"'))?;
                }
            }
        }
        let fields = request.uri.query().unwrap_or_default().split('&');
        for (name, value) in fields.filter_map(|field| field.split_once('=')) {
            match name {
                "ticket" => add(Carrier::Ticket, value)?,
                "token" if query => add(Carrier::Query, value)?,
                _ => {}
            }
        }
        Ok(found)
    }
}

/// The token of `Bearer <token>`.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn two() -> Problem {
    let why = "the request shows two credentials that differ: show one";
    Fault::new(ErrorCode::InvalidField, why).into()
}

fn no_bearer() -> Problem {
    let why = "the header must be `Authorization: Bearer <token>`";
    Problem::new(ErrorCode::TokenInvalid, why).challenged()
}

/// Returns the items of a header, which may stand several times.
fn listed(headers: &HeaderMap, name: HeaderName, between: char) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(move |value| value.split(between))
        .map(str::trim)
}

#[cfg(test)]
mod tests;
