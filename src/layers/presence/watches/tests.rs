//! The watches against a dull set of triples.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::TooMany;
use super::Watches;
use crate::id::ClientId;
use crate::layers::name::UserId;

const USERS: [&str; 4] = ["ada", "bob", "eve", "joe"];
const LIMIT: usize = 2;

#[derive(Clone, Debug)]
enum Operation {
    Add(usize, u64, usize),
    Remove(usize, u64, usize),
    RemoveConnection(usize, u64),
}

fn operation() -> impl Strategy<Value = Operation> {
    let who = 0..USERS.len();
    let (one, other) = (who.clone(), who.clone());
    prop_oneof![
        4 => (one.clone(), 0..2_u64, other.clone()).prop_map(|(w, c, u)| Operation::Add(w, c, u)),
        2 => (one, 0..2_u64, other).prop_map(|(w, c, u)| Operation::Remove(w, c, u)),
        1 => (who, 0..2_u64).prop_map(|(w, c)| Operation::RemoveConnection(w, c)),
    ]
}

fn user(index: usize) -> UserId {
    UserId::parse(USERS[index]).unwrap()
}

proptest! {
    #[test]
    fn both_ways_say_the_same(operations in vec(operation(), 1..80)) {
        let mut watches = Watches::default();
        let mut model = BTreeSet::<(usize, u64, usize)>::new();
        for operation in operations {
            match operation {
                Operation::Add(who, through, whom) => {
                    let mut watched: BTreeSet<_> = model
                        .iter()
                        .filter(|(watcher, ..)| *watcher == who)
                        .map(|(.., user)| *user)
                        .collect();
                    watched.insert(whom);
                    let added = watches.add(&user(who), ClientId::new(through), &user(whom), LIMIT);
                    if watched.len() > LIMIT {
                        prop_assert_eq!(added, Err(TooMany));
                    } else {
                        prop_assert_eq!(added, Ok(model.insert((who, through, whom))));
                    }
                }
                Operation::Remove(who, through, whom) => {
                    let did = watches.remove(&user(who), ClientId::new(through), &user(whom));
                    prop_assert_eq!(did, model.remove(&(who, through, whom)));
                }
                Operation::RemoveConnection(who, through) => {
                    let gone = watches.remove_connection(&user(who), ClientId::new(through));
                    let is_gone = |it: &(usize, u64, usize)| it.0 == who && it.1 == through;
                    let expected = model.iter().filter(|it| is_gone(it)).map(|it| user(it.2));
                    let expected: Vec<_> = expected.collect();
                    model.retain(|it| !is_gone(it));
                    prop_assert_eq!(gone, expected);
                }
            }
            check(&watches, &model)?;
        }
        for (who, through, whom) in model {
            watches.remove(&user(who), ClientId::new(through), &user(whom));
        }
        prop_assert!(watches.watching.is_empty() && watches.watchers.is_empty(), "nothing is left");
    }
}

fn check(watches: &Watches, model: &BTreeSet<(usize, u64, usize)>) -> Result<(), TestCaseError> {
    for one in 0..USERS.len() {
        let watching: BTreeSet<_> = model
            .iter()
            .filter(|it| it.0 == one)
            .map(|it| it.2)
            .collect();
        let watching: Vec<_> = watching.into_iter().map(user).collect();
        prop_assert_eq!(watches.watching(&user(one)), watching);
        let watchers: BTreeSet<_> = model
            .iter()
            .filter(|it| it.2 == one)
            .map(|it| it.0)
            .collect();
        let watchers: Vec<_> = watchers.into_iter().map(user).collect();
        prop_assert_eq!(&watches.watchers(&user(one), None, 10), &watchers);
        let rest = watches.watchers(&user(one), watchers.first(), 1);
        prop_assert_eq!(rest.first(), watchers.get(1));
        let around: BTreeSet<_> = watches.around(&user(one)).into_iter().collect();
        let mine = model.iter().filter(|it| it.0 == one || it.2 == one);
        let mine = mine.map(|it| (user(it.0), ClientId::new(it.1), user(it.2)));
        prop_assert_eq!(around, mine.collect::<BTreeSet<_>>());
    }
    for (who, through, whom) in model {
        prop_assert!(watches.has(&user(*who), ClientId::new(*through), &user(*whom)));
    }
    Ok(())
}
