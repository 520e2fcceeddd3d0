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
