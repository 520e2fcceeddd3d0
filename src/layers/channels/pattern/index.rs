//! Which of very many patterns match a name.

use std::collections::BTreeMap;
use std::collections::HashMap;

use ahash::RandomState;

use super::Kind;
use super::Pattern;

/// Patterns, each with a value, found by the names that they match: a tree of segments, and a
/// table by length for prefixes and for suffixes.
///
/// A look costs at most `2^stars` steps down the tree, for the patterns that are there and not
/// for those that might be, and one look into a table for each length of a prefix or suffix in use.
#[derive(Debug)]
pub(in crate::layers::channels) struct Index<V> {
    root: Node<V>,
    prefixes: Ends<V>,
    suffixes: Ends<V>,
    len: usize,
}

#[derive(Debug)]
struct Node<V> {
    named: HashMap<Box<str>, Self, RandomState>,
    any: Option<Box<Self>>,
    rest: Option<V>,
    here: Option<V>,
}

impl<V> Default for Node<V> {
    fn default() -> Self {
        Self {
            named: HashMap::default(),
            any: None,
            rest: None,
            here: None,
        }
    }
}

impl<V> Node<V> {
    fn is_empty(&self) -> bool {
        self.named.is_empty() && self.any.is_none() && self.rest.is_none() && self.here.is_none()
    }
}

/// Beginnings or ends of names.
#[derive(Debug)]
struct Ends<V> {
    values: HashMap<Box<str>, V, RandomState>,
    /// How many there are of each length.
    lengths: BTreeMap<usize, usize>,
}

impl<V> Default for Ends<V> {
    fn default() -> Self {
        Self {
            values: HashMap::default(),
            lengths: BTreeMap::new(),
        }
    }
}

impl<V> Default for Index<V> {
    fn default() -> Self {
        Self {
            root: Node::default(),
            prefixes: Ends::default(),
            suffixes: Ends::default(),
            len: 0,
        }
    }
}

impl<V> Index<V> {
    pub(in crate::layers::channels) fn len(&self) -> usize {
        self.len
    }

    #[cfg(test)]
    pub(super) fn has_no_nodes(&self) -> bool {
        self.root.is_empty()
    }

    /// Puts a pattern in, and gives the value that it had.
    pub(in crate::layers::channels) fn insert(&mut self, pattern: &Pattern, value: V) -> Option<V> {
        let old = match pattern.kind() {
            Kind::Prefix => self.prefixes.insert(pattern.text(), value),
            Kind::Suffix => self.suffixes.insert(pattern.text(), value),
            Kind::Segments => self.root.place(pattern.text()).replace(value),
        };
        self.len += usize::from(old.is_none());
        old
    }

    pub(in crate::layers::channels) fn remove(&mut self, pattern: &Pattern) -> Option<V> {
        let old = match pattern.kind() {
            Kind::Prefix => self.prefixes.remove(pattern.text()),
            Kind::Suffix => self.suffixes.remove(pattern.text()),
            Kind::Segments => self.root.remove(Some(pattern.text())),
        };
        self.len -= usize::from(old.is_some());
        old
    }

    pub(in crate::layers::channels) fn get_mut(&mut self, pattern: &Pattern) -> Option<&mut V> {
        match pattern.kind() {
            Kind::Prefix => self.prefixes.values.get_mut(pattern.text()),
            Kind::Suffix => self.suffixes.values.get_mut(pattern.text()),
            Kind::Segments => self.root.get_mut(Some(pattern.text())),
        }
    }

    /// Calls `found` with the value of each pattern that matches, each once.
    pub(in crate::layers::channels) fn each<'a>(
        &'a self,
        name: &str,
        mut found: impl FnMut(&'a V),
    ) {
        for length in self.prefixes.lengths.keys() {
            if let Some(value) = name
                .get(..*length)
                .and_then(|it| self.prefixes.values.get(it))
            {
                found(value);
            }
        }
        for length in self.suffixes.lengths.keys() {
            let start = name.len().checked_sub(*length);
            let end = start.and_then(|start| name.get(start..));
            if let Some(value) = end.and_then(|it| self.suffixes.values.get(it)) {
                found(value);
            }
        }
        self.root.each(Some(name), &mut found);
    }
}

impl<V> Ends<V> {
    fn insert(&mut self, text: &str, value: V) -> Option<V> {
        let old = self.values.insert(text.into(), value);
        if old.is_none() {
            *self.lengths.entry(text.len()).or_default() += 1;
        }
        old
    }

    fn remove(&mut self, text: &str) -> Option<V> {
        let old = self.values.remove(text)?;
        if let Some(count) = self.lengths.get_mut(&text.len()) {
            *count -= 1;
            if *count == 0 {
                self.lengths.remove(&text.len());
            }
        }
        Some(old)
    }
}

impl<V> Node<V> {
    /// Where the value of a pattern is kept, made if it is not there.
    fn place(&mut self, pattern: &str) -> &mut Option<V> {
        let mut node = self;
        for segment in pattern.split('.') {
            node = match segment {
                ">" => return &mut node.rest,
                "*" => node.any.get_or_insert_default(),
                named => node.named.entry(named.into()).or_default(),
            };
        }
        &mut node.here
    }

    fn get_mut(&mut self, pattern: Option<&str>) -> Option<&mut V> {
        let Some(pattern) = pattern else {
            return self.here.as_mut();
        };
        let (segment, rest) = split(pattern);
        match segment {
            ">" => self.rest.as_mut(),
            "*" => self.any.as_mut()?.get_mut(rest),
            named => self.named.get_mut(named)?.get_mut(rest),
        }
    }

    /// Takes a value out, and the nodes that are of no use any more. `None`: the pattern ends
    /// here.
    fn remove(&mut self, pattern: Option<&str>) -> Option<V> {
        let Some(pattern) = pattern else {
            return self.here.take();
        };
        let (segment, rest) = split(pattern);
        match segment {
            ">" => self.rest.take(),
            "*" => {
                let node = self.any.as_mut()?;
                let old = node.remove(rest);
                if node.is_empty() {
                    self.any = None;
                }
                old
            }
            named => {
                let node = self.named.get_mut(named)?;
                let old = node.remove(rest);
                if node.is_empty() {
                    self.named.remove(named);
                }
                old
            }
        }
    }

    /// As deep as patterns are: names may have more segments than that.
    fn each<'a>(&'a self, name: Option<&str>, found: &mut impl FnMut(&'a V)) {
        let Some(name) = name else {
            if let Some(value) = &self.here {
                found(value);
            }
            return;
        };
        if let Some(value) = &self.rest {
            found(value);
        }
        let (segment, rest) = split(name);
        if let Some(node) = self.named.get(segment) {
            node.each(rest, found);
        }
        if let Some(node) = &self.any {
            node.each(rest, found);
        }
    }
}

/// The first segment, and what is behind its dot.
fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once('.') {
        Some((segment, rest)) => (segment, Some(rest)),
        None => (text, None),
    }
}
