//! The headers of proxies, for a fuzz target. Not part of the crate's interface: it is there under
//! `--cfg fuzzing` only.

use std::net::IpAddr;
use std::net::Ipv4Addr;

use hyper::HeaderMap;
use hyper::header::HeaderName;
use hyper::header::HeaderValue;

use crate::server::edge::TrustedProxies;
use crate::server::edge::preamble;
use crate::server::edge::preamble::Preamble;

/// Reads the header of the PROXY protocol.
///
/// # Panics
///
/// When parsing does, when the length of a header depends on what stands behind it, or when a part
/// of one is not told to be incomplete.
pub fn preamble(bytes: &[u8]) {
    let Ok(Preamble::Complete { length, client }) = preamble::parse(bytes) else {
        return;
    };
    let header = &bytes[..length];
    let whole = Ok(Preamble::Complete { length, client });
    assert_eq!(preamble::parse(header), whole, "what is behind it counts");
    for cut in 0..length {
        match preamble::parse(&header[..cut]) {
            Ok(Preamble::Incomplete(missing)) => {
                assert!((1..=length - cut).contains(&missing), "read too far");
            }
            other => panic!("{other:?} of {cut} of {length} bytes"),
        }
    }
}

/// Reads the lines as values of `Forwarded` and `X-Forwarded-For`, by turns.
///
/// # Panics
///
/// When parsing does, or when the client is neither the proxy nor named in the last header.
pub fn forwarded(bytes: &[u8]) {
    let proxies = TrustedProxies::list(["10.0.0.0/8", "fd00::/8"]).unwrap_or_default();
    let names = ["forwarded", "x-forwarded-for"].map(HeaderName::from_static);
    let mut headers = HeaderMap::new();
    for (line, name) in bytes.split(|byte| *byte == b'\n').zip(names.iter().cycle()) {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(name, value);
        }
    }
    let peer = IpAddr::from(Ipv4Addr::new(10, 0, 0, 1));
    if let Ok(client) = proxies.client(&headers, Some(peer)) {
        assert!(client.is_some(), "the proxy is known");
        if headers.is_empty() {
            assert_eq!(client, Some(peer));
        }
    }
}
