//! Commands out of arguments: those that come over HTTP, in a batch, or from the application.

use std::num::NonZeroU32;

use serde_json::Map;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Arguments;
use super::Command;
use super::Echo;
use super::Fault;
use super::MAX_AUTH;
use super::MAX_CHANNEL;
use super::MAX_ID;
use super::MAX_KEY;
use super::Payload;
use super::Whose;
use super::arguments::invalid;
use super::arguments::missing;
use super::command::LIFETIME;
use super::command::PRESENCE;
use super::command::PUBLISH;
use super::command::SINCE;
use super::command::SUBSCRIBE;
use super::command::UNSUBSCRIBE;
use super::command::checked;
use super::command::client_of;
use super::command::event_of;
use super::command::position;
use super::field::Field;

impl Command {
    /// The command of this name with these arguments, of the table of operations or none of it.
    ///
    /// # Errors
    ///
    /// As for [`Request::parse`](crate::protocol::Request::parse). The arguments of an operation
    /// are checked when it is carried out.
    pub fn named(name: &str, arguments: Arguments) -> Result<Self, Fault> {
        match name {
            "ping" => arguments.only(name, [].into_iter()).map(|()| Self::Ping),
            "presence" => {
                arguments.only(name, PRESENCE.iter().copied())?;
                Ok(Self::Presence {
                    channel: channel_among(&arguments)?,
                })
            }
            "publish" => Self::publish_of(&arguments),
            "subscribe" => Self::subscribe_of(&arguments),
            "unsubscribe" => {
                arguments.only(name, UNSUBSCRIBE.iter().copied())?;
                Ok(Self::Unsubscribe {
                    channel: channel_among(&arguments)?,
                    whose: Whose::of(&arguments)?,
                })
            }
            name => Ok(Self::Operation {
                name: name.into(),
                arguments,
            }),
        }
    }

    fn publish_of(arguments: &Arguments) -> Result<Self, Fault> {
        arguments.only("publish", PUBLISH.iter().copied())?;
        let most = u64::from(u32::MAX);
        let lifetime = arguments
            .number("expires_in_ms", 1, most)
            .map_err(|_| invalid("expires_in_ms", LIFETIME))?;
        let lifetime = lifetime.and_then(|millis| u32::try_from(millis).ok());
        let metadata: Option<Map<String, Value>> = arguments.json("metadata", "an object")?;
        Ok(Self::Publish {
            channel: channel_among(arguments)?,
            payload: Payload::of(arguments)?,
            key: arguments.text("key", MAX_KEY)?,
            event: event_of(arguments.text("event", usize::MAX)?)?,
            echo: Echo::of(arguments.flag("echo")?),
            metadata: checked(metadata)?,
            expires_in_ms: lifetime.and_then(NonZeroU32::new),
            except: client_of("except", arguments.text("except", MAX_ID)?)?,
        })
    }

    fn subscribe_of(arguments: &Arguments) -> Result<Self, Fault> {
        arguments.only("subscribe", SUBSCRIBE.iter().copied())?;
        let filter: Option<Box<RawValue>> = arguments.json("filter", "an object")?;
        Ok(Self::Subscribe {
            channel: channel_among(arguments)?,
            filter: filter.map(|filter| filter.get().to_owned()),
            since: match arguments.raw("since") {
                Some(since) => position(Field::new("since", Some(since)))?,
                None if arguments.has("since") => return Err(invalid("since", SINCE)),
                None => None,
            },
            auth: arguments.text("auth", MAX_AUTH)?,
            whose: Whose::of(arguments)?,
        })
    }
}

fn channel_among(arguments: &Arguments) -> Result<String, Fault> {
    let channel = arguments.text("channel_id", MAX_CHANNEL)?;
    channel.ok_or_else(|| match arguments.has("channel_id") {
        true => invalid("channel_id", "a string"),
        false => missing("channel_id"),
    })
}
