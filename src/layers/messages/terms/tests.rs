//! Tests of searches.

use proptest::prelude::*;

use super::InvalidTerms;
use super::Terms;
use super::words;
use super::words_of;
use crate::message::Format;

fn finds(terms: &str, text: &str) -> bool {
    terms.parse::<Terms>().unwrap().are_in(&words(text))
}

#[test]
fn words_are_found_in_any_case_and_order() {
    assert!(finds("World hello", "Hello, WORLD!"));
    assert!(!finds("world hell", "Hello, world!"));
    assert!(finds("straße", "in der STRASSE, Straße 5"));
    assert!(finds("日本", "私は日本人です"));
    assert!(!finds("本日", "私は日本人です"));
}

#[test]
fn phrases_prefixes_and_exclusions_are_what_they_say() {
    assert!(finds("\"brown fox\"", "the quick brown fox"));
    assert!(!finds("\"fox brown\"", "the quick brown fox"));
    assert!(finds("qui*", "the quick brown fox"));
    assert!(!finds("ick*", "the quick brown fox"));
    assert!(!finds("fox -quick", "the quick brown fox"));
    assert!(finds("fox -slow", "the quick brown fox"));
    assert!(finds("e-mail", "an e-mail"), "a phrase by its punctuation");
}

#[test]
fn what_looks_for_nothing_is_refused() {
    let cases = [
        ("", InvalidTerms::Nothing),
        ("-a", InvalidTerms::Nothing),
        ("* !", InvalidTerms::Nothing),
        ("\"a", InvalidTerms::OpenQuote),
    ];
    for (text, error) in cases {
        assert_eq!(text.parse::<Terms>(), Err(error), "{text}");
    }
    assert_eq!("a".repeat(257).parse::<Terms>(), Err(InvalidTerms::TooLong));
    assert_eq!(
        "a ".repeat(17).parse::<Terms>(),
        Err(InvalidTerms::TooManyWords)
    );
}

#[test]
fn the_texts_of_json_are_found_and_its_names_are_not() {
    let words = words_of(
        br#"{"text":"Good day","tags":["blue"],"n":5}"#,
        Format::Text,
    );
    assert_eq!(words, ["blue", "good", "day"], "fields by name");
    assert_eq!(words_of(b"plain text", Format::Text), ["plain", "text"]);
    assert!(words_of(b"plain text", Format::Binary).is_empty());
}

proptest! {
    #[test]
    fn anything_is_read_or_refused(text in "\\PC{0,300}", in_text in "\\PC{0,80}") {
        if let Ok(terms) = text.parse::<Terms>() {
            prop_assert!(terms.list().iter().any(|term| !term.is_excluded));
            let _found = terms.are_in(&words(&in_text));
        }
    }

    #[test]
    fn every_word_of_a_text_finds_it(text in "\\PC{1,80}") {
        let all = words(&text);
        for word in &all {
            // A letter may be another one in lower case: then it is cut in another way.
            let Ok(terms) = word.parse::<Terms>() else { continue };
            prop_assert!(terms.are_in(&all), "{word} in {all:?}");
        }
    }
}

#[test]
fn the_words_of_words_are_the_same() {
    for text in ["İstanbul DİYARBAKIR", "ΣΊΣΥΦΟΣ", "ǅ ẞ Ⅷ", "İ"] {
        let found = words(text);
        assert_eq!(words(&found.join(" ")), found, "{text}");
    }
    assert_eq!(words("İstanbul"), ["istanbul"]);
}
