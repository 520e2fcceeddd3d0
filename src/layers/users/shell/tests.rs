//! The limits and the releases of many threads, and what happens to clients as time passes.

use std::sync::Arc;
use std::sync::Barrier;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use super::Users;
use crate::disconnect::Disconnect;
use crate::hub::Client;
use crate::hub::ConnectOptions;
use crate::hub::Hub;
use crate::hub::Outbox;
use crate::layers::name::UserId;
use crate::layers::users::AGENT;
use crate::layers::users::config::UsersConfig;
use crate::layers::users::connection::Connection;
use crate::layers::users::error::ConnectionLimit;
use crate::layers::users::error::UserError;
use crate::message::Message;
use crate::time::Clock;
use crate::time::ManualClock;

const THREADS: usize = 8;

fn users(config: UsersConfig) -> Users {
    Users::new(&Hub::new(), config)
}

fn id(user: &str) -> UserId {
    UserId::parse(user).unwrap()
}

fn named(user: &str) -> ConnectOptions {
    ConnectOptions::new().user(user)
}

fn join(users: &Users, user: &str) -> (Client, Outbox, Connection) {
    users.connect(named(user), "test").unwrap()
}

/// Connects from many threads at once, many times, and gives the most there were at a time.
fn crowd(users: &Users, options: impl Fn() -> ConnectOptions + Sync) -> usize {
    let (present, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let together = Barrier::new(THREADS);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                together.wait();
                for _ in 0..200 {
                    let Ok(connected) = users.connect(options(), "test") else {
                        continue;
                    };
                    let now = present.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(now, Ordering::SeqCst);
                    thread::yield_now();
                    present.fetch_sub(1, Ordering::SeqCst);
                    drop(connected);
                }
            });
        }
    });
    assert_eq!(users.client_count(), 0, "every place is given back");
    assert_eq!(users.anonymous_count(), 0);
    assert_eq!(users.user_count(), 0);
    most.into_inner()
}

#[test]
fn no_limit_is_passed_by_many_threads() {
    let users = users(UsersConfig::new().max_per_user(Some(3)));
    assert!(crowd(&users, || named("ada")) <= 3);

    let users = self::users(UsersConfig::new().max_anonymous(Some(3)));
    assert!(crowd(&users, ConnectOptions::new) <= 3);

    let users = self::users(UsersConfig::new().max_per_user(None).max_total(Some(3)));
    assert!(crowd(&users, || named("ada")) <= 3);
}

