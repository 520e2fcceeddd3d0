//! Pairs against a vector of pairs.

use proptest::collection::vec;
use proptest::prelude::*;

use super::Pairs;

/// Texts short and long, with characters of more than one byte.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["\\PC{0,8}", "[a-zß水]{60,70}", "[a-z]{4090,4100}"]
}

proptest! {
    #[test]
    fn pairs_return_what_was_added_in_order(added in vec((text(), text()), 0..12)) {
        let texts: Vec<_> = added.iter().map(|(key, value)| (&**key, &**value)).collect();
        let pairs: Pairs = texts.iter().copied().collect();
        prop_assert_eq!(pairs.iter().collect::<Vec<_>>(), texts);
    }
}

#[test]
fn short_pairs_cost_their_bytes_and_two_more() {
    let mut pairs = Pairs::default();
    assert_eq!(pairs.held(), 0);
    pairs.push("address", "127.0.0.1");
    assert_eq!(pairs.held(), 2 + 7 + 9);
    pairs.push("agent", "curl/8.5.0");
    assert_eq!(pairs.held(), 2 + 7 + 9 + 2 + 5 + 10);
}
