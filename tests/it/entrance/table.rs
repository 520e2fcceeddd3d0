//! Every row of the table, by every way: the same result, and the same fault.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use throng::UserId;
use throng::policy::Policy;
use throng::policy::Verdict;
use throng::protocol::Arguments;
use throng::protocol::Command;
use throng::session::Caller;
use throng::session::Request;

use super::described::Described;
use super::rows;
use super::rows::Ids;
use super::rows::Row;
use super::world::Line;
use super::world::World;
use super::world::until_reply;
use crate::binary::Response;
use crate::binary::Ws;
use crate::support::eventually;

/// What came of a request: its JSON, or its code, its message and its field.
type Came = Result<Value, (String, String, Option<String>)>;

/// A way to ask.
enum Way {
    Ws(Box<Ws>),
    Conn(Line),
    /// On behalf of this user, or of the server.
    Rest(Option<&'static str>),
    /// On behalf of ada's connection, or of the server.
    Embedded {
        server: bool,
    },
}

/// A world in which all is asked by one way.
struct Asked {
    world: World,
    way: Way,
    ids: Ids,
    seen: Arc<AtomicUsize>,
    asked: usize,
    described: Described,
    /// Connections that are kept open.
    _kept: Vec<Line>,
}

/// Counts what it is asked about.
struct Counting(Arc<AtomicUsize>);

impl Policy for Counting {
    fn name(&self) -> &str {
        "counting"
    }

    fn check(&self, _: &Caller<'_>, _: &mut Request) -> Verdict {
        // Relaxed: read when nothing is asked any more.
        self.0.fetch_add(1, Ordering::Relaxed);
        Verdict::Pass
    }
}

impl Asked {
    fn by(way: fn(&World) -> Way) -> Self {
        let seen = Arc::new(AtomicUsize::new(0));
        let policy = Counting(Arc::clone(&seen));
        let world = World::new(|builder| builder.policy(policy));
        let mut kept = vec![world.conn("bob")];
        let way = way(&world);
        if !matches!(way, Way::Ws(_) | Way::Conn(_)) {
            kept.push(world.conn("ada"));
        }
        let id = |user| world.client_of(user).id().to_string();
        let (ada, bob) = (id("ada"), id("bob"));
        let asked = Self {
            world,
            way,
            ids: Ids { ada, bob },
            seen,
            asked: 0,
            described: Described::new(),
            _kept: kept,
        };
        asked.set_up();
        asked
    }

