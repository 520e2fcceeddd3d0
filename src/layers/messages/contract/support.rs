//! Words that the cases are told in.

use crate::layers::messages::error::StoreError;
use crate::layers::messages::query::MessageQuery;
use crate::layers::messages::query::MessageSearch;
use crate::layers::messages::query::Page;
use crate::layers::messages::record::NewMessage;
use crate::layers::messages::record::StoredMessage;
use crate::layers::messages::store::Change;
use crate::layers::messages::store::MessageStore;
use crate::layers::messages::store::Written;
use crate::layers::name::EventName;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::message::Format;

pub(in super::super) fn room(id: &str) -> RoomId {
    RoomId::parse(id).unwrap()
}

pub(in super::super) fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

pub(in super::super) fn text(in_room: &str, says: &str, at: u64) -> NewMessage {
    NewMessage::text(room(in_room), says.to_owned(), at)
}

pub(in super::super) fn by(name: &str, mut draft: NewMessage) -> NewMessage {
    draft.user = Some(user(name));
    draft
}

pub(in super::super) fn called(event: &str, mut draft: NewMessage) -> NewMessage {
    draft.event = Some(EventName::parse(event).unwrap());
    draft
}

pub(in super::super) fn answer(thread: u64, mut draft: NewMessage) -> NewMessage {
    draft.thread = Some(thread);
    draft
}

pub(in super::super) fn numbered(sequence: u64, mut draft: NewMessage) -> NewMessage {
    draft.sequence = Some(sequence);
    draft
}

pub(in super::super) fn write(
    store: &dyn MessageStore,
    change: Change,
) -> Result<Written, StoreError> {
    let mut results = store.write(vec![change]);
    assert_eq!(results.len(), 1, "one answer to one change");
    results.remove(0)
}

pub(in super::super) fn try_save(
    store: &dyn MessageStore,
    draft: NewMessage,
) -> Result<StoredMessage, StoreError> {
    write(store, Change::Save(draft)).map(message)
}

pub(in super::super) fn save(store: &dyn MessageStore, draft: NewMessage) -> StoredMessage {
    try_save(store, draft).unwrap()
}

/// Saves `m1`, `m2`, ... in a room, a millisecond apart.
pub(in super::super) fn save_many(
    store: &dyn MessageStore,
    in_room: &str,
    count: u64,
) -> Vec<StoredMessage> {
    let drafts = (1..=count).map(|n| text(in_room, &format!("m{n}"), n));
    let results = store.write(drafts.map(Change::Save).collect());
    let saved: Vec<_> = results.into_iter().map(|it| message(it.unwrap())).collect();
    assert_eq!(saved.len() as u64, count);
    saved
}

pub(in super::super) fn message(written: Written) -> StoredMessage {
    match written {
        Written::Message(message) => *message,
        other => panic!("not a message: {other:?}"),
    }
}

pub(in super::super) fn edit(in_room: &str, sequence: u64, says: &str, at: u64) -> Change {
    Change::Edit {
        room: room(in_room),
        sequence,
        payload: says.to_owned().into(),
        format: Format::Text,
        metadata: None,
        by: Some(user("editor")),
        at,
        max_revisions: 10,
        only_by: None,
        sent_since: None,
    }
}

pub(in super::super) fn delete(in_room: &str, sequence: u64, at: u64) -> Change {
    Change::Delete {
        room: room(in_room),
        sequence,
        by: Some(user("moderator")),
        at,
        only_by: None,
    }
}

pub(in super::super) fn react(in_room: &str, sequence: u64, name: &str, reaction: &str) -> Change {
    Change::React {
        room: room(in_room),
        sequence,
        user: user(name),
        reaction: reaction.into(),
        max_reactions: 4,
    }
}

pub(in super::super) fn unreact(
    in_room: &str,
    sequence: u64,
    name: &str,
    reaction: &str,
) -> Change {
    Change::Unreact {
        room: room(in_room),
        sequence,
        user: user(name),
        reaction: reaction.into(),
    }
}

pub(in super::super) fn get(
    store: &dyn MessageStore,
    in_room: &str,
    sequence: u64,
) -> Option<StoredMessage> {
    store.get(&room(in_room), sequence).unwrap()
}

pub(in super::super) fn page(store: &dyn MessageStore, query: &MessageQuery) -> Page {
    store.page(query).unwrap()
}

pub(in super::super) fn search(
    store: &dyn MessageStore,
    terms: &str,
    rooms: &[&str],
) -> MessageSearch {
    let rooms = rooms.iter().map(|id| room(id)).collect();
    let search = MessageSearch::new(terms.parse().unwrap(), rooms);
    assert!(store.search(&search).is_ok(), "{terms}");
    search
}

/// What a search finds in a room, as numbers.
pub(in super::super) fn found(store: &dyn MessageStore, terms: &str, in_room: &str) -> Vec<u64> {
    numbers(&store.search(&search(store, terms, &[in_room])).unwrap())
}

pub(in super::super) fn numbers(page: &Page) -> Vec<u64> {
    page.messages.iter().map(|it| it.sequence).collect()
}

pub(in super::super) fn says(message: &StoredMessage) -> &str {
    std::str::from_utf8(&message.payload).unwrap()
}
