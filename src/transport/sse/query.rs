//! What a client asks for in the address of a stream.

use std::fmt::Display;

use crate::id::ChannelName;
use crate::protocol::ErrorCode;
use crate::protocol::Fault;
use crate::session::fault::channel_named;
use crate::transport::sse::percent;

/// The channels, and where to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    /// Each once, in the order in which they were named.
    pub(super) channels: Vec<ChannelName>,
    /// Which messages are wanted in them, by their metadata, as JSON.
    pub(super) filter: Option<String>,
    /// The id of the last event that the client has seen; empty when it names none.
    pub(super) last_event_id: String,
}

/// What a query may ask for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) max_channels: usize,
    pub(crate) max_name: usize,
    pub(crate) max_id: usize,
}

impl Query {
    /// Reads a query: `channels=a,b`, `channel=a` once for each, `filter`, and `last_event_id` or
    /// `lastEventId`. Parameters of other names are somebody else's.
    ///
    /// As in a form, `+` is a space. A name with a comma needs a `channel` of its own.
    pub(crate) fn parse(query: &str, bounds: Bounds) -> Result<Self, Fault> {
        let mut parsed = Self::default();
        let mut has_id = false;
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "channel" => parsed.add("channel", &decoded("channel", value)?, bounds)?,
                "channels" => {
                    let names = decoded("channels", value)?;
                    for name in names.split(',').filter(|name| !name.is_empty()) {
                        parsed.add("channels", name, bounds)?;
                    }
                }
                "filter" => {
                    if parsed.filter.is_some() {
                        return Err(invalid("filter", "the filter is given twice"));
                    }
                    parsed.filter = Some(decoded("filter", value)?);
                }
                "last_event_id" | "lastEventId" => {
                    if has_id {
                        return Err(invalid(ID, "the last event id is given twice"));
                    }
                    has_id = true;
                    parsed.last_event_id = decoded(ID, value)?;
                }
                _ => {}
            }
        }
        if parsed.last_event_id.len() > bounds.max_id {
            let why = format!("`{ID}` is longer than {} bytes", bounds.max_id);
            return Err(invalid(ID, why));
        }
        Ok(parsed)
    }

    fn add(&mut self, field: &'static str, name: &str, bounds: Bounds) -> Result<(), Fault> {
        if self.channels.iter().any(|known| known.as_str() == name) {
            return Ok(());
        }
        if self.channels.len() >= bounds.max_channels {
            let why = format!(
                "more than {} channels; the others may be subscribed to afterwards",
                bounds.max_channels
            );
            return Err(Fault::new(ErrorCode::TooManySubscriptions, why).field(field));
        }
        let name = channel_named(name, bounds.max_name).map_err(|fault| fault.field(field))?;
        self.channels.push(name);
        Ok(())
    }
}

fn decoded(field: &'static str, value: &str) -> Result<String, Fault> {
    percent::decode(&value.replace('+', " "))
        .ok_or_else(|| invalid(field, format!("`{field}` must be percent-encoded UTF-8")))
}

fn invalid(field: &'static str, why: impl Display) -> Fault {
    Fault::new(ErrorCode::InvalidField, why.to_string()).field(field)
}

const ID: &str = "last_event_id";
