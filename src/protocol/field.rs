//! The fields of an inbound frame, unread, and how each is read.
//!
//! Every field is kept as its JSON text first, so that one bad field does not hide the others:
//! the id is known before the type is judged, and the type before what it needs.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::Error as _;
use serde::de::MapAccess;
use serde::de::Visitor;
use serde_json::value::RawValue;

use super::ErrorCode;
use super::Fault;
use super::MAX_DEPTH;

/// Writes the fields that some command knows, and how they are read, from one table.
macro_rules! fields {
    ($($field:ident = $name:literal $(| $alias:literal)*;)+) => {
        /// The JSON text of each field that some command knows.
        #[derive(Debug, Default)]
        pub(super) struct Fields<'a> {
            $(pub(super) $field: Option<&'a RawValue>,)+
            /// The first field that no command knows.
            unknown: Option<Cow<'a, str>>,
        }

        impl<'a> Fields<'a> {
            /// What the fields are called that are there and known.
            fn known(&self) -> impl Iterator<Item = &'static str> {
                let known = [$((self.$field.is_some(), $name)),+];
                known.into_iter().filter_map(|(is_there, name)| is_there.then_some(name))
            }

            /// Takes one in. `false` if it is there already.
            fn take(&mut self, name: Cow<'a, str>, value: &'a RawValue) -> bool {
                match &*name {
                    $($name $(| $alias)* => self.$field.replace(value).is_none(),)+
                    _ => {
                        self.unknown.get_or_insert(name);
                        true
                    }
                }
            }
        }
    };
}

fields! {
    id = "id";
    kind = "type";
    channel_id = "channel_id" | "channel";
    since = "since";
    auth = "auth";
    data = "data";
    text = "text";
    base64 = "base64";
    key = "key";
    event = "event";
    echo = "echo";
    filter = "filter";
    metadata = "metadata";
    except = "except";
    expires_in_ms = "expires_in_ms";
    client_id = "client_id";
    user_id = "user_id";
}

/// The name of a field, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reader(PhantomData))
    }
}

struct Reader<'a>(PhantomData<&'a ()>);

impl<'de: 'a, 'a> Visitor<'de> for Reader<'a> {
    type Value = Fields<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'a>, A::Error> {
        let mut fields = Fields::default();
        while let Some(Name(name)) = map.next_key::<Name<'de>>()? {
            let value: &'de RawValue = map.next_value()?;
            if !fields.take(name.clone(), value) {
                return Err(A::Error::custom(format!("duplicate field `{name}`")));
            }
        }
        Ok(fields)
    }
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

    /// Refuses fields that the command of this name does not have.
    pub(super) fn only(&self, command: &str, allowed: &[&str]) -> Result<(), Fault> {
        let envelope = ["id", "type"];
        let is_foreign = |name: &&str| !allowed.contains(name) && !envelope.contains(name);
        let foreign = self.known().find(is_foreign).or(self.unknown.as_deref());
        foreign.map_or(Ok(()), |name| Err(unknown_field(name, command, allowed)))
    }
}

/// What is said of a field that a command does not have.
pub(crate) fn unknown_field(name: &str, command: &str, allowed: &[&str]) -> Fault {
    let name: String = name.chars().take(MAX_NAME).collect();
    let why = match allowed {
        [] => format!("`{name}` is no field of `{command}`, which has none"),
        allowed => format!(
            "`{name}` is no field of `{command}`, which has {}",
            allowed.join(", ")
        ),
    };
    Fault::new(ErrorCode::InvalidField, why).field(name)
}

/// So much of the name of a field is said again, in characters.
const MAX_NAME: usize = 64;

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
        self.read("true or false")
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
