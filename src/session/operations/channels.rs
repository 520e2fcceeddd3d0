//! Channels: declared ones, patterns, and what there is.

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

use crate::code::ErrorCode;
use crate::hub::Client;
use crate::id::ChannelKind;
use crate::id::ChannelName;
use crate::layers::channels::ChannelOptions;
use crate::layers::channels::ChannelView;
use crate::layers::channels::Channels;
use crate::layers::channels::ChannelsError;
use crate::layers::channels::Known;
use crate::layers::channels::Pattern;
use crate::protocol::Arguments;
use crate::protocol::Fault;

use super::Answer;
use super::Argument;
use super::Call;
use super::Kind;
use super::Method;
use super::Operation;
use super::Who;
use super::answers;
use super::call::CONNECTION;
use super::page;

pub(super) const CHANNEL: Argument = Argument::needed("channel_id", Kind::Text, "Which channel.");
const DESCRIPTION: Argument = Argument::optional(
    "description",
    Kind::Text,
    "What it is about; at most 1,024 bytes.",
);
const METADATA: Argument = Argument::optional(
    "metadata",
    Kind::Object,
    "What the application notes about it; at most 4,096 bytes.",
);
const PRIVATE: Argument = Argument::optional(
    "private",
    Kind::Flag,
    "Whether users need a permission or a token that names it to join, and are the only ones to \
     publish to it and to learn of it. Subscribers that it has are out when it becomes private.",
);
const PATTERN: Argument = Argument::optional(
    "pattern",
    Kind::Text,
    "By segments between dots: `*` is any one, `>` at the end any others. One of `pattern`, \
     `prefix` and `suffix`.",
);
const PREFIX: Argument = Argument::optional("prefix", Kind::Text, "How the names begin.");
const SUFFIX: Argument = Argument::optional("suffix", Kind::Text, "How the names end.");

