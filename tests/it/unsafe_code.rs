//! `unsafe` stays in `src/raw`, and each use of it is argued: `SAFETY:` above a block or an impl,
//! `# Safety` in the documentation of a function or a trait.

use crate::source;
use crate::source::Source;

#[test]
fn unsafe_stays_in_raw_and_is_argued() {
    source::assert_clean(unargued);
}

const REACH: usize = 8;

fn unargued(source: &Source) -> Vec<String> {
    let code = source.code();
    let mut findings = Vec::new();
    for (offset, _) in source::words(&code).filter(|(_, word)| *word == "unsafe") {
        let at = code[..offset].matches('\n').count();
        let Some(argument) = owed(code[offset + "unsafe".len()..].trim_start()) else {
            continue;
        };
        if !source.path.starts_with("raw/") {
            findings.push(source.finding(at, "`unsafe` outside src/raw"));
        } else if argument == "SAFETY:"
            && !source.commented(at, REACH, |said| said.contains(argument))
            || argument == "# Safety" && !documented(source, at)
        {
            findings.push(source.finding(at, &format!("`unsafe` without `{argument}`")));
        }
    }
    findings
}

/// What must be written above an `unsafe` that `next` follows; `None` in the type of a pointer.
fn owed(next: &str) -> Option<&'static str> {
    let function = next
        .strip_prefix("extern \"\"")
        .unwrap_or(next)
        .trim_start();
    match function.strip_prefix("fn") {
        Some(parameters) if parameters.trim_start().starts_with('(') => None,
        Some(_) => Some("# Safety"),
        None if next.starts_with("trait") => Some("# Safety"),
        None => Some("SAFETY:"),
    }
}

/// Whether the comments and attributes right above line `at` have a `# Safety` section.
fn documented(source: &Source, at: usize) -> bool {
    source.lines[..at]
        .iter()
        .rev()
        .take_while(|line| line.code.trim().is_empty() || line.code.trim().starts_with("#["))
        .take_while(|line| !line.code.is_empty() || !line.comment.is_empty())
        .any(|line| line.comment.contains("# Safety"))
}

#[test]
fn unsafe_elsewhere_and_unargued_is_found() {
    for (path, text, expected) in [
        (
            "hub/x.rs",
            "unsafe { x() }",
            "src/hub/x.rs:1: `unsafe` outside src/raw",
        ),
        (
            "sync.rs",
            "// SAFETY: yes.\nunsafe impl Send for X {}",
            "src/sync.rs:2: `unsafe` outside src/raw",
        ),
        (
            "raw/x.rs",
            "unsafe\n{ x() }",
            "src/raw/x.rs:1: `unsafe` without `SAFETY:`",
        ),
        (
            "raw/x/tests.rs",
            "unsafe impl Send for X {}",
            "src/raw/x/tests.rs:1: `unsafe` without `SAFETY:`",
        ),
        (
            "raw/x.rs",
            "/// # Safety\n/// Not here.\nfn a() {}\n\n/// Does x.\n#[inline]\nunsafe fn x() {}",
            "src/raw/x.rs:7: `unsafe` without `# Safety`",
        ),
    ] {
        assert_eq!(unargued(&Source::parse(path, text)), [expected]);
    }
}

#[test]
fn argued_unsafe_in_raw_passes() {
    for text in [
        "// SAFETY: `claim` gave us the slot.\nunsafe { x() }",
        "/// Does x.\n///\n/// # Safety\n///\n/// Once.\n#[inline]\nunsafe fn x() {}",
        "struct Table { drop: unsafe fn(*mut ()) }",
        "#![expect(unsafe_code, reason = \"the floor\")]",
        "/// Not `unsafe { }` at all.\nfn x() {}",
    ] {
        assert!(
            unargued(&Source::parse("raw/x.rs", text)).is_empty(),
            "{text}"
        );
    }
}
