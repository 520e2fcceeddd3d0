//! `throng.v1.raw`: payloads alone, for clients that only receive.
//!
//! The query of the URL names the channels: `channels=a,b`, or `channel=` for each; `auth=` is
//! shown to the authorizer. A payload comes as it was published, in a text or a binary frame,
//! without channel, offset or time. Nothing else is sent: messages that a client has lost are in
//! its counters, and the reason of its close is in the close frame. A client whose subscription is
//! refused is closed with 3501, and with 3013 where it may try again; a client that sends anything
//! is closed with 1003.

use crate::code::ErrorCode;
use crate::disconnect::Disconnect;
use crate::hub::Frame;
use crate::layers::MessageHeader;
use crate::layers::is_reserved;
use crate::message::Message;

use super::Command;
use super::Dialect;
use super::Heard;
use super::MAX_AUTH;
use super::MAX_CHANNEL;
use super::Push;
use super::Request;
use super::Said;
use super::Whose;

/// The dialect; see the [module](self).
pub(super) struct Raw;

/// The most channels that a query may name.
const MOST_CHANNELS: usize = 64;

impl Dialect for Raw {
    fn subprotocols(&self) -> &'static [&'static str] {
        &["throng.v1.raw"]
    }

    fn opening(&self, query: &str) -> Result<Vec<Request>, Disconnect> {
        let (mut channels, mut auth) = (Vec::<String>::new(), None);
        for field in query.split('&') {
            let (name, value) = field.split_once('=').unwrap_or((field, ""));
            let names = match name {
                "channel" => vec![value],
                "channels" => value.split(',').collect(),
                "auth" => {
                    auth = Some(decode(value, MAX_AUTH).ok_or(MALFORMED)?);
                    continue;
                }
                // Other fields may be there for the authentication.
                _ => continue,
            };
            for name in names {
                let name = decode(name, MAX_CHANNEL).ok_or(MALFORMED)?;
                if !channels.contains(&name) {
                    channels.push(name);
                }
                if channels.len() > MOST_CHANNELS {
                    return Err(TOO_MANY_CHANNELS);
                }
            }
        }
        if channels.is_empty() {
            return Err(NO_CHANNEL);
        }
        let subscribe = |channel| Request {
            id: None,
            command: Command::Subscribe {
                channel,
                filter: None,
                since: None,
                auth: auth.clone(),
                whose: Whose::default(),
            },
        };
        Ok(channels.into_iter().map(subscribe).collect())
    }

    fn hear(&self, _: Message) -> Heard {
        Heard::Close(Disconnect::UNSUPPORTED)
    }

    fn say(&self, push: Push<'_>) -> Said {
        match push {
            Push::Frame(frame) => payload(frame).map_or(Said::Nothing, Said::Message),
            Push::Error(fault) if fault.code() == ErrorCode::RateLimited => {
                Said::Close(Disconnect::RATE_LIMITED)
            }
            Push::Error(_) => Said::Close(Disconnect::BAD_REQUEST),
            _ => Said::Nothing,
        }
    }
}

/// The payload of a frame, unless it is news of the hub or of a layer, or of a room.
fn payload(frame: &Frame) -> Option<Message> {
    let message = frame.message()?;
    let is_plain = MessageHeader::of(message).is_none_or(|header| header.kind == "message");
    let is_channel = frame.channel().is_none_or(|name| !is_reserved(name));
    (is_plain && is_channel).then(|| message.clone())
}

/// The text that was percent-encoded, of at most so many bytes.
fn decode(text: &str, most: usize) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => digit(rest.next()?)? << 4 | digit(rest.next()?)?,
            b'+' => b' ',
            _ => byte,
        });
    }
    let decoded = String::from_utf8(bytes).ok()?;
    (!decoded.is_empty() && decoded.len() <= most).then_some(decoded)
}

fn digit(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}

const MALFORMED: Disconnect = Disconnect::known(3501, "a name in the query is not allowed");

const NO_CHANNEL: Disconnect = Disconnect::known(3501, "`channels` is needed in the query");

const TOO_MANY_CHANNELS: Disconnect =
    Disconnect::known(3501, "the query names more than 64 channels");
