//! - Each event comes once, in the order of time, and none of a connection that has gone.
//! - A refresh moves the end.
//! - A grant ends with its time, or with the subscription.

use std::sync::Arc;
use std::time::Duration;

use crate::disconnect::Disconnect;
use crate::hub::Client;
use crate::hub::ConnectOptions;
use crate::hub::Hub;
use crate::hub::Outbox;
use crate::layers::Timestamp;
use crate::session::Identity;

use super::Badges;
use super::Notice;

fn badges() -> Badges {
    Badges::new(Notice {
        before: Duration::from_millis(30),
        grace: Duration::from_millis(25),
    })
}

fn client(hub: &Hub) -> (Client, Outbox) {
    hub.connect(ConnectOptions::new()).unwrap()
}

fn until(millis: u64) -> Arc<Identity> {
    let at = Timestamp::since_unix_epoch(Duration::from_millis(millis));
    Arc::new(Identity::guest().expires_at(at))
}

#[test]
fn a_notice_comes_before_the_end() {
    let (badges, hub) = (badges(), Hub::new());
    let (client, outbox) = client(&hub);
    let badge = badges.issue(&client, until(100));
    badges.tick(69, None);
    assert!(outbox.is_empty());
    badges.tick(70, None);
    assert_eq!(outbox.len(), 1);
    badges.tick(124, None);
    assert_eq!(outbox.len(), 1, "told once");
    assert!(!client.is_closed());
    badges.tick(125, None);
    assert_eq!(client.close_reason(), Some(&Disconnect::TOKEN_EXPIRED));
    drop(badge);
}

#[test]
fn a_refresh_moves_the_end() {
    let (badges, hub) = (badges(), Hub::new());
    let (client, outbox) = client(&hub);
    let badge = badges.issue(&client, until(100));
    badges.replace(&badge, until(1000));
    badges.tick(900, None);
    assert!(outbox.is_empty() && !client.is_closed());
    badges.replace(&badge, Arc::new(Identity::guest()));
    badges.tick(5000, None);
    assert!(outbox.is_empty() && !client.is_closed());
}

#[test]
fn nothing_is_left_of_a_connection_that_has_gone() {
    let (badges, hub) = (badges(), Hub::new());
    let (client, outbox) = client(&hub);
    let badge = badges.issue(&client, until(100));
    badges.grant(&badge, "a", Some(50));
    badges.remove(client.id());
    badges.replace(&badge, until(200));
    badges.grant(&badge, "b", Some(50));
    badges.tick(5000, None);
    assert!(outbox.is_empty() && !client.is_closed());
    let table = badges.table.lock();
    assert!(table.badges.is_empty() && table.due.is_empty());
}

#[test]
fn a_grant_ends_with_its_time() {
    let (badges, hub) = (badges(), Hub::new());
    let (client, _outbox) = client(&hub);
    let badge = badges.issue(&client, Arc::new(Identity::guest()));
    for (channel, until) in [("a", Some(50)), ("b", Some(60)), ("c", None)] {
        client.subscribe_blocking(channel).unwrap();
        badges.grant(&badge, channel, until);
    }
    assert!(badge.grants("a", 49) && !badge.grants("a", 50) && badge.grants("c", 1000));
    badges.tick(50, None);
    let is_in = ["a", "b", "c"].map(|channel| client.is_subscribed(channel));
    assert_eq!(is_in, [false, true, true]);
    Badges::revoke_grant(&badge, "b");
    badges.tick(60, None);
    assert!(
        client.is_subscribed("b"),
        "it was left, and joined again without a token"
    );
}

#[test]
fn grants_of_channels_that_were_left_are_forgotten() {
    let (badges, hub) = (badges(), Hub::new());
    let (client, _outbox) = client(&hub);
    let badge = badges.issue(&client, Arc::new(Identity::guest()));
    for n in 0..1000 {
        badges.grant(&badge, &n.to_string(), Some(n));
    }
    assert!(badge.grants.lock().len() <= super::MANY + 1);
}
