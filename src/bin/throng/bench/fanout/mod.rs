//! `throng bench fanout`: many clients in this process, drained by a few threads.
//!
//! # Pace
//!
//! A publisher waits while `window` messages of a channel are on their way to its healthy
//! clients. Each drainer thread counts for itself, so a thread that falls behind holds the
//! publishers, whatever the others do. While a drainer goes once over its outboxes the publisher
//! goes on, so one outbox may hold up to *e* times the window; outboxes are three times as large
//! at least, hence a healthy client never loses a message to the load generator's own pace.

mod drainer;
mod options;
mod pace;
mod publisher;
mod report;
mod world;

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::ScopedJoinHandle;
use std::time::Duration;
use std::time::Instant;

use super::Failed;
use super::latency::Latencies;
use super::print_reports;
use super::process::Process;
use super::progress::Progress;

use self::drainer::Drainer;
pub(crate) use self::options::Options;
use self::pace::Pace;
use self::publisher::Published;
use self::publisher::Publisher;
use self::report::Report;
use self::world::World;

/// Builds the clients, publishes to them, and prints what was found.
pub(super) fn run(options: &Options) -> Result<(), Failed> {
    options.check()?;
    let report = measure(options)?;
    let html = options.html.as_deref();
    print_reports(
        &[report],
        options.json,
        html.map(|file| (file, "throng bench fanout")),
    )
}

fn measure(options: &Options) -> Result<Report, Failed> {
    let process = Process::this();
    let resident = || {
        process
            .resident()
            .map_err(|e| Failed::io("no memory figures", e))
    };
    let before = resident()?;
    let mut world = World::new(options)?;
    let connected = resident()?;
    let drainers = world.drainers(options);
    let load = Load::run(options, &world, drainers);
    let after = resident()?;
    Ok(Report::new(
        options,
        &world,
        &load,
        [before, connected, after],
    ))
}

/// What the threads did.
struct Load {
    elapsed: Duration,
    published: Published,
    received: u64,
    latencies: Latencies,
    ages: Latencies,
}

impl Load {
    fn run(options: &Options, world: &World, drainers: Vec<Drainer>) -> Self {
        let done = AtomicBool::new(false);
        let pace = Pace::new(
            options.window,
            drainers.iter().map(Drainer::parts).collect(),
        );
        let start = Instant::now();
        thread::scope(|scope| {
            let drainers: Vec<_> = drainers
                .into_iter()
                .map(|drainer| scope.spawn(|| drainer.run(start, &done)))
                .collect();
            let publishers: Vec<_> = (0..options.publishers)
                .map(|index| Publisher::new(index, options, world, &pace))
                .map(|publisher| scope.spawn(move || publisher.run(start)))
                .collect();
            watch(options, start, &pace, &publishers);
            let published = publishers
                .into_iter()
                .map(join)
                .fold(Published::default(), |a, b| a + b);
            pace.wait_until_drained(Instant::now() + PATIENCE);
            let elapsed = start.elapsed();
            // Relaxed: only ends the loops, orders nothing.
            done.store(true, Ordering::Relaxed);
            let mut load = Self {
                elapsed,
                published,
                received: 0,
                latencies: Latencies::new(),
                ages: Latencies::new(),
            };
            for drained in drainers.into_iter().map(join) {
                load.received += drained.received;
                load.latencies.add(&drained.latencies);
                load.ages.add(&drained.ages);
            }
            load
        })
    }
}

/// Shows how far the publishers are, until they are done.
fn watch<T>(options: &Options, start: Instant, pace: &Pace, threads: &[ScopedJoinHandle<'_, T>]) {
    let progress = match options.messages {
        Some(messages) => Progress::new("messages", messages * options.publishers),
        None => Progress::new("milliseconds", milliseconds(options.seconds)),
    };
    while !threads.iter().all(ScopedJoinHandle::is_finished) {
        thread::park_timeout(Duration::from_millis(20));
        match options.messages {
            Some(_) => progress.set(pace.published()),
            None => progress.set(milliseconds(start.elapsed())),
        }
    }
}

fn milliseconds(duration: Duration) -> usize {
    usize::try_from(duration.as_millis()).unwrap_or(usize::MAX)
}

fn join<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    // A panic of the thread is a bug, and goes on here.
    thread.join().expect("no thread panics")
}

/// How long the last messages may take before they are called lost.
const PATIENCE: Duration = Duration::from_secs(10);
