//! Saving: which number a message gets, and which it may ask for.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::thread;

use serde_json::json;

use super::support::answer;
use super::support::by;
use super::support::get;
use super::support::message;
use super::support::numbered;
use super::support::numbers;
use super::support::page;
use super::support::room;
use super::support::save;
use super::support::says;
use super::support::text;
use super::support::try_save;
use super::support::user;
use super::support::write;
use crate::layers::messages::error::StoreError;
use crate::layers::messages::query::MessageQuery;
use crate::layers::messages::record::NewMessage;
use crate::layers::messages::record::Replies;
use crate::layers::messages::store::Change;
use crate::layers::messages::store::MessageStore;
use crate::layers::metadata::Metadata;
use crate::message::Format;

pub(in super::super) fn numbers_count_from_one_in_each_room(store: &dyn MessageStore) {
    assert_eq!(store.last_sequence(&room("a")), Ok(0));
    let mut last_id = 0;
    for (place, sequence) in [("a", 1), ("a", 2), ("b", 1), ("a", 3), ("b", 2)] {
        let saved = save(store, text(place, "hello", 1));
        assert_eq!(saved.sequence, sequence, "in {place}");
        assert_eq!(store.last_sequence(&room(place)), Ok(sequence));
        assert!(saved.id > last_id, "ids grow over all rooms");
        last_id = saved.id;
    }
    assert_eq!(store.last_sequence(&room("c")), Ok(0));
    let stats = store.stats().unwrap();
    assert_eq!((stats.messages, stats.rooms), (5, 2));
    assert!(stats.bytes > 0);
}

pub(in super::super) fn what_is_saved_is_read_again(store: &dyn MessageStore) {
    let about = json!({"lang": "en", "n": [1, 2.5, null]});
    let mut draft = by("ada", text("a", "", 77));
    draft.payload = vec![0, 255, 7].into();
    draft.format = Format::Binary;
    draft.metadata = Some(Metadata::new(about.as_object().unwrap().clone()).unwrap());
    let saved = save(store, draft.clone());
    assert_eq!(get(store, "a", 1).as_ref(), Some(&saved));
    assert_eq!(
        (saved.room, saved.user, saved.thread, saved.at),
        (room("a"), Some(user("ada")), None, 77)
    );
    assert_eq!(
        (saved.payload, saved.format, saved.metadata),
        (draft.payload, Format::Binary, draft.metadata)
    );
    assert_eq!(
        (saved.edited_at, saved.edits, saved.deleted),
        (None, 0, None)
    );
    assert_eq!(
        (saved.replies, saved.reactions),
        (Replies::default(), vec![])
    );
    for (place, sequence) in [("a", 0), ("a", 2), ("b", 1), ("a", u64::MAX)] {
        assert_eq!(get(store, place, sequence), None);
    }
}

pub(in super::super) fn concurrent_saves_get_numbers_of_their_own(store: &dyn MessageStore) {
    let rooms: Vec<_> = (0..10).map(|n| format!("r{n}")).collect();
    let (rooms, start) = (&rooms, &Barrier::new(30));
    let given: Vec<Vec<u64>> = thread::scope(|scope| {
        let save_in_each = move || {
            start.wait();
            let saved = rooms.iter().map(|of| save(store, text(of, "m", 1)));
            saved.map(|it| it.sequence).collect()
        };
        let threads: Vec<_> = (0..30).map(|_| scope.spawn(save_in_each)).collect();
        threads.into_iter().map(|it| it.join().unwrap()).collect()
    });
    for (n, of) in rooms.iter().enumerate() {
        let numbers: BTreeSet<_> = given.iter().map(|it| it[n]).collect();
        assert_eq!(numbers, (1..=30).collect());
        assert_eq!(
            page(store, &MessageQuery::room(room(of))).messages.len(),
            30
        );
    }
}

