//! Channels that remember, and that publications of other channels go to.

use throng::Channel;
use throng::ChannelName;
use throng::HistoryOptions;
use throng::HistoryQuery;
use throng::Hub;
use throng::Limits;
use throng::Message;
use throng::Router;
use throng::StreamPosition;

use crate::support::in_the_middle_of;
use crate::support::offsets;

use super::gaps;
use super::numbers;
use super::options;
use super::publish;
use super::published;
use super::remembering;
use super::since;
use super::small;

/// What is published to `source` goes to one channel.
struct Route(Channel);

impl Router for Route {
    fn version(&self) -> u64 {
        1
    }

    fn routes(&self, channel: &ChannelName) -> Vec<Channel> {
        let is_source = channel.as_str() == "source";
        is_source.then(|| self.0.clone()).into_iter().collect()
    }
}

fn routed() -> Hub {
    let hub = remembering(HistoryOptions::new().messages(10));
    let hub = hub.limits(Limits::new().backlog(1)).build().unwrap();
    assert!(hub.set_router(Route(hub.channel("c").unwrap())));
    hub
}

fn send(hub: &Hub, times: usize) {
    for _ in 0..times {
        let _delivery = hub.publish("source", Message::static_text("x")).unwrap();
    }
}

#[test]
fn a_channel_remembers_what_is_its_own() {
    let hub = routed();
    let (live, mut everything) = hub.connect(options()).unwrap();
    live.subscribe_blocking("c").unwrap();
    let begin = published(&hub, 1..=3);
    send(&hub, 2);
    publish(&hub, [6]);
    assert_eq!(offsets(&mut everything), [1, 2, 3, 1, 2, 6]);
    let channel = hub.channel("c").unwrap();
    let page = channel.history(&HistoryQuery::new());
    let kept: Vec<_> = page.frames.iter().map(throng::Frame::offset).collect();
    assert_eq!((kept, page.floor), (vec![1, 2, 3, 6], 0));
    let page = channel.history(&HistoryQuery::new().after(3));
    assert_eq!(page.frames.len(), 1, "its numbers are those to ask by");
    let (client, mut outbox) = hub.connect(options()).unwrap();
    let joined = since(&client, StreamPosition { offset: 2, ..begin });
    assert_eq!((joined.recovered, joined.position.offset), (true, 6));
    assert_eq!(numbers(&mut outbox), [3, 6]);
}

#[test]
fn who_is_behind_is_told_of_what_it_was_to_be_given_only() {
    let hub = routed();
    let begin = published(&hub, 1..=10);
    let (client, mut outbox) = hub.connect(small(2)).unwrap();
    since(&client, begin);
    let (live, mut other) = hub.connect(options()).unwrap();
    live.subscribe_blocking("c").unwrap();
    let sender = hub.clone();
    // One of them waits, two are missed.
    in_the_middle_of(&hub, "c", move || send(&sender, 3));
    assert_eq!(gaps(&mut other), [(12, 13, 2)]);
    publish(&hub, 15..=29);
    // It has been given 1 and 2; of what was its own, all up to 19 is gone.
    assert_eq!(gaps(&mut outbox), [(3, 19, 17)]);
    send(&hub, 2);
    assert_eq!(numbers(&mut outbox), [4, 5], "it is live again");
}
