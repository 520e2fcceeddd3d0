//! One channel: its order, its joins, its lives; and who may call it from where.
//!
//! Contention is made without luck: `in_the_middle_of` calls the test from the waker of a
//! subscriber, which is to say while a publisher owns the channel.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::Barrier;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::thread;

use futures_util::FutureExt;
use throng::AuthRequest;
use throng::Authorization;
use throng::ConnectOptions;
use throng::Delivery;
use throng::Disconnect;
use throng::Event;
use throng::Frame;
use throng::Hub;
use throng::Joined;
use throng::Message;
use throng::PublishError;
use throng::StreamPosition;
use throng::SubscribeError;
use throng::SubscribeOptions;
use tokio::sync::oneshot;

use crate::support::built;
use crate::support::connect;
use crate::support::connect_as;
use crate::support::drain;
use crate::support::eventually;
use crate::support::holding;
use crate::support::in_the_middle_of;
use crate::support::join;
use crate::support::join_as;
use crate::support::offsets;
use crate::support::publish;
use crate::support::publish_numbers;
use crate::support::texts;
use crate::support::waker;

type Task<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Polls once, with nobody to wake.
fn poll<T>(task: &mut Task<T>) -> Poll<T> {
    task.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

fn roomy() -> Hub {
    built(Hub::builder().outbox(holding(1 << 20).bytes(1 << 30)))
}

fn since(position: StreamPosition) -> SubscribeOptions {
    SubscribeOptions::new().since(position)
}

#[test]
fn offsets_count_from_one_without_a_gap() {
    let hub = Hub::new();
    let (_client, mut outbox) = join(&hub, "c");
    let channel = hub.channel("c").unwrap();
    assert_eq!(channel.position().offset, 0);
    for offset in 1..=10 {
        let delivery = channel.publish(Message::static_text("x")).unwrap();
        assert_eq!(delivery.position(), Some(channel.position()));
        assert_eq!(channel.position().offset, offset);
    }
    let epoch = channel.position().epoch;
    let frames = drain(&mut outbox);
    assert!(frames.iter().all(|frame| frame.epoch() == epoch));
    assert_eq!(
        frames.iter().map(Frame::offset).collect::<Vec<_>>(),
        (1..=10).collect::<Vec<_>>()
    );
}

#[test]
fn a_channel_that_nobody_made_is_not_made_by_a_publish() {
    let hub = Hub::new();
    let delivery = hub.publish("c", Message::static_text("x")).unwrap();
    assert_eq!((delivery.addressed(), delivery.position()), (0, None));
    assert_eq!(hub.channel_count(), 0);
}

/// G3: every subscriber sees the one order, which is that of the offsets and, for each publisher,
/// that of its calls.
#[test]
fn all_subscribers_see_one_order_of_all_publishers() {
    const PUBLISHERS: usize = 4;
    const EACH: usize = 3_000;
    let hub = roomy();
    let mut subscribers: Vec<_> = (0..3).map(|_| join(&hub, "c")).collect();
    let start = Barrier::new(PUBLISHERS);
    thread::scope(|scope| {
        for publisher in 0..PUBLISHERS {
            let (channel, start) = (hub.channel("c").unwrap(), &start);
            scope.spawn(move || {
                start.wait();
                for number in 0..EACH {
                    let text = format!("{publisher} {number}");
                    while channel.publish(Message::text(text.clone())).is_err() {
                        thread::yield_now();
                    }
                }
            });
        }
    });
    let all: Vec<_> = subscribers
        .iter_mut()
        .map(|(_, outbox)| drain(outbox))
        .collect();
    let first: Vec<_> = all[0].iter().map(|frame| frame.payload().clone()).collect();
    assert_eq!(
        first.len(),
        PUBLISHERS * EACH,
        "nothing handed over is lost"
    );
    for frames in &all {
        assert!(frames.iter().map(Frame::offset).eq(1..=first.len() as u64));
        assert!(frames.iter().map(Frame::payload).eq(&first));
    }
    let mut next = [0; PUBLISHERS];
    for text in first {
        let text = String::from_utf8(text.to_vec()).unwrap();
        let (publisher, number) = text.split_once(' ').unwrap();
        let publisher: usize = publisher.parse().unwrap();
        assert_eq!(number, next[publisher].to_string());
        next[publisher] += 1;
    }
}

#[test]
fn what_is_handed_over_arrives_after_what_was_being_published() {
    let hub = Hub::new();
    let (_client, mut outbox) = join(&hub, "c");
    let own = hub.clone();
    let deferred = in_the_middle_of(&hub, "c", move || {
        own.publish("c", Message::static_text("handed over"))
            .unwrap()
    });
    assert!(deferred.is_deferred());
    assert_eq!((deferred.addressed(), deferred.position()), (0, None));
    assert_eq!(texts(&mut outbox), ["in the middle", "handed over"]);
    let stats = hub.channel("c").unwrap().stats();
    assert_eq!(
        (stats.published, stats.delivered),
        (2, 4),
        "its counts go to the channel"
    );
}

#[test]
fn publish_confirmed_waits_for_the_counts() {
    let hub = Hub::new();
    let (client, mut outbox) = join(&hub, "c");
    let channel = hub.channel("c").unwrap();
    let (own, id) = (channel.clone(), client.id());
    let (mut to_all, mut to_others) = in_the_middle_of(&hub, "c", move || {
        let to = own.clone();
        let mut to_all: Task<Result<Delivery, PublishError>> =
            Box::pin(async move { to.prepare(Message::static_text("1")).confirmed().await });
        let mut to_others: Task<Result<Delivery, PublishError>> = Box::pin(async move {
            let message = Message::static_text("2");
            own.prepare(message).except(id).confirmed().await
        });
        assert!(poll(&mut to_all).is_pending());
        assert!(poll(&mut to_others).is_pending());
        (to_all, to_others)
    });
    let Poll::Ready(Ok(delivery)) = poll(&mut to_all) else {
        panic!("the counts are there")
    };
    assert_eq!((delivery.delivered(), delivery.is_deferred()), (2, false));
    assert_eq!(delivery.position().unwrap().offset, 2);
    let Poll::Ready(Ok(delivery)) = poll(&mut to_others) else {
        panic!("the counts are there")
    };
    assert_eq!(delivery.delivered(), 1);
    assert_eq!(offsets(&mut outbox), [1, 2]);
    let idle = channel.prepare(Message::static_text("3")).confirmed();
    assert_eq!(
        idle.now_or_never()
            .unwrap()
            .unwrap()
            .position()
            .unwrap()
            .offset,
        4
    );
}

#[test]
fn a_publish_confirmed_that_is_dropped_is_published_all_the_same() {
    let hub = Hub::new();
    let (_client, mut outbox) = join(&hub, "c");
    let channel = hub.channel("c").unwrap();
    drop(
        channel
            .prepare(Message::static_text("never polled"))
            .confirmed(),
    );
    in_the_middle_of(&hub, "c", move || {
        let publish = channel.prepare(Message::static_text("polled")).confirmed();
        assert!(publish.now_or_never().is_none());
    });
    assert_eq!(texts(&mut outbox), ["in the middle", "polled"]);
}

/// Many threads, each awaiting each report: no report is lost, none is counted twice.
#[test]
fn publish_confirmed_is_exact_under_contention() {
    const THREADS: usize = 4;
    const EACH: usize = 1_000;
    let hub = roomy();
    let subscribers: Vec<_> = (0..3).map(|_| join(&hub, "c")).collect();
    let reports: Vec<_> = thread::scope(|scope| {
        let threads = (0..THREADS).map(|_| {
            let channel = hub.channel("c").unwrap();
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .build()
                    .unwrap();
                runtime.block_on(async {
                    let mut reports = Vec::new();
                    for _ in 0..EACH {
                        let publish = channel.prepare(Message::static_text("x")).confirmed();
                        reports.push(publish.await.unwrap());
                    }
                    reports
                })
            })
        });
        let threads: Vec<_> = threads.collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(reports.iter().all(|report| !report.is_deferred()));
    assert!(
        reports
            .iter()
            .all(|report| (report.delivered(), report.dropped()) == (3, 0))
    );
    let mut places: Vec<_> = reports
        .iter()
        .map(|report| report.position().unwrap().offset)
        .collect();
    places.sort_unstable();
    assert!(places.into_iter().eq(1..=(THREADS * EACH) as u64));
    assert!(
        subscribers
            .iter()
            .all(|(_, outbox)| outbox.len() == THREADS * EACH)
    );
}

#[test]
fn a_waker_that_publishes_on_the_same_channel_is_served_in_turn() {
    let hub = Hub::new();
    let (_client, mut outbox) = join(&hub, "c");
    let (_other, mut other) = join(&hub, "c");
    let channel = hub.channel("c").unwrap();
    let waker = waker(move || {
        let _handed_over = channel
            .publish(Message::static_text("from the waker"))
            .unwrap();
    });
    assert!(
        outbox
            .poll_recv(&mut Context::from_waker(&waker))
            .is_pending()
    );
    publish(&hub, "c", "first");
    assert_eq!(texts(&mut outbox), ["first", "from the waker"]);
    assert_eq!(texts(&mut other), ["first", "from the waker"]);
}

/// G5, and what a position is for.
#[test]
fn a_join_in_a_storm_begins_right_after_its_position() {
    let hub = roomy();
    let (_keeps_it, _outbox) = join(&hub, "c");
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            let (channel, stop) = (hub.channel("c").unwrap(), &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let _delivery = channel.publish(Message::static_text("x"));
                    thread::yield_now();
                }
            });
        }
        let _stops = RaiseWhenDropped(&stop);
        for _ in 0..300 {
            let (client, mut outbox) = connect(&hub);
            let joined = client.subscribe_blocking("c").unwrap();
            let first = outbox.recv_blocking().unwrap();
            assert_eq!(first.offset(), joined.position.offset + 1);
            assert_eq!(first.epoch(), joined.position.epoch);
            assert_eq!(outbox.recv_blocking().unwrap().offset(), first.offset() + 1);
        }
    });
}

