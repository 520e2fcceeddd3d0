//! A storm in two channels, and clients of both transports that are killed at random and come back.
//!
//! Every message is the number that it is to have. Each client keeps a [book](Book) for each
//! channel, over all of its connections: what comes is the next number, or what lies between was
//! told.
//!
//! Five seconds of it unless `THRONG_CHAOS_SECONDS` says otherwise; 60 for a long run.

mod book;
mod client;

use std::env;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use parking_lot::Condvar;
use parking_lot::Mutex;

use crate::binary::PATIENCE;
use crate::binary::Throng;
use crate::binary::Ws;

use self::book::Book;
use self::client::Client;

#[test]
fn f2_f16_clients_killed_in_a_storm_hold_all_or_were_told_exactly_what_not() {
    let policies = ["disconnect", "drop-oldest", "drop-newest"];
    let time = seconds().div_f64(policies.len() as f64);
    let figures = Figures::default();
    for policy in policies {
        let storm = Storm::default();
        let rule = format!("*:messages={KEPT}");
        let small = ["--outbox-messages", "32", "--slow-consumer", policy];
        let throng = Throng::start(&[&["--history", &rule], &small[..]].concat());
        let mut calm = Instant::now();
        thread::scope(|scope| {
            for index in 0..CLIENTS {
                let (throng, storm, figures) = (&throng, &storm, &figures);
                scope.spawn(move || {
                    let may_lose = policy != "disconnect";
                    Client::new(index, throng.address, may_lose).live(storm, figures);
                });
            }
            storm.rage(throng.ws(), time);
            calm = Instant::now();
        });
        // Sooner than a ping would wake a connection that was forgotten.
        assert!(calm.elapsed() < PATIENCE / 2, "{:?}", calm.elapsed());
        println!("{policy}: {} of each, {figures:?}", *storm.published.lock());
        let stats = throng.stats_until(|stats| stats["clients"] == 0);
        assert_eq!(stats["subscriptions"], 0);
    }
    figures.check();
}

/// What is published, and how far it has come.
#[derive(Debug, Default)]
struct Storm {
    /// Messages of each channel.
    published: Mutex<u64>,
    more: Condvar,
    /// The last message of each channel, once it is known.
    last: Mutex<Option<u64>>,
}

impl Storm {
    /// Publishes to both channels, as fast as the server takes it.
    fn rage(&self, mut publisher: Ws, time: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < time {
            self.publish(&mut publisher, BURST);
        }
        *self.last.lock() = Some(*self.published.lock() + 1);
        // Who waits for a message waits no longer.
        self.publish(&mut publisher, 1);
    }

    fn publish(&self, publisher: &mut Ws, count: u64) {
        let from = *self.published.lock() + 1;
        for number in from..from + count {
            for channel in CHANNELS {
                publisher.say(&format!(
                    r#"{{"type":"publish","channel_id":"{channel}","data":{number}}}"#
                ));
            }
        }
        assert_eq!(publisher.ask(r#"{"type":"ping"}"#)["type"], "pong");
        *self.published.lock() += count;
        self.more.notify_all();
    }

    /// The last message of each channel, once the storm is over.
    fn last(&self) -> Option<u64> {
        *self.last.lock()
    }

    /// Waits until each channel has had so many messages, or the storm is over.
    fn wait_for(&self, count: u64) {
        let mut published = self.published.lock();
        while *published < count && self.last().is_none() {
            self.more.wait(&mut published);
        }
    }
}

/// What became of the clients.
#[derive(Debug, Default)]
struct Figures {
    /// Connections that the client broke off.
    killed: AtomicU64,
    /// Connections that the server ended.
    ended: AtomicU64,
    /// Joins that went on where they were, after something had been published.
    resumed: AtomicU64,
    /// Joins that were told that they could not.
    told: AtomicU64,
    held: AtomicU64,
    /// Messages that did not come, and were told.
    lost: AtomicU64,
}

impl Figures {
    fn count(counter: &AtomicU64, more: u64) {
        // Relaxed: read once all threads are joined.
        counter.fetch_add(more, Ordering::Relaxed);
    }

    /// That something was tried at all.
    fn check(&self) {
        for counter in [&self.killed, &self.resumed, &self.told, &self.held] {
            // Relaxed: as above.
            assert!(counter.load(Ordering::Relaxed) > 0, "{self:?}");
        }
    }
}

fn seconds() -> Duration {
    let seconds = env::var("THRONG_CHAOS_SECONDS");
    Duration::from_secs(seconds.map_or(5, |seconds| seconds.parse().unwrap()))
}

const CHANNELS: [&str; 2] = ["left", "right"];

const CLIENTS: u64 = 30;

/// Messages that are remembered.
const KEPT: u64 = 400;

/// Messages for each channel between two looks at the clock.
const BURST: u64 = 20;
