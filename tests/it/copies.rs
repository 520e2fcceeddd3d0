//! A client that gets a publication by several ways receives it once, and loses nothing for it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::thread;

use proptest::prelude::*;
use throng::Channel;
use throng::ChannelName;
use throng::Client;
use throng::ConnectOptions;
use throng::Filter;
use throng::Frame;
use throng::HistoryOptions;
use throng::Hub;
use throng::Message;
use throng::Outbox;
use throng::OutboxLimits;
use throng::Router;
use throng::StreamPosition;
use throng::SubscribeOptions;

use crate::support::offsets;

const SOURCES: [&str; 3] = ["a", "b", "c"];
const TARGETS: [&str; 3] = ["x", "y", "z"];

/// All that is published to sources goes to some of the targets.
struct Routes(BTreeMap<&'static str, Vec<Channel>>);

impl Router for Routes {
    fn version(&self) -> u64 {
        1
    }

    fn routes(&self, channel: &ChannelName) -> Vec<Channel> {
        self.0.get(channel.as_str()).cloned().unwrap_or_default()
    }

    fn is_target(&self, channel: &ChannelName) -> bool {
        TARGETS.contains(&channel.as_str())
    }
}

/// A hub of which each source goes to the targets of the same number and above.
fn hub() -> Hub {
    let hub = Hub::builder()
        .history(|name| {
            SOURCES
                .contains(&name.as_str())
                .then(|| HistoryOptions::new().messages(1000))
        })
        .build()
        .unwrap();
    let target = |name: &&str| hub.channel(name).unwrap();
    let routes = (0..3).map(|at| (SOURCES[at], TARGETS[at..].iter().map(target).collect()));
    assert!(hub.set_router(Routes(routes.collect())));
    hub
}

fn connect(hub: &Hub) -> (Client, Outbox) {
    let limits = OutboxLimits::new().messages(4096);
    hub.connect(ConnectOptions::new().outbox(limits)).unwrap()
}

fn publish(hub: &Hub, channel: &str, times: usize) {
    for _ in 0..times {
        let _delivery = hub.publish(channel, "x").unwrap();
    }
}

#[test]
fn several_ways_bring_one_message_and_the_report_counts_the_copies_apart() {
    let hub = hub();
    let (client, mut outbox) = connect(&hub);
    for channel in ["a", "x", "y", "z"] {
        client.subscribe_blocking(channel).unwrap();
    }
    let delivery = hub.publish("a", "x").unwrap();
    let report = (
        delivery.addressed(),
        delivery.delivered(),
        delivery.routed(),
    );
    assert_eq!((report, delivery.is_deferred()), ((1, 1, 3), false));
    publish(&hub, "a", 3);
    assert_eq!(offsets(&mut outbox), [1, 2, 3, 4]);
    let stats = client.stats();
    assert_eq!((stats.received, stats.copies, stats.dropped), (4, 12, 0));
    client.unsubscribe("a").unwrap();
    publish(&hub, "a", 1);
    assert_eq!(offsets(&mut outbox), [5]);
}

#[test]
fn one_way_alone_and_none_at_all_drop_nothing() {
    let hub = hub();
    let (client, mut outbox) = connect(&hub);
    client.subscribe_blocking("x").unwrap();
    publish(&hub, "a", 3);
    let _delivery = hub.broadcast("to all").unwrap();
    client.send("to one").unwrap();
    assert_eq!(offsets(&mut outbox), [1, 2, 3, 0, 0]);
    assert_eq!(client.stats().copies, 0);
}

#[test]
fn what_one_way_does_not_want_comes_by_another_however_late() {
    let hub = hub();
    let (client, mut outbox) = connect(&hub);
    let second = |message: &Message| message.payload() == "2";
    let filtered = SubscribeOptions::new().filter(Filter::new(second));
    client.subscribe_detached("a", filtered).unwrap();
    client.subscribe_blocking("z").unwrap();
    for payload in ["1", "2", "3", "2"] {
        let _delivery = hub.publish("a", payload).unwrap();
    }
    assert_eq!(offsets(&mut outbox), [1, 2, 3, 4]);
    assert_eq!(client.stats().copies, 2);
}

#[test]
fn a_replay_is_received_whatever_has_come_before_and_what_follows_once() {
    let hub = hub();
    let (client, mut outbox) = connect(&hub);
    client.subscribe_blocking("x").unwrap();
    publish(&hub, "a", 3);
    assert_eq!(offsets(&mut outbox), [1, 2, 3]);
    let start = StreamPosition {
        offset: 1,
        ..hub.channel("a").unwrap().position()
    };
    let options = || SubscribeOptions::new().since(start);
    client.subscribe_detached("a", options()).unwrap();
    assert_eq!(offsets(&mut outbox), [2, 3], "as it was asked for");
    publish(&hub, "a", 2);
    assert_eq!(offsets(&mut outbox), [4, 5]);
    client.unsubscribe("a").unwrap();
    publish(&hub, "a", 1);
    client.subscribe_detached("a", options()).unwrap();
    assert_eq!(offsets(&mut outbox), [6, 2, 3, 4, 5, 6]);
    // A replay first, and then what a pattern has brought meanwhile.
    client.unsubscribe("a").unwrap();
    client.unsubscribe("x").unwrap();
    publish(&hub, "a", 1);
    client.subscribe_blocking("x").unwrap();
    let start = StreamPosition { offset: 6, ..start };
    client
        .subscribe_detached("a", SubscribeOptions::new().since(start))
        .unwrap();
    publish(&hub, "a", 1);
    assert_eq!(offsets(&mut outbox), [7, 8]);
}

#[test]
fn publishers_and_a_receiver_at_once_lose_and_double_nothing() {
    const EACH: usize = 2_000;
    let hub = hub();
    let limits = OutboxLimits::new().messages(1 << 17);
    let (client, mut outbox) = hub.connect(ConnectOptions::new().outbox(limits)).unwrap();
    for channel in ["a", "b", "y", "z"] {
        client.subscribe_blocking(channel).unwrap();
    }
    thread::scope(|scope| {
        let threads: Vec<_> = ["a", "b", "a", "b"]
            .map(|channel| {
                let hub = &hub;
                scope.spawn(move || publish(hub, channel, EACH))
            })
            .into();
        let mut received: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        let mut take = |outbox: &mut Outbox| {
            while let Ok(frame) = outbox.try_recv() {
                let channel = frame.channel().unwrap().to_string();
                let is_new = received.entry(channel).or_default().insert(frame.offset());
                assert!(is_new, "{frame:?} came twice");
            }
        };
        while threads.iter().any(|thread| !thread.is_finished()) {
            take(&mut outbox);
        }
        take(&mut outbox);
        let all: BTreeSet<_> = (1..=2 * EACH as u64).collect();
        assert!(received["a"] == all && received["b"] == all);
    });
    assert_eq!(client.stats().dropped, 0);
}

#[derive(Clone, Debug)]
enum Step {
    /// Joins a channel, perhaps since some publications before, perhaps for even payloads only.
    Join(usize, Option<u64>, bool),
    Leave(usize),
    Publish(usize, u8),
    Receive(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..6_usize, prop::option::of(0..6_u64), any::<bool>())
            .prop_map(|(channel, since, even)| Step::Join(channel, since, even)),
        1 => (0..6_usize).prop_map(Step::Leave),
        6 => (0..3_usize, any::<u8>()).prop_map(|(channel, payload)| Step::Publish(channel, payload)),
        2 => (0..9_usize).prop_map(Step::Receive),
    ]
}

