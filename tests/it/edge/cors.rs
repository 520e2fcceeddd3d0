//! What pages of other origins may read, of the API and of streams alike.

use std::process::Command;

use crate::binary::Response;
use crate::binary::Throng;

const FRIEND: &str = "https://friend.example";

fn ask(throng: &Throng, method: &str, path: &str, origin: &str) -> Response {
    let preflight = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type"),
    ];
    let headers = match method {
        "OPTIONS" => &preflight[..],
        _ => &preflight[..1],
    };
    throng.request(method, path, headers, b"")
}

#[test]
fn t6_a_listed_origin_may_use_the_api_and_streams_alike() {
    let throng = Throng::start(&["--allow-origin", FRIEND]);
    for (method, path, status) in [
        ("OPTIONS", "/api/v1/broadcast", 204),
        ("OPTIONS", "/api/v1/rooms/lobby", 204),
        ("OPTIONS", "/sse", 204),
        ("GET", "/api/v1/stats", 200),
        ("HEAD", "/sse?channels=news", 200),
        // An error is read as well.
        ("GET", "/api/v1/rooms/none", 404),
        ("GET", "/api/v1/no/such/route", 404),
        ("POST", "/api/v1/broadcast", 415),
    ] {
        let answer = ask(&throng, method, path, FRIEND);
        assert_eq!(answer.status, status, "{method} {path} {answer:?}");
        let header = |name: &str| answer.header(name).unwrap_or_default().to_owned();
        assert_eq!(header("access-control-allow-origin"), FRIEND, "{answer:?}");
        assert_eq!(header("access-control-allow-credentials"), "true");
        assert_eq!(header("vary"), "Origin");
        let exposed = header("access-control-expose-headers");
        for name in ["RateLimit", "RateLimit-Policy", "Retry-After"] {
            assert!(exposed.split(", ").any(|it| it == name), "{exposed}");
        }
        if method == "OPTIONS" {
            assert!(header("access-control-allow-methods").contains("POST"));
            assert_eq!(header("access-control-allow-headers"), "content-type");
        }
    }
    let refused = ask(&throng, "OPTIONS", "/api/v1/stats", "https://evil.example");
    assert_eq!(refused.problem(), (403, "forbidden_origin".to_owned()));
    assert_eq!(refused.header("access-control-allow-origin"), None);
}

#[test]
fn t6_every_origin_means_without_credentials() {
    let throng = Throng::start(&["--allow-origin", "*", "--allow-origin", FRIEND]);
    for (method, path) in [("GET", "/api/v1/stats"), ("OPTIONS", "/sse")] {
        for origin in ["https://evil.example", "null"] {
            let answer = ask(&throng, method, path, origin);
            assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
            assert_eq!(answer.header("access-control-allow-credentials"), None);
        }
        let own = format!("http://{}", throng.address);
        let answer = ask(&throng, method, path, &own);
        assert_eq!(answer.header("access-control-allow-origin"), Some(&*own));
        assert_eq!(
            answer.header("access-control-allow-credentials"),
            Some("true")
        );
    }
}

#[test]
fn t6_an_origin_that_no_page_has_is_refused_at_the_start() {
    for origin in [
        "null",
        "https://null",
        "ws://example.com",
        "file://example",
        "https://example.com:0",
        "http://127.1",
        "http://[0:0:0:0:0:0:0:1]",
        "https://example.com/",
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
        let output = command.args(["--listen", "127.0.0.1:0", "--allow-origin", origin]);
        let output = output.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{origin}");
        assert!(said.contains(&format!("`{origin}`")), "{said}");
    }
}
