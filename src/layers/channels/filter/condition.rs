//! One condition on one value.

use std::cmp::Ordering;

use serde_json::Number;
use serde_json::Value;

use super::InvalidFilter;
use super::MetadataFilter;

/// One condition on one value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    /// Equals one of these.
    AnyOf(Vec<Value>),
    /// Equals none of these.
    NoneOf(Vec<Value>),
    /// Compares so with this.
    Compares(Comparison, Value),
    /// Is a text that begins so.
    Prefix(Box<str>),
    /// Is there, or not.
    Exists(bool),
}

/// How two values are to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Condition {
    /// The conditions that a key of a filter stands for.
    pub(super) fn parse(key: &str, value: &Value) -> Result<Vec<Self>, InvalidFilter> {
        match value {
            Value::Array(items) => Ok(vec![Self::AnyOf(checked(key, items)?)]),
            Value::Object(words) if words.is_empty() => Err(InvalidFilter::new(
                key,
                "an object with a word such as `gte`",
            )),
            Value::Object(words) => words
                .iter()
                .map(|(word, value)| Self::word(&format!("{key}.{word}"), word, value))
                .collect(),
            scalar => Ok(vec![Self::AnyOf(vec![scalar.clone()])]),
        }
    }

    fn word(at: &str, word: &str, value: &Value) -> Result<Self, InvalidFilter> {
        let comparison = match word {
            "eq" => return Ok(Self::AnyOf(vec![scalar(at, value)?])),
            "ne" => return Ok(Self::NoneOf(vec![scalar(at, value)?])),
            "in" => return Ok(Self::AnyOf(list(at, value)?)),
            "nin" => return Ok(Self::NoneOf(list(at, value)?)),
            "exists" => {
                let exists = value.as_bool();
                let exists = exists.ok_or_else(|| InvalidFilter::new(at, "true or false"))?;
                return Ok(Self::Exists(exists));
            }
            "prefix" => {
                let prefix = value.as_str();
                let prefix = prefix.ok_or_else(|| InvalidFilter::new(at, "a string"))?;
                return Ok(Self::Prefix(prefix.into()));
            }
            "gt" => Comparison::Greater,
            "gte" => Comparison::GreaterOrEqual,
            "lt" => Comparison::Less,
            "lte" => Comparison::LessOrEqual,
            _ => {
                let words = "one of eq, ne, in, nin, gt, gte, lt, lte, prefix and exists";
                return Err(InvalidFilter::new(at, words));
            }
        };
        if !value.is_number() && !value.is_string() {
            return Err(InvalidFilter::new(at, "a number or a string"));
        }
        Ok(Self::Compares(comparison, value.clone()))
    }

    /// Whether it holds for a value, or for none.
    pub(super) fn holds(&self, value: Option<&Value>) -> bool {
        match self {
            Self::Exists(exists) => value.is_some() == *exists,
            Self::NoneOf(items) => value.is_none_or(|value| {
                each(value).all(|value| !items.iter().any(|item| equal(item, value)))
            }),
            Self::AnyOf(items) => value.is_some_and(|value| {
                each(value).any(|value| items.iter().any(|item| equal(item, value)))
            }),
            Self::Compares(comparison, with) => value.is_some_and(|value| {
                each(value).any(|value| comparison.holds(compare(value, with)))
            }),
            Self::Prefix(prefix) => value.is_some_and(|value| {
                each(value).any(|value| value.as_str().is_some_and(|it| it.starts_with(&**prefix)))
            }),
        }
    }
}

impl Comparison {
    fn holds(self, ordering: Option<Ordering>) -> bool {
        let Some(ordering) = ordering else {
            return false;
        };
        match self {
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
        }
    }
}

/// The items of a list, or the value itself.
fn each(value: &Value) -> impl Iterator<Item = &Value> {
    match value {
        Value::Array(items) => items.as_slice(),
        value => std::slice::from_ref(value),
    }
    .iter()
}

fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => numbers(one, other) == Some(Ordering::Equal),
        _ => one == other,
    }
}

/// How two values of one kind compare; those of others do not.
fn compare(one: &Value, other: &Value) -> Option<Ordering> {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => numbers(one, other),
        (Value::String(one), Value::String(other)) => Some(one.cmp(other)),
        _ => None,
    }
}

/// How two numbers compare, exactly.
fn numbers(one: &Number, other: &Number) -> Option<Ordering> {
    match (whole(one), whole(other)) {
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        (Some(one), None) => with_float(one, other.as_f64()?),
        (None, Some(other)) => with_float(other, one.as_f64()?).map(Ordering::reverse),
        (None, None) => one.as_f64()?.partial_cmp(&other.as_f64()?),
    }
}

fn whole(number: &Number) -> Option<i128> {
    let signed = number.as_i64().map(i128::from);
    signed.or_else(|| number.as_u64().map(i128::from))
}

/// How a whole number of 64 bits compares with a finite one that need not be whole.
fn with_float(whole: i128, float: f64) -> Option<Ordering> {
    let floor = float.floor();
    if floor.is_nan() {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "what is out of range saturates"
    )]
    let floored = floor as i128;
    Some(whole.cmp(&floored).then(if float > floor {
        Ordering::Less
    } else {
        Ordering::Equal
    }))
}

fn scalar(at: &str, value: &Value) -> Result<Value, InvalidFilter> {
    if value.is_array() || value.is_object() {
        return Err(InvalidFilter::new(at, "neither a list nor an object"));
    }
    Ok(value.clone())
}

fn list(at: &str, value: &Value) -> Result<Vec<Value>, InvalidFilter> {
    let Value::Array(items) = value else {
        return Err(InvalidFilter::new(at, "a list"));
    };
    checked(at, items)
}

fn checked(at: &str, items: &[Value]) -> Result<Vec<Value>, InvalidFilter> {
    if items.len() > MetadataFilter::MAX_ITEMS {
        return Err(InvalidFilter::new(at, "a list of at most 64 items"));
    }
    items.iter().map(|item| scalar(at, item)).collect()
}
