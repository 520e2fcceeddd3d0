//! The crate's own source, as the structure tests read it: code and comments apart.

use std::fs;
use std::path::Path;

/// One file under `src`.
pub(crate) struct Source {
    /// Relative to `src`, with `/` between the parts.
    pub(crate) path: String,
    pub(crate) lines: Vec<Line>,
}

/// One line of a file. What stood inside a literal is gone from both parts.
#[derive(Default)]
pub(crate) struct Line {
    pub(crate) code: String,
    pub(crate) comment: String,
}

impl Source {
    pub(crate) fn parse(path: &str, text: &str) -> Self {
        let mut lines = vec![Line::default()];
        let mut rest = text;
        while !rest.is_empty() {
            let (kind, len) = token(rest);
            let (piece, after) = rest.split_at(len);
            lay(kind, piece, &mut lines);
            rest = after;
        }
        Self {
            path: path.to_owned(),
            lines,
        }
    }

    /// Whether the file holds tests only: `tests.rs`, `model.rs`, `contract.rs`, or anything in
    /// such a folder.
    pub(crate) fn is_test(&self) -> bool {
        self.path
            .trim_end_matches(".rs")
            .split('/')
            .any(|part| matches!(part, "contract" | "model" | "tests"))
    }

    /// The code of the whole file, one line after the other.
    pub(crate) fn code(&self) -> String {
        let lines: Vec<_> = self.lines.iter().map(|line| line.code.as_str()).collect();
        lines.join("\n")
    }

    /// Whether a comment that `says` so stands on line `at` or on one of the `reach` lines above
    /// it.
    pub(crate) fn commented(&self, at: usize, reach: usize, says: impl Fn(&str) -> bool) -> bool {
        self.lines[at.saturating_sub(reach)..=at]
            .iter()
            .any(|line| says(&line.comment))
    }

    /// A finding at line `at`, which counts from 0 as `lines` does.
    pub(crate) fn finding(&self, at: usize, what: &str) -> String {
        format!("src/{}:{}: {what}", self.path, at + 1)
    }
}

/// Every Rust file under `src`, in the order of their paths.
pub(crate) fn all() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    collect(&root, &root, &mut sources);
    assert!(!sources.is_empty(), "no source under {}", root.display());
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    sources
}

/// Fails with all findings of `check` over the crate's source.
pub(crate) fn assert_clean(check: impl Fn(&Source) -> Vec<String>) {
    let findings: Vec<_> = all().iter().flat_map(check).collect();
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

/// The identifiers and keywords of `code`, each with its byte offset.
pub(crate) fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.split(|c| !is_word(c))
        .filter(|word| !word.is_empty())
        .map(|word| (word.as_ptr() as usize - code.as_ptr() as usize, word))
}

#[derive(Clone, Copy)]
enum Kind {
    Code,
    Comment,
    Literal,
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            let text = fs::read_to_string(&path).unwrap();
            sources.push(Source::parse(&name.replace('\\', "/"), &text));
        }
    }
}

/// Appends `piece` to the lines, which it may begin more of.
fn lay(kind: Kind, piece: &str, lines: &mut Vec<Line>) {
    for (index, part) in piece.split('\n').enumerate() {
        if index > 0 {
            lines.push(Line::default());
        }
        let line = lines.last_mut().unwrap();
        match kind {
            Kind::Code => line.code.push_str(part),
            Kind::Comment => line.comment.push_str(part),
            Kind::Literal => line.code.push_str("\"\""),
        }
    }
}

/// The kind and the length in bytes of what `rest` begins with.
fn token(rest: &str) -> (Kind, usize) {
    if rest.starts_with("//") {
        return (Kind::Comment, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (Kind::Comment, block_comment(rest));
    }
    let (word, after) = rest.split_at(rest.find(|c| !is_word(c)).unwrap_or(rest.len()));
    if let Some(len) = raw_string(word, after) {
        return (Kind::Literal, word.len() + len);
    }
    if !word.is_empty() {
        return (Kind::Code, word.len());
    }
    match quoted(rest) {
        Some(len) => (Kind::Literal, len),
        None => (Kind::Code, rest.chars().next().map_or(1, char::len_utf8)),
    }
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    for at in 0..rest.len() {
        let left = &rest.as_bytes()[at..];
        if left.starts_with(b"/*") {
            depth += 1;
        } else if left.starts_with(b"*/") {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return at + 2;
            }
        }
    }
    rest.len()
}

/// The length of the raw string that follows the prefix `word`, if one does.
fn raw_string(word: &str, after: &str) -> Option<usize> {
    if !matches!(word, "r" | "br" | "cr") {
        return None;
    }
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", &after[..hashes]);
    let end = body.find(&close).unwrap_or(body.len() - close.len());
    Some(hashes + 1 + end + close.len())
}

/// The length of the string or character that `rest` begins with; a lifetime is neither.
fn quoted(rest: &str) -> Option<usize> {
    if let Some(body) = rest.strip_prefix('"') {
        let mut escaped = false;
        let end = body.find(|c| {
            let closes = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            closes
        });
        return Some(end.map_or(rest.len(), |end| end + 2));
    }
    let body = rest.strip_prefix('\'')?;
    if body.starts_with('\\') {
        return body[2..].find('\'').map(|end| end + 4);
    }
    let one = body.chars().next()?.len_utf8();
    body[one..].starts_with('\'').then_some(one + 2)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[test]
fn code_and_comments_come_apart() {
    let text = r##"let a = 'x'; // one
let b: &'a str = "// no \" comment";
/* two /* nested */ unsafe */ let c = r#"unsafe " quote"#;
let d = '\''; let e = "first
second"; done"##;
    let source = Source::parse("a/tests.rs", text);
    let code: Vec<_> = source.lines.iter().map(|line| line.code.trim()).collect();
    assert_eq!(code[0], r#"let a = "";"#);
    assert_eq!(code[1], r#"let b: &'a str = "";"#);
    assert_eq!(code[2], r#"let c = "";"#);
    assert_eq!(code[3], r#"let d = ""; let e = """#);
    assert_eq!(code[4], r#"""; done"#);
    assert_eq!(source.lines[0].comment, "// one");
    assert_eq!(source.lines[2].comment, "/* two /* nested */ unsafe */");
}

#[test]
fn test_files_are_known_by_name() {
    for (path, expected) in [
        ("raw/ring/tests.rs", true),
        ("raw/ring/model.rs", true),
        ("raw/ring/tests/slow.rs", true),
        ("layers/messages/contract/pages.rs", true),
        ("raw/ring/mod.rs", false),
        ("hub/contests.rs", false),
    ] {
        assert_eq!(Source::parse(path, "").is_test(), expected, "{path}");
    }
}
