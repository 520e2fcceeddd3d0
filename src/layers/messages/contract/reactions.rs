//! Reactions: of each user once, counted, in order.

use std::thread;

use super::support::delete;
use super::support::get;
use super::support::page;
use super::support::react;
use super::support::room;
use super::support::save_many;
use super::support::unreact;
use super::support::user;
use super::support::write;
use crate::layers::messages::error::StoreError;
use crate::layers::messages::query::MessageQuery;
use crate::layers::messages::record::ReactionCount;
use crate::layers::messages::store::MessageStore;
use crate::layers::messages::store::Written;

fn count(store: &dyn MessageStore, sequence: u64) -> Vec<(String, u64)> {
    let message = get(store, "a", sequence).unwrap();
    let counts = message.reactions.into_iter();
    counts.map(|it| (it.reaction.into(), it.count)).collect()
}

pub(in super::super) fn a_reaction_counts_once_for_each_user(store: &dyn MessageStore) {
    save_many(store, "a", 2);
    let give = |name, reaction| write(store, react("a", 1, name, reaction));
    let take = |name, reaction| write(store, unreact("a", 1, name, reaction));
    assert_eq!(give("ada", "+"), Ok(Written::Reaction(1)));
    assert_eq!(give("ada", "+"), Ok(Written::Nothing));
    assert_eq!(give("bob", "+"), Ok(Written::Reaction(2)));
    assert_eq!(give("ada", "-"), Ok(Written::Reaction(1)));
    assert_eq!(count(store, 1), [("+".into(), 2), ("-".into(), 1)]);
    assert_eq!(count(store, 2), [], "only that message has it");
    let row = page(store, &MessageQuery::room(room("a"))).messages.pop();
    assert_eq!(row, get(store, "a", 1));

    assert_eq!(take("eve", "+"), Ok(Written::Nothing));
    assert_eq!(take("ada", "?"), Ok(Written::Nothing));
    assert_eq!(take("ada", "+"), Ok(Written::Reaction(1)));
    assert_eq!(take("ada", "+"), Ok(Written::Nothing));
    assert_eq!(take("bob", "+"), Ok(Written::Reaction(0)));
    assert_eq!(count(store, 1), [("-".into(), 1)]);
    assert_eq!(store.stats().unwrap().messages, 2);
}

pub(in super::super) fn reactions_are_in_order_of_their_first(store: &dyn MessageStore) {
    save_many(store, "a", 1);
    for (name, reaction) in [("eve", "z"), ("bob", "a"), ("ada", "z"), ("ada", "m")] {
        write(store, react("a", 1, name, reaction)).unwrap();
    }
    let listed = |reaction: &str, names: &[&str]| ReactionCount {
        reaction: reaction.into(),
        count: names.len() as u64,
        users: names.iter().map(|name| user(name)).collect(),
    };
    let now = || get(store, "a", 1).unwrap().reactions;
    let [z, a, m] = [
        listed("z", &["eve", "ada"]),
        listed("a", &["bob"]),
        listed("m", &["ada"]),
    ];
    assert_eq!(now(), [z, a.clone(), m.clone()]);
    write(store, unreact("a", 1, "eve", "z")).unwrap();
    assert_eq!(now(), [a.clone(), listed("z", &["ada"]), m.clone()]);
    write(store, react("a", 1, "eve", "z")).unwrap();
    assert_eq!(now(), [a, listed("z", &["ada", "eve"]), m]);
}

pub(in super::super) fn different_reactions_are_limited(store: &dyn MessageStore) {
    save_many(store, "a", 1);
    for reaction in ["1", "2", "3", "4"] {
        write(store, react("a", 1, "ada", reaction)).unwrap();
    }
    let limit = StoreError::TooMany {
        what: "reactions",
        limit: 4,
    };
    let give = |name, reaction| write(store, react("a", 1, name, reaction));
    assert_eq!(give("bob", "5"), Err(limit));
    assert_eq!(give("bob", "4"), Ok(Written::Reaction(2)));
    assert_eq!(give("ada", "4"), Ok(Written::Nothing));
    write(store, unreact("a", 1, "ada", "1")).unwrap();
    assert_eq!(give("bob", "5"), Ok(Written::Reaction(1)));
    assert_eq!(count(store, 1).len(), 4);
}

