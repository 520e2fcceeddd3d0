//! Requests that came through a proxy.

use serde_json::Value;

use crate::binary::Throng;
use crate::edge::UPGRADE;
use crate::edge::get;
use crate::edge::raw;

/// A server on loopback behind nginx is as public as nginx.
#[test]
fn t7_without_authentication_an_unnamed_proxy_is_refused() {
    let throng = Throng::start(&["--head-timeout", "300"]);
    for header in [
        "x-forwarded-for: 192.0.2.1",
        "X-Forwarded-Proto: https",
        "forwarded: for=192.0.2.1",
        "via: 1.1 proxy",
        "x-real-ip: 192.0.2.1",
    ] {
        let header = format!("{header}\r\n");
        for path in ["/api/v1/stats", "/sse?channels=news", "/"] {
            let answer = get(&throng, path, "localhost", &header);
            assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
            assert!(answer.contains("\"untrusted_proxy\""), "{answer}");
            assert!(answer.contains("--trusted-proxy"), "{answer}");
        }
        let upgrade = format!("GET /ws HTTP/1.1\r\nhost: localhost\r\n{header}{UPGRADE}\r\n");
        let answer = raw(&throng, &upgrade);
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    }
}

#[test]
fn t7_the_client_of_a_trusted_proxy_is_the_one_it_forwards() {
    let throng = Throng::start(&["--trusted-proxy", "127.0.0.0/8"]);
    for (header, address) in [
        (("x-forwarded-for", "198.51.100.7, 192.0.2.1"), "192.0.2.1"),
        (("forwarded", "for=192.0.2.2;proto=https"), "192.0.2.2"),
        (("via", "1.1 proxy"), "127.0.0.1"),
    ] {
        let (stream, connected) = throng.sse_with("/sse?channels=news", &[header]);
        let client = connected["data"]["client_id"].as_str().unwrap_or_default();
        let view = throng.get(&format!("/api/v1/clients/{client}")).json();
        assert_eq!(view["address"], address, "{connected} {view}");
        drop(stream);
    }
    let both = "forwarded: for=192.0.2.2\r\nx-forwarded-for: 192.0.2.1\r\n";
    for header in [both, "x-forwarded-for: nonsense\r\n"] {
        let answer = get(&throng, "/healthz", "localhost", header);
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains("\"invalid_forwarded\""), "{answer}");
    }
    assert_eq!(
        throng.get("/api/v1/stats").json()["clients"],
        Value::from(0)
    );
}
