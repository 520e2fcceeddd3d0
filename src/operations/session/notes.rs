//! What a client has asked for that it is to have again, should it lose its connection.

use std::sync::Arc;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::layers::sessions::Note;
use crate::layers::sessions::Resumed;
use crate::layers::sessions::Session;
use crate::protocol::Arguments;

/// The notes of one client, if it has a session. Each is a command that brings back what it is
/// about.
#[derive(Clone, Debug)]
pub(crate) struct Notes(Option<Arc<Session>>);

/// Operations that are to be carried out again, those that undo them, and which of their arguments
/// say what they are about.
const NOTED: [(&str, &str, &[&str]); 3] = [
    (
        "pattern.subscribe",
        "pattern.unsubscribe",
        &["pattern", "prefix", "suffix"],
    ),
    ("presence.watch", "presence.unwatch", &["user_id"]),
    // Each sets what it names, and leaves the rest: all of them together are what is set.
    ("presence.set", "", &[]),
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
            let _noted = session.note(note);
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

    /// An operation was carried out.
    pub(crate) fn done(&self, name: &str, arguments: &Arguments) {
        let Some(session) = &self.0 else { return };
        let mut noted = NOTED.iter();
        let found = noted.find(|(does, undoes, _)| name == *does || name == *undoes);
        let Some((does, _, about)) = found else {
            return;
        };
        let value = |name: &str| {
            let raw = arguments.raw(name)?;
            serde_json::from_str::<Value>(raw.get()).ok()
        };
        let about: Vec<_> = about.iter().map(|name| value(name)).collect();
        let key = if about.is_empty() {
            let mut names: Vec<_> = arguments.names().collect();
            names.sort_unstable();
            format!("{does} {}", json!(names))
        } else {
            format!("{does} {}", json!(about))
        };
        if name != *does {
            return session.forget(&key);
        }
        let mut command: Map<String, Value> = arguments
            .names()
            .filter_map(|name| Some((name.to_owned(), value(name)?)))
            .collect();
        command.insert("type".to_owned(), name.into());
        let _noted = session.note(Note {
            key: key.into(),
            text: Value::Object(command).to_string().into(),
        });
    }
}

fn of_channel(channel: &str) -> Box<str> {
    format!("subscribe {channel}").into()
}
