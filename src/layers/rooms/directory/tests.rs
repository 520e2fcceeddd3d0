//! The directory finds what a look at every room finds.

use proptest::prelude::*;
use serde_json::Map;
use serde_json::json;

use super::Directory;
use super::Facts;
use super::RoomQuery;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;

const MOST: usize = 10_000;

#[test]
fn short_words_begin_words_and_longer_ones_are_anywhere() {
    let mut directory = Directory::default();
    directory.put(&id(1), named("Project Alpha"));
    directory.put(&id(2), named("Alphabet soup"));
    let find = |text: &str| {
        let query = RoomQuery::new().text(text);
        let found = directory.list(&query, None, 10, MOST, |_, _| true).rooms;
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(find("ALPHA"), ["2", "1"]);
    assert_eq!(find("habet"), ["2"]);
    assert_eq!(find("pr"), ["1"]);
    assert_eq!(find("ro"), Vec::<String>::new());
    assert_eq!(find("al so"), ["2"]);
    assert_eq!(find(""), ["2", "1"]);
}

fn named(name: &str) -> Facts {
    Facts {
        name: name.into(),
        ..Facts::default()
    }
}

fn id(number: u64) -> RoomId {
    RoomId::parse(&number.to_string()).unwrap()
}

fn facts() -> impl Strategy<Value = Facts> {
    let text = || "[abÄ]{1,4}( [ab]{1,3})?";
    let tags = prop::collection::vec("[xy]", 0..2);
    let metadata = prop::collection::btree_map("[kl]", 0..3_u8, 0..2);
    (
        text(),
        text(),
        prop::option::of("[pq]"),
        tags,
        metadata,
        any::<(bool, bool, bool)>(),
    )
        .prop_map(
            |(name, description, category, tags, metadata, (private, archived, owned))| Facts {
                name: name.into(),
                description: description.into(),
                category: category.map(Into::into),
                tags: tags.into_iter().map(Into::into).collect(),
                metadata: metadata
                    .into_iter()
                    .map(|(key, it)| (key, json!(it)))
                    .collect::<Map<_, _>>(),
                owner: owned.then(|| UserId::parse("ada").unwrap()),
                private,
                archived,
            },
        )
}

fn query() -> impl Strategy<Value = RoomQuery> {
    let flag = || prop::option::of(any::<bool>());
    (
        prop_oneof![Just(String::new()), "[abä]{1,4}", "[ab]{1,3} [ab]{1,2}"],
        prop::option::of("[pq]"),
        prop::option::of("[xy]"),
        prop::option::of(("[kl]", 0..3_u8)),
        flag(),
        flag(),
    )
        .prop_map(|(text, category, tag, metadata, private, archived)| {
            let mut query = RoomQuery::new().text(text);
            query.category = category;
            query.tags.extend(tag);
            query
                .metadata
                .extend(metadata.map(|(key, value)| (key, json!(value))));
            query.private = private;
            query.archived = archived;
            query
        })
}

/// What a look at a room says, in the dullest way.
fn wanted(query: &RoomQuery, facts: &Facts) -> bool {
    let text = format!("{} {}", facts.name, facts.description).to_lowercase();
    let has = |word: &str| match word.chars().count() {
        1 | 2 => text.split(' ').any(|own| own.starts_with(word)),
        _ => text.contains(word),
    };
    query
        .text
        .to_lowercase()
        .split(' ')
        .filter(|word| !word.is_empty())
        .all(has)
        && query
            .category
            .as_deref()
            .is_none_or(|it| facts.category.as_deref() == Some(it))
        && query
            .tags
            .iter()
            .all(|tag| facts.tags.iter().any(|it| **it == **tag))
        && query
            .metadata
            .iter()
            .all(|(key, it)| facts.metadata.get(key) == Some(it))
        && query.private.is_none_or(|it| it == facts.private)
        && query.archived.is_none_or(|it| it == facts.archived)
}

proptest! {
    #[test]
    fn the_directory_finds_what_a_scan_finds(
        steps in prop::collection::vec((0..12_u64, prop::option::weighted(0.8, facts())), 0..40),
        queries in prop::collection::vec((query(), 1..5_usize), 1..6),
    ) {
        let mut directory = Directory::default();
        // The newest last.
        let mut rooms: Vec<(u64, Facts)> = Vec::new();
        for (number, facts) in steps {
            let known = rooms.iter().position(|(it, _)| *it == number);
            match (facts, known) {
                (Some(facts), known) => {
                    directory.put(&id(number), facts.clone());
                    match known {
                        Some(at) => rooms[at].1 = facts,
                        None => rooms.push((number, facts)),
                    }
                }
                (None, known) => {
                    directory.take(&id(number));
                    known.map(|at| rooms.remove(at));
                }
            }
        }
        for (query, limit) in queries {
            let visible = |facts: &Facts| !facts.private || facts.owner.is_some();
            let expected: Vec<_> = rooms
                .iter()
                .rev()
                .filter(|(_, facts)| wanted(&query, facts) && visible(facts))
                .map(|(number, _)| id(*number))
                .collect();
            let mut found = Vec::new();
            let mut before = None;
            loop {
                let part = directory.list(&query, before, limit, MOST, |_, it| visible(it));
                let (page, next) = (part.rooms, part.next);
                prop_assert!(page.len() <= limit);
                found.extend(page);
                before = next;
                if before.is_none() {
                    break;
                }
            }
            prop_assert_eq!(found, expected, "{:?}", query);
        }
        for (number, _) in &rooms {
            directory.take(&id(*number));
        }
        prop_assert!(directory.terms.is_empty(), "nothing is left behind");
    }
}
