//! The message of a request, as hooks, schemas and filters see it.

use std::str;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Map;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::layers::Layers;
use crate::layers::Metadata;
use crate::layers::RoomId;
use crate::protocol::Arguments;
use crate::protocol::Command;
use crate::protocol::Fault;
use crate::protocol::Payload;
use crate::protocol::checked;

use super::strings;

/// A message that a request is about to publish: a hook, a schema or a filter reads it, changes it
/// or refuses it.
///
/// ```
/// use throng::policy::Hook;
///
/// // {"content": "  hello   there "} becomes {"content": "hello there"}.
/// let tidy = Hook::new("tidy").message(|_, mut message| {
///     message.rewrite(|text| {
///         let words: Vec<_> = text.split_whitespace().collect();
///         let tidied = words.join(" ");
///         (tidied != text).then_some(tidied)
///     });
///     Ok(message)
/// });
/// # let _ = tidy;
/// ```
#[derive(Clone, Debug)]
pub struct Draft {
    target: Target,
    event: Option<Box<str>>,
    payload: Payload,
    metadata: Option<Map<String, Value>>,
    flags: Vec<Box<str>>,
    is_edit: bool,
    payload_changed: bool,
    metadata_changed: bool,
    changes: u32,
    layers: Option<Layers>,
}

/// The receivers of a message.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Target {
    /// The subscribers of this channel.
    Channel(Box<str>),
    /// The members of this room.
    Room(Box<str>),
    /// The connections of this user.
    User(Box<str>),
    /// A connection, several users, or all: the server's side alone sends so.
    Several,
}

/// Key of the metadata in which receivers find the names of the filters that flagged a message.
pub(crate) const FLAGS: &str = "flags";

impl Draft {
    /// The message of a command; `None` if it has none, or one that cannot be read: that is
    /// refused when the command is carried out.
    pub(crate) fn of(command: &Command, layers: Option<&Layers>) -> Option<Self> {
        let (target, event, payload, metadata, is_edit) = match command {
            Command::Publish {
                channel,
                payload,
                event,
                metadata,
                ..
            } => (
                Target::Channel(channel.as_str().into()),
                event.as_ref().map(|event| event.as_str().into()),
                payload.clone(),
                metadata.as_ref().map(|it| it.object().clone()),
                false,
            ),
            Command::Operation { name, arguments } => {
                let target = Target::of(name, arguments)?;
                let event = arguments.text("event", usize::MAX).ok()?;
                let metadata = arguments.json("metadata", "an object").ok()?;
                let is_edit = **name == *EDIT;
                let payload = Payload::of(arguments).ok()?;
                (target, event.map(Into::into), payload, metadata, is_edit)
            }
            _ => return None,
        };
        Some(Self {
            target,
            event,
            payload,
            metadata,
            flags: Vec::new(),
            is_edit,
            payload_changed: false,
            metadata_changed: false,
            changes: 0,
            layers: layers.cloned(),
        })
    }

    /// Returns the receivers.
    #[must_use]
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// Returns the channel; `None` for a message to a room or to users.
    #[must_use]
    pub fn channel(&self) -> Option<&str> {
        match &self.target {
            Target::Channel(channel) => Some(channel),
            _ => None,
        }
    }

    /// Returns the room; `None` for a message to a channel or to users.
    #[must_use]
    pub fn room(&self) -> Option<&str> {
        match &self.target {
            Target::Room(room) => Some(room),
            _ => None,
        }
    }

    /// Returns the category of the room, if it has one.
    #[must_use]
    pub fn category(&self) -> Option<String> {
        let room = RoomId::parse(self.room()?).ok()?;
        self.layers.as_ref()?.rooms()?.category(&room)
    }

    /// Returns the application's name for what the message is, which its sender gave.
    #[must_use]
    pub fn event(&self) -> Option<&str> {
        self.event.as_deref()
    }

    /// Returns `true` if it replaces the payload of a message that was sent before.
    #[must_use]
    pub const fn is_edit(&self) -> bool {
        self.is_edit
    }

    /// Returns the payload.
    #[must_use]
    pub const fn payload(&self) -> &Payload {
        &self.payload
    }

