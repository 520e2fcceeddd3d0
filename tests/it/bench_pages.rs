//! `throng bench --html`: pages with the figures and histograms of the latencies, and where clients
//! are slow, how old what they have is.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use crate::binary::Throng;

/// Runs a benchmark that writes a page; returns the page.
pub(crate) fn page(name: &str, arguments: &[&str]) -> String {
    let file = file(name);
    let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
    command
        .arg("bench")
        .args(arguments)
        .arg("--html")
        .arg(&file);
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    assert!(!output.stdout.is_empty(), "the text is printed as well");
    fs::read_to_string(file).unwrap()
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{name}.html"))
}

fn assert_page(html: &str, parts: &[&str]) {
    for part in parts {
        assert!(html.contains(part), "no {part}");
    }
    let own = html.replace("http://www.w3.org/2000/svg", "");
    assert!(
        !own.contains("http://") && !own.contains("https://"),
        "it loads nothing"
    );
}

#[test]
fn fanout_writes_a_page() {
    let html = page(
        "fanout",
        &["fanout", "--subscribers", "100", "--messages", "200"],
    );
    assert_page(
        &html,
        &[
            "throng bench fanout",
            "addressed",
            "20000",
            "Latency: histogram",
            "p99.9",
        ],
    );
    assert!(!html.contains("Freshness"), "no client is slow");
}

#[test]
fn fanout_shows_freshness_beside_latency_where_clients_are_slow() {
    let arguments = [
        "fanout",
        "--subscribers",
        "100",
        "--slow-share",
        "0.2",
        "--seconds",
        "0.3",
        "--sample",
        "1",
    ];
    let html = page("fanout-slow", &arguments);
    assert_page(&html, &["Latency: histogram", "Freshness"]);
}

/// The page of `ws` with a fifth of the clients not reading.
pub(crate) fn ws_page() -> String {
    let server = Throng::start(&[]);
    let url = format!("ws://{}/ws", server.address);
    let arguments = [
        "ws",
        "--url",
        &url,
        "--clients",
        "10",
        "--slow-share",
        "0.2",
        "--rate",
        "100",
        "--seconds",
        "0.5",
        "--warm-up",
        "0.1",
    ];
    page("ws", &arguments)
}

#[test]
fn ws_writes_a_page_with_freshness_beside_latency_where_clients_are_slow() {
    let html = ws_page();
    assert_page(
        &html,
        &[
            "throng bench ws",
            "Latency: percentiles",
            "Freshness: histogram",
            "Freshness: percentiles",
        ],
    );
}

#[test]
fn recovery_writes_a_page() {
    let server = Throng::start(&["--history", "bench.*:messages=1000"]);
    let url = format!("ws://{}/ws", server.address);
    let arguments = [
        "recovery",
        "--url",
        &url,
        "--clients",
        "20",
        "--messages",
        "50",
    ];
    assert_page(
        &page("recovery", &arguments),
        &[
            "throng bench recovery",
            "subscriptions recovered",
            "Latency: histogram",
        ],
    );
}

#[test]
fn compare_writes_a_page() {
    let start = format!(
        "throng={} --listen 127.0.0.1:0",
        env!("CARGO_BIN_EXE_throng")
    );
    let arguments = [
        "compare",
        "--start",
        &start,
        "--clients",
        "10",
        "--window",
        "1",
        "--rounds",
        "1",
        "--seconds",
        "0.2",
        "--warm-up",
        "0.1",
    ];
    assert_page(
        &page("compare", &arguments),
        &[
            "throng bench compare",
            "server: ns per delivery",
            "Latency: histogram",
        ],
    );
}
