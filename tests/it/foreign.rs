//! Foreign code that panics inside the hub: it ends nobody else's work, and is counted.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Wake;
use std::task::Waker;
use std::time::Instant;

use bytes::Bytes;
use futures_util::FutureExt;
use throng::Authorization;
use throng::Channel;
use throng::ChannelName;
use throng::Clock;
use throng::ConnectOptions;
use throng::Filter;
use throng::HistoryOptions;
use throng::Hub;
use throng::HubEvent;
use throng::Limits;
use throng::ManualClock;
use throng::Member;
use throng::Message;
use throng::Outbox;
use throng::OutboxLimits;
use throng::Router;
use throng::SlowConsumer;
use throng::SubscribeOptions;

use crate::support::built;
use crate::support::drain;
use crate::support::ending;
use crate::support::hub_of;
use crate::support::join;
use crate::support::join_as;
use crate::support::offsets;
use crate::support::open_hub;
use crate::support::publish;
use crate::support::waker;

/// Panics when it is dropped, unless it was defused.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a destructor panics on purpose");
    }
}

impl AsRef<[u8]> for Bomb {
    fn as_ref(&self) -> &[u8] {
        b"bomb"
    }
}

fn bomb() -> Message {
    Message::binary(Bytes::from_owner(Bomb))
}

fn noticing() -> ConnectOptions {
    ConnectOptions::new().gap_notices(true)
}

fn park(outbox: &mut Outbox, waker: &Waker) {
    assert!(
        outbox
            .poll_recv(&mut Context::from_waker(waker))
            .is_pending()
    );
}

#[test]
fn a_waker_that_panics_makes_no_hole_for_others() {
    let hub = hub_of(8, SlowConsumer::DISCONNECT);
    let (_first, mut first) = join_as(&hub, "c", noticing());
    let (_second, mut second) = join_as(&hub, "c", noticing());
    let (_third, mut third) = join_as(&hub, "c", noticing());
    park(&mut first, &waker(|| panic!("a waker panics on purpose")));
    for _ in 0..2 {
        let delivery = hub.publish("c", Message::static_text("x")).unwrap();
        assert_eq!(delivery.delivered(), 3);
    }
    for outbox in [&mut first, &mut second, &mut third] {
        assert_eq!(offsets(outbox), [1, 2]);
    }
    assert_eq!(hub.stats().panics, 1);
    assert_eq!(hub.stats().delivered, 6);
}

/// A waker that panics once it is dropped, inside the fan-out.
#[test]
fn a_waker_whose_destructor_panics_makes_no_hole_for_others() {
    struct Fragile {
        _held: Bomb,
    }
    impl Wake for Fragile {
        fn wake(self: Arc<Self>) {}
    }
    let hub = hub_of(8, SlowConsumer::DISCONNECT);
    let (_first, mut first) = join(&hub, "c");
    let (_second, mut second) = join(&hub, "c");
    park(&mut first, &Waker::from(Arc::new(Fragile { _held: Bomb })));
    publish(&hub, "c", "x");
    assert_eq!(
        (offsets(&mut first), offsets(&mut second)),
        (vec![1], vec![1])
    );
    assert_eq!(hub.stats().panics, 1);
}

/// One that is parked for ever, of a client that is closed: the close goes on.
#[test]
fn a_waker_that_panics_stops_no_close() {
    let hub = hub_of(8, SlowConsumer::DISCONNECT);
    let mut outboxes: Vec<_> = (0..3).map(|_| join(&hub, "c")).collect();
    for (_, outbox) in &mut outboxes {
        park(outbox, &waker(|| panic!("a waker panics on purpose")));
    }
    hub.close(throng::Disconnect::SHUTDOWN);
    for (_, outbox) in &mut outboxes {
        assert_eq!(ending(outbox), throng::Disconnect::SHUTDOWN);
    }
    assert_eq!((hub.client_count(), hub.stats().panics), (0, 3));
}

