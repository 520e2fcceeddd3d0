//! The defaults of the shipped binary are those that the documents name.

use std::collections::BTreeMap;
use std::process::Command;

/// The options whose defaults the reference system documents, and those beside them that our own
/// documents name.
const DOCUMENTED: [(&str, &str); 21] = [
    ("--max-connections-per-user", "5"),
    ("--max-rooms-per-user", "50"),
    ("--max-channels-per-user", "100"),
    ("--max-anonymous", "1000"),
    ("--presence-timeout", "300000"),
    ("--typing-timeout", "3000"),
    ("--max-typing", "10"),
    ("--session-ttl", "30000"),
    ("--retention-days", "30"),
    ("--retention-messages", "100000"),
    ("--outbox-messages", "64"),
    ("--outbox-bytes", "1048576"),
    ("--gap-keys", "0"),
    ("--slow-consumer", "drop-newest"),
    ("--max-subscriptions", "256"),
    ("--sse-retry", "3000"),
    ("--sse-heartbeat", "15000"),
    ("--sse-max-channels", "64"),
    ("--max-history-bytes", "268435456"),
    ("--unsent-mark", "16384"),
    ("--spare-connections", "64"),
];

#[test]
fn the_binary_has_the_documented_defaults() {
    let defaults = defaults();
    for (option, value) in DOCUMENTED {
        let default = defaults.get(option).map(String::as_str);
        assert_eq!(default, Some(value), "{option}");
    }
}

/// What `--help` says of each option.
fn defaults() -> BTreeMap<String, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
    let output = command.args(["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let mut defaults = BTreeMap::new();
    let mut option = String::new();
    for line in help.lines().map(str::trim) {
        if line.starts_with("--") {
            let name = line.split_whitespace().next();
            option = name.unwrap_or_default().to_owned();
        }
        if let Some((_, value)) = line.split_once("[default: ") {
            let value = value.trim_end_matches(']');
            defaults.insert(option.clone(), value.to_owned());
        }
    }
    defaults
}