pub(in super::super) fn concurrent_reactions_are_all_counted(store: &dyn MessageStore) {
    save_many(store, "a", 1);
    thread::scope(|scope| {
        for n in 0..16 {
            scope.spawn(move || {
                for turn in 0..10 {
                    let name = format!("u{n}-{turn}");
                    write(store, react("a", 1, &name, "+")).unwrap();
                    write(store, react("a", 1, &name, "+")).unwrap();
                    write(store, react("a", 1, &name, "-")).unwrap();
                    write(store, unreact("a", 1, &name, "-")).unwrap();
                }
            });
        }
    });
    assert_eq!(count(store, 1), [("+".into(), 160)]);
    let mut users = store.reactors(&room("a"), 1, "+", None, 1000).unwrap();
    users.sort();
    users.dedup();
    assert_eq!(users.len(), 160);
}

pub(in super::super) fn reactors_are_given_page_by_page(store: &dyn MessageStore) {
    save_many(store, "a", 1);
    let names: Vec<_> = (0..40).map(|n| user(&format!("u{}", 99 - n))).collect();
    for name in &names {
        write(store, react("a", 1, name, "+")).unwrap();
    }
    let listed = get(store, "a", 1).unwrap().reactions.remove(0);
    assert_eq!(listed.count, 40);
    assert_eq!(listed.users, names[..ReactionCount::USERS]);
    let ask = |after: Option<&_>, limit| store.reactors(&room("a"), 1, "+", after, limit);
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let users = ask(after.as_ref(), 7).unwrap();
        after = users.last().cloned();
        if users.is_empty() {
            break;
        }
        seen.extend(users);
    }
    assert_eq!(seen, names);
    let taken = write(store, unreact("a", 1, &names[20], "+"));
    assert_eq!(taken, Ok(Written::Reaction(39)));
    assert_eq!(ask(Some(&names[19]), 2).unwrap(), names[21..23]);
    assert_eq!(ask(Some(&names[20]), 2), Ok(vec![]));
    let again = write(store, react("a", 1, &names[19], "+"));
    assert_eq!(again, Ok(Written::Nothing));
    assert_eq!(ask(Some(&user("nobody")), 7), Ok(vec![]));
    assert_eq!(store.reactors(&room("a"), 1, "-", None, 7), Ok(vec![]));
    let unknown = store.reactors(&room("a"), 2, "+", None, 7);
    assert_eq!(unknown, Err(StoreError::UnknownMessage));
}

pub(in super::super) fn what_cannot_be_reacted_to_says_why(store: &dyn MessageStore) {
    save_many(store, "a", 1);
    write(store, react("a", 1, "ada", "+")).unwrap();
    write(store, delete("a", 1, 5)).unwrap();
    let refused = write(store, react("a", 1, "bob", "+"));
    assert_eq!(refused, Err(StoreError::Deleted));
    assert_eq!(count(store, 1), [("+".into(), 1)], "those before stay");
    for (place, sequence) in [("a", 0), ("a", 2), ("b", 1)] {
        let refused = write(store, react(place, sequence, "bob", "+"));
        assert_eq!(refused, Err(StoreError::UnknownMessage));
        let refused = write(store, unreact(place, sequence, "ada", "+"));
        assert_eq!(refused, Err(StoreError::UnknownMessage));
    }
    let taken = write(store, unreact("a", 1, "ada", "+"));
    assert_eq!(taken, Ok(Written::Reaction(0)), "may be taken back");
    let taken = write(store, unreact("a", 1, "ada", "+"));
    assert_eq!(taken, Ok(Written::Nothing));
}
