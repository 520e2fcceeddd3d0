//! `throng bench`, run as a person would run it.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;

use serde_json::Value;
use serde_json::json;

use crate::binary::Throng;

#[test]
fn fanout_delivers_all_that_it_addresses() {
    let report = report(&[
        "fanout",
        "--subscribers",
        "1000",
        "--messages",
        "50",
        "--json",
    ]);
    assert_eq!(report["addressed"], 50_000);
    assert_eq!(report["delivered"], 50_000);
    assert_eq!(report["received"], 50_000);
    assert_eq!(report["dropped"], 0);
    assert!(report["latency"]["p50_us"].as_f64() <= report["latency"]["max_us"].as_f64());
    assert!(report["ns_per_delivery"].as_f64() > Some(0.0));
}

#[test]
fn fanout_accounts_for_every_message_to_slow_clients() {
    for policy in ["drop-newest", "drop-oldest", "keep-latest", "disconnect"] {
        let report = report(&[
            "fanout",
            "--subscribers",
            "100",
            "--slow-share",
            "0.25",
            "--messages",
            "100",
            "--policy",
            policy,
            "--channels",
            "2",
            "--publishers",
            "3",
            "--drainers",
            "2",
            "--json",
        ]);
        let number = |name: &str| report[name].as_u64().unwrap();
        assert_eq!(number("messages"), 300, "{policy}");
        // Fifty clients on a channel with two publishers, fifty on one with one.
        if policy != "disconnect" {
            assert_eq!(number("addressed"), 50 * 200 + 50 * 100, "{policy}");
        }
        let (slow, received) = (number("slow"), number("received"));
        assert!((20..=30).contains(&slow), "{slow} of 100 are slow");
        assert!(
            (70 * 100..=80 * 200).contains(&received),
            "{policy}: {received}"
        );
        assert!(received <= number("delivered"), "{policy}");
        let lost = number("dropped") + number("evicted");
        assert!(lost > 0, "{policy}: full outboxes lose messages");
    }
}

#[test]
fn fanout_ends_when_its_time_is_over() {
    let report = report(&[
        "fanout",
        "--subscribers",
        "10",
        "--seconds",
        "0.05",
        "--json",
    ]);
    assert!(report["messages"].as_u64() > Some(0));
    assert_eq!(report["received"], report["delivered"]);
}