pub(super) const TABLE: &[Operation] = &[
    Operation {
        name: "channel.create",
        method: Method::Put,
        path: "/channels/{channel_id}",
        summary: "Declares a channel.",
        who: Who::Server,
        arguments: &[CHANNEL, DESCRIPTION, METADATA, PRIVATE],
        run: &|call: &Call<'_>| {
            let name = call.text("channel_id", MAX_NAME)?;
            let view = channels(call)?.create(&name, options(call)?);
            Ok(Answer::of(view.map_err(fault)?))
        },
    },
    Operation {
        name: "channel.update",
        method: Method::Patch,
        path: "/channels/{channel_id}",
        summary: "Changes what a declared channel says about itself.",
        who: Who::Server,
        arguments: &[CHANNEL, DESCRIPTION, METADATA, PRIVATE],
        run: &|call: &Call<'_>| {
            let name = call.text("channel_id", MAX_NAME)?;
            let view = channels(call)?.update(&name, options(call)?);
            Ok(Answer::of(view.map_err(fault)?))
        },
    },
    Operation {
        name: "channel.delete",
        method: Method::Delete,
        path: "/channels/{channel_id}",
        summary: "Takes the declaration of a channel back; its subscribers are out, and told so.",
        who: Who::Server,
        arguments: &[CHANNEL],
        run: &|call: &Call<'_>| {
            let name = call.text("channel_id", MAX_NAME)?;
            channels(call)?.delete(&name).map_err(fault)?;
            Ok(Answer::done())
        },
    },
    Operation {
        name: "channel.info",
        method: Method::Get,
        path: "/channels/{channel_id}/info",
        summary: "What a channel says about itself, and whether it is there.",
        who: Who::Anyone,
        arguments: &[CHANNEL],
        run: &|call: &Call<'_>| {
            let name = known(call)?;
            Ok(Answer::of(channels(call)?.get(&name).map_err(fault)?))
        },
    },
    Operation {
        name: "channel.stats",
        method: Method::Get,
        path: "/channels/{channel_id}/stats",
        summary: "What is counted of a channel.",
        who: Who::Anyone,
        arguments: &[CHANNEL],
        run: &|call: &Call<'_>| {
            let name = known(call)?;
            Ok(Answer::of(channels(call)?.stats(&name).map_err(fault)?))
        },
    },
    Operation {
        name: "channel.subscribers",
        method: Method::Get,
        path: "/channels/{channel_id}/subscribers",
        summary: "The connections that are subscribed to a channel, in no order.",
        who: Who::Server,
        arguments: &[CHANNEL],
        run: &|call: &Call<'_>| {
            let name = call.text("channel_id", MAX_NAME)?;
            let ids = channels(call)?.subscribers(&name);
            let clients = ids.iter().map(ToString::to_string).collect();
            Ok(Answer::of(Subscribers { clients }))
        },
    },
    Operation {
        name: "channel.find",
        method: Method::Get,
        path: "/channels/find",
        summary: "Channels that are there or declared, by name: those that match, or all.",
        who: Who::Anyone,
        arguments: &[PATTERN, PREFIX, SUFFIX, page::LIMIT, page::AFTER],
        run: &|call: &Call<'_>| {
            let (limit, after) = call.page()?;
            let pattern = pattern(call)?;
            let (pattern, after) = (pattern.as_ref(), after.as_deref());
            let page = channels(call)?.page(&known_to(call), pattern, false, after, limit);
            let (channels, next) = page;
            Ok(Answer::of(ChannelPage { channels, next }))
        },
    },
    Operation {
        name: "channel.declared",
        method: Method::Get,
        path: "/channels/declared",
        summary: "Declared channels, by name.",
        who: Who::Anyone,
        arguments: &[page::LIMIT, page::AFTER],
        run: &|call: &Call<'_>| {
            let (limit, after) = call.page()?;
            let after = after.as_deref();
            let page = channels(call)?.page(&known_to(call), None, true, after, limit);
            let (channels, next) = page;
            Ok(Answer::of(ChannelPage { channels, next }))
        },
    },
    Operation {
        name: "channel.subscriptions",
        method: Method::Get,
        path: "/channels/mine",
        summary: "The channels that this connection is subscribed to.",
        who: Who::Connection,
        arguments: &[],
        run: &|call: &Call<'_>| {
            let names = call.client()?.subscriptions();
            let names = names.iter().filter(|name| !name.starts_with('$'));
            let channels = names.map(ToString::to_string).collect();
            Ok(Answer::of(ChannelNames { channels }))
        },
    },
    Operation {
        name: "pattern.subscribe",
        method: Method::Post,
        path: "/patterns",
        summary: "Receives what is published to any channel that matches, those to come too.",
        who: Who::Anyone,
        arguments: &[
            CONNECTION,
            PATTERN,
            PREFIX,
            SUFFIX,
            Argument::optional(
                "filter",
                Kind::Object,
                "Which messages are wanted, by their metadata.",
            ),
        ],
        run: &subscribe,
    },
    Operation {
        name: "pattern.unsubscribe",
        method: Method::Delete,
        path: "/patterns",
        summary: "Receives no more by a pattern.",
        who: Who::Anyone,
        arguments: &[CONNECTION, PATTERN, PREFIX, SUFFIX],
        run: &|call: &Call<'_>| {
            let pattern = pattern(call)?.ok_or_else(no_pattern)?;
            let done = channels(call)?.unsubscribe(&call.connection()?, &pattern);
            done.map_err(fault)?;
            Ok(Answer::done())
        },
    },
    Operation {
        name: "pattern.list",
        method: Method::Get,
        path: "/patterns",
        summary: "The patterns that a connection is subscribed to, each with its filter.",
        who: Who::Anyone,
        arguments: &[CONNECTION],
        run: &|call: &Call<'_>| {
            let patterns = channels(call)?
                .patterns(call.connection()?.id())
                .into_iter();
            let patterns = patterns.map(|(pattern, filter)| PatternEntry {
                pattern: pattern.to_string(),
                filter,
            });
            Ok(Answer::of(Patterns {
                patterns: patterns.collect(),
            }))
        },
    },
];

/// The most bytes of a name that is looked at; the hub may set a lower limit.
pub(super) const MAX_NAME: usize = 1024;

fn subscribe(call: &Call<'_>) -> Result<Answer<PatternView>, Fault> {
    let pattern = pattern(call)?.ok_or_else(no_pattern)?;
    let filter: Option<Value> = call.arguments.json("filter", "an object")?;
    let done = channels(call)?.subscribe(&call.connection()?, &pattern, filter.as_ref());
    done.map_err(fault)?;
    Ok(Answer::of(PatternView {
        pattern: pattern.to_string(),
    }))
}

