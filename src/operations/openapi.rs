//! The OpenAPI document: the table, for programs.

use std::collections::BTreeMap;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::code::ErrorCode;

use super::Argument;
use super::Kind;
use super::Method;
use super::Operation;
use super::Who;
use super::all;

/// The OpenAPI 3.1 document of the operations that go over HTTP.
pub(crate) fn document() -> String {
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for operation in all().filter(|operation| operation.who != Who::Connection) {
        let path = format!("/api/v1{}", operation.path);
        let methods = paths.entry(path).or_default();
        methods.insert(verb(operation.method).to_owned(), entry(operation));
    }
    let codes: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "throng",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Users, rooms, channels, presence and typing. Every operation is a \
                            command of the native protocol too, by the name of its operationId.",
        },
        "paths": paths,
        "components": {
            "schemas": { "Problem": problem(&codes) },
            "responses": { "Problem": {
                "description": "What was wrong with the request (RFC 9457).",
                "content": { "application/problem+json": {
                    "schema": { "$ref": "#/components/schemas/Problem" },
                } },
            } },
        },
    });
    document.to_string()
}

fn entry(operation: &Operation) -> Value {
    let tag = operation.name.split('.').next().unwrap_or_default();
    let mut entry = json!({
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [tag],
        "parameters": parameters(operation),
        "responses": {
            "200": {
                "description": "Done.",
                "content": { "application/json": { "schema": {} } },
            },
            "204": { "description": "Done, and there is nothing to say about it." },
            "default": { "$ref": "#/components/responses/Problem" },
        },
    });
    if let Some(body) = body(operation) {
        entry["requestBody"] = body;
    }
    entry
}

fn parameters(operation: &Operation) -> Vec<Value> {
    let mut parameters: Vec<_> = operation
        .arguments
        .iter()
        .filter_map(|argument| parameter(operation, argument))
        .collect();
    if operation.who == Who::Anyone {
        parameters.push(json!({
            "name": "actor",
            "in": "query",
            "description": "The user on whose behalf; the server's own if not given.",
            "schema": { "type": "string" },
        }));
    }
    parameters
}

fn parameter(operation: &Operation, argument: &Argument) -> Option<Value> {
    let in_path = is_in_path(operation, argument);
    if !in_path && operation.method != Method::Get {
        return None;
    }
    Some(json!({
        "name": argument.name,
        "in": if in_path { "path" } else { "query" },
        "required": argument.required || in_path,
        "description": argument.about,
        "schema": schema(argument.kind),
    }))
}

fn body(operation: &Operation) -> Option<Value> {
    if operation.method == Method::Get {
        return None;
    }
    let fields = operation
        .arguments
        .iter()
        .filter(|argument| !is_in_path(operation, argument));
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in fields {
        let mut schema = schema(field.kind);
        schema["description"] = field.about.into();
        properties.insert(field.name.to_owned(), schema);
        if field.required {
            required.push(field.name);
        }
    }
    if properties.is_empty() {
        return None;
    }
    Some(json!({
        "required": !required.is_empty(),
        "content": { "application/json": { "schema": {
            "type": "object",
            "properties": properties,
            "required": required,
        } } },
    }))
}

pub(super) fn is_in_path(operation: &Operation, argument: &Argument) -> bool {
    let mut segments = operation.path.split('/');
    segments.any(|segment| {
        let name = segment
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'));
        name == Some(argument.name)
    })
}

fn schema(kind: Kind) -> Value {
    match kind {
        Kind::Any => json!({}),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::List => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::Number => json!({ "type": "integer", "minimum": 0 }),
        Kind::Object => json!({ "type": "object" }),
        Kind::Text => json!({ "type": "string" }),
    }
}

fn verb(method: Method) -> &'static str {
    match method {
        Method::Delete => "delete",
        Method::Get => "get",
        Method::Patch => "patch",
        Method::Post => "post",
        Method::Put => "put",
    }
}

fn problem(codes: &[&str]) -> Value {
    json!({
        "type": "object",
        "required": ["type", "title", "status", "detail", "code"],
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string" },
            "code": {
                "type": "string",
                "description": "Stable; beside these there are a few of the transport.",
                "examples": codes,
            },
            "field": { "type": "string", "description": "The field at fault, when one is." },
        },
    })
}