/// Tells other threads to stop, also when an assertion fails: else the test would hang.
struct RaiseWhenDropped<'a>(&'a AtomicBool);

impl Drop for RaiseWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Several leave and join while it goes on. What a publisher was in the middle of when a client
/// left may still arrive, but nothing arrives twice or out of order, and nothing is missed after a
/// join.
#[test]
fn subscribers_come_and_go_while_others_publish() {
    const ROUNDS: u64 = 300;
    let hub = roomy();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let (hub, done) = (&hub, &done);
        scope.spawn(move || {
            let channel = hub.channel("c").unwrap();
            while !done.load(Ordering::Relaxed) {
                match channel.publish(Message::static_text("x")) {
                    Ok(delivery) => assert!(delivery.addressed() <= 3),
                    // Whoever is in the middle may be stopped there for long.
                    Err(error) => assert!(matches!(error, PublishError::Backlogged(_))),
                }
                thread::yield_now();
            }
        });
        let comers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(move || {
                    let (client, mut outbox) = connect(hub);
                    let mut last = 0;
                    for _ in 0..ROUNDS {
                        let joined = client.subscribe_blocking("c").unwrap();
                        assert!(joined.position.offset >= last);
                        while last <= joined.position.offset {
                            let offset = outbox.recv_blocking().unwrap().offset();
                            let of_before = offset <= joined.position.offset;
                            assert!(offset == joined.position.offset + 1 || of_before);
                            assert!(offset > last);
                            last = offset;
                        }
                        client.unsubscribe("c").unwrap();
                        for frame in drain(&mut outbox) {
                            assert!(frame.offset() > last);
                            last = frame.offset();
                        }
                    }
                })
            })
            .collect();
        let ends: Vec<_> = comers.into_iter().map(|comer| comer.join()).collect();
        // Before any of them is looked at, or a failure would leave the publisher publishing.
        done.store(true, Ordering::Relaxed);
        assert!(ends.iter().all(Result::is_ok), "a comer failed");
    });
    assert_eq!(hub.subscriber_count("c"), 0);
}

