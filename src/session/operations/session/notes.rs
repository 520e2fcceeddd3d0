//! What a client has asked for that it is to have again, should it lose its connection.

use std::sync::Arc;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::layers::sessions::Note;
use crate::layers::sessions::Resumed;
use crate::layers::sessions::Session;
use crate::protocol::Arguments;
use crate::session::operations::Operation;

use super::said;

/// The notes of one client, if it has a session. Each is a command that brings back what it is
/// about.
#[derive(Clone, Debug)]
pub(crate) struct Notes(Option<Arc<Session>>);

/// An operation that is to be carried out again.
struct Noted {
    name: &'static str,
    undone_by: Option<&'static str>,
    about: About,
}

/// What a later one of the same has to be about to take the place of an earlier one.
enum About {
    /// What these of its arguments say.
    Values(&'static [&'static str]),
    /// The same arguments: it sets what it names, and leaves the rest, so that all of them together
    /// are what is set.
    Names,
}

const NOTED: [Noted; 3] = [
    Noted {
        name: "pattern.subscribe",
        undone_by: Some("pattern.unsubscribe"),
        about: About::Values(&["pattern", "prefix", "suffix"]),
    },
    Noted {
        name: "presence.watch",
        undone_by: Some("presence.unwatch"),
        about: About::Values(&["user_id"]),
    },
    Noted {
        name: said::SET,
        undone_by: None,
        about: About::Names,
    },
];

impl Notes {
    pub(crate) fn new(session: Option<Arc<Session>>) -> Self {
        Self(session)
    }

    /// The id of the session.
    pub(crate) fn session(&self) -> Option<&str> {
        self.0.as_deref().map(Session::id)
    }

    /// What is to be noted once this subscribe has succeeded.
    pub(crate) fn of_subscribe(
        &self,
        channel: &str,
        filter: Option<&str>,
        auth: Option<&str>,
    ) -> Option<Note> {
        self.0.as_ref()?;
        let filter = filter.and_then(|filter| serde_json::from_str::<Value>(filter).ok());
        let mut command = Map::new();
        command.insert("type".to_owned(), "subscribe".into());
        command.insert("channel_id".to_owned(), channel.into());
        if let Some(filter) = filter {
            command.insert("filter".to_owned(), filter);
        }
        if let Some(auth) = auth {
            command.insert("auth".to_owned(), auth.into());
        }
        Some(Note {
            key: of_channel(channel),
            text: Value::Object(command).to_string().into(),
        })
    }

    pub(crate) fn put(&self, note: Option<Note>) {
        if let (Some(session), Some(note)) = (&self.0, note) {
            // One that there is no room for is not brought back; it is no reason to refuse it now.
            let _noted = session.note(&note);
        }
    }

    /// Notes all that a session had noted that was resumed.
    pub(crate) fn take_over(&self, resumed: &Resumed) {
        if let Some(session) = &self.0 {
            session.take_over(resumed);
        }
    }

    /// What was noted under this key does not come back any more.
    pub(crate) fn forget(&self, key: &str) {
        if let Some(session) = &self.0 {
            session.forget(key);
        }
    }

    /// A channel was left.
    pub(crate) fn left(&self, channel: &str) {
        self.forget(&of_channel(channel));
    }

    /// An operation was carried out, at this time of the presence of users.
    pub(crate) fn done(
        &self,
        operation: &Operation,
        arguments: &Arguments,
        at: impl FnOnce() -> u64,
    ) {
        let (Some(session), name) = (&self.0, operation.name) else {
            return;
        };
        let mut all = NOTED.iter();
        let found = all.find(|noted| name == noted.name || noted.undone_by == Some(name));
        let Some(noted) = found else { return };
        let value = |name: &str| {
            let raw = arguments.raw(name)?;
            serde_json::from_str::<Value>(raw.get()).ok()
        };
        // What the operation does not know changes nothing.
        let known = operation.arguments.iter().map(|known| known.name);
        let command: Map<String, Value> = known
            .filter_map(|name| Some((name.to_owned(), value(name)?)))
            .collect();
        let about = match noted.about {
            About::Values(names) => names.iter().map(|name| json!(command.get(*name))).collect(),
            About::Names => command.keys().map(|name| json!(name)).collect(),
        };
        let key = format!("{} {}", noted.name, Value::Array(about));
        if noted.undone_by == Some(name) {
            return session.forget(&key);
        }
        let mut command = command;
        command.insert("type".to_owned(), name.into());
        if name == said::SET {
            said::date(&mut command, at());
        }
        let _noted = session.note(&Note {
            key: key.into(),
            text: Value::Object(command).to_string().into(),
        });
    }
}

fn of_channel(channel: &str) -> Box<str> {
    format!("subscribe {channel}").into()
}
