//! Checks the wording of doc comments.
//!
//! Each rule matches one construction that is rare in other crates of this field. A rule has a
//! budget for each module: the number of findings when the rule was introduced. The test fails when
//! a module is above its budget. It also fails when a module is below it, and prints the number to
//! write instead, so budgets only go down. Delete the table when all budgets are zero.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::source;
use crate::source::Source;

/// One doc comment: the line it begins on, its prose, and the line of code that it documents.
struct Doc {
    at: usize,
    /// The line of the item.
    end: usize,
    prose: String,
    item: String,
}

struct Rule {
    name: &'static str,
    advice: &'static str,
    finds: fn(&Doc) -> bool,
}

const RULES: [Rule; 5] = [
    Rule {
        name: "clause",
        advice: "begin with a noun or a verb, not with a question word",
        finds: begins_with_clause,
    },
    Rule {
        name: "causative",
        advice: "name what the function does: `Schedules`, not `Has ... wait`",
        finds: |doc| doc.prose.starts_with("Has "),
    },
    Rule {
        name: "one",
        advice: "name the thing: `A request`, not `One asking`",
        finds: |doc| first(doc) == "One" && !doc.prose.starts_with("One of the "),
    },
    Rule {
        name: "person",
        advice: "name the caller, the thread, the client or the user",
        finds: |doc| words(&doc.prose).any(|word| PERSONS.contains(&word.to_lowercase().as_str())),
    },
    Rule {
        name: "fragment",
        advice: "say what the field holds, with its unit",
        finds: is_fragment,
    },
];

const CLAUSES: [&str; 13] = [
    "Nobody", "Somebody", "Someone", "Those", "What", "Whatever", "Where", "Which", "Who",
    "Whoever", "Whom", "Whose", "Why",
];

const PERSONS: [&str; 6] = [
    "anybody",
    "everybody",
    "nobody",
    "somebody",
    "someone",
    "whoever",
];

/// Findings that a module may have, by rule. Numbers may go down, never up.
const BUDGET: &[(&str, &str, usize)] = &[
    ("causative", "", 1),
    ("causative", "bin/throng", 2),
    ("causative", "hub", 10),
    ("causative", "hub/channel", 8),
    ("causative", "hub/client", 1),
    ("causative", "hub/membership", 2),
    ("causative", "hub/set", 2),
    ("causative", "layers", 1),
    ("causative", "layers/messages", 11),
    ("causative", "layers/presence", 7),
    ("causative", "layers/rooms", 15),
    ("causative", "layers/typing", 1),
    ("causative", "layers/wheel", 1),
    ("causative", "raw/ring", 4),
    ("causative", "session", 2),
    ("causative", "transport/gateway", 6),
    ("clause", "", 8),
    ("clause", "bin/throng", 100),
    ("clause", "docs", 1),
    ("clause", "handlers", 1),
    ("clause", "hub", 81),
    ("clause", "hub/backlog", 6),
    ("clause", "hub/channel", 22),
    ("clause", "hub/client", 11),
    ("clause", "hub/history", 14),
    ("clause", "hub/membership", 4),
    ("clause", "hub/set", 3),
    ("clause", "hub/turns", 6),
    ("clause", "layers", 15),
    ("clause", "layers/channels", 26),
    ("clause", "layers/messages", 162),
    ("clause", "layers/metadata", 6),
    ("clause", "layers/presence", 81),
    ("clause", "layers/rooms", 111),
    ("clause", "layers/sessions", 9),
    ("clause", "layers/typing", 23),
    ("clause", "layers/users", 30),
    ("clause", "layers/wheel", 1),
    ("clause", "message", 2),
    ("clause", "protocol", 53),
    ("clause", "raw/arena", 2),
    ("clause", "raw/combiner", 8),
    ("clause", "raw/ring", 19),
    ("clause", "raw/shared", 1),
    ("clause", "report", 4),
    ("clause", "server", 7),
    ("clause", "server/accept", 1),
    ("clause", "server/deadline", 3),
    ("clause", "server/http", 3),
    ("clause", "server/page", 2),
    ("clause", "server/tls", 5),
    ("clause", "session", 30),
    ("clause", "session/operations", 36),
    ("clause", "session/replies", 8),
    ("clause", "transport", 6),
    ("clause", "transport/gateway", 15),
    ("clause", "transport/sse", 24),
    ("clause", "transport/ws", 34),
    ("clause", "tune", 22),
    ("clause", "tune/link", 6),
    ("clause", "tune/recording", 1),
    ("clause", "tune/report", 3),
    ("clause", "tune/scenario", 6),
    ("clause", "tune/world", 9),
    ("fragment", "", 2),
    ("fragment", "hub", 18),
    ("fragment", "hub/channel", 1),
    ("fragment", "layers", 3),
    ("fragment", "layers/channels", 5),
    ("fragment", "layers/messages", 10),
    ("fragment", "layers/metadata", 1),
    ("fragment", "layers/presence", 10),
    ("fragment", "layers/rooms", 26),
    ("fragment", "layers/sessions", 1),
    ("fragment", "message", 1),
    ("fragment", "protocol", 1),
    ("fragment", "server", 1),
    ("fragment", "session", 2),
    ("fragment", "transport", 6),
    ("fragment", "transport/gateway", 1),
    ("fragment", "transport/sse", 1),
    ("fragment", "transport/ws", 2),
    ("fragment", "tune", 11),
    ("fragment", "tune/scenario", 1),
    ("one", "bin/throng", 8),
    ("one", "hub", 3),
    ("one", "hub/channel", 2),
    ("one", "hub/client", 4),
    ("one", "hub/history", 1),
    ("one", "hub/membership", 2),
    ("one", "hub/turns", 1),
    ("one", "layers/channels", 4),
    ("one", "layers/messages", 6),
    ("one", "layers/presence", 2),
    ("one", "layers/rooms", 7),
    ("one", "layers/users", 1),
    ("one", "message", 1),
    ("one", "protocol", 4),
    ("one", "raw/bell", 1),
    ("one", "raw/combiner", 1),
    ("one", "raw/ring", 1),
    ("one", "raw/shared", 1),
    ("one", "report", 1),
    ("one", "server", 2),
    ("one", "server/http", 1),
    ("one", "session", 1),
    ("one", "session/operations", 8),
    ("one", "session/replies", 1),
    ("one", "transport", 1),
    ("one", "transport/gateway", 1),
    ("one", "transport/sse", 2),
    ("one", "transport/ws", 3),
    ("one", "tune", 12),
    ("one", "tune/recording", 1),
    ("one", "tune/report", 2),
    ("one", "tune/world", 5),
    ("person", "", 4),
    ("person", "bin/throng", 3),
    ("person", "handlers", 1),
    ("person", "hub", 32),
    ("person", "hub/channel", 13),
    ("person", "hub/client", 3),
    ("person", "hub/history", 5),
    ("person", "hub/membership", 3),
    ("person", "hub/set", 2),
    ("person", "hub/turns", 1),
    ("person", "layers", 4),
    ("person", "layers/channels", 8),
    ("person", "layers/messages", 31),
    ("person", "layers/presence", 26),
    ("person", "layers/rooms", 56),
    ("person", "layers/sessions", 4),
    ("person", "layers/typing", 11),
    ("person", "layers/users", 12),
    ("person", "message", 1),
    ("person", "policy", 1),
    ("person", "protocol", 4),
    ("person", "raw", 1),
    ("person", "raw/arena", 4),
    ("person", "raw/combiner", 8),
    ("person", "raw/relay", 1),
    ("person", "raw/ring", 17),
    ("person", "raw/shared", 1),
    ("person", "server", 3),
    ("person", "server/http", 1),
    ("person", "session", 1),
    ("person", "session/operations", 11),
    ("person", "session/replies", 5),
    ("person", "transport", 2),
    ("person", "transport/gateway", 10),
    ("person", "transport/sse", 14),
    ("person", "transport/ws", 3),
];

