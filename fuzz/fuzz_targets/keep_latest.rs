//! One client, channels under different policies, and whatever may happen to them: what each policy
//! promises holds, and `KeepLatest` is exact where it says so.

#![no_main]

use std::collections::HashMap;
use std::collections::VecDeque;

use libfuzzer_sys::arbitrary;
use libfuzzer_sys::fuzz_target;
use throng::Client;
use throng::ConnectOptions;
use throng::Disconnect;
use throng::Hub;
use throng::Message;
use throng::Outbox;
use throng::OutboxLimits;
use throng::SlowConsumer;

const CHANNELS: [(&str, SlowConsumer); 4] = [
    ("ticks", SlowConsumer::KeepLatest),
    ("trades", SlowConsumer::KeepLatest),
    ("recent", SlowConsumer::DropOldest),
    ("strict", SlowConsumer::DropNewest),
];

#[derive(Debug, arbitrary::Arbitrary)]
struct Story {
    places: u8,
    away: bool,
    /// Only channels that conflate, a place for each pair, and nobody leaves.
    exact: bool,
    operations: Vec<Operation>,
}

#[derive(Clone, Copy, Debug, arbitrary::Arbitrary)]
enum Operation {
    Close,
    Leave(u8),
    Publish(u8, Option<u8>),
    Receive(u8),
}

struct World {
    hub: Hub,
    client: Client,
    outbox: Outbox,
    published: HashMap<(String, String), u64>,
    received: HashMap<(String, String), u64>,
    offsets: HashMap<String, u64>,
    accepted: VecDeque<u64>,
    has_left: bool,
}

impl World {
    fn publish(&mut self, channel: usize, key: Option<u8>) {
        let (name, key) = (CHANNELS[channel].0, key.map(|key| key.to_string()));
        let message = Message::text("value");
        let message = key.iter().fold(message, |it, key| it.key(key.clone()));
        let delivery = self.hub.publish(name, message).unwrap();
        let offset = delivery.position().map_or(0, |position| position.offset);
        if let Some(key) = key {
            self.published.insert((name.to_owned(), key), offset);
        }
        if name == "strict" && delivery.delivered() == 1 {
            self.accepted.push_back(offset);
        }
    }

    fn receive(&mut self, most: usize) {
        for _ in 0..most {
            let Ok(frame) = self.outbox.try_recv() else {
                return;
            };
            let name = frame.channel().unwrap().to_string();
            if name == "strict" && !self.has_left {
                assert_eq!(Some(frame.offset()), self.accepted.pop_front(), "no hole");
            }
            let before = self.offsets.insert(name.clone(), frame.offset());
            assert!(self.has_left || before < Some(frame.offset()), "in order");
            if let Some(key) = frame.key() {
                let key = String::from_utf8(key.to_vec()).unwrap();
                self.received.insert((name, key), frame.offset());
            }
        }
    }

    fn carry_out(&mut self, operation: Operation, places: usize, exact: bool) {
        match operation {
            Operation::Publish(pair, _) if exact => {
                let pair = usize::from(pair) % places;
                self.publish(pair % 2, Some(pair as u8 / 2));
            }
            Operation::Publish(channel, key) => self.publish(usize::from(channel % 4), key),
            Operation::Receive(most) => self.receive(usize::from(most % 8)),
            _ if exact => {}
            Operation::Close => self.client.close(Disconnect::KICKED),
            Operation::Leave(channel) => {
                let name = CHANNELS[usize::from(channel % 4)].0;
                self.has_left |= self.client.unsubscribe(name).is_ok();
            }
        }
        assert!(self.outbox.len() <= places, "the limit is strict");
    }
}

fuzz_target!(|story: Story| {
    let places = usize::from(story.places % 8) + 1;
    let hub = Hub::builder().outbox(OutboxLimits::new().messages(places));
    let hub = hub.build().unwrap();
    let (client, mut outbox) = hub.connect(ConnectOptions::new()).unwrap();
    let _begun = story.away.then(|| outbox.try_recv().is_err());
    for (name, policy) in CHANNELS {
        client.subscribe_blocking(name).unwrap();
        hub.channel(name).unwrap().set_slow_consumer(Some(policy));
    }
    let mut world = World {
        hub,
        client,
        outbox,
        published: HashMap::new(),
        received: HashMap::new(),
        offsets: HashMap::new(),
        accepted: VecDeque::new(),
        has_left: false,
    };
    for operation in story.operations.iter().take(400) {
        world.carry_out(*operation, places, story.exact);
    }
    world.receive(usize::MAX);
    assert!(world.has_left || world.accepted.is_empty());
    if story.exact {
        let stats = world.client.stats();
        assert_eq!((stats.dropped, stats.evicted), (0, 0));
        assert_eq!(world.received, world.published, "the last of every pair");
    }
    let hub = world.hub.clone();
    drop(world);
    assert_eq!((hub.client_count(), hub.channel_count()), (0, 0));
});
