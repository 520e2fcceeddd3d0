//! With the last handle of a hub every outbox ends; an outbox is no handle.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::thread;
use std::time::Duration;

use throng::Channel;
use throng::Disconnect;
use throng::Hub;
use throng::Limits;
use throng::ManualClock;
use throng::Message;
use throng::OutboxLimits;
use throng::SlowConsumer;
use throng::SubscribeError;

use crate::support::built;
use crate::support::drain;
use crate::support::ending;
use crate::support::join;
use crate::support::offsets;
use crate::support::publish;
use crate::support::waker;

#[test]
fn an_outbox_ends_after_what_it_holds_with_the_last_handle() {
    let hub = Hub::new();
    let (client, mut outbox) = join(&hub, "c");
    let channel = hub.channel("c").unwrap();
    publish(&hub, "c", "x");
    drop((hub, client));
    let _delivery = channel.publish(Message::static_text("y")).unwrap();
    drop(channel);
    assert_eq!(offsets(&mut outbox), [1, 2]);
    assert_eq!(ending(&mut outbox), Disconnect::CLOSED);
}

/// Any one of them is enough.
#[test]
fn each_kind_of_handle_keeps_the_hub_open() {
    enum Handle {
        Channel(Channel),
        Client(throng::Client),
        Hub(Hub),
    }
    let handles: [fn(&Hub) -> Handle; 3] = [
        |hub| Handle::Hub(hub.clone()),
        |hub| Handle::Channel(hub.channel("other").unwrap()),
        |hub| Handle::Client(join(hub, "c").0),
    ];
    for handle in handles {
        let hub = Hub::new();
        let (client, mut outbox) = join(&hub, "c");
        let handle = handle(&hub);
        drop((hub, client));
        assert!(outbox.close_reason().is_none());
        match handle {
            Handle::Channel(channel) => drop(channel),
            Handle::Client(client) => drop(client),
            Handle::Hub(hub) => drop(hub),
        }
        assert_eq!(ending(&mut outbox), Disconnect::CLOSED);
    }
}

#[test]
fn a_client_made_from_an_outbox_is_a_handle() {
    let hub = Hub::new();
    let (client, mut outbox) = join(&hub, "c");
    let (_, other) = join(&hub, "c");
    let of_other = other.client();
    drop((hub, client));
    assert!(outbox.close_reason().is_none());
    drop(of_other);
    assert_eq!(ending(&mut outbox), Disconnect::CLOSED);
    // It stays closed, whatever is made of an outbox later.
    let late = outbox.client();
    let joined = late.subscribe_blocking("d");
    assert!(
        matches!(joined, Err(SubscribeError::Channel(_))),
        "{joined:?}"
    );
}

#[test]
fn the_last_handle_wakes_who_receives() {
    let hub = Hub::new();
    let (client, mut outbox) = join(&hub, "c");
    let woken = Arc::new(AtomicBool::new(false));
    let wakes = Arc::clone(&woken);
    let waker = waker(move || wakes.store(true, Ordering::Relaxed));
    assert!(
        outbox
            .poll_recv(&mut Context::from_waker(&waker))
            .is_pending()
    );
    drop(hub);
    assert!(!woken.load(Ordering::Relaxed));
    drop(client);
    assert!(woken.load(Ordering::Relaxed));
    assert_eq!(ending(&mut outbox), Disconnect::CLOSED);
}

/// Handles that the hub itself holds, for the patterns of its clients, do not count.
#[cfg(feature = "layers")]
#[test]
fn layers_and_patterns_do_not_keep_a_hub_open() {
    use throng::channels::Channels;
    use throng::channels::ChannelsConfig;
    use throng::channels::Pattern;

    let hub = Hub::new();
    let channels = Channels::new(&hub, ChannelsConfig::new());
    let (client, mut outbox) = join(&hub, "c");
    let pattern = Pattern::parse("news.*").unwrap();
    channels.subscribe(&client, &pattern, None).unwrap();
    publish(&hub, "news.a", "x");
    drop((hub, client));
    assert!(outbox.close_reason().is_none(), "the layer is a handle");
    drop(channels);
    assert_eq!(offsets(&mut outbox), [1]);
    assert_eq!(ending(&mut outbox), Disconnect::CLOSED);
}

