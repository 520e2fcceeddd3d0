//! What `SlowConsumer::KeepLatest` promises.
//!
//! * With a place for each pair of channel and key, whatever comes when: the last publication of
//!   every pair arrives, and nothing is dropped or evicted.
//! * Nothing superseded arrives after its successor.
//! * With two places for each pair, every pair is handed out within as many receives.
//! * Messages of channels under other policies are neither conflated nor evicted for it.

use std::collections::HashMap;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use throng::Channel;
use throng::Client;
use throng::ConnectOptions;
use throng::Delivery;
use throng::Disconnect;
use throng::Hub;
use throng::Limits;
use throng::Message;
use throng::Outbox;
use throng::OutboxLimits;
use throng::SlowConsumer;

use crate::support::built;
use crate::support::drain;
use crate::support::ending;
use crate::support::gaps;
use crate::support::hub_of;
use crate::support::join;
use crate::support::join_as;
use crate::support::texts;

fn keyed(key: &str, text: &str) -> Message {
    Message::text(text.to_owned()).key(key.to_owned())
}

fn tick(hub: &Hub, key: &str, text: &str) -> Delivery {
    hub.publish("ticks", keyed(key, text)).unwrap()
}

/// Publishes values such as `a1`: the key, and a number.
fn ticks(hub: &Hub, values: &[&str]) {
    for value in values {
        let _delivery = tick(hub, &value[..1], value);
    }
}

fn channel(hub: &Hub, name: &str, policy: SlowConsumer) -> Channel {
    let channel = hub.channel(name).unwrap();
    channel.set_slow_consumer(Some(policy));
    channel
}

fn lost(client: &Client) -> (u64, u64) {
    let stats = client.stats();
    (stats.dropped, stats.evicted)
}

#[test]
fn a_present_value_stays_and_superseded_ones_go() {
    let hub = hub_of(4, SlowConsumer::KeepLatest);
    let (client, mut outbox) = join(&hub, "ticks");
    ticks(&hub, &["a1", "b1", "c1", "d1", "a2"]);
    assert_eq!(outbox.try_recv().unwrap().payload(), "b1");
    ticks(&hub, &["a3", "b2", "d2"]);
    assert_eq!(texts(&mut outbox), ["c1", "a3", "b2", "d2"]);
    assert_eq!(lost(&client), (0, 0));
}

/// A feed of `keys` keys, and what a client has received of it.
struct Feed {
    hub: Hub,
    client: Client,
    outbox: Outbox,
    last: HashMap<Bytes, u64>,
    received: HashMap<Bytes, u64>,
    /// How many receives have passed that the key was waiting for.
    waited: HashMap<Bytes, usize>,
    longest: usize,
}

impl Feed {
    fn new(places: usize) -> Self {
        let hub = hub_of(places, SlowConsumer::KeepLatest);
        let (client, outbox) = join(&hub, "ticks");
        Self {
            hub,
            client,
            outbox,
            last: HashMap::new(),
            received: HashMap::new(),
            waited: HashMap::new(),
            longest: 0,
        }
    }

    fn publish(&mut self, key: usize) {
        let key = key.to_string();
        let offset = tick(&self.hub, &key, "value").position().unwrap().offset;
        self.last.insert(key.clone().into(), offset);
        self.waited.entry(key.into()).or_default();
    }

    /// Receives, and says whether there was anything.
    fn receive(&mut self) -> bool {
        let Ok(frame) = self.outbox.try_recv() else {
            return false;
        };
        let key = frame.key().unwrap().clone();
        let before = self.received.insert(key.clone(), frame.offset());
        assert!(
            before < Some(frame.offset()),
            "no value after its successor"
        );
        for (waiting, receives) in &mut self.waited {
            if *waiting == key || self.received.get(waiting) != self.last.get(waiting) {
                *receives += 1;
                self.longest = self.longest.max(*receives);
            }
        }
        // What still waits of the key begins to wait now.
        self.waited.insert(key, 0);
        true
    }

