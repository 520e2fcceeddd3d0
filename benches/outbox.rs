//! One outbox: push `window` messages, then drain them.

use criterion::BenchmarkId;
use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use throng::Message;
use throng::SlowConsumer;

#[expect(dead_code, reason = "each bench uses its part of the common code")]
mod common;

use common::CAPACITY;
use common::CONTENDERS;
use common::Setup;
use common::hub;

/// A channel with one subscriber, beside the queues themselves.
fn channel_of_one(c: &mut Criterion) {
    let mut group = c.benchmark_group("outbox");
    for window in WINDOWS {
        group.throughput(Throughput::Elements(common::elements(1, window)));
        for contender in &CONTENDERS {
            let mut built = None;
            group.bench_function(BenchmarkId::new(contender.name, window), |b| {
                let fanout = built.get_or_insert_with(|| contender.build(&Setup::new(1)));
                b.iter(|| fanout.round(window));
            });
        }
    }
    group.finish();
}

/// What the channel costs: straight into the outbox with `Client::send`.
fn send(c: &mut Criterion) {
    let mut group = c.benchmark_group("outbox");
    let hub = hub::with(SlowConsumer::DropNewest);
    let (client, mut outbox) = hub::subscribed(&hub, "bench");
    let payload = Setup::new(1).payload;
    for window in WINDOWS {
        group.throughput(Throughput::Elements(common::elements(1, window)));
        group.bench_function(BenchmarkId::new("throng-send", window), |b| {
            b.iter(|| {
                for _ in 0..window {
                    let sent = client.send(Message::binary(payload.clone()));
                    sent.expect("the outbox has room");
                }
                while outbox.try_recv().is_ok() {}
            });
        });
    }
    group.finish();
}

/// How many messages wait in the outbox before it is drained.
const WINDOWS: [usize; 3] = [1, 8, CAPACITY];

criterion_group! {
    name = benches;
    config = common::config();
    targets = channel_of_one, send
}
criterion_main!(benches);
