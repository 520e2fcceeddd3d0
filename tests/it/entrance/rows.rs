//! The table of operations, out of the page that is written from it, and an example of each
//! argument.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

const PAGE: &str = include_str!("../../../src/docs/operations.md");

/// The ids of a connection of ada's and of one of bob's.
#[derive(Clone, Debug)]
pub(super) struct Ids {
    pub(super) ada: String,
    pub(super) bob: String,
}

/// One row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// The method and the path over HTTP, where there are any.
    pub(crate) route: Option<(String, String)>,
    needed: Vec<String>,
    optional: Vec<String>,
}

/// All rows.
pub(crate) fn all() -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for line in PAGE.lines() {
        if let Some(line) = line.strip_prefix("**`") {
            let (name, rest) = line.split_once("`**").unwrap();
            let route = rest
                .split('`')
                .nth(1)
                .and_then(|route| route.split_once(' '));
            rows.push(Row {
                name: name.to_owned(),
                route: route.map(|(method, path)| (method.to_owned(), path.to_owned())),
                ..Row::default()
            });
        } else if let Some(line) = line.strip_prefix("* `")
            && let Some(row) = rows.last_mut()
        {
            let (name, rest) = line.split_once('`').unwrap();
            let list = match rest.starts_with('?') {
                true => &mut row.optional,
                false => &mut row.needed,
            };
            list.push(name.to_owned());
        }
    }
    rows
}

impl Row {
    /// Arguments with which it may be asked for.
    pub(super) fn example(&self, ids: &Ids) -> Map<String, Value> {
        let mut arguments = Map::new();
        for name in &self.needed {
            arguments.insert(name.clone(), self.value(name, ids));
        }
        if self.optional.iter().any(|name| name == "data") {
            arguments.insert("data".to_owned(), json!({"said": "hello"}));
        }
        if self.optional.iter().any(|name| name == "client_id") {
            arguments.insert("client_id".to_owned(), json!(ids.ada));
        }
        if self.name == "pattern.subscribe" || self.name == "pattern.unsubscribe" {
            arguments.insert("pattern".to_owned(), json!("news.*"));
        }
        arguments
    }

    /// Examples that are wrong: what is wrong with each.
    pub(super) fn wrong(&self, ids: &Ids) -> Vec<(String, Map<String, Value>)> {
        let example = self.example(ids);
        let mut wrong = Vec::new();
        let mut unknown = example.clone();
        unknown.insert("no_such_field".to_owned(), json!("x"));
        wrong.push(("a field that it does not have".to_owned(), unknown));
        for name in &self.needed {
            if self.is_in_path(name) {
                continue;
            }
            let mut lacking = example.clone();
            lacking.remove(name);
            wrong.push((format!("no {name}"), lacking));
        }
        wrong
    }

    pub(super) fn is_in_path(&self, argument: &str) -> bool {
        let named = format!("{{{argument}}}");
        self.route
            .as_ref()
            .is_some_and(|(_, path)| path.contains(&named))
    }

    fn value(&self, argument: &str, ids: &Ids) -> Value {
        match (self.name.as_str(), argument) {
            ("batch", "requests") => json!([
                {"type": "ping", "id": 1},
                {"type": "publish", "channel_id": "news", "data": 1},
                {"type": "no.such", "id": "x"},
                {"type": "batch", "requests": []},
            ]),
            ("presence", "channel_id") => json!("presence-lobby"),
            ("channel.create" | "channel.update" | "channel.delete", _) => json!("announced"),
            (_, "actions") => json!(["publish"]),
            (_, "channel_id") => json!("news"),
            ("client.kick", _) => json!(ids.bob),
            (_, "client_id") => json!(ids.ada),
            (_, "device") => json!("phone"),
            (_, "except" | "user_ids") => json!(["bob"]),
            (_, "filter") => json!({"name": "profanity", "kind": "words", "words": ["spam"]}),
            ("filter.remove" | "schema.remove", "name") => json!("profanity"),
            (_, "method") => json!("quote"),
            (_, "schema") => json!({
                "name": "profanity",
                "channels": ["orders.*"],
                "schema": {"type": "object", "required": ["sku"]},
            }),
            (_, "invite") => json!("no-such-invite"),
            (_, "longer_than_ms" | "slow_mode_ms") => json!(3_600_000),
            (_, "message_id") => json!("1"),
            (row, "name") if row.starts_with("limit.") => json!("chat"),
            (_, "name") => json!("a room"),
            (_, "other_id" | "user_id") => json!("bob"),
            (_, "period_ms") => json!(1000),
            (_, "permission") => json!("send_messages"),
            (_, "query") => json!("hello"),
            (_, "reaction") => json!("+1"),
            (_, "requests") => json!(100),
            (_, "role") => json!("moderator"),
            (_, "room_id") => json!("den"),
            (_, "room_ids") => json!(["den"]),
            (_, "status") => json!("busy"),
            (_, "token") => json!("no.such.token"),
            (row, argument) => panic!("`{row}` has no example of `{argument}` in {}", file!()),
        }
    }
}
