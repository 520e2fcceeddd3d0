//! What is kept of one message.

use bytes::Bytes;
use serde_json::Value;

use crate::layers::messages::memory::reactions::Reactions;
use crate::layers::messages::record::Deletion;
use crate::layers::messages::record::NewMessage;
use crate::layers::messages::record::Replies;
use crate::layers::messages::record::Revision;
use crate::layers::metadata::Metadata;
use crate::layers::name::EventName;
use crate::layers::name::UserId;
use crate::message::Format;

/// What is kept of one message, besides its place in its room.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) user: Option<UserId>,
    pub(super) thread: Option<u64>,
    pub(super) payload: Bytes,
    pub(super) format: Format,
    pub(super) event: Option<EventName>,
    pub(super) metadata: Option<Metadata>,
    pub(super) edited_at: Option<u64>,
    pub(super) edits: u32,
    pub(super) deleted: Option<Deletion>,
    pub(super) replies: Replies,
    pub(super) revisions: Vec<Revision>,
    pub(super) reactions: Reactions,
    /// What all of this takes, about.
    pub(super) bytes: usize,
}

impl Kept {
    /// What a message takes, about, besides what it says: itself, and its places in the lists.
    const BYTES: usize = size_of::<Self>() + 256;

    /// What a draft will take.
    pub(super) fn bytes_of(draft: &NewMessage) -> usize {
        let event = draft.event.as_ref().map_or(0, |event| event.len());
        Self::BYTES + draft.payload.len() + event + weight(draft.metadata.as_ref())
    }

    /// Keeps a draft in that thread.
    pub(super) fn new(draft: NewMessage, thread: Option<u64>) -> Self {
        Self {
            bytes: Self::bytes_of(&draft),
            user: draft.user,
            thread,
            payload: own(&draft.payload),
            format: draft.format,
            event: draft.event,
            metadata: draft.metadata,
            edited_at: None,
            edits: 0,
            deleted: None,
            replies: Replies::default(),
            revisions: Vec::new(),
            reactions: Reactions::default(),
        }
    }

    /// What an edit with this payload and metadata will take on top.
    pub(super) fn bytes_of_edit(payload: &Bytes, metadata: Option<&Metadata>) -> usize {
        size_of::<Revision>() + payload.len() + weight(metadata)
    }

    /// Replaces what the message says, and keeps what it said.
    pub(super) fn edit(&mut self, new: Revision) {
        self.edits = self.edits.saturating_add(1);
        self.edited_at = Some(new.until);
        let metadata = match new.metadata {
            Some(metadata) => self.metadata.replace(metadata),
            None => self.metadata.clone(),
        };
        self.revisions.push(Revision {
            payload: std::mem::replace(&mut self.payload, own(&new.payload)),
            format: std::mem::replace(&mut self.format, new.format),
            metadata,
            until: new.until,
            by: new.by,
        });
    }
}

/// The same bytes alone: what is given may be a small part of a large buffer, which it would keep.
fn own(payload: &Bytes) -> Bytes {
    Bytes::copy_from_slice(payload)
}

/// What metadata takes, about.
fn weight(metadata: Option<&Metadata>) -> usize {
    const NODE: usize = 64;
    fn of(value: &Value) -> usize {
        NODE + match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
            Value::String(text) => text.len(),
            Value::Array(values) => values.iter().map(of).sum(),
            Value::Object(fields) => fields.iter().map(|(key, it)| key.len() + of(it)).sum(),
        }
    }
    let fields = metadata.into_iter().flat_map(|it| it.object().iter());
    fields.map(|(key, it)| NODE + key.len() + of(it)).sum()
}