/// Whether whoever asks may know that there is such a channel: of those that are not public the
/// server only, and who is in it.
pub(super) fn may_know(call: &Call<'_>, channel: &str) -> bool {
    if call
        .entrance
        .permit()
        .belongs_to_another(call.caller, channel)
    {
        return false;
    }
    call.caller.is_server()
        || ChannelKind::of(channel) == ChannelKind::Public
            && !call.entrance.is_declared_private(channel)
        || call
            .connections()
            .iter()
            .any(|client| client.is_subscribed(channel))
}

/// As [`may_know`], of all channels.
fn known_to(call: &Call<'_>) -> Known {
    if call.caller.is_server() {
        return Known::All;
    }
    let clients = call.connections();
    let is_hidden = |channel: &ChannelName| {
        channel.kind() != ChannelKind::Public || call.entrance.is_declared_private(channel)
    };
    let hidden = |client: &Client| client.subscriptions_that(is_hidden);
    let hidden = clients.iter().flat_map(hidden);
    Known::PublicAnd {
        own: hidden.collect(),
        user: call.caller.user().map(Into::into),
    }
}

/// The channel that is named, if whoever asks may know of it.
fn known(call: &Call<'_>) -> Result<String, Fault> {
    let name = call.text("channel_id", MAX_NAME)?;
    if may_know(call, &name) {
        Ok(name)
    } else {
        Err(fault(ChannelsError::Unknown))
    }
}

fn options(call: &Call<'_>) -> Result<ChannelOptions, Fault> {
    let mut options = ChannelOptions::new();
    if let Some(description) = call.arguments.text("description", usize::MAX)? {
        options = options.description(description);
    }
    let metadata: Option<Map<String, Value>> = call.arguments.json("metadata", "an object")?;
    if let Some(metadata) = metadata {
        options = options.metadata(metadata);
    }
    if let Some(private) = call.arguments.flag("private")? {
        options = options.private(private);
    }
    Ok(options)
}

/// The pattern that one of three arguments gives.
fn pattern(call: &Call<'_>) -> Result<Option<Pattern>, Fault> {
    pattern_of(call.arguments)
}

/// As [`pattern`], of arguments.
pub(crate) fn pattern_of(arguments: &Arguments) -> Result<Option<Pattern>, Fault> {
    let text = |name| arguments.text(name, usize::MAX);
    let read = match (text("pattern")?, text("prefix")?, text("suffix")?) {
        (Some(pattern), None, None) => ("pattern", Pattern::parse(&pattern)),
        (None, Some(prefix), None) => ("prefix", Pattern::prefix(&prefix)),
        (None, None, Some(suffix)) => ("suffix", Pattern::suffix(&suffix)),
        (None, None, None) => return Ok(None),
        _ => {
            let why = "only one of `pattern`, `prefix` and `suffix` may be given";
            return Err(Fault::new(ErrorCode::InvalidField, why).field("pattern"));
        }
    };
    match read {
        (_, Ok(pattern)) => Ok(Some(pattern)),
        (field, Err(error)) => {
            Err(Fault::new(ErrorCode::InvalidPattern, error.to_string()).field(field))
        }
    }
}

fn no_pattern() -> Fault {
    let why = "one of `pattern`, `prefix` and `suffix` is needed";
    Fault::new(ErrorCode::MissingField, why).field("pattern")
}

fn channels<'a>(call: &Call<'a>) -> Result<&'a Channels, Fault> {
    let channels = call.layers()?.channels();
    channels.ok_or_else(|| super::disabled("patterns and declared channels"))
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(super) fn fault(error: ChannelsError) -> Fault {
    super::fault(error.code(), error.field(), &error)
}

answers! {
    /// The connections that are subscribed to a channel.
    struct Subscribers {
        /// Their ids, in no order.
        clients: Vec<String>,
    }

    /// A page of channels.
    struct ChannelPage {
        /// The channels, by name.
        channels: Vec<ChannelView>,
        /// The `after` of the next page; the last page has none.
        next: Option<String>,
    }

    /// The channels of a connection.
    struct ChannelNames {
        /// Their names.
        channels: Vec<String>,
    }

    /// A pattern that was subscribed to.
    struct PatternView {
        /// The pattern; `prefix` and `suffix` as a pattern.
        pattern: String,
    }

    /// A pattern that a connection is subscribed to.
    struct PatternEntry {
        /// The pattern.
        pattern: String,
        /// The filter of its messages, if there is one.
        filter: Option<Value>,
    }

    /// The patterns that a connection is subscribed to.
    struct Patterns {
        /// The patterns.
        patterns: Vec<PatternEntry>,
    }
}
