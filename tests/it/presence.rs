//! Who is in a presence channel: the roster, what members are told, and the hook.

use std::sync::Arc;
use std::sync::Barrier;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;

use throng::AuthRequest;
use throng::Authorization;
use throng::Client;
use throng::ConnectOptions;
use throng::Disconnect;
use throng::Event;
use throng::Frame;
use throng::Hub;
use throng::HubBuilder;
use throng::Limits;
use throng::Message;
use throng::Outbox;
use throng::PresenceChange;
use throng::PresenceEvent;
use throng::SubscribeError;

use crate::support::built;
use crate::support::drain;
use crate::support::in_the_middle_of;
use crate::support::join;
use crate::support::join_as;
use crate::support::open_hub;
use crate::support::publish;
use crate::support::publish_numbers;
use crate::support::texts;

const LOBBY: &str = "presence-lobby";

fn enter(hub: &Hub, user: &str) -> (Client, Outbox) {
    join_as(hub, LOBBY, ConnectOptions::new().user(user))
}

/// A hub that lets everyone in, and what its hook was told: `+ada` and `-ada`.
fn observed() -> (Hub, Arc<Mutex<Vec<String>>>) {
    let log = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&log);
    let hub = built(open_hub().on_presence(move |event| told.lock().unwrap().push(line(event))));
    (hub, log)
}

fn line(event: &PresenceEvent) -> String {
    let sign = match event.change {
        PresenceChange::Joined => '+',
        PresenceChange::Left => '-',
    };
    format!("{sign}{}", event.member.id())
}

/// What a member was told, in the same form.
fn heard(outbox: &mut Outbox) -> Vec<String> {
    let frames = drain(outbox);
    let lines = frames.iter().filter_map(|frame| match frame.event() {
        Event::MemberAdded(member) => Some(format!("+{}", member.id())),
        Event::MemberRemoved(member) => Some(format!("-{}", member.id())),
        _ => None,
    });
    lines.collect()
}

fn take(log: &Mutex<Vec<String>>) -> Vec<String> {
    std::mem::take(&mut *log.lock().unwrap())
}

#[test]
fn a_member_is_there_once_however_many_connections_it_has() {
    let (hub, log) = observed();
    let (_bob, mut bob) = enter(&hub, "bob");
    let connections: Vec<_> = (0..3).map(|_| enter(&hub, "ada")).collect();
    assert_eq!(hub.presence(LOBBY).len(), 2);
    assert_eq!(hub.subscriber_count(LOBBY), 4);
    for (client, outbox) in connections {
        assert_eq!(hub.presence(LOBBY).len(), 2, "she is still there");
        drop((client, outbox));
    }
    assert_eq!(hub.presence(LOBBY).len(), 1);
    assert_eq!(take(&log), ["+bob", "+ada", "-ada"]);
    assert_eq!(heard(&mut bob), ["+ada", "-ada"]);
}

#[test]
fn every_way_out_is_one_leave() {
    let ways: [fn(&Hub, Client, Outbox); 6] = [
        |_, _, outbox| drop(outbox),
        |_, client, _outbox| client.close(Disconnect::KICKED),
        |_, client, _outbox| client.unsubscribe(LOBBY).unwrap(),
        |_, client, _outbox| client.force_unsubscribe(LOBBY, "out").unwrap(),
        |hub, client, _outbox| hub.disconnect(client.id(), Disconnect::KICKED).unwrap(),
        |hub, client, _outbox| {
            client.set_slow_consumer(Some(throng::SlowConsumer::DISCONNECT));
            publish_numbers(hub, LOBBY, 0..100);
            assert!(client.is_closed());
        },
    ];
    for (number, way) in ways.into_iter().enumerate() {
        let (hub, log) = observed();
        let (client, outbox) = enter(&hub, "ada");
        way(&hub, client, outbox);
        assert_eq!(take(&log), ["+ada", "-ada"], "way out {number}");
        assert!(hub.presence(LOBBY).is_empty());
    }
}

#[test]
fn the_end_of_the_hub_is_a_leave_of_everyone() {
    let (hub, log) = observed();
    let outboxes: Vec<_> = (0..3).map(|n| enter(&hub, &n.to_string())).collect();
    take(&log);
    hub.close(Disconnect::SHUTDOWN);
    drop(outboxes);
    let mut left = take(&log);
    left.sort();
    assert_eq!(left, ["-0", "-1", "-2"]);
}

