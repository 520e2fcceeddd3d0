//! What the arguments come to, channel by channel.

use std::time::Duration;

use throng::HistoryMode;
use throng::HistoryOptions;

use super::Histories;
use super::Rule;

fn histories(rules: &[&str]) -> Histories {
    Histories {
        rules: rules
            .iter()
            .map(|text| Rule::parse(text).unwrap())
            .collect(),
        rooms: Some(HistoryOptions::new()),
    }
}

fn wrong(text: &str) -> String {
    Rule::parse(text).unwrap_err()
}

#[test]
fn the_first_that_matches_counts() {
    let histories = histories(&["news.*:messages=3", "news.>:messages=5", "news:latest"]);
    let messages = |channel: &str| histories.of(channel).map(|it| it.max_messages);
    assert_eq!(messages("news.today"), Some(3));
    assert_eq!(messages("news.today.late"), Some(5));
    assert_eq!(histories.of("news").unwrap().mode, HistoryMode::Latest);
    assert_eq!(messages("sport"), None, "others remember nothing");
}

#[test]
fn each_setting_is_taken() {
    let rule = |text: &str| Rule::parse(text).unwrap().options;
    assert_eq!(rule("a"), HistoryOptions::new());
    assert_eq!(rule("a:"), HistoryOptions::new());
    let all = HistoryOptions::new().messages(10).bytes(2048);
    assert_eq!(
        rule("a:messages=10,bytes=2048,age=1500"),
        all.age(Duration::from_millis(1500))
    );
    let latest = HistoryOptions::latest().bytes(7);
    let latest = latest.age(Duration::from_millis(9));
    assert_eq!(rule("a:bytes=7,latest,age=9"), latest);
    assert_eq!(rule("a:latest,age=9,bytes=7"), latest);
}

#[test]
fn of_the_channels_of_the_layers_only_rooms_remember() {
    let mut histories = histories(&[">", "*"]);
    assert_eq!(histories.of("$room:lobby"), Some(HistoryOptions::new()));
    assert_eq!(histories.of("$presence:ada"), None);
    assert_eq!(histories.of("$pattern:s:news.*"), None);
    assert!(histories.of("presence-lobby").is_some());
    histories.rooms = None;
    assert_eq!(histories.of("$room:lobby"), None);
    assert!(!histories.is_empty());
    histories.rules.clear();
    assert!(histories.is_empty());
}

#[test]
fn a_colon_in_a_pattern_needs_one_behind_it() {
    let histories = histories(&["chat:room:", "chat:*:messages=2"]);
    assert!(histories.of("chat:room").is_some());
    assert!(histories.of("chat:other").is_none(), "no segment is a star");
    assert!(wrong("chat:room").contains("`room` is none of"));
    assert!(wrong("chat:room").contains("a colon in it needs another"));
}

#[test]
fn what_is_wrong_is_said() {
    for (text, why) in [
        ("", "a pattern is not empty"),
        (":messages=1", "a pattern is not empty"),
        ("a..b", "a pattern has no empty segments"),
        (">.a", "`>` is the last segment of a pattern"),
        ("$room:lobby:", "names with a `$` are the server's own"),
        ("a:messages", "`messages` is a whole number, at least 1"),
        ("a:messages=0", "`messages` is a whole number, at least 1"),
        ("a:bytes=1k", "`bytes` is a whole number, at least 1"),
        ("a:age=0", "`age` is at least 1"),
        (
            "a:age=1s",
            "`age` is a whole number of milliseconds, at most 4294967295",
        ),
        ("a:age=1,age=2", "`age` is there twice"),
        (
            "a:latest,messages=2",
            "`latest` is one message: leave `messages` out",
        ),
        ("a:latest=yes", "`latest=yes` is none of"),
        ("a:messages=1,", "`` is none of"),
    ] {
        let said = wrong(text);
        assert!(said.starts_with(why), "{text}: {said}");
    }
}
