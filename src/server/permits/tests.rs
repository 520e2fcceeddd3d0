//! - Connections beyond the total get a spare permit, or wait; a connection that ends makes room.
//! - Connections beyond the limit of an address get a spare permit, or none.
//! - An IPv6 network of 64 bits counts as one address, an IPv4 address written as IPv6 as itself.

use std::net::IpAddr;
use std::sync::Arc;

use futures_util::FutureExt;

use super::Full;
use super::Permit;
use super::Permits;
use crate::server::connects::Connects;
use crate::time::SystemClock;

fn permits(max: usize, max_spare: usize, max_per_ip: Option<usize>) -> Arc<Permits> {
    let connects = Connects::new(Arc::new(SystemClock::new()), None, None);
    Permits::new(max, max_spare, max_per_ip, connects)
}

/// A permit that is had at once.
fn enter(permits: &Arc<Permits>, ip: &str) -> Option<Permit> {
    let ip = ip.parse::<IpAddr>().unwrap();
    permits.permit(Some(ip)).now_or_never().flatten()
}

#[test]
fn beyond_the_total_one_waits() {
    let permits = permits(2, 0, None);
    let first = enter(&permits, "10.0.0.1").unwrap();
    let _second = enter(&permits, "10.0.0.1").unwrap();
    assert!(enter(&permits, "10.0.0.2").is_none());
    drop(first);
    assert!(enter(&permits, "10.0.0.2").is_some());
}

#[test]
fn beyond_the_total_spare_permits_are_had_first() {
    let permits = permits(1, 1, None);
    let first = enter(&permits, "10.0.0.1").unwrap();
    let spare = enter(&permits, "10.0.0.2").unwrap();
    assert!(!first.is_spare() && spare.is_spare());
    assert!(enter(&permits, "10.0.0.2").is_none());
    drop(spare);
    assert!(enter(&permits, "10.0.0.2").unwrap().is_spare());
    drop(first);
    assert!(!enter(&permits, "10.0.0.2").unwrap().is_spare());
}

#[test]
fn beyond_the_limit_of_an_address_one_is_refused() {
    let permits = permits(10, 1, Some(1));
    let first = enter(&permits, "10.0.0.1").unwrap();
    let spare = enter(&permits, "10.0.0.1").unwrap();
    assert!(spare.is_spare());
    assert!(enter(&permits, "::ffff:10.0.0.1").is_none());
    let _other = enter(&permits, "10.0.0.2").unwrap();
    drop(first);
    assert!(!enter(&permits, "10.0.0.1").unwrap().is_spare());
    assert_eq!(permits.taken.lock().len(), 1, "who has left is forgotten");
}

#[test]
fn places_are_counted_without_a_connection() {
    let permits = permits(10, 0, Some(1));
    let ip = Some("10.0.0.1".parse::<IpAddr>().unwrap());
    let place = permits.place(ip).unwrap().unwrap();
    assert_eq!(permits.place(ip).unwrap_err(), Full);
    assert!(permits.place(None).unwrap().is_none());
    drop(place);
    assert!(permits.place(ip).unwrap().is_some());
    assert!(permits.taken.lock().is_empty());
}

#[test]
fn a_connection_that_stops_waiting_is_not_counted() {
    let permits = permits(1, 0, Some(5));
    let _first = enter(&permits, "10.0.0.1").unwrap();
    assert!(enter(&permits, "10.0.0.2").is_none());
    assert_eq!(permits.taken.lock().len(), 1);
}

#[test]
fn a_network_of_ipv6_counts_as_one_address() {
    let permits = permits(10, 0, Some(1));
    let _first = enter(&permits, "2001:db8::1").unwrap();
    assert!(enter(&permits, "2001:db8::ffff:1:2:3").is_none());
    assert!(enter(&permits, "2001:db8:0:1::1").is_some());
}

#[test]
fn all_are_returned_when_the_last_is() {
    let permits = permits(3, 1, Some(2));
    let permit = enter(&permits, "10.0.0.1");
    assert!(permits.returned().now_or_never().is_none());
    drop(permit);
    assert!(permits.returned().now_or_never().is_some());
}
