//! - A channel belongs to the user that its segment names, dots of the id escaped.
//! - A pattern belongs to a user only if every channel that it can match does.

use super::InvalidPrivateChannels;
use super::Pattern;
use super::PrivateChannels;

fn rule() -> PrivateChannels {
    PrivateChannels::parse("user.{user}.>").unwrap()
}

#[test]
fn a_channel_belongs_to_the_user_in_its_name() {
    for (channel, owner) in [
        ("user.ada.inbox", Some("ada")),
        ("user.ada.inbox.deep", Some("ada")),
        ("user.ada", None),
        ("news.ada.inbox", None),
        ("user.a.b.inbox", Some("a")),
        ("user.a%2Eb.inbox", Some("a.b")),
        ("user.a%252Eb.inbox", Some("a%2Eb")),
    ] {
        assert_eq!(rule().owner(channel).as_deref(), owner, "{channel}");
    }
    for user in ["ada", "a.b", "100%", "%2E", "a%25.b"] {
        let channel = format!("user.{}.inbox", PrivateChannels::segment(user));
        assert_eq!(rule().owner(&channel).as_deref(), Some(user));
    }
}

#[test]
fn a_pattern_belongs_to_a_user_if_all_that_it_matches_does() {
    for (pattern, owner) in [
        ("user.ada.>", Some("ada")),
        ("user.ada.*", Some("ada")),
        ("user.ada.inbox", Some("ada")),
        ("user.*.inbox", None),
        ("user.>", None),
        (">", None),
        ("*.ada.>", None),
    ] {
        let pattern = Pattern::parse(pattern).unwrap();
        assert_eq!(
            rule().owner_of_pattern(&pattern).as_deref(),
            owner,
            "{pattern}"
        );
    }
    for (prefix, owner) in [
        ("user.ada.", Some("ada")),
        ("user.ada.in", Some("ada")),
        ("user.ada", None),
        ("user.", None),
    ] {
        let pattern = Pattern::prefix(prefix).unwrap();
        assert_eq!(
            rule().owner_of_pattern(&pattern).as_deref(),
            owner,
            "{pattern}"
        );
    }
    let suffix = Pattern::suffix(".ada.inbox").unwrap();
    assert_eq!(rule().owner_of_pattern(&suffix), None);
}

#[test]
fn a_rule_names_the_user_once() {
    let parse = PrivateChannels::parse;
    assert_eq!(parse("user.>"), Err(InvalidPrivateChannels::NoUser));
    assert_eq!(
        parse("{user}.{user}"),
        Err(InvalidPrivateChannels::TwoUsers)
    );
    assert!(matches!(
        parse("{user}..a"),
        Err(InvalidPrivateChannels::Pattern(_))
    ));
}
