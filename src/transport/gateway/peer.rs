//! Where a connection comes from.

use std::net::IpAddr;

use hyper::header;
use hyper::http::request::Parts;

use crate::hub::ConnectOptions;
use crate::layers::users::ADDRESS;
use crate::layers::users::AGENT;
use crate::session::Arrival;
use crate::transport::stats::Transport;

/// The address that a request comes from: an extension of it, put there by whoever accepted the
/// connection. `throng serve` does; behind a proxy, it is up to the embedder to tell better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an address, and nothing else")]
pub struct PeerAddress(pub IpAddr);

/// The client that asks to connect, as hooks see it.
pub(crate) fn arrival(options: &ConnectOptions, transport: Transport) -> Arrival {
    let address = options.metadata_of(ADDRESS);
    let address = address.and_then(|address| address.parse().ok());
    Arrival::new(options.user_id(), transport.as_str()).from(address)
}

/// The server has no room for the connection of a request: an extension of it, which has the client
/// told to come back later.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoRoom;

/// The options, with the address of the peer as metadata of the client.
pub(super) fn addressed(options: ConnectOptions, request: &Parts) -> ConnectOptions {
    match request.extensions.get() {
        Some(PeerAddress(address)) => options.metadata(ADDRESS, address.to_string()),
        None => options,
    }
}

/// The options, with what is known of the peer as metadata of the client.
pub(super) fn described(options: ConnectOptions, request: &Parts) -> ConnectOptions {
    let mut options = addressed(options, request);
    let agent = request.headers.get(header::USER_AGENT);
    if let Some(agent) = agent.and_then(|agent| agent.to_str().ok()) {
        options = options.metadata(AGENT, shortened(agent));
    }
    options
}

/// At most as much of a text as is kept of it. It is ASCII: headers that are not are not texts.
fn shortened(agent: &str) -> &str {
    agent.get(..MAX_AGENT).unwrap_or(agent)
}

/// The most bytes of a user agent that are kept.
const MAX_AGENT: usize = 256;
