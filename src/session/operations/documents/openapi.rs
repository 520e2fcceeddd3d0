//! The OpenAPI document.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use schemars::SchemaGenerator;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::code::ErrorCode;
use crate::protocol::ProblemDetails;
use crate::session::operations::Argument;
use crate::session::operations::Kind;
use crate::session::operations::Method;
use crate::session::operations::Operation;
use crate::session::operations::Who;
use crate::session::operations::all;
use crate::session::operations::batch::BATCH;

use super::arguments;
use super::example;
use super::generator;

/// The OpenAPI 3.1 document of the operations that go over HTTP.
pub(crate) fn openapi() -> Value {
    let mut generator = generator();
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let mut tags = BTreeSet::new();
    for operation in all().filter(|operation| operation.who != Who::Connection) {
        let path = format!("/api/v1{}", operation.path);
        let methods = paths.entry(path).or_default();
        let entry = entry(operation, &mut generator);
        methods.insert(verb(operation.method).to_owned(), entry);
        tags.insert(tag(operation));
    }
    generator.subschema_for::<ProblemDetails<'_>>();
    let tags: Vec<_> = tags.iter().map(|name| json!({ "name": name })).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "throng",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The operations of the hub and of its layers. Each is a command of the native \
                            protocol too, by the name of its operationId: see /api/v1/asyncapi.json.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "responses": problems(),
        },
    })
}

/// The area of an operation.
fn tag(operation: &Operation) -> &'static str {
    let area = operation.name.split_once('.');
    area.map_or("hub", |(area, _)| area)
}

fn entry(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let mut responses = Map::new();
    let (status, response) = answer(operation, generator);
    responses.insert(status.to_owned(), response);
    for status in statuses() {
        let problem = json!({ "$ref": format!("#/components/responses/Problem{status}") });
        responses.insert(status.to_string(), problem);
    }
    let mut entry = json!({
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [tag(operation)],
        "parameters": parameters(operation),
        "responses": responses,
    });
    if let Some(body) = body(operation) {
        entry["requestBody"] = body;
    }
    entry
}

/// The status of what was carried out, and its response.
fn answer(operation: &Operation, generator: &mut SchemaGenerator) -> (&'static str, Value) {
    let Some(schema) = operation.run.schema(generator) else {
        return ("204", json!({ "description": "Done." }));
    };
    let mut content = json!({ "schema": schema });
    let example = example(operation.name).and_then(|example| example.answer.as_ref());
    if let Some(example) = example {
        content["example"] = example.clone();
    }
    let response = json!({
        "description": "Done.",
        "content": { "application/json": content },
    });
    ("200", response)
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
            "schema": { "type": "string", "minLength": 1, "maxLength": 128 },
        }));
    }
    parameters
}

fn parameter(operation: &Operation, argument: &Argument) -> Option<Value> {
    let in_path = arguments::is_in_path(operation, argument);
    if !in_path && !is_in_query(operation) {
        return None;
    }
    let schema = arguments::schema(argument);
    let mut parameter = json!({
        "name": argument.name,
        "in": if in_path { "path" } else { "query" },
        "required": argument.required || in_path,
        "description": argument.about,
    });
    let example = example(operation.name).and_then(|it| it.arguments.get(argument.name));
    match argument.kind {
        Kind::Any | Kind::Object | Kind::Objects => {
            let mut json = json!({ "schema": schema });
            if let Some(example) = example {
                json["example"] = example.clone();
            }
            parameter["content"] = json!({ "application/json": json });
        }
        Kind::Flag | Kind::List | Kind::Number | Kind::Text => {
            parameter["schema"] = schema;
            if argument.kind == Kind::List {
                parameter["style"] = "form".into();
                parameter["explode"] = false.into();
            }
            if let Some(example) = example {
                parameter["example"] = example.clone();
            }
        }
    }
    Some(parameter)
}

/// Whether its arguments that are not in the path are in the query.
fn is_in_query(operation: &Operation) -> bool {
    matches!(operation.method, Method::Delete | Method::Get)
}

fn body(operation: &Operation) -> Option<Value> {
    if is_in_query(operation) {
        return None;
    }
    let mut fields = operation
        .arguments
        .iter()
        .filter(|argument| !arguments::is_in_path(operation, argument))
        .peekable();
    fields.peek()?;
    let fields: Vec<_> = fields.collect();
    let is_required = fields.iter().any(|field| field.required);
    let mut json = json!({ "schema": arguments::object(&fields) });
    if let Some(example) = example(operation.name) {
        let given = example.arguments.iter();
        let given = given.filter(|(name, _)| fields.iter().any(|field| field.name == *name));
        json["example"] = given
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
    }
    let mut content = json!({ "application/json": json });
    if takes_payload(operation) {
        content["text/plain"] = json!({ "schema": { "type": "string" } });
        content["application/octet-stream"] = json!({ "schema": {} });
    }
    if operation.name == BATCH {
        let alone = fields.iter().map(|field| arguments::schema(field));
        let object = content["application/json"]["schema"].take();
        let either: Vec<_> = alone.chain([object]).collect();
        content["application/json"]["schema"] = json!({ "oneOf": either });
    }
    Some(json!({ "required": is_required, "content": content }))
}

/// Whether the body may be the payload of a message itself.
fn takes_payload(operation: &Operation) -> bool {
    let mut arguments = operation.arguments.iter();
    arguments.any(|argument| argument.name == "base64")
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

/// The statuses of errors.
fn statuses() -> BTreeSet<u16> {
    ErrorCode::ALL.iter().map(|code| code.status()).collect()
}

/// A response for each status of errors.
fn problems() -> Map<String, Value> {
    let problem = |status: u16| {
        let codes = ErrorCode::ALL.iter().filter(|code| code.status() == status);
        let lines = codes
            .clone()
            .map(|code| format!("* `{code}`: {}", code.meaning()));
        let first = codes.clone().next();
        json!({
            "description": lines.collect::<Vec<_>>().join("\n"),
            "content": { ProblemDetails::MEDIA_TYPE: {
                "schema": { "$ref": "#/components/schemas/Problem" },
                "example": first.map(|code| ProblemDetails::new(
                    (status, "error"),
                    *code,
                    code.meaning(),
                    None,
                    None,
                )),
            } },
        })
    };
    let problems = statuses().into_iter();
    problems
        .map(|status| (format!("Problem{status}"), problem(status)))
        .collect()
}
