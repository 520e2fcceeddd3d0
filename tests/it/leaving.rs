//! A leave cuts: what is queued of the membership is not received any more, so that joining again
//! is exact.

use std::thread;

use futures_util::FutureExt;
use throng::Client;
use throng::ConnectOptions;
use throng::Event;
use throng::HistoryOptions;
use throng::Hub;
use throng::Joined;
use throng::Message;
use throng::Outbox;
use throng::OutboxLimits;
use throng::SlowConsumer;
use throng::StreamPosition;
use throng::SubscribeOptions;

use crate::support::built;
use crate::support::drain;
use crate::support::hub_of;
use crate::support::in_the_middle_of;
use crate::support::join;
use crate::support::join_as;
use crate::support::offsets;
use crate::support::publish;
use crate::support::texts;

fn remembering(messages: usize) -> Hub {
    let hub = Hub::builder()
        .history(|_| Some(HistoryOptions::new().messages(1 << 16)))
        .outbox(OutboxLimits::new().messages(messages));
    built(hub)
}

fn resume(client: &Client, since: StreamPosition) -> Joined {
    let options = SubscribeOptions::new().since(since);
    let joined = client.subscribe_with("c", options).now_or_never();
    joined.expect("nobody is in the channel").unwrap()
}

fn at(hub: &Hub, offset: u64) -> StreamPosition {
    let position = hub.channel("c").unwrap().position();
    StreamPosition { offset, ..position }
}

/// The place of each message that is there, as channel and offset.
fn places(outbox: &mut Outbox) -> Vec<String> {
    let frames = drain(outbox);
    let messages = frames.iter().filter(|frame| frame.message().is_some());
    messages
        .map(|frame| format!("{}{}", frame.channel().unwrap(), frame.offset()))
        .collect()
}

#[test]
fn who_leaves_and_comes_back_gets_each_publication_once() {
    let hub = remembering(64);
    let (client, mut outbox) = join(&hub, "c");
    for _ in 0..5 {
        publish(&hub, "c", "x");
    }
    assert_eq!(outbox.try_recv().unwrap().offset(), 1);
    client.unsubscribe("c").unwrap();
    assert!(resume(&client, at(&hub, 1)).recovered);
    assert_eq!(offsets(&mut outbox), [2, 3, 4, 5]);
    let stats = client.stats();
    assert_eq!((stats.abandoned, stats.received), (4, 5));
}

/// Also of more than fits beside the words of a ring, and several times.
#[test]
fn leaving_again_and_again_doubles_nothing() {
    let hub = remembering(64);
    let (client, mut outbox) = join(&hub, "c");
    for _ in 0..40 {
        publish(&hub, "c", "x");
    }
    for seen in 0..20 {
        assert_eq!(outbox.try_recv().unwrap().offset(), seen + 1);
        client.unsubscribe("c").unwrap();
        client.unsubscribe("c").unwrap_err();
        assert!(resume(&client, at(&hub, seen + 1)).recovered);
    }
    let mut rest = Vec::new();
    while rest.last() != Some(&40) {
        rest.extend(offsets(&mut outbox));
    }
    assert_eq!(rest, (21..=40).collect::<Vec<_>>());
}

#[test]
fn what_other_channels_have_put_in_stays_in_order() {
    let hub = hub_of(64, SlowConsumer::DropNewest);
    let (client, mut outbox) = join(&hub, "c");
    let _held = hub.channel("c").unwrap();
    client.subscribe_blocking("d").unwrap();
    for _ in 0..3 {
        publish(&hub, "c", "x");
        publish(&hub, "d", "x");
        client.send(Message::static_text("to the client")).unwrap();
    }
    let _delivery = hub.broadcast(Message::static_text("to all")).unwrap();
    client.unsubscribe("c").unwrap();
    publish(&hub, "d", "x");
    client.subscribe_blocking("c").unwrap();
    publish(&hub, "c", "x");
    let frames = drain(&mut outbox);
    let places: Vec<_> = frames
        .iter()
        .map(|frame| match frame.channel() {
            Some(channel) => format!("{channel}{}", frame.offset()),
            None => "-".to_owned(),
        })
        .collect();
    assert_eq!(places.join(" "), "d1 - d2 - d3 - - d4 c4");
    assert_eq!(client.stats().abandoned, 3);
    // The receiver takes the shortest way again.
    publish(&hub, "c", "x");
    assert_eq!(offsets(&mut outbox), [5]);
}

