//! Messages that expire: dropped where they would be received, counted, told, and not replayed.

use std::time::Duration;

use futures_util::FutureExt;
use throng::ConnectOptions;
use throng::Event;
use throng::Frame;
use throng::HistoryOptions;
use throng::HistoryQuery;
use throng::Hub;
use throng::ManualClock;
use throng::Message;
use throng::Outbox;
use throng::SlowConsumer;
use throng::StreamPosition;
use throng::SubscribeOptions;
use throng::TryRecvError;

use crate::support::connect;
use crate::support::holding;
use crate::support::join;
use crate::support::join_as;
use crate::support::texts;

const SECOND: Duration = Duration::from_secs(1);

fn world() -> (ManualClock, Hub) {
    let clock = ManualClock::new();
    let hub = Hub::builder().clock(clock.clone()).build().unwrap();
    (clock, hub)
}

fn brief(text: &'static str) -> Message {
    Message::from(text).expires_after(SECOND)
}

/// What arrives, a gap as its first and last offset and how many were lost.
fn all(outbox: &mut Outbox) -> Vec<String> {
    let show = |frame: Frame| match frame.event() {
        Event::Gap(gap) => format!("gap {}-{} {}", gap.first, gap.last, gap.missed),
        _ => String::from_utf8_lossy(frame.payload()).into_owned(),
    };
    std::iter::from_fn(|| outbox.try_recv().ok())
        .map(show)
        .collect()
}

#[test]
fn a_message_expires_at_its_time_and_not_before() {
    let (clock, hub) = world();
    let (client, mut outbox) = join(&hub, "c");
    hub.publish("c", brief("in time")).unwrap();
    clock.advance(SECOND - Duration::from_millis(1));
    assert_eq!(texts(&mut outbox), ["in time"]);
    let late = hub.publish("c", brief("late")).unwrap();
    hub.publish("c", "for ever").unwrap();
    clock.advance(SECOND);
    assert_eq!(late.delivered(), 1, "it was put into the outbox");
    assert_eq!(client.stats().queued_messages, 2, "it waits like any other");
    assert_eq!(texts(&mut outbox), ["for ever"]);
    let stats = client.stats();
    assert_eq!((stats.expired, stats.received, stats.dropped), (1, 2, 0));
    assert_eq!(stats.queued_messages, 0);
    assert_eq!(hub.stats().expired, 1);
    assert_eq!(late.dropped(), 0);
}

#[test]
fn every_way_to_receive_drops_what_has_expired() {
    let (clock, hub) = world();
    let (client, mut outbox) = join(&hub, "c");
    let fill = |text| {
        hub.publish("c", brief("late")).unwrap();
        client.send(brief("late")).unwrap();
        hub.broadcast(brief("late")).unwrap();
        clock.advance(SECOND);
        hub.publish("c", text).unwrap();
    };
    fill("1");
    assert_eq!(outbox.try_recv().unwrap().payload(), "1");
    fill("2");
    assert_eq!(outbox.recv_blocking().unwrap().payload(), "2");
    let mut batch = throng::Batch::new();
    fill("3");
    assert_eq!(outbox.try_recv_batch(&mut batch, 8).unwrap(), 1);
    fill("4");
    fill("5");
    assert_eq!(outbox.try_recv_batch(&mut batch, 1).unwrap(), 1);
    assert_eq!(outbox.try_recv_batch(&mut batch, 9).unwrap(), 1);
    let got: Vec<_> = batch.iter().map(|frame| frame.payload().clone()).collect();
    assert_eq!(got, ["3", "4", "5"]);
    assert_eq!(client.stats().expired, 15);
    client.send(brief("late")).unwrap();
    clock.advance(SECOND);
    let nothing = outbox.try_recv().unwrap_err();
    assert!(matches!(nothing, TryRecvError::Empty), "{nothing:?}");
    client.close(throng::Disconnect::RECEIVER_DROPPED);
    let closed = outbox.try_recv().unwrap_err();
    assert!(matches!(closed, TryRecvError::Closed(_)), "{closed:?}");
}

#[test]
fn what_has_expired_is_told_as_a_gap() {
    let (clock, hub) = world();
    let options = ConnectOptions::new().gap_notices(true);
    let (client, mut outbox) = join_as(&hub, "c", options);
    for text in ["1", "2"] {
        hub.publish("c", brief(text)).unwrap();
    }
    clock.advance(SECOND);
    hub.publish("c", "3").unwrap();
    hub.publish("c", brief("4")).unwrap();
    assert_eq!(all(&mut outbox), ["gap 1-1 1", "gap 2-2 1", "3", "4"]);
    hub.publish("c", brief("5")).unwrap();
    clock.advance(SECOND);
    assert_eq!(all(&mut outbox), ["gap 5-5 1"], "though nothing follows");
    hub.publish("c", brief("6")).unwrap();
    client.close(throng::Disconnect::RECEIVER_DROPPED);
    clock.advance(SECOND);
    assert_eq!(
        all(&mut outbox),
        ["gap 6-6 1"],
        "though the client is closed"
    );
    assert!(matches!(outbox.try_recv(), Err(TryRecvError::Closed(_))));
}

