//! Tickets on a manual clock.

use std::collections::HashSet;
use std::time::Duration;

use crate::layers::UserId;
use crate::session::Identity;
use crate::time::ManualClock;

use super::super::Authenticated;
use super::super::Authenticator;
use super::super::Carrier;
use super::super::Credentials;
use super::TicketError;
use super::Tickets;
use super::TicketsConfig;

fn ada() -> Identity {
    Identity::of(UserId::parse("ada").unwrap())
}

fn shown(carrier: Carrier, secret: &str) -> Credentials<'_> {
    Credentials {
        carrier,
        secret: Some(secret),
        request: None,
        address: None,
    }
}

#[test]
fn a_ticket_is_taken_once() {
    let tickets = Tickets::default();
    let ticket = tickets.issue(ada()).unwrap();
    assert_eq!(
        tickets.take(&ticket).unwrap().user().unwrap().as_str(),
        "ada"
    );
    assert!(tickets.take(&ticket).is_none());
    assert!(tickets.take("").is_none());
}

#[test]
fn a_ticket_ends_after_its_time() {
    let clock = ManualClock::new();
    let tickets = Tickets::new(TicketsConfig::new().clock(clock.clone()));
    let [first, second] = [(); 2].map(|()| tickets.issue(ada()).unwrap());
    clock.advance(Duration::from_secs(29));
    assert!(tickets.take(&first).is_some());
    clock.advance(Duration::from_secs(1));
    assert!(tickets.take(&second).is_none());
}

#[test]
fn tickets_are_bounded_until_their_time_is_over() {
    let clock = ManualClock::new();
    let config = TicketsConfig::new().max_tickets(2).clock(clock.clone());
    let tickets = Tickets::new(config);
    let first = tickets.issue(ada()).unwrap();
    tickets.issue(ada()).unwrap();
    assert!(tickets.take(&first).is_some());
    assert_eq!(tickets.issue(ada()), Err(TicketError::Full(2)));
    clock.advance(Duration::from_secs(30));
    tickets.issue(ada()).unwrap();
}

#[test]
fn tickets_are_long_and_differ() {
    let tickets = Tickets::default();
    let all: HashSet<_> = (0..100).map(|_| tickets.issue(ada()).unwrap()).collect();
    assert_eq!(all.len(), 100);
    assert!(all.iter().all(|ticket| ticket.len() == 32));
    let debug = format!("{tickets:?}");
    assert!(all.iter().all(|ticket| !debug.contains(ticket)), "{debug}");
}

#[test]
fn a_ticket_authenticates_by_its_own_carrier_alone() {
    let tickets = Tickets::default();
    let ticket = tickets.issue(ada()).unwrap();
    let by = |carrier| tickets.authenticate(&shown(carrier, &ticket));
    assert!(matches!(by(Carrier::Header), Authenticated::Unknown));
    assert!(matches!(by(Carrier::Query), Authenticated::Unknown));
    assert!(matches!(by(Carrier::Ticket), Authenticated::Is(_)));
    assert!(matches!(by(Carrier::Ticket), Authenticated::Refused(_)));
}
