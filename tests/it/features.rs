//! The pages of features and of security name tests that are there.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

#[cfg(feature = "layers")]
use throng::ErrorCode;

#[test]
fn every_feature_names_tests_that_exist() {
    let pages = ["src/docs/features.md", "src/docs/security.md"];
    let pages = pages.map(|page| fs::read_to_string(file(page)).unwrap());
    let named: Vec<_> = pages
        .iter()
        .flat_map(|page| page.split('`').skip(1).step_by(2))
        .filter_map(test)
        .collect();
    assert!(named.len() > 50, "{}", named.len());
    let missing: Vec<_> = named
        .iter()
        .filter(|(path, name)| !exists(path, name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_name_that_leads_nowhere_is_missed() {
    assert_eq!(
        test("rooms::f1_…"),
        Some(("tests/it/rooms".into(), "f1_…".into()))
    );
    assert_eq!(test("room.join"), None);
    assert!(exists("tests/it/rooms", "f1_…"));
    assert!(exists("tests/it/rooms", "f1"), "with more words behind it");
    assert!(exists("tests/it/recovery/chaos", "f2_…"));
    assert!(!exists("tests/it/rooms", "f99_…"));
    assert!(!exists("tests/it/rooms", "rooms_rea"), "a word is whole");
    assert!(!exists("tests/it/no_such_file", "f1_…"));
    assert_eq!(
        test("prove::a_ticker_…"),
        Some(("tests/prove".into(), "a_ticker_…".into()))
    );
    assert!(exists("tests/prove", "a_ticker_…"));
}

/// The module and the beginning of the name of a test, if this is one.
fn test(text: &str) -> Option<(String, String)> {
    let (path, name) = text.rsplit_once("::")?;
    let is_path = |text: &str| {
        text.chars()
            .all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_' | ':'))
    };
    if !is_path(path) || !is_path(name.trim_end_matches('…')) || path == "it" {
        return None;
    }
    // One that has a binary of its own is named with it.
    let folder = match path {
        "prove" => "tests",
        _ => "tests/it",
    };
    let module = format!("{folder}/{}", path.replace("::", "/"));
    Some((module, name.to_owned()))
}

fn exists(module: &str, name: &str) -> bool {
    let (begins, ends): (_, &[&str]) = match name.strip_suffix('…') {
        Some(begins) => (begins, &[""]),
        None => (name, &["(", "_"]),
    };
    let is_there = |source: String| {
        let kinds = ["fn", "async fn"].into_iter();
        let mut names = kinds.flat_map(|kind| ends.iter().map(move |end| (kind, end)));
        names.any(|(kind, end)| source.contains(&format!("\n{kind} {begins}{end}")))
    };
    [".rs", "/mod.rs", "/main.rs"].iter().any(|end| {
        let source = fs::read_to_string(file(&format!("{module}{end}")));
        source.is_ok_and(is_there)
    })
}

/// The file of a module, or of one that has files of its own.
fn file(path: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if file.exists() {
        return file;
    }
    file.with_extension("").join("mod.rs")
}

#[cfg(feature = "layers")]
#[test]
fn every_sentinel_of_the_reference_has_a_code() {
    let page = fs::read_to_string(file("src/docs/features.md")).unwrap();
    let table = page.split("# Errors").nth(1).unwrap();
    let table = table.split("\n# ").next().unwrap();
    let rows: Vec<_> = table
        .lines()
        .filter(|line| line.starts_with("| `Err"))
        .collect();
    assert!(rows.len() > 40, "{}", rows.len());
    let known: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    for row in rows {
        let code = row.split('|').nth(2).unwrap().trim();
        if let Some(code) = code.strip_prefix('`') {
            let code = code.split('`').next().unwrap();
            assert!(known.contains(&code), "{row}");
        } else {
            // Not an error here, or not of this kind: it says what instead.
            assert!(code.len() > 10, "{row}");
        }
    }
}
