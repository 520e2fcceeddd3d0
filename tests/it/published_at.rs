//! The time of a publication is set once, by its channel: a push, a replay, a page of the history
//! and a copy for a pattern show the same, whatever the time of day does meanwhile.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use parking_lot::Mutex;
use throng::Clock;
use throng::ConnectOptions;
use throng::Frame;
use throng::HistoryOptions;
use throng::HistoryQuery;
use throng::Hub;
use throng::ManualClock;
use throng::Message;
use throng::Outbox;
use throng::StreamPosition;
use throng::SubscribeOptions;

/// A clock whose time of day jumps.
#[derive(Clone)]
struct Jumping {
    clock: ManualClock,
    wall: Arc<Mutex<Duration>>,
}

impl Jumping {
    fn to(&self, seconds: u64) {
        *self.wall.lock() = Duration::from_secs(seconds);
    }
}

impl Clock for Jumping {
    fn now(&self) -> Instant {
        self.clock.now()
    }

    fn unix_time(&self) -> Option<Duration> {
        Some(*self.wall.lock())
    }
}

fn jumping() -> (Jumping, Hub) {
    let clock = Jumping {
        clock: ManualClock::new(),
        wall: Arc::default(),
    };
    clock.to(1000);
    let hub = Hub::builder()
        .clock(clock.clone())
        .history(|_| Some(HistoryOptions::new().messages(10)))
        .build()
        .unwrap();
    (clock, hub)
}

fn seconds(frames: &[Frame]) -> Vec<u64> {
    let seconds = |frame: &Frame| frame.published_at().as_secs();
    frames.iter().map(seconds).collect()
}

fn drained(outbox: &mut Outbox) -> Vec<Frame> {
    std::iter::from_fn(|| outbox.try_recv().ok()).collect()
}

#[test]
fn a_push_a_replay_and_a_page_show_one_time_that_never_goes_back() {
    let (clock, hub) = jumping();
    let (live, mut lives) = hub.connect(ConnectOptions::new()).unwrap();
    live.subscribe_blocking("c").unwrap();
    for at in [1000, 2000, 1500, 1500, 2500, 0] {
        clock.to(at);
        hub.publish("c", "x").unwrap();
    }
    let expected = [1000, 2000, 2000, 2000, 2500, 2500];
    let pushed = drained(&mut lives);
    assert_eq!(seconds(&pushed), expected);
    clock.to(9000);
    let (late, mut lates) = hub.connect(ConnectOptions::new()).unwrap();
    let channel = hub.channel("c").unwrap();
    let start = StreamPosition {
        offset: 0,
        ..channel.position()
    };
    let options = SubscribeOptions::new().since(start);
    late.subscribe_detached("c", options).unwrap();
    assert_eq!(seconds(&drained(&mut lates)), expected);
    let page = channel.history(&HistoryQuery::new());
    assert_eq!(seconds(&page.frames), expected);
}

#[test]
fn a_message_with_a_time_of_its_own_has_it_and_none_after_it_is_earlier() {
    let (clock, hub) = jumping();
    let (client, mut outbox) = hub.connect(ConnectOptions::new()).unwrap();
    client.subscribe_blocking("c").unwrap();
    let stored = |at| Message::text("x").published_at(Duration::from_secs(at));
    hub.publish("c", stored(5000)).unwrap();
    hub.publish("c", "x").unwrap();
    hub.publish("c", stored(4000)).unwrap();
    hub.publish("c", "x").unwrap();
    clock.to(6000);
    hub.publish("c", "x").unwrap();
    client.send(stored(7)).unwrap();
    client.send("x").unwrap();
    let expected = [5000, 5000, 4000, 5000, 6000, 7, 6000];
    assert_eq!(seconds(&drained(&mut outbox)), expected);
}

#[test]
fn a_clock_without_a_time_of_day_goes_on_from_that_of_the_system() {
    let clock = ManualClock::new();
    let hub = Hub::builder().clock(clock.clone()).build().unwrap();
    let (client, mut outbox) = hub.connect(ConnectOptions::new()).unwrap();
    client.send("x").unwrap();
    let first = outbox.try_recv().unwrap().published_at();
    assert!(first > Duration::from_secs(1_700_000_000), "{first:?}");
    clock.advance(Duration::from_secs(60));
    client.send("x").unwrap();
    let second = outbox.try_recv().unwrap().published_at();
    assert_eq!(second - first, Duration::from_secs(60));
}

#[test]
fn times_of_messages_are_whole_milliseconds_of_48_bits() {
    let longest = Duration::from_millis((1 << 48) - 2);
    for (given, taken) in [
        (Duration::ZERO, Duration::ZERO),
        (Duration::from_nanos(1_999_999), Duration::from_millis(1)),
        (
            Duration::from_millis(0x1234_5678_9abc),
            Duration::from_millis(0x1234_5678_9abc),
        ),
        (longest, longest),
        (Duration::MAX, longest),
    ] {
        assert_eq!(
            Message::text("x").published_at(given).own_time(),
            Some(taken)
        );
    }
    assert_eq!(Message::text("x").own_time(), None);
}
