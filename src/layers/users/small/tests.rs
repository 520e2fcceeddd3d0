//! A small map against a B-tree.

use std::collections::BTreeMap;
use std::mem::size_of;

use proptest::collection::vec;
use proptest::prelude::*;

use super::FEW;
use super::SmallMap;

/// Enough to pass the limit in both directions.
const KEYS: u8 = 24;

#[derive(Clone, Debug)]
enum Step {
    Insert(u8, u8),
    Remove(u8),
    Set(u8, u8),
}

fn step() -> impl Strategy<Value = Step> {
    let key = || 0..KEYS;
    prop_oneof![
        4 => (key(), any::<u8>()).prop_map(|(key, value)| Step::Insert(key, value)),
        3 => key().prop_map(Step::Remove),
        1 => (key(), any::<u8>()).prop_map(|(key, value)| Step::Set(key, value)),
    ]
}

proptest! {
    #[test]
    fn small_map_does_what_a_b_tree_does(steps in vec(step(), 0..200)) {
        let mut map = SmallMap::new();
        let mut model = BTreeMap::new();
        for step in steps {
            match step {
                Step::Insert(key, value) => {
                    prop_assert_eq!(map.insert(key, value), model.insert(key, value));
                }
                Step::Remove(key) => prop_assert_eq!(map.remove(&key), model.remove(&key)),
                Step::Set(key, value) => {
                    prop_assert_eq!(map.get_mut(&key), model.get_mut(&key));
                    if let (Some(mine), Some(its)) = (map.get_mut(&key), model.get_mut(&key)) {
                        (*mine, *its) = (value, value);
                    }
                }
            }
            prop_assert_eq!((map.len(), map.is_empty()), (model.len(), model.is_empty()));
            prop_assert!(map.keys().eq(model.keys()));
            prop_assert!(map.after(None).eq(model.iter()));
            for key in 0..KEYS {
                prop_assert!(map.after(Some(&key)).eq(model.range(key + 1..)));
                prop_assert_eq!(map.key(&key), model.get_key_value(&key).map(|(key, _)| key));
            }
        }
    }
}

#[test]
fn small_map_is_as_large_as_its_entries() {
    assert_eq!(size_of::<SmallMap<u64, u64>>(), 24);
    let mut map = SmallMap::new();
    for key in 0..FEW as u64 {
        map.insert(key, ());
        let SmallMap::Few(few) = &map else {
            panic!("a vector up to {FEW}");
        };
        assert_eq!(few.capacity(), few.len());
    }
    for key in 0..FEW as u64 {
        map.remove(&key);
        assert!(matches!(&map, SmallMap::Few(few) if few.capacity() == few.len()));
    }
}