#[test]
fn since_the_present_position_is_recovered_and_any_other_is_not() {
    let hub = Hub::new();
    let (client, _outbox) = join(&hub, "c");
    let (other, _keeps_it) = join(&hub, "c");
    publish_numbers(&hub, "c", 0..3);
    let rejoin = |options| -> Joined {
        client.unsubscribe("c").unwrap();
        client
            .subscribe_with("c", options)
            .now_or_never()
            .unwrap()
            .unwrap()
    };
    let seen = rejoin(SubscribeOptions::new());
    assert!(!seen.recovered, "nothing was asked for");
    assert_eq!(seen.position.offset, 3);
    let StreamPosition { offset, epoch } = seen.position;
    assert!(rejoin(since(seen.position)).recovered);
    assert!(!rejoin(since(StreamPosition { offset: 2, epoch })).recovered);
    assert!(!rejoin(since(StreamPosition { offset: 4, epoch })).recovered);
    assert!(
        !rejoin(since(StreamPosition {
            offset,
            epoch: epoch + 1
        }))
        .recovered
    );
    publish(&hub, "c", "more");
    assert!(
        !rejoin(since(seen.position)).recovered,
        "that can no longer be kept"
    );
    assert!(!other.is_closed());
}

#[test]
fn a_reclaimed_channel_begins_a_new_epoch() {
    let hub = Hub::new();
    let (client, _outbox) = connect(&hub);
    let first = client.subscribe_blocking("c").unwrap().position;
    publish(&hub, "c", "x");
    client.unsubscribe("c").unwrap();
    let last = StreamPosition { offset: 1, ..first };
    let joined = client
        .subscribe_with("c", since(last))
        .now_or_never()
        .unwrap()
        .unwrap();
    assert_ne!(joined.position.epoch, first.epoch);
    assert_eq!((joined.position.offset, joined.recovered), (0, false));
}

