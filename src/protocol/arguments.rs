//! The arguments of an operation: named JSON values, or texts out of a path or a query.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde::de::Deserializer;
use serde::de::Error as _;
use serde::de::MapAccess;
use serde::de::Visitor;
use serde_json::value::RawValue;

use crate::code::ErrorCode;

use super::Fault;
use super::field::check_depth;
use super::field::unknown_field;

/// The arguments of an operation, unread: the fields of a frame or of a body, and what a path or a
/// query says beside them.
///
/// What is asked for is checked then: whatever is wrong with it, the [`Fault`] names it and says
/// what is allowed. Fields that an operation does not have are refused when it is carried out.
#[derive(Clone, Debug, Default)]
pub struct Arguments(Vec<(Box<str>, Value)>);

/// An argument, as it was given.
#[derive(Clone, Debug)]
enum Value {
    Bytes(Bytes),
    Json(Box<RawValue>),
    Text(Box<str>),
}

impl PartialEq for Arguments {
    fn eq(&self, other: &Self) -> bool {
        let texts = |these: &Self| {
            let texts = these.0.iter().map(|(name, value)| match value {
                Value::Bytes(bytes) => (name.clone(), format!("{bytes:?}")),
                Value::Json(json) => (name.clone(), json.get().to_owned()),
                Value::Text(text) => (name.clone(), text.to_string()),
            });
            texts.collect::<Vec<_>>()
        };
        texts(self) == texts(other)
    }
}

impl Eq for Arguments {}

impl Arguments {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The fields of a JSON object.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidJson`] when it is none or names a field twice, and
    /// [`ErrorCode::TooDeep`].
    pub fn parse(object: &str) -> Result<Self, Fault> {
        let invalid = |why: String| Fault::new(ErrorCode::InvalidJson, why);
        let arguments = serde_json::from_str(object).map_err(|error| invalid(error.to_string()))?;
        check_depth(object)?;
        Ok(arguments)
    }

    /// Puts a text in the place of the argument of that name: out of a path or a query, where a
    /// number is its digits, a boolean `true` or `false`, and a list has commas.
    pub fn set(&mut self, name: &str, text: &str) {
        self.remove(name);
        self.0.push((name.into(), Value::Text(text.into())));
    }

    /// Puts bytes in the place of the argument of that name: out of a body that is no JSON.
    pub fn set_bytes(&mut self, name: &str, bytes: Bytes) {
        self.remove(name);
        self.0.push((name.into(), Value::Bytes(bytes)));
    }

    /// Puts a JSON value in the place of the argument of that name.
    pub fn set_json(&mut self, name: &str, json: Box<RawValue>) {
        self.remove(name);
        self.0.push((name.into(), Value::Json(json)));
    }

    /// Without the argument of that name.
    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| **known != *name);
    }

    /// Refuses arguments that the operation of this name does not have.
    pub(crate) fn only(
        &self,
        operation: &str,
        allowed: impl Iterator<Item = &'static str> + Clone,
    ) -> Result<(), Fault> {
        let foreign = self
            .names()
            .find(|name| !allowed.clone().any(|it| it == *name));
        foreign.map_or(Ok(()), |name| {
            let allowed: Vec<_> = allowed.collect();
            Err(unknown_field(name, operation, &allowed))
        })
    }

    /// The bytes of an argument that is bytes.
    pub(crate) fn bytes(&self, name: &str) -> Option<&Bytes> {
        match &self.0.iter().find(|(known, _)| **known == *name)?.1 {
            Value::Bytes(bytes) => Some(bytes),
            Value::Json(_) | Value::Text(_) => None,
        }
    }

    fn get(&self, name: &str) -> Option<&Value> {
        let (_, value) = self.0.iter().find(|(known, _)| **known == *name)?;
        match value {
            Value::Json(json) if json.get() == "null" => None,
            value => Some(value),
        }
    }

    /// Whether it was given, if only as `null`.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| **known == *name)
    }

    /// What the arguments are called.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }

    /// The JSON text of an argument that is JSON.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&RawValue> {
        match &self.0.iter().find(|(known, _)| **known == *name)?.1 {
            Value::Json(json) => Some(json),
            Value::Bytes(_) | Value::Text(_) => None,
        }
    }

    /// An argument of the type `T`; a text from a path or a query as a JSON string.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidField`] when it is something else than `expected`.
    pub fn json<T: DeserializeOwned>(
        &self,
        name: &'static str,
        expected: &str,
    ) -> Result<Option<T>, Fault> {
        let read = match self.get(name) {
            None => return Ok(None),
            Some(Value::Bytes(_)) => return Err(invalid(name, expected)),
            Some(Value::Json(json)) => serde_json::from_str(json.get()),
            Some(Value::Text(text)) => T::deserialize(serde_json::Value::from(&**text)),
        };
        read.map(Some).map_err(|_| invalid(name, expected))
    }

    /// A text of at most `max` bytes.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidField`], [`ErrorCode::TooLarge`].
    pub fn text(&self, name: &'static str, max: usize) -> Result<Option<String>, Fault> {
        let text: Option<String> = self.json(name, "a string")?;
        match text {
            Some(text) if text.len() > max => Err(too_large(name, max)),
            text => Ok(text),
        }
    }

    /// A whole number from `least` to `most`.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidField`].
    pub fn number(&self, name: &'static str, least: u64, most: u64) -> Result<Option<u64>, Fault> {
        let number: Option<u64> = match self.get(name) {
            None => return Ok(None),
            Some(Value::Bytes(_)) => None,
            Some(Value::Json(json)) => serde_json::from_str(json.get()).ok(),
            Some(Value::Text(text)) => text.parse().ok(),
        };
        match number {
            Some(number) if (least..=most).contains(&number) => Ok(Some(number)),
            _ if most == u64::MAX => {
                Err(invalid(name, &format!("a whole number, at least {least}")))
            }
            _ => {
                let expected = format!("a whole number from {least} to {most}");
                Err(invalid(name, &expected))
            }
        }
    }

    /// A time in whole milliseconds, at most a hundred years.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidField`].
    pub fn millis(&self, name: &'static str) -> Result<Option<Duration>, Fault> {
        let millis = self.number(name, 0, MOST_MILLIS)?;
        Ok(millis.map(Duration::from_millis))
    }

    /// A boolean.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidField`].
    pub fn flag(&self, name: &'static str) -> Result<Option<bool>, Fault> {
        match self.get(name) {
            Some(Value::Text(text)) => match &**text {
                "true" | "1" => Ok(Some(true)),
                "false" | "0" => Ok(Some(false)),
                _ => Err(invalid(name, "true or false")),
            },
            _ => self.json(name, "true or false"),
        }
    }

    /// At most `most` texts of at most `max` bytes each; a text from a path or a query is split at
    /// its commas.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidField`], [`ErrorCode::TooLarge`].
    pub fn texts(
        &self,
        name: &'static str,
        most: usize,
        max: usize,
    ) -> Result<Option<Vec<String>>, Fault> {
        let texts: Option<Vec<String>> = match self.get(name) {
            Some(Value::Text(text)) => {
                let parts = text.split(',').filter(|part| !part.is_empty());
                Some(parts.map(str::to_owned).collect())
            }
            _ => self.json(name, "a list of strings")?,
        };
        let Some(texts) = texts else { return Ok(None) };
        if texts.len() > most {
            return Err(invalid(name, &format!("a list of at most {most} strings")));
        }
        if texts.iter().any(|text| text.len() > max) {
            return Err(too_large(name, max));
        }
        Ok(Some(texts))
    }
}

