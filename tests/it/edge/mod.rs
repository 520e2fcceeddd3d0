//! The server at the edge of a network: what it refuses, and what it says to that.
//!
//! - A host that is none of the server's is refused before anything else: no page of a stranger
//!   gets in by letting its own name resolve to this machine.
//! - A request through a proxy that was not named is refused where there is no authentication; of
//!   one that was, the client is the one that it forwards.
//! - Pages of listed origins may use the API as they may use streams, and no page else.
//! - Names that look alike are equal, and private rooms are nobody else's business.
//! - A server without room says when to come back, and that it is healthy.
//! - A body that is not taken is answered so that its sender sees it.
//! - Without authentication the server starts on loopback only, with a warning.

mod apart;
mod bodies;
mod cors;
mod full;
mod hosts;
mod names;
mod preamble;
mod proxies;
mod publishing;
mod starting;

use std::io::Write;

use crate::binary::Throng;
use crate::binary::hung_up;

/// The answer to a request that is written as it stands.
fn raw(throng: &Throng, request: &str) -> String {
    let mut stream = throng.tcp();
    stream.write_all(request.as_bytes()).unwrap();
    String::from_utf8_lossy(&hung_up(stream)).into_owned()
}

/// A request for `path` of this host, which ends the connection.
fn get(throng: &Throng, path: &str, host: &str, headers: &str) -> String {
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{headers}\r\n");
    raw(throng, &request)
}

/// The headers that ask for a WebSocket.
const UPGRADE: &str = "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n\
    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
