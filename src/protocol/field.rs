//! The fields of an inbound frame, unread, and how each is read.
//!
//! Every field is kept as its JSON text first, so that one bad field does not hide the others:
//! the id is known before the type is judged, and the type before what it needs.

use std::borrow::Cow;

use serde::Deserialize;
use serde::Deserializer;
use serde_json::value::RawValue;

use super::ErrorCode;
use super::Fault;
use super::MAX_DEPTH;

/// The JSON text of each field that some command knows. Others are skipped.
#[derive(Debug, Deserialize)]
pub(super) struct Fields<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    pub(super) id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present", rename = "type")]
    pub(super) kind: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present", alias = "channel")]
    pub(super) channel_id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(super) since: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(super) auth: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(super) data: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(super) text: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(super) base64: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(super) key: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(super) echo: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(super) filter: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(super) metadata: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(super) except: Option<&'a RawValue>,
}

impl<'a> Fields<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, Fault> {
        // Serde would also take an array, field by field.
        if !text
            .trim_start_matches([' ', '\t', '\r', '\n'])
            .starts_with('{')
        {
            return Err(Fault::new(
                ErrorCode::InvalidJson,
                "a frame is one JSON object",
            ));
        }
        serde_json::from_str(text)
            .map_err(|error| Fault::new(ErrorCode::InvalidJson, error.to_string()))
    }
}

/// Keeps an explicit `null` apart from an absent field.
fn present<'de, D: Deserializer<'de>>(field: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(field).map(Some)
}

/// One field and its name, for the errors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    name: &'static str,
    value: Option<&'a RawValue>,
}

impl<'a> Field<'a> {
    pub(super) fn new(name: &'static str, value: Option<&'a RawValue>) -> Self {
        Self { name, value }
    }

    /// The value, which must be there.
    pub(super) fn required(self) -> Result<Self, Fault> {
        match self.value {
            Some(_) => Ok(self),
            None => {
                let why = format!("`{}` is needed", self.name);
                Err(Fault::new(ErrorCode::MissingField, why).field(self.name))
            }
        }
    }

    /// A string of at most `max` bytes; `None` when the field is absent or null.
    pub(super) fn string(self, max: usize) -> Result<Option<String>, Fault> {
        let Some(text) = self.read::<Cow<'a, str>>("a string")? else {
            return Ok(None);
        };
        if text.len() > max {
            let why = format!("`{}` is longer than {max} bytes", self.name);
            return Err(Fault::new(ErrorCode::TooLarge, why).field(self.name));
        }
        Ok(Some(text.into_owned()))
    }

    /// A boolean; `None` when the field is absent or null.
    pub(super) fn boolean(self) -> Result<Option<bool>, Fault> {
        self.read("a boolean")
    }

    /// Whatever `T` is; `None` when the field is absent or null.
    pub(super) fn read<T: Deserialize<'a>>(self, expected: &str) -> Result<Option<T>, Fault> {
        match self.value {
            None => Ok(None),
            Some(value) => serde_json::from_str(value.get()).map_err(|_| self.invalid(expected)),
        }
    }

    /// The fault of a value that is not `expected`.
    pub(super) fn invalid(self, expected: &str) -> Fault {
        let why = format!("`{}` must be {expected}", self.name);
        Fault::new(ErrorCode::InvalidField, why).field(self.name)
    }
}

/// Refuses a text whose objects and arrays stand more than [`MAX_DEPTH`] deep.
///
/// The text must be valid JSON: only then is a quote always a string's.
pub(super) fn check_depth(text: &str) -> Result<(), Fault> {
    let mut depth = 0_usize;
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => skip_string(&mut bytes),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            let why = format!("more than {MAX_DEPTH} objects and arrays inside each other");
            return Err(Fault::new(ErrorCode::TooDeep, why));
        }
    }
    Ok(())
}

fn skip_string(bytes: &mut impl Iterator<Item = u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
}