pub(in super::super) fn a_given_number_must_be_greater_than_all(store: &dyn MessageStore) {
    save(store, text("a", "one", 1));
    assert_eq!(save(store, numbered(10, text("a", "ten", 1))).sequence, 10);
    assert_eq!(save(store, text("a", "after", 1)).sequence, 11);
    for refused in [0, 1, 5, 10, 11] {
        let result = try_save(store, numbered(refused, text("a", "no", 1)));
        assert_eq!(result, Err(StoreError::Sequence), "{refused}");
    }
    assert_eq!(save(store, numbered(12, text("a", "next", 1))).sequence, 12);
    let all = page(store, &MessageQuery::room(room("a")));
    assert_eq!(numbers(&all), [12, 11, 10, 1]);
    assert_eq!(save(store, numbered(3, text("b", "other", 1))).sequence, 3);
    assert_eq!(get(store, "a", 10).as_ref().map(says), Some("ten"));
}

/// A number that leaves no room for others must not end the counting of a room that clients can
/// write to, nor overflow.
pub(in super::super) fn numbers_beyond_the_greatest_are_refused(store: &dyn MessageStore) {
    const MAX: u64 = NewMessage::MAX_SEQUENCE;
    save(store, text("a", "one", 1));
    for refused in [MAX + 1, i64::MAX.cast_unsigned(), 1 << 63, u64::MAX] {
        let result = try_save(store, numbered(refused, text("a", "no", 1)));
        assert_eq!(result, Err(StoreError::Sequence), "{refused}");
    }
    assert_eq!(save(store, text("a", "two", 1)).sequence, 2);
    assert_eq!(
        save(store, numbered(MAX, text("a", "last", 1))).sequence,
        MAX
    );
    for draft in [text("a", "no", 1), numbered(MAX, text("a", "no", 1))] {
        assert_eq!(try_save(store, draft), Err(StoreError::Sequence));
    }
    assert_eq!(get(store, "a", MAX).as_ref().map(says), Some("last"));
    assert_eq!(store.last_sequence(&room("a")), Ok(MAX));
}

pub(in super::super) fn no_message_is_older_than_the_one_before(store: &dyn MessageStore) {
    let times = [5, 3, 9, 0, 9, 10].map(|at| save(store, text("a", "m", at)).at);
    assert_eq!(times, [5, 5, 9, 9, 9, 10]);
    assert_eq!(save(store, text("b", "m", 1)).at, 1, "each room for itself");
}

pub(in super::super) fn a_failing_change_leaves_the_others_made(store: &dyn MessageStore) {
    let results = store.write(vec![
        Change::Save(text("a", "one", 1)),
        Change::Save(numbered(1, text("a", "refused", 1))),
        Change::Save(answer(7, text("b", "refused", 1))),
        Change::Save(text("a", "two", 1)),
        Change::Room {
            room: room("a"),
            snapshot: Some("it".into()),
        },
        Change::Save(answer(1, text("a", "three", 1))),
    ]);
    let mut results = results.into_iter();
    let mut next = || results.next().unwrap();
    assert_eq!(message(next().unwrap()).sequence, 1);
    assert_eq!(next(), Err(StoreError::Sequence));
    assert_eq!(next(), Err(StoreError::UnknownThread));
    assert_eq!(message(next().unwrap()).sequence, 2);
    assert!(next().is_ok());
    assert_eq!(message(next().unwrap()).thread, Some(1));
    assert_eq!(results.next(), None);
    assert_eq!(
        numbers(&page(store, &MessageQuery::room(room("a")))),
        [3, 2, 1]
    );
    assert_eq!(store.last_sequence(&room("b")), Ok(0), "nothing is left");
    assert_eq!(store.stats().map(|it| (it.messages, it.rooms)), Ok((3, 1)));
    assert_eq!(store.write(Vec::new()), []);
    assert!(write(store, Change::Save(text("b", "b", 1))).is_ok());
}
