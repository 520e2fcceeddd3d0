//! - New connections beyond so many in a second are told to come back later, in all and by address.
//! - Of a trusted proxy the clients are counted that it forwards.

use crate::binary::Response;
use crate::binary::Throng;

fn assert_busy(answer: &Response) {
    assert_eq!(
        answer.problem(),
        (503, "overloaded".to_owned()),
        "{answer:?}"
    );
    let seconds = answer.header("retry-after").unwrap();
    let seconds = seconds.parse::<u64>().unwrap();
    assert!((1..=5).contains(&seconds), "{answer:?}");
}

/// The statuses of so many requests, each over a connection of its own.
fn statuses(n: usize, ask: impl Fn() -> Response) -> Vec<u16> {
    let answers = (0..n).map(|_| ask());
    answers
        .inspect(|answer| {
            if answer.status != 200 {
                assert_busy(answer);
            }
        })
        .map(|answer| answer.status)
        .collect()
}

#[test]
fn new_connections_are_limited_in_all() {
    let throng = Throng::start(&["--max-connects-per-second", "3"]);
    let came = statuses(200, || throng.get("/api/v1/stats"));
    assert!(came.starts_with(&[200, 200, 200]), "{came:?}");
    assert!(came.contains(&503), "{came:?}");
    assert_eq!(throng.get("/healthz").status, 200, "it is healthy");
    let path = "/api/v1/stats";
    let start = std::time::Instant::now();
    while throng.get(path).status != 200 {
        assert!(
            start.elapsed() < crate::binary::PATIENCE,
            "each second has room for more"
        );
    }
}

#[test]
fn new_connections_of_an_address_are_limited() {
    let throng = Throng::start(&["--max-connects-per-ip", "3"]);
    let came = statuses(200, || throng.get("/api/v1/stats"));
    assert!(came.starts_with(&[200, 200, 200]), "{came:?}");
    assert!(came.contains(&503), "{came:?}");
}

#[test]
fn of_a_trusted_proxy_each_client_is_counted() {
    let arguments = ["--trusted-proxy", "127.0.0.1", "--max-connects-per-ip", "1"];
    let throng = Throng::start(&arguments);
    let ask = |client: u8, path: &str| {
        let forwarded = format!("for=10.0.0.{client}");
        throng.request("GET", path, &[("forwarded", &forwarded)], b"")
    };
    // Not the handshake of a WebSocket: it is counted all the same.
    let ask_ws = |client| ask(client, "/ws").status;
    let came: Vec<_> = (0..100).map(|_| ask_ws(1)).collect();
    assert_eq!(came[0], 400, "{came:?}");
    assert!(came.contains(&503), "{came:?}");
    assert_eq!(ask_ws(2), 400, "another client");
    for _ in 0..20 {
        assert_eq!(
            ask(1, "/api/v1/stats").status,
            200,
            "it begins no connection"
        );
    }
}
