//! The list of events names all that the layers send.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::EVENTS;

/// The names of events among the texts of the source files of a folder.
fn names(folder: &Path, into: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).unwrap();
            let texts = source.split('"').skip(1).step_by(2);
            let is_event = |text: &&str| {
                let (area, verb) = text.split_once('.').unwrap_or_default();
                let is_word = |c: char| c.is_ascii_lowercase() || c == '_';
                ["message", "room"].contains(&area) && verb.len() > 1 && verb.chars().all(is_word)
            };
            into.extend(texts.filter(is_event).map(str::to_owned));
        }
    }
}

#[test]
fn every_event_of_the_layers_is_listed() {
    let mut sent = BTreeSet::new();
    for layer in ["messages", "rooms"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/layers");
        names(&folder.join(layer), &mut sent);
    }
    sent.insert("typing".to_owned());
    let listed: BTreeSet<_> = EVENTS.iter().map(|(kind, _)| (*kind).to_owned()).collect();
    assert_eq!(listed, sent);
}
