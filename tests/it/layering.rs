//! The module graph points one way only, and the outside world is named where it belongs.

use std::ops::Range;

use crate::source;
use crate::source::Source;

#[test]
fn arrows_point_upwards_only() {
    source::assert_clean(wrong_arrows);
}

#[test]
fn crate_paths_stand_in_use_lines_only() {
    source::assert_clean(loose_paths);
}

#[test]
fn outsiders_are_named_where_they_belong() {
    source::assert_clean(misplaced_outsiders);
}

/// What `raw` took to add: its own file, its module, and the line that registers it.
#[test]
fn adding_a_dialect_touches_the_protocol_only() {
    let mut places = Vec::new();
    for source in source::all() {
        for line in &source.lines {
            let names = source::words(&line.code).any(|(_, word)| word == "Raw");
            if names || line.code.contains("v1.raw") || line.code.trim() == "mod raw;" {
                places.push(source.path.clone());
            }
        }
    }
    places.retain(|path| !matches!(path.as_str(), "protocol/raw.rs" | "lib.rs"));
    assert_eq!(places, ["protocol/mod.rs", "protocol/mod.rs"]);
}

/// The layers from the words to the world, and their modules. A module may use those that stand
/// before it, on its own line and above; never those after it.
const LAYERS: [(&str, &[&str]); 14] = [
    (
        "words",
        &[
            "sync",
            "quiet",
            "time",
            "id",
            "limits",
            "disconnect",
            "message",
            "code",
            "pairs",
        ],
    ),
    ("floor", &["raw"]),
    ("hub", &["hub"]),
    ("json", &["json"]),
    ("tune", &["report", "tune"]),
    ("layers", &["layers"]),
    ("protocol", &["protocol"]),
    ("session", &["session"]),
    ("policy", &["policy"]),
    ("transport", &["transport"]),
    ("handlers", &["handlers"]),
    ("server", &["server"]),
    ("program", &["bin"]),
    ("aside", &["docs"]),
];

/// Modules that may use fewer than their place allows.
const ONLY: [(&str, &[&str]); 1] = [("raw", &["sync", "quiet"])];

/// What comes from outside, and the modules that may name it.
const OUTSIDERS: [(&str, &[&str]); 13] = [
    ("Instant::now", &["time", "bin"]),
    ("SystemTime::now", &["time", "bin"]),
    ("aho_corasick", &["policy"]),
    ("flate2", &["transport"]),
    ("jsonschema", &["policy"]),
    ("loom", &["sync"]),
    ("regex", &["policy"]),
    ("rusqlite", &["layers"]),
    ("schemars", &["layers", "protocol", "session"]),
    (
        "serde",
        &[
            "code",
            "json",
            "tune",
            "layers",
            "protocol",
            "session",
            "policy",
            "transport",
            "server",
            "bin",
        ],
    ),
    (
        "serde_json",
        &[
            "json", "tune", "layers", "protocol", "session", "policy", "server", "bin",
        ],
    ),
    (
        "tokio",
        &[
            "session",
            "policy",
            "transport",
            "handlers",
            "server",
            "bin",
        ],
    ),
    ("tungstenite", &["transport", "server", "bin"]),
];

