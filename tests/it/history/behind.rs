//! Those who are still given what they have missed, and what comes between.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::FutureExt;
use throng::Client;
use throng::ConnectOptions;
use throng::Disconnect;
use throng::HistoryOptions;
use throng::Hub;
use throng::HubEvent;
use throng::Limits;
use throng::ManualClock;
use throng::Message;
use throng::Outbox;
use throng::OutboxLimits;
use throng::SlowConsumer;
use throng::StreamPosition;
use throng::SubscribeOptions;

use crate::support::drain;
use crate::support::offsets;
use crate::support::open_hub;

use super::options;
use super::remembering;
use super::since;
use super::small;

fn send(hub: &Hub, channel: &str, times: usize) {
    for _ in 0..times {
        let _delivery = hub.publish(channel, Message::static_text("x")).unwrap();
    }
}

/// Where a channel was before it had anything.
fn begin(hub: &Hub, channel: &str) -> StreamPosition {
    StreamPosition {
        offset: 0,
        ..hub.channel(channel).unwrap().position()
    }
}

fn strict(messages: usize) -> ConnectOptions {
    small(messages).slow_consumer(SlowConsumer::DISCONNECT)
}

#[test]
fn what_the_join_itself_has_forgotten_is_not_promised() {
    let hub = open_hub().history(|_| Some(HistoryOptions::new().messages(3)));
    let hub = hub.build().unwrap();
    let begin = begin(&hub, "presence-c");
    send(&hub, "presence-c", 3);
    let mut kept = Vec::new();
    for (offset, recovered, start) in [(0, false, 4), (2, true, 2)] {
        let ada = options()
            .user("ada")
            .slow_consumer(SlowConsumer::DISCONNECT);
        let (client, mut outbox) = hub.connect(ada).unwrap();
        let since = StreamPosition { offset, ..begin };
        let since = SubscribeOptions::new().since(since);
        let joined = client.subscribe_with("presence-c", since).now_or_never();
        let joined = joined.unwrap().unwrap();
        assert_eq!((joined.recovered, joined.start.offset), (recovered, start));
        assert_eq!(outbox.close_reason(), None);
        assert_eq!(client.stats().dropped, 0);
        drop(drain(&mut outbox));
        // The member stays, so that nothing more is forgotten.
        kept.push(outbox);
    }
}

#[test]
fn many_replays_at_once_leave_room_as_one_does() {
    let hub = remembering(HistoryOptions::new()).build().unwrap();
    let (client, mut outbox) = hub.connect(strict(8)).unwrap();
    client.subscribe_blocking("live").unwrap();
    for channel in ["a", "b", "c", "d"] {
        let begin = begin(&hub, channel);
        send(&hub, channel, 10);
        let since = SubscribeOptions::new().since(begin);
        let joined = client.subscribe_with(channel, since).now_or_never();
        assert!(joined.unwrap().unwrap().recovered);
    }
    let (mut replayed, mut live) = (0, 0);
    loop {
        assert!(outbox.len() <= 5, "half of the outbox, and one");
        send(&hub, "live", 1);
        live += 1;
        let frames: Vec<_> = std::iter::from_fn(|| outbox.try_recv().ok())
            .take(3)
            .collect();
        let of_live = |frame: &&throng::Frame| frame.channel().unwrap().as_str() == "live";
        let lives = frames.iter().filter(of_live).count();
        live -= lives;
        replayed += frames.len() - lives;
        if frames.len() < 3 {
            break;
        }
    }
    assert_eq!((replayed, live), (40, 0));
    assert_eq!(client.stats().dropped, 0);
    assert_eq!(outbox.close_reason(), None);
}

#[test]
fn no_replay_waits_for_the_end_of_another() {
    let hub = remembering(HistoryOptions::new()).build().unwrap();
    let (client, mut outbox) = hub.connect(small(8)).unwrap();
    for channel in ["a", "b", "c"] {
        let begin = begin(&hub, channel);
        send(&hub, channel, 60);
        let since = SubscribeOptions::new().since(begin);
        let _joined = client.subscribe_with(channel, since).now_or_never();
    }
    let of = |channel: &str, frames: &[throng::Frame]| {
        let mut frames = frames.iter();
        frames.any(|frame| frame.channel().unwrap().as_str() == channel)
    };
    let first: Vec<_> = std::iter::from_fn(|| outbox.try_recv().ok())
        .take(40)
        .collect();
    for channel in ["a", "b", "c"] {
        assert!(of(channel, &first), "nothing of {channel} yet");
    }
    assert_eq!(first.len() + drain(&mut outbox).len(), 180);
}

#[test]
fn what_a_replay_loses_is_in_all_figures() {
    for (policy, dropped, disconnected) in [
        (SlowConsumer::DropNewest, 13, 0),
        (SlowConsumer::DISCONNECT, 13, 1),
    ] {
        let logged = Arc::new(Mutex::new(0));
        let log = Arc::clone(&logged);
        let hub = remembering(HistoryOptions::new().messages(10)).slow_consumer(policy);
        let hub = hub.on_event(move |event| {
            *log.lock().unwrap() += usize::from(matches!(event, HubEvent::DroppingStarted { .. }));
        });
        let hub = hub.build().unwrap();
        let (client, mut outbox) = hub.connect(small(2)).unwrap();
        let channel = hub.channel("c").unwrap();
        let begin = channel.position();
        send(&hub, "c", 10);
        since(&client, begin);
        send(&hub, "c", 15);
        // It has been given 1 and 2; 3 to 15 are gone.
        drop(drain(&mut outbox));
        assert_eq!(client.stats().dropped, dropped);
        let stats = channel.stats();
        assert_eq!(
            (stats.dropped, stats.disconnected_slow),
            (dropped, disconnected)
        );
        let stats = hub.stats();
        assert_eq!(
            (stats.dropped, stats.disconnected_slow),
            (dropped, disconnected)
        );
        let closed = usize::try_from(disconnected).unwrap();
        assert_eq!(
            *logged.lock().unwrap(),
            1 - closed,
            "the close is logged itself"
        );
        assert_eq!(channel.stats().delivered, if closed == 1 { 2 } else { 12 });
    }
}

