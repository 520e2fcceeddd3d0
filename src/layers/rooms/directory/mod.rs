//! The directory: by what rooms are listed and found.
//!
//! Every room has a number, in the order in which it came. What it says about itself is split into
//! *terms*: words in parts of three letters, its tags, its category, its owner, what its metadata
//! says. For each term there is the set of the numbers of the rooms that have it. A query looks at
//! the smallest set that it needs, from the newest number down, and at each room once. The method
//! is that of trigram indexes, as Russ Cox describes for code search (2012).

mod terms;

use std::collections::BTreeSet;
use std::collections::HashMap;

use ahash::RandomState;
use serde_json::Map;
use serde_json::Value;

use crate::layers::meter;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;

use self::terms::Term;
use self::terms::words;

/// By what rooms are listed and found. Pure.
///
/// Memory: about 16 bytes for each term of a room, of which a name of 20 letters makes about 25.
#[derive(Debug, Default)]
pub(super) struct Directory {
    rooms: HashMap<u64, Room, RandomState>,
    numbers: HashMap<RoomId, u64, RandomState>,
    terms: HashMap<Term, BTreeSet<u64>, RandomState>,
    all: BTreeSet<u64>,
    next: u64,
}

#[derive(Debug)]
struct Room {
    id: RoomId,
    facts: Facts,
    /// Its words, lower-cased.
    text: Box<str>,
}

/// What a room is found by.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub(super) name: Box<str>,
    pub(super) description: Box<str>,
    pub(super) category: Option<Box<str>>,
    pub(super) tags: Vec<Box<str>>,
    pub(super) metadata: Map<String, Value>,
    pub(super) owner: Option<UserId>,
    pub(super) private: bool,
    pub(super) archived: bool,
}

/// Which rooms are wanted: all that is said has to hold.
///
/// ```
/// use throng::rooms::RoomQuery;
///
/// let query = RoomQuery::new().text("alpha").tag("rust").private(false);
/// # let _ = query;
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct RoomQuery {
    text: String,
    category: Option<String>,
    tags: Vec<String>,
    metadata: Vec<(String, Value)>,
    owner: Option<UserId>,
    private: Option<bool>,
    archived: Option<bool>,
}

impl RoomQuery {
    /// All rooms.
    pub fn new() -> Self {
        Self::default()
    }

    /// Those whose name and description have all of these words, in any case: words of one or two
    /// letters as the beginning of a word, longer ones anywhere.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    /// Those of this category.
    pub fn category(mut self, category: impl Into<String>) -> Self {
        self.category = Some(category.into());
        self
    }

    /// Those with this tag; may be said several times.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Those whose metadata has this value, which is no list and no object; may be said several
    /// times.
    pub fn metadata(mut self, key: impl Into<String>, value: Value) -> Self {
        self.metadata.push((key.into(), value));
        self
    }

    /// Those of this owner.
    pub fn owner(mut self, owner: UserId) -> Self {
        self.owner = Some(owner);
        self
    }

    /// Those that are private, or those that are public.
    pub fn private(mut self, private: bool) -> Self {
        self.private = Some(private);
        self
    }

    /// Those that are archived, or those that are not.
    pub fn archived(mut self, archived: bool) -> Self {
        self.archived = Some(archived);
        self
    }

    /// The terms that a room has to have.
    fn terms(&self) -> Vec<Term> {
        let mut terms = Vec::new();
        for word in words(&self.text) {
            terms::of_query(&word, &mut |term| terms.push(term));
        }
        terms.extend(self.category.as_deref().map(Term::category));
        terms.extend(self.tags.iter().map(|tag| Term::tag(tag)));
        terms.extend(self.owner.as_ref().map(|owner| Term::owner(owner)));
        let metadata = self.metadata.iter();
        terms.extend(metadata.filter_map(|(key, value)| Term::metadata(key, value)));
        terms.extend(self.private.map(Term::private));
        terms.extend(self.archived.map(Term::archived));
        terms
    }

