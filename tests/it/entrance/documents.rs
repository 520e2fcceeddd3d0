//! The documents of the operations: complete, sound, and with examples that come.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::env;
use std::fs;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use throng::Gateway;
use throng::UserId;
use throng::protocol::Arguments;
use throng::protocol::Command;
use throng::session::Caller;
use throng::session::Request;

use super::described::Described;
use super::described::operations;
use super::rows;
use super::rows::Ids;
use super::rows::Row;
use super::table::steady;
use super::world::Line;
use super::world::World;
use crate::support::eventually;

const EXAMPLES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/src/session/operations/documents/examples.json"
);

fn openapi() -> Value {
    serde_json::from_str(&Gateway::openapi()).unwrap()
}

fn asyncapi() -> Value {
    serde_json::from_str(&Gateway::asyncapi()).unwrap()
}

/// All references of a document, in any depth.
fn references<'a>(value: &'a Value, into: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(fields) => {
            if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                into.insert(reference);
            }
            fields.values().for_each(|value| references(value, into));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, into)),
        _ => {}
    }
}

#[test]
fn every_reference_of_a_document_leads_somewhere() {
    for document in [openapi(), asyncapi()] {
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(found.len() > 20, "{found:?}");
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }
}

#[test]
fn every_schema_of_a_document_is_one() {
    for document in [openapi(), asyncapi()] {
        for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
            assert!(jsonschema::meta::is_valid(schema), "{name}: {schema}");
        }
    }
}

#[test]
fn every_operation_is_described_whole() {
    let document = openapi();
    assert_eq!(document["openapi"], "3.1.0");
    let mut names = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for operation in methods.as_object().unwrap().values() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name.to_owned()), "twice: {name}");
            assert!(operation["summary"].is_string(), "{name}");
            let parameters = operation["parameters"].as_array().unwrap();
            let in_path = parameters.iter().filter(|it| it["in"] == "path");
            for segment in path.split('/').filter(|segment| segment.starts_with('{')) {
                let named =
                    |it: &&Value| format!("{{{}}}", it["name"].as_str().unwrap()) == segment;
                assert!(in_path.clone().any(|it| named(&it)), "{name}: {segment}");
            }
            let responses = operation["responses"].as_object().unwrap();
            let has = |status: &str| responses.contains_key(status);
            assert!(has("200") != has("204"), "{name}: one of both");
            if let Some(response) = responses.get("200") {
                let content = &response["content"]["application/json"];
                assert!(content["schema"].is_object(), "{name}: no schema");
                assert!(!content["example"].is_null(), "{name}: no example");
            }
            for status in ["400", "401", "403", "404", "413", "429", "503"] {
                assert!(has(status), "{name}: {status}");
            }
        }
    }
    for name in ["publish", "stats", "client.list", "broadcast", "batch"] {
        assert!(names.contains(name), "{name}");
    }
    for response in document["components"]["responses"]
        .as_object()
        .unwrap()
        .values()
    {
        let content = &response["content"]["application/problem+json"];
        assert!(content["example"]["code"].is_string(), "{response}");
    }
}

#[test]
fn every_command_of_a_connection_and_its_replies_are_described() {
    let document = asyncapi();
    assert_eq!(document["asyncapi"], "3.0.0");
    let only_http: Vec<_> = ["stats", "broadcast", "client.slow", "user.send"].into();
    for row in rows::all() {
        let operation = &document["operations"][&row.name];
        if only_http.contains(&row.name.as_str()) {
            assert!(operation.is_null(), "{}", row.name);
            continue;
        }
        if operation.is_null() {
            // For the server's side only.
            continue;
        }
        assert_eq!(operation["action"], "receive", "{}", row.name);
        let replies = operation["reply"]["messages"].as_array().unwrap();
        let error = json!({ "$ref": "#/channels/ws/messages/push.error" });
        assert!(
            replies.len() > 1 && replies.contains(&error),
            "{}",
            row.name
        );
    }
    assert!(document["operations"].as_object().unwrap().len() > 120);
}

/// Something of everything: rooms with members, messages, presence, channels.
struct Town {
    world: World,
    ids: Ids,
    invite: String,
    lines: BTreeMap<&'static str, Line>,
}

