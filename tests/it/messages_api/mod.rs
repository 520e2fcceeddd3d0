//! Messages that are kept, over the shipped binary: sent, changed and read again, over a WebSocket
//! and over REST alike.

mod changes;
mod events;
mod exact;
mod keeping;
mod numbers;
mod reading;
mod rights;

use std::collections::HashMap;
use std::fmt::Write;

use serde_json::Value;
use serde_json::json;

use crate::binary::Response;
use crate::binary::Throng;
use crate::binary::Ws;

/// A server, and where its operations are over REST.
struct World {
    throng: Throng,
    /// The method and the path of each command.
    paths: HashMap<String, (String, String)>,
}

/// What is said of a request: its data, or the code of the refusal.
type Said = Result<Value, String>;

impl World {
    fn start(extra: &[&str]) -> Self {
        let arguments = [&["--insecure-trust-query-user"], extra].concat();
        let throng = Throng::start(&arguments);
        let document = throng.get("/api/v1/openapi.json").json();
        let mut paths = HashMap::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let name = operation["operationId"].as_str().unwrap_or_default();
                let place = (method.to_uppercase(), path.clone());
                paths.insert(name.to_owned(), place);
            }
        }
        Self { throng, paths }
    }

    /// One with the room `den` of `ada`, which `bob` and `eve` are in.
    fn with_room(extra: &[&str]) -> (Self, Member) {
        let world = Self::start(extra);
        let mut ada = world.member("ada");
        ada.done(&json!({"type": "room.create", "name": "Den", "room_id": "den"}));
        for user in ["bob", "eve"] {
            world.done(Some(user), &of("room.join"));
        }
        (world, ada)
    }

    fn member(&self, user: &str) -> Member {
        Member {
            socket: self.throng.ws_as(user),
            kept: Vec::new(),
        }
    }

    /// Asks for a command over REST.
    fn request(&self, actor: Option<&str>, command: &Value) -> Response {
        let mut fields = command.as_object().unwrap().clone();
        let name = fields.remove("type").unwrap();
        let (method, template) = &self.paths[name.as_str().unwrap()];
        let mut path = template.clone();
        fields.retain(|field, value| {
            let place = format!("{{{field}}}");
            let is_in_path = path.contains(&place);
            path = path.replace(&place, &encoded(value));
            !is_in_path
        });
        let mut query: Vec<_> = actor.map(|it| format!("actor={it}")).into_iter().collect();
        if method == "GET" {
            let asked = fields
                .iter()
                .map(|(field, value)| format!("{field}={}", encoded(value)));
            query.extend(asked);
            fields.clear();
        }
        let path = format!("{path}?{}", query.join("&"));
        let body = Value::Object(fields).to_string();
        let body = if method == "GET" { "" } else { &*body };
        let json = [("content-type", "application/json")];
        self.throng.request(method, &path, &json, body.as_bytes())
    }

    fn ask(&self, actor: Option<&str>, command: &Value) -> Said {
        let response = self.request(actor, command);
        match response.status {
            204 => Ok(Value::Null),
            200..300 => Ok(response.json()),
            _ => Err(response.problem().1),
        }
    }

    fn done(&self, actor: Option<&str>, command: &Value) -> Value {
        let said = self.ask(actor, command);
        said.unwrap_or_else(|code| panic!("{command} by {actor:?} was refused: {code}"))
    }

    /// Asks the same over both ways, which say the same.
    fn read(&self, member: &mut Member, user: &str, command: &Value) -> Value {
        let (socket, rest) = (member.done(command), self.done(Some(user), command));
        assert_eq!(socket, rest, "{command}");
        rest
    }

    /// Asks for what is refused over both ways, and says how.
    fn refused(&self, member: &mut Member, user: &str, command: &Value) -> (u16, String) {
        let socket = member.ask(command).expect_err("it is refused");
        let (status, rest) = self.request(Some(user), command).problem();
        assert_eq!(socket, rest, "{command}");
        (status, rest)
    }
}

/// A command about the room `den`.
fn of(kind: &str) -> Value {
    json!({"type": kind, "room_id": "den"})
}

/// One about a message of it.
fn about(kind: &str, message: u64) -> Value {
    json!({"type": kind, "room_id": "den", "message_id": message.to_string()})
}

fn with(mut command: Value, field: &str, value: impl Into<Value>) -> Value {
    command[field] = value.into();
    command
}

fn send(text: &str) -> Value {
    with(of("room.send"), "text", text)
}

fn edit(message: u64, text: &str) -> Value {
    with(about("message.edit", message), "text", text)
}

fn react(message: u64, reaction: &str) -> Value {
    with(about("message.react", message), "reaction", reaction)
}

/// The ids of a page, or what else is named.
fn ids(page: &Value) -> Vec<u64> {
    let messages = page["messages"].as_array().unwrap().iter();
    messages
        .map(|it| it["message_id"].as_str().unwrap().parse().unwrap())
        .collect()
}

fn encoded(value: &Value) -> String {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    text.bytes().fold(String::new(), |mut all, byte| {
        write!(all, "%{byte:02x}").unwrap();
        all
    })
}

/// A connection of a user. What it is pushed while it waits for an answer is kept for later.
struct Member {
    socket: Ws,
    kept: Vec<Value>,
}

impl Member {
    fn ask(&mut self, command: &Value) -> Said {
        let command = with(command.clone(), "id", "asked");
        self.socket.say(&command.to_string());
        loop {
            let push = self.socket.push();
            if push["reply_to"] != "asked" {
                self.kept.push(push);
            } else if push["type"] == "ack" {
                return Ok(push["data"].clone());
            } else {
                return Err(push["data"]["code"].as_str().unwrap().to_owned());
            }
        }
    }

    fn done(&mut self, command: &Value) -> Value {
        let said = self.ask(command);
        said.unwrap_or_else(|code| panic!("{command} was refused: {code}"))
    }

    /// The id of what was sent.
    fn say(&mut self, text: &str) -> u64 {
        let sent = self.done(&send(text));
        sent["message_id"].as_str().unwrap().parse().unwrap()
    }

    /// The next push of this kind.
    fn next(&mut self, kind: &str) -> Value {
        let at = self.kept.iter().position(|push| push["type"] == kind);
        if let Some(at) = at {
            return self.kept.remove(at);
        }
        loop {
            let push = self.socket.push();
            if push["type"] == kind {
                return push;
            }
            self.kept.push(push);
        }
    }
}
