//! The publisher on one core, the drainer on another.
//!
//! The publisher is at most `window` messages ahead of the drainer, which sweeps over all
//! receivers. Both spin while they wait, and give way to others now and then.

use std::hint;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
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

use common::CONTENDERS;
use common::Drain;
use common::Fanout;
use common::Setup;

fn cores(c: &mut Criterion) {
    for window in [1, 16] {
        let mut group = c.benchmark_group(format!("cores-window-{window}"));
        group.sampling_mode(SamplingMode::Flat);
        for n in [1_000, 10_000, 100_000] {
            if n == 100_000 {
                group.sample_size(10);
            }
            group.throughput(Throughput::Elements(common::elements(n, 1)));
            for contender in &CONTENDERS {
                let mut built = None;
                group.bench_function(BenchmarkId::new(contender.name, n), |b| {
                    let fanout = built.get_or_insert_with(|| contender.build(&Setup::new(n)));
                    b.iter_custom(|messages| measure(fanout, n, window, messages));
                });
            }
        }
        group.finish();
    }
}

/// Time from the first publish until the last of `messages` is drained everywhere.
fn measure(fanout: &mut Fanout, receivers: usize, window: usize, messages: u64) -> Duration {
    let Fanout { publisher, drainer } = fanout;
    let messages = usize::try_from(messages).expect("a count of iterations fits");
    let drained = AtomicUsize::new(0);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| sweep(drainer.as_mut(), &drained, &done));
        let start = Instant::now();
        for sent in 0..messages {
            wait_for(&drained, (sent + 1).saturating_sub(window) * receivers);
            publisher.publish();
        }
        wait_for(&drained, messages * receivers);
        let elapsed = start.elapsed();
        // Relaxed: only ends the sweep, orders nothing.
        done.store(true, Ordering::Relaxed);
        elapsed
    })
}

fn sweep(drainer: &mut dyn Drain, drained: &AtomicUsize, done: &AtomicBool) {
    // Relaxed: see `measure`.
    while !done.load(Ordering::Relaxed) {
        let count = drainer.drain();
        // Release: what was drained is dropped before it counts; pairs with `wait_for`.
        drained.fetch_add(count, Ordering::Release);
    }
}

fn wait_for(drained: &AtomicUsize, count: usize) {
    let mut spins = 0_u32;
    // Acquire: pairs with the Release in `sweep`.
    while drained.load(Ordering::Acquire) < count {
        spins += 1;
        if spins.is_multiple_of(1_024) {
            thread::yield_now();
        }
        hint::spin_loop();
    }
}

criterion_group! {
    name = benches;
    config = common::config();
    targets = cores
}
criterion_main!(benches);
