//! What the fuzz targets need of what is private. Not part of the crate's interface: it is there
//! under `--cfg fuzzing` only.

use std::sync::Arc;

use crate::id::ClientId;
use crate::layers::UserId;
use crate::layers::sessions::Sessions;
use crate::layers::sessions::SessionsConfig;
use crate::protocol::Arguments;
use crate::protocol::Request;

use super::Asked;
use super::Notes;

/// Carries out a `session.resume` with these arguments, by this user, where there is a session of
/// ada with one subscription; gives the commands that it brings back. `{id}` in the arguments
/// stands for the id of that session.
#[must_use]
pub fn resume(arguments: &str, user: &str) -> Option<Vec<String>> {
    let sessions = Sessions::new(SessionsConfig::new());
    let ada = UserId::parse("ada").ok()?;
    let session = sessions.open(Some(&ada), ClientId::new(1)).ok()?;
    let arguments = arguments.replace("{id}", session.id());
    let notes = Notes::new(Some(Arc::new(session)));
    notes.put(notes.of_subscribe("news", None, None));
    drop(notes);
    let asked = Asked::read(&Arguments::parse(&arguments).ok()?).ok()?;
    let (_answer, restored, _old) =
        asked.resume(Some(&sessions), None, Some(user), &Notes::new(None));
    let commands: Vec<_> = restored.into_iter().map(|it| it.text).collect();
    for command in &commands {
        assert!(Request::parse(command).is_ok(), "{command}");
    }
    Some(commands)
}
