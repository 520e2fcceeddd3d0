//! Which extension is agreed on in the handshake: permessage-deflate (RFC 7692) or none.

use std::fmt::Write;

use bytes::Bytes;
use hyper::header;
use hyper::header::HeaderMap;
use hyper::header::HeaderValue;

use crate::transport::ws::Deflate;
use crate::transport::ws::reader::Inflate;

/// What was agreed on about compressed messages. Neither side remembers one message when it
/// compresses the next: the answer says `no_context_takeover` for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Params {
    deflate: Deflate,
    /// The client remembers so much of a message while it inflates it, as a power of two: 8 to
    /// 15; 15 if it did not say.
    server_max_window_bits: Option<u8>,
}

impl Params {
    /// The first acceptable of the client's offers, in its order.
    pub(super) fn negotiate(headers: &HeaderMap, deflate: Deflate) -> Option<Self> {
        let offers = headers.get_all(header::SEC_WEBSOCKET_EXTENSIONS).iter();
        offers
            .filter_map(|offers| offers.to_str().ok())
            .flat_map(|offers| split(offers, ','))
            .find_map(|offer| accept(offer, deflate))
    }

    /// The answer that tells the client what was agreed on.
    pub(super) fn answer(self) -> HeaderValue {
        let mut answer = "permessage-deflate; server_no_context_takeover; \
                          client_no_context_takeover"
            .to_owned();
        if let Some(bits) = self.server_max_window_bits {
            // A String takes every write.
            let _ = write!(answer, "; server_max_window_bits={bits}");
        }
        HeaderValue::try_from(answer).expect("ASCII")
    }

    /// The compressed text frame of this payload; `None` when it would not be smaller.
    pub(super) fn text(self, payload: &[u8]) -> Option<Bytes> {
        self.deflate.text(payload)
    }

    /// How the client's compressed messages are inflated.
    pub(super) fn inflate(self) -> Inflate {
        self.deflate.inflate()
    }

    /// The longest message that may be compressed for this client: in one of this length nothing
    /// refers to what the client no longer has, whatever window it was compressed with. So all
    /// clients share one compressed frame.
    pub(super) fn longest(self) -> usize {
        match self.server_max_window_bits {
            None | Some(15) => usize::MAX,
            Some(bits) => 1 << bits,
        }
    }
}

/// What is agreed on if this offer is accepted; `None` when it is for another extension, or not
/// as RFC 7692 §7.1 has it.
fn accept(offer: &str, deflate: Deflate) -> Option<Params> {
    let mut parts = split(offer, ';');
    if parts.next()?.trim() != "permessage-deflate" {
        return None;
    }
    let mut seen = Vec::new();
    let mut server_max_window_bits = None;
    for part in parts {
        let (name, value) = match part.split_once('=') {
            Some((name, value)) => (name.trim(), Some(unquoted(value.trim())?)),
            None => (part.trim(), None),
        };
        if seen.contains(&name) {
            return None;
        }
        seen.push(name);
        match (name, value) {
            ("client_no_context_takeover" | "server_no_context_takeover", None)
            | ("client_max_window_bits", None) => {}
            // The client may use a smaller window than we have; there is nothing to answer.
            ("client_max_window_bits", Some(bits)) => drop(window_bits(bits)?),
            ("server_max_window_bits", Some(bits)) => {
                server_max_window_bits = Some(window_bits(bits)?);
            }
            _ => return None,
        }
    }
    Some(Params {
        deflate,
        server_max_window_bits,
    })
}

/// 8 to 15, without a leading zero.
fn window_bits(value: &str) -> Option<u8> {
    let bits = value.parse().ok()?;
    let is_plain = !value.starts_with(['0', '+']);
    (is_plain && (8..=15).contains(&bits)).then_some(bits)
}

/// A token, or a token in quotes (RFC 6455 §9.1).
fn unquoted(value: &str) -> Option<&str> {
    let inner = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let token = inner.unwrap_or(value);
    let is_token = token.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_token && !token.is_empty()).then_some(token)
}

/// The parts between the separators that do not stand in quotes.
fn split(list: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    list.split(move |c| {
        is_quoted ^= c == '"';
        c == separator && !is_quoted
    })
}

#[cfg(all(test, feature = "deflate"))]
mod tests;