#[test]
fn a_channel_lives_while_it_has_a_subscriber_or_a_handle() {
    let hub = Hub::new();
    let channel = hub.channel("c").unwrap();
    let another = channel.clone();
    drop(channel);
    assert_eq!(hub.channel_count(), 1);
    let (client, outbox) = join(&hub, "c");
    drop(another);
    assert_eq!(hub.channel_count(), 1);
    client.unsubscribe("c").unwrap();
    assert_eq!((hub.channel_count(), hub.channels().len()), (0, 0));
    client.subscribe_blocking("c").unwrap();
    drop(outbox);
    assert_eq!(hub.channel_count(), 0);
}

/// A closed client lets go without looking at the table: its channel waits to be reclaimed, and may
/// be wanted again before that.
#[test]
fn a_channel_that_is_held_again_is_not_reclaimed() {
    let hub = Hub::new();
    let (client, _closed) = join(&hub, "c");
    publish(&hub, "c", "x");
    client.close(Disconnect::CLOSED);
    let channel = hub.channel("c").unwrap();
    let (_sweeps, _outbox) = connect(&hub);
    assert_eq!(hub.channel_count(), 1);
    let delivery = hub.publish("c", Message::static_text("y")).unwrap();
    assert_eq!(delivery.position(), Some(channel.position()));
    assert_eq!(channel.position().offset, 2);
}

/// A lookup and the last leave race for the table: whoever holds a channel holds the one that
/// others find.
#[test]
fn reclaiming_races_those_who_come() {
    let hub = Hub::new();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..1_000 {
                    let (client, mut outbox) = connect(&hub);
                    client.subscribe_blocking("c").unwrap();
                    publish(&hub, "c", "x");
                    outbox.recv_blocking().unwrap();
                }
            });
        }
    });
    assert_eq!((hub.client_count(), hub.channel_count()), (0, 0));
}

