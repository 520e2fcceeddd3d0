//! What a user has said of itself, as far as it is to be said again.

use serde_json::Map;
use serde_json::Value;

use crate::layers::presence::Said;

/// The operation by which a user says it.
pub(super) const SET: &str = "presence.set";

/// When it was said: among the fields of a note, none of an operation.
const AT: &str = "at";

/// Fields about a connection: another does not have them.
const OF_CONNECTION: [&str; 2] = ["device", "device_name"];

/// Fields about a user that are known as long as anything is known about it.
const LASTING: [&str; 4] = ["custom_status", "emoji", "expires_in_ms", "availability"];

/// Notes when it was said.
pub(super) fn date(command: &mut Map<String, Value>, at: u64) {
    command.insert(AT.to_owned(), at.into());
}

/// What of a noted command is to be said again at `now`: what nobody knows any more.
pub(super) enum Again {
    /// This.
    Say(Map<String, Value>),
    /// Nothing for now; should the user be gone when it comes back the next time, perhaps.
    Nothing,
    /// Nothing, for something else was said since.
    Never,
}

pub(super) fn again(mut command: Map<String, Value>, said: Option<Said>, now: u64) -> Again {
    let at = command.remove(AT).and_then(|at| at.as_u64());
    let (ever, here) = said.map_or((None, None), |said| (said.ever, said.here));
    command.retain(|name, _| {
        let name = name.as_str();
        let is_of_connection = ["type", "user_id"].contains(&name) || OF_CONNECTION.contains(&name);
        is_of_connection || if LASTING.contains(&name) { ever } else { here }.is_none()
    });
    remain(&mut command, now.saturating_sub(at.unwrap_or(now)));
    let says = |name: &String| !["type", "user_id"].contains(&name.as_str());
    if command.keys().any(says) {
        Again::Say(command)
    } else if ever > at {
        Again::Never
    } else {
        Again::Nothing
    }
}

/// Leaves of a custom status the time that it has left after `elapsed` milliseconds.
fn remain(command: &mut Map<String, Value>, elapsed: u64) {
    let lasts = command.get("expires_in_ms").and_then(Value::as_u64);
    let Some(lasts) = lasts else { return };
    if lasts > elapsed {
        command.insert("expires_in_ms".to_owned(), (lasts - elapsed).into());
    } else {
        for name in ["custom_status", "emoji", "expires_in_ms"] {
            command.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn noted(mut what: Value) -> Map<String, Value> {
        what["type"] = json!(SET);
        let mut command = what.as_object().cloned().unwrap_or_default();
        date(&mut command, 1000);
        command
    }

    fn said(what: Value, ever: Option<u64>, here: Option<u64>) -> Option<Value> {
        match again(noted(what), Some(Said { ever, here }), 1600) {
            Again::Say(mut command) => {
                command.remove("type");
                Some(command.into())
            }
            Again::Nothing | Again::Never => None,
        }
    }

    #[test]
    fn what_is_known_is_not_said_again() {
        let what = json!({"status": "busy", "availability": "later", "device": "phone"});
        let device = Some(json!({"device": "phone"}));
        assert_eq!(said(what.clone(), Some(1000), Some(1000)), device);
        let gone = Some(json!({"status": "busy", "device": "phone"}));
        assert_eq!(said(what.clone(), Some(1000), None), gone, "it was offline");
        assert_eq!(said(what.clone(), None, None), Some(what), "forgotten");
    }

    #[test]
    fn a_custom_status_has_the_time_that_is_left() {
        let lunch = |lasts: u64| json!({"custom_status": "lunch", "expires_in_ms": lasts});
        assert_eq!(said(lunch(700), None, None), Some(lunch(100)));
        assert_eq!(said(lunch(600), None, None), None);
    }

    #[test]
    fn what_was_said_since_replaces_it() {
        let again = |ever| {
            let said = Said {
                ever: Some(ever),
                here: Some(ever),
            };
            again(noted(json!({"status": "busy"})), Some(said), 1600)
        };
        assert!(matches!(again(1000), Again::Nothing));
        assert!(matches!(again(1001), Again::Never));
    }
}
