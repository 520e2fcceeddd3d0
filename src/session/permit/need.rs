//! The right that a command needs.

use std::borrow::Cow;

use crate::layers::channels::Pattern;
use crate::protocol::Arguments;
use crate::protocol::Command;
use crate::protocol::ErrorCode;
use crate::protocol::Fault;
use crate::protocol::Whose;
use crate::session::Caller;
use crate::session::Identity;
use crate::session::Right;
use crate::session::operations;
use crate::session::operations::Operation;
use crate::session::operations::Who;

use super::lacks;

/// The operation that subscribes to a pattern.
pub(super) const PATTERN_SUBSCRIBE: &str = "pattern.subscribe";

/// A right, and what it has to be on.
#[derive(Debug)]
pub(super) struct Need<'a> {
    right: Right,
    on: On<'a>,
}

#[derive(Debug)]
enum On<'a> {
    /// Everything.
    All,
    /// Anything.
    Any,
    /// This name.
    Name(Cow<'a, str>),
    /// All names that match.
    Pattern(Pattern),
}

impl<'a> Need<'a> {
    /// Returns what a command needs, if it needs anything that a token can lack.
    pub(super) fn of(caller: &Caller<'_>, command: &'a Command) -> Result<Option<Self>, Fault> {
        let named = |right, name: &'a str| {
            let on = On::Name(Cow::Borrowed(name));
            Ok(Some(Self { right, on }))
        };
        match command {
            Command::Presence { channel } => named(Right::Read, channel),
            Command::Publish { channel, .. } => named(Right::Publish, channel),
            // `Permit::subscribe` decides about it.
            Command::Subscribe {
                whose: Whose::Own, ..
            } => Ok(None),
            Command::Subscribe { channel, .. } => named(Right::Subscribe, channel),
            Command::Ping | Command::Unsubscribe { .. } => Ok(None),
            Command::Operation { name, arguments } => match operations::find(name) {
                Some(operation) => Self::of_operation(caller, operation, arguments),
                // It is refused as unknown.
                None => Ok(None),
            },
        }
    }

    fn of_operation(
        caller: &Caller<'_>,
        operation: &Operation,
        arguments: &Arguments,
    ) -> Result<Option<Self>, Fault> {
        let need = |right, on| Ok(Some(Self { right, on }));
        let text = |name: &'static str| arguments.text(name, usize::MAX);
        let name = operation.name;
        if operation.who == Who::Server {
            return need(Right::Admin, On::Name(Cow::Borrowed(name)));
        }
        match name {
            PATTERN_SUBSCRIBE => {
                // Without a pattern it is refused.
                let pattern = pattern(arguments)?;
                let on = |pattern| Self {
                    right: Right::Subscribe,
                    on: On::Pattern(pattern),
                };
                return Ok(pattern.map(on));
            }
            "channel.find" | "channel.declared" => {
                let on = pattern(arguments)?.map_or(On::All, On::Pattern);
                return need(Right::Read, on);
            }
            "room.create" | "room.direct" => {
                // The id of a room that gets none is one segment.
                let room = text("room_id")?.unwrap_or_else(|| "*".to_owned());
                return need(Right::Rooms, On::Name(Cow::Owned(room)));
            }
            _ => {}
        }
        let has = |argument: &str| operation.arguments.iter().any(|it| it.name == argument);
        if has("channel_id") {
            // Without a channel it is refused.
            let on = |channel| Self {
                right: Right::Read,
                on: On::Name(Cow::Owned(channel)),
            };
            return Ok(text("channel_id")?.map(on));
        }
        let is_own = match (text("user_id")?, caller.user()) {
            (Some(user), Some(own)) => *user == *own,
            (None, _) => true,
            (Some(_), None) => false,
        };
        let area = name.split('.').next().unwrap_or_default();
        match area {
            "room" | "message" | "invite" | "typing" | "presence" if has("room_id") => {
                let on = text("room_id")?.map_or(On::All, |room| On::Name(Cow::Owned(room)));
                need(Right::Rooms, on)
            }
            "message" if name == "message.unread" => Ok(None),
            "room" if name != "room.list" && is_own => Ok(None),
            "typing" if name == "typing.clear" => Ok(None),
            "room" | "message" | "invite" | "typing" => need(Right::Rooms, On::All),
            "presence" | "user" if !is_own => need(Right::Read, On::Any),
            "presence" if OF_OTHERS.contains(&name) => need(Right::Read, On::Any),
            _ => Ok(None),
        }
    }

    pub(super) fn is_met(&self, identity: &Identity) -> bool {
        let permissions = identity.all_permissions();
        match &self.on {
            On::All => permissions.allow_all(self.right),
            On::Any => permissions.allow_any(self.right),
            On::Name(name) => permissions.allow_name(self.right, name),
            On::Pattern(pattern) => permissions.allow_pattern(self.right, pattern),
        }
    }

    pub(super) fn fault(&self) -> Fault {
        match (self.right, &self.on) {
            (Right::Subscribe, On::Pattern(_)) => {
                lacks("subscribe to all that this pattern can match", "pattern")
            }
            (Right::Subscribe, _) => lacks("subscribe to this channel", "channel_id"),
            (Right::Publish, _) => lacks("publish to this channel", "channel_id"),
            (Right::Read, On::Name(_)) => lacks("read about this channel", "channel_id"),
            (Right::Read, _) => lacks("read this", "type"),
            (Right::Rooms, On::Name(_)) => lacks("use this room", "room_id"),
            (Right::Rooms, _) => lacks("use all rooms", "type"),
            (Right::Admin, _) => {
                // As for a user whose server authenticates nothing.
                let why = "only the server's side may ask for this";
                Fault::new(ErrorCode::PermissionDenied, why).field("type")
            }
        }
    }
}

/// Operations that tell of other users whatever their arguments are.
const OF_OTHERS: &[&str] = &[
    "presence.by_status",
    "presence.count",
    "presence.get_many",
    "presence.online",
    "presence.recent",
    "presence.watch",
];

/// The pattern that one of three arguments gives.
pub(super) fn pattern(arguments: &Arguments) -> Result<Option<Pattern>, Fault> {
    operations::pattern_of(arguments)
}
