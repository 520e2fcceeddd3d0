//! Each change, and what it refuses.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::layers::messages::Deletion;
use crate::layers::messages::Replies;
use crate::layers::messages::sqlite::known::MOST;
use crate::layers::metadata::Metadata;

#[test]
fn a_message_is_read_as_it_was_written() {
    let dir = Dir::new();
    let store = dir.open();
    let mut rich = draft("a", "ada", "héllo \0 world", 5);
    let object = json!({"k": [1, 2.5, "x"], "n": null})
        .as_object()
        .unwrap()
        .clone();
    rich.metadata = Some(Metadata::new(object).unwrap());
    let mut binary = NewMessage::text(room("a"), Bytes::from_static(&[0, 255, 7]), 6);
    binary.format = Format::Binary;
    let empty = NewMessage::text(room("a"), "", 7);
    for draft in [rich, binary, empty] {
        let saved = save(&store, draft.clone());
        assert_eq!(get(&store, "a", saved.sequence), saved);
        assert_eq!((saved.payload, saved.user), (draft.payload, draft.user));
    }
    assert_eq!(store.get(&room("a"), 4), Ok(None));
    assert_eq!(store.get(&room("b"), 1), Ok(None));
    assert_eq!(store.get(&room("a"), u64::MAX), Ok(None));
}

#[test]
fn numbers_count_by_room_and_ids_over_all() {
    let dir = Dir::new();
    let store = dir.open();
    let saved = ["a", "b", "a", "b"].map(|to| save(&store, draft(to, "ada", "x", 1)));
    assert_eq!(
        saved.each_ref().map(|message| message.sequence),
        [1, 1, 2, 2]
    );
    assert!(saved.is_sorted_by(|one, next| one.id < next.id));
    assert_eq!(store.last_sequence(&room("a")), Ok(2));
    assert_eq!(store.last_sequence(&room("c")), Ok(0));
}

#[test]
fn a_number_asked_for_must_be_greater() {
    let dir = Dir::new();
    let store = dir.open();
    let numbered = |sequence| {
        let mut draft = draft("a", "ada", "x", 1);
        draft.sequence = sequence;
        change(&store, Change::Save(draft))
    };
    assert_eq!(numbered(Some(0)), Err(StoreError::Sequence));
    assert_eq!(
        store.stats().unwrap().rooms,
        0,
        "no room for what was refused"
    );
    assert_eq!(message(numbered(Some(7))).sequence, 7);
    assert_eq!(numbered(Some(7)), Err(StoreError::Sequence));
    assert_eq!(message(numbered(None)).sequence, 8);
    assert_eq!(
        numbered(Some(NewMessage::MAX_SEQUENCE + 1)),
        Err(StoreError::Sequence)
    );
    assert_eq!(numbered(Some(u64::MAX)), Err(StoreError::Sequence));
    let greatest = message(numbered(Some(NewMessage::MAX_SEQUENCE)));
    assert_eq!(greatest.sequence, NewMessage::MAX_SEQUENCE);
    assert_eq!(numbered(None), Err(StoreError::Sequence));
}

#[test]
fn a_time_never_falls_within_a_room() {
    let dir = Dir::new();
    let store = dir.open();
    let at = |at| save(&store, draft("a", "ada", "x", at)).at;
    assert_eq!([at(5), at(3), at(6)], [5, 5, 6]);
    assert_eq!(save(&store, draft("b", "ada", "x", 1)).at, 1);
    let beyond = save(&store, draft("a", "ada", "x", u64::MAX));
    assert_eq!(get(&store, "a", 4), beyond);
}

#[test]
fn an_answer_to_an_answer_is_in_the_same_thread() {
    let dir = Dir::new();
    let store = dir.open();
    fill(&store, "a", "ada", 1);
    assert_eq!(save(&store, answer("a", 1, "bob", "x", 5)).thread, Some(1));
    assert_eq!(save(&store, answer("a", 2, "bob", "x", 6)).thread, Some(1));
    let replies = get(&store, "a", 1).replies;
    assert_eq!((replies.count, replies.last_at), (2, 6));
    assert_eq!(get(&store, "a", 2).replies, Replies::default());
    for (to, thread) in [("a", 9), ("b", 1)] {
        let saved = change(&store, Change::Save(answer(to, thread, "bob", "x", 7)));
        assert_eq!(saved, Err(StoreError::UnknownThread));
    }
    message(change(&store, delete("a", 2, 8)));
    let replies = get(&store, "a", 1).replies;
    assert_eq!((replies.count, replies.last_at), (1, 6));
    let late = change(&store, Change::Save(answer("a", 2, "bob", "x", 9)));
    assert_eq!(late, Err(StoreError::UnknownThread));
    message(change(&store, delete("a", 1, 9)));
    let late = change(&store, Change::Save(answer("a", 3, "bob", "x", 9)));
    assert_eq!(
        late,
        Err(StoreError::UnknownThread),
        "it ends with its first"
    );
}

