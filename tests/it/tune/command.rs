//! `throng tune`, run as a person would run it.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;

use serde_json::Value;
use throng::tune::Scenario;

/// A directory of a test.
pub(super) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tune-{name}"));
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).unwrap();
    folder
}

pub(super) fn tune(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
    command
        .arg("tune")
        .args(arguments)
        .current_dir(folder)
        .env("COLUMNS", "80");
    command.output().unwrap()
}

pub(super) fn text(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    format!("{}{error}", String::from_utf8_lossy(&output.stdout))
}

/// What makes it short.
const SHORT: [&str; 8] = [
    "--duration",
    "13s",
    "--population",
    "8",
    "--seeds",
    "1",
    "--pace",
    "500us",
];

#[test]
fn flags_give_a_recommendation_and_a_file_that_gives_it_again() {
    let folder = folder("flags");
    let flags = [
        "--rate",
        "120",
        "--burst",
        "400/12s",
        "--keys",
        "400:zipf",
        "--size",
        "120",
        "--clients",
        "fixed:60%,mobile:40%",
        "--name",
        "ticks",
        "--seed",
        "3",
    ];
    let output = tune(
        &folder,
        &[&flags[..], &SHORT, &["--outbox", "16,128"]].concat(),
    );
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("Take keep-latest, "), "{said}");
    assert!(said.contains("throng serve --outbox-messages "), "{said}");
    assert!(
        said.contains("again with  throng tune tune-ticks.toml"),
        "{said}"
    );
    let json = fs::read_to_string(folder.join("tune-ticks.json")).unwrap();
    let again = tune(&folder, &["tune-ticks.toml", "--json", "--no-files"]);
    assert_eq!(
        String::from_utf8(again.stdout).unwrap().trim_end(),
        json,
        "the same bytes"
    );
    let scenario = fs::read_to_string(folder.join("tune-ticks.toml")).unwrap();
    assert_eq!(Scenario::from_toml(&scenario).unwrap().seed, 3);
}

#[test]
fn what_is_recommended_is_what_a_server_starts_with() {
    let folder = folder("serve");
    let output = tune(
        &folder,
        &[&["--preset", "ticker", "--json", "--no-files"], &SHORT[..]].concat(),
    );
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let command = report["advice"]["command"].as_str().unwrap();
    let flags = command.strip_prefix("throng serve ").unwrap();
    let flags: Vec<_> = flags.split(' ').collect();
    let throng = crate::binary::Throng::start(&flags);
    assert_eq!(throng.stats()["clients"], 0);
    assert!(
        fs::read_dir(&folder).unwrap().next().is_none(),
        "no files were written"
    );
}

#[test]
fn check_exits_with_3_where_no_setting_passes() {
    let folder = folder("check");
    let flags = [
        "--preset",
        "ticker",
        "--check",
        "--policy",
        "drop-newest",
        "--unsent-mark",
        "16384",
    ];
    let output = tune(&folder, &[&flags[..], &SHORT, &["--outbox", "16"]].concat());
    let said = text(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.starts_with("No setting keeps every bound."), "{said}");
    assert!(said.contains("would pass"), "{said}");
    let output = tune(
        &folder,
        &[&flags[..], &SHORT, &["--outbox", "16", "--lost", "100%"]].concat(),
    );
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(
        fs::read_dir(&folder).unwrap().next().is_none(),
        "no files were written"
    );
}

#[test]
fn the_pace_is_measured_and_written_down() {
    let folder = folder("pace");
    let short = [
        "--duration",
        "1s",
        "--population",
        "4",
        "--seeds",
        "1",
        "--outbox",
        "16",
        "--preset",
        "scores",
    ];
    let output = tune(&folder, &short);
    assert!(
        matches!(output.status.code(), Some(0 | 3)),
        "{}",
        text(&output)
    );
    let scenario = fs::read_to_string(folder.join("tune-scores.toml")).unwrap();
    let pace = Scenario::from_toml(&scenario).unwrap().pace.unwrap();
    assert!(!pace.is_zero(), "{scenario}");
}

#[test]
fn what_is_wrong_is_said() {
    let folder = folder("wrong");
    for (arguments, expected) in [
        (
            &["--clients", "phones:1"][..],
            "the classes are fixed, mobile, sleepy, weak",
        ),
        (&["--burst", "400"], "use MESSAGES/EVERY such as 400/12s"),
        (
            &["--duration", "0s"],
            "duration is 0ns, it must be from 1s to 86400s",
        ),
        (&["missing.toml"], "cannot read missing.toml"),
        (
            &["--policy", "drop"],
            "use drop-newest, drop-oldest, keep-latest",
        ),
    ] {
        let output = tune(&folder, arguments);
        assert!(!output.status.success());
        assert!(text(&output).contains(expected), "{}", text(&output));
    }
}
