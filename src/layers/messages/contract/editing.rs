//! Edits, which replace what a message says, and deletions, which leave it as deleted.

use serde_json::json;

use super::support::by;
use super::support::delete;
use super::support::edit;
use super::support::found;
use super::support::get;
use super::support::message;
use super::support::numbers;
use super::support::page;
use super::support::room;
use super::support::save;
use super::support::save_many;
use super::support::says;
use super::support::text;
use super::support::user;
use super::support::write;
use crate::layers::messages::error::StoreError;
use crate::layers::messages::query::MessageQuery;
use crate::layers::messages::query::Order;
use crate::layers::messages::query::Scope;
use crate::layers::messages::record::Deletion;
use crate::layers::messages::store::Change;
use crate::layers::messages::store::MessageStore;
use crate::layers::messages::store::Written;
use crate::layers::metadata::Metadata;
use crate::message::Format;

fn about(lang: &str) -> Metadata {
    Metadata::new(json!({ "lang": lang }).as_object().unwrap().clone()).unwrap()
}

/// An edited message must not appear once as it was and once as it is.
pub(in super::super) fn an_edit_changes_one_row_in_place(store: &dyn MessageStore) {
    save(store, text("a", "before", 1));
    let mut draft = by("ada", text("a", "first words", 5));
    draft.metadata = Some(about("en"));
    let saved = save(store, draft);
    save(store, text("a", "after", 9));
    let edited = message(write(store, edit("a", 2, "second thoughts", 20)).unwrap());
    assert_eq!((says(&edited), edited.edits), ("second thoughts", 1));
    assert_eq!(
        (edited.edited_at, &edited.metadata),
        (Some(20), &saved.metadata)
    );
    assert_eq!(
        (edited.id, edited.sequence, edited.at, &edited.user),
        (saved.id, 2, 5, &saved.user)
    );
    assert_eq!(get(store, "a", 2).as_ref(), Some(&edited));

    let mut all = MessageQuery::room(room("a"));
    assert_eq!(numbers(&page(store, &all)), [3, 2, 1]);
    all.order = Order::OldestFirst;
    let oldest = page(store, &all).messages;
    assert_eq!(oldest.len(), 3);
    assert_eq!(oldest[1], edited);
    let of_ada = MessageQuery::new(Scope::User(user("ada"), vec![room("a")]));
    assert_eq!(page(store, &of_ada).messages, [edited]);
    assert_eq!(store.stats().unwrap().messages, 3);
    assert_eq!(store.last_sequence(&room("a")), Ok(3));
    assert_eq!(found(store, "first", "a"), [0; 0]);
    assert_eq!(found(store, "thoughts", "a"), [2]);
}

pub(in super::super) fn revisions_are_kept_in_order_up_to_their_limit(store: &dyn MessageStore) {
    let mut draft = text("a", "0", 1);
    draft.metadata = Some(about("en"));
    save(store, draft);
    let change = |n: u64| Change::Edit {
        room: room("a"),
        sequence: 1,
        payload: n.to_string().into(),
        format: if n == 2 { Format::Binary } else { Format::Text },
        metadata: (n == 2).then(|| about("de")),
        by: (n > 1).then(|| user("ada")),
        at: 10 * n,
        max_revisions: 3,
        only_by: None,
        sent_since: None,
    };
    for n in 1..=3 {
        let edited = message(write(store, change(n)).unwrap());
        assert_eq!(u64::from(edited.edits), n);
    }
    let limit = StoreError::TooMany {
        what: "revisions",
        limit: 3,
    };
    assert_eq!(write(store, change(4)), Err(limit));
    let now = get(store, "a", 1).unwrap();
    assert_eq!((says(&now), now.edits, now.edited_at), ("3", 3, Some(30)));
    assert_eq!(
        (now.format, now.metadata),
        (Format::Text, Some(about("de")))
    );

    let revisions = store.revisions(&room("a"), 1, usize::MAX).unwrap();
    let texts: Vec<_> = revisions.iter().map(|it| &it.payload[..]).collect();
    assert_eq!(texts, [b"0", b"1", b"2"]);
    let untils: Vec<_> = revisions.iter().map(|it| it.until).collect();
    assert_eq!(untils, [10, 20, 30]);
    let whose: Vec<_> = revisions.iter().map(|it| it.by.clone()).collect();
    assert_eq!(whose, [None, Some(user("ada")), Some(user("ada"))]);
    assert_eq!(revisions[2].format, Format::Binary);
    let langs: Vec<_> = revisions.into_iter().map(|it| it.metadata).collect();
    assert_eq!(langs, ["en", "en", "de"].map(|lang| Some(about(lang))));
}

pub(in super::super) fn of_revisions_the_newest_that_fit_are_given(store: &dyn MessageStore) {
    save(store, text("a", "0123456789", 1));
    for (at, says) in [(2, "a large one, of 24 bytes"), (3, "small"), (4, "last")] {
        write(store, edit("a", 1, says, at)).unwrap();
    }
    let given = |max_bytes| {
        let revisions = store.revisions(&room("a"), 1, max_bytes).unwrap();
        revisions.iter().map(|it| it.until).collect::<Vec<_>>()
    };
    assert_eq!(given(39), [2, 3, 4]);
    assert_eq!(given(38), [3, 4]);
    assert_eq!(
        given(28),
        [4],
        "none that is older than one that does not fit"
    );
    assert_eq!(given(0), [4]);
}

