//! A message as clients see it, in JSON.

use std::time::Duration;

use data_encoding::BASE64;
#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::layers::messages::record::ReactionCount;
use crate::layers::messages::record::Revision;
use crate::layers::messages::record::StoredMessage;
use crate::layers::metadata::Metadata;
use crate::layers::name::EventName;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::layers::timestamp::Timestamp;
use crate::message::Format;

/// A message as clients see it. One that was deleted says so, and not what it said.
///
/// What was sent as JSON is in there as it was sent, and may be such that a JSON value cannot hold
/// it, such as `1e999`: write it as text (`serde_json::to_string`). `serde_json::to_value` may
/// fail, and `json!` panic.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
#[non_exhaustive]
pub struct MessageView {
    /// The number in its room.
    pub message_id: String,
    /// Where.
    pub room_id: RoomId,
    /// Whose; absent if the server's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// The first message of the thread that it is an answer in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<String>,
    /// Its sender's name for what it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<EventName>,
    #[serde(flatten)]
    content: Content,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// When it was last edited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Timestamp>,
    /// How often it was edited.
    #[serde(skip_serializing_if = "is_zero")]
    pub edits: u32,
    /// When it was deleted, and by whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted: Option<DeletionView>,
    /// The answers to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replies: Option<RepliesView>,
    /// The reactions to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<ReactionView>,
}

/// What a message said before an edit, as clients see it: to be written as [`MessageView`] is.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
#[non_exhaustive]
pub struct RevisionView {
    #[serde(flatten)]
    content: Content,
    /// Until when it said so.
    pub until: Timestamp,
    /// Who edited it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<UserId>,
}

#[derive(Debug, Default, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
struct Content {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata>,
}

/// That a message was deleted, as clients see it.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
#[non_exhaustive]
pub struct DeletionView {
    /// When.
    pub at: Timestamp,
    /// By whom; absent if by the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<UserId>,
}

/// The answers to a message, as clients see them.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
#[non_exhaustive]
pub struct RepliesView {
    /// How many.
    pub count: u64,
    /// When the last one came.
    pub last_at: Timestamp,
}

/// A reaction, as clients see it.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
#[non_exhaustive]
pub struct ReactionView {
    /// What it is.
    pub reaction: Box<str>,
    /// How many users have it.
    pub count: u64,
    /// The first of them.
    pub users: Vec<UserId>,
}

impl MessageView {
    /// A message, as it is shown.
    #[must_use]
    pub fn of(stored: StoredMessage) -> Self {
        let (event, content) = match stored.deleted {
            Some(_) => (None, Content::default()),
            None => {
                let content = Content::of(&stored.payload, stored.format, stored.metadata);
                (stored.event, content)
            }
        };
        let replies = stored.replies;
        Self {
            message_id: stored.sequence.to_string(),
            room_id: stored.room,
            user_id: stored.user,
            thread_id: stored.thread.map(|thread| thread.to_string()),
            event,
            content,
            sent_at: timestamp(stored.at),
            edited_at: stored.edited_at.map(timestamp),
            edits: stored.edits,
            deleted: stored.deleted.map(|deletion| DeletionView {
                at: timestamp(deletion.at),
                by: deletion.by,
            }),
            replies: (replies.count > 0).then(|| RepliesView {
                count: replies.count,
                last_at: timestamp(replies.last_at),
            }),
            reactions: stored.reactions.into_iter().map(reaction).collect(),
        }
    }
}

impl RevisionView {
    /// An revision, as it is shown.
    #[must_use]
    pub fn of(revision: Revision) -> Self {
        Self {
            content: Content::of(&revision.payload, revision.format, revision.metadata),
            until: timestamp(revision.until),
            by: revision.by,
        }
    }
}

impl Content {
    fn of(payload: &[u8], format: Format, metadata: Option<Metadata>) -> Self {
        let mut content = Self {
            metadata,
            ..Self::default()
        };
        match (format, str::from_utf8(payload)) {
            (Format::Text, Ok(text)) => match RawValue::from_string(text.to_owned()) {
                Ok(json) => content.data = Some(json),
                Err(_) => content.text = Some(text.to_owned()),
            },
            _ => content.base64 = Some(BASE64.encode(payload)),
        }
        content
    }
}

fn reaction(counted: ReactionCount) -> ReactionView {
    ReactionView {
        reaction: counted.reaction,
        count: counted.count,
        users: counted.users,
    }
}

pub(super) fn timestamp(millis: u64) -> Timestamp {
    Timestamp::since_unix_epoch(Duration::from_millis(millis))
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(edits: &u32) -> bool {
    *edits == 0
}
