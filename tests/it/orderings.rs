//! Every atomic ordering has its reason: within the eight lines above it, or on its own line, a
//! comment says `Release: pairs with ...`, or `Relaxed (on failure): ...`.

use crate::source;
use crate::source::Source;

#[test]
fn every_ordering_has_its_reason() {
    source::assert_clean(unreasoned);
}

const ORDERINGS: [&str; 5] = ["AcqRel", "Acquire", "Relaxed", "Release", "SeqCst"];
const REACH: usize = 8;

fn unreasoned(source: &Source) -> Vec<String> {
    if source.is_test() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut importing = false;
    for (at, line) in source.lines.iter().enumerate() {
        importing |= source::words(&line.code).any(|(_, word)| word == "use");
        for (offset, word) in source::words(&line.code) {
            if !importing
                && ORDERINGS.contains(&word)
                && is_atomic(&line.code[..offset])
                && !source.commented(at, REACH, |comment| reasons(comment, word))
            {
                findings.push(source.finding(at, &format!("`{word}` without a reason")));
            }
        }
        importing &= !line.code.contains(';');
    }
    findings
}

/// Whether a name after `before` is an ordering's, not another type's variant.
fn is_atomic(before: &str) -> bool {
    !before.ends_with("::") || before.ends_with("Ordering::") || before.ends_with("atomic::")
}

/// Whether the comment says `word: `, or `word (when): `, and then something.
fn reasons(comment: &str, word: &str) -> bool {
    source::words(comment)
        .filter(|(_, said)| *said == word)
        .map(|(offset, _)| &comment[offset + word.len()..])
        .filter_map(|after| {
            let when = after
                .strip_prefix(" (")
                .and_then(|after| after.split_once(')'));
            when.map_or(after, |(_, after)| after).strip_prefix(": ")
        })
        .any(|reason| reason.contains(char::is_alphabetic))
}

#[test]
fn an_ordering_without_a_reason_is_found() {
    let bare = "use std::sync::atomic::Ordering::{\n    Acquire, Release,\n};\nx.load(Acquire);\n";
    let qualified = "// Acquire: pairs with `y`.\nx.store(1, Ordering::Release);\n";
    let far = format!(
        "// Acquire: pairs.\n{}x.load(Acquire);\n",
        "\n".repeat(REACH)
    );
    let hollow = "// Acquire: \nx.load(Acquire);\n";
    for (text, expected) in [
        (bare, "src/raw/x.rs:4: `Acquire` without a reason"),
        (qualified, "src/raw/x.rs:2: `Release` without a reason"),
        (&far, "src/raw/x.rs:10: `Acquire` without a reason"),
        (hollow, "src/raw/x.rs:2: `Acquire` without a reason"),
    ] {
        assert_eq!(unreasoned(&Source::parse("raw/x.rs", text)), [expected]);
        assert!(unreasoned(&Source::parse("raw/x/model.rs", text)).is_empty());
    }
}

#[test]
fn a_reason_in_reach_is_enough() {
    for text in [
        "// Acquire: pairs with the Release in `y`.\nx.load(Ordering::Acquire);\n",
        "x.load(Acquire); // Acquire: pairs with `y`.\n",
        "// Relaxed (on failure): only a guess.\nx.load(Relaxed);\n",
        "// - AcqRel: as in `y`.\n// - Relaxed: only a retry.\nx.cas(1, 2, AcqRel, Relaxed);\n",
        "lock.step(Phase::Release);\n",
    ] {
        assert!(
            unreasoned(&Source::parse("raw/x.rs", text)).is_empty(),
            "{text}"
        );
    }
}