pub(in super::super) fn what_cannot_be_edited_says_why(store: &dyn MessageStore) {
    save_many(store, "a", 2);
    write(store, delete("a", 2, 3)).unwrap();
    for (place, sequence) in [("a", 0), ("a", 3), ("b", 1)] {
        let change = edit(place, sequence, "no", 5);
        assert_eq!(write(store, change), Err(StoreError::UnknownMessage));
        let change = delete(place, sequence, 5);
        assert_eq!(write(store, change), Err(StoreError::UnknownMessage));
        let revisions = store.revisions(&room(place), sequence, usize::MAX);
        assert_eq!(revisions, Err(StoreError::UnknownMessage));
    }
    assert_eq!(
        write(store, edit("a", 2, "no", 5)),
        Err(StoreError::Deleted)
    );
    assert_eq!(get(store, "a", 2).as_ref().map(says), Some("m2"));
    assert_eq!(store.revisions(&room("a"), 1, usize::MAX), Ok(vec![]));
}

pub(in super::super) fn a_deleted_message_stays_as_such(store: &dyn MessageStore) {
    save_many(store, "a", 3);
    write(store, edit("a", 2, "m2 again", 4)).unwrap();
    let deleted = message(write(store, delete("a", 2, 5)).unwrap());
    let deletion = Deletion {
        at: 5,
        by: Some(user("moderator")),
    };
    assert_eq!(deleted.deleted.as_ref(), Some(&deletion));
    assert_eq!((says(&deleted), deleted.edits), ("m2 again", 1));
    assert_eq!(write(store, delete("a", 2, 9)), Ok(Written::Nothing));
    assert_eq!(get(store, "a", 2).as_ref(), Some(&deleted));
    let all = page(store, &MessageQuery::room(room("a")));
    assert_eq!(numbers(&all), [3, 2, 1]);
    assert_eq!(all.messages[1], deleted);
    assert_eq!(store.revisions(&room("a"), 2, usize::MAX).unwrap().len(), 1);
    assert_eq!(found(store, "again", "a"), [0; 0]);
    assert_eq!(store.stats().unwrap().messages, 3);
    assert_eq!(save(store, text("a", "next", 6)).sequence, 4);
}

fn edit_if(only_by: Option<&str>, sent_since: Option<u64>, sequence: u64) -> Change {
    Change::Edit {
        room: room("a"),
        sequence,
        payload: "new".into(),
        format: Format::Text,
        metadata: None,
        by: None,
        at: 50,
        max_revisions: 1,
        only_by: only_by.map(user),
        sent_since,
    }
}

fn delete_if(only_by: &str, sequence: u64) -> Change {
    Change::Delete {
        room: room("a"),
        sequence,
        by: None,
        at: 50,
        only_by: Some(user(only_by)),
    }
}

pub(in super::super) fn a_condition_is_of_the_message_as_it_is_then(store: &dyn MessageStore) {
    save(store, by("ada", text("a", "of ada", 10)));
    save(store, text("a", "of nobody", 20));
    save(store, by("bob", text("a", "of bob", 20)));
    let refused = [
        (edit_if(Some("bob"), None, 1), StoreError::NotBy),
        (edit_if(Some("unheard of"), None, 1), StoreError::NotBy),
        (edit_if(Some("ada"), None, 2), StoreError::NotBy),
        (edit_if(Some("ada"), Some(11), 1), StoreError::TooOld),
        (edit_if(None, Some(21), 2), StoreError::TooOld),
        // Of several, the first that is not so.
        (edit_if(Some("bob"), Some(11), 1), StoreError::NotBy),
        (
            edit_if(Some("ada"), Some(11), 9),
            StoreError::UnknownMessage,
        ),
        (delete_if("bob", 1), StoreError::NotBy),
        (delete_if("unheard of", 1), StoreError::NotBy),
        (delete_if("ada", 2), StoreError::NotBy),
        (delete_if("ada", 9), StoreError::UnknownMessage),
    ];
    for (change, why) in refused {
        assert_eq!(write(store, change.clone()), Err(why), "{change:?}");
    }
    let said: Vec<_> = (1..=3).map(|n| get(store, "a", n).unwrap()).collect();
    assert_eq!(
        said.iter().map(says).collect::<Vec<_>>(),
        ["of ada", "of nobody", "of bob"]
    );
    write(store, edit_if(Some("ada"), Some(10), 1)).unwrap();
    assert_eq!(
        write(store, edit_if(Some("ada"), Some(11), 1)),
        Err(StoreError::TooOld),
        "before that it was edited too often"
    );
    // One list: each sees what those before it have done.
    let results = store.write(vec![
        edit_if(Some("bob"), Some(20), 3),
        delete_if("bob", 3),
        delete_if("bob", 3),
        delete_if("ada", 3),
        edit_if(Some("bob"), None, 3),
        edit_if(Some("ada"), None, 3),
    ]);
    let results: Vec<_> = results.into_iter().map(|it| it.map(drop)).collect();
    let (not_by, deleted) = (Err(StoreError::NotBy), Err(StoreError::Deleted));
    assert_eq!(
        results,
        [Ok(()), Ok(()), Ok(()), not_by.clone(), deleted, not_by]
    );
}