    /// Whether it wants this room: terms are where to look, this is what counts.
    fn wants(&self, room: &Room) -> bool {
        let Facts {
            category,
            tags,
            metadata,
            owner,
            private,
            archived,
            ..
        } = &room.facts;
        words(&self.text).all(|word| has_word(&room.text, &word))
            && self
                .category
                .as_deref()
                .is_none_or(|it| category.as_deref() == Some(it))
            && self
                .tags
                .iter()
                .all(|tag| tags.iter().any(|it| **it == **tag))
            && self
                .owner
                .as_ref()
                .is_none_or(|it| owner.as_ref() == Some(it))
            && self.private.is_none_or(|it| it == *private)
            && self.archived.is_none_or(|it| it == *archived)
            && self
                .metadata
                .iter()
                .all(|(key, value)| metadata.get(key) == Some(value))
    }
}

/// Whether a text has a word: of one or two letters as the beginning of one of its own.
fn has_word(text: &str, word: &str) -> bool {
    if word.chars().count() > 2 {
        return text.contains(word);
    }
    words(text).any(|own| own.starts_with(word))
}

/// A part of a page.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) rooms: Vec<RoomId>,
    /// The number before which to go on, unless that is the end.
    pub(super) next: Option<u64>,
    /// Rooms that were looked at.
    pub(super) looked_at: usize,
}

impl Directory {
    /// Notes what a room says about itself, in place of what it said before.
    pub(super) fn put(&mut self, id: &RoomId, facts: Facts) {
        let number = match self.numbers.get(&**id) {
            Some(number) => *number,
            None => {
                self.next += 1;
                self.next
            }
        };
        self.take(id);
        let text = format!("{} {}", facts.name, facts.description).to_lowercase();
        let room = Room {
            id: id.clone(),
            facts,
            text: text.into(),
        };
        each_term(&room, |term| {
            self.terms.entry(term).or_default().insert(number);
        });
        self.all.insert(number);
        self.numbers.insert(id.clone(), number);
        self.rooms.insert(number, room);
    }

    /// Forgets a room.
    pub(super) fn take(&mut self, id: &RoomId) {
        let Some(number) = self.numbers.remove(&**id) else {
            return;
        };
        self.all.remove(&number);
        let Some(room) = self.rooms.remove(&number) else {
            return;
        };
        each_term(&room, |term| {
            if let Some(numbers) = self.terms.get_mut(&term) {
                numbers.remove(&number);
                if numbers.is_empty() {
                    self.terms.remove(&term);
                }
            }
        });
    }

    /// The rooms that a query wants and that are visible, the newest first, and the number after
    /// which to go on. It ends early when `most` have been looked at.
    pub(super) fn list(
        &self,
        query: &RoomQuery,
        before: Option<u64>,
        limit: usize,
        most: usize,
        visible: impl Fn(&RoomId, &Facts) -> bool,
    ) -> Part {
        let mut part = Part {
            rooms: Vec::new(),
            next: None,
            looked_at: 0,
        };
        let mut smallest = &self.all;
        for term in query.terms() {
            match self.terms.get(&term) {
                Some(numbers) if numbers.len() < smallest.len() => smallest = numbers,
                Some(_) => {}
                None => return part,
            }
        }
        let before = before.unwrap_or(u64::MAX);
        for number in smallest.range(..before).rev() {
            part.looked_at += 1;
            meter::examined(1);
            if let Some(room) = self.rooms.get(number)
                && query.wants(room)
                && visible(&room.id, &room.facts)
            {
                part.rooms.push(room.id.clone());
            }
            if part.rooms.len() >= limit || part.looked_at >= most {
                part.next = Some(*number);
                break;
            }
        }
        part
    }
}

fn each_term(room: &Room, mut each: impl FnMut(Term)) {
    let facts = &room.facts;
    for word in words(&room.text) {
        terms::of_word(&word, &mut each);
    }
    if let Some(category) = &facts.category {
        each(Term::category(category));
    }
    for tag in &facts.tags {
        each(Term::tag(tag));
    }
    if let Some(owner) = &facts.owner {
        each(Term::owner(owner));
    }
    for (key, value) in &facts.metadata {
        if let Some(term) = Term::metadata(key, value) {
            each(term);
        }
    }
    each(Term::private(facts.private));
    each(Term::archived(facts.archived));
}

#[cfg(test)]
mod tests;