    /// Returns the number of bytes of the payload.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.payload {
            Payload::Binary(bytes) => bytes.len(),
            Payload::Json(text) | Payload::Text(text) => text.len(),
        }
    }

    /// Returns `true` if the payload has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Replaces the payload.
    pub fn set_payload(&mut self, payload: Payload) {
        self.payload = payload;
        self.payload_changed = true;
        self.changes = self.changes.saturating_add(1);
    }

    /// Returns the payload as text: JSON, text, or bytes that are UTF-8.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.payload {
            Payload::Binary(bytes) => str::from_utf8(bytes).ok(),
            Payload::Json(text) | Payload::Text(text) => Some(text),
        }
    }

    /// Returns the payload as JSON, whatever form it was sent in.
    #[must_use]
    pub fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(self.text()?).ok()
    }

    /// Returns how often it was changed.
    pub(crate) const fn changes(&self) -> u32 {
        self.changes
    }

    /// Returns the metadata.
    #[must_use]
    pub const fn metadata(&self) -> Option<&Map<String, Value>> {
        self.metadata.as_ref()
    }

    /// Sets one entry of the metadata.
    pub fn set_metadata(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        let metadata = self.metadata.get_or_insert_default();
        metadata.insert(key.into(), value.into());
        self.metadata_changed = true;
        self.changes = self.changes.saturating_add(1);
    }

    /// Marks the message: receivers find `flag` in the list `flags` of its metadata. What the
    /// sender wrote under that key is removed.
    pub fn flag(&mut self, flag: impl Into<Box<str>>) {
        let flag = flag.into();
        if !self.flags.contains(&flag) {
            self.flags.push(flag);
        }
    }

    /// Returns the flags.
    #[must_use]
    pub fn flags(&self) -> &[Box<str>] {
        &self.flags
    }

    /// Calls `visit` with each string of the payload and replaces those for which it returns
    /// another; the rest stays byte for byte. The strings of JSON are its values at any depth,
    /// decoded; a payload that is no JSON is one string; bytes that are not UTF-8 have none.
    /// Returns `true` if a string was replaced.
    pub fn rewrite(&mut self, mut visit: impl FnMut(&str) -> Option<String>) -> bool {
        let Some(text) = self.text() else {
            return false;
        };
        let rewritten = match is_json(text) {
            true => strings::rewrite(text, visit),
            false => visit(text),
        };
        let Some(rewritten) = rewritten else {
            return false;
        };
        self.set_payload(match &self.payload {
            Payload::Binary(_) => Payload::Binary(Bytes::from(rewritten)),
            Payload::Json(_) => Payload::Json(rewritten),
            Payload::Text(_) => Payload::Text(rewritten),
        });
        true
    }

    /// As [`Draft::rewrite`], with the strings of the metadata as well.
    pub fn rewrite_all(&mut self, mut visit: impl FnMut(&str) -> Option<String>) -> bool {
        let rewritten = self.rewrite(&mut visit);
        let metadata = self.metadata.as_ref().filter(|it| !it.is_empty());
        let json = metadata.map(|it| Value::Object(it.clone()).to_string());
        let json = json.and_then(|json| strings::rewrite(&json, visit));
        let Some(metadata) = json.and_then(|json| serde_json::from_str(&json).ok()) else {
            return rewritten;
        };
        self.metadata = Some(metadata);
        self.metadata_changed = true;
        self.changes = self.changes.saturating_add(1);
        true
    }

    /// Returns `true` if `wanted` returns `true` for a key of an object in the payload or in the
    /// metadata.
    #[must_use]
    pub fn has_key(&self, mut wanted: impl FnMut(&str) -> bool) -> bool {
        let payload = self.text().filter(|text| is_json(text));
        let metadata = self.metadata.as_ref();
        let metadata = metadata.map(|it| Value::Object(it.clone()).to_string());
        let mut texts = payload.into_iter().chain(metadata.as_deref());
        texts.any(|text| strings::has_key(text, &mut wanted))
    }

    /// Puts the changes into the command that it came from.
    ///
    /// # Errors
    ///
    /// When the metadata is too large or too deep.
    pub(crate) fn put_into(mut self, command: &mut Command) -> Result<(), Fault> {
        self.stamp_flags();
        match command {
            Command::Publish {
                payload, metadata, ..
            } => {
                if self.metadata_changed {
                    *metadata = checked(self.metadata)?;
                }
                if self.payload_changed {
                    *payload = self.payload;
                }
            }
            Command::Operation { arguments, .. } => {
                if self.metadata_changed {
                    let metadata = checked(self.metadata)?;
                    let json = metadata.map(|it: Metadata| Value::Object(it.object().clone()));
                    set(arguments, "metadata", &json.unwrap_or_default().to_string());
                }
                if self.payload_changed {
                    for name in ["data", "text", "base64"] {
                        arguments.remove(name);
                    }
                    match self.payload {
                        Payload::Binary(bytes) => arguments.set_bytes("base64", bytes),
                        Payload::Json(text) => set(arguments, "data", &text),
                        Payload::Text(text) => arguments.set_bytes("text", text.into()),
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Writes the flags into the metadata, in the place of what the sender wrote there.
    fn stamp_flags(&mut self) {
        let metadata = self.metadata.as_mut();
        let forged = metadata.is_some_and(|metadata| metadata.remove(FLAGS).is_some());
        self.metadata_changed |= forged;
        if !self.flags.is_empty() {
            let flags: Vec<_> = self.flags.iter().map(|it| Value::from(&**it)).collect();
            self.set_metadata(FLAGS, flags);
        }
    }
}

/// The operation whose message replaces another.
const EDIT: &str = "message.edit";

impl Target {
    /// The receivers of the message of an operation; `None` if it has no message.
    fn of(operation: &str, arguments: &Arguments) -> Option<Self> {
        let id = |name| arguments.text(name, usize::MAX).ok()?.map(Into::into);
        match operation {
            EDIT | "room.send" | "room.send_to_role" => Some(Self::Room(id("room_id")?)),
            "user.send" => Some(Self::User(id("user_id")?)),
            "broadcast" | "client.send" | "user.broadcast_except" | "user.send_many" => {
                Some(Self::Several)
            }
            _ => None,
        }
    }
}

/// Returns `true` if receivers get the text as JSON.
fn is_json(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok()
}

fn set(arguments: &mut Arguments, name: &str, json: &str) {
    let value = RawValue::from_string(json.to_owned());
    debug_assert!(value.is_ok(), "the text of a value is JSON: {json}");
    if let Ok(value) = value {
        arguments.set_json(name, value);
    }
}