#[test]
fn the_text_says_the_same_as_the_json() {
    let output = bench(&["fanout", "--subscribers", "10", "--messages", "10"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("addressed  100 = 100 delivered + 0 dropped"),
        "{text}"
    );
}

#[test]
fn ws_reaches_every_client_of_a_server() {
    // One client may fall behind by many windows while the others wait for it.
    let server = Throng::start(&["--outbox-messages", "256"]);
    let report = ws(&server, &["--clients", "50", "--window", "4"]);
    let number = |name: &str| report[name].as_u64().unwrap();
    assert!(number("messages") > 4, "{report}");
    assert!(number("deliveries") > 0, "{report}");
    assert_eq!((number("missing"), number("refused")), (0, 0), "{report}");
    let latency = &report["latency"];
    assert!(latency["samples"].as_u64() > Some(0), "{report}");
    assert!(latency["p50_us"].as_f64() <= latency["p999_us"].as_f64());
    // What it counted is what the hub has delivered.
    let stats = server.stats_until(|stats| stats["clients"] == 0);
    assert_eq!(stats["published"], report["messages"]);
    assert_eq!(stats["delivered"], number("messages") * 50, "{stats}");
}

#[test]
fn ws_keeps_no_more_than_its_window_on_the_way() {
    let server = Throng::start(&[]);
    let report = ws(&server, &["--clients", "50", "--window", "1"]);
    assert!(report["deliveries"].as_u64() > Some(50), "{report}");
    // Were a second message on its way, some client would get both at once.
    assert_eq!(report["deliveries_per_read"], 1.0, "{report}");
}

#[test]
fn ws_sends_at_the_rate_it_is_told() {
    let server = Throng::start(&[]);
    let report = ws(
        &server,
        &["--clients", "5", "--rate", "100", "--publishers", "3"],
    );
    // A quarter of a second, and what was due in the tenth before it.
    let sent = report["messages"].as_u64().unwrap() + report["unsent"].as_u64().unwrap();
    assert_eq!(sent, 35, "{report}");
    assert_eq!(report["missing"], 0, "{report}");
}

#[test]
fn ws_publishes_over_http_too() {
    let server = Throng::start(&[]);
    let report = ws(
        &server,
        &["--clients", "5", "--via", "http", "--channel", "a/b c"],
    );
    assert!(report["deliveries"].as_u64() > Some(0), "{report}");
    assert_eq!(
        (&report["missing"], &report["refused"]),
        (&json!(0), &json!(0))
    );
}

#[test]
fn ws_looks_at_the_process_of_the_server() {
    let server = Throng::start(&[]);
    let pid = server.id().to_string();
    let report = ws(&server, &["--clients", "20", "--pid", &pid]);
    let number = |name: &str| report["server"][name].as_f64().unwrap();
    let time = number("user_ns_per_delivery") + number("system_ns_per_delivery");
    assert!((0.0..1e9).contains(&time), "{report}");
    assert!(number("writes_per_delivery") >= 0.0, "{report}");
    assert!(number("used_bytes_per_client") > 0.0, "{report}");
}

#[test]
fn ws_does_not_wait_for_slow_clients() {
    let server = Throng::start(&[]);
    let report = ws(
        &server,
        &["--clients", "20", "--slow-share", "0.5", "--rate", "100"],
    );
    let slow = report["slow"].as_u64().unwrap();
    assert!((9..=11).contains(&slow), "{report}");
    assert_eq!(report["missing"], 0, "{report}");
    // They were behind from the start: they lost nearly all of these small messages.
    let dropped = server.stats()["dropped"].as_u64();
    assert!(dropped > Some(slow * 25), "{dropped:?} dropped");
}

#[test]
fn ws_reports_what_the_server_refuses() {
    let server = Throng::start(&["--client-publish", "refuse"]);
    let report = ws(&server, &["--clients", "1", "--rate", "20"]);
    assert_eq!(report["refused"], report["messages"], "{report}");
    let first = report["first_refusal"].as_str().unwrap();
    assert!(first.contains("forbidden"), "{first}");
}

#[test]
fn ws_says_why_it_cannot_measure() {
    let server = Throng::start(&[]);
    let ended = server.address;
    let url = format!("ws://{}/ws", server.address);
    for (arguments, expected) in [
        (
            &["--channel", "private-x"][..],
            "cannot connect client 0: {",
        ),
        (
            &["--size", "70000"],
            "a publisher has lost its connection: closed with 1009",
        ),
        (&["--pid", "4294967295"], "cannot read the memory of --pid"),
    ] {
        let more = [
            "ws",
            "--clients",
            "1",
            "--seconds",
            "0.1",
            "--warm-up",
            "0",
            "--url",
            &url,
        ];
        let output = bench(&[&more[..], arguments].concat());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && errors.contains(expected),
            "{errors}"
        );
    }
    drop(server);
    let output = bench(&["ws", "--url", &format!("ws://{ended}/ws")]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("cannot connect client"), "{errors}");
}

