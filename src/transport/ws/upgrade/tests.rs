//! - A request is switched only if it is all that RFC 6455 §4.2.1 asks for.
//! - The sub-protocol is found in every list and every header that may hold it.

use super::*;

/// The handshake of RFC 6455 §1.3 with one header replaced by these.
fn request(name: &'static str, values: &[&'static str]) -> Request<()> {
    let mut request = Request::new(());
    let headers = request.headers_mut();
    for (name, value) in [
        ("host", "server.example.com"),
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-version", "13"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.remove(name);
    for value in values {
        headers.append(name, HeaderValue::from_static(value));
    }
    request
}

fn answer(request: &Request<()>) -> Result<(Response<()>, Negotiated), UpgradeError> {
    upgrade(request, &Origins::Same, &WsConfig::new())
}

#[test]
fn a_handshake_is_answered_as_the_rfc_answers_it() {
    let (response, accepted) = answer(&request("x", &[])).unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    let headers: Vec<_> = response
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    assert_eq!(
        headers,
        [
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ]
    );
    assert_eq!(accepted, Negotiated::default());
}

#[test]
fn every_part_of_a_handshake_is_needed() {
    for (name, values, refusal) in [
        ("host", &[][..], Some(UpgradeError::NotWebSocket)),
        ("host", &["a", "b"], Some(UpgradeError::NotWebSocket)),
        ("upgrade", &[], Some(UpgradeError::NotWebSocket)),
        ("upgrade", &["h2c"], Some(UpgradeError::NotWebSocket)),
        ("upgrade", &["websockets"], Some(UpgradeError::NotWebSocket)),
        ("upgrade", &["WebSocket"], None),
        ("upgrade", &["h2c, websocket"], None),
        ("connection", &[], Some(UpgradeError::NotWebSocket)),
        ("connection", &["close"], Some(UpgradeError::NotWebSocket)),
        (
            "connection",
            &["upgraded"],
            Some(UpgradeError::NotWebSocket),
        ),
        ("connection", &["keep-alive, Upgrade"], None),
        ("connection", &["keep-alive", "UPGRADE"], None),
        ("sec-websocket-key", &[], Some(UpgradeError::NotWebSocket)),
        ("sec-websocket-key", &[""], Some(UpgradeError::NotWebSocket)),
        (
            "sec-websocket-key",
            &["dGhlIHNhbXBsZSBub25jZQ"],
            Some(UpgradeError::NotWebSocket),
        ),
        (
            "sec-websocket-key",
            &["dGhlIHNhbXBsZSBub25j"],
            Some(UpgradeError::NotWebSocket),
        ),
        (
            "sec-websocket-key",
            &["dGhlIHNhbXBsZSBub25jZSE="],
            Some(UpgradeError::NotWebSocket),
        ),
        (
            "sec-websocket-key",
            &["dGhlIHNhbXBsZSBub25jZR=="],
            Some(UpgradeError::NotWebSocket),
        ),
        (
            "sec-websocket-key",
            &["!!!!IHNhbXBsZSBub25jZQ=="],
            Some(UpgradeError::NotWebSocket),
        ),
        (
            "sec-websocket-key",
            &["dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="],
            Some(UpgradeError::NotWebSocket),
        ),
        ("sec-websocket-version", &[], Some(UpgradeError::Version)),
        ("sec-websocket-version", &["8"], Some(UpgradeError::Version)),
        (
            "sec-websocket-version",
            &["14"],
            Some(UpgradeError::Version),
        ),
        (
            "sec-websocket-version",
            &["13, 8"],
            Some(UpgradeError::Version),
        ),
        (
            "sec-websocket-version",
            &["13", "13"],
            Some(UpgradeError::Version),
        ),
        ("origin", &["http://server.example.com"], None),
        (
            "origin",
            &["http://evil.example.com"],
            Some(UpgradeError::Origin),
        ),
    ] {
        let answer = answer(&request(name, values));
        assert_eq!(answer.err(), refusal, "{name}: {values:?}");
    }
    let mut post = request("x", &[]);
    *post.method_mut() = Method::POST;
    assert_eq!(answer(&post).err(), Some(UpgradeError::NotWebSocket));
    for version in [Version::HTTP_10, Version::HTTP_2] {
        let mut other = request("x", &[]);
        *other.version_mut() = version;
        assert_eq!(answer(&other).err(), Some(UpgradeError::NotWebSocket));
    }
}

#[test]
fn our_sub_protocol_is_chosen_wherever_it_is_offered() {
    for (offers, chosen) in [
        (&[SUBPROTOCOL][..], true),
        (&["other, throng.v1.json"], true),
        (&["throng.v1.json,other"], true),
        (&["other", "another ,\tthrong.v1.json"], true),
        (&["other"], false),
        (&["throng.v1.json2"], false),
        (&["THRONG.V1.JSON"], false),
        (&["throng.v1.json; q=1"], false),
    ] {
        let (response, accepted) = answer(&request("sec-websocket-protocol", offers)).unwrap();
        let expected = chosen.then_some(SUBPROTOCOL);
        assert_eq!(accepted.subprotocol(), expected, "{offers:?}");
        let header = response.headers().get(header::SEC_WEBSOCKET_PROTOCOL);
        assert_eq!(
            header.map(|name| name.to_str().unwrap()),
            expected,
            "{offers:?}"
        );
    }
}

#[test]
fn nothing_is_compressed_unless_both_sides_want_it() {
    let offer = request("sec-websocket-extensions", &["permessage-deflate"]);
    let (response, accepted) = answer(&offer).unwrap();
    assert!(!accepted.is_deflated());
    assert!(
        !response
            .headers()
            .contains_key(header::SEC_WEBSOCKET_EXTENSIONS)
    );
}
