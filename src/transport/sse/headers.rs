//! What the headers of a request ask.

use hyper::HeaderMap;
use hyper::header;

/// The media type of a stream.
pub(super) const EVENT_STREAM: &str = "text/event-stream";

/// Whether a client that accepts these types accepts a stream: everybody does who does not say
/// otherwise. Of the ranges that match, the most specific counts (RFC 9110 §12.5.1).
pub(super) fn accepts_stream(headers: &HeaderMap) -> bool {
    let mut best: Option<(u8, bool)> = None;
    let mut ranges = 0;
    let values = headers.get_all(header::ACCEPT).iter();
    for range in values.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')) {
        let range = String::from_utf8_lossy(range);
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        if kind.is_empty() {
            continue;
        }
        ranges += 1;
        let specific = match kind.as_str() {
            "*/*" => 0,
            "text/*" => 1,
            EVENT_STREAM => 2,
            _ => continue,
        };
        let is_wanted = !parts.any(is_zero);
        if best.is_none_or(|(known, _)| specific > known) {
            best = Some((specific, is_wanted));
        }
    }
    ranges == 0 || best.is_some_and(|(_, is_wanted)| is_wanted)
}

/// Whether a parameter says that the type is not wanted at all.
fn is_zero(parameter: &str) -> bool {
    let Some((name, weight)) = parameter.split_once('=') else {
        return false;
    };
    let is_weight = name.trim().eq_ignore_ascii_case("q");
    is_weight && weight.trim().parse::<f32>().is_ok_and(|q| q <= 0.0)
}

/// The media type of a request's body, without its parameters.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE);
    let value = value.and_then(|value| value.to_str().ok());
    let kind = value.unwrap_or_default().split(';').next();
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}