#[test]
fn ws_measures_several_windows_over_the_same_connections() {
    let server = Throng::start(&[]);
    let url = format!("ws://{}/ws", server.address);
    let pid = server.id().to_string();
    let (server_is, windows) = (["--url", &url, "--pid", &pid], ["--window", "1,2"]);
    let short = [
        "ws",
        "--clients",
        "20",
        "--seconds",
        "0.1",
        "--warm-up",
        "0",
    ];
    let output = bench(&[&short[..], &server_is[..], &windows[..], &["--json"]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    let reports: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(reports.len(), 2, "{text}");
    let mut messages = 0;
    for (report, window) in reports.iter().zip([1, 2]) {
        let number = |name: &str| report[name].as_u64().unwrap();
        assert_eq!((number("window"), number("missing")), (window, 0), "{text}");
        assert_eq!(number("expected"), number("messages") * 20, "{text}");
        assert!(report["server"]["user_ns_per_delivery"].is_number());
        assert_eq!(report["environment"]["profile"], "debug");
        messages += number("messages");
    }
    let stats = server.stats_until(|stats| stats["clients"] == 0);
    assert_eq!(stats["published"], messages, "{stats}");
    assert_eq!(
        stats["connected"], 22,
        "20 clients, a publisher for each window"
    );
}

#[test]
fn env_is_one_line_and_the_same_as_json() {
    let json = report(&["env", "--json"]);
    let text = String::from_utf8(bench(&["env"]).stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(json["cores"].as_u64() > Some(0), "{json}");
    assert!(json["atomic_ns"].as_f64() > Some(0.0), "{json}");
    assert!(text.contains("; one uncontended atomic "), "{text}");
    for field in ["cpu", "kernel", "profile", "rustc", "version"] {
        let value = json[field].as_str().unwrap();
        assert!(!value.is_empty() && text.contains(value), "{field}: {text}");
    }
    for cache in json["caches"].as_array().unwrap() {
        assert!(text.contains(cache.as_str().unwrap()), "{text}");
    }
}

#[test]
fn too_many_connections_name_the_option_for_more() {
    let server = Throng::start(&["--max-anonymous", "1"]);
    let _the_only_one = server.ws();
    let url = format!("ws://{}/ws", server.address);
    for arguments in [&["ws"][..], &["recovery"]] {
        let output = bench(&[arguments, &["--url", &url, "--clients", "1"]].concat());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{errors}");
        assert!(errors.contains("closed with 3023: "), "{errors}");
        assert!(errors.contains("--max-anonymous 0"), "{errors}");
    }
}

#[test]
fn recovery_without_a_history_says_so_at_once() {
    let server = Throng::start(&[]);
    let url = format!("ws://{}/ws", server.address);
    // Nobody waits so long.
    let more = ["--url", &url, "--clients", "3", "--patience", "86400"];
    let output = bench(&[&["recovery"], &more[..]].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{errors}");
    assert!(
        errors.contains("no history of `bench.0`") && errors.contains("--history 'bench.*'"),
        "{errors}"
    );
}

#[test]
fn recovery_brings_back_all_that_was_missed() {
    let server = Throng::start(&["--history", "bench.*"]);
    let pid = server.id().to_string();
    let report = recovery(&server, &["--pid", &pid]);
    assert_eq!(report["deliveries"], 20 * 60, "{report}");
    assert_eq!(report["missing"], 0, "{report}");
    assert_eq!(report["recovered"], 20 * 2, "{report}");
    assert!(report["server"]["user_ms"].is_number(), "{report}");
    assert!(report["back"]["p50_us"].as_f64() <= report["back"]["max_us"].as_f64());
}

#[test]
fn recovery_says_what_is_missing() {
    let server = Throng::start(&["--history", "bench.*:messages=10"]);
    let report = recovery(&server, &["--patience", "0.5"]);
    assert_eq!(report["recovered"], 0, "{report}");
    assert_eq!(
        report["missing"],
        20 * 60 - report["deliveries"].as_u64().unwrap()
    );
    assert!(report["missing"].as_u64() >= Some(20 * 40), "{report}");
}

#[test]
fn bad_values_are_refused_with_their_bounds() {
    for (arguments, expected) in [
        (
            &["fanout", "--subscribers", "0"][..],
            "must be a whole number from 1 to 10000000",
        ),
        (
            &["fanout", "--slow-share", "1.5"],
            "must be a number from 0 to 1",
        ),
        (
            &["fanout", "--slow-share", "NaN"],
            "must be a number from 0 to 1",
        ),
        (
            &["fanout", "--seconds", "inf"],
            "must be a number of seconds from 0.01 to 86400",
        ),
        (
            &["fanout", "--policy", "hope"],
            "drop-newest, drop-oldest, keep-latest",
        ),
        (
            &["fanout", "--channels", "8", "--subscribers", "7"],
            "--channels 8 is more than",
        ),
        (
            &["fanout", "--outbox", "65536", "--size", "1048576"],
            "17179869184 bytes",
        ),
        (&["fanout", "--outbox", "9"], "at least 48 is needed"),
        (
            &["fanout", "--seconds", "1", "--messages", "1"],
            "cannot be used with",
        ),
        (
            &["ws", "--url", "wss://127.0.0.1/"],
            "must be like ws://127.0.0.1:8080/path",
        ),
        (
            &["ws", "--size", "31"],
            "must be a whole number from 32 to 1048576",
        ),
        (
            &["ws", "--rate", "1", "--window", "1"],
            "cannot be used with",
        ),
        (&["ws", "--header", "a\r\nb: c"], "must be `Name: value`"),
        (
            &["ws", "--post", "http://127.0.0.1/"],
            "--post is of use with --via http only",
        ),
        (&["table", "--dir", "/nowhere"], "cannot read /nowhere"),
    ] {
        let output = bench(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(errors.contains(expected), "{arguments:?}: {errors}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn table_makes_rows_of_contenders_and_ratios() {
    let criterion = measured("print");
    let output = bench(&["table", "--dir", criterion.to_str().unwrap()]);
    let printed = String::from_utf8(output.stdout).unwrap();
    let measured = printed.strip_prefix(TABLE).unwrap();
    assert!(measured.starts_with("\nMeasured on "), "{printed}");
    assert!(measured.contains(", profile bench, rustc "), "{printed}");
}

#[test]
fn table_writes_between_the_markers() {
    let criterion = measured("write");
    let readme = criterion.join("README.md");
    let around =
        |table: &str| format!("# x\n\n<!-- bench:fanout -->{table}<!-- /bench:fanout -->\ny\n");
    fs::write(&readme, around("old")).unwrap();
    for _ in 0..2 {
        let arguments = ["table", "--dir", criterion.to_str().unwrap(), "--write"];
        let output = bench(&[&arguments[..], &[readme.to_str().unwrap()]].concat());
        assert!(output.status.success(), "{output:?}");
        let written = fs::read_to_string(&readme).unwrap();
        let measured = written
            .lines()
            .find(|line| line.starts_with("Measured on "));
        let table = format!("\n\n{TABLE}\n{}\n\n", measured.unwrap());
        assert_eq!(written, around(&table));
    }
}

#[test]
fn table_names_what_was_measured() {
    let criterion = measured("unknown");
    let output = bench(&[
        "table",
        "--dir",
        criterion.to_str().unwrap(),
        "--group",
        "fan",
    ]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains("no group `fan` was measured; these were: fanout"),
        "{errors}"
    );
}

const TABLE: &str = "\
| ns per delivery | 1 | 1,000 |
|---|---:|---:|
| throng | 40.0 | 5.0 |
| tokio-mpsc | – | 50.0 (10.0x) |
";

/// A folder as criterion would leave it.
fn measured(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    for (contender, receivers, nanos) in [
        ("throng", 1, 40.0),
        ("throng", 1_000, 5_000.0),
        ("tokio-mpsc", 1_000, 50_000.0),
    ] {
        let folder = root.join(format!("fanout/{contender}/{receivers}/new"));
        fs::create_dir_all(&folder).unwrap();
        let benchmark = json!({
            "group_id": "fanout",
            "function_id": contender,
            "value_str": receivers.to_string(),
            "throughput": { "Elements": receivers },
        });
        fs::write(folder.join("benchmark.json"), benchmark.to_string()).unwrap();
        let estimates = json!({ "median": { "point_estimate": nanos } });
        fs::write(folder.join("estimates.json"), estimates.to_string()).unwrap();
    }
    root
}

/// A short run against this server.
fn ws(server: &Throng, arguments: &[&str]) -> Value {
    let url = format!("ws://{}/ws", server.address);
    let short = [
        "ws",
        "--seconds",
        "0.25",
        "--warm-up",
        "0.1",
        "--url",
        &url,
        "--json",
    ];
    report(&[&short[..], arguments].concat())
}

/// Twenty clients that miss sixty messages.
fn recovery(server: &Throng, arguments: &[&str]) -> Value {
    let url = format!("ws://{}/ws", server.address);
    let short = [
        "recovery",
        "--clients",
        "20",
        "--messages",
        "60",
        "--url",
        &url,
        "--json",
    ];
    report(&[&short[..], arguments].concat())
}

fn report(arguments: &[&str]) -> Value {
    let output = bench(arguments);
    assert!(output.status.success(), "{output:?}");
    assert!(
        output.stderr.is_empty(),
        "no progress in a pipe: {output:?}"
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn bench(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
    command.arg("bench").args(arguments).output().unwrap()
}
