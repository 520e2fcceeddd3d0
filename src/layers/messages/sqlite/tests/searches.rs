//! What searches find.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::layers::messages::Cursor;
use crate::layers::messages::Terms;
use crate::layers::messages::words;

#[test]
fn words_are_found_in_the_rooms_asked_for() {
    let dir = Dir::new();
    let store = dir.open();
    let texts = [
        "the quick brown fox",
        "a brown dog",
        "quick, brown!",
        "room r1 u1",
    ];
    for text in texts {
        save(&store, draft("a", "ada", text, 1));
        save(&store, draft("b", "bob", text, 1));
    }
    let cases: [(&str, &[u64]); 9] = [
        ("brown", &[3, 2, 1]),
        ("BROWN quick", &[3, 1]),
        ("\"quick brown\"", &[3, 1]),
        ("\"brown quick\"", &[]),
        ("bro*", &[3, 2, 1]),
        ("brown -dog", &[3, 1]),
        ("brown -dog -fox -x", &[3]),
        ("r1", &[4]),
        ("room* -\"quick brown\"", &[4]),
    ];
    for (terms, expected) in cases {
        assert_eq!(found(&store, terms, &["a"]), expected, "{terms}");
    }
    assert_eq!(found(&store, "dog", &["a", "b", "a", "none"]), [2, 2]);
    assert!(found(&store, "dog", &["none"]).is_empty());
    assert!(found(&store, "dog", &[]).is_empty());
}

#[test]
fn words_that_mean_something_to_the_index_are_words() {
    let dir = Dir::new();
    let store = dir.open();
    let text = "and or not near(a b) room:r1 x\" y ^z {text} + 'q' *";
    save(&store, draft("a", "ada", text, 1));
    save(&store, draft("a", "ada", "other", 1));
    for terms in [
        "and",
        "OR",
        "not",
        "NEAR(a b)",
        "room:r1",
        "^z",
        "{text}",
        "'q'",
        "x\" y\"",
    ] {
        assert_eq!(found(&store, terms, &["a"]), [1], "{terms}");
    }
}

#[test]
fn only_what_a_message_says_now_is_found() {
    let dir = Dir::new();
    let store = dir.open();
    save(&store, draft("a", "ada", "old news", 1));
    save(&store, draft("a", "ada", "other news", 1));
    message(change(&store, edit("a", 1, "new thing", 2)));
    assert!(found(&store, "old", &["a"]).is_empty());
    assert_eq!(found(&store, "thing", &["a"]), [1]);
    message(change(&store, delete("a", 2, 3)));
    assert!(found(&store, "news", &["a"]).is_empty());
    message(change(&store, delete("a", 1, 3)));
    assert!(found(&store, "thing", &["a"]).is_empty());
    // One list that writes and takes back.
    let changes = vec![
        Change::Save(draft("a", "ada", "fleeting", 4)),
        edit("a", 3, "lasting", 5),
        Change::Save(draft("a", "ada", "fleeting", 6)),
        delete("a", 4, 7),
    ];
    store
        .write(changes)
        .into_iter()
        .for_each(|written| drop(message(written)));
    assert!(found(&store, "fleeting", &["a"]).is_empty());
    assert_eq!(found(&store, "lasting", &["a"]), [3]);
}

#[test]
fn a_search_goes_on_both_ways_and_by_user() {
    let dir = Dir::new();
    let store = dir.open();
    for n in 1..=9_u64 {
        let by = if n % 3 == 0 { "bob" } else { "ada" };
        save(&store, draft("a", by, "word", n));
    }
    let mut search = MessageSearch::new("word".parse().unwrap(), vec![room("a")]);
    search.limit = 4;
    let first = store.search(&search).unwrap();
    assert_eq!(sequences(&first), [9, 8, 7, 6]);
    assert_eq!(first.newer, Some(Cursor::Newer(9)));
    search.cursor = first.older;
    let second = store.search(&search).unwrap();
    assert_eq!(sequences(&second), [5, 4, 3, 2]);
    search.cursor = second.older;
    let third = store.search(&search).unwrap();
    assert_eq!((sequences(&third), third.older), (vec![1], None));
    search.cursor = third.newer;
    let back = store.search(&search).unwrap();
    assert_eq!(
        sequences(&back),
        [5, 4, 3, 2],
        "the nearest, but the newest first"
    );
    search.cursor = None;
    search.user = Some(user("bob"));
    assert_eq!(sequences(&store.search(&search).unwrap()), [9, 6, 3]);
    search.user = Some(user("nobody"));
    assert!(store.search(&search).unwrap().messages.is_empty());
}

#[test]
fn a_search_may_be_of_many_rooms() {
    let dir = Dir::new();
    let store = dir.open();
    let names: Vec<_> = (0..1200).map(|n| format!("room {n}")).collect();
    let drafts = names
        .iter()
        .map(|name| Change::Save(draft(name, "ada", "word", 1)));
    store
        .write(drafts.collect())
        .into_iter()
        .for_each(|written| drop(message(written)));
    for count in [999, 1000, 1001, 1100] {
        let rooms = names[..count].iter().map(|name| room(name)).collect();
        let mut search = MessageSearch::new("word -other".parse().unwrap(), rooms);
        search.user = Some(user("ada"));
        search.cursor = Some(Cursor::Older(995));
        search.limit = 2;
        let ids = |search: &MessageSearch| {
            let page = store.search(search).unwrap();
            page.messages
                .iter()
                .map(|message| message.id)
                .collect::<Vec<_>>()
        };
        assert_eq!(ids(&search), [994, 993], "{count}");
        search.cursor = Some(Cursor::Newer(995));
        assert_eq!(ids(&search), [997, 996], "{count}");
        search.cursor = None;
        assert_eq!(ids(&search), [count as u64, count as u64 - 1]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn the_index_finds_what_the_terms_are_in(
        texts in prop::collection::vec("[aAbB,. İßK日本0é\u{301}\"*-]{0,12}", 1..12),
        terms in prop::collection::vec("-?(\"[abA 日本0é]{1,5}\"|[aAbİßK日本0é]{1,3}\\*?)", 1..4),
    ) {
        let dir = Dir::new();
        let store = dir.open();
        let terms = terms.join(" ");
        prop_assume!(terms.parse::<Terms>().is_ok());
        let parsed: Terms = terms.parse().unwrap();
        let drafts = texts.iter().map(|text| Change::Save(draft("a", "ada", text, 1)));
        store.write(drafts.collect()).into_iter().for_each(|written| drop(message(written)));
        let is_in = |text: &str| {
            let words = words(text);
            !words.is_empty() && parsed.are_in(&words)
        };
        let expected = (1_u64..).zip(&texts).filter(|(_, text)| is_in(text));
        let mut expected: Vec<u64> = expected.map(|(sequence, _)| sequence).collect();
        expected.reverse();
        prop_assert_eq!(found(&store, &terms, &["a"]), expected, "{}", terms);
    }
}

#[test]
fn a_search_that_takes_too_long_is_given_up() {
    let dir = Dir::new();
    let store = dir.open();
    fill(&store, "a", "ada", 20_000);
    let mut search = MessageSearch::new("text -text".parse().unwrap(), vec![room("a")]);
    assert!(store.search(&search).unwrap().messages.is_empty());
    search.time_limit = Some(Duration::ZERO);
    assert_eq!(store.search(&search), Err(StoreError::TimedOut));
    search.time_limit = Some(Duration::MAX);
    assert!(store.search(&search).unwrap().messages.is_empty(), "again");
    assert_eq!(found(&store, "text", &["a"]).len(), 50);
}
