//! What the server's side publishes over HTTP: a publish command without a connection.

use crate::id::ClientId;
use crate::layers::Stamp;
use crate::message::Message;

use super::Fault;
use super::MAX_KEY;
use super::command::Payload;
use super::command::metadata;
use super::field::Field;
use super::field::Fields;
use super::field::check_depth;

/// A message, and who does not get it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Publication {
    /// The message.
    pub message: Message,
    /// The client that does not get it.
    pub except: Option<ClientId>,
}

impl Publication {
    /// Reads a JSON object with one of `data`, `text` and `base64`, and perhaps a `key` and an
    /// `except`.
    ///
    /// # Errors
    ///
    /// As for [`Request::parse`](super::Request::parse), without an id.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let fields = Fields::parse(text)?;
        check_depth(text)?;
        let payload = Payload::read(&fields)?;
        let key = Field::new("key", fields.key).string(MAX_KEY)?;
        let except = Field::new("except", fields.except);
        let expected = "the id of a client, a string of digits";
        let except = match except.read::<String>(expected)? {
            Some(id) => Some(id.parse().map_err(|_| except.invalid(expected))?),
            None => None,
        };
        let message = payload.into_message(key);
        Ok(Self {
            message: match metadata(&fields)? {
                Some(metadata) => Stamp::new("message").metadata(Some(metadata)).on(message),
                None => message,
            },
            except,
        })
    }
}
