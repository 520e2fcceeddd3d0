//! How much may wait.

use super::*;

#[test]
fn what_waits_is_bounded_in_number_and_in_bytes() {
    let (count, bytes) = (4, 100);
    let queue = Queue::new(Most { count, bytes });
    let is_taken = |bytes| queue.push('x', bytes).is_ok();
    assert!(is_taken(1000), "more than may wait, alone");
    assert!(!is_taken(1), "not beside it");
    assert!(is_taken(0), "what has no payload");
    assert_eq!(queue.take(9, 9).unwrap().len(), 1, "enough for once");
    assert!(is_taken(60) && !is_taken(41) && is_taken(40) && is_taken(0) && !is_taken(0));
    assert_eq!(queue.take(3, 1000).unwrap().len(), 3);
    assert_eq!(queue.take(3, 1000).unwrap().len(), 1);
    assert!(is_taken(100));
    queue.end();
    assert!(matches!(queue.push('x', 0), Err((_, Refusal::Ended))));
    assert_eq!(queue.take(1, 0).map(|it| it.len()), Some(1));
    assert_eq!(queue.take(1, 0), None);
}
