//! Threads: answers to a message, counted with it.

use super::support::answer;
use super::support::by;
use super::support::delete;
use super::support::get;
use super::support::message;
use super::support::numbers;
use super::support::page;
use super::support::room;
use super::support::save;
use super::support::text;
use super::support::try_save;
use super::support::user;
use super::support::write;
use crate::layers::messages::error::StoreError;
use crate::layers::messages::query::MessageQuery;
use crate::layers::messages::query::Scope;
use crate::layers::messages::record::Replies;
use crate::layers::messages::store::Change;
use crate::layers::messages::store::MessageStore;
use crate::layers::messages::store::Written;

fn replies(store: &dyn MessageStore, sequence: u64) -> (u64, u64) {
    let Replies { count, last_at } = get(store, "a", sequence).unwrap().replies;
    (count, last_at)
}

fn answers(store: &dyn MessageStore, thread: u64) -> Vec<u64> {
    numbers(&page(
        store,
        &MessageQuery::new(Scope::Thread(room("a"), thread)),
    ))
}

pub(in super::super) fn an_answer_to_an_answer_joins_its_thread(store: &dyn MessageStore) {
    save(store, text("a", "root", 1));
    save(store, text("a", "other root", 2));
    assert_eq!(save(store, answer(1, text("a", "m", 3))).thread, Some(1));
    assert_eq!(save(store, answer(3, text("a", "m", 4))).thread, Some(1));
    assert_eq!(save(store, answer(4, text("a", "m", 2))).at, 4);
    assert_eq!(save(store, answer(2, text("a", "m", 9))).thread, Some(2));
    assert_eq!(get(store, "a", 5).unwrap().thread, Some(1));
    assert_eq!(
        (answers(store, 1), replies(store, 1)),
        (vec![5, 4, 3], (3, 4))
    );
    assert_eq!((answers(store, 2), replies(store, 2)), (vec![6], (1, 9)));
    assert_eq!((answers(store, 3), replies(store, 3)), (vec![], (0, 0)));
    assert_eq!(
        numbers(&page(store, &MessageQuery::room(room("a")))).len(),
        6
    );
}

pub(in super::super) fn unknown_threads_are_refused(store: &dyn MessageStore) {
    save(store, text("a", "root", 1));
    save(store, answer(1, text("a", "answer", 2)));
    save(store, text("a", "other root", 3));
    save(store, answer(3, text("a", "answer", 4)));
    write(store, delete("a", 1, 5)).unwrap();
    write(store, delete("a", 4, 5)).unwrap();
    let cases = [
        ("a", 0, "was never"),
        ("a", 5, "is not yet"),
        ("b", 1, "is elsewhere"),
        ("a", 1, "was deleted"),
        ("a", 4, "was deleted, an answer"),
        ("a", 2, "its thread was deleted"),
    ];
    for (place, thread, why) in cases {
        let refused = try_save(store, answer(thread, text(place, "no", 6)));
        assert_eq!(refused, Err(StoreError::UnknownThread), "{why}");
    }
    assert_eq!(save(store, answer(3, text("a", "yes", 6))).sequence, 5);
    assert_eq!(answers(store, 1), [2], "its answers stay");
    assert_eq!(store.last_sequence(&room("b")), Ok(0));
}

pub(in super::super) fn deleted_answers_count_no_more(store: &dyn MessageStore) {
    save(store, text("a", "root", 1));
    for at in [2, 3, 4] {
        save(store, answer(1, text("a", "answer", at)));
    }
    let deleted = message(write(store, delete("a", 4, 9)).unwrap());
    assert_eq!((deleted.sequence, deleted.thread), (4, Some(1)));
    assert_eq!(replies(store, 1), (2, 4));
    assert_eq!(write(store, delete("a", 4, 9)), Ok(Written::Nothing));
    assert_eq!(replies(store, 1), (2, 4), "only once");
    write(store, delete("a", 1, 10)).unwrap();
    write(store, delete("a", 2, 11)).unwrap();
    assert_eq!(replies(store, 1), (1, 4), "of one that is deleted itself");
    assert_eq!(answers(store, 1), [4, 3, 2], "listed as deleted");
}

pub(in super::super) fn forgotten_answers_count_no_more(store: &dyn MessageStore) {
    save(store, by("ada", text("a", "root", 1)));
    for name in ["bob", "ada", "bob", "eve"] {
        save(store, answer(1, by(name, text("a", "answer", 2))));
    }
    write(store, delete("a", 4, 5)).unwrap();
    assert_eq!(replies(store, 1), (3, 2));
    let gone = write(store, Change::ForgetUser(user("bob")));
    assert_eq!(gone, Ok(Written::Removed(2)));
    assert_eq!((answers(store, 1), replies(store, 1).0), (vec![5, 3], 2));
    let gone = write(store, Change::ForgetUser(user("ada")));
    assert_eq!(gone, Ok(Written::Removed(2)));
    assert_eq!(answers(store, 1), [5], "without its first message");
    assert_eq!(get(store, "a", 5).unwrap().thread, Some(1));
    for thread in [1, 5] {
        let refused = try_save(store, answer(thread, text("a", "no", 6)));
        assert_eq!(refused, Err(StoreError::UnknownThread), "{thread}");
    }
}
