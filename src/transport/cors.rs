//! The responses that pages of other origins may read, and the requests that they may send (CORS).
//!
//! A page of an origin that is listed, and of the server's own, may send its credentials. If every
//! origin is allowed, by `*`, others may not: the answer to them is `*`, which no browser accepts
//! for a request with credentials.

use hyper::HeaderMap;
use hyper::Uri;
use hyper::header;
use hyper::header::HeaderValue;

use crate::transport::ws::Grant;
use crate::transport::ws::Origins;

/// Adds what lets the page that sent a request read the response. Its origin has been allowed.
pub(crate) fn let_read(
    origins: &Origins,
    uri: &Uri,
    request: &HeaderMap,
    response: &mut HeaderMap,
) {
    response.append(header::VARY, HeaderValue::from_static("Origin"));
    let origin = match origins.grant(uri, request) {
        Grant::Listed(origin) => {
            let yes = HeaderValue::from_static("true");
            response.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
            origin.clone()
        }
        Grant::Any => HeaderValue::from_static("*"),
        Grant::NoPage | Grant::Refused => return,
    };
    response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    let exposed = HeaderValue::from_static("RateLimit, RateLimit-Policy, Retry-After");
    response.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
}

/// Adds what the page may send: these methods, and the headers that it asks for.
pub(crate) fn let_ask(methods: &'static str, request: &HeaderMap, response: &mut HeaderMap) {
    let methods = HeaderValue::from_static(methods);
    response.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    if let Some(names) = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        response.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    let age = HeaderValue::from_static("600");
    response.insert(header::ACCESS_CONTROL_MAX_AGE, age);
}
