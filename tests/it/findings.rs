//! What comparing the hub with the model, and reading it again, has found, each in few steps.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use throng::AuthRequest;
use throng::Authorization;
use throng::Batch;
use throng::Client;
use throng::ConnectOptions;
use throng::Disconnect;
use throng::Event;
use throng::Frame;
use throng::Hub;
use throng::HubEvent;
use throng::Limits;
use throng::ManualClock;
use throng::Member;
use throng::Message;
use throng::Outbox;
use throng::OutboxLimits;
use throng::PresenceChange;
use throng::PresenceEvent;
use throng::SlowConsumer;
use throng::SubscribeError;

/// A client with an outbox of `messages`.
fn narrow(hub: &Hub, messages: usize, policy: SlowConsumer) -> (Client, Outbox) {
    let limits = OutboxLimits::new().messages(messages);
    let options = ConnectOptions::new()
        .outbox(limits)
        .slow_consumer(policy)
        .gap_notices(true);
    hub.connect(options).unwrap()
}

fn publish(hub: &Hub, channel: &str, times: usize) {
    for _ in 0..times {
        let _delivery = hub.publish(channel, Message::text("x")).unwrap();
    }
}

fn drain(outbox: &mut Outbox) -> Vec<Frame> {
    std::iter::from_fn(|| outbox.try_recv().ok()).collect()
}

#[test]
fn the_limit_of_subscriptions_counts_what_the_client_is_in() {
    let limits = Limits::new().subscriptions(1);
    let hub = Hub::builder().limits(limits).build().unwrap();
    let (client, _outbox) = hub.connect(ConnectOptions::new()).unwrap();
    client.subscribe_blocking("a").unwrap();
    let error = client.subscribe_blocking("b").unwrap_err();
    assert!(matches!(
        error,
        SubscribeError::TooManySubscriptions { limit: 1 }
    ));
}

#[test]
fn gap_notices_do_not_count_as_messages() {
    let hub = Hub::new();
    let (client, mut outbox) = narrow(&hub, 1, SlowConsumer::DropOldest);
    client.subscribe_blocking("a").unwrap();
    publish(&hub, "a", 2);
    let mut batch = Batch::new();
    assert_eq!(
        outbox.try_recv_batch(&mut batch, 8),
        Ok(2),
        "a gap, a message"
    );
    let stats = client.stats();
    assert_eq!((stats.received, stats.high_water), (1, 1));
}

#[test]
fn the_high_water_mark_knows_what_was_evicted() {
    let hub = Hub::new();
    let limits = OutboxLimits::new().messages(4);
    let options = ConnectOptions::new().outbox(limits);
    let (client, mut outbox) = hub
        .connect(options.slow_consumer(SlowConsumer::KeepLatest))
        .unwrap();
    client.subscribe_blocking("a").unwrap();
    for _ in 0..5 {
        let _delivery = hub.publish("a", Message::text("x").key("k")).unwrap();
    }
    // A superseded message arrives if there was room for it, and never after its successor.
    let offsets: Vec<_> = drain(&mut outbox).iter().map(Frame::offset).collect();
    assert!(
        offsets.is_sorted() && offsets.last() == Some(&5),
        "{offsets:?}"
    );
    assert_eq!(client.stats().high_water, 4);
}

#[test]
fn whoever_empties_the_outbox_is_no_longer_behind() {
    let clock = ManualClock::new();
    let hub = Hub::builder().clock(clock.clone()).build().unwrap();
    let grace = Duration::from_secs(1);
    let (client, mut outbox) = narrow(&hub, 1, SlowConsumer::Disconnect { grace });
    for _ in 0..3 {
        let _first = hub.broadcast(Message::text("fits")).unwrap();
        let second = hub.broadcast(Message::text("does not")).unwrap();
        assert_eq!((second.dropped(), second.disconnected()), (1, 0));
        outbox.try_recv().unwrap();
        clock.advance(grace);
    }
    assert!(!client.is_closed());
}

