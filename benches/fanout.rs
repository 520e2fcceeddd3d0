//! One message to N receivers, pushed and drained by one thread.
//!
//! With `THRONG_BENCH_LARGE` set, all contenders run at all sizes (about half an hour); without,
//! only throng runs with a million receivers.

use std::time::Duration;

use criterion::BatchSize;
use criterion::BenchmarkGroup;
use criterion::BenchmarkId;
use criterion::Criterion;
use criterion::SamplingMode;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use criterion::measurement::WallTime;
use throng::SlowConsumer;

#[expect(dead_code, reason = "each bench uses its part of the common code")]
mod common;

use common::CAPACITY;
use common::CONTENDERS;
use common::Contender;
use common::Fanout;
use common::Setup;
use common::hub;

/// By the number of receivers.
fn receivers(c: &mut Criterion) {
    let mut group = c.benchmark_group("fanout");
    for n in [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000] {
        if n >= 100_000 {
            group.sample_size(10).sampling_mode(SamplingMode::Flat);
        }
        for contender in &CONTENDERS {
            if n <= 100_000 || contender.name == "throng" || common::large() {
                run(&mut group, contender, n, 1, &Setup::new(n));
            }
        }
    }
    group.finish();
}

/// By how many messages are published before the receivers drain.
fn window(c: &mut Criterion) {
    let mut group = c.benchmark_group("fanout-window");
    for window in [1, 8, 32] {
        for contender in &CONTENDERS {
            run(&mut group, contender, window, window, &Setup::new(1_000));
        }
    }
    group.finish();
}

/// By the size of the payload, in bytes.
fn payload(c: &mut Criterion) {
    let mut group = c.benchmark_group("fanout-payload");
    for bytes in [16, 128, 1 << 10, 16 << 10] {
        for contender in &CONTENDERS {
            let setup = Setup::new(1_000).payload(bytes);
            run(&mut group, contender, bytes, 1, &setup);
        }
    }
    group.finish();
}

/// By the percentage of receivers that never drain.
///
/// The queues per client drop the newest message then, as throng does here; the broadcast
/// channels overwrite the oldest.
fn slow(c: &mut Criterion) {
    let mut group = c.benchmark_group("fanout-slow");
    for slow in SLOW {
        for contender in &CONTENDERS {
            let setup = Setup::new(1_000).slow(slow);
            run(&mut group, contender, slow, 1, &setup);
        }
    }
    group.finish();
}

/// By what is done about them: every policy of throng that keeps a slow client.
fn policy(c: &mut Criterion) {
    let policies = [
        ("drop-newest", SlowConsumer::DropNewest, 0),
        ("drop-oldest", SlowConsumer::DropOldest, 0),
        ("keep-latest-1-key", SlowConsumer::KeepLatest, 1),
        ("keep-latest-64-keys", SlowConsumer::KeepLatest, 64),
        ("grace", SlowConsumer::Disconnect { grace: FOREVER }, 0),
    ];
    let mut group = c.benchmark_group("fanout-policy");
    for (name, policy, keys) in policies {
        for slow in SLOW {
            let setup = Setup::new(1_000).slow(slow);
            let mut built = None;
            group.throughput(Throughput::Elements(1_000));
            group.bench_function(BenchmarkId::new(name, slow), |b| {
                let fanout = built.get_or_insert_with(|| filled(policy, keys, &setup));
                b.iter(|| fanout.round(1));
            });
        }
    }
    group.finish();
}

/// The one publish that finds the slow clients behind and disconnects them.
fn disconnect(c: &mut Criterion) {
    let mut group = c.benchmark_group("fanout-disconnect");
    group.throughput(Throughput::Elements(1_000));
    for slow in SLOW {
        let setup = Setup::new(1_000).slow(slow);
        group.bench_function(BenchmarkId::new("throng", slow), |b| {
            b.iter_batched(
                || filled(SlowConsumer::DISCONNECT, 0, &setup),
                |mut fanout| {
                    fanout.round(1);
                    fanout
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// throng under `policy`, with the outboxes of the slow clients just full.
fn filled(policy: SlowConsumer, keys: u8, setup: &Setup) -> Fanout {
    let mut fanout = hub::under(policy, keys, setup);
    for _ in 0..CAPACITY {
        assert_eq!(fanout.round(1), setup.healthy(), "messages were lost");
    }
    fanout
}

/// Measures rounds of `window` messages. Built on first use, so that a filtered run is quick.
fn run(
    group: &mut BenchmarkGroup<'_, WallTime>,
    contender: &Contender,
    parameter: usize,
    window: usize,
    setup: &Setup,
) {
    let mut built = None;
    let elements = common::elements(setup.receivers, window);
    group.throughput(Throughput::Elements(elements));
    group.bench_function(BenchmarkId::new(contender.name, parameter), |b| {
        let fanout = built.get_or_insert_with(|| contender.build(setup));
        b.iter(|| fanout.round(window));
    });
}

/// Percent of the receivers that never drain.
const SLOW: [usize; 4] = [0, 10, 50, 100];

/// A grace that no run exhausts.
const FOREVER: Duration = Duration::from_secs(3_600);

criterion_group! {
    name = benches;
    config = common::config();
    targets = receivers, window, payload, slow, policy, disconnect
}
criterion_main!(benches);
