//! Those who are still given what they have missed, and what comes between.

use futures_util::FutureExt;
use throng::ConnectOptions;
use throng::HistoryOptions;
use throng::Hub;
use throng::Message;
use throng::SlowConsumer;
use throng::StreamPosition;
use throng::SubscribeOptions;

use crate::support::drain;
use crate::support::open_hub;

use super::options;
use super::remembering;
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
