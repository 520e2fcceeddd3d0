//! The tree finds what a look at each pattern finds.

use proptest::prelude::*;

use super::Index;
use super::InvalidName;
use super::InvalidPattern;
use super::Pattern;

#[test]
fn what_is_no_pattern_says_why() {
    for (text, why) in [
        ("", InvalidPattern::Empty),
        ("a..b", InvalidPattern::EmptySegment),
        (".a", InvalidPattern::EmptySegment),
        ("a.", InvalidPattern::EmptySegment),
        (">.a", InvalidPattern::RestNotLast),
        (
            "a\nb",
            InvalidPattern::Character(InvalidName::ControlCharacter {
                at: 1,
                character: '\n',
            }),
        ),
    ] {
        assert_eq!(Pattern::parse(text), Err(why), "{text:?}");
    }
    let long = "x".repeat(Pattern::MAX_LEN + 1);
    assert_eq!(Pattern::parse(&long), Err(InvalidPattern::TooLong));
    let deep = ["x"; Pattern::MAX_SEGMENTS + 1].join(".");
    assert_eq!(Pattern::parse(&deep), Err(InvalidPattern::TooManySegments));
}

#[test]
fn stars_and_rests_are_whole_segments() {
    for (pattern, name, matches) in [
        ("a.*", "a.b", true),
        ("a.*", "a", false),
        ("a.*", "a.b.c", false),
        ("a.>", "a.b.c", true),
        ("a.>", "a", false),
        ("*", "a", true),
        ("*", "a.b", false),
        (">", "a.b", true),
        ("a*", "ab", false),
        ("a*", "a*", true),
        ("*.*", ".", true),
    ] {
        assert_eq!(
            Pattern::parse(pattern).unwrap().matches(name),
            matches,
            "{pattern} {name}"
        );
    }
}

#[test]
fn the_canonical_form_is_read_back_and_never_mistaken() {
    for pattern in [
        Pattern::parse("p:x").unwrap(),
        Pattern::prefix("s:x").unwrap(),
        Pattern::suffix("x").unwrap(),
    ] {
        let text = pattern.to_string();
        assert_eq!(Pattern::from_canonical(&text), Ok(pattern));
    }
}

fn segment() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ab]",
        Just("*".to_owned()),
        Just(">".to_owned()),
        "[ab]{2}",
        Just("é".to_owned())
    ]
}

fn pattern() -> impl Strategy<Value = Pattern> {
    let segments = prop::collection::vec(segment(), 1..5);
    prop_oneof![
        segments.prop_filter_map("a pattern", |it| Pattern::parse(&it.join(".")).ok()),
        "[ab.é]{1,4}".prop_map(|text| Pattern::prefix(&text).unwrap()),
        "[ab.é]{1,4}".prop_map(|text| Pattern::suffix(&text).unwrap()),
    ]
}

fn name() -> impl Strategy<Value = String> {
    let segments = prop::collection::vec(segment(), 1..6);
    prop_oneof![segments.prop_map(|it| it.join(".")), "[ab.é]{1,8}"]
}

proptest! {
    #[test]
    fn the_index_finds_what_a_scan_finds(
        steps in prop::collection::vec((pattern(), any::<bool>()), 0..40),
        names in prop::collection::vec(name(), 1..10),
    ) {
        let mut index = Index::default();
        let mut all = std::collections::BTreeSet::new();
        for (pattern, insert) in steps {
            if insert {
                let news = index.insert(&pattern, pattern.clone()).is_none();
                prop_assert_eq!(news, all.insert(pattern));
            } else {
                prop_assert_eq!(index.remove(&pattern).is_some(), all.remove(&pattern));
            }
        }
        prop_assert_eq!(index.len(), all.len());
        for name in names {
            let mut found = Vec::new();
            index.each(&name, |pattern| found.push(pattern.clone()));
            found.sort();
            let expected: Vec<_> = all.iter().filter(|it| it.matches(&name)).cloned().collect();
            prop_assert_eq!(found, expected, "{}", name);
        }
        for pattern in &all {
            index.remove(pattern);
        }
        prop_assert!(index.has_no_nodes(), "nothing is left behind");
    }

    #[test]
    fn a_name_that_matches_begins_as_the_pattern_says(pattern in pattern(), name in name()) {
        if pattern.matches(&name) {
            prop_assert!(name.starts_with(pattern.literal_prefix()));
        }
    }
}
