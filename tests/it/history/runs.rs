//! Whatever is lost, dropped and resumed: who follows a channel with a history holds a run without
//! gap or double, or was told exactly what is missing.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use throng::Client;
use throng::ConnectOptions;
use throng::Event;
use throng::Frame;
use throng::HistoryOptions;
use throng::Hub;
use throng::Limits;
use throng::ManualClock;
use throng::Message;
use throng::Outbox;
use throng::OutboxLimits;
use throng::SlowConsumer;
use throng::StreamPosition;
use throng::SubscribeOptions;
use throng::TryRecvError;

const FOLLOWERS: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    /// So many publications.
    Publish(u8),
    /// One that is not remembered.
    Ephemeral,
    /// So much time passes, in milliseconds, and what is due is done.
    Pass(u8),
    /// One of the followers receives so much.
    Receive(usize, u8),
    /// It loses its connection, and what was on the way.
    Break(usize),
    /// It comes back, if it has no connection.
    Resume(usize, SlowConsumer, usize),
    /// The channel forgets all but so much.
    Remember(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let policy = prop_oneof![
        Just(SlowConsumer::DISCONNECT),
        Just(SlowConsumer::DropNewest),
        Just(SlowConsumer::DropOldest),
        Just(SlowConsumer::KeepLatest),
    ];
    prop_oneof![
        3 => (1u8..12).prop_map(Step::Publish),
        1 => Just(Step::Ephemeral),
        1 => (1u8..60).prop_map(Step::Pass),
        4 => (0..FOLLOWERS, 1u8..8).prop_map(|(who, most)| Step::Receive(who, most)),
        1 => (0..FOLLOWERS).prop_map(Step::Break),
        2 => (0..FOLLOWERS, policy, 1usize..6)
            .prop_map(|(who, policy, size)| Step::Resume(who, policy, size)),
        1 => (1usize..24).prop_map(Step::Remember),
    ]
}

/// One who follows the channel over many connections.
#[derive(Default)]
struct Follower {
    connection: Option<(Client, Outbox)>,
    /// The last that it has received, from where it goes on when it comes back: what it was told
    /// to have missed after that may then come after all.
    position: Option<StreamPosition>,
    received: Vec<u64>,
    /// What it was told that it misses, by notices and when it came back: first and last.
    missed: Vec<(u64, u64)>,
    /// How many, by the notices.
    count: u64,
    connections: u32,
    /// The first offset that it is about.
    first: u64,
}

impl Follower {
    fn resume(&mut self, hub: &Hub, policy: SlowConsumer, size: usize) {
        if self.connection.is_some() {
            return;
        }
        let options = ConnectOptions::new()
            .gap_notices(true)
            .slow_consumer(policy)
            .outbox(OutboxLimits::new().messages(size));
        let (client, outbox) = hub.connect(options).unwrap();
        let mut options = SubscribeOptions::new();
        if let Some(position) = self.position {
            options = options.since(position);
        }
        let joined = futures_util::FutureExt::now_or_never(client.subscribe_with("c", options));
        let joined = joined.unwrap().unwrap();
        match self.position {
            None => self.first = joined.position.offset + 1,
            Some(position) if !joined.recovered => {
                self.missed
                    .push((position.offset + 1, joined.position.offset));
            }
            Some(position) => assert_eq!(joined.start, position),
        }
        self.connections += 1;
        self.position = Some(joined.start);
        self.connection = Some((client, outbox));
    }

    fn receive(&mut self, most: usize) -> usize {
        for taken in 0..most {
            let Some((_, outbox)) = &mut self.connection else {
                return taken;
            };
            match outbox.try_recv() {
                Ok(frame) => self.take(&frame),
                Err(TryRecvError::Empty) => return taken,
                Err(_) => {
                    self.connection = None;
                    return taken;
                }
            }
        }
        most
    }

    fn take(&mut self, frame: &Frame) {
        let position = self.position.as_mut().unwrap();
        match frame.event() {
            Event::Gap(gap) => {
                self.missed.push((gap.first, gap.last));
                self.count += gap.missed;
            }
            Event::Message(_) => {
                assert!(
                    Some(&frame.offset()) > self.received.last(),
                    "in order, once"
                );
                self.received.push(frame.offset());
                position.offset = frame.offset();
            }
            other => panic!("{other:?}"),
        }
    }

    fn check(&self, last: u64, ephemeral: &[u64]) {
        if self.position.is_none() {
            return;
        }
        let is_told = |offset: u64| {
            let mut missed = self.missed.iter();
            missed.any(|(first, last)| (*first..=*last).contains(&offset))
        };
        let about = self.first..=last;
        let missing = about.filter(|offset| !self.received.contains(offset));
        let missing: Vec<_> = missing.collect();
        // What is ephemeral is not missed, but may be among what is told.
        let missed = missing.iter().filter(|offset| !ephemeral.contains(offset));
        for offset in missed.clone() {
            assert!(is_told(*offset), "{offset} is not in {:?}", self.received);
        }
        if self.connections == 1 {
            let most = missing.len() as u64;
            assert!((missed.count() as u64..=most).contains(&self.count));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn everybody_holds_a_gapless_run_or_was_told(steps in vec(step(), 1..120)) {
        let options = || HistoryOptions::new().age(Duration::from_millis(100));
        let clock = ManualClock::new();
        let hub = Hub::builder().history(move |_| Some(options().messages(16)));
        // No more than twelve are kept, whatever the channel would.
        let limits = Limits::new().history_bytes(12 * 649);
        let hub = hub.limits(limits).clock(clock.clone()).build().unwrap();
        let mut ephemeral = Vec::new();
        let channel = hub.channel("c").unwrap();
        let mut followers: [Follower; FOLLOWERS] = Default::default();
        for step in steps {
            match step {
                Step::Publish(times) => for _ in 0..times {
                    let _delivery = channel.publish(Message::static_text("x")).unwrap();
                }
                Step::Ephemeral => {
                    let _delivery = channel.publish(Message::static_text("x").ephemeral()).unwrap();
                    ephemeral.push(channel.position().offset);
                }
                Step::Pass(millis) => {
                    clock.advance(Duration::from_millis(millis.into()));
                    hub.tick();
                    prop_assert!(hub.stats().history_bytes <= 12 * 649);
                }
                Step::Receive(who, most) => {
                    let _taken = followers[who].receive(most.into());
                }
                Step::Break(who) => followers[who].connection = None,
                Step::Resume(who, policy, size) => followers[who].resume(&hub, policy, size),
                Step::Remember(most) => {
                    channel.set_history(Some(options().messages(most)));
                }
            }
        }
        for follower in &mut followers {
            // A connection that was ended ends when all of it is received; then it comes back.
            while follower.receive(1000) > 0 {}
            follower.resume(&hub, SlowConsumer::DropNewest, 5);
            while follower.receive(1000) > 0 {}
            follower.check(channel.position().offset, &ephemeral);
        }
    }
}
