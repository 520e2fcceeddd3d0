//! Validation of messages by JSON Schema.
//!
//! A schema is compiled when it is added; `$ref` leads to places in the same schema and to the
//! meta-schemas, never to the network or to a file. A message is validated by every schema that it
//! is in the scope of, once per publication, after the hooks and before the filters. A payload
//! that is no JSON is validated as a string.
//!
//! # Isolation
//!
//! A regular expression of a schema takes linear time and at most 1 MiB. A validation that panics
//! refuses the message, with [`ErrorCode::HookFailed`].

use std::error::Error;
use std::fmt;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use jsonschema::PatternOptions;
use jsonschema::ValidationError;
use jsonschema::Validator;
use parking_lot::RwLock;
use serde::Deserialize;
use serde_json::Value;

use crate::code::ErrorCode;
use crate::protocol::Fault;
use crate::protocol::Violation;
use crate::quiet::quietly;
use crate::session::Draft;

use super::content::Active;
use super::scope::Scope;
use super::scope::Written;

/// A schema as it is written: an object of JSON.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SchemaConfig {
    /// Name of the schema: 1 to 64 bytes.
    pub name: String,
    /// The JSON Schema; 2020-12 unless its `$schema` names another draft.
    pub schema: Value,
    /// Patterns of the channels whose messages it validates.
    #[serde(default)]
    pub channels: Vec<String>,
    /// Categories of the rooms whose messages it validates.
    #[serde(default)]
    pub categories: Vec<String>,
    /// Events that it validates. Default: all.
    #[serde(default)]
    pub events: Vec<String>,
}

impl SchemaConfig {
    /// Compiles the schema.
    ///
    /// # Errors
    ///
    /// [`InvalidSchema`] says what is wrong, and where in the schema.
    pub fn build(&self) -> Result<Schema, InvalidSchema> {
        let written = Written {
            channels: self.channels.clone(),
            categories: self.categories.clone(),
            events: self.events.clone(),
        };
        let scope = Scope::try_from(written);
        let scope = scope.map_err(|error| InvalidSchema::new(&self.name, "", &error))?;
        Schema::new(self.name.as_str(), &self.schema, scope)
    }
}

/// A compiled JSON Schema, and the messages that it validates.
///
/// ```
/// use serde_json::json;
/// use throng::policy::{Schema, Scope};
/// use throng::{Gateway, Hub};
///
/// let order = json!({
///     "type": "object",
///     "required": ["sku"],
///     "properties": { "sku": { "type": "string", "maxLength": 20 } },
/// });
/// let scope = Scope::all().channels("orders.*")?;
/// let gateway = Gateway::builder(Hub::new())
///     .schema(Schema::new("order", &order, scope)?)
///     .build();
/// assert_eq!(gateway.schemas().list().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Schema {
    name: Box<str>,
    scope: Scope,
    validator: Validator,
    checked: AtomicU64,
    refused: AtomicU64,
}

/// The error returned when a schema cannot be compiled.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidSchema {
    name: Box<str>,
    place: Box<str>,
    why: Box<str>,
}

impl InvalidSchema {
    fn new(name: &str, place: &str, why: &dyn fmt::Display) -> Self {
        Self {
            name: name.into(),
            place: place.into(),
            why: why.to_string().into(),
        }
    }

    /// Returns the place in the schema, as a JSON pointer; empty for the whole.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }
}

/// The most bytes in the name of a schema.
const MAX_NAME: usize = 64;

/// The most bytes of a compiled regular expression.
const MAX_PATTERN: usize = 1 << 20;

/// The most violations that are listed.
const MOST_VIOLATIONS: usize = 16;

impl Schema {
    /// Compiles a schema.
    ///
    /// # Errors
    ///
    /// [`InvalidSchema`] says what is wrong, and where in the schema.
    pub fn new(
        name: impl Into<Box<str>>,
        schema: &Value,
        scope: Scope,
    ) -> Result<Self, InvalidSchema> {
        let name = name.into();
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(InvalidSchema::new(
                &name,
                "",
                &"its name must have 1 to 64 bytes",
            ));
        }
        if scope.is_all() {
            let why = "it must be bound to channels, categories or events";
            return Err(InvalidSchema::new(&name, "", &why));
        }
        let options = jsonschema::options()
            .offline()
            .should_validate_formats(true)
            .with_pattern_options(PatternOptions::regex().size_limit(MAX_PATTERN));
        let built = quietly(|| options.build(schema));
        let validator = match built {
            Some(Ok(validator)) => validator,
            Some(Err(error)) => {
                let place = error.instance_path().to_string();
                return Err(InvalidSchema::new(&name, &place, &error));
            }
            None => return Err(InvalidSchema::new(&name, "", &"it cannot be compiled")),
        };
        Ok(Self {
            name,
            scope,
            validator,
            checked: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        })
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the rules that a value breaks, at most 16.
    #[must_use]
    pub fn violations(&self, value: &Value) -> Vec<Violation> {
        if self.validator.is_valid(value) {
            return Vec::new();
        }
        let errors = self.validator.iter_errors(value);
        errors
            .take(MOST_VIOLATIONS)
            .map(|it| violation(&it))
            .collect()
    }