fn wrong_arrows(source: &Source) -> Vec<String> {
    let from = top(source);
    // The build script is a program of its own.
    if matches!(from, "lib" | "build") {
        return Vec::new();
    }
    let Some(place) = place(from) else {
        return vec![source.finding(0, &format!("module `{from}` is missing from LAYERS"))];
    };
    // A program is a crate of its own: its `crate` is not ours.
    if from == "bin" {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (at, to) in arrows(source) {
        let narrow = ONLY.iter().find(|(module, _)| *module == from);
        let allowed = to == from
            || self::place(&to).is_some_and(|target| target < place)
                && narrow.is_none_or(|(_, only)| only.contains(&to.as_str()));
        if !allowed {
            let hint = self::place(&to).map_or(", which is no module in LAYERS", |_| "");
            findings.push(source.finding(at, &format!("{from} uses crate::{to}{hint}")));
        }
    }
    findings
}

fn loose_paths(source: &Source) -> Vec<String> {
    let code = source.code();
    let uses = uses(&code);
    paths(&code)
        .filter(|(offset, _)| !uses.iter().any(|range| range.contains(offset)))
        .filter(|(offset, _)| !code[..*offset].ends_with('$'))
        .filter(|(offset, _)| !code[..*offset].ends_with("pub(in "))
        .map(|(offset, _)| source.finding(row(&code, offset), "a crate path outside a `use`"))
        .collect()
}

fn misplaced_outsiders(source: &Source) -> Vec<String> {
    let code = source.code();
    let mut findings = Vec::new();
    for (name, homes) in OUTSIDERS {
        let first = name.split("::").next().unwrap_or(name);
        for (offset, _) in source::words(&code).filter(|(_, word)| *word == first) {
            let named = code[offset..].starts_with(name) && !source.is_test();
            if named && !homes.contains(&top(source)) {
                findings.push(source.finding(row(&code, offset), &format!("names {name}")));
            }
        }
    }
    findings
}

/// The module that the file belongs to: `raw` for `raw/ring/mod.rs`.
fn top(source: &Source) -> &str {
    let first = source.path.split('/').next().unwrap_or_default();
    first.trim_end_matches(".rs")
}

fn place(module: &str) -> Option<usize> {
    let mut modules = LAYERS.iter().flat_map(|(_, modules)| *modules);
    modules.position(|known| *known == module)
}

/// The modules that the file refers to, each with its line.
fn arrows(source: &Source) -> Vec<(usize, String)> {
    let code = source.code();
    let mut arrows = Vec::new();
    for range in uses(&code) {
        let mut leaves = Vec::new();
        flatten("", &code[range.clone()], &mut leaves);
        let targets = leaves.iter().filter_map(|leaf| target(source, leaf));
        arrows.extend(targets.map(|to| (row(&code, range.start), to)));
    }
    let inside_macros = paths(&code).filter(|(offset, _)| code[..*offset].ends_with('$'));
    arrows.extend(inside_macros.map(|(offset, to)| (row(&code, offset), to)));
    arrows
}

/// Where the trees of the `use` declarations stand, keyword and semicolon excluded.
fn uses(code: &str) -> Vec<Range<usize>> {
    source::words(code)
        .filter(|(_, word)| *word == "use")
        .map(|(offset, word)| offset + word.len())
        // `use<'a>` in a type captures; it imports nothing.
        .filter(|start| !code[*start..].trim_start().starts_with('<'))
        .map(|start| {
            start
                ..code[start..]
                    .find(';')
                    .map_or(code.len(), |len| start + len)
        })
        .collect()
}

/// The paths from the crate's root, each with its offset and the first name in it.
fn paths(code: &str) -> impl Iterator<Item = (usize, String)> {
    source::words(code)
        .filter(|(_, word)| *word == "crate")
        .filter_map(|(offset, word)| {
            let rest = code[offset + word.len()..]
                .trim_start()
                .strip_prefix("::")?;
            Some((offset, first_name(rest)))
        })
}

/// Writes each leaf of a `use` tree as one whole path.
fn flatten(prefix: &str, tree: &str, leaves: &mut Vec<String>) {
    let Some(open) = tree.find('{') else {
        let path: String = tree.split_whitespace().collect();
        if !path.is_empty() {
            leaves.push(format!("{prefix}{path}"));
        }
        return;
    };
    let head: String = tree[..open].split_whitespace().collect();
    let prefix = format!("{prefix}{head}");
    let inner = tree[open + 1..].trim_end().trim_end_matches('}');
    let mut depth = 0_i32;
    let branches = inner.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    for branch in branches {
        flatten(&prefix, branch, leaves);
    }
}

/// The module that a whole path leads to, if it leaves the file's own surroundings.
fn target(source: &Source, path: &str) -> Option<String> {
    if let Some(rest) = path.strip_prefix("crate::") {
        return Some(first_name(rest));
    }
    let rest = path.trim_start_matches("super::");
    let steps = (path.len() - rest.len()) / "super::".len();
    let name = first_name(rest);
    (steps >= depth(source) && place(&name).is_some()).then_some(name)
}

/// How many modules deep the file stands: 1 for `raw/mod.rs`, 2 for `raw/ring/mod.rs`.
fn depth(source: &Source) -> usize {
    let parts = source.path.split('/');
    parts.filter(|part| *part != "mod.rs").count()
}

fn first_name(path: &str) -> String {
    let mut names = source::words(path);
    names
        .next()
        .map_or_else(String::new, |(_, name)| name.to_owned())
}

fn row(code: &str, offset: usize) -> usize {
    let start = offset + (code[offset..].len() - code[offset..].trim_start().len());
    code[..start].matches('\n').count()
}

#[test]
fn a_wrong_arrow_is_found() {
    for (path, text, expected) in [
        (
            "raw/ring/mod.rs",
            "use crate::hub::Hub;",
            "raw uses crate::hub",
        ),
        (
            "raw/mod.rs",
            "use crate::limits::MAX;",
            "raw uses crate::limits",
        ),
        ("raw/mod.rs", "use super::hub::Hub;", "raw uses crate::hub"),
        (
            "raw/ring/mod.rs",
            "use super::super::hub;",
            "raw uses crate::hub",
        ),
        (
            "id.rs",
            "pub use crate::message::Frame;",
            "id uses crate::message",
        ),
        (
            "hub/mod.rs",
            "use crate::{id::A, server::{B, C}};",
            "hub uses crate::server",
        ),
        (
            "hub/mod.rs",
            "fn f() {\n use crate::\n  server; }",
            "hub uses crate::server",
        ),
        (
            "hub/mod.rs",
            "use crate::Hub;",
            "hub uses crate::Hub, which is no module in LAYERS",
        ),
        (
            "time.rs",
            "macro_rules! m { () => { $crate::hub::f() } }",
            "time uses crate::hub",
        ),
        ("novelty.rs", "", "module `novelty` is missing from LAYERS"),
        (
            "novelty/mod.rs",
            "",
            "module `novelty` is missing from LAYERS",
        ),
    ] {
        let findings = wrong_arrows(&Source::parse(path, text));
        assert_eq!(findings.len().min(1), 1, "{path}: {text}");
        assert!(findings[0].ends_with(expected), "{findings:?}");
    }
    let twice = wrong_arrows(&Source::parse("id.rs", "use crate::{raw, sync, hub};"));
    assert_eq!(twice.len(), 2, "{twice:?}");
}

#[test]
fn a_right_arrow_passes() {
    for (path, text) in [
        (
            "raw/ring/mod.rs",
            "use crate::sync::atomic::AtomicUsize;\nuse super::waker::Waker;",
        ),
        (
            "raw/ring/mod.rs",
            "use crate::raw::waker::Waker; // not crate::hub",
        ),
        ("message.rs", "use crate::limits::Limits;"),
        (
            "hub/mod.rs",
            "//! Used by crate::server.\nuse std::time::Duration;",
        ),
        (
            "hub/mod.rs",
            "fn f() -> impl Sized + use<> { \"use crate::server;\" }",
        ),
        ("sync.rs", "mod standard { use super::atomic; }"),
        ("lib.rs", "mod hub; pub use crate::hub::Hub;"),
        ("bin/throng/main.rs", "use crate::arguments::Arguments;"),
    ] {
        let findings = wrong_arrows(&Source::parse(path, text));
        assert!(findings.is_empty(), "{findings:?}");
    }
}

#[test]
fn a_crate_path_outside_a_use_is_found() {
    let bad = "use crate::id::A;\n/// [`crate::id::B`]\nfn f() -> crate::id::B {}";
    let findings = loose_paths(&Source::parse("hub/mod.rs", bad));
    assert_eq!(findings, ["src/hub/mod.rs:3: a crate path outside a `use`"]);
    let good = "pub(crate) use crate::id::{\n    A,\n    B,\n};\npub(in crate::hub) fn f() {}";
    assert!(loose_paths(&Source::parse("hub/mod.rs", good)).is_empty());
}

#[test]
fn a_misplaced_outsider_is_found() {
    for (path, text, expected) in [
        (
            "hub/mod.rs",
            "use tokio::sync::Mutex;",
            "src/hub/mod.rs:1: names tokio",
        ),
        (
            "hub/mod.rs",
            "let t =\nInstant::now();",
            "src/hub/mod.rs:2: names Instant::now",
        ),
        (
            "raw/mod.rs",
            "use loom::thread;",
            "src/raw/mod.rs:1: names loom",
        ),
    ] {
        assert_eq!(misplaced_outsiders(&Source::parse(path, text)), [expected]);
    }
    for (path, text) in [
        ("time.rs", "Instant::now()"),
        ("transport/mod.rs", "use tokio::net::TcpStream;"),
        ("raw/ring/model.rs", "loom::model(|| ());"),
        ("hub/mod.rs", "let tokio_like = 1; // tokio"),
    ] {
        assert!(
            misplaced_outsiders(&Source::parse(path, text)).is_empty(),
            "{text}"
        );
    }
}
