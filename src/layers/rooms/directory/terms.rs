//! What rooms are found by, in small parts.

use serde_json::Value;

/// One thing that a room is found by. Texts are hashed: two that collide cost a look, for what is
/// found is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Term(u8, u64);

impl Term {
    pub(super) fn archived(archived: bool) -> Self {
        Self(0, archived.into())
    }

    pub(super) fn private(private: bool) -> Self {
        Self(1, private.into())
    }

    pub(super) fn category(category: &str) -> Self {
        Self(2, hash(category))
    }

    pub(super) fn tag(tag: &str) -> Self {
        Self(3, hash(tag))
    }

    pub(super) fn owner(owner: &str) -> Self {
        Self(4, hash(owner))
    }

    /// Of a value that is no list and no object.
    pub(super) fn metadata(key: &str, value: &Value) -> Option<Self> {
        if value.is_array() || value.is_object() {
            return None;
        }
        Some(Self(5, hash(&format!("{key}\0{value}"))))
    }

    /// Three letters in a row; a missing one is a zero.
    fn letters(letters: [char; 3]) -> Self {
        let [a, b, c] = letters.map(u64::from);
        Self(6, a << 42 | b << 21 | c)
    }
}

/// The words of a text, lower-cased.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> {
    text.split_whitespace().map(str::to_lowercase)
}

/// The terms of a word that a room has: its beginnings of one and two letters, and every three
/// letters in a row.
pub(super) fn of_word(word: &str, each: &mut impl FnMut(Term)) {
    let letters: Vec<_> = word.chars().collect();
    for length in 1..=letters.len().min(2) {
        each(beginning(&letters[..length]));
    }
    for three in letters.windows(3) {
        each(Term::letters([three[0], three[1], three[2]]));
    }
}

/// The terms that a room has to have whose words have this one.
pub(super) fn of_query(word: &str, each: &mut impl FnMut(Term)) {
    let letters: Vec<_> = word.chars().collect();
    if letters.len() <= 2 {
        each(beginning(&letters));
    }
    for three in letters.windows(3) {
        each(Term::letters([three[0], three[1], three[2]]));
    }
}

/// A zero stands before: no word has one.
fn beginning(letters: &[char]) -> Term {
    let second = letters.get(1).copied().unwrap_or('\0');
    Term::letters(['\0', letters.first().copied().unwrap_or('\0'), second])
}

/// FNV-1a, which is the same in every process and short.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