/// A hundred years: more is a mistake, and makes arithmetic overflow.
const MOST_MILLIS: u64 = 100 * 365 * 24 * 3600 * 1000;

/// What is said of a field that is needed and not there.
#[must_use]
pub fn missing(name: &'static str) -> Fault {
    Fault::new(ErrorCode::MissingField, format!("`{name}` is needed")).field(name)
}

/// What is said of a field that is not what was expected.
#[must_use]
pub fn invalid(name: &'static str, expected: &str) -> Fault {
    let why = format!("`{name}` must be {expected}");
    Fault::new(ErrorCode::InvalidField, why).field(name)
}

fn too_large(name: &'static str, max: usize) -> Fault {
    let why = format!("`{name}` is longer than {max} bytes");
    Fault::new(ErrorCode::TooLarge, why).field(name)
}

impl<'de> Deserialize<'de> for Arguments {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Arguments;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Arguments, A::Error> {
        let mut arguments = Arguments::new();
        while let Some((name, value)) = map.next_entry::<Box<str>, Box<RawValue>>()? {
            if arguments.has(&name) {
                return Err(A::Error::custom(format!("duplicate field `{name}`")));
            }
            if arguments.0.len() == MOST_FIELDS {
                return Err(A::Error::custom(format!("more than {MOST_FIELDS} fields")));
            }
            arguments.0.push((name, Value::Json(value)));
        }
        Ok(arguments)
    }
}

/// The most fields of a request: each is compared with those before it.
pub(crate) const MOST_FIELDS: usize = 64;
