//! The documents that describe the operations to programs, written from their table: OpenAPI for
//! HTTP, AsyncAPI for connections.
//!
//! Both have the same components: the schemas of the arguments, of the answers and of the errors.
//! Examples are real ones: the tests of the table record them in `examples.json`, and check that
//! each of them still comes, and that it agrees with its schema.

mod arguments;
mod asyncapi;
mod openapi;
mod pushes;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde::Deserialize;
use serde_json::Map;
use serde_json::Value;

pub(crate) use self::asyncapi::asyncapi;
pub(crate) use self::openapi::openapi;

/// A generator of schemas for what is written, which keeps them among the components.
fn generator() -> SchemaGenerator {
    let mut settings = SchemaSettings::draft2020_12().for_serialize();
    settings.definitions_path = "/components/schemas".into();
    settings.into_generator()
}

/// A request for an operation, and the answer to it.
#[derive(Debug, Deserialize)]
struct Example {
    arguments: Map<String, Value>,
    #[serde(default)]
    answer: Option<Value>,
}

/// The example of an operation.
fn example(operation: &str) -> Option<&'static Example> {
    static EXAMPLES: LazyLock<BTreeMap<String, Example>> = LazyLock::new(|| {
        let examples = serde_json::from_str(include_str!("examples.json"));
        debug_assert!(examples.is_ok(), "{examples:?}");
        examples.unwrap_or_default()
    });
    EXAMPLES.get(operation)
}
