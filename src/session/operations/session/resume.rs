//! Going on where another connection was lost.

use std::collections::BTreeMap;
use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::hub::StreamPosition;
use crate::id::ClientId;
use crate::layers::RoomId;
use crate::layers::UserId;
use crate::layers::presence::Presence;
use crate::layers::sessions::Note;
use crate::layers::sessions::Sessions;
use crate::protocol::Arguments;
use crate::protocol::Fault;
use crate::protocol::invalid;
use crate::session::operations::session::Notes;
use crate::session::operations::session::ResumedView;

use super::said;
use super::said::Again;

/// What a client says that it had.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    session: Option<String>,
    channels: HashMap<String, StreamPosition>,
    pub(crate) rooms: HashMap<RoomId, StreamPosition>,
}

/// A command that a session had noted, to be carried out again.
#[derive(Debug)]
pub(crate) struct Restored {
    /// Under which it is noted, until it is refused; `None` for one that credentials claim.
    pub(crate) key: Option<Box<str>>,
    pub(crate) text: String,
}

impl Restored {
    /// The subscribe to a channel that credentials claim.
    pub(crate) fn claimed(channel: &str) -> Self {
        let text = json!({ "type": "subscribe", "channel_id": channel }).to_string();
        Self { key: None, text }
    }
}

/// Where a client was in a channel, as it says.
#[derive(Deserialize)]
struct Position {
    offset: u64,
    epoch: String,
}

impl Position {
    fn read(&self, field: &'static str) -> Result<StreamPosition, Fault> {
        let epoch = self.epoch.parse();
        Ok(StreamPosition {
            offset: self.offset,
            epoch: epoch
                .map_err(|_| invalid(field, "positions, with `epoch` a string of digits"))?,
        })
    }
}

impl Asked {
    pub(crate) fn read(arguments: &Arguments) -> Result<Self, Fault> {
        let mut asked = Self {
            session: arguments.text("session_id", MAX_SESSION)?,
            ..Self::default()
        };
        for (name, position) in positions(arguments, "channels")? {
            asked.channels.insert(name, position.read("channels")?);
        }
        for (name, position) in positions(arguments, "rooms")? {
            let room = RoomId::parse(&name);
            let room = room.map_err(|error| invalid("rooms", "ids of rooms").because(&error))?;
            asked.rooms.insert(room, position.read("rooms")?);
        }
        Ok(asked)
    }

    /// Takes the session, if there is one to take: what to answer, the commands to be carried out
    /// again, and the connection that still has it. All of it is in `notes` from now on: a
    /// connection may be lost before the first of the commands is done.
    pub(crate) fn resume(
        &self,
        sessions: Option<&Sessions>,
        presence: Option<&Presence>,
        user: Option<&str>,
        notes: &Notes,
    ) -> (ResumedView, Vec<Restored>, Option<ClientId>) {
        let user = user.and_then(|user| UserId::parse(user).ok());
        let (Some(sessions), Some(session)) = (sessions, &self.session) else {
            return (ResumedView::not(None), Vec::new(), None);
        };
        match sessions.resume(session, user.as_ref()) {
            Ok(had) => {
                notes.take_over(&had);
                let read = had.notes.iter().filter_map(|note| {
                    let command = serde_json::from_str(&note.text).ok()?;
                    let command = still(command, note, presence, user.as_ref(), notes)?;
                    Some((note.key.clone(), command))
                });
                let (told, restored): (Vec<_>, Vec<_>) = read
                    .enumerate()
                    .map(|(number, (key, command))| {
                        let text = self.again(command.clone(), number);
                        let key = Some(key);
                        (shown(command), Restored { key, text })
                    })
                    .unzip();
                let answer = ResumedView {
                    resumed: true,
                    restored: told.len(),
                    incomplete: Some(had.incomplete),
                    commands: Some(told),
                    ..ResumedView::not(None)
                };
                (answer, restored, had.connected)
            }
            Err(error) => {
                let fault = Fault::new(error.code(), error.to_string());
                (ResumedView::not(Some(&fault)), Vec::new(), None)
            }
        }
    }

    /// The text of a command, from the position that the client has, and with an id that says
    /// which it is of those that the answer lists.
    fn again(&self, mut command: Map<String, Value>, number: usize) -> String {
        let channel = command.get("channel_id").and_then(Value::as_str);
        if let Some(position) = channel.and_then(|channel| self.channels.get(channel)) {
            let epoch = position.epoch.to_string();
            let since = json!({ "offset": position.offset, "epoch": epoch });
            command.insert("since".to_owned(), since);
        }
        command.insert("id".to_owned(), format!("restore:{number}").into());
        Value::Object(command).to_string()
    }
}

impl ResumedView {
    /// The answer where no session was resumed.
    fn not(fault: Option<&Fault>) -> Self {
        Self {
            resumed: false,
            restored: 0,
            incomplete: None,
            commands: None,
            code: fault.map(Fault::code),
            message: fault.map(|fault| fault.message().to_owned()),
        }
    }
}

/// What of a command is still to be asked for.
fn still(
    command: Map<String, Value>,
    note: &Note,
    presence: Option<&Presence>,
    user: Option<&UserId>,
    notes: &Notes,
) -> Option<Map<String, Value>> {
    let (Some(presence), Some(said::SET)) = (presence, command.get("type").and_then(Value::as_str))
    else {
        return Some(command);
    };
    let said = user.map(|user| presence.said(user));
    match said::again(command, said, presence.millis()) {
        Again::Say(command) => Some(command),
        Again::Nothing => None,
        Again::Never => {
            notes.forget(&note.key);
            None
        }
    }
}

/// A command as the answer lists it: what it is about, without what the client need not be told.
fn shown(mut command: Map<String, Value>) -> Map<String, Value> {
    for unneeded in ["auth", "filter", "id"] {
        command.remove(unneeded);
    }
    command
}

fn positions(
    arguments: &Arguments,
    field: &'static str,
) -> Result<BTreeMap<String, Position>, Fault> {
    let positions: Option<BTreeMap<String, Position>> =
        arguments.json(field, "an object of positions {offset, epoch}")?;
    let positions = positions.unwrap_or_default();
    if positions.len() > MOST_POSITIONS {
        return Err(invalid(field, "at most 1,024 positions"));
    }
    Ok(positions)
}

const MAX_SESSION: usize = 64;
const MOST_POSITIONS: usize = 1024;