#[test]
fn what_was_given_before_the_close_is_counted() {
    let hub = open_hub().history(|_| Some(HistoryOptions::new()));
    let limits = Limits::new().payload(8);
    let hub = hub.limits(limits).build().unwrap();
    let channel = hub.channel("presence-c").unwrap();
    let begin = channel.position();
    send(&hub, "presence-c", 8);
    let bounds = OutboxLimits::new().messages(8).bytes(10);
    let strict = options().slow_consumer(SlowConsumer::DISCONNECT);
    let bob = strict.outbox(bounds).user("bob");
    let (client, mut outbox) = hub.connect(bob).unwrap();
    let options = SubscribeOptions::new().since(begin);
    let _joined = client.subscribe_with("presence-c", options).now_or_never();
    assert_eq!(outbox.len(), 5, "the rest is to come");
    // A member whose coming does not fit into the outbox.
    let (other, _other_outbox) = hub
        .connect(small(8).user("somebody with a long name"))
        .unwrap();
    other.subscribe_blocking("presence-c").unwrap();
    assert_eq!(offsets(&mut outbox), (1..=8).collect::<Vec<_>>());
    assert_eq!(outbox.close_reason(), Some(&Disconnect::SLOW));
    // And the other is told that bob has gone.
    assert_eq!(channel.stats().delivered, 9);
}

#[test]
fn a_grace_is_for_what_a_replay_loses_too() {
    let clock = ManualClock::new();
    let hub = remembering(HistoryOptions::new().messages(10)).clock(clock.clone());
    let patient = SlowConsumer::Disconnect {
        grace: Duration::from_secs(10),
    };
    let hub = hub.slow_consumer(patient).build().unwrap();
    let begin = begin(&hub, "c");
    send(&hub, "c", 10);
    let (client, mut outbox) = hub.connect(small(2)).unwrap();
    since(&client, begin);
    send(&hub, "c", 15);
    for offset in [1, 2] {
        assert_eq!(outbox.try_recv().unwrap().offset(), offset);
    }
    let told = outbox.try_recv().unwrap();
    let gap = crate::support::gap(&told).map(crate::support::range_of);
    assert_eq!(gap, Some((3, 15, 13)));
    assert_eq!((client.stats().dropped, outbox.close_reason()), (13, None));
    // It is behind since then, until it has taken all that waits.
    clock.advance(Duration::from_secs(11));
    assert_eq!(offsets(&mut outbox), (16..=25).collect::<Vec<_>>());
    send(&hub, "c", 3);
    assert_eq!(outbox.close_reason(), None);
    clock.advance(Duration::from_secs(10));
    send(&hub, "c", 1);
    assert_eq!(outbox.close_reason(), Some(&Disconnect::SLOW));
}

/// A hub with a channel that is a value, and a client that is in it and still to be given that.
fn behind_a_value(policy: SlowConsumer) -> (ManualClock, Hub, Client, Outbox) {
    let clock = ManualClock::new();
    let hub = remembering(HistoryOptions::latest()).slow_consumer(policy);
    let hub = hub.clock(clock.clone()).build().unwrap();
    send(&hub, "c", 1);
    let (client, outbox) = hub.connect(small(2)).unwrap();
    client.subscribe_blocking("live").unwrap();
    send(&hub, "live", 2);
    client.subscribe_blocking("c").unwrap();
    assert_eq!(outbox.len(), 2, "there was no room for the value");
    (clock, hub, client, outbox)
}

#[test]
fn of_a_value_only_the_last_counts() {
    for policy in [SlowConsumer::DISCONNECT, SlowConsumer::DropNewest] {
        let (_clock, hub, client, mut outbox) = behind_a_value(policy);
        send(&hub, "c", 3);
        let frames = drain(&mut outbox);
        let came: Vec<_> = frames.iter().map(throng::Frame::offset).collect();
        assert_eq!(came, [1, 2, 4], "two of another channel, and the value");
        assert_eq!((client.stats().dropped, outbox.close_reason()), (0, None));
        send(&hub, "c", 1);
        assert_eq!(offsets(&mut outbox), [5]);
    }
}

#[test]
fn a_value_that_was_too_old_before_it_was_given_is_told_as_lost() {
    let (clock, hub, client, mut outbox) = behind_a_value(SlowConsumer::DropNewest);
    send(&hub, "c", 3);
    clock.advance(Duration::from_secs(301));
    let frames = drain(&mut outbox);
    let told: Vec<_> = frames.iter().filter_map(crate::support::gap).collect();
    let told: Vec<_> = told.into_iter().map(crate::support::range_of).collect();
    assert_eq!((told, client.stats().dropped), (vec![(4, 4, 1)], 1));
}
