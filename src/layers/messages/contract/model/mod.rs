//! A store against a dull model, a list of messages that is looked through from end to end:
//!
//! * every change has the same result;
//! * after it, each message, what was said before, and who has reacted is the same;
//! * so are the newest page, a page and a search of any kind, and what is unread.

mod dull;
mod steps;

use std::ops::Deref;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::Config;
use proptest::test_runner::TestRunner;

use self::dull::Dull;
use self::steps::Ask;
use self::steps::Step;
use super::support::found;
use super::support::numbers;
use crate::layers::messages::query::MessageQuery;
use crate::layers::messages::store::MessageStore;

pub(in super::super) fn agrees<H: Deref<Target: MessageStore + Sized>>(make: impl Fn() -> H) {
    drive(make, |store, model, step, ask| {
        apply(store, model, step)?;
        compare(store, model)?;
        compare_answers(store, model, ask)
    });
}

/// Makes the same changes to a store and its model, whatever they come to, and looks at the store
/// after each.
pub(in super::super) fn watch<H: Deref<Target: MessageStore + Sized>>(
    make: impl Fn() -> H,
    look: impl Fn(&H::Target),
) {
    drive(make, |store, model, step, _| {
        let _agrees = apply(store, model, step);
        look(store);
        Ok(())
    });
}

fn drive<H: Deref<Target: MessageStore + Sized>>(
    make: impl Fn() -> H,
    each: impl Fn(&H::Target, &mut Dull, Step, Ask) -> Result<(), TestCaseError>,
) {
    let config = Config {
        cases: 64,
        failure_persistence: None,
        ..Config::default()
    };
    let steps = vec((steps::step(), steps::ask()), 1..80);
    let result = TestRunner::new(config).run(&steps, |steps| {
        let (store, mut model) = (make(), Dull::default());
        let mut steps = steps.into_iter();
        steps.try_for_each(|(step, ask)| each(&store, &mut model, step, ask))
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

fn apply(store: &dyn MessageStore, model: &mut Dull, step: Step) -> Result<(), TestCaseError> {
    match step {
        Step::Change(change) => {
            let change = model.in_time(change);
            let results = store.write(vec![change.clone()]);
            let [result] = <[_; 1]>::try_from(results).unwrap();
            prop_assert_eq!(&result, &model.apply(&change, &result), "{:?}", change);
        }
        Step::Clean(retention) => {
            let cleaned = store.clean(model.now, &retention, usize::MAX).unwrap();
            prop_assert_eq!(cleaned.messages, model.clean(&retention));
            prop_assert!(!cleaned.more);
        }
    }
    Ok(())
}

fn compare(store: &dyn MessageStore, model: &Dull) -> Result<(), TestCaseError> {
    let stats = store.stats().unwrap();
    prop_assert_eq!((stats.messages, stats.rooms), model.stats());
    let mut rooms = store.rooms().unwrap();
    rooms.sort();
    prop_assert_eq!(rooms, model.snapshots());
    for room in steps::rooms() {
        let last = store.last_sequence(&room).unwrap();
        prop_assert_eq!(last, model.last(&room));
        for sequence in 0..=last.min(80) + 1 {
            let row = model.get(&room, sequence);
            prop_assert_eq!(store.get(&room, sequence), Ok(row.map(dull::Row::stored)));
            for most in [usize::MAX, 9] {
                let revisions = store.revisions(&room, sequence, most).ok();
                prop_assert_eq!(revisions, row.map(|row| row.newest_revisions(most)));
            }
            let reactors = store.reactors(&room, sequence, "+", None, 99).ok();
            prop_assert_eq!(reactors, row.map(|row| row.reactors("+")));
        }
        for who in steps::users() {
            let unread = store.unread(&room, &who, last / 2, 5);
            prop_assert_eq!(unread, Ok(model.unread(&room, &who, last / 2, 5)));
        }
        let newest = MessageQuery::room(room.clone());
        prop_assert_eq!(store.page(&newest), Ok(model.page(&newest)));
        let words = found(store, "red", &room);
        prop_assert_eq!(words, numbers(&model.search(&steps::search("red", &room))));
    }
    Ok(())
}

fn compare_answers(store: &dyn MessageStore, model: &Dull, ask: Ask) -> Result<(), TestCaseError> {
    match ask {
        Ask::Page(mut query) => {
            query.cursor = query.cursor.map(|cursor| model.near(cursor));
            let page = store.page(&query).unwrap();
            prop_assert_eq!(page, model.page(&query), "{:?}", query);
        }
        Ask::MessageSearch(mut search) => {
            search.cursor = search.cursor.map(|cursor| model.near(cursor));
            let page = store.search(&search).unwrap();
            prop_assert_eq!(page, model.search(&search), "{:?}", search);
        }
    }
    Ok(())
}
