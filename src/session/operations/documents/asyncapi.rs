//! The AsyncAPI document.

use schemars::SchemaGenerator;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::protocol::RequestId;
use crate::session::operations::Operation;
use crate::session::operations::Who;
use crate::session::operations::all;

use super::arguments;
use super::example;
use super::generator;
use super::pushes;
use super::pushes::Pushed;

/// The AsyncAPI 3.0 document of the native protocol, as a WebSocket has it.
pub(crate) fn asyncapi() -> Value {
    let mut generator = generator();
    let mut document = Document::default();
    for push in pushes::all(&mut generator) {
        document.push(push, &mut generator);
    }
    for operation in all().filter(|operation| operation.who != Who::Server) {
        document.operation(operation, &mut generator);
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "throng",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The native protocol, version 1: commands and pushes, each one JSON object in \
                            a text frame. The same commands are requests over HTTP: see \
                            /api/v1/openapi.json.",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "defaultContentType": "application/json",
        "channels": { "ws": {
            "address": "/ws",
            "title": "WebSocket",
            "description": "Sub-protocol `throng.v1.json`.",
            "messages": document.of_channel,
        } },
        "operations": document.operations,
        "components": {
            "messages": document.messages,
            "schemas": generator.take_definitions(true),
        },
    })
}

#[derive(Default)]
struct Document {
    messages: Map<String, Value>,
    of_channel: Map<String, Value>,
    operations: Map<String, Value>,
}

impl Document {
    fn message(&mut self, key: String, message: Value) -> Value {
        let component = json!({ "$ref": format!("#/components/messages/{key}") });
        let reference = json!({ "$ref": format!("#/channels/ws/messages/{key}") });
        self.messages.insert(key.clone(), message);
        self.of_channel.insert(key, component);
        reference
    }

    /// A push that comes without being asked for.
    fn push(&mut self, push: Pushed, generator: &mut SchemaGenerator) {
        let payload = pushes::payload(push.kind, push.data, generator);
        let message = json!({
            "name": push.kind,
            "summary": push.about,
            "payload": payload,
        });
        let message = self.message(format!("push.{}", push.kind), message);
        let operation = json!({
            "action": "send",
            "channel": { "$ref": "#/channels/ws" },
            "summary": push.about,
            "messages": [message],
        });
        self.operations
            .insert(format!("push.{}", push.kind), operation);
    }

    /// A command, and the reply to it.
    fn operation(&mut self, operation: &Operation, generator: &mut SchemaGenerator) {
        let name = operation.name;
        let mut payload = arguments::object(&operation.arguments.iter().collect::<Vec<_>>());
        payload["properties"]["type"] = json!({ "const": name });
        payload["properties"]["id"] = generator.subschema_for::<RequestId>().into();
        if let Some(required) = payload["required"].as_array_mut() {
            required.push("type".into());
        }
        let mut message = json!({
            "name": name,
            "summary": operation.summary,
            "payload": payload,
        });
        let example = example(name);
        if let Some(example) = example {
            let mut command = example.arguments.clone();
            command.insert("type".to_owned(), name.into());
            command.insert("id".to_owned(), 1.into());
            message["examples"] = json!([{ "payload": command }]);
        }
        let message = self.message(name.to_owned(), message);
        let replies = self.replies(operation, generator);
        let operation = json!({
            "action": "receive",
            "channel": { "$ref": "#/channels/ws" },
            "summary": operation.summary,
            "messages": [message],
            "reply": {
                "channel": { "$ref": "#/channels/ws" },
                "messages": replies,
            },
        });
        self.operations.insert(name.to_owned(), operation);
    }

    fn replies(&mut self, operation: &Operation, generator: &mut SchemaGenerator) -> Vec<Value> {
        let name = operation.name;
        let push = |kind: &str| json!({ "$ref": format!("#/channels/ws/messages/push.{kind}") });
        let own = match name {
            "ping" => return vec![push("pong"), push("error")],
            "presence" => return vec![push("presence"), push("error")],
            "subscribe" => Some(push("joined")),
            _ => None,
        };
        let schema = operation.run.schema(generator).map(Value::from);
        let mut message = json!({
            "name": "ack",
            "summary": format!("The answer to `{name}`."),
            "payload": pushes::payload("ack", schema, generator),
        });
        let answer = example(name).and_then(|example| example.answer.as_ref());
        if let Some(answer) = answer {
            let ack = json!({ "type": "ack", "reply_to": 1, "data": answer });
            message["examples"] = json!([{ "payload": ack }]);
        }
        let message = self.message(format!("{name}.ack"), message);
        own.into_iter().chain([message, push("error")]).collect()
    }
}
