use std::net::IpAddr;

use hyper::HeaderMap;
use hyper::header::HeaderName;

use crate::protocol::ErrorCode;

use super::TrustedProxies;

const PROXY: &str = "10.0.0.1";

/// The client that a proxy at 10.0.0.1 forwards, where 10.0.0.0/8 and fd00::/8 are trusted.
fn client(headers: &[(&str, &str)]) -> Result<String, ErrorCode> {
    let proxies = TrustedProxies::list(["10.0.0.0/8", "fd00::/8"]).unwrap();
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::try_from(*name).unwrap();
        map.append(name, value.parse().unwrap());
    }
    let peer = PROXY.parse::<IpAddr>().unwrap();
    match proxies.client(&map, Some(peer)) {
        Ok(client) => Ok(client.unwrap().to_string()),
        Err(problem) => Err(problem.code()),
    }
}

#[test]
fn the_list_is_walked_from_the_right() {
    for (value, expected) in [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.9, 192.0.2.1", "192.0.2.1"),
        ("192.0.2.9,192.0.2.1 , 10.9.9.9,", "192.0.2.1"),
        ("10.1.1.1, 10.2.2.2", "10.1.1.1"),
        ("192.0.2.1:4711", "192.0.2.1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("192.0.2.9, unknown, 10.2.2.2", "10.2.2.2"),
        ("unknown", PROXY),
        ("", PROXY),
    ] {
        let found = client(&[("x-forwarded-for", value)]);
        assert_eq!(found.as_deref(), Ok(expected), "{value}");
    }
    let twice = [
        ("x-forwarded-for", "192.0.2.9"),
        ("x-forwarded-for", "192.0.2.1"),
    ];
    assert_eq!(client(&twice).as_deref(), Ok("192.0.2.1"));
    assert_eq!(client(&[]).as_deref(), Ok(PROXY));
}

#[test]
fn forwarded_is_read_as_its_standard_has_it() {
    for (value, expected) in [
        ("for=192.0.2.1", "192.0.2.1"),
        (
            "FOR=192.0.2.9, for=192.0.2.1;proto=https;by=_x",
            "192.0.2.1",
        ),
        (r#"for="[2001:db8::1]:4711""#, "2001:db8::1"),
        (r#"for="192.0.2.1:_web", for=10.2.2.2"#, "192.0.2.1"),
        (r#"by="a,b;for=192.0.2.9"; for=192.0.2.1"#, "192.0.2.1"),
        (r#"for="192.0\.2.1""#, "192.0.2.1"),
        ("for=192.0.2.9, for=_hidden", PROXY),
        ("proto=https", PROXY),
    ] {
        let found = client(&[("forwarded", value)]);
        assert_eq!(found.as_deref(), Ok(expected), "{value}");
    }
}

#[test]
fn what_cannot_be_read_is_refused() {
    for (name, value) in [
        ("x-forwarded-for", "192.0.2"),
        ("x-forwarded-for", "evil.example"),
        ("x-forwarded-for", "[::1"),
        ("x-forwarded-for", "[192.0.2.1]"),
        ("x-forwarded-for", "192.0.2.1:x"),
        ("forwarded", "for"),
        ("forwarded", r#"for="192.0.2.1"#),
        ("forwarded", "for=192.0.2.1;for=192.0.2.2"),
        ("forwarded", r#"for="\""#),
    ] {
        let found = client(&[(name, value)]);
        assert_eq!(found, Err(ErrorCode::InvalidForwarded), "{value}");
    }
}

#[test]
fn two_headers_that_differ_are_refused() {
    let differ = [
        ("forwarded", "for=192.0.2.9"),
        ("x-forwarded-for", "192.0.2.1"),
    ];
    assert_eq!(client(&differ), Err(ErrorCode::InvalidForwarded));
    let agree = [
        ("forwarded", "for=192.0.2.9, for=192.0.2.1"),
        ("x-forwarded-for", "192.0.2.1"),
    ];
    assert_eq!(client(&agree).as_deref(), Ok("192.0.2.1"));
}

#[test]
fn only_listed_peers_are_trusted() {
    let proxies = TrustedProxies::list(["127.0.0.1", "unix"]).unwrap();
    let trust = |ip: &str| proxies.trust(Some(ip.parse().unwrap()));
    assert!(trust("127.0.0.1") && trust("::ffff:127.0.0.1") && proxies.trust(None));
    assert!(!trust("127.0.0.2") && !trust("::1"));
    assert!(!TrustedProxies::default().trust(None));
    for text in ["", "10.0.0.0/33", "example.com", "10.0.0.1:80"] {
        TrustedProxies::list([text]).unwrap_err();
    }
}
