//! - New connections are counted in all and by address, and each second makes room for more.
//! - A connection for which there is no room in all is not counted for its address.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::Connects;
use crate::time::ManualClock;

fn connects(clock: &ManualClock, all: u32, per_ip: u32) -> Connects {
    let clock = Arc::new(clock.clone());
    Connects::new(clock, NonZeroU32::new(all), NonZeroU32::new(per_ip))
}

/// How many of `n` connections from there are admitted.
fn admitted(connects: &Connects, ip: Option<&str>, n: usize) -> usize {
    let ip = ip.map(|ip| ip.parse().unwrap());
    (0..n).filter(|_| connects.admit(ip)).count()
}

#[test]
fn without_limits_all_are_admitted() {
    let connects = connects(&ManualClock::new(), 0, 0);
    assert_eq!(admitted(&connects, Some("10.0.0.1"), 1000), 1000);
    assert_eq!(admitted(&connects, None, 1000), 1000);
}

#[test]
fn connections_are_counted_in_all() {
    let clock = ManualClock::new();
    let connects = connects(&clock, 10, 0);
    assert_eq!(admitted(&connects, Some("10.0.0.1"), 6), 6);
    assert_eq!(admitted(&connects, None, 6), 4);
    clock.advance(Duration::from_millis(500));
    assert_eq!(admitted(&connects, Some("10.0.0.2"), 10), 5);
    clock.advance(Duration::from_secs(60));
    assert_eq!(admitted(&connects, None, 20), 10);
}

#[test]
fn connections_are_counted_by_address() {
    let clock = ManualClock::new();
    let connects = connects(&clock, 0, 3);
    assert_eq!(admitted(&connects, Some("10.0.0.1"), 5), 3);
    assert_eq!(admitted(&connects, Some("10.0.0.2"), 5), 3);
    assert_eq!(admitted(&connects, Some("2001:db8::1"), 2), 2);
    assert_eq!(admitted(&connects, Some("2001:db8::2"), 2), 1);
    assert_eq!(admitted(&connects, None, 5), 5, "a Unix socket");
    assert!(!connects.admit_from("10.0.0.1".parse().unwrap()));
    assert!(connects.admit_from("10.0.0.3".parse().unwrap()));
}

#[test]
fn a_connection_without_room_is_not_counted_for_its_address() {
    let clock = ManualClock::new();
    let connects = connects(&clock, 1, 3);
    assert_eq!(admitted(&connects, Some("10.0.0.1"), 50), 1);
    for _ in 0..2 {
        clock.advance(Duration::from_secs(1));
        assert_eq!(admitted(&connects, Some("10.0.0.1"), 50), 1);
    }
}