#[test]
fn a_subscribe_that_is_never_polled_does_nothing() {
    let hub = Hub::new();
    let (client, _outbox) = connect(&hub);
    drop(client.subscribe("c"));
    assert_eq!((hub.channel_count(), client.subscriptions().len()), (0, 0));
}

#[test]
fn a_subscribe_that_is_dropped_while_the_authorizer_thinks_does_nothing() {
    let never = |_: &AuthRequest| Authorization::later(std::future::pending());
    let hub = built(Hub::builder().authorizer(never));
    let (client, _outbox) = connect(&hub);
    assert!(client.subscribe("presence-lobby").now_or_never().is_none());
    assert_eq!((hub.channel_count(), client.subscriptions().len()), (0, 0));
    assert!(hub.presence("presence-lobby").is_empty());
}

#[test]
fn a_subscribe_that_is_dropped_while_it_waits_for_its_turn_is_undone() {
    let hub = Hub::new();
    let (client, mut outbox) = connect(&hub);
    let own = client.clone();
    in_the_middle_of(&hub, "c", move || {
        assert!(own.subscribe("c").now_or_never().is_none());
    });
    assert!(client.subscriptions().is_empty());
    publish(&hub, "c", "not for it");
    assert!(drain(&mut outbox).is_empty());
    assert_eq!(hub.subscriber_count("c"), 0);
    assert_eq!(hub.channel_count(), 0);
    client.subscribe_blocking("c").unwrap();
}

#[test]
fn a_subscribe_that_waits_for_its_turn_gets_it() {
    let hub = Hub::new();
    let (client, mut outbox) = connect(&hub);
    let own = client;
    let mut joining = in_the_middle_of(&hub, "c", move || {
        let mut joining: Task<Result<Joined, SubscribeError>> =
            Box::pin(async move { own.subscribe("c").await });
        assert!(poll(&mut joining).is_pending());
        joining
    });
    let Poll::Ready(Ok(joined)) = poll(&mut joining) else {
        panic!("its turn has come")
    };
    assert_eq!(joined.position.offset, 1);
    publish(&hub, "c", "x");
    assert_eq!(offsets(&mut outbox), [2]);
}

#[test]
fn an_unsubscribe_overtakes_a_join_that_waits() {
    let hub = Hub::new();
    let (client, mut outbox) = connect(&hub);
    let own = client;
    let mut joining = in_the_middle_of(&hub, "c", move || {
        let joining_client = own.clone();
        let mut joining: Task<Result<Joined, SubscribeError>> =
            Box::pin(async move { joining_client.subscribe("c").await });
        assert!(poll(&mut joining).is_pending());
        own.unsubscribe("c").unwrap();
        joining
    });
    let Poll::Ready(Err(error)) = poll(&mut joining) else {
        panic!("it was taken off before it had joined")
    };
    assert_eq!(error, SubscribeError::Unsubscribed);
    publish(&hub, "c", "x");
    assert!(drain(&mut outbox).is_empty());
}

#[tokio::test]
async fn an_authorizer_may_answer_later() {
    let (allow, allowed) = oneshot::channel::<Authorization>();
    let decision = Mutex::new(Some(allowed));
    let hub = built(Hub::builder().authorizer(move |_: &AuthRequest| {
        let decision = decision.lock().unwrap().take().unwrap();
        Authorization::later(async move {
            let answer = decision.await.unwrap();
            Authorization::later(async move { answer })
        })
    }));
    let (client, _outbox) = connect(&hub);
    let own = client.clone();
    let joining = tokio::spawn(async move { own.subscribe("private-orders").await.map(drop) });
    tokio::task::yield_now().await;
    assert_eq!(
        hub.channel_count(),
        0,
        "no channel is made before the answer"
    );
    client.subscribe("others are not held up").await.unwrap();
    allow.send(Authorization::Allow).unwrap();
    assert_eq!(joining.await.unwrap(), Ok(()));
    assert_eq!(hub.subscriber_count("private-orders"), 1);
}