#[test]
fn wording_stays_within_budget() {
    let mut found: BTreeMap<(&str, String), Vec<String>> = BTreeMap::new();
    for source in source::all() {
        for doc in docs(&source) {
            for rule in RULES.iter().filter(|rule| (rule.finds)(&doc)) {
                let text = format!("{}: {}", rule.name, rule.advice);
                let findings = found.entry((rule.name, module(&source))).or_default();
                findings.push(source.finding(doc.at, &text));
            }
        }
    }
    let mut wrong = Vec::new();
    for (rule, module, budget) in BUDGET {
        let findings = found
            .remove(&(*rule, (*module).to_owned()))
            .unwrap_or_default();
        if findings.len() > *budget {
            wrong.push(findings.join("\n"));
        }
        if findings.len() < *budget {
            let len = findings.len();
            wrong.push(format!(
                "lower the budget: (\"{rule}\", \"{module}\", {len})"
            ));
        }
    }
    wrong.extend(found.into_values().map(|findings| findings.join("\n")));
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// The doc comments of a file, without code blocks, tables and headings.
fn docs(source: &Source) -> Vec<Doc> {
    let mut docs = Vec::new();
    let mut lines = Vec::new();
    let mut start = 0;
    for (at, line) in source.lines.iter().enumerate() {
        let comment = line.comment.trim();
        let text = comment
            .strip_prefix("///")
            .or_else(|| comment.strip_prefix("//!"));
        if let Some(text) = text {
            if lines.is_empty() {
                start = at;
            }
            lines.push(text.trim());
        } else if !lines.is_empty() && !line.code.trim_start().starts_with("#[") {
            docs.push(Doc {
                at: start,
                end: at,
                prose: prose(&lines),
                item: line.code.trim().to_owned(),
            });
            lines.clear();
        }
    }
    docs
}

fn prose(lines: &[&str]) -> String {
    let mut is_code = false;
    let mut prose = String::new();
    for line in lines {
        if line.starts_with("```") {
            is_code = !is_code;
        } else if !is_code && !line.starts_with(['|', '#']) {
            prose.push_str(line);
            prose.push(' ');
        }
    }
    prose.trim().to_owned()
}

/// `/// Who.` on a public item. A link says enough: `/// Sets [`Self::limit`].`
fn is_fragment(doc: &Doc) -> bool {
    let is_short = doc.prose.split_whitespace().count() < 3 && !doc.prose.contains('[');
    is_short && doc.item.starts_with("pub ")
}

fn begins_with_clause(doc: &Doc) -> bool {
    CLAUSES.contains(&first(doc))
}

fn first(doc: &Doc) -> &str {
    words(&doc.prose).next().unwrap_or("")
}

fn words(prose: &str) -> impl Iterator<Item = &str> {
    prose
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
}

/// The folder that a file is in: its first two parts.
fn module(source: &Source) -> String {
    let parts: Vec<_> = source.path.split('/').collect();
    parts[..parts.len().saturating_sub(1).min(2)].join("/")
}

#[test]
fn rules_find_what_they_should() {
    let doc = |text: &str| Doc {
        at: 0,
        end: 0,
        prose: text.to_owned(),
        item: "pub fn f() {}".to_owned(),
    };
    let found = |text: &str| {
        let doc = doc(text);
        let found: Vec<_> = RULES.iter().filter(|rule| (rule.finds)(&doc)).collect();
        found.iter().map(|rule| rule.name).collect::<Vec<_>>()
    };
    assert_eq!(found("What waits in the queue."), ["clause"]);
    assert_eq!(found("One asking for an operation."), ["one"]);
    assert_eq!(found("Has a channel wait until `due`."), ["causative"]);
    assert_eq!(found("Connections that are nobody's, by id."), ["person"]);
    assert_eq!(found("The id."), ["fragment"]);
    assert!(found("Returns the id of the client.").is_empty());
    assert!(found("One of the four policies.").is_empty());
}

#[test]
fn async_functions_state_their_cancel_safety() {
    source::assert_clean(|source| {
        let public = docs(source)
            .into_iter()
            .filter(|doc| doc.item.starts_with("pub async fn"));
        public
            .filter(|doc| !source.commented(doc.end, doc.end - doc.at, is_cancel_safety))
            .map(|doc| source.finding(doc.at, "add a `# Cancel safety` section"))
            .collect()
    });
}

fn is_cancel_safety(comment: &str) -> bool {
    comment.trim() == "/// # Cancel safety"
}

/// Comments over 100 columns that there may be. The number may go down, never up.
const LONG_COMMENTS: usize = 7;

/// rustfmt does not wrap comments.
#[test]
fn comments_fit_in_100_columns() {
    let mut findings = Vec::new();
    for source in source::all() {
        let lines = source.lines.iter().enumerate();
        let long = lines
            .filter(|(_, line)| !line.comment.is_empty() && !line.comment.contains("://"))
            .filter(|(_, line)| (line.code.chars().count() + line.comment.chars().count()) > 100)
            .map(|(at, _)| source.finding(at, "wrap the comment at 100 columns"));
        findings.extend(long);
    }
    assert!(
        findings.len() == LONG_COMMENTS,
        "\n{}\n{} comments over 100 columns, the budget is {LONG_COMMENTS}\n",
        findings.join("\n"),
        findings.len()
    );
}

/// Errors, logs, `--help` and the page name whom they speak of. The reason of an `expect` speaks to
/// engineers.
#[test]
fn texts_for_users_name_the_actor() {
    let vague = |line: &str| {
        let line = line.to_lowercase();
        let found = words(&line).find(|word| PERSONS.contains(word));
        found.map(str::to_owned)
    };
    let mut findings = Vec::new();
    for source in source::all().iter().filter(|source| !source.is_test()) {
        let is_help = source.path.starts_with("bin/");
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("src")
            .join(&source.path);
        let text = fs::read_to_string(file).unwrap();
        for (at, (raw, line)) in text.lines().zip(&source.lines).enumerate() {
            let is_reason = line.code.contains(".expect(") || line.code.contains("reason =");
            let beside = [&line.code, &line.comment].map(|part| vague(part));
            let in_text = vague(raw).filter(|word| !beside.contains(&Some(word.clone())));
            let in_help = beside[1]
                .clone()
                .filter(|_| is_help && line.comment.starts_with("    /// "));
            if let Some(word) = in_text.filter(|_| !is_reason).or(in_help) {
                findings
                    .push(source.finding(at, &format!("`{word}`: name the client or the user")));
            }
        }
    }
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server/page");
    for page in fs::read_dir(pages).unwrap() {
        let page = page.unwrap().path();
        let is_page = page.extension().is_some_and(|it| it == "html");
        let text = if is_page {
            fs::read_to_string(&page).unwrap()
        } else {
            String::new()
        };
        for (at, line) in text.lines().enumerate() {
            if let Some(word) = vague(line) {
                findings.push(format!("{}:{}: `{word}`", page.display(), at + 1));
            }
        }
    }
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}