#[test]
fn a_gap_stays_in_one_life_of_the_channel() {
    let hub = Hub::new();
    let (client, mut outbox) = narrow(&hub, 1, SlowConsumer::DropOldest);
    client.subscribe_blocking("a").unwrap();
    publish(&hub, "a", 3);
    client.unsubscribe("a").unwrap();
    client.subscribe_blocking("a").unwrap();
    publish(&hub, "a", 2);
    let frames = drain(&mut outbox);
    let gaps: Vec<_> = frames
        .iter()
        .filter_map(|frame| match frame.event() {
            Event::Gap(gap) => Some((gap.first, gap.last, gap.missed)),
            _ => None,
        })
        .collect();
    // Of the life that the client has left it is not told.
    assert_eq!(gaps, [(1, 1, 1)]);
}

#[test]
fn a_notice_under_way_does_not_hold_the_channel() {
    let hub = Hub::new();
    let (client, _outbox) = narrow(&hub, 1, SlowConsumer::DropNewest);
    client.subscribe_blocking("a").unwrap();
    publish(&hub, "a", 2);
    client.unsubscribe("a").unwrap();
    assert_eq!(hub.channel_count(), 0);
}

#[test]
fn nothing_is_evicted_for_what_never_fits() {
    let limits = Limits::new().payload(8);
    let hub = Hub::builder()
        .limits(limits)
        .authorizer(|_: &AuthRequest| Authorization::Allow)
        .build()
        .unwrap();
    let limits = OutboxLimits::new().bytes(8);
    let options = ConnectOptions::new().user("ada").outbox(limits);
    let (client, mut outbox) = hub
        .connect(options.slow_consumer(SlowConsumer::DropOldest))
        .unwrap();
    client.subscribe_blocking("presence-a").unwrap();
    let _joined = outbox.try_recv().unwrap();
    publish(&hub, "presence-a", 2);
    let options = ConnectOptions::new().user("a name of more than 8 bytes");
    let (other, _other_outbox) = hub.connect(options).unwrap();
    other.subscribe_blocking("presence-a").unwrap();
    let stats = client.stats();
    assert_eq!((stats.evicted, stats.dropped), (0, 1));
    assert_eq!(drain(&mut outbox).len(), 2);
}

#[test]
fn a_channel_nobody_is_in_makes_room_for_another() {
    let limits = Limits::new().channels(1);
    let hub = Hub::builder().limits(limits).build().unwrap();
    let (client, _outbox) = hub.connect(ConnectOptions::new()).unwrap();
    client.subscribe_blocking("a").unwrap();
    client.close(Disconnect::CLOSED);
    hub.channel("b").unwrap();
}

#[test]
fn who_left_is_who_joined() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    let hub = Hub::builder()
        .authorizer(|request: &AuthRequest| {
            Authorization::AllowAs(Member::new("ada", request.auth().clone()))
        })
        .on_presence(move |event| hears.lock().unwrap().push(event.member.clone()))
        .build()
        .unwrap();
    let (first, _first_outbox) = hub.connect(ConnectOptions::new().auth("one")).unwrap();
    let (second, _second_outbox) = hub.connect(ConnectOptions::new().auth("two")).unwrap();
    first.subscribe_blocking("presence-a").unwrap();
    second.subscribe_blocking("presence-a").unwrap();
    first.unsubscribe("presence-a").unwrap();
    second.unsubscribe("presence-a").unwrap();
    let member = Member::new("ada", "one");
    assert_eq!(*heard.lock().unwrap(), [member.clone(), member]);
}