#[test]
fn the_credentials_of_a_subscription_come_before_those_of_the_client() {
    let only = |request: &AuthRequest| match &request.auth()[..] {
        b"of the subscription" => Authorization::Allow,
        _ => Authorization::deny("other"),
    };
    let hub = built(Hub::builder().authorizer(only));
    let (client, _outbox) = connect_as(&hub, ConnectOptions::new().auth("of the client"));
    client.subscribe_blocking("private-orders").unwrap_err();
    let options = SubscribeOptions::new().auth("of the subscription");
    let joined = client.subscribe_with("private-orders", options);
    joined.now_or_never().unwrap().unwrap();
}

#[test]
fn who_unsubscribes_gets_nothing_more() {
    let hub = Hub::new();
    let (client, mut outbox) = join(&hub, "c");
    publish(&hub, "c", "before");
    client.unsubscribe("c").unwrap();
    publish(&hub, "c", "after");
    assert!(texts(&mut outbox).is_empty());
    assert_eq!(client.stats().abandoned, 1);
}

#[test]
fn expel_takes_a_client_off_and_tells_it() {
    let hub = Hub::new();
    let (client, mut outbox) = join(&hub, "c");
    client.force_unsubscribe("c", "room was closed").unwrap();
    let frame = outbox.try_recv().unwrap();
    let Event::Unsubscribed(left) = frame.event() else {
        panic!("{frame:?}")
    };
    assert_eq!(
        (left.channel.as_str(), &*left.reason),
        ("c", "room was closed")
    );
    assert_eq!(frame.channel().unwrap().as_str(), "c");
    client.force_unsubscribe("c", "twice").unwrap_err();
    client.force_unsubscribe("", "no name").unwrap_err();
    assert_eq!(hub.subscriber_count("c"), 0);
    assert!(!client.is_closed());
}

#[test]
fn subscriptions_are_listed() {
    let hub = Hub::new();
    let (client, _outbox) = connect(&hub);
    for name in ["b", "a", "c"] {
        client.subscribe_blocking(name).unwrap();
    }
    client.unsubscribe("a").unwrap();
    let mut names: Vec<_> = client
        .subscriptions()
        .iter()
        .map(ToString::to_string)
        .collect();
    names.sort();
    assert_eq!(names, ["b", "c"]);
}

/// A client that was closed by a publish is not addressed by the next one.
#[test]
fn the_closed_are_removed_and_not_counted() {
    let hub = Hub::new();
    let clients: Vec<_> = (0..5).map(|_| join(&hub, "c")).collect();
    for (index, (client, _)) in clients.iter().enumerate() {
        let delivery = hub.publish("c", Message::static_text("x")).unwrap();
        assert_eq!(delivery.addressed(), 5 - index);
        client.close(Disconnect::CLOSED);
    }
    assert_eq!(hub.subscriber_count("c"), 0);
}

#[test]
fn joining_twice_at_once_joins_once() {
    for _ in 0..300 {
        let hub = Hub::new();
        let (client, mut outbox) = connect(&hub);
        let results: Vec<_> = thread::scope(|scope| {
            let joins = [(); 2].map(|()| scope.spawn(|| client.subscribe_blocking("c").is_ok()));
            joins.into_iter().map(|join| join.join().unwrap()).collect()
        });
        assert_eq!(results.iter().filter(|joined| **joined).count(), 1);
        publish(&hub, "c", "x");
        assert_eq!(drain(&mut outbox).len(), 1);
    }
}

#[test]
fn a_thread_that_waits_for_a_publication_sees_it() {
    let hub = Hub::new();
    let (_client, outbox) = join_as(&hub, "c", ConnectOptions::new());
    let outbox = Arc::new(Mutex::new(outbox));
    let own = hub;
    let publisher = thread::spawn(move || publish(&own, "c", "x"));
    eventually("the publication arrives", || {
        outbox.lock().unwrap().try_recv().is_ok()
    });
    publisher.join().unwrap();
}
