//! What is remembered of those who have left, and for how long.

use super::Recent;
use crate::layers::name::UserId;

#[test]
fn what_is_over_is_forgotten_and_then_the_oldest() {
    let mut recent = Recent::default();
    for sent in 1..=5 {
        recent.put(&user(sent), sent, 0, 3);
    }
    assert_eq!(recent.take(&user(2)), None, "no more than three are kept");
    assert_eq!(recent.take(&user(5)), Some(5));
    assert_eq!(recent.take(&user(5)), None);
    recent.put(&user(9), 9, 3, 3);
    assert_eq!(recent.take(&user(3)), None, "it was over");
    assert_eq!(recent.take(&user(4)), Some(4));
    recent.put(&user(9), 10, 0, 3);
    assert_eq!(recent.by_time.len(), 1, "the latest of each");
    recent.clear();
    assert_eq!(recent.take(&user(9)), None);
    assert!(recent.by_user.is_empty() && recent.by_time.is_empty());
}

fn user(number: u64) -> UserId {
    UserId::parse(&format!("u{number}")).unwrap()
}
