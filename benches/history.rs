//! What it costs that a channel remembers: the same publish to a channel with history and to one
//! without, in turns.
//!
//! One thread publishes a message and drains all subscribers, as in `fanout`. The channels take
//! turns every millisecond or so, and the ratio is the median of those within each turn: on a noisy
//! machine that says more than two runs one after the other.
//!
//! ```text
//! cargo bench --bench history             # all of it
//! cargo bench --bench history -- 1 10     # so many subscribers
//! ```

use std::env;
use std::hint::black_box;
use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use throng::Batch;
use throng::Channel;
use throng::ConnectOptions;
use throng::HistoryOptions;
use throng::Hub;
use throng::Message;
use throng::Outbox;

fn main() {
    let is_smoke = env::args().any(|argument| argument == "--test");
    let turns = if is_smoke { 3 } else { TURNS };
    let asked: Vec<usize> = env::args().filter_map(|it| it.parse().ok()).collect();
    println!("ns for each publish and drain; in brackets, how many times as long as without");
    println!(
        "{:>12}  {:>8}  {:>16}  {:>16}",
        "subscribers", "without", "256, 1 MiB", "latest"
    );
    for subscribers in SUBSCRIBERS {
        if asked.is_empty() || asked.contains(&subscribers) {
            report(subscribers, turns);
        }
    }
}

/// Measures the three of them in turns, and prints a line of a table.
fn report(subscribers: usize, turns: usize) {
    let histories = [
        None,
        Some(HistoryOptions::new()),
        Some(HistoryOptions::latest()),
    ];
    let mut worlds = histories.map(|history| World::new(history, subscribers));
    let rounds = worlds[0].calibrate();
    let mut times = [const { Vec::new() }; 3];
    for turn in 0..turns {
        // Whoever is first may find the caches colder: each is, in its turn.
        for place in 0..worlds.len() {
            let which = (turn + place) % worlds.len();
            times[which].push(worlds[which].time(rounds));
        }
    }
    let [without, stream, latest] = times;
    let cell = |with: &[f64]| {
        let ratios = with
            .iter()
            .zip(&without)
            .map(|(with, without)| with / without);
        format!(
            "{:.0} ({:.2}x)",
            median(with.to_vec()),
            median(ratios.collect())
        )
    };
    let (stream, latest) = (cell(&stream), cell(&latest));
    let without = median(without);
    println!("{subscribers:>12}  {without:>8.0}  {stream:>16}  {latest:>16}");
}

/// A channel, its subscribers, and what is published there.
struct World {
    channel: Channel,
    payload: Bytes,
    outboxes: Vec<Outbox>,
    batch: Batch,
    _hub: Hub,
}

impl World {
    fn new(history: Option<HistoryOptions>, subscribers: usize) -> Self {
        let hub = match history {
            Some(history) => Hub::builder().history(move |_| Some(history.clone())),
            None => Hub::builder(),
        };
        let hub = hub.build().expect("the options are valid");
        let outboxes = (0..subscribers).map(|_| {
            let (client, outbox) = hub.connect(ConnectOptions::new()).expect("connected");
            client.subscribe_blocking("bench").expect("subscribed");
            outbox
        });
        let mut world = Self {
            outboxes: outboxes.collect(),
            channel: hub.channel("bench").expect("a name"),
            payload: Bytes::from(vec![b'x'; 128]),
            batch: Batch::new(),
            _hub: hub,
        };
        // Until what is remembered is as much as it is going to be.
        for _ in 0..1_000 {
            assert_eq!(world.round(), subscribers, "messages were lost");
        }
        world
    }

    /// Publishes a message, and takes it from all subscribers; how many deliveries that made.
    fn round(&mut self) -> usize {
        let message = Message::binary(self.payload.clone());
        let _delivery = black_box(self.channel.publish(message).expect("published"));
        let mut drained = 0;
        for index in 0..self.outboxes.len() {
            if let Some(later) = self.outboxes.get(index + AHEAD) {
                later.prefetch();
            }
            let outbox = &mut self.outboxes[index];
            drained += outbox.try_recv_batch(&mut self.batch, 64).unwrap_or(0);
        }
        self.batch.clear();
        drained
    }

    /// How many rounds a turn has.
    fn calibrate(&mut self) -> u32 {
        let began = Instant::now();
        let mut rounds = 0;
        while began.elapsed() < TURN {
            self.round();
            rounds += 1;
        }
        rounds
    }

    /// Nanoseconds for each of so many rounds.
    fn time(&mut self, rounds: u32) -> f64 {
        let began = Instant::now();
        for _ in 0..rounds {
            black_box(self.round());
        }
        began.elapsed().as_nanos() as f64 / f64::from(rounds)
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

const SUBSCRIBERS: [usize; 4] = [1, 10, 100, 1_000];

/// How often each has its turn.
const TURNS: usize = 1_001;

/// How long a turn is, about.
const TURN: Duration = Duration::from_millis(1);

/// How many outboxes ahead of the one being drained the next is fetched.
const AHEAD: usize = 8;
