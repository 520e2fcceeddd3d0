//! - Waiting doubles from 5 ms to 1 s.

use super::Backoff;

#[test]
fn each_wait_is_twice_the_last_up_to_a_second() {
    let mut backoff = Backoff::new();
    let waits: Vec<_> = (0..10).map(|_| backoff.wait().as_millis()).collect();
    assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
}