    /// The same state in every world: a room of ada's with bob in it and a message, and channels.
    fn set_up(&self) {
        for (actor, request) in [
            (
                "ada",
                r#"{"type":"room.create","room_id":"den","name":"den"}"#,
            ),
            ("bob", r#"{"type":"room.join","room_id":"den"}"#),
            (
                "ada",
                r#"{"type":"room.send","room_id":"den","data":"hello"}"#,
            ),
        ] {
            let actor = Caller::on_behalf_of(UserId::parse(actor).unwrap());
            let request = Request::parse(request).unwrap();
            let done = self.world.gateway.execute(actor, request);
            self.world.runtime.block_on(done).unwrap();
        }
        let client = self.world.client_of("ada");
        for channel in ["news", "presence-lobby"] {
            client.subscribe_blocking(channel).unwrap();
        }
        // Relaxed: as in `check`.
        self.seen.store(0, Ordering::Relaxed);
    }

    /// Asks, and waits for what goes on beside the answer.
    fn ask(&mut self, row: &Row, arguments: &Map<String, Value>) -> Came {
        if row.name == "client.slow" {
            let hub = self.world.gateway.hub();
            eventually("all outboxes are empty", || hub.slow_clients(1).is_empty());
        }
        let came = self.asked(row, arguments);
        if let Ok(answer) = &came {
            self.described.answer(&row.name, answer);
        }
        if came.is_ok() && row.name == "client.kick" {
            let bob = UserId::parse("bob").unwrap();
            let users = self.world.gateway.layers().unwrap().users();
            eventually("bob has gone", || users.client_count_of(&bob) == 0);
        }
        came
    }

    fn asked(&mut self, row: &Row, arguments: &Map<String, Value>) -> Came {
        self.asked += 1;
        let id = self.asked;
        match &mut self.way {
            Way::Ws(ws) => {
                ws.say(&frame(row, arguments, id));
                came(&reply_to(id, || ws.push()))
            }
            Way::Conn(line) => {
                line.say(&frame(row, arguments, id));
                came(&reply_to(id, || line.push()))
            }
            Way::Rest(actor) => {
                let actor = *actor;
                answered(
                    row,
                    &self.described,
                    &rest(&self.world, row, arguments, actor),
                )
            }
            Way::Embedded { server } => {
                let client = (!*server).then(|| self.world.client_of("ada"));
                let caller = match &client {
                    Some(client) => Caller::connection(client),
                    None => Caller::server(),
                };
                let text = Value::Object(arguments.clone()).to_string();
                let named = Command::named(&row.name, Arguments::parse(&text).unwrap());
                let done = named.and_then(|command| {
                    let done = self.world.gateway.execute(caller, command.into());
                    self.world.runtime.block_on(done)
                });
                match done {
                    Ok(reply) => Ok(reply
                        .to_json()
                        .map_or(Value::Null, |json| serde_json::from_str(&json).unwrap())),
                    Err(fault) => Err((
                        fault.code().to_string(),
                        fault.message().to_owned(),
                        fault.at().map(str::to_owned),
                    )),
                }
            }
        }
    }
}

fn frame(row: &Row, arguments: &Map<String, Value>, id: usize) -> String {
    let mut frame = arguments.clone();
    frame.insert("type".to_owned(), json!(row.name));
    frame.insert("id".to_owned(), json!(id));
    Value::Object(frame).to_string()
}

fn reply_to(id: usize, mut push: impl FnMut() -> Value) -> Value {
    loop {
        let reply = until_reply(&mut push);
        if reply["reply_to"] == id {
            return reply;
        }
    }
}

/// What a push says that answers.
fn came(push: &Value) -> Came {
    let data = &push["data"];
    match push["type"].as_str().unwrap() {
        "ack" => Ok(data.clone()),
        "error" => Err(fault(data, "message")),
        "presence" => Ok(json!({
            "channel_id": push["channel_id"],
            "members": data["members"],
        })),
        "joined" | "pong" => Ok(Value::Null),
        other => panic!("no answer: {other}"),
    }
}

fn fault(data: &Value, message: &str) -> (String, String, Option<String>) {
    let text = |name: &str| data[name].as_str().map(str::to_owned);
    (text("code").unwrap(), text(message).unwrap(), text("field"))
}

/// The response, of a status that the document has for the operation.
fn answered(row: &Row, described: &Described, response: &Response) -> Came {
    described.status(&row.name, response.status);
    match response.status {
        200 => Ok(response.json()),
        204 => Ok(Value::Null),
        _ => {
            described.problem(response.status, &response.json());
            Err(fault(&response.json(), "detail"))
        }
    }
}

fn rest(world: &World, row: &Row, arguments: &Map<String, Value>, actor: Option<&str>) -> Response {
    let (method, path) = row.route.as_ref().unwrap();
    let mut path = path.clone();
    let mut rest = Map::new();
    for (name, value) in arguments {
        if row.is_in_path(name) {
            let value = value.as_str().unwrap();
            path = path.replace(&format!("{{{name}}}"), value);
        } else {
            rest.insert(name.clone(), value.clone());
        }
    }
    let mut query: Vec<_> = actor.iter().map(|actor| format!("actor={actor}")).collect();
    let mut body = String::new();
    if ["GET", "DELETE"].contains(&method.as_str()) {
        query.extend(rest.iter().map(|(name, value)| match value {
            Value::String(text) => format!("{name}={text}"),
            Value::Array(list) => {
                let items: Vec<_> = list.iter().map(|item| item.as_str().unwrap()).collect();
                format!("{name}={}", items.join(","))
            }
            value => format!("{name}={value}"),
        }));
    } else {
        body = Value::Object(rest).to_string();
    }
    world.request(method, &format!("{path}?{}", query.join("&")), &body)
}

/// The value without what differs from one world to the other: times, random names, ids of clients.
pub(super) fn steady(value: &Value) -> Value {
    const VOLATILE: [&str; 18] = [
        "accepted",
        "address",
        "average",
        "client_id",
        "connection",
        "connection_id",
        "durations_ms",
        "epoch",
        "high_water",
        "id",
        "invite",
        "listener",
        "oldest_waiting_ms",
        "queued_bytes",
        "queued_messages",
        "transport",
        "transports",
        "uptime_ms",
    ];
    let is_time = |text: &str| text.len() == 24 && text.ends_with('Z') && text.contains('T');
    match value {
        Value::Object(fields) => {
            let steady = |(name, value): (&String, &Value)| {
                let value = match VOLATILE.contains(&name.as_str()) {
                    true => json!("…"),
                    false => steady(value),
                };
                (name.clone(), value)
            };
            Value::Object(fields.iter().map(steady).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(steady).collect()),
        Value::String(text) if is_time(text) => json!("a time"),
        value => value.clone(),
    }
}

/// Has all rows asked for by all ways, and compares.
fn compare(mut ways: Vec<(&str, Asked)>, rows: &[Row]) {
    let mut differences = Vec::new();
    for row in rows {
        let wrong = row.wrong(&ways[0].1.ids);
        let cases = wrong
            .into_iter()
            .map(|(what, _)| what)
            .chain(["its example".to_owned()]);
        for (number, what) in cases.enumerate() {
            let mut came = Vec::new();
            for (way, asked) in &mut ways {
                let ids = asked.ids.clone();
                let wrong = row.wrong(&ids).into_iter().nth(number).map(|(_, it)| it);
                let arguments = wrong.unwrap_or_else(|| row.example(&ids));
                let got = asked.ask(row, &arguments);
                let got = got.map(|value| steady(&value));
                came.push((*way, got));
            }
            let (_, first) = &came[0];
            for (way, got) in &came[1..] {
                if got != first {
                    let (one, name) = (came[0].0, &row.name);
                    let line = format!("{name}, {what}:\n  {one}: {first:?}\n  {way}: {got:?}");
                    differences.push(line);
                }
            }
            if what == "a field that it does not have" {
                let (_, fault) = &came[0];
                let field = fault
                    .as_ref()
                    .err()
                    .and_then(|(_, _, field)| field.as_deref());
                let is_denied = matches!(fault, Err((code, ..)) if code == "permission_denied");
                if field != Some("no_such_field") && !is_denied {
                    differences.push(format!("{}: an unknown field: {fault:?}", row.name));
                }
            }
        }
    }
    assert!(differences.is_empty(), "\n{}\n", differences.join("\n"));
}

#[test]
fn a_user_is_told_the_same_by_every_way() {
    let rows: Vec<_> = rows::all()
        .into_iter()
        .filter(|row| row.route.is_some())
        .collect();
    assert!(rows.len() > 115, "{} rows", rows.len());
    let ways = vec![
        (
            "WebSocket",
            Asked::by(|world| Way::Ws(Box::new(world.ws("ada")))),
        ),
        ("Conn", Asked::by(|world| Way::Conn(world.conn("ada")))),
        ("REST", Asked::by(|_| Way::Rest(Some("ada")))),
        ("execute", Asked::by(|_| Way::Embedded { server: false })),
    ];
    compare(ways, &rows);
}

#[test]
fn the_server_is_told_the_same_by_every_way() {
    let rows: Vec<_> = rows::all()
        .into_iter()
        .filter(|row| row.route.is_some())
        .collect();
    let ways = vec![
        ("REST", Asked::by(|_| Way::Rest(None))),
        ("execute", Asked::by(|_| Way::Embedded { server: true })),
    ];
    compare(ways, &rows);
}

#[test]
fn rows_for_connections_only_are_the_same_over_both_kinds() {
    let is_for_connections = |row: &Row| row.route.is_none();
    let rows: Vec<_> = rows::all().into_iter().filter(is_for_connections).collect();
    assert!(!rows.is_empty());
    let ways = vec![
        (
            "WebSocket",
            Asked::by(|world| Way::Ws(Box::new(world.ws("ada")))),
        ),
        ("Conn", Asked::by(|world| Way::Conn(world.conn("ada")))),
        ("execute", Asked::by(|_| Way::Embedded { server: false })),
    ];
    compare(ways, &rows);
}

#[test]
fn every_way_is_seen_exactly_once() {
    let rows: Vec<_> = rows::all()
        .into_iter()
        .filter(|row| row.route.is_some())
        .collect();
    let ways: [fn(&World) -> Way; 4] = [
        |world| Way::Ws(Box::new(world.ws("ada"))),
        |world| Way::Conn(world.conn("ada")),
        |_| Way::Rest(Some("ada")),
        |_| Way::Embedded { server: false },
    ];
    for way in ways {
        let mut asked = Asked::by(way);
        let mut expected = 0;
        for row in &rows {
            let example = row.example(&asked.ids);
            let _came = asked.ask(row, &example);
            // A batch is seen as what is in it, and what cannot be read is no request.
            expected += if row.name == "batch" { 3 } else { 1 };
        }
        // Relaxed: as in `check`.
        assert_eq!(asked.seen.load(Ordering::Relaxed), expected);
    }
}

#[test]
fn a_stream_is_told_the_same_as_a_socket() {
    let world = World::new(|builder| builder);
    let (_stream, secret) = world.sse("/sse?user=ada");
    let mut ws = world.ws("ada");
    let long = "x".repeat(200);
    for (verb, channel, code) in [
        ("subscribe", "a", None),
        ("subscribe", "a", Some("already_subscribed")),
        ("subscribe", "$room:x", Some("invalid_channel")),
        ("subscribe", long.as_str(), Some("invalid_channel")),
        ("unsubscribe", "a", None),
        ("unsubscribe", "a", Some("not_subscribed")),
        ("unsubscribe", "$room:x", Some("invalid_channel")),
    ] {
        let command = json!({"id": 1, "type": verb, "channel_id": channel}).to_string();
        ws.say(&command);
        let told = until_reply(|| ws.push());
        assert_eq!(told["data"]["code"].as_str(), code, "{told}");
        let body = json!({ "channels": [channel] }).to_string();
        let response = world.post(&format!("/sse/{secret}/{verb}?user=ada"), &body);
        let refused = response.json()["errors"][0].clone();
        assert_eq!(refused["code"].as_str(), code, "{response:?}");
        if code.is_some() {
            assert_eq!(refused["message"], told["data"]["message"]);
        }
    }
}