/// Whoever takes a payload out last, inside a fan-out or a channel, goes on.
#[test]
fn a_payload_whose_destructor_panics_makes_no_hole_for_others() {
    for policy in [SlowConsumer::DropOldest, SlowConsumer::KeepLatest] {
        let hub = hub_of(1, policy);
        let (_first, mut first) = join(&hub, "c");
        let (_second, mut second) = join(&hub, "c");
        let key = |message: Message| message.key("k");
        let _delivery = hub.publish("c", key(bomb())).unwrap();
        // It throws the bomb out of both outboxes, and the last is dropped here.
        let delivery = hub.publish("c", key(Message::static_text("x"))).unwrap();
        assert_eq!(
            (delivery.delivered(), delivery.evicted()),
            (2, 2),
            "{policy:?}"
        );
        assert_eq!(offsets(&mut first), [2], "{policy:?}");
        assert_eq!(offsets(&mut second), [2], "{policy:?}");
        assert_eq!(hub.stats().panics, 1, "{policy:?}");
    }
}

#[test]
fn a_remembered_payload_whose_destructor_panics_is_forgotten_like_others() {
    let history = HistoryOptions::new().messages(1);
    let hub = Hub::builder().history(move |_| Some(history.clone()));
    let hub = built(hub);
    let (_client, mut outbox) = join(&hub, "c");
    let _delivery = hub.publish("c", bomb()).unwrap();
    drop(drain(&mut outbox));
    publish(&hub, "c", "x");
    assert_eq!(offsets(&mut outbox), [2]);
    let stats = hub.channel("c").unwrap().stats();
    assert_eq!((stats.history_messages, stats.delivered), (1, 2));
    assert_eq!(hub.stats().panics, 1);
}

#[test]
fn dropping_an_outbox_of_payloads_that_panic_leaves_nothing() {
    let hub = hub_of(8, SlowConsumer::DISCONNECT);
    let (client, outbox) = join(&hub, "c");
    for _ in 0..3 {
        let _delivery = hub.publish("c", bomb()).unwrap();
    }
    drop(outbox);
    assert!(hub.client(client.id()).is_none());
    assert_eq!((hub.client_count(), hub.channel_count()), (0, 0));
    assert_eq!(hub.stats().panics, 3);
}

/// The filter goes with the subscription, in the middle of the channel.
#[test]
fn a_filter_whose_destructor_panics_leaves_no_ghost() {
    let hub = built(open_hub());
    let (_other, mut other) = join_as(&hub, "presence-c", ConnectOptions::new().user("o"));
    let options = ConnectOptions::new().user("x");
    let (client, _outbox) = crate::support::connect_as(&hub, options);
    let held = Bomb;
    let filter = Filter::new(move |_: &Message| {
        let _held = &held;
        true
    });
    let options = SubscribeOptions::new().filter(filter);
    let joined = client.subscribe_with("presence-c", options);
    joined.now_or_never().unwrap().unwrap();
    client.unsubscribe("presence-c").unwrap();
    assert_eq!(hub.presence("presence-c").len(), 1);
    drop(drain(&mut other));
    publish(&hub, "presence-c", "x");
    assert_eq!(offsets(&mut other).len(), 1);
    assert_eq!(hub.stats().panics, 1);
}

/// What an application says of a member goes when the member does, in the middle of the channel,
/// where others have to be told.
#[test]
fn what_is_said_of_a_member_may_panic_when_it_is_dropped() {
    let hub = Hub::builder().authorizer(|request: &throng::AuthRequest| {
        let user = request.user().unwrap_or_default();
        let info = match user {
            "bomb" => Bytes::from_owner(Bomb),
            _ => Bytes::new(),
        };
        Authorization::AllowAs(Member::new(user, info))
    });
    let hub = built(hub);
    let (_other, mut other) = join_as(&hub, "presence-c", ConnectOptions::new().user("o"));
    let (client, outbox) = join_as(&hub, "presence-c", ConnectOptions::new().user("bomb"));
    drop((client, outbox));
    assert_eq!(drain(&mut other).len(), 3, "joined, came, went");
    assert_eq!(hub.presence("presence-c").len(), 1);
    publish(&hub, "presence-c", "x");
    assert_eq!(offsets(&mut other), [4]);
}

