//! - No more than the limits are in the lobby, counted by network for IPv6.
//! - A place that is dropped is free, and nothing is kept of its address.

use std::net::IpAddr;

use super::Lobby;
use super::Places;

fn address(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

#[test]
fn places_are_counted_in_all_and_by_address() {
    let places = Places::new(Lobby::new().max_connections(3).max_per_address(2));
    let one = places.take(address("10.0.0.1"));
    let two = places.take(address("::ffff:10.0.0.1"));
    assert!(one.is_some() && two.is_some());
    assert!(places.take(address("10.0.0.1")).is_none());
    let three = places.take(None);
    assert!(three.is_some());
    assert!(places.take(address("10.0.0.2")).is_none(), "all are taken");
    drop((one, two));
    let taken = places.taken.lock();
    assert_eq!((taken.all, taken.by_address.len()), (1, 0));
}

#[test]
fn a_network_of_ipv6_counts_as_one_address() {
    let places = Places::new(Lobby::new().max_per_address(1));
    let _one = places.take(address("2001:db8::1")).unwrap();
    assert!(places.take(address("2001:db8::2")).is_none());
    assert!(places.take(address("2001:db8:0:1::1")).is_some());
    let none = Places::new(Lobby::new().max_per_address(0));
    assert!(none.take(address("10.0.0.1")).is_none());
    assert!(none.taken.lock().by_address.is_empty());
}
