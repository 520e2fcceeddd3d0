//! `throng bench compare`, and the servers of other make under `benches/peers`: each delivers all
//! that it is given, so that their speed is worth comparing.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Output;

use serde_json::Value;

use crate::clients;

#[test]
fn axum_delivers_all() {
    let peer = example("peer-axum");
    delivers_all("axum", &peer);
    delivers_all("axum as it comes", &format!("{peer} defaults"));
}

#[test]
fn fastwebsockets_delivers_all() {
    delivers_all("fastwebsockets", &example("peer-fastwebsockets"));
}

#[cfg(target_os = "linux")]
#[test]
fn the_floor_delivers_all() {
    let runs = delivers_all("floor", &example("peer-floor"));
    let batched = runs.iter().find(|run| run["window"] == 8).unwrap();
    let writes = batched["report"]["server"]["segments_per_delivery"].as_f64();
    assert!(writes.is_none_or(|writes| writes < 0.9), "{batched}");
}

#[test]
fn tungstenite_delivers_all() {
    let peer = example("peer-tungstenite");
    delivers_all("tungstenite + broadcast", &peer);
    delivers_all("tungstenite + mpsc", &format!("{peer} mpsc"));
}

#[test]
fn npm_ws_delivers_all() {
    let Some(modules) = clients::node_modules() else {
        return;
    };
    let server = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/server.mjs");
    let command = format!(
        "env NODE_PATH='{}' node '{}'",
        modules.display(),
        server.display()
    );
    delivers_all("npm ws", &command);
}

#[test]
fn throng_delivers_all_and_needs_fewer_writes_than_deliveries() {
    let runs = delivers_all("throng", &throng());
    let batched = runs.iter().find(|run| run["window"] == 8).unwrap();
    let writes = batched["report"]["server"]["segments_per_delivery"].as_f64();
    // Without `ss`, nobody can tell.
    assert!(writes.is_none_or(|writes| writes < 0.9), "{batched}");
}

/// Starts a server under a tiny load, at two windows; what was found.
fn delivers_all(name: &str, command: &str) -> Vec<Value> {
    // A client may fall behind by many windows while the others wait for it.
    let room = if name == "throng" { "" } else { " room=256" };
    let start = format!("{name}={command}{room}");
    let case = ["--clients", "25", "--window", "1,8"];
    let output = compare(&[&["--start", &start, "--json"], &case[..]].concat());
    assert!(output.status.success(), "{output:?}");
    let runs = runs(&output);
    assert_eq!(runs.len(), 2);
    for run in &runs {
        let report = &run["report"];
        let number = |name: &str| report[name].as_u64().unwrap();
        assert!(number("deliveries") > 25, "{run}");
        assert_eq!((number("missing"), number("refused")), (0, 0), "{run}");
        assert_eq!(report["closed"], serde_json::json!({}), "{run}");
    }
    runs
}

#[test]
fn a_comparison_is_written_between_the_markers() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compared.md");
    let around = |table: &str| {
        format!("# x\n<!-- compare:ws -->{table}<!-- /compare:ws -->\n<!-- bench:y -->\n")
    };
    fs::write(&file, around("old")).unwrap();
    let command = throng();
    let first = format!("one={command}");
    let second = format!("other={command}");
    let case = ["--clients", "5,1000", "--window", "1,8"];
    let written = ["--write", file.to_str().unwrap()];
    let started = ["--start", &first, "--start", &second];
    let output = compare(&[&started[..], &case[..], &written[..]].concat());
    assert!(output.status.success(), "{output:?}");
    assert!(output.stdout.is_empty());
    let text = fs::read_to_string(&file).unwrap();
    let tables: Vec<_> = text.lines().filter(|line| line.starts_with('|')).collect();
    let head = "clients | window 1: CPU | user | writes | lost | window 8: CPU | user | writes | lost | \
                idle client |";
    assert_eq!(tables[0], format!("| 5 {head}"));
    assert_eq!(tables[4], format!("| 1,000 {head}"));
    for (row, name) in [(2, "one"), (3, "other"), (6, "one"), (7, "other")] {
        let cells: Vec<_> = tables[row].split('|').map(str::trim).collect();
        assert_eq!((cells.len(), cells[1]), (12, name), "{}", tables[row]);
        let [cpu, user] = [cells[2], cells[3]];
        assert!(
            cpu.contains(" µs") && user.ends_with(" ns"),
            "{}",
            tables[row]
        );
        assert_eq!(cpu.ends_with("x)"), name == "other", "{}", tables[row]);
        assert_eq!([cells[5], cells[9]], ["0", "0"], "{}", tables[row]);
        assert!(cells[10].ends_with(" KiB"), "{}", tables[row]);
    }
    let table = tables[..4].join("\n") + "\n\n" + &tables[4..].join("\n");
    let (before, after) = text.split_once(&table).unwrap();
    assert_eq!(before, "# x\n<!-- compare:ws -->\n\n");
    let after: Vec<_> = after.trim().lines().collect();
    let measured = "Measured on ";
    assert!(after[0].starts_with(measured) && after[0].contains("uncontended atomic"));
    let settings = "Settings: 128 bytes of payload, 1 rounds of 0.2 s after a warm-up of 0.1 s";
    assert!(after[1].starts_with(settings), "{after:?}");
    let command = "throng serve --listen 127.0.0.1:0 --max-anonymous 0 --outbox-messages 256";
    assert_eq!(after[3], format!("* one: `{command}`"));
    assert_eq!(after[4], format!("* other: `{command}`"));
    assert_eq!(after[6..], ["<!-- /compare:ws -->", "<!-- bench:y -->"]);
}

