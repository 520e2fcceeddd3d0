//! Several publisher threads, on one channel and on a channel each; a thousand receivers in all.
//!
//! A round: every thread publishes its part of a full outbox, then every thread drains its part
//! of the receivers, with a barrier between. So nothing is lost, and the two barriers of a round
//! are shared by `RECEIVERS * CAPACITY` deliveries.
//!
//! With several publishers on one channel, only throng and the broadcast channels give all
//! receivers the same order; a loop over queues does not.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use criterion::BenchmarkId;
use criterion::Criterion;
use criterion::SamplingMode;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;

#[expect(dead_code, reason = "each bench uses its part of the common code")]
mod common;

use common::CAPACITY;
use common::CONTENDERS;
use common::Contender;
use common::Fanout;
use common::Setup;

fn one_channel(c: &mut Criterion) {
    let build = |contender: &Contender, threads: usize| {
        let mut whole = contender.build(&Setup::new(RECEIVERS));
        let fork = |_| Fanout {
            publisher: whole.publisher.fork(),
            drainer: whole.drainer.split(RECEIVERS / threads),
        };
        (0..threads).map(fork).collect()
    };
    let window = |threads| CAPACITY / threads;
    group(c, "publishers-one-channel", window, build);
}

fn many_channels(c: &mut Criterion) {
    let build = |contender: &Contender, threads: usize| {
        let setup = Setup::new(RECEIVERS / threads);
        (0..threads).map(|_| contender.build(&setup)).collect()
    };
    group(c, "publishers-many-channels", |_| CAPACITY, build);
}

/// `window`: how many messages each of so many threads publishes in a round.
fn group(
    c: &mut Criterion,
    name: &str,
    window: impl Fn(usize) -> usize,
    build: impl Fn(&Contender, usize) -> Vec<Fanout>,
) {
    let mut group = c.benchmark_group(name);
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements(common::elements(RECEIVERS, CAPACITY)));
    for threads in [1, 2, 4, 8] {
        let window = window(threads);
        for contender in &CONTENDERS {
            let mut built = None;
            group.bench_function(BenchmarkId::new(contender.name, threads), |b| {
                let parts = built.get_or_insert_with(|| build(contender, threads));
                b.iter_custom(|rounds| measure(parts, window, rounds));
            });
        }
    }
    group.finish();
}

/// Time for `rounds` rounds on one thread per part; asserts that nothing was lost.
fn measure(parts: &mut [Fanout], window: usize, rounds: u64) -> Duration {
    let start = Barrier::new(parts.len() + 1);
    let step = Barrier::new(parts.len());
    let (elapsed, drained) = thread::scope(|scope| {
        let work = |part| {
            start.wait();
            work(part, window, rounds, &step)
        };
        let workers: Vec<_> = parts
            .iter_mut()
            .map(|part| scope.spawn(move || work(part)))
            .collect();
        start.wait();
        let started = Instant::now();
        let drained = workers.into_iter().map(|worker| worker.join());
        let drained: usize = drained.map(|part| part.expect("no worker panics")).sum();
        (started.elapsed(), drained)
    });
    let expected = common::elements(RECEIVERS, CAPACITY) * rounds;
    assert_eq!(u64::try_from(drained), Ok(expected), "messages were lost");
    elapsed
}

fn work(part: &mut Fanout, window: usize, rounds: u64, step: &Barrier) -> usize {
    let mut drained = 0;
    for _ in 0..rounds {
        for _ in 0..window {
            part.publisher.publish();
        }
        step.wait();
        drained += part.drainer.drain();
        step.wait();
    }
    drained
}

/// Receivers in all; divisible by every number of threads.
const RECEIVERS: usize = 1_000;

criterion_group! {
    name = benches;
    config = common::config();
    targets = one_channel, many_channels
}
criterion_main!(benches);
