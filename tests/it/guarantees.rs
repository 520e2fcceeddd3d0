//! Each guarantee names what fails when it breaks, and what it names is there.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// Where a path in the page begins, and in which folder its modules are files.
const ROOTS: [(&str, &str); 5] = [
    ("alloc", "tests/alloc"),
    ("fuzz", "fuzz/fuzz_targets"),
    ("it", "tests/it"),
    ("loom", "tests/loom"),
    ("raw", "src/raw"),
];

#[test]
fn every_guarantee_names_tests_that_exist() {
    let page = page();
    let findings: Vec<_> = sections(&page)
        .flat_map(|(title, text)| check(title, text))
        .collect();
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
    let titles: Vec<_> = sections(&page).map(|(title, _)| &title[..2]).collect();
    assert_eq!(
        titles,
        ["G1", "G2", "G3", "G4", "G5", "G6", "G7", "G8", "G9"]
    );
}

#[test]
fn a_name_that_leads_nowhere_is_found() {
    for (text, expected) in [
        ("Held by nothing.", "G0 names no test"),
        (
            "`it::guarantees::no_such_test`",
            "G0 names it::guarantees::no_such_test, which is not there",
        ),
        (
            "`it::no_such_file::test`",
            "G0 names it::no_such_file::test, which is not there",
        ),
        (
            "`it::guarantees::page`",
            "G0 names it::guarantees::page, which is not there",
        ),
    ] {
        assert_eq!(check("G0", text), [expected]);
    }
    let own = "`it::guarantees::a_name_that_leads_nowhere_is_found`, as `Limits::new` does not";
    assert!(check("G0", own).is_empty());
}

fn page() -> String {
    fs::read_to_string(file("src/docs/guarantees.md")).unwrap()
}

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The sections of the page, each with its title.
fn sections(page: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut parts = page.split("\n# ");
    parts.next();
    parts.map(|part| part.split_once('\n').unwrap())
}

fn check(title: &str, text: &str) -> Vec<String> {
    let guarantee = title.split(':').next().unwrap_or(title);
    let names: Vec<_> = text
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| is_test(name))
        .collect();
    if names.is_empty() {
        return vec![format!("{guarantee} names no test")];
    }
    let missing = names.into_iter().filter(|name| !exists(name));
    missing
        .map(|name| format!("{guarantee} names {name}, which is not there"))
        .collect()
}

fn is_test(name: &str) -> bool {
    let root = name.split_once("::").map(|(root, _)| root);
    ROOTS.iter().any(|(known, _)| Some(*known) == root)
}

/// Whether `name` is that of a test: a function after `#[test]`, or one like it.
fn exists(name: &str) -> bool {
    let steps: Vec<_> = name.split("::").collect();
    let [root, modules @ .., test] = &steps[..] else {
        return false;
    };
    let folder = ROOTS
        .iter()
        .find(|(known, _)| known == root)
        .map(|(_, folder)| *folder);
    let path = folder
        .into_iter()
        .chain(modules.iter().copied())
        .collect::<Vec<_>>()
        .join("/");
    if *root == "fuzz" {
        return file(&format!("{path}/{test}.rs")).is_file();
    }
    let candidates = [
        format!("{path}.rs"),
        format!("{path}/mod.rs"),
        format!("{path}/main.rs"),
    ];
    let mut texts = candidates
        .iter()
        .filter_map(|path| fs::read_to_string(file(path)).ok());
    texts.any(|text| has_test(&text, test))
}

fn has_test(text: &str, name: &str) -> bool {
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let plain = format!("fn {name}(");
    let is_asynchronous = format!("async {plain}");
    lines.windows(2).any(|pair| {
        let named = pair[1].starts_with(&plain) || pair[1].starts_with(&is_asynchronous);
        let marked = ["test]", "::test("]
            .iter()
            .any(|mark| pair[0].contains(mark));
        named && marked && pair[0].starts_with("#[")
    })
}