/// What an evicting policy has put beside the ring is cut as well, and is neither evicted nor lost.
#[test]
fn what_stands_beside_the_ring_is_cut_as_well() {
    let hub = hub_of(4, SlowConsumer::KeepLatest);
    let options = ConnectOptions::new().gap_notices(true);
    let (client, mut outbox) = join_as(&hub, "c", options);
    let _held = hub.channel("c").unwrap();
    client.subscribe_blocking("d").unwrap();
    let keyed = |key: &'static str| Message::static_text("x").key(key);
    for key in ["a", "b", "c"] {
        let _delivery = hub.publish("c", keyed(key)).unwrap();
    }
    let _delivery = hub.publish("d", keyed("a")).unwrap();
    // All moves beside the ring, and the older of one key goes.
    let _delivery = hub.publish("c", keyed("a")).unwrap();
    assert_eq!(client.stats().conflated, 1);
    client.unsubscribe("c").unwrap();
    client.subscribe_blocking("c").unwrap();
    // There is room for it only as the others are gone.
    for key in ["a", "b", "c"] {
        let _delivery = hub.publish("c", keyed(key)).unwrap();
    }
    let frames = drain(&mut outbox);
    let gaps = frames
        .iter()
        .filter(|it| matches!(it.event(), Event::Gap(_)));
    assert_eq!(gaps.count(), 0, "{frames:?}");
    let places: Vec<_> = frames
        .iter()
        .map(|frame| format!("{}{}", frame.channel().unwrap(), frame.offset()))
        .collect();
    assert_eq!(places, ["d1", "c5", "c6", "c7"]);
    let stats = client.stats();
    assert_eq!((stats.abandoned, stats.evicted), (3, 0));
}

#[test]
fn making_room_takes_what_is_cut_first() {
    let hub = hub_of(4, SlowConsumer::DropOldest);
    let (client, mut outbox) = join(&hub, "c");
    client.subscribe_blocking("d").unwrap();
    publish(&hub, "c", "x");
    for _ in 0..3 {
        publish(&hub, "d", "x");
    }
    client.unsubscribe("c").unwrap();
    let delivery = hub.publish("d", Message::static_text("x")).unwrap();
    assert_eq!((delivery.delivered(), delivery.evicted()), (1, 0));
    assert_eq!(places(&mut outbox), ["d1", "d2", "d3", "d4"]);
    let stats = client.stats();
    assert_eq!((stats.abandoned, stats.evicted), (1, 0));
}

/// A publisher that is in the middle of the channel goes on to put in what it had begun.
#[test]
fn what_is_put_in_after_the_leave_is_cut_as_well() {
    let hub = remembering(64);
    let (client, mut outbox) = join(&hub, "c");
    publish(&hub, "c", "x");
    let leaver = client.clone();
    let publisher = hub.clone();
    in_the_middle_of(&hub, "c", move || {
        publish(&publisher, "c", "handed over, before the leave");
        leaver.unsubscribe("c").unwrap();
        publish(&publisher, "c", "after the leave");
    });
    assert!(drain(&mut outbox).is_empty());
    assert_eq!(client.stats().abandoned, 3);
    let joined = resume(&client, at(&hub, 1));
    assert_eq!((joined.start.offset, joined.position.offset), (1, 4));
    assert_eq!(offsets(&mut outbox), [2, 3, 4]);
}

