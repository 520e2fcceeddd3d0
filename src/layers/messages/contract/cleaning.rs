//! Cleaning: what is too old or too much goes, bounded, and no number comes back.

use std::time::Duration;

use super::support::answer;
use super::support::by;
use super::support::found;
use super::support::get;
use super::support::numbers;
use super::support::page;
use super::support::react;
use super::support::room;
use super::support::save;
use super::support::save_many;
use super::support::text;
use super::support::try_save;
use super::support::user;
use super::support::write;
use crate::layers::messages::error::StoreError;
use crate::layers::messages::query::MessageQuery;
use crate::layers::messages::query::Scope;
use crate::layers::messages::store::MessageStore;
use crate::layers::messages::store::Retention;

fn retain(millis: Option<u64>, per_room: Option<u64>) -> Retention {
    Retention {
        max_age: millis.map(Duration::from_millis),
        max_per_room: per_room,
    }
}

fn clean(store: &dyn MessageStore, now: u64, retention: &Retention) -> u64 {
    let cleaned = store.clean(now, retention, 1000).unwrap();
    assert!(!cleaned.more);
    cleaned.messages
}

fn left(store: &dyn MessageStore, of: &str) -> Vec<u64> {
    numbers(&page(store, &MessageQuery::room(room(of))))
}

pub(in super::super) fn the_oldest_beyond_the_age_or_the_count_go(store: &dyn MessageStore) {
    for at in [100, 200, 300, 400, 500] {
        save(store, text("a", "m", at));
    }
    save_many(store, "b", 3);
    assert_eq!(clean(store, u64::MAX, &retain(None, None)), 0);
    assert_eq!(clean(store, 50, &retain(Some(100), None)), 0);
    assert_eq!(clean(store, 400, &retain(Some(200), None)), 4);
    assert_eq!(
        left(store, "a"),
        [5, 4, 3, 2],
        "200 is just as old as may be"
    );
    assert_eq!(left(store, "b"), [0; 0]);
    assert_eq!(clean(store, 400, &retain(None, Some(4))), 0);
    assert_eq!(clean(store, 400, &retain(None, Some(3))), 1);
    assert_eq!(left(store, "a"), [5, 4, 3]);
    save_many(store, "b", 2);
    assert_eq!(clean(store, 500, &retain(Some(150), Some(1))), 4);
    assert_eq!((left(store, "a"), left(store, "b")), (vec![5], vec![]));
    assert_eq!(clean(store, 500, &retain(None, Some(0))), 1);
    assert_eq!(store.stats().map(|it| (it.messages, it.rooms)), Ok((0, 0)));
    let ages = Retention {
        max_age: Some(Duration::MAX),
        max_per_room: Some(u64::MAX),
    };
    save_many(store, "a", 1);
    assert_eq!(clean(store, u64::MAX, &ages), 0);
}

pub(in super::super) fn what_one_turn_removes_is_bounded(store: &dyn MessageStore) {
    save_many(store, "a", 10);
    save_many(store, "b", 10);
    save_many(store, "c", 3);
    let retention = retain(Some(5), Some(4));
    let mut turns = Vec::new();
    loop {
        let cleaned = store.clean(12, &retention, 5).unwrap();
        turns.push(cleaned.messages);
        for of in ["a", "b", "c"] {
            let kept = left(store, of);
            let newest = store.last_sequence(&room(of)).unwrap();
            let expected: Vec<_> = (1..=newest).rev().take(kept.len()).collect();
            assert_eq!(kept, expected, "the oldest go first");
        }
        if !cleaned.more {
            break;
        }
        assert_eq!(cleaned.messages, 5);
        assert!(turns.len() < 10);
    }
    assert_eq!(turns.iter().sum::<u64>(), 15);
    assert_eq!((left(store, "a").len(), left(store, "c").len()), (4, 0));
}

pub(in super::super) fn counters_survive_cleaning(store: &dyn MessageStore) {
    save_many(store, "a", 5);
    let last_id = save_many(store, "b", 2)[1].id;
    assert_eq!(clean(store, 100, &retain(Some(1), None)), 7);
    assert_eq!(left(store, "a"), [0; 0]);
    assert_eq!(store.last_sequence(&room("a")), Ok(5));
    let next = save(store, text("a", "sixth", 100));
    assert_eq!(next.sequence, 6);
    assert!(next.id > last_id, "nor do ids");
    assert_eq!(save(store, text("b", "third", 100)).sequence, 3);
}

pub(in super::super) fn what_is_cleaned_away_leaves_nothing(store: &dyn MessageStore) {
    save(store, by("ada", text("a", "words", 1)));
    save(store, answer(1, by("ada", text("a", "more words", 50))));
    write(store, react("a", 1, "bob", "+")).unwrap();
    assert_eq!(clean(store, 60, &retain(Some(20), None)), 1);
    assert_eq!(get(store, "a", 1), None);
    assert_eq!(found(store, "words", "a"), [2]);
    for scope in [
        Scope::Thread(room("a"), 1),
        Scope::User(user("ada"), vec![room("a")]),
    ] {
        let found = page(store, &MessageQuery::new(scope));
        assert_eq!(numbers(&found), [2], "the answer stays");
        assert_eq!(found.messages[0].thread, Some(1));
    }
    let refused = write(store, react("a", 1, "ada", "+"));
    assert_eq!(refused, Err(StoreError::UnknownMessage));
    for thread in [1, 2] {
        let refused = try_save(store, answer(thread, text("a", "no", 60)));
        assert_eq!(refused, Err(StoreError::UnknownThread), "{thread}");
    }
    let unread = store.unread(&room("a"), &user("bob"), 0, 99);
    assert_eq!(unread, Ok(1));
}