#[test]
fn first_and_last_alternate_under_many_threads() {
    let users = users(UsersConfig::new().max_per_user(None));
    let (firsts, lasts) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..300 {
                    let (_client, _outbox, connection) = join(&users, "ada");
                    firsts.fetch_add(usize::from(connection.is_first()), Ordering::SeqCst);
                    let left = connection.leave();
                    lasts.fetch_add(usize::from(left.last), Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!(firsts.into_inner(), lasts.into_inner());
    assert_eq!(users.client_count_of(&id("ada")), 0);
}

#[test]
fn each_limit_says_whose_it_is() {
    let config = UsersConfig::new().max_per_user(Some(1)).max_total(Some(2));
    let users = users(config.max_anonymous(Some(0)));
    let refusal = |options| match users.connect(options, "test") {
        Err(UserError::TooManyConnections { scope, limit }) => (scope, limit),
        other => panic!("{other:?}"),
    };
    let _ada = join(&users, "ada");
    assert_eq!(refusal(named("ada")), (ConnectionLimit::PerUser, 1));
    assert_eq!(
        refusal(ConnectOptions::new()),
        (ConnectionLimit::Anonymous, 0)
    );
    let _bob = join(&users, "bob");
    assert_eq!(refusal(named("eve")), (ConnectionLimit::Total, 2));
    assert_eq!(users.client_count(), 2, "who is refused takes no place");
}

#[test]
fn what_the_hub_refuses_takes_no_place() {
    let hub = Hub::new();
    let users = Users::new(&hub, UsersConfig::new());
    hub.close(Disconnect::SHUTDOWN);
    for options in [named("ada"), ConnectOptions::new()] {
        let refused = users.connect(options, "test");
        assert!(matches!(refused, Err(UserError::Connect(_))));
    }
    assert_eq!(users.client_count() + users.anonymous_count(), 0);
    assert_eq!(users.list(None, 10).unwrap().items, []);
}

#[test]
fn a_user_is_reached_over_all_of_its_connections_and_no_other() {
    let users = users(UsersConfig::new());
    let mut ada = [join(&users, "ada"), join(&users, "ada")];
    let mut bob = join(&users, "bob");
    let sent = users.send_to_user(&id("ada"), &Message::text("hi"));
    assert_eq!((sent.addressed, sent.delivered, sent.dropped), (2, 2, 0));
    assert!(
        ada.iter_mut()
            .all(|(_, outbox, _)| outbox.try_recv().is_ok())
    );
    assert!(bob.1.try_recv().is_err());

    let twice = [id("bob"), id("bob"), id("eve")];
    let sent = users.send_to_users(&twice, &Message::text("hi"));
    assert_eq!(sent.addressed, 1, "once, though named twice");
    assert!(bob.1.try_recv().is_ok());

    let nobody = users.connect(ConnectOptions::new(), "test").unwrap();
    let sent = users.broadcast_except(&[id("ada")], &Message::text("hi"));
    assert_eq!(sent.addressed, 2);
    assert!(
        ada.iter_mut()
            .all(|(_, outbox, _)| outbox.try_recv().is_err())
    );
    drop(nobody);
}

#[test]
fn a_kick_has_its_reason_and_a_length() {
    let users = users(UsersConfig::new());
    let (client, _outbox, connection) = join(&users, "ada");
    let long = "x".repeat(Disconnect::MAX_REASON + 1);
    let refused = users.kick(client.id(), &long);
    assert_eq!(refused, Err(UserError::ReasonTooLong { len: long.len() }));
    assert!(!client.is_closed());
    users.kick(client.id(), "spam").unwrap();
    let why = client.close_reason().unwrap();
    assert_eq!((why.code(), why.reason()), (3503, "spam"));
    assert_eq!(users.kick(client.id(), ""), Err(UserError::UnknownClient));
    assert_eq!(users.kick_user(&id("ada"), ""), Err(UserError::UnknownUser));
    assert!(users.clients_of(&id("ada")).is_empty());
    assert_eq!(users.client_count_of(&id("ada")), 1, "until it leaves");
    assert!(connection.leave().last);
}

#[test]
fn what_is_known_is_when_and_from_where() {
    let clock = ManualClock::new();
    let users = Users::with_clock(&Hub::new(), UsersConfig::new(), Arc::new(clock.clone()));
    let options = named("ada")
        .metadata(AGENT, "curl")
        .metadata("plan", "free");
    let (client, _outbox, connection) = users.connect(options, "websocket").unwrap();
    let before = users.client_info(client.id()).unwrap();
    assert_eq!(before.last_active, before.connected_at);
    assert_eq!(before.agent.as_deref(), Some("curl"));
    assert_eq!(
        before.metadata.into_iter().collect::<Vec<_>>(),
        [("plan".into(), "free".into())]
    );
    clock.advance(Duration::from_secs(5));
    connection.touch();
    let after = users.client_info(client.id()).unwrap();
    assert_eq!(after.connected_at, before.connected_at);
    assert!(after.last_active > before.last_active);
}

#[test]
fn who_asks_for_nothing_is_closed_and_who_does_is_not() {
    let clock = ManualClock::new();
    let config = UsersConfig::new().idle_after(Some(Duration::from_secs(10)));
    let users = Users::with_clock(&Hub::new(), config, Arc::new(clock.clone()));
    let (silent, _silent, _quiet) = join(&users, "ada");
    let (busy, _busy, connection) = join(&users, "bob");
    clock.advance(Duration::from_secs(6));
    connection.touch();
    clock.advance(Duration::from_secs(4));
    assert!(
        users
            .next_deadline()
            .is_some_and(|at| at <= clock.now() + Duration::from_secs(1))
    );
    users.tick(clock.now());
    assert_eq!(silent.close_reason(), Some(&Disconnect::IDLE));
    assert!(!busy.is_closed());
    assert!(
        users.next_deadline().is_some_and(|at| at > clock.now()),
        "it does not spin"
    );
    clock.advance(Duration::from_secs(7));
    users.tick(clock.now());
    assert!(busy.is_closed());
    assert_eq!(users.next_deadline(), None);
}

#[test]
fn the_idle_are_listed_and_closed_longest_first() {
    let clock = ManualClock::new();
    let users = Users::with_clock(&Hub::new(), UsersConfig::new(), Arc::new(clock.clone()));
    let mut all = Vec::new();
    for name in 0..40 {
        all.push(join(&users, &format!("user-{name}")));
        clock.advance(Duration::from_secs(1));
    }
    let ten = Duration::from_secs(10);
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = users.idle(ten, after.as_deref(), 7).unwrap();
        listed.extend(page.items.iter().map(|info| info.client_id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let idle: Vec<_> = all[..31].iter().map(|(client, ..)| client.id()).collect();
    assert_eq!(listed, idle);
    assert_eq!(users.close_idle(ten, 5), 5);
    let closed = all.iter().filter(|(client, ..)| client.is_closed()).count();
    assert_eq!(closed, 5);
    assert!(all[4].0.is_closed());
    assert_eq!(users.close_idle(ten, 1000), 26);
    assert_eq!(users.close_idle(ten, 1000), 0);
}

#[test]
fn the_pages_of_users_and_connections_hold_each_once() {
    let users = users(UsersConfig::new());
    let mut all: Vec<_> = (0..100)
        .map(|name| join(&users, &format!("user-{name:03}")))
        .collect();
    all.push(users.connect(ConnectOptions::new(), "test").unwrap());
    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let page = users.list(after.as_deref(), 7).unwrap();
        assert!(page.items.len() <= 7);
        names.extend(page.items.into_iter().map(|entry| entry.user.to_string()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let wanted: Vec<_> = (0..100).map(|name| format!("user-{name:03}")).collect();
    assert_eq!(names, wanted);
    let first = users.list_clients(None, 100).unwrap();
    let rest = users.list_clients(first.next.as_deref(), 100).unwrap();
    assert_eq!(
        (first.items.len(), rest.items.len(), rest.next),
        (100, 1, None)
    );
    assert_eq!(
        users.list_clients(Some("x"), 1),
        Err(UserError::InvalidCursor)
    );
}

#[test]
fn a_user_shares_its_channels_over_its_connections_and_gives_them_back() {
    let users = users(UsersConfig::new().max_channels(2));
    let (one, _one, _first) = join(&users, "ada");
    let (other, _other, second) = join(&users, "ada");
    let full = Err(UserError::TooManyChannels { limit: 2 });
    assert_eq!(users.reserve_channel(one.id(), "a"), Ok(()));
    assert_eq!(
        users.reserve_channel(other.id(), "a"),
        Ok(()),
        "the same name counts once"
    );
    assert_eq!(users.reserve_channel(other.id(), "b"), Ok(()));
    assert_eq!(users.reserve_channel(one.id(), "c"), full);
    let _left = second.leave();
    assert_eq!(users.channels_of(&id("ada")), 1);
    assert_eq!(users.reserve_channel(one.id(), "c"), Ok(()));
    users.release_channel(one.id(), "c");
    assert_eq!(users.channels_of(&id("ada")), 1);
    assert_eq!(
        users.reserve_channel(other.id(), "b"),
        Err(UserError::UnknownClient)
    );
}
