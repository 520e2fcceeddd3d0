//! Many outboxes on one thread: everything comes, in order, each end once, and no wake-up is lost.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::thread;

use throng::Client;
use throng::Disconnect;
use throng::Frame;
use throng::Hub;
use throng::Message;
use throng::OutboxKey;
use throng::OutboxSet;
use throng::SlowConsumer;

use crate::support::connect;
use crate::support::hub_of;
use crate::support::join;
use crate::support::publish;
use crate::support::publish_numbers;
use crate::support::texts;
use crate::support::waker;

/// A set of so many clients in the channel `c`.
fn crowd(hub: &Hub, clients: usize) -> (OutboxSet, Vec<(Client, OutboxKey)>) {
    let mut set = OutboxSet::new();
    let enter = |_| {
        let (client, outbox) = join(hub, "c");
        (client, set.insert(outbox))
    };
    let clients = (0..clients).map(enter).collect();
    (set, clients)
}

/// What came, by the outbox.
#[derive(Default)]
struct Came(BTreeMap<OutboxKey, Vec<String>>);

impl Came {
    fn note(&mut self, key: OutboxKey, frame: &Frame) {
        let text = String::from_utf8(frame.payload().to_vec()).expect("text");
        self.0.entry(key).or_default().push(text);
    }
}

#[test]
fn a_drain_gives_everything_to_the_right_key_in_order() {
    let hub = Hub::new();
    let (mut set, clients) = crowd(&hub, 40);
    publish_numbers(&hub, "c", 0..20);
    clients[7].0.send(Message::text("alone")).unwrap();
    let mut came = Came::default();
    assert_eq!(set.drain(64, |key, frame| came.note(key, frame)), 801);
    for (client, key) in &clients {
        let mut expected: Vec<_> = (0..20).map(|number| number.to_string()).collect();
        if client.id() == clients[7].0.id() {
            expected.push("alone".into());
        }
        assert_eq!(came.0[key], expected);
    }
    assert_eq!(set.drain(64, |_, _| panic!("nothing is left")), 0);
}

#[test]
fn no_outbox_gives_more_than_the_maximum_at_a_time() {
    let hub = Hub::new();
    let (mut set, _clients) = crowd(&hub, 3);
    publish_numbers(&hub, "c", 0..5);
    for (max, frames) in [(2, 6), (1, 3), (0, 3), (9, 3), (9, 0)] {
        assert_eq!(set.drain(max, |_, _| {}), frames);
    }
}

#[test]
fn an_end_is_told_once_and_after_what_was_accepted() {
    let hub = Hub::new();
    let (mut set, clients) = crowd(&hub, 20);
    publish(&hub, "c", "last");
    for (client, _) in &clients[5..10] {
        client.close(Disconnect::KICKED);
    }
    assert_eq!(set.drain(64, |_, _| {}), 20);
    assert_eq!(set.next_ended(), None, "each had something yet");
    assert_eq!(set.drain(64, |_, _| {}), 0);
    let ended: HashSet<_> = std::iter::from_fn(|| set.next_ended()).collect();
    let expected = clients[5..10]
        .iter()
        .map(|(_, key)| (*key, Disconnect::KICKED));
    assert_eq!(ended, expected.collect());
    assert_eq!(set.len(), 15);
    assert_eq!(hub.client_count(), 15);
    assert_eq!(set.drain(64, |_, _| {}), 0);
    assert_eq!(set.next_ended(), None, "and not again");
}

#[test]
fn a_key_names_one_outbox_for_ever() {
    let hub = Hub::new();
    let (mut set, clients) = crowd(&hub, 3);
    let key = clients[0].1;
    publish(&hub, "c", "taken along");
    let mut outbox = set.remove(key).expect("it is in the set");
    assert_eq!(texts(&mut outbox), ["taken along"]);
    assert!(set.get(key).is_none());
    assert!(set.remove(key).is_none());
    let again = set.insert(outbox);
    assert_ne!(again, key);
    assert_eq!(set.get(again).unwrap().client().id(), clients[0].0.id());
    let keys: HashSet<_> = set.keys().collect();
    assert_eq!(keys, HashSet::from([again, clients[1].1, clients[2].1]));
    drop(set);
    assert_eq!(hub.client_count(), 0, "a set disconnects its clients");
}

#[test]
fn an_empty_set_has_nothing_to_wait_for() {
    let mut set = OutboxSet::new();
    assert_eq!(set.recv_blocking(1, |_, _| {}), 0);
    assert_eq!(set.drain(1, |_, _| {}), 0);
}

/// Polls once, with a waker that counts.
fn poll(set: &mut OutboxSet, woken: &Arc<AtomicUsize>, came: &mut Came) -> Poll<usize> {
    let woken = Arc::clone(woken);
    let waker = waker(move || {
        woken.fetch_add(1, Ordering::SeqCst);
    });
    let mut cx = Context::from_waker(&waker);
    set.poll_recv(&mut cx, 64, |key, frame| came.note(key, frame))
}

