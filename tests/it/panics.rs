//! The crate does not panic by surprise: no `unwrap()` outside tests, every `expect` has a comment
//! that says why it holds, and no `unreachable!()` is without words.

use crate::source;
use crate::source::Source;

#[test]
fn no_panic_goes_unexplained() {
    source::assert_clean(unexplained);
}

const NEVER: [&str; 3] = [".unwrap()", ".unwrap_err()", "unreachable!()"];
const EXPLAINED: [&str; 2] = [".expect(", ".expect_err("];
const REACH: usize = 4;

fn unexplained(source: &Source) -> Vec<String> {
    if source.is_test() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (at, line) in source.lines.iter().enumerate() {
        for call in NEVER.iter().filter(|call| line.code.contains(*call)) {
            findings.push(source.finding(at, &format!("`{call}` outside tests")));
        }
        for call in EXPLAINED.iter().filter(|call| line.code.contains(*call)) {
            if !source.commented(at, REACH, |comment| comment.contains(char::is_alphabetic)) {
                findings.push(source.finding(at, &format!("`{call}` without a comment")));
            }
        }
    }
    findings
}

#[test]
fn an_unexplained_panic_is_found() {
    for (text, expected) in [
        (
            "// Never empty.\nqueue.pop().unwrap();\n",
            "src/hub/x.rs:2: `.unwrap()` outside tests",
        ),
        (
            "queue.pop().expect(\"not empty\");\n",
            "src/hub/x.rs:1: `.expect(` without a comment",
        ),
        (
            "//\nqueue.pop().expect(\"not empty\");\n",
            "src/hub/x.rs:2: `.expect(` without a comment",
        ),
        (
            "// Never.\nunreachable!();\n",
            "src/hub/x.rs:2: `unreachable!()` outside tests",
        ),
    ] {
        assert_eq!(unexplained(&Source::parse("hub/x.rs", text)), [expected]);
        assert!(unexplained(&Source::parse("hub/x/tests.rs", text)).is_empty());
    }
}

#[test]
fn an_explained_panic_and_an_example_pass() {
    for text in [
        "// `claim` left at least one.\nqueue.pop().expect(\"not empty\");\n",
        "/// hub.publish(\"a\", message).unwrap();\nfn publish() {}\n",
        "unreachable!(\"`claim` left at least one\");\n",
        "#[expect(dead_code, reason = \"x\")]\nfn x() { y.unwrap_or(0) }\n",
    ] {
        assert!(
            unexplained(&Source::parse("hub/x.rs", text)).is_empty(),
            "{text}"
        );
    }
}
