//! Whatever is looked for, it is refused or found where a dull reading finds it, in whatever text.

#![no_main]

use libfuzzer_sys::arbitrary;
use libfuzzer_sys::fuzz_target;
use throng::Format;
use throng::messages::Term;
use throng::messages::Terms;
use throng::messages::words;
use throng::messages::words_of;

#[derive(Debug, arbitrary::Arbitrary)]
struct Story<'a> {
    query: Query<'a>,
    payload: &'a [u8],
    /// Words of the query that the text has as well.
    shared: Vec<u8>,
    is_text: bool,
}

/// Of any text there are few that are a search.
#[derive(Debug, arbitrary::Arbitrary)]
enum Query<'a> {
    Any(&'a str),
    Made(Vec<(Sign, Vec<Word>)>),
}

#[derive(Clone, Copy, Debug, arbitrary::Arbitrary)]
enum Sign {
    Excluded,
    ExcludedPrefix,
    Phrase,
    Plain,
    Prefix,
}

#[derive(Clone, Copy, Debug, arbitrary::Arbitrary)]
enum Word {
    Blue,
    Red,
    Reddish,
    Umlaut,
    Wide,
}

impl Word {
    const ALL: [Self; 5] = [
        Self::Blue,
        Self::Red,
        Self::Reddish,
        Self::Umlaut,
        Self::Wide,
    ];

    fn text(self) -> &'static str {
        match self {
            Self::Blue => "blue",
            Self::Red => "RED",
            Self::Reddish => "reddish",
            Self::Umlaut => "Ärgerİ",
            Self::Wide => "赤い",
        }
    }
}

impl Query<'_> {
    fn text(&self) -> String {
        let terms = match self {
            Self::Any(text) => return (*text).to_owned(),
            Self::Made(terms) => terms,
        };
        let terms = terms.iter().map(|(sign, words)| {
            let words: Vec<_> = words.iter().map(|word| word.text()).collect();
            match sign {
                Sign::Excluded => format!("-{}", words.join("")),
                Sign::ExcludedPrefix => format!("-{}*", words.join("")),
                Sign::Phrase => format!("\"{}\"", words.join(" ")),
                Sign::Plain => words.join("."),
                Sign::Prefix => format!("{}*", words.join("-")),
            }
        });
        terms.collect::<Vec<_>>().join(" ")
    }
}

fuzz_target!(|story: Story<'_>| run(&story));

fn run(story: &Story<'_>) {
    let mut payload = story.payload.to_vec();
    for index in &story.shared {
        payload.push(b' ');
        let word = Word::ALL[usize::from(*index) % Word::ALL.len()];
        payload.extend(word.text().as_bytes());
    }
    let format = if story.is_text {
        Format::Text
    } else {
        Format::Binary
    };
    let found = words_of(&payload, format);
    check_words(&payload, format, &found);
    let query = story.query.text();
    let Ok(terms) = query.parse::<Terms>() else {
        return;
    };
    assert!(query.len() <= Terms::MAX_BYTES);
    let count: usize = terms.list().iter().map(|term| term.words.len()).sum();
    assert!((1..=Terms::MAX_WORDS).contains(&count));
    assert!(terms.list().iter().any(|term| !term.is_excluded));
    assert!(terms.list().iter().all(|term| !term.words.is_empty()));
    assert_eq!(
        terms.are_in(&found),
        are_in(terms.list(), &found),
        "{query:?} {found:?}"
    );
    // In a text that says all that is looked for, and nothing else, it is found.
    let wanted = terms.list().iter().filter(|term| !term.is_excluded);
    let text: Vec<_> = wanted.flat_map(|term| term.words.clone()).collect();
    if terms.list().iter().all(|term| !term.is_excluded) {
        assert!(terms.are_in(&text), "{query:?} {text:?}");
    }
}

/// Words have letters and digits alone, and what is made of words again is the same ones.
fn check_words(payload: &[u8], format: Format, found: &[String]) {
    assert!(found.is_empty() || format == Format::Text);
    assert!(found.len() <= payload.len());
    for word in found {
        assert!(
            !word.is_empty() && !word.contains(char::is_whitespace),
            "{word:?}"
        );
    }
    let again = words(&found.join(" "));
    assert_eq!(again, found);
}

/// The same in a dull way: where each term begins, word by word.
fn are_in(terms: &[Term], text: &[String]) -> bool {
    for term in terms {
        let mut is_there = false;
        for start in 0..text.len() {
            let mut goes_on = true;
            for (offset, word) in term.words.iter().enumerate() {
                let is_last = offset + 1 == term.words.len();
                goes_on &= match text.get(start + offset) {
                    Some(said) if is_last && term.is_prefix => said.find(word.as_str()) == Some(0),
                    Some(said) => said == word,
                    None => false,
                };
            }
            is_there |= goes_on;
        }
        if is_there == term.is_excluded {
            return false;
        }
    }
    true
}
