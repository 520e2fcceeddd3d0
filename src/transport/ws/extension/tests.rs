//! - An offer is accepted as RFC 7692 §7.1 has it, the first acceptable one is, and all others
//!   are passed over.
//! - The answer says what was agreed on.

use super::*;

const PLAIN: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// The answer to offers in these headers.
fn answer(offers: &[&'static str]) -> Option<String> {
    let mut headers = HeaderMap::new();
    for offer in offers {
        let offer = HeaderValue::from_static(offer);
        headers.append(header::SEC_WEBSOCKET_EXTENSIONS, offer);
    }
    let params = Params::negotiate(&headers, Deflate::new())?;
    Some(params.answer().to_str().unwrap().to_owned())
}

#[test]
fn an_offer_that_can_be_kept_is_accepted() {
    let with_bits = |bits| format!("{PLAIN}; server_max_window_bits={bits}");
    for (offer, expected) in [
        ("permessage-deflate", PLAIN.to_owned()),
        // Chromium's, Firefox's, the two of RFC 7692 §7.1.3.
        (
            "permessage-deflate; client_max_window_bits",
            PLAIN.to_owned(),
        ),
        (
            "permessage-deflate; client_max_window_bits; server_max_window_bits=10",
            with_bits(10),
        ),
        (
            "permessage-deflate; server_max_window_bits=\"10\"",
            with_bits(10),
        ),
        ("permessage-deflate;server_max_window_bits=8", with_bits(8)),
        (
            "permessage-deflate ; server_max_window_bits = 15",
            with_bits(15),
        ),
        (
            "permessage-deflate; client_max_window_bits=8",
            PLAIN.to_owned(),
        ),
        (
            "permessage-deflate; client_no_context_takeover",
            PLAIN.to_owned(),
        ),
        (
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            PLAIN.to_owned(),
        ),
    ] {
        assert_eq!(answer(&[offer]), Some(expected), "{offer}");
    }
}

#[test]
fn an_offer_that_cannot_be_kept_is_passed_over() {
    for offer in [
        "",
        "x-webkit-deflate-frame",
        "permessage-bzip2",
        "permessage-deflate-x",
        "x; permessage-deflate",
        "permessage-deflate;",
        "permessage-deflate; unknown",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=08",
        "permessage-deflate; server_max_window_bits=+8",
        "permessage-deflate; server_max_window_bits=",
        "permessage-deflate; server_max_window_bits=\"10",
        "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; client_max_window_bits; client_max_window_bits",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover=true",
        "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
        "permessage-deflate; \"a, permessage-deflate\"",
    ] {
        assert_eq!(answer(&[offer]), None, "{offer}");
    }
}

#[test]
fn the_first_offer_that_can_be_kept_is_accepted() {
    let expected = Some(format!("{PLAIN}; server_max_window_bits=9"));
    for offers in [
        &["permessage-deflate; x, permessage-deflate; server_max_window_bits=9"][..],
        &["bzip2; x=\"a, permessage-deflate, b\", permessage-deflate; server_max_window_bits=9"],
        &[
            "bzip2",
            "permessage-deflate; server_max_window_bits=9",
            "permessage-deflate",
        ],
    ] {
        assert_eq!(answer(offers), expected, "{offers:?}");
    }
    assert_eq!(answer(&[]), None);
}

#[test]
fn a_small_window_takes_short_messages_only() {
    for (bits, longest) in [(None, usize::MAX), (Some(15), usize::MAX), (Some(8), 256)] {
        let params = Params {
            deflate: Deflate::new(),
            server_max_window_bits: bits,
        };
        assert_eq!(params.longest(), longest);
    }
}
