//! The documents as a check of what comes: schemas that allow no field that they do not name.

use std::collections::HashMap;
use std::collections::HashSet;

use jsonschema::Validator;
use serde_json::Value;
use serde_json::json;
use throng::ErrorCode;
use throng::Gateway;

/// What the documents say of answers, errors and pushes.
pub(super) struct Described {
    /// The schema of the answer of each operation; `None` for one without content.
    answers: HashMap<String, Option<Validator>>,
    /// The statuses of the responses of each operation.
    statuses: HashMap<String, HashSet<u16>>,
    problem: Validator,
    pushes: HashMap<String, Validator>,
}

impl Described {
    pub(super) fn new() -> Self {
        let openapi: Value = serde_json::from_str(&Gateway::openapi()).unwrap();
        let asyncapi: Value = serde_json::from_str(&Gateway::asyncapi()).unwrap();
        let (mut answers, mut statuses, mut pushes) =
            (HashMap::new(), HashMap::new(), HashMap::new());
        for (name, message) in asyncapi["components"]["messages"].as_object().unwrap() {
            let payload = &message["payload"];
            if let Some(name) = name.strip_suffix(".ack") {
                let data = payload["properties"].get("data");
                let data = data.map(|data| validator(data, &asyncapi));
                answers.insert(name.to_owned(), data);
            } else if let Some(kind) = name.strip_prefix("push.") {
                pushes.insert(kind.to_owned(), validator(payload, &asyncapi));
            }
        }
        for operation in operations(&openapi) {
            let name = operation["operationId"].as_str().unwrap().to_owned();
            let responses = operation["responses"].as_object().unwrap();
            let numbers = responses.keys().map(|status| status.parse().unwrap());
            statuses.insert(name.clone(), numbers.collect());
            let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
            let schema = (!schema.is_null()).then(|| validator(schema, &openapi));
            answers.insert(name, schema);
        }
        let problem = json!({ "$ref": "#/components/schemas/Problem" });
        Self {
            answers,
            statuses,
            problem: validator(&problem, &openapi),
            pushes,
        }
    }

    /// Checks what an operation has answered.
    pub(super) fn answer(&self, operation: &str, answer: &Value) {
        let own = ["subscribe", "unsubscribe"];
        match &self.answers[operation] {
            // Over a connection, its own subscription has an answer without content.
            Some(_) if answer.is_null() && own.contains(&operation) => {}
            Some(schema) => check(schema, answer, operation),
            None => assert!(
                answer.is_null(),
                "{operation} is to have no content: {answer}"
            ),
        }
    }

    /// Checks the status of a response.
    pub(super) fn status(&self, operation: &str, status: u16) {
        let statuses = &self.statuses[operation];
        assert!(statuses.contains(&status), "{operation}: {status}");
    }

    /// Checks a problem, whose code is known and has this status.
    pub(super) fn problem(&self, status: u16, problem: &Value) {
        check(&self.problem, problem, "a problem");
        let mut codes = ErrorCode::ALL.iter();
        let code = codes.find(|code| code.as_str() == problem["code"]);
        let of_code = code.map(|code| u64::from(code.status()));
        assert_eq!(of_code, Some(u64::from(status)), "{problem}");
        assert_eq!(problem["status"], status);
    }

    /// Checks a push that is no `ack`.
    pub(super) fn push(&self, push: &Value) {
        let kind = push["type"].as_str().unwrap();
        let schema = self.pushes.get(kind);
        let schema = schema.unwrap_or_else(|| panic!("an unknown push: {push}"));
        check(schema, push, kind);
    }
}

/// The operations of an OpenAPI document.
pub(super) fn operations(document: &Value) -> impl Iterator<Item = &Value> {
    let paths = document["paths"].as_object().unwrap().values();
    paths.flat_map(|methods| methods.as_object().unwrap().values())
}

/// A validator of a schema with the components of its document.
fn validator(schema: &Value, document: &Value) -> Validator {
    let mut root = json!({
        "allOf": [schema],
        "components": { "schemas": document["components"]["schemas"] },
    });
    close(&mut root);
    jsonschema::validator_for(&root).unwrap()
}

/// Has the schemas of objects allow no other fields.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.values_mut().for_each(close);
            let is_open = fields.get("properties").is_some_and(Value::is_object)
                && !fields.contains_key("additionalProperties");
            if is_open && !fields.contains_key("unevaluatedProperties") {
                fields.insert("unevaluatedProperties".to_owned(), false.into());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

fn check(schema: &Validator, value: &Value, what: &str) {
    let errors: Vec<_> = schema.iter_errors(value).collect();
    let errors: Vec<_> = errors
        .iter()
        .map(|error| format!("{} at {}", error, error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{what}: {errors:#?}\n{value:#}");
}
