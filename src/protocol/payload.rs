//! What is published.

use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use data_encoding::BASE64;
use serde_json::value::RawValue;

use crate::message::Message;

use super::Arguments;
use super::ErrorCode;
use super::Fault;
use super::arguments::invalid;
use super::field::Field;
use super::field::Fields;

/// What is published, as the client gave it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the three forms of the wire")]
pub enum Payload {
    /// Bytes that need not be text.
    Binary(Bytes),
    /// The text of a JSON value.
    Json(String),
    /// A text.
    Text(String),
}

impl Payload {
    /// The message that carries this payload. JSON is a text like any other.
    #[must_use]
    pub fn into_message(self, key: Option<String>) -> Message {
        let message = match self {
            Self::Binary(bytes) => Message::binary(bytes),
            Self::Json(text) | Self::Text(text) => Message::text(text),
        };
        match key {
            Some(key) => message.key(key),
            None => message,
        }
    }

    /// [`Payload::into_message`], with a lifetime if one is given.
    pub(crate) fn into_expiring(
        self,
        key: Option<String>,
        expires_in_ms: Option<NonZeroU32>,
    ) -> Message {
        let message = self.into_message(key);
        match expires_in_ms {
            Some(millis) => message.expires_after(Duration::from_millis(millis.get().into())),
            None => message,
        }
    }

    /// The payload among the arguments of an operation: one of `data`, `text` and `base64`.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::MissingField`], [`ErrorCode::InvalidField`].
    pub fn of(arguments: &Arguments) -> Result<Self, Fault> {
        if let Some(bytes) = arguments.bytes("base64") {
            return Ok(Self::Binary(bytes.clone()));
        }
        if let Some(bytes) = arguments.bytes("text") {
            let text = std::str::from_utf8(bytes).map_err(|_| invalid("text", "UTF-8"))?;
            return Ok(Self::Text(text.to_owned()));
        }
        let [data, text, base64] = ["data", "text", "base64"].map(|name| arguments.raw(name));
        Self::one_of(data, text, base64)
    }

    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, Fault> {
        Self::one_of(fields.data, fields.text, fields.base64)
    }

    fn one_of(
        data: Option<&RawValue>,
        text: Option<&RawValue>,
        base64: Option<&RawValue>,
    ) -> Result<Self, Fault> {
        match (data, text, base64) {
            (Some(data), None, None) => Ok(Self::Json(data.get().to_owned())),
            (None, Some(_), None) => Self::read_text(Field::new("text", text)),
            (None, None, Some(_)) => Self::read_base64(Field::new("base64", base64)),
            (None, None, None) => {
                let why = "one of `data`, `text` and `base64` is needed";
                Err(Fault::new(ErrorCode::MissingField, why).field("data"))
            }
            _ => {
                let why = "only one of `data`, `text` and `base64` may be given";
                Err(Fault::new(ErrorCode::InvalidField, why).field("data"))
            }
        }
    }

    fn read_text(field: Field<'_>) -> Result<Self, Fault> {
        let text = field
            .string(usize::MAX)?
            .ok_or_else(|| field.invalid("a string"))?;
        Ok(Self::Text(text))
    }

    fn read_base64(field: Field<'_>) -> Result<Self, Fault> {
        let expected = "a string of padded base64";
        let text = field
            .string(usize::MAX)?
            .ok_or_else(|| field.invalid(expected))?;
        let bytes = BASE64
            .decode(text.as_bytes())
            .map_err(|_| field.invalid(expected))?;
        Ok(Self::Binary(bytes.into()))
    }
}
