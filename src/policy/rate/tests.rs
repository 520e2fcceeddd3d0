//! - A bucket holds a second's worth, refills evenly, and says how long to wait.
//! - Callers without a connection have buckets by origin, user and address, in memory that is
//!   fixed.
//! - What a resumed session asks for again is not counted.

use std::net::IpAddr;
use std::net::Ipv4Addr;

use super::*;
use crate::hub::ConnectOptions;
use crate::hub::Hub;
use crate::layers::UserId;
use crate::protocol::Command;
use crate::time::ManualClock;

fn rate(commands: u32, clock: &ManualClock) -> CommandRate {
    let commands = NonZeroU32::new(commands).unwrap();
    CommandRate::per_second(commands, NonZeroU32::new(2), Arc::new(clock.clone()))
}

fn ping() -> Request {
    Request {
        id: None,
        command: Command::Ping,
    }
}

fn wait(rate: &CommandRate, caller: &Caller<'_>) -> Option<u128> {
    match rate.check(caller, &mut ping()) {
        Verdict::Refuse(fault) => {
            assert_eq!(fault.code(), ErrorCode::RateLimited);
            Some(fault.wait().unwrap().as_millis())
        }
        _ => None,
    }
}

#[test]
fn a_connection_has_a_seconds_worth_at_once_and_then_its_rate() {
    let clock = ManualClock::new();
    let rate = rate(4, &clock);
    let (client, _outbox) = Hub::new().connect(ConnectOptions::new()).unwrap();
    let meter = Arc::new(Meter::default());
    let caller = Caller::of(&client, Origin::Client).metered(Some(&meter));
    for _ in 0..4 {
        assert_eq!(wait(&rate, &caller), None);
    }
    assert_eq!(wait(&rate, &caller), Some(250));
    clock.advance(Duration::from_millis(249));
    assert_eq!(wait(&rate, &caller), Some(1));
    clock.advance(Duration::from_millis(1));
    assert_eq!(wait(&rate, &caller), None);
    assert!(!client.is_closed());
}

#[test]
fn a_connection_that_does_not_heed_it_is_closed() {
    let rate = rate(1, &ManualClock::new());
    let (client, _outbox) = Hub::new().connect(ConnectOptions::new()).unwrap();
    let meter = Arc::new(Meter::default());
    let caller = Caller::of(&client, Origin::Client).metered(Some(&meter));
    assert_eq!(wait(&rate, &caller), None);
    for _ in 0..2 {
        assert_eq!(wait(&rate, &caller), Some(1000));
        assert!(!client.is_closed());
    }
    assert_eq!(wait(&rate, &caller), Some(1000));
    assert!(client.is_closed());
}

#[test]
fn callers_without_a_connection_have_buckets_of_their_own() {
    let rate = rate(1, &ManualClock::new());
    let user = |name| Caller::on_behalf_of(UserId::parse(name).unwrap());
    let from = |last| Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)));
    for caller in [
        Caller::server(),
        Caller::server().from_address(from(1)),
        Caller::server().from_address(from(2)),
        user("ada"),
        user("bob"),
    ] {
        assert_eq!(wait(&rate, &caller), None, "{caller:?}");
        assert_eq!(wait(&rate, &caller), Some(1000), "{caller:?}");
    }
}

#[test]
fn a_flood_of_callers_pushes_out_those_that_have_used_least() {
    let clock = ManualClock::new();
    let rate = rate(2, &clock);
    let busy = Caller::server();
    assert_eq!((wait(&rate, &busy), wait(&rate, &busy)), (None, None));
    clock.advance(Duration::from_nanos(1));
    for n in 0..100_000_u32 {
        let caller = Caller::server().from_address(Some(IpAddr::V4(n.into())));
        assert_eq!(wait(&rate, &caller), None);
    }
    assert!(
        wait(&rate, &busy).is_some(),
        "it has used all of its bucket"
    );
}

#[test]
fn what_a_resumed_session_asks_for_again_is_not_counted() {
    let rate = rate(1, &ManualClock::new());
    let (client, _outbox) = Hub::new().connect(ConnectOptions::new()).unwrap();
    let meter = Arc::new(Meter::default());
    let caller = |origin| Caller::of(&client, origin).metered(Some(&meter));
    for _ in 0..10 {
        assert_eq!(wait(&rate, &caller(Origin::Restored)), None);
    }
    assert_eq!(wait(&rate, &caller(Origin::Client)), None);
    assert_eq!(wait(&rate, &caller(Origin::Client)), Some(1000));
}