#[test]
fn a_newcomer_is_told_who_is_there_and_the_others_of_it() {
    let hub = built(open_hub());
    let (_ada, mut ada) = enter(&hub, "ada");
    drop(drain(&mut ada));
    let (bob, mut bobs) = join_as(&hub, "c", ConnectOptions::new().user("bob"));
    let joined = bob.subscribe_blocking(LOBBY).unwrap();
    let mut ids: Vec<_> = joined
        .members
        .iter()
        .map(|member| member.id().to_owned())
        .collect();
    ids.sort();
    assert_eq!(ids, ["ada", "bob"]);
    let frame = bobs.try_recv().unwrap();
    let Event::Joined(in_band) = frame.event() else {
        panic!("{frame:?}")
    };
    assert_eq!(
        (in_band.position, in_band.members.len()),
        (joined.position, 2)
    );
    let frames = drain(&mut ada);
    assert_eq!(
        frames[0].offset(),
        joined.position.offset,
        "a coming has a place in the order"
    );
    publish(&hub, LOBBY, "hello");
    assert_eq!(
        bobs.try_recv().unwrap().offset(),
        joined.position.offset + 1
    );
    let offsets: Vec<_> = drain(&mut ada).iter().map(Frame::offset).collect();
    assert_eq!(offsets, [joined.position.offset + 1]);
}

#[test]
fn members_hear_of_comings_and_goings_in_one_order_with_the_messages() {
    let hub = built(open_hub());
    let (_one, mut one) = enter(&hub, "one");
    let (_two, mut two) = enter(&hub, "two");
    drop((drain(&mut one), drain(&mut two)));
    thread::scope(|scope| {
        for user in ["ada", "bob"] {
            let hub = &hub;
            scope.spawn(move || {
                for _ in 0..10 {
                    drop(enter(hub, user));
                    publish(hub, LOBBY, "x");
                }
            });
        }
    });
    let (one, two) = (drain(&mut one), drain(&mut two));
    assert_eq!(one.len(), 60);
    assert!(
        one.iter().zip(&two).all(|(one, two)| one.ptr_eq(two)),
        "the very same frames"
    );
    assert!(one.is_sorted_by_key(Frame::offset));
}

#[test]
fn the_hook_is_called_once_for_each_change_in_order_and_one_at_a_time() {
    let inside = Arc::new(AtomicUsize::new(0));
    let events = Arc::new(Mutex::new(Vec::new()));
    let (own, log) = (Arc::clone(&inside), Arc::clone(&events));
    let hub = built(open_hub().on_presence(move |event| {
        assert_eq!(
            own.fetch_add(1, Ordering::SeqCst),
            0,
            "never twice at a time"
        );
        log.lock()
            .unwrap()
            .push((event.member.id().to_owned(), event.change));
        own.fetch_sub(1, Ordering::SeqCst);
    }));
    thread::scope(|scope| {
        for connection in 0..4 {
            let hub = &hub;
            scope.spawn(move || {
                for _ in 0..200 {
                    drop(enter(hub, ["ada", "bob"][connection % 2]));
                }
            });
        }
    });
    let events = events.lock().unwrap();
    for user in ["ada", "bob"] {
        let changes: Vec<_> = events
            .iter()
            .filter(|(id, _)| id == user)
            .map(|(_, change)| change)
            .collect();
        assert!(changes.len() >= 2 && changes.len() % 2 == 0);
        for pair in changes.chunks(2) {
            assert_eq!(pair, [&PresenceChange::Joined, &PresenceChange::Left]);
        }
    }
    assert!(hub.presence(LOBBY).is_empty());
}

/// A hub whose hook is made after it, so that it can use it.
fn hub_with_hook(hook: impl Fn(&Hub, &PresenceEvent) + Send + Sync + 'static) -> Hub {
    let own = Arc::new(OnceLock::<Hub>::new());
    let later = Arc::clone(&own);
    let builder: HubBuilder = open_hub();
    let hub = built(builder.on_presence(move |event| hook(later.get().unwrap(), event)));
    own.set(hub.clone()).unwrap();
    hub
}

#[test]
fn the_hook_may_publish() {
    let hub = hub_with_hook(|hub, event| {
        let text = format!("welcome {}", line(event));
        let _delivery = hub.publish(&event.channel, Message::text(text)).unwrap();
    });
    let (_ada, mut ada) = enter(&hub, "ada");
    let (_bob, mut bob) = enter(&hub, "bob");
    assert_eq!(texts(&mut ada), ["welcome +ada", "welcome +bob"]);
    assert_eq!(texts(&mut bob), ["welcome +bob"]);
}

