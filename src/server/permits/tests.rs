//! - Nobody gets in beyond the total; who leaves makes room.
//! - Nobody gets in beyond the limit of its address, whatever others have.
//! - An IPv6 network of 64 bits counts as one address, an IPv4 address written as IPv6 as itself.

use std::net::IpAddr;
use std::sync::Arc;

use futures_util::FutureExt;

use super::Permit;
use super::Permits;

fn enter(permits: &Arc<Permits>, ip: &str) -> Option<Permit> {
    let vacancy = permits.vacancy().now_or_never()?;
    permits.permit(vacancy, Some(ip.parse::<IpAddr>().unwrap()))
}

#[test]
fn beyond_the_total_one_waits() {
    let permits = Permits::new(2, None);
    let first = enter(&permits, "10.0.0.1").unwrap();
    let _second = enter(&permits, "10.0.0.1").unwrap();
    assert!(enter(&permits, "10.0.0.2").is_none());
    drop(first);
    assert!(enter(&permits, "10.0.0.2").is_some());
}

#[test]
fn beyond_the_limit_of_an_address_one_is_refused() {
    let permits = Permits::new(10, Some(1));
    let first = enter(&permits, "10.0.0.1").unwrap();
    assert!(enter(&permits, "10.0.0.1").is_none());
    assert!(enter(&permits, "::ffff:10.0.0.1").is_none());
    let _other = enter(&permits, "10.0.0.2").unwrap();
    drop(first);
    assert!(enter(&permits, "10.0.0.1").is_some());
    assert_eq!(permits.taken.lock().len(), 1, "who has left is forgotten");
}

#[test]
fn a_network_of_ipv6_counts_as_one_address() {
    let permits = Permits::new(10, Some(1));
    let _first = enter(&permits, "2001:db8::1").unwrap();
    assert!(enter(&permits, "2001:db8::ffff:1:2:3").is_none());
    assert!(enter(&permits, "2001:db8:0:1::1").is_some());
}

#[test]
fn all_are_returned_when_the_last_is() {
    let permits = Permits::new(3, Some(2));
    let permit = enter(&permits, "10.0.0.1");
    assert!(permits.returned().now_or_never().is_none());
    drop(permit);
    assert!(permits.returned().now_or_never().is_some());
}
