//! The arguments of operations, as schemas.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::session::operations::Argument;
use crate::session::operations::Kind;
use crate::session::operations::Operation;

/// Whether an argument stands in the path.
pub(super) fn is_in_path(operation: &Operation, argument: &Argument) -> bool {
    let mut segments = operation.path.split('/');
    segments.any(|segment| {
        let name = segment
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'));
        name == Some(argument.name)
    })
}

/// The schema of an argument.
pub(super) fn schema(argument: &Argument) -> Value {
    let mut schema = match argument.kind {
        Kind::Any => json!({}),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::List => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::Number => json!({ "type": "integer", "minimum": 0 }),
        Kind::Object => json!({ "type": "object" }),
        Kind::Objects => json!({ "type": "array", "items": { "type": "object" } }),
        Kind::Text => json!({ "type": "string" }),
    };
    schema["description"] = argument.about.into();
    schema
}

/// The schema of an object with these arguments and no others.
pub(super) fn object(arguments: &[&Argument]) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for argument in arguments {
        properties.insert(argument.name.to_owned(), schema(argument));
        if argument.required {
            required.push(argument.name);
        }
    }
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}