#[cfg(feature = "ws")]
#[tokio::test]
async fn a_gateway_is_a_handle() {
    use throng::ConnectOptions;
    use throng::Gateway;
    use throng::Layers;

    let hub = Hub::new();
    let (client, mut outbox) = join(&hub, "c");
    let gateway = Gateway::builder(hub.clone())
        .layers(Layers::new(&hub))
        .build();
    let (conn, mut peer) = throng::transport::memory::pair();
    let serving = tokio::spawn(gateway.serve_conn(conn, ConnectOptions::new()));
    let greeting = peer.recv().await.unwrap();
    assert!(greeting.contains("connected"), "{greeting}");
    drop((hub, client));
    drop(peer);
    serving.await.unwrap();
    assert!(outbox.close_reason().is_none());
    drop(gateway);
    assert_eq!(ending(&mut outbox), Disconnect::CLOSED);
}

const GRACE: SlowConsumer = SlowConsumer::Disconnect {
    grace: Duration::from_secs(1),
};

fn gracious(clock: &ManualClock) -> Hub {
    let hub = Hub::builder()
        .clock(clock.clone())
        .slow_consumer(GRACE)
        .outbox(OutboxLimits::new().messages(1));
    built(hub)
}

#[test]
fn a_grace_ends_by_the_tick_of_the_hub() {
    let clock = ManualClock::new();
    let hub = gracious(&clock);
    let (client, mut outbox) = join(&hub, "c");
    publish(&hub, "c", "fits");
    publish(&hub, "c", "does not");
    clock.advance(Duration::from_millis(999));
    hub.tick();
    assert!(!client.is_closed());
    clock.advance(Duration::from_millis(1));
    hub.tick();
    assert_eq!(client.close_reason(), Some(&Disconnect::SLOW));
    assert_eq!((hub.client_count(), hub.stats().disconnected_slow), (0, 1));
    assert_eq!(hub.subscriber_count("c"), 0);
    assert_eq!(offsets(&mut outbox), [1]);
    assert_eq!(ending(&mut outbox), Disconnect::SLOW);
}

/// So does whatever sweeps.
#[test]
fn a_grace_ends_when_somebody_else_connects() {
    let clock = ManualClock::new();
    let hub = gracious(&clock);
    let (client, _outbox) = join(&hub, "c");
    let sent = (0..2).map(|_| client.send(Message::static_text("x")).is_ok());
    assert_eq!(sent.collect::<Vec<_>>(), [true, false]);
    clock.advance(Duration::from_secs(1));
    let _other = join(&hub, "d");
    assert!(client.is_closed());
}

#[test]
fn who_catches_up_in_its_grace_gets_another_one() {
    let clock = ManualClock::new();
    let hub = gracious(&clock);
    let (client, mut outbox) = join(&hub, "c");
    for _ in 0..3 {
        publish(&hub, "c", "fits");
        publish(&hub, "c", "does not");
        clock.advance(Duration::from_millis(600));
        hub.tick();
        assert!(!client.is_closed());
        drop(drain(&mut outbox));
    }
    clock.advance(Duration::from_secs(9));
    hub.tick();
    assert!(!client.is_closed(), "it keeps up");
    publish(&hub, "c", "fits");
    publish(&hub, "c", "does not");
    client.set_slow_consumer(Some(SlowConsumer::DropNewest));
    clock.advance(Duration::from_secs(9));
    hub.tick();
    assert!(!client.is_closed(), "its own policy took the grace off it");
}

/// What is read while others push and receive keeps to the limits.
#[test]
fn what_waits_is_never_read_as_more_than_may() {
    const LIMIT: usize = 4;
    let hub = Hub::builder()
        .limits(Limits::new().payload(LIMIT))
        .outbox(OutboxLimits::new().messages(64).bytes(LIMIT))
        .slow_consumer(SlowConsumer::DropNewest);
    let hub = built(hub);
    let (client, mut outbox) = join(&hub, "c");
    let channel = hub.channel("c").unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..200_000 {
                let _delivery = channel.publish(Message::static_text("x")).unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                drop(drain(&mut outbox));
            }
        });
        while !done.load(Ordering::Relaxed) {
            let stats = client.stats();
            assert!(stats.queued_messages <= LIMIT, "{stats:?}");
            assert!(stats.queued_bytes <= LIMIT as u64, "{stats:?}");
        }
    });
}
