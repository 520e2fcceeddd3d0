//! Which hosts requests may name.

use crate::binary::Throng;
use crate::edge::UPGRADE;
use crate::edge::get;
use crate::edge::raw;

/// What a page of evil.example does once its name resolves to 127.0.0.1.
#[test]
fn t2_a_rebound_page_gets_nothing() {
    let throng = Throng::start(&["--head-timeout", "300"]);
    let host = format!("evil.example:{}", throng.address.port());
    let origin = format!("origin: http://{host}\r\n");
    for path in [
        "/",
        "/healthz",
        "/api/v1/stats",
        "/sse?channels=news",
        "/nothing",
    ] {
        let answer = get(&throng, path, &host, &origin);
        assert!(answer.starts_with("HTTP/1.1 421 "), "{path}: {answer}");
        assert!(answer.contains("\"host_not_allowed\""), "{answer}");
        assert!(answer.contains("--host"), "it names the flag: {answer}");
    }
    let upgrade = format!("GET /ws HTTP/1.1\r\nhost: {host}\r\n{origin}{UPGRADE}\r\n");
    let answer = raw(&throng, &upgrade);
    assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
    let preflight = format!(
        "OPTIONS /api/v1/broadcast HTTP/1.1\r\nhost: {host}\r\n{origin}connection: close\r\n\
         access-control-request-method: POST\r\n\r\n"
    );
    let answer = raw(&throng, &preflight);
    assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
    assert!(!answer.contains("access-control-allow"), "{answer}");

    // With every host allowed it gets in: what refuses it is the host, and nothing else.
    let throng = Throng::start(&["--host", "*"]);
    let host = format!("evil.example:{}", throng.address.port());
    let origin = format!("origin: http://{host}\r\n");
    let answer = get(&throng, "/api/v1/stats", &host, &origin);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[test]
fn own_and_named_hosts_are_served() {
    let throng = Throng::start(&["--host", "chat.example.com", "--host", "*.example.org"]);
    let own = throng.address.to_string();
    for (host, status) in [
        (own.as_str(), 200),
        ("localhost:1", 200),
        ("[::1]", 200),
        ("chat.example.com:8443", 200),
        ("a.example.org", 200),
        ("example.com", 421),
        ("example.org", 421),
        ("10.0.0.1", 421),
        ("localhost.evil.example", 421),
        ("not a host", 400),
    ] {
        let answer = get(&throng, "/healthz", host, "");
        let expected = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&expected), "{host}: {answer}");
    }
}

#[test]
fn t15_a_request_names_one_host() {
    let throng = Throng::start(&[]);
    for (request, status) in [
        ("GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n", 400),
        ("GET /healthz HTTP/1.0\r\n\r\n", 200),
        (
            "GET /healthz HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\nconnection: close\r\n\r\n",
            400,
        ),
        (
            "GET http://evil.example/healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
            421,
        ),
    ] {
        let answer = raw(&throng, request);
        let expected = format!("HTTP/1.{} {status} ", u8::from(!request.contains("1.0")));
        assert!(answer.starts_with(&expected), "{request}: {answer}");
    }
}
