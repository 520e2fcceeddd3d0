//! Operations about the histories of channels.

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::code::ErrorCode;
use crate::hub::Channel;
use crate::hub::Frame;
use crate::hub::HistoryPage;
use crate::hub::HistoryQuery;
use crate::layers::channels::ChannelsError;
use crate::layers::is_reserved;
use crate::protocol::Fault;
use crate::protocol::HistoryEntry;
use crate::protocol::invalid;

use super::Answer;
use super::Argument;
use super::Call;
use super::Kind;
use super::Method;
use super::Operation;
use super::Who;
use super::answers;
use super::channels::CHANNEL;
use super::channels::MAX_NAME;
use super::channels::fault;
use super::channels::may_know;

pub(super) const TABLE: &[Operation] = &[Operation {
    name: "channel.history",
    method: Method::Get,
    path: "/channels/{channel_id}/history",
    summary: "Some of what a channel remembers: `messages`, each as it was pushed, the `position` of \
              the channel, the `floor` after which nothing is missing, and whether there is `more`. \
              A page ends early at 1 MiB.",
    who: Who::Anyone,
    arguments: &[
        CHANNEL,
        Argument::optional("after", Kind::Number, "Only those with a greater `offset`."),
        Argument::optional("before", Kind::Number, "Only those with a lower `offset`."),
        Argument::optional(
            "limit",
            Kind::Number,
            "How many at most: 1 to 1,000, default 100.",
        ),
        Argument::optional(
            "order",
            Kind::Text,
            "Which come first: `oldest`, the default, or `newest`.",
        ),
        Argument::optional(
            "epoch",
            Kind::Text,
            "The life of the channel that is meant: in another one there are no messages, and \
             `same_epoch` is false.",
        ),
    ],
    run: &history,
}];

/// The most payload bytes of a page that has more than one message.
const MAX_BYTES: usize = 1 << 20;

answers! {
    /// A page of the publications that a channel retains.
    struct ChannelHistory {
        /// The publications, each as its push was, without what they have in common.
        messages: Vec<HistoryEntry>,
        /// The position of the channel.
        position: Position,
        /// The offset after which nothing is missing.
        floor: u64,
        /// Whether there are more.
        more: bool,
        /// Whether the channel still counts in the `epoch` of the request, if that has one.
        #[serde(skip_serializing_if = "Option::is_none")]
        same_epoch: Option<bool>,
    }

    /// A position in a channel.
    struct Position {
        /// The offset of the last publication.
        offset: u64,
        /// The epoch in which offsets count: a string of digits.
        epoch: String,
    }
}

fn history(call: &Call<'_>) -> Result<Answer<ChannelHistory>, Fault> {
    let channel = readable(call)?;
    let query = query(call)?;
    let asked = call.arguments.text("epoch", usize::MAX)?;
    let HistoryPage {
        frames,
        more,
        position,
        floor,
        ..
    } = channel.history(&query);
    let epoch = position.epoch.to_string();
    let same_epoch = asked.map(|asked| asked == epoch);
    let (frames, more) = match same_epoch {
        Some(false) => (&[][..], false),
        _ => cut(&frames, more),
    };
    Ok(Answer::of(ChannelHistory {
        messages: frames.iter().cloned().map(HistoryEntry).collect(),
        position: Position {
            offset: position.offset,
            epoch,
        },
        floor,
        more,
        same_epoch,
    }))
}

/// The channel that is named, if it is there and whoever asks may join it, or has.
fn readable(call: &Call<'_>) -> Result<Channel, Fault> {
    let name = call.text("channel_id", MAX_NAME)?;
    if is_reserved(&name) {
        return Err(fault(ChannelsError::Reserved));
    }
    if !call.caller.is_server() {
        if let Some(channels) = call.layers()?.channels() {
            channels.check(&name).map_err(fault)?;
        }
        if !may_know(call, &name) {
            let why = "this client is not subscribed to the channel";
            return Err(Fault::new(ErrorCode::NotSubscribed, why).field("channel_id"));
        }
    }
    let channel = call.layers()?.hub().find_channel(&name);
    channel.ok_or_else(|| fault(ChannelsError::Unknown))
}

fn query(call: &Call<'_>) -> Result<HistoryQuery, Fault> {
    let number = |name| call.arguments.number(name, 0, u64::MAX);
    let mut query = HistoryQuery::new();
    query.after = number("after")?;
    query.before = number("before")?;
    let most = HistoryQuery::MAX_LIMIT as u64;
    if let Some(limit) = call.arguments.number("limit", 1, most)? {
        query.limit = usize::try_from(limit).unwrap_or(HistoryQuery::MAX_LIMIT);
    }
    match call.arguments.text("order", usize::MAX)?.as_deref() {
        None | Some("oldest") => Ok(query),
        Some("newest") => Ok(query.newest_first()),
        Some(_) => Err(invalid("order", "`oldest` or `newest`")),
    }
}

/// As many of the frames as may be in one answer, and whether there are more.
fn cut(frames: &[Frame], more: bool) -> (&[Frame], bool) {
    let mut bytes = 0;
    for (index, frame) in frames.iter().enumerate() {
        bytes += frame.payload().len();
        if bytes > MAX_BYTES && index > 0 {
            return (&frames[..index], true);
        }
    }
    (frames, more)
}