/// Credentials go with the last owner of the client, which may be a channel.
#[test]
fn credentials_whose_destructor_panics_leave_no_ghost() {
    let hub = hub_of(8, SlowConsumer::DISCONNECT);
    let options = ConnectOptions::new().auth(Bytes::from_owner(Bomb));
    let (client, outbox) = join_as(&hub, "c", options);
    let (_other, mut other) = join(&hub, "c");
    drop(client);
    crate::support::in_the_middle_of(&hub, "c", move || drop(outbox));
    publish(&hub, "c", "x");
    assert_eq!(offsets(&mut other).len(), 2);
    assert_eq!(hub.subscriber_count("c"), 1);
    assert_eq!((hub.client_count(), hub.stats().panics), (1, 1));
}

#[test]
fn hooks_that_panic_stop_nobody_and_are_logged() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&log);
    let hub = open_hub()
        .on_presence(|_: &throng::PresenceEvent| panic!("a hook panics on purpose"))
        .on_event(move |event: &HubEvent| {
            lines.lock().unwrap().push(event.clone());
        });
    let hub = built(hub);
    assert!(hub.on_channel(|_| panic!("a hook panics on purpose")));
    let (client, _outbox) = join_as(&hub, "presence-c", ConnectOptions::new().user("u"));
    client.unsubscribe("presence-c").unwrap();
    assert_eq!(hub.channel_count(), 0);
    hub.tick();
    // It was made, joined, left and reclaimed.
    assert_eq!(hub.stats().panics, 4);
    let log = log.lock().unwrap();
    let caught = log.iter().map(|event| match event {
        HubEvent::Panicked { caught, .. } => *caught,
        _ => 0,
    });
    assert_eq!(caught.sum::<u32>(), 4);
}

#[test]
fn a_logger_that_always_panics_is_not_called_for_ever() {
    let hub = Hub::builder()
        .slow_consumer(SlowConsumer::DropNewest)
        .outbox(OutboxLimits::new().messages(1))
        .on_event(|_: &HubEvent| panic!("a logger panics on purpose"));
    let hub = built(hub);
    let (_client, _outbox) = join(&hub, "c");
    for _ in 0..9 {
        publish(&hub, "c", "x");
    }
    assert_eq!(hub.stats().panics, 1, "it was told of one client");
}

#[derive(Clone)]
struct Broken(Arc<AtomicBool>);

impl Router for Broken {
    fn version(&self) -> u64 {
        assert!(
            !self.0.load(Ordering::Relaxed),
            "a router panics on purpose"
        );
        1
    }

    fn routes(&self, _channel: &ChannelName) -> Vec<Channel> {
        panic!("a router panics on purpose");
    }
}

#[test]
fn a_router_that_panics_stops_no_publish() {
    let hub = Hub::new();
    let broken = Broken(Arc::default());
    assert!(hub.set_router(broken.clone()));
    let (_client, mut outbox) = join(&hub, "c");
    for is_broken in [false, true] {
        broken.0.store(is_broken, Ordering::Relaxed);
        let delivery = hub.publish("c", Message::static_text("x")).unwrap();
        assert_eq!((delivery.delivered(), delivery.routed()), (1, 0));
    }
    assert_eq!(offsets(&mut outbox), [1, 2]);
    assert_eq!(hub.channel("c").unwrap().stats().published, 2);
    assert_eq!(hub.stats().panics, 2);
}

#[derive(Clone)]
struct Stopped(ManualClock, Arc<AtomicBool>);

impl Clock for Stopped {
    fn now(&self) -> Instant {
        assert!(!self.1.load(Ordering::Relaxed), "a clock panics on purpose");
        self.0.now()
    }
}

#[test]
fn a_clock_that_panics_makes_no_hole() {
    let stopped = Arc::new(AtomicBool::new(false));
    let clock = Stopped(ManualClock::new(), Arc::clone(&stopped));
    let hub = Hub::builder()
        .clock(clock)
        .limits(Limits::new())
        .history(|_| Some(HistoryOptions::new()));
    let hub = built(hub);
    let (_client, mut outbox) = join(&hub, "c");
    stopped.store(true, Ordering::Relaxed);
    publish(&hub, "c", "x");
    stopped.store(false, Ordering::Relaxed);
    assert_eq!(offsets(&mut outbox), [1]);
    assert_eq!(hub.channel("c").unwrap().stats().history_messages, 1);
    assert!(hub.stats().panics > 0);
}