impl Town {
    fn new() -> Self {
        let world = World::new(|builder| builder);
        let users = ["ada", "bob", "carl", "eve"];
        let lines = users.map(|user| (user, world.conn(user)));
        let id = |user| world.client_of(user).id().to_string();
        let mut town = Self {
            ids: Ids {
                ada: id("ada"),
                bob: id("bob"),
            },
            lines: lines.into(),
            invite: String::new(),
            world,
        };
        for line in SETTING.lines().filter(|line| !line.is_empty()) {
            let (user, request) = line.split_once(' ').unwrap();
            let done = town.done(user, request);
            if let Some(invite) = done["invite"].as_str() {
                town.invite = invite.to_owned();
            }
        }
        town
    }

    /// Carries a request out for the connection of a user.
    fn done(&self, user: &str, request: &str) -> Value {
        let client = self.world.client_of(user);
        let request = Request::parse(request).unwrap();
        let done = self
            .world
            .gateway
            .execute(Caller::connection(&client), request);
        let done = self.world.runtime.block_on(done);
        let reply = done.unwrap_or_else(|fault| panic!("{user}: {fault}"));
        let json = reply.to_json();
        json.map_or(Value::Null, |json| serde_json::from_str(&json).unwrap())
    }

    /// A request that succeeds, and its answer.
    fn example(&self, row: &Row) -> Result<(Map<String, Value>, Value), String> {
        let mut arguments = row.example(&self.ids);
        for (name, field, value) in OTHERWISE {
            if *name == row.name {
                match serde_json::from_str(value).unwrap() {
                    Value::Null => arguments.remove(*field),
                    value => arguments.insert((*field).to_owned(), value),
                };
            }
        }
        if arguments.contains_key("invite") {
            arguments.insert("invite".to_owned(), json!(self.invite));
        }
        let actor = match row.name.as_str() {
            "room.leave" | "room.mark_read" => "bob",
            "room.join" | "invite.accept" => "dave",
            _ => "ada",
        };
        let text = Value::Object(arguments.clone()).to_string();
        let command = Command::named(&row.name, Arguments::parse(&text).unwrap()).unwrap();
        let client = self.world.client_of("ada");
        let dave = Caller::on_behalf_of(UserId::parse(actor).unwrap());
        let callers = match actor {
            "ada" => vec![Caller::connection(&client), Caller::server()],
            _ => vec![dave],
        };
        let mut why = String::new();
        for caller in callers {
            let done = self.world.gateway.execute(caller, command.clone().into());
            match self.world.runtime.block_on(done) {
                Ok(reply) => {
                    let json = reply.to_json();
                    let answer = json.map(|json| serde_json::from_str(&json).unwrap());
                    return Ok((arguments, answer.unwrap_or_default()));
                }
                Err(fault) => why += &format!("{fault}; "),
            }
        }
        Err(format!("{} has no example: {why}", row.name))
    }
}