    /// Once nothing is published any more, the last value of each key has come.
    fn settles(&mut self) {
        while self.receive() {}
        assert_eq!(self.received, self.last);
        assert_eq!(lost(&self.client), (0, 0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// So many keys and so many places; each step publishes a key or receives.
    #[test]
    fn a_place_for_each_key_is_enough(
        keys in 1_usize..12,
        steps in vec((any::<bool>(), any::<prop::sample::Index>()), 0..300),
    ) {
        let mut feed = Feed::new(keys);
        for (receives, key) in steps {
            if receives {
                feed.receive();
            } else {
                feed.publish(key.index(keys));
            }
        }
        feed.settles();
    }

    #[test]
    fn with_two_places_for_each_key_every_key_comes_in_time(
        keys in 1_usize..8,
        steps in vec((0_usize..4, any::<prop::sample::Index>()), 0..400),
    ) {
        let mut feed = Feed::new(2 * keys);
        for (kind, key) in steps {
            if kind == 0 {
                feed.receive();
            } else {
                feed.publish(key.index(keys));
            }
        }
        prop_assert!(feed.longest <= 2 * keys, "{} receives", feed.longest);
        feed.settles();
    }
}

/// Each key changes between every two receives, always in the same order.
#[test]
fn a_feed_in_a_fixed_order_starves_no_key() {
    const KEYS: usize = 50;
    for places in [2 * KEYS, KEYS + 10] {
        let mut feed = Feed::new(places);
        for _ in 0..400 {
            (0..KEYS).for_each(|key| feed.publish(key));
            for _ in 0..10 {
                feed.receive();
            }
        }
        assert_eq!(feed.received.len(), KEYS, "{places} places: each has come");
        if places == 2 * KEYS {
            assert!(feed.longest <= places, "{} receives", feed.longest);
        }
        feed.settles();
    }
}

/// It may itself wait until it pauses.
#[test]
fn a_key_that_always_changes_delays_no_other() {
    const KEYS: usize = 20;
    let mut feed = Feed::new(KEYS);
    (0..KEYS).for_each(|key| feed.publish(key));
    for receives in 1..KEYS {
        (0..3).for_each(|_| feed.publish(0));
        assert!(feed.receive());
        assert!(feed.received.len() >= receives.min(KEYS - 1));
    }
    feed.settles();
}

/// The sum of the largest value of each key is enough.
#[test]
fn bytes_for_the_largest_value_of_each_key_are_enough() {
    let limits = OutboxLimits::new().messages(100).bytes(30);
    let builder = Hub::builder().outbox(limits);
    let builder = builder.limits(Limits::new().payload(10));
    let hub = built(builder.slow_consumer(SlowConsumer::KeepLatest));
    let (client, mut outbox) = join(&hub, "ticks");
    let mut last = HashMap::new();
    for step in 0..2_000_usize {
        let (key, size) = (step * step % 3, step * 7 % 10 + 1);
        let offset = tick(&hub, &key.to_string(), &"x".repeat(size));
        last.insert(key.to_string(), offset.position().unwrap().offset);
        if step % 11 == 0 {
            drop(outbox.try_recv());
        }
        assert!(client.stats().queued_bytes <= 30);
    }
    let mut received = HashMap::new();
    for frame in drain(&mut outbox) {
        let key = String::from_utf8(frame.key().unwrap().to_vec()).unwrap();
        received.insert(key, frame.offset());
    }
    assert!(received.iter().all(|(key, offset)| last[key] == *offset));
    assert_eq!(lost(&client), (0, 0));
}

/// What a strict channel has queued stays, whatever another channel conflates and evicts.
#[test]
fn a_strict_channel_keeps_its_prefix_beside_one_that_conflates() {
    let hub = hub_of(12, SlowConsumer::KeepLatest);
    let strict = channel(&hub, "strict", SlowConsumer::DISCONNECT);
    let (client, mut outbox) = join(&hub, "ticks");
    client.subscribe_blocking("strict").unwrap();
    for _ in 0..8 {
        let _delivery = strict.publish(Message::static_text("strict")).unwrap();
    }
    for _ in 0..10 {
        ticks(&hub, &["a1", "b1", "c1", "d1", "e1", "f1"]);
    }
    assert!(client.stats().evicted > 0, "there is no room for six");
    assert!(!client.is_closed());
    let more = strict.publish(Message::static_text("strict")).unwrap();
    assert_eq!(more.disconnected(), 1);
    let frames = drain(&mut outbox);
    let strict = frames.iter().filter(|frame| frame.key().is_none());
    assert!(strict.map(throng::Frame::offset).eq(1..=8), "no hole");
    assert_eq!(frames.len(), 12);
    assert_eq!(ending(&mut outbox), Disconnect::SLOW);
}

#[test]
fn where_nothing_may_be_evicted_the_new_value_is_dropped_and_told() {
    let hub = hub_of(3, SlowConsumer::KeepLatest);
    let strict = channel(&hub, "strict", SlowConsumer::DropNewest);
    let told = ConnectOptions::new().gap_notices(true);
    let (client, mut outbox) = join_as(&hub, "ticks", told);
    client.subscribe_blocking("strict").unwrap();
    for _ in 0..3 {
        let _delivery = strict.publish(Message::static_text("stays")).unwrap();
    }
    let delivery = tick(&hub, "a", "a1");
    assert_eq!((delivery.dropped(), delivery.evicted()), (1, 0));
    assert_eq!(lost(&client), (1, 0));
    assert_eq!(gaps(&mut outbox), [(1, 1, 1)]);
}

#[test]
fn what_is_superseded_goes_before_anything_is_evicted() {
    let hub = hub_of(4, SlowConsumer::KeepLatest);
    let recent = channel(&hub, "recent", SlowConsumer::DropOldest);
    let (client, mut outbox) = join(&hub, "ticks");
    client.subscribe_blocking("recent").unwrap();
    let recent = |text: &'static str| recent.publish(Message::static_text(text)).unwrap();
    let _delivery = recent("r1");
    ticks(&hub, &["a1", "a2"]);
    let _delivery = (recent("r2"), recent("r3"), recent("r4"));
    assert_eq!(texts(&mut outbox), ["a2", "r2", "r3", "r4"]);
    let stats = client.stats();
    assert_eq!((stats.conflated, stats.evicted), (1, 1));
}

/// A client's own policy is that of all its messages.
#[test]
fn the_clients_own_policy_says_what_may_go() {
    let hub = hub_of(2, SlowConsumer::KeepLatest);
    let strict = channel(&hub, "strict", SlowConsumer::DISCONNECT);
    let own = ConnectOptions::new().slow_consumer(SlowConsumer::DropOldest);
    let (client, mut outbox) = join_as(&hub, "ticks", own);
    client.subscribe_blocking("strict").unwrap();
    let _delivery = strict.publish(Message::static_text("goes")).unwrap();
    ticks(&hub, &["a1", "a2"]);
    assert_eq!(texts(&mut outbox), ["a1", "a2"], "and none is conflated");
    ticks(&hub, &["a3", "a4"]);
    client.set_slow_consumer(Some(SlowConsumer::KeepLatest));
    ticks(&hub, &["b5"]);
    assert_eq!(texts(&mut outbox), ["a4", "b5"], "now they are");
}