#[test]
fn a_server_is_compared_with_itself_beside_stalled_clients() {
    let start = format!("one={}", throng());
    let started = [
        "--start",
        &start,
        "--clients",
        "20",
        "--rate",
        "200",
        "--stalled",
        "0.25",
    ];
    let output = compare(&[&started[..], &["--json"]].concat());
    let runs = runs(&output);
    let slow: Vec<_> = runs
        .iter()
        .map(|run| run["report"]["slow"].as_u64().unwrap())
        .collect();
    assert!(slow[0] == 0 && (4..=6).contains(&slow[1]), "{slow:?}");
    for run in &runs {
        assert_eq!(run["report"]["missing"], 0, "{run}");
    }

    let output = compare(&started);
    let table = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(
        lines[0],
        "| 20 clients, 200 messages a second | p50 | p99 | 25 % stalled: p50 | p99 | p99 with and without |"
    );
    let cells: Vec<_> = lines[2].split('|').map(str::trim).collect();
    assert_eq!((cells.len(), cells[1], lines[3]), (8, "one", ""), "{table}");
    assert!(
        cells[2..6].iter().all(|cell| cell.ends_with(" ms")),
        "{table}"
    );
    assert!(cells[6].ends_with('x'), "{table}");
}

#[test]
fn a_comparison_says_why_it_cannot_be_made() {
    let command = throng();
    let once = format!("x={command}");
    let path = format!("y={command} --max-clients 1");
    for (arguments, expected) in [
        (&[][..], "--start <START>"),
        (&["--start", "x"], "must be `NAME=COMMAND`"),
        (
            &["--start", "x=echo hello"],
            "x did not say where it listens, but \"hello\\n\"",
        ),
        (
            &["--start", "x=true"],
            "x did not say where it listens, but \"\"",
        ),
        (
            &["--start", &once, "--start", &once],
            "two servers are called `x`",
        ),
        (
            &["--start", &path, "--clients", "2"],
            "y: cannot connect client",
        ),
        (
            &["--start", &once, "--path", "/"],
            "x: cannot connect client",
        ),
        (
            &["--start", &once, "--clients", "1", "--write", "/nowhere/x"],
            "cannot read /nowhere/x",
        ),
    ] {
        let output = compare(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(errors.contains(expected), "{arguments:?}: {errors}");
    }
}

/// What a comparison says with `--json`.
fn runs(output: &Output) -> Vec<Value> {
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(found["environment"]["atomic_ns"].as_f64() > Some(0.0));
    found["runs"].as_array().unwrap().clone()
}

/// A short comparison.
fn compare(arguments: &[&str]) -> Output {
    let short = [
        "bench",
        "compare",
        "--rounds",
        "1",
        "--seconds",
        "0.2",
        "--warm-up",
        "0.1",
    ];
    let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
    command.args(short).args(arguments).output().unwrap()
}

/// The command that starts our own server.
fn throng() -> String {
    let program = env!("CARGO_BIN_EXE_throng");
    format!("'{program}' serve --listen 127.0.0.1:0 --max-anonymous 0 --outbox-messages 256")
}

/// The command that starts an example, which `cargo test` has built.
fn example(name: &str) -> String {
    let this = env::current_exe().unwrap();
    let built = this.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(
        built.exists(),
        "{} is not built: `cargo build --examples` does",
        built.display()
    );
    format!("'{}'", built.display())
}