#[test]
fn who_is_expelled_is_told_and_gets_nothing_more() {
    let hub = hub_of(64, SlowConsumer::DropNewest);
    let (client, mut outbox) = join(&hub, "c");
    publish(&hub, "c", "x");
    client.force_unsubscribe("c", "because").unwrap();
    let frames = drain(&mut outbox);
    assert_eq!(frames.len(), 1);
    assert!(matches!(frames[0].event(), Event::Unsubscribed(_)));
}

#[test]
fn who_has_left_is_told_of_no_loss() {
    for policy in [SlowConsumer::DropNewest, SlowConsumer::DropOldest] {
        let hub = hub_of(1, policy);
        let options = ConnectOptions::new().gap_notices(true);
        let (client, mut outbox) = join_as(&hub, "c", options);
        let _held = hub.channel("c").unwrap();
        for _ in 0..3 {
            publish(&hub, "c", "x");
        }
        client.unsubscribe("c").unwrap();
        client.subscribe_blocking("c").unwrap();
        assert!(drain(&mut outbox).is_empty(), "{policy:?}");
        publish(&hub, "c", "x");
        assert_eq!(offsets(&mut outbox), [4], "{policy:?}");
    }
}

/// A close is no leave: what was accepted before is received.
#[test]
fn a_close_cuts_nothing() {
    let hub = hub_of(64, SlowConsumer::DropNewest);
    let (client, mut outbox) = join(&hub, "c");
    publish(&hub, "c", "x");
    client.close(throng::Disconnect::KICKED);
    assert_eq!(texts(&mut outbox), ["x"]);
}

/// A pattern is another subscription, though its frames name the same channel.
#[cfg(feature = "layers")]
#[test]
fn patterns_are_subscriptions_of_their_own() {
    use throng::channels::Channels;
    use throng::channels::ChannelsConfig;
    use throng::channels::Pattern;

    let hub = Hub::new();
    let channels = Channels::new(&hub, ChannelsConfig::new());
    let (client, mut outbox) = join(&hub, "news.a");
    let _held = hub.channel("news.a").unwrap();
    let _held = hub.channel("news.a").unwrap();
    let patterns = ["news.*", "news.>"].map(|pattern| Pattern::parse(pattern).unwrap());
    for pattern in &patterns {
        channels.subscribe(&client, pattern, None).unwrap();
    }
    let abandoned = || client.stats().abandoned;
    publish(&hub, "news.a", "x");
    client.unsubscribe("news.a").unwrap();
    assert_eq!(offsets(&mut outbox), [1], "by two patterns");
    assert_eq!(abandoned(), 1);
    publish(&hub, "news.a", "x");
    client.subscribe_blocking("news.a").unwrap();
    publish(&hub, "news.a", "x");
    channels.unsubscribe(&client, &patterns[0]).unwrap();
    publish(&hub, "news.a", "x");
    assert_eq!(offsets(&mut outbox), [2, 3, 4]);
    assert_eq!(abandoned(), 3);
}

/// Whoever leaves and comes back while others publish gets all of it, in order, once.
#[test]
fn in_a_storm_each_publication_comes_once() {
    const LAST: u64 = 20_000;
    for policy in [SlowConsumer::DropNewest, SlowConsumer::KeepLatest] {
        let hub = remembering(1 << 15);
        let (client, mut outbox) = join(&hub, "c");
        client.set_slow_consumer(Some(policy));
        let channel = hub.channel("c").unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..LAST {
                    while channel.publish(Message::static_text("x")).is_err() {
                        thread::yield_now();
                    }
                }
            });
            let mut seen = 0;
            let mut leaves = 0_u64;
            while seen < LAST {
                let Ok(frame) = outbox.try_recv() else {
                    thread::yield_now();
                    continue;
                };
                seen += 1;
                assert_eq!(frame.offset(), seen, "{policy:?}, after {leaves} leaves");
                if seen % 7 == 0 {
                    leaves += 1;
                    client.unsubscribe("c").unwrap();
                    let options = SubscribeOptions::new().since(at(&hub, seen));
                    client.subscribe_detached("c", options).unwrap();
                }
            }
        });
        assert_eq!(client.stats().received, LAST, "{policy:?}");
    }
}