type Publication = (&'static str, u64);

/// What the client is to receive, told step by step.
#[derive(Default)]
struct Model {
    /// By channel: the membership, and whether it wants even payloads only.
    joined: BTreeMap<&'static str, (usize, bool)>,
    memberships: usize,
    payloads: BTreeMap<&'static str, Vec<u8>>,
    /// The membership by which each comes, and whether it is a replay.
    queued: Vec<(Publication, usize, bool)>,
    received: BTreeSet<Publication>,
}

impl Model {
    fn push(&mut self, publication: Publication, payload: u8, by: &'static str, is_replay: bool) {
        if let Some((membership, even)) = self.joined.get(by)
            && !(*even && payload % 2 == 1)
        {
            self.queued.push((publication, *membership, is_replay));
        }
    }

    fn publish(&mut self, source: usize, payload: u8) {
        let name = SOURCES[source];
        let payloads = self.payloads.entry(name).or_default();
        payloads.push(payload);
        let publication = (name, payloads.len() as u64);
        self.push(publication, payload, name, false);
        for target in &TARGETS[source..] {
            self.push(publication, payload, target, false);
        }
    }

    fn join(&mut self, name: &'static str, since: Option<u64>, even: bool) {
        self.memberships += 1;
        self.joined.insert(name, (self.memberships, even));
        let payloads = self.payloads.get(name).cloned().unwrap_or_default();
        let since = since.and_then(|since| usize::try_from(since).ok());
        for (payload, offset) in payloads.iter().zip(1..).skip(since.unwrap_or(usize::MAX)) {
            self.push((name, offset), *payload, name, true);
        }
    }

    fn leave(&mut self, name: &str) {
        if let Some((left, _)) = self.joined.remove(name) {
            self.queued.retain(|(_, membership, _)| *membership != left);
        }
    }

    fn receive(&mut self) -> Vec<Publication> {
        let queued = std::mem::take(&mut self.queued);
        let fresh = queued.into_iter().filter(|(publication, _, is_replay)| {
            let is_new = self.received.insert(*publication);
            is_new || *is_replay
        });
        fresh.map(|(publication, ..)| publication).collect()
    }
}

fn publication(frame: &Frame) -> Publication {
    let name = frame.channel().unwrap();
    let name = SOURCES.iter().find(|source| **source == name.as_str());
    (name.unwrap(), frame.offset())
}

fn run(steps: Vec<Step>) {
    let hub = hub();
    let channels: Vec<_> = SOURCES.map(|name| hub.channel(name).unwrap()).into();
    let (client, mut outbox) = connect(&hub);
    // It has copies from the start.
    client.subscribe_blocking(TARGETS[0]).unwrap();
    let even = Filter::new(|message: &Message| message.payload()[0].is_multiple_of(2));
    let mut model = Model::default();
    model.join(TARGETS[0], None, false);
    let (mut expected, mut received) = (Vec::new(), Vec::new());
    for step in steps {
        match step {
            Step::Join(at, since, only_even) => {
                let name = *SOURCES.iter().chain(&TARGETS).nth(at).unwrap();
                if model.joined.contains_key(name) {
                    continue;
                }
                let mut options = SubscribeOptions::new();
                let position = channels.get(at).map(Channel::position);
                let since = position.zip(since).map(|(position, ago)| StreamPosition {
                    offset: position.offset.saturating_sub(ago),
                    ..position
                });
                options = match since {
                    Some(since) => options.since(since),
                    None => options,
                };
                if only_even {
                    options = options.filter(even.clone());
                }
                client.subscribe_detached(name, options).unwrap();
                model.join(name, since.map(|since| since.offset), only_even);
            }
            Step::Leave(at) => {
                let name = *SOURCES.iter().chain(&TARGETS).nth(at).unwrap();
                assert_eq!(
                    client.unsubscribe(name).is_ok(),
                    model.joined.contains_key(name)
                );
                model.leave(name);
            }
            Step::Publish(at, payload) => {
                let message = Message::binary(vec![payload]);
                let _delivery = channels[at].publish(message).unwrap();
                model.publish(at, payload);
            }
            Step::Receive(max) => {
                if max > 0 {
                    // All of it: what is left queued may be left by a leave.
                    expected.extend(model.receive());
                    while let Ok(frame) = outbox.try_recv() {
                        received.push(publication(&frame));
                    }
                }
            }
        }
    }
    expected.extend(model.receive());
    while let Ok(frame) = outbox.try_recv() {
        received.push(publication(&frame));
    }
    assert_eq!(received, expected);
}

proptest! {
    #[test]
    fn any_joins_leaves_filters_and_patterns_bring_each_message_once(
        steps in prop::collection::vec(step(), 0..60)
    ) {
        run(steps);
    }
}

#[test]
fn a_router_that_panics_when_it_is_asked_for_targets_means_any() {
    struct Panics(Channel);

    impl Router for Panics {
        fn version(&self) -> u64 {
            1
        }

        fn routes(&self, _: &ChannelName) -> Vec<Channel> {
            vec![self.0.clone()]
        }

        fn is_target(&self, _: &ChannelName) -> bool {
            panic!("on purpose")
        }
    }

    let hub = Hub::new();
    assert!(hub.set_router(Panics(hub.channel("x").unwrap())));
    let (client, mut outbox) = connect(&hub);
    for channel in ["a", "x"] {
        client.subscribe_blocking(channel).unwrap();
    }
    publish(&hub, "a", 2);
    assert_eq!(offsets(&mut outbox), [1, 2]);
}