/// Each of many that one publish disconnects is found once, and told of once, not by all the others
/// that are still to be removed.
#[test]
fn many_who_go_at_once_are_each_told_of_once() {
    const CLIENTS: usize = 300;
    let left = Arc::new(AtomicUsize::new(0));
    let hub = Hub::builder()
        .authorizer(|_: &AuthRequest| Authorization::Allow)
        .slow_consumer(SlowConsumer::DISCONNECT)
        .outbox(OutboxLimits::new().messages(CLIENTS))
        .on_presence({
            let left = Arc::clone(&left);
            move |event: &PresenceEvent| {
                let gone = event.change == PresenceChange::Left;
                left.fetch_add(usize::from(gone), Ordering::Relaxed);
            }
        })
        .build()
        .unwrap();
    let mut clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (client, outbox) = hub.connect(ConnectOptions::new()).unwrap();
            client.subscribe_blocking("presence-c").unwrap();
            (client, outbox)
        })
        .collect();
    for (_, outbox) in &mut clients {
        drain(outbox);
    }
    let channel = hub.channel("presence-c").unwrap();
    for _ in 0..CLIENTS {
        let delivery = channel.publish(Message::static_text("x")).unwrap();
        assert_eq!(delivery.delivered(), CLIENTS);
    }
    let last = channel.publish(Message::static_text("too much")).unwrap();
    assert_eq!(last.disconnected(), CLIENTS);
    assert_eq!(left.load(Ordering::Relaxed), CLIENTS);
    assert_eq!(
        channel.stats().published,
        2 * CLIENTS as u64 + CLIENTS as u64 + 1
    );
    assert_eq!((hub.client_count(), channel.subscriber_count()), (0, 0));
}

/// A logger that panics does not keep a slow client from leaving.
#[test]
fn a_logger_that_panics_leaves_no_ghost() {
    let hub = Hub::builder()
        .slow_consumer(SlowConsumer::DISCONNECT)
        .outbox(OutboxLimits::new().messages(1))
        .on_event(|event: &HubEvent| assert!(!matches!(event, HubEvent::SlowDisconnected { .. })))
        .build()
        .unwrap();
    let (client, _outbox) = hub.connect(ConnectOptions::new()).unwrap();
    client.subscribe_blocking("a").unwrap();
    client.subscribe_blocking("b").unwrap();
    let _first = hub.publish("a", Message::static_text("fits")).unwrap();
    let second = hub.publish("a", Message::static_text("does not")).unwrap();
    assert_eq!(second.disconnected(), 1);
    assert_eq!((hub.client_count(), hub.stats().panics), (0, 1));
    assert_eq!(hub.subscriber_count("b"), 0);
}

/// A hook that panics for one channel does not keep a client in another, nor its payloads.
#[test]
fn a_hook_that_panics_leaves_no_ghost_elsewhere() {
    let hub = Hub::builder()
        .authorizer(|_: &AuthRequest| Authorization::Allow)
        .on_presence(|event: &PresenceEvent| assert!(event.change != PresenceChange::Left))
        .build()
        .unwrap();
    let (client, outbox) = hub.connect(ConnectOptions::new()).unwrap();
    for channel in ["presence-a", "presence-b", "presence-c"] {
        client.subscribe_blocking(channel).unwrap();
    }
    drop(outbox);
    assert_eq!((hub.client_count(), hub.stats().panics), (0, 3));
    assert!(hub.client(client.id()).is_none());
    for channel in ["presence-a", "presence-b", "presence-c"] {
        assert!(hub.presence(channel).is_empty(), "{channel}");
    }
    assert_eq!(hub.channel_count(), 0);
}

/// Whoever leaves and whoever joins for one client race; nothing ever arrives twice.
#[test]
fn a_join_does_not_overtake_a_leave() {
    let hub = Hub::builder()
        .outbox(OutboxLimits::new().messages(1 << 16))
        .build()
        .unwrap();
    let (client, mut outbox) = hub.connect(ConnectOptions::new()).unwrap();
    let channel = hub.channel("c").unwrap();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    let _joined = client.subscribe_blocking("c");
                    if let Ok(delivery) = channel.publish(Message::static_text("x")) {
                        assert!(delivery.addressed() <= 1, "one client is there once");
                    }
                    let _left = client.unsubscribe("c");
                }
            });
        }
    });
    let mut last = 0;
    while let Ok(frame) = outbox.try_recv() {
        assert!(frame.offset() > last, "nothing arrives twice");
        last = frame.offset();
    }
}