    fn check(&self, value: &Value) -> Result<(), Fault> {
        // Relaxed: a count of its own.
        self.checked.fetch_add(1, Ordering::Relaxed);
        let Some(violations) = quietly(|| self.violations(value)) else {
            let why = "a schema of this server failed; the message was not published";
            return Err(Fault::new(ErrorCode::HookFailed, why));
        };
        if violations.is_empty() {
            return Ok(());
        }
        // Relaxed: as above.
        self.refused.fetch_add(1, Ordering::Relaxed);
        let why = "the message does not match its schema; `errors` lists what is wrong";
        let fault = Fault::new(ErrorCode::ValidationFailed, why).field("data");
        Err(fault.violations(violations))
    }
}

fn violation(error: &ValidationError<'_>) -> Violation {
    Violation::new(error.instance_path().to_string(), error.kind().keyword())
}

/// The schemas of a gateway. A cheap clone.
#[derive(Clone)]
pub struct Schemas {
    inner: Arc<Inner>,
}

struct Inner {
    schemas: RwLock<List>,
    active: Arc<Active>,
}

type List = Arc<[Arc<Schema>]>;

/// A schema, as [`Schemas::list`] returns it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SchemaInfo {
    /// Name of the schema.
    pub name: Box<str>,
    /// Messages that it validates.
    pub scope: Scope,
    /// Number of messages that it validated.
    pub checked: u64,
    /// Number of messages that it refused.
    pub refused: u64,
}

impl Schemas {
    pub(super) fn new(active: Arc<Active>) -> Self {
        Self {
            inner: Arc::new(Inner {
                schemas: RwLock::default(),
                active,
            }),
        }
    }

    /// Adds a schema, or replaces the schema of the same name.
    pub fn add(&self, schema: Schema) {
        let schema = Arc::new(schema);
        let mut list = self.inner.schemas.write();
        let mut schemas = list.to_vec();
        match schemas.iter_mut().find(|it| it.name == schema.name) {
            Some(known) => drop(mem::replace(known, schema)),
            None => schemas.push(schema),
        }
        self.replace(&mut list, schemas);
    }

    /// Removes a schema. Returns `false` if there is none of this name.
    #[expect(clippy::must_use_candidate, reason = "the removal is what matters")]
    pub fn remove(&self, name: &str) -> bool {
        let mut list = self.inner.schemas.write();
        let mut schemas = list.to_vec();
        schemas.retain(|schema| *schema.name != *name);
        let was_there = schemas.len() < list.len();
        self.replace(&mut list, schemas);
        was_there
    }

    /// Returns the schemas in the order in which they were added.
    #[must_use]
    pub fn list(&self) -> Vec<SchemaInfo> {
        let schemas = Arc::clone(&self.inner.schemas.read());
        // Relaxed: counts of their own.
        let info = |schema: &Arc<Schema>| SchemaInfo {
            name: schema.name.clone(),
            scope: schema.scope.clone(),
            checked: schema.checked.load(Ordering::Relaxed),
            refused: schema.refused.load(Ordering::Relaxed),
        };
        schemas.iter().map(info).collect()
    }

    fn replace(&self, list: &mut List, schemas: Vec<Arc<Schema>>) {
        self.inner.active.schemas(!schemas.is_empty());
        *list = schemas.into();
    }

    pub(super) fn check(&self, draft: &Draft) -> Result<(), Fault> {
        let schemas = Arc::clone(&self.inner.schemas.read());
        let mut value = None;
        for schema in schemas.iter().filter(|it| it.scope.covers(draft)) {
            schema.check(value.get_or_insert_with(|| value_of(draft)))?;
        }
        Ok(())
    }
}

/// The payload as a schema sees it.
fn value_of(draft: &Draft) -> Value {
    let text = || Value::from(draft.text().unwrap_or_default());
    draft.json().unwrap_or_else(text)
}

impl fmt::Display for InvalidSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "schema `{}`", self.name)?;
        if !self.place.is_empty() {
            write!(f, " at `{}`", self.place)?;
        }
        write!(f, ": {}", self.why)
    }
}

impl Error for InvalidSchema {}

impl fmt::Debug for Schemas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.list()).finish()
    }
}

#[cfg(test)]
mod tests;
