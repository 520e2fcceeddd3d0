//! Clients that read as fast as they can lose nothing to the server's own scheduling: counted with
//! the shipped binary, its default outbox and the load generator that it comes with.

#[path = "../support/budgets.rs"]
mod budgets;

use std::process::Command;

use serde_json::Value;

use crate::binary::Throng;

#[test]
fn fast_clients_lose_no_more_than_their_budget() {
    // Connections that are nobody's are limited to fewer by default.
    let server = Throng::start(&["--max-anonymous", "0"]);
    for window in [1, 8, 32, 128] {
        let per_million = budgets::budget(&format!("lost-at-window-{window}"));
        let report = measured(&server, window);
        let number = |name: &str| usize::try_from(report[name].as_u64().unwrap()).unwrap();
        let (lost, expected) = (number("missing"), number("expected"));
        println!("window {window}: lost {lost} of {expected}");
        assert!(number("deliveries") > 0, "{report}");
        assert_eq!(report["closed"], serde_json::json!({}), "{report}");
        assert!(
            lost * 1_000_000 <= per_million * expected,
            "window {window}: lost {lost} of {expected}, more than {per_million} of a million"
        );
    }
}

/// What the load generator says of a second or so at this window.
fn measured(server: &Throng, window: usize) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
    let output = command
        .args(["bench", "ws", "--seconds", "1", "--warm-up", "0", "--json"])
        .args(["--url", &format!("ws://{}/ws", server.address)])
        .args(["--clients", &budgets::CLIENTS.to_string()])
        .args(["--window", &window.to_string()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}