#[test]
fn the_hook_may_disconnect_subscribe_and_ask() {
    let hub = hub_with_hook(|hub, event| {
        let ids: Vec<_> = hub
            .presence(&event.channel)
            .iter()
            .map(|m| m.id().to_owned())
            .collect();
        assert_eq!(
            ids.contains(&event.member.id().to_owned()),
            event.change == PresenceChange::Joined
        );
        if event.change == PresenceChange::Joined && event.member.id() == "mallory" {
            for slow in hub.slow_clients(10) {
                hub.disconnect(slow.id, Disconnect::KICKED).unwrap();
            }
            let (_client, outbox) = join(hub, "from the hook");
            drop(outbox);
        }
    });
    let (behind, mut outbox) = join(&hub, "c");
    publish(&hub, "c", "waits");
    let (_mallory, _outbox) = enter(&hub, "mallory");
    assert_eq!(behind.close_reason(), Some(&Disconnect::KICKED));
    assert_eq!(texts(&mut outbox), ["waits"]);
}

#[test]
fn the_hook_may_disconnect_who_has_just_come() {
    let hub = hub_with_hook(|hub, event| {
        if event.change == PresenceChange::Joined {
            hub.close(Disconnect::KICKED);
        }
    });
    let (client, _outbox) = enter(&hub, "ada");
    assert!(client.is_closed());
    assert!(hub.presence(LOBBY).is_empty());
}

/// It reaches the call that ran it; everything goes on.
#[test]
fn a_panic_of_the_hook_breaks_nothing() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&log);
    let hub = built(open_hub().on_presence(move |event| {
        told.lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push(line(event));
        assert!(event.member.id() != "mallory", "on purpose");
    }));
    let (_ada, mut ada) = enter(&hub, "ada");
    let (mallory, outbox) = crate::support::connect_as(&hub, ConnectOptions::new().user("mallory"));
    let joined = mallory.subscribe_blocking(LOBBY);
    assert!(joined.is_ok(), "the panic is nobody's who joins");
    drop(outbox);
    assert_eq!(hub.stats().panics, 2);
    let (_bob, _outbox) = enter(&hub, "bob");
    assert_eq!(heard(&mut ada), ["+mallory", "-mallory", "+bob"]);
    let log = log
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    assert_eq!(*log, ["+ada", "+mallory", "-mallory", "+bob"]);
    assert_eq!(hub.presence(LOBBY).len(), 2);
}

#[test]
fn a_join_that_is_dropped_in_its_turn_leaves_no_ghost() {
    let (hub, log) = observed();
    let (client, mut outbox) = crate::support::connect_as(&hub, ConnectOptions::new().user("ada"));
    let own = client;
    in_the_middle_of(&hub, LOBBY, move || {
        use futures_util::FutureExt;
        assert!(own.subscribe(LOBBY).now_or_never().is_none());
    });
    assert!(hub.presence(LOBBY).is_empty());
    let lines = take(&log);
    assert!(
        !lines.contains(&"+ada".to_owned()) || lines.contains(&"-ada".to_owned()),
        "{lines:?}"
    );
    assert!(texts(&mut outbox).is_empty());
}

/// G2 holds for what the hooks are still to be told, too.
#[test]
fn while_the_hook_is_behind_nobody_new_is_let_in() {
    let (entered, leave) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let first = AtomicBool::new(true);
    let hook = {
        let (entered, leave) = (Arc::clone(&entered), Arc::clone(&leave));
        move |_: &PresenceEvent| {
            if first.swap(false, Ordering::Relaxed) {
                entered.wait();
                leave.wait();
            }
        }
    };
    let hub = Hub::builder()
        .authorizer(|_: &AuthRequest| Authorization::Allow)
        .on_presence(hook)
        .limits(Limits::new().backlog(2))
        .build()
        .unwrap();
    let clients: Vec<_> = (0..4)
        .map(|_| hub.connect(ConnectOptions::new()).unwrap())
        .collect();
    thread::scope(|scope| {
        // Stands in the hook until it is told to go on.
        scope.spawn(|| clients[0].0.subscribe_blocking("presence-c").unwrap());
        entered.wait();
        for (client, _) in &clients[1..3] {
            client.subscribe_blocking("presence-c").unwrap();
        }
        let refused = clients[3].0.subscribe_blocking("presence-c");
        assert_eq!(refused.err(), Some(SubscribeError::Backlogged));
        leave.wait();
    });
    clients[3].0.subscribe_blocking("presence-c").unwrap();
    assert_eq!(hub.presence("presence-c").len(), 4);
}