#[test]
fn an_edit_keeps_what_was_said() {
    let dir = Dir::new();
    let store = dir.open();
    let mut first = draft("a", "ada", "one", 1);
    let object = json!({"k": 1}).as_object().unwrap().clone();
    first.metadata = Some(Metadata::new(object).unwrap());
    let saved = save(&store, first);
    let edited = message(change(&store, edit("a", 1, "two", 5)));
    assert_eq!((&edited.payload[..], edited.edits), (&b"two"[..], 1));
    assert_eq!(
        (edited.id, edited.at, edited.edited_at),
        (saved.id, 1, Some(5))
    );
    assert_eq!(edited.metadata, saved.metadata, "it was left");
    message(change(&store, edit("a", 1, "three", 6)));
    let revisions = store.revisions(&room("a"), 1, usize::MAX).unwrap();
    let said: Vec<_> = revisions
        .iter()
        .map(|revision| &revision.payload[..])
        .collect();
    assert_eq!(said, [&b"one"[..], b"two"]);
    assert_eq!(revisions[0].until, 5);
    assert_eq!(revisions[0].by, Some(user("ada")));
    assert_eq!(revisions[0].metadata, saved.metadata);
    message(change(&store, edit("a", 1, "four", 7)));
    let (what, limit) = ("revisions", 3);
    let fifth = change(&store, edit("a", 1, "five", 8));
    assert_eq!(fifth, Err(StoreError::TooMany { what, limit }));
    assert_eq!(
        change(&store, edit("a", 2, "x", 8)),
        Err(StoreError::UnknownMessage)
    );
    assert_eq!(
        store.revisions(&room("a"), 2, usize::MAX),
        Err(StoreError::UnknownMessage)
    );
}

#[test]
fn what_is_deleted_is_marked_once_and_not_changed_again() {
    let dir = Dir::new();
    let store = dir.open();
    fill(&store, "a", "ada", 1);
    message(change(&store, edit("a", 1, "new", 2)));
    change(&store, react("a", 1, "bob", "+")).unwrap();
    let deleted = message(change(&store, delete("a", 1, 5)));
    let by = Some(user("mod"));
    assert_eq!(deleted.deleted, Some(Deletion { at: 5, by }));
    assert_eq!(
        (&deleted.payload[..], deleted.reactions.len()),
        (&b"new"[..], 1)
    );
    assert_eq!(store.revisions(&room("a"), 1, usize::MAX).unwrap().len(), 1);
    assert_eq!(change(&store, delete("a", 1, 6)), Ok(Written::Nothing));
    assert_eq!(get(&store, "a", 1), deleted);
    for refused in [edit("a", 1, "x", 7), react("a", 1, "bob", "-")] {
        assert_eq!(change(&store, refused), Err(StoreError::Deleted));
    }
    let gone = change(&store, delete("a", 2, 6));
    assert_eq!(gone, Err(StoreError::UnknownMessage));
    assert_eq!(
        change(&store, unreact("a", 1, "bob", "+")),
        Ok(Written::Reaction(0))
    );
}

#[test]
fn what_is_known_has_a_bound() {
    let dir = Dir::new();
    let store = dir.open();
    let names = (0..MOST + 10).map(|n| format!("n {n}"));
    let drafts = names.map(|name| Change::Save(draft(&name, &name, "x", 1)));
    store
        .write(drafts.collect())
        .into_iter()
        .for_each(|written| drop(message(written)));
    let known = store.writer.lock().transact(|work| Ok(work.known.len()));
    assert_eq!(known, Ok((10, 10)));
    assert_eq!(save(&store, draft("n 0", "n 0", "x", 1)).sequence, 2);
    assert_eq!(save(&store, draft("n 8200", "n 0", "x", 1)).sequence, 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn numbers_in_metadata_stay_what_they_are(
        numbers in prop::collection::vec(any::<f64>(), 50),
        whole: u64,
    ) {
        let dir = Dir::new();
        let store = dir.open();
        let mut draft = draft("a", "ada", "x", 1);
        let object = json!({"n": numbers, "u": whole}).as_object().unwrap().clone();
        draft.metadata = Some(Metadata::new(object).unwrap());
        let saved = save(&store, draft);
        prop_assert_eq!(get(&store, "a", 1), saved);
    }
}