/// Arguments that are otherwise than in the comparison of all ways.
const OTHERWISE: &[(&str, &str, &str)] = &[
    (
        "batch",
        "requests",
        r#"[{"type":"ping","id":1},{"type":"publish","id":2,"channel_id":"news","data":1}]"#,
    ),
    ("channel.create", "channel_id", r#""offers""#),
    ("limit.add", "per", r#"["user"]"#),
    ("limit.reset", "client_id", "null"),
    ("limit.reset", "user_id", r#""ada""#),
    ("limit.status", "client_id", "null"),
    ("limit.status", "user_id", r#""ada""#),
    ("message.search", "room_id", r#""den""#),
    ("pattern.subscribe", "pattern", r#""offers.*""#),
    ("presence.get_many", "user_ids", r#"["bob","carl"]"#),
    ("room.add_member", "user_id", r#""dave""#),
    ("room.bulk_join", "user_ids", r#"["dave","bob"]"#),
    ("room.list_direct", "user_id", r#""ada""#),
    ("room.grant", "permission", r#""pin_messages""#),
    ("user.rooms", "user_id", r#""ada""#),
    ("room.common", "user_id", r#""ada""#),
    ("room.common", "other_id", r#""bob""#),
    ("room.direct", "user_id", r#""ada""#),
    ("room.restore", "room_id", r#""attic""#),
    ("room.revoke", "permission", r#""pin_messages""#),
    ("room.send", "event", r#""greeting""#),
    ("room.unban", "user_id", r#""eve""#),
    ("room.unlock", "room_id", r#""cellar""#),
    ("room.unmute", "user_id", r#""carl""#),
    ("room.mute", "user_id", r#""bob""#),
    ("subscribe", "channel_id", r#""offers""#),
    ("typing.clear", "user_id", r#""ada""#),
    ("user.broadcast_except", "except", r#"["eve"]"#),
    ("user.get", "user_id", r#""ada""#),
];

/// What has happened before, by whom.
const SETTING: &str = r#"
ada {"type":"room.create","room_id":"den","name":"The den","description":"Where we talk","tags":["talk"]}
ada {"type":"room.create","room_id":"attic","name":"The attic"}
ada {"type":"room.archive","room_id":"attic"}
ada {"type":"room.create","room_id":"cellar","name":"The cellar"}
ada {"type":"room.lock","room_id":"cellar"}
bob {"type":"room.join","room_id":"den"}
carl {"type":"room.join","room_id":"den"}
eve {"type":"room.join","room_id":"den"}
ada {"type":"room.send","room_id":"den","data":"hello","event":"greeting"}
bob {"type":"room.send","room_id":"den","text":"hello to you","thread_id":"1"}
bob {"type":"message.react","room_id":"den","message_id":"1","reaction":"+1"}
ada {"type":"message.react","room_id":"den","message_id":"1","reaction":"wave"}
ada {"type":"message.edit","room_id":"den","message_id":"1","data":"hello, all"}
ada {"type":"room.pin","room_id":"den","message_id":"1"}
ada {"type":"room.ban","room_id":"den","user_id":"eve","reason":"spam"}
ada {"type":"room.mute","room_id":"den","user_id":"carl","duration_ms":60000}
ada {"type":"room.grant","room_id":"den","user_id":"bob","permission":"pin_messages"}
ada {"type":"invite.create","room_id":"den"}
ada {"type":"room.direct","user_id":"ada","other_id":"bob"}
ada {"type":"subscribe","channel_id":"news"}
ada {"type":"subscribe","channel_id":"presence-lobby"}
ada {"type":"pattern.subscribe","pattern":"news.*"}
ada {"type":"presence.set","status":"busy","custom_status":"in a meeting","device":"phone"}
ada {"type":"presence.watch","user_id":"bob"}
bob {"type":"presence.watch","user_id":"ada"}
bob {"type":"typing.start","room_id":"den"}
bob {"type":"presence.set","status":"away"}
"#;

/// Examples of what needs credentials.
const SIGNED_IN: &[(&str, &str)] = &[
    (
        "auth.refresh",
        r#"{"arguments":{"token":"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"},"answer":{"expires_in_ms":3600000}}"#,
    ),
    ("auth.revoke", r#"{"arguments":{"user_id":"bob"}}"#),
    (
        "ticket.create",
        r#"{"arguments":{},"answer":{"ticket":"Gy0hVfTCkO3dZpWb1sQ7xJmL8uRaEn5K","expires_in_ms":30000}}"#,
    ),
];

/// A rate limit.
const CHAT: &str = r#"{"type":"limit.add","name":"chat","per":["user"],"actions":["publish"],"requests":100,"period_ms":1000}"#;

/// The value without what differs from one run to the next, numbers among it: counters depend on
/// when they are read.
fn shape(value: &Value) -> Value {
    match steady(value) {
        Value::Number(_) => json!("a number"),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, shape(&value)))
            .collect(),
        Value::Array(items) => items.iter().map(shape).collect(),
        value => value,
    }
}

/// Run with `THRONG_WRITE=1` to have the examples written.
#[test]
fn the_examples_are_what_comes() {
    let described = Described::new();
    let (mut examples, mut failed) = (Map::new(), Vec::new());
    for row in rows::all() {
        // Only the first command of a connection resumes a session; and nothing is authenticated
        // here.
        let is_auth = row.name.starts_with("auth") || row.name.starts_with("ticket.");
        if row.name == "session.resume" || is_auth {
            continue;
        }
        let mut town = Town::new();
        town.read();
        town.server(r#"{"type":"channel.create","channel_id":"announced","description":"News of the house"}"#);
        town.server(CHAT);
        town.server(r#"{"type":"filter.add","filter":{"name":"profanity","kind":"words","words":["spam"]}}"#);
        town.server(r#"{"type":"schema.add","schema":{"name":"profanity","channels":["orders.*"],"schema":true}}"#);
        let hub = town.world.gateway.hub();
        eventually("all outboxes are empty", || hub.slow_clients(1).is_empty());
        let (arguments, answer) = match town.example(&row) {
            Ok(example) => example,
            Err(why) => {
                failed.push(why);
                continue;
            }
        };
        described.answer(&row.name, &answer);
        let mut example = json!({ "arguments": arguments });
        if !answer.is_null() {
            example["answer"] = answer;
        }
        examples.insert(row.name.clone(), example);
    }
    assert!(failed.is_empty(), "{failed:#?}");
    for (name, example) in SIGNED_IN {
        let example = serde_json::from_str(example).unwrap();
        examples.insert((*name).to_owned(), example);
    }
    let came = Value::Object(examples);
    let kept = fs::read_to_string(EXAMPLES).unwrap();
    let mut kept: Map<String, Value> = serde_json::from_str(&kept).unwrap();
    if env::var_os("THRONG_WRITE").is_some() {
        // Those that differ in nothing but times and ids stay.
        kept.retain(|name, kept| came.get(name).map(shape) == Some(shape(kept)));
        for (name, example) in came.as_object().unwrap() {
            kept.entry(name).or_insert_with(|| example.clone());
        }
        fs::write(EXAMPLES, format!("{:#}\n", Value::Object(kept.clone()))).unwrap();
    }
    for (name, example) in came.as_object().unwrap() {
        assert_eq!(
            shape(&kept[name]),
            shape(example),
            "the example of {name} is out of date: run this test with THRONG_WRITE=1"
        );
    }
}

impl Town {
    /// Reads what the connections were sent.
    fn read(&mut self) {
        for line in self.lines.values_mut() {
            line.say(r#"{"type":"ping","id":"last"}"#);
            while line.push()["reply_to"] != "last" {}
        }
    }

    fn server(&self, request: &str) {
        let request = Request::parse(request).unwrap();
        let done = self.world.gateway.execute(Caller::server(), request);
        self.world.runtime.block_on(done).unwrap();
    }
}

#[test]
fn every_push_agrees_with_its_description() {
    let described = Described::new();
    let mut town = Town::new();
    town.server(r#"{"type":"broadcast","base64":"AP8=","event":"bytes"}"#);
    let mut seen = BTreeSet::new();
    for (user, line) in &mut town.lines {
        let mut is_answered = false;
        line.say(r#"{"type":"no such"}"#);
        line.say(r#"{"type":"ping","id":"last"}"#);
        loop {
            let push = line.push();
            described.push(&push);
            seen.insert(push["type"].as_str().unwrap().to_owned());
            // The news of presence comes with the next tick.
            let is_told = *user != "ada" || seen.contains("presence");
            is_answered |= push["reply_to"] == "last";
            if is_answered && is_told {
                break;
            }
        }
    }
    for kind in [
        "error",
        "joined",
        "left",
        "message",
        "message.edited",
        "message.reaction_added",
        "pong",
        "presence",
        "room.member_banned",
        "room.members",
        "room.message_pinned",
        "typing",
    ] {
        assert!(seen.contains(kind), "{kind} is not among {seen:?}");
    }
}

#[test]
fn the_server_serves_the_documents() {
    let world = World::new(|builder| builder);
    for (path, document) in [
        ("/api/v1/openapi.json", openapi()),
        ("/api/v1/asyncapi.json", asyncapi()),
        ("/asyncapi.json", asyncapi()),
    ] {
        let response = world.request("GET", path, "");
        assert_eq!(response.status, 200, "{path}");
        assert_eq!(response.json(), document, "{path}");
    }
    assert!(operations(&openapi()).count() > 115);
}