#[test]
fn a_parked_set_is_woken_by_whatever_comes_and_looks_at_that_alone() {
    let hub = Hub::new();
    let (mut set, clients) = crowd(&hub, 30);
    let (woken, mut came) = (Arc::new(AtomicUsize::new(0)), Came::default());
    assert_eq!(poll(&mut set, &woken, &mut came), Poll::Pending);

    let (client, key) = &clients[9];
    client.send(Message::text("one")).unwrap();
    client.send(Message::text("two")).unwrap();
    assert_eq!(woken.load(Ordering::SeqCst), 1);
    assert_eq!(poll(&mut set, &woken, &mut came), Poll::Ready(2));
    assert_eq!(
        came.0,
        BTreeMap::from([(*key, vec!["one".into(), "two".into()])])
    );
    assert_eq!(poll(&mut set, &woken, &mut came), Poll::Pending);

    clients[3].0.close(Disconnect::KICKED);
    assert_eq!(woken.load(Ordering::SeqCst), 2);
    assert_eq!(poll(&mut set, &woken, &mut came), Poll::Ready(0));
    assert_eq!(set.next_ended(), Some((clients[3].1, Disconnect::KICKED)));
    assert_eq!(poll(&mut set, &woken, &mut came), Poll::Pending);

    publish(&hub, "c", "all");
    assert_eq!(woken.load(Ordering::SeqCst), 3, "once for all of them");
    assert_eq!(poll(&mut set, &woken, &mut came), Poll::Ready(29));
}

#[test]
fn who_comes_into_a_set_that_was_waited_for_is_looked_at() {
    let hub = Hub::new();
    let (mut set, _clients) = crowd(&hub, 2);
    let (woken, mut came) = (Arc::new(AtomicUsize::new(0)), Came::default());
    assert_eq!(poll(&mut set, &woken, &mut came), Poll::Pending);
    let (client, outbox) = connect(&hub);
    client.send(Message::text("before")).unwrap();
    let key = set.insert(outbox);
    assert_eq!(poll(&mut set, &woken, &mut came), Poll::Ready(1));
    assert_eq!(came.0[&key], ["before"]);
    assert_eq!(poll(&mut set, &woken, &mut came), Poll::Pending);
    let before = woken.load(Ordering::SeqCst);
    client.send(Message::text("after")).unwrap();
    assert_eq!(woken.load(Ordering::SeqCst), before + 1);
}

#[test]
fn a_drain_between_two_waits_takes_nothing_away_from_them() {
    let hub = Hub::new();
    let (mut set, _clients) = crowd(&hub, 5);
    let (woken, mut came) = (Arc::new(AtomicUsize::new(0)), Came::default());
    assert_eq!(poll(&mut set, &woken, &mut came), Poll::Pending);
    publish(&hub, "c", "drained");
    assert_eq!(set.drain(64, |_, _| {}), 5);
    assert_eq!(poll(&mut set, &woken, &mut came), Poll::Pending);
    publish(&hub, "c", "waited for");
    assert_eq!(woken.load(Ordering::SeqCst), 2);
    assert_eq!(poll(&mut set, &woken, &mut came), Poll::Ready(5));
}

#[test]
fn after_a_panic_the_others_still_come() {
    let hub = Hub::new();
    let (mut set, _clients) = crowd(&hub, 20);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(set.poll_recv(&mut cx, 64, |_, _| {}).is_pending());
    publish(&hub, "c", "x");
    let mut calls = 0;
    let caught = catch_unwind(AssertUnwindSafe(|| {
        set.poll_recv(&mut cx, 64, |_, _| {
            calls += 1;
            assert!(calls < 5, "as planned");
        })
    }));
    assert!(caught.is_err());
    let rest = set.poll_recv(&mut cx, 64, |_, _| {});
    assert_eq!(rest, Poll::Ready(15), "five were taken");
    publish(&hub, "c", "y");
    assert_eq!(set.poll_recv(&mut cx, 64, |_, _| {}), Poll::Ready(20));
}

#[test]
fn a_waiting_thread_gets_all_that_publishers_put_in_and_every_end() {
    const CLIENTS: usize = 50;
    const PUBLISHERS: u64 = 3;
    const EACH: u64 = 300;
    let room = usize::try_from(2 * PUBLISHERS * EACH).unwrap();
    let hub = hub_of(room, SlowConsumer::DropNewest);
    let (mut set, clients) = crowd(&hub, CLIENTS);
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|publisher| {
            let hub = hub.clone();
            thread::spawn(move || {
                for number in 0..EACH {
                    let message = Message::text(format!("{publisher} {number}"));
                    let _delivery = hub.publish("c", message).expect("published");
                    if number % 7 == 0 {
                        thread::yield_now();
                    }
                }
            })
        })
        .collect();
    let receiver = thread::spawn(move || {
        let (mut came, mut frames, mut ended) = (Came::default(), 0, 0);
        while !set.is_empty() {
            frames += set.recv_blocking(5, |key, frame| came.note(key, frame));
            while let Some((_, why)) = set.next_ended() {
                assert_eq!(why, Disconnect::KICKED);
                ended += 1;
            }
        }
        (came, frames, ended)
    });
    for publisher in publishers {
        publisher.join().expect("no panic");
    }
    for (client, _) in &clients {
        client.close(Disconnect::KICKED);
    }
    let (came, frames, ended) = receiver.join().expect("no panic");
    assert_eq!(ended, CLIENTS);
    assert_eq!(frames as u64, CLIENTS as u64 * PUBLISHERS * EACH);
    let first = &came.0[&clients[0].1];
    for (_, key) in &clients {
        assert_eq!(came.0[key], *first, "all saw the same order");
    }
}
