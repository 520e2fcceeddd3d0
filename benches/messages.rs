//! What it costs to keep the messages of rooms, and to find them again.
//!
//! - Messages per second into a file, when 1, 16 or 256 senders each wait for their message to be
//!   kept before they send the next one; and how long each waits.
//! - Pages and searches among a million messages of 100 rooms, as one who waits for them sees it.
//!   The file is made the first time, which takes minutes, and kept under `target/tmp`.
//! - A message to a room with one member, kept in memory, beside the same that nobody keeps.
//!
//! ```text
//! cargo bench --bench messages                        # all of it
//! cargo bench --bench messages -- sending             # or reading, or memory
//! ```

use std::env;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use throng::Actor;
use throng::Hub;
use throng::Message;
use throng::RoomId;
use throng::UserId;
use throng::messages::Messages;
use throng::messages::MessagesConfig;
use throng::messages::OutgoingMessage;
use throng::messages::sqlite::Durability;
use throng::messages::sqlite::SqliteOptions;
use throng::messages::sqlite::SqliteStore;
use throng::rooms::RoomOptions;
use throng::rooms::Rooms;
use throng::rooms::RoomsConfig;

#[path = "messages/memory.rs"]
mod memory;
#[path = "messages/reading.rs"]
mod reading;

fn main() {
    let is_smoke = env::args().any(|argument| argument == "--test");
    let parts = ["sending", "reading", "memory"];
    let is_any_named = env::args().any(|argument| parts.contains(&&*argument));
    let is_wanted = |part: &str| !is_any_named || env::args().any(|argument| argument == part);
    if is_wanted("sending") {
        sending(is_smoke);
    }
    if is_wanted("reading") {
        reading::report(is_smoke);
    }
    if is_wanted("memory") {
        memory::report(is_smoke);
    }
}

/// Messages per second and how long their senders wait, into a file.
fn sending(is_smoke: bool) {
    let (rounds, time) = if is_smoke { (1, 20) } else { (3, 2_000) };
    let time = Duration::from_millis(time);
    println!("sent into a file, each sender waiting for its own; medians of {rounds} rounds");
    println!(
        "{:>8}  {:>6}  {:>10}  {:>9}  {:>9}",
        "senders", "sync", "a second", "p50", "p99"
    );
    for senders in [1, 16, 256] {
        // In turns, so that what else the disk does meets both.
        let mut sent = [Vec::new(), Vec::new()];
        for _ in 0..rounds {
            for (sync, sent) in [Durability::Full, Durability::Normal]
                .into_iter()
                .zip(&mut sent)
            {
                sent.push(Sent::measure(sync, senders, time));
            }
        }
        for (sync, sent) in ["full", "normal"].into_iter().zip(sent) {
            let of = |what: fn(&Sent) -> f64| median(sent.iter().map(what).collect());
            let [rate, p50, p99] = [of(|it| it.rate), of(|it| it.p50), of(|it| it.p99)];
            println!("{senders:>8}  {sync:>6}  {rate:>10.0}  {p50:>6.2} ms  {p99:>6.2} ms");
        }
    }
}

/// How it went for so many senders.
struct Sent {
    rate: f64,
    /// Milliseconds.
    p50: f64,
    p99: f64,
}

impl Sent {
    fn measure(sync: Durability, senders: usize, time: Duration) -> Self {
        let folder = folder().join("sending");
        let _ignored_if_missing = fs::remove_dir_all(&folder);
        let house = House::new(&folder, SqliteOptions::default().durability(sync));
        let has_ended = AtomicBool::new(false);
        let began = Instant::now();
        let waits: Vec<Vec<Duration>> = thread::scope(|scope| {
            let senders: Vec<_> = (0..senders)
                .map(|sender| {
                    let (house, has_ended) = (house.clone(), &has_ended);
                    scope.spawn(move || house.send(sender, has_ended))
                })
                .collect();
            thread::sleep(time);
            // Relaxed: a wish; whoever sees it later sends one more.
            has_ended.store(true, Ordering::Relaxed);
            let joined = senders.into_iter().map(thread::ScopedJoinHandle::join);
            joined.map(|waits| waits.expect("no panic")).collect()
        });
        let took = began.elapsed();
        drop(house);
        fs::remove_dir_all(&folder).expect("removed");
        let waits = waits.into_iter().flatten().collect::<Vec<_>>();
        let rate = waits.len() as f64 / took.as_secs_f64();
        let [p50, p99] = percentiles(waits).map(|wait| wait.as_secs_f64() * 1e3);
        Self { rate, p50, p99 }
    }
}

/// Rooms, and their messages in a file.
#[derive(Clone)]
struct House {
    messages: Messages,
    rooms: Vec<RoomId>,
}

impl House {
    fn new(folder: &Path, options: SqliteOptions) -> Self {
        let store = SqliteStore::open(folder, options).expect("opened");
        let (rooms, ids) = rooms();
        let messages = Messages::new(&rooms, store, MessagesConfig::new());
        Self {
            messages: messages.expect("started"),
            rooms: ids,
        }
    }

    /// Sends one message after the other; how long each took.
    fn send(&self, sender: usize, has_ended: &AtomicBool) -> Vec<Duration> {
        let actor = Actor::Server;
        let room = &self.rooms[sender % self.rooms.len()];
        let mut waits = Vec::new();
        // Relaxed: see where it is set.
        while !has_ended.load(Ordering::Relaxed) {
            let message = OutgoingMessage::new(Message::static_text(TEXT));
            let began = Instant::now();
            let sent = self.messages.send(&actor, room, message).wait();
            sent.expect("kept");
            waits.push(began.elapsed());
        }
        waits
    }
}

/// The rooms `r0` to `r99`, without members.
fn rooms() -> (Rooms, Vec<RoomId>) {
    let rooms = Rooms::new(&Hub::new(), RoomsConfig::new(), |_: &UserId| Vec::new());
    let ids = (0..ROOMS).map(|number| {
        let id = RoomId::parse(&format!("r{number}")).expect("an id");
        let options = RoomOptions::new("bench").id(id.clone());
        rooms.create(&Actor::Server, options).expect("made");
        id
    });
    let ids = ids.collect();
    (rooms, ids)
}

/// The half and the hundredth that takes longest.
fn percentiles(mut times: Vec<Duration>) -> [Duration; 2] {
    times.sort();
    [50, 99].map(|percent| times[(times.len() - 1) * percent / 100])
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Where the files are.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-messages")
}

const ROOMS: usize = 100;

/// A message of usual length.
const TEXT: &str =
    "We meet at half past six in front of the old station, and bring something to eat.";