/// In a batch, a notice stands before what was queued behind the loss, and the bound of the batch
/// holds.
#[test]
fn notices_stand_where_the_loss_was() {
    for most in 1..8 {
        let (clock, hub) = world();
        let options = ConnectOptions::new().gap_notices(true);
        let (_client, mut outbox) = join_as(&hub, "c", options);
        let mut batch = throng::Batch::new();
        for number in 1..=6 {
            let message = match number {
                3 | 5 => Message::from("lasts"),
                _ => brief("expires"),
            };
            hub.publish("c", message).unwrap();
        }
        clock.advance(SECOND);
        while let Ok(frames) = outbox.try_recv_batch(&mut batch, most) {
            assert!((1..=most).contains(&frames), "{frames} of {most}");
        }
        let mut missing: Vec<u64> = (1..=6).collect();
        for frame in &batch {
            let (first, last, missed) = match frame.event() {
                Event::Gap(gap) => (gap.first, gap.last, gap.missed),
                _ => (frame.offset(), frame.offset(), 1),
            };
            assert_eq!(last - first + 1, missed);
            let next: Vec<_> = missing.drain(..usize::try_from(missed).unwrap()).collect();
            assert_eq!((next[0], *next.last().unwrap()), (first, last), "{batch:?}");
        }
        assert!(missing.is_empty(), "{batch:?}");
    }
}

/// The notice comes though nothing follows, also from beside the ring.
#[test]
fn what_expires_beside_the_ring_is_told() {
    let (clock, hub) = world();
    let policy = SlowConsumer::KeepLatest;
    let options = ConnectOptions::new().outbox(holding(2));
    let options = options.slow_consumer(policy).gap_notices(true);
    let (client, mut outbox) = join_as(&hub, "c", options);
    for text in ["a1", "b1", "a2", "b2"] {
        hub.publish("c", brief(text).key(&text[..1])).unwrap();
    }
    clock.advance(SECOND);
    assert_eq!(all(&mut outbox), ["gap 3-3 1", "gap 4-4 1"]);
    assert_eq!((client.stats().expired, client.stats().conflated), (2, 2));
}

/// What an evicting policy keeps beside the ring expires as well.
#[test]
fn what_is_kept_beside_the_ring_expires() {
    let (clock, hub) = world();
    let policy = SlowConsumer::KeepLatest;
    let options = ConnectOptions::new()
        .outbox(holding(2))
        .slow_consumer(policy);
    let (client, mut outbox) = join_as(&hub, "c", options);
    for text in ["a1", "b1", "a2"] {
        hub.publish("c", brief(text).key(&text[..1])).unwrap();
    }
    clock.advance(SECOND);
    hub.publish("c", "b2").unwrap();
    let stats = client.stats();
    assert!(stats.conflated + stats.evicted > 0, "{stats:?}");
    assert_eq!(texts(&mut outbox), ["b2"]);
    let stats = client.stats();
    let gone = stats.expired + stats.conflated + stats.evicted + stats.received;
    assert_eq!((gone, stats.queued_messages), (4, 0), "{stats:?}");
}

#[test]
fn no_history_gives_what_has_expired() {
    let clock = ManualClock::new();
    let rule = |name: &throng::ChannelName| match name.as_str() {
        "value" => Some(HistoryOptions::latest()),
        _ => Some(HistoryOptions::new()),
    };
    let hub = Hub::builder()
        .clock(clock.clone())
        .history(rule)
        .build()
        .unwrap();
    let stream = hub.channel("stream").unwrap();
    let start = StreamPosition {
        offset: 0,
        ..stream.position()
    };
    for text in ["1", "2"] {
        stream.publish(brief(text)).unwrap();
        hub.publish("value", brief(text)).unwrap();
    }
    clock.advance(SECOND);
    for text in ["3", "4"] {
        stream.publish(text).unwrap();
    }
    let (client, mut outbox) = connect(&hub);
    client.subscribe_blocking("value").unwrap();
    assert!(texts(&mut outbox).is_empty());
    let options = SubscribeOptions::new().since(start);
    let joined = client.subscribe_with("stream", options).now_or_never();
    assert!(joined.unwrap().unwrap().recovered);
    assert_eq!(texts(&mut outbox), ["3", "4"]);
    let stats = client.stats();
    assert_eq!(stats.dropped, 0, "what has expired is no loss");
    assert_eq!(stats.expired, 0, "nor was it put into the outbox");
    for (query, expected, more) in [
        (HistoryQuery::new().limit(1), "3", true),
        (HistoryQuery::new().limit(1).newest_first(), "4", true),
        (HistoryQuery::new().limit(1).before(4), "3", false),
    ] {
        let page = stream.history(&query);
        assert_eq!(page.frames[0].payload(), expected);
        assert_eq!((page.frames.len(), page.more), (1, more));
    }
}

/// A lifetime is counted in whole milliseconds, and what is out of bounds counts as the nearest
/// bound.
#[test]
fn a_lifetime_has_bounds() {
    let lifetime = |lifetime| Message::from("x").expires_after(lifetime).lifetime();
    let millis = |millis| Some(Duration::from_millis(millis));
    assert_eq!(Message::from("x").lifetime(), None);
    assert_eq!(lifetime(Duration::ZERO), millis(1));
    assert_eq!(lifetime(Duration::from_micros(2_999)), millis(2));
    assert_eq!(lifetime(Duration::MAX), millis(u32::MAX.into()));
}

/// A frame's message that is published again begins a new life.
#[test]
fn a_message_that_is_published_again_lives_anew() {
    let (clock, hub) = world();
    let (_client, mut outbox) = join(&hub, "c");
    hub.publish("c", brief("1")).unwrap();
    clock.advance(SECOND / 2);
    let message = outbox.try_recv().unwrap().message().unwrap().clone();
    hub.publish("c", message).unwrap();
    clock.advance(SECOND / 2);
    assert_eq!(texts(&mut outbox), ["1"]);
}
