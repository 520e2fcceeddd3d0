//! Joining and leaving a channel of N subscribers, idle and while messages are published.
//!
//! One element is one join and one leave. The client is connected all the time. Beside throng:
//! the broadcast channels, which have subscribers by nature, and what one writes by hand, a map
//! of senders behind a mutex that the publisher locks too.
//!
//! `churn-held` is the same for a client that is in N other channels, with throng alone: a join and
//! a leave cost the same however many are held.
//!
//! With `THRONG_BENCH_LARGE` set, all run with a million subscribers; without, only throng does.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;

use bytes::Bytes;
use criterion::BenchmarkId;
use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use throng::ConnectOptions;
use throng::Hub;
use throng::Limits;
use throng::Message;
use throng::SlowConsumer;
use tokio::sync::broadcast;
use tokio::sync::mpsc;

#[expect(dead_code, reason = "each bench uses its part of the common code")]
mod common;

use common::CAPACITY;
use common::hub;

fn idle(c: &mut Criterion) {
    let mut group = c.benchmark_group("churn-idle");
    group.throughput(Throughput::Elements(1));
    for n in SIZES {
        for (name, build) in contenders(n) {
            let mut built = None;
            group.bench_function(BenchmarkId::new(name, n), |b| {
                let world = built.get_or_insert_with(|| build(n));
                b.iter(|| (world.join_and_leave)());
            });
        }
    }
    group.finish();
}

/// A thread publishes without pause; nobody drains, so most messages are dropped.
fn under_fire(c: &mut Criterion) {
    let mut group = c.benchmark_group("churn-under-fire");
    group.throughput(Throughput::Elements(1)).sample_size(10);
    for n in SIZES {
        for (name, build) in contenders(n) {
            let mut built = None;
            group.bench_function(BenchmarkId::new(name, n), |b| {
                let World {
                    join_and_leave,
                    publish,
                } = built.get_or_insert_with(|| build(n));
                let done = AtomicBool::new(false);
                thread::scope(|scope| {
                    scope.spawn(|| {
                        // Relaxed: only ends the loop, orders nothing.
                        while !done.load(Ordering::Relaxed) {
                            publish();
                        }
                    });
                    b.iter(join_and_leave);
                    // Relaxed: as above.
                    done.store(true, Ordering::Relaxed);
                });
            });
        }
    }
    group.finish();
}

/// A client that is in `n` other channels all the time: what it holds costs a join nothing.
fn held(c: &mut Criterion) {
    let mut group = c.benchmark_group("churn-held");
    group.throughput(Throughput::Elements(1));
    for n in [10, 100, 1_000, 10_000, 100_000] {
        let mut built = None;
        group.bench_function(BenchmarkId::new("throng", n), |b| {
            let world = built.get_or_insert_with(|| holding(n));
            b.iter(|| (world.join_and_leave)());
        });
    }
    group.finish();
}

fn holding(n: usize) -> World {
    let limits = Limits::new().subscriptions(n + 1).channels(n + 2);
    let hub = Hub::builder().limits(limits).build();
    let hub = hub.expect("the settings are in range");
    let (client, outbox) = hub.connect(ConnectOptions::new()).expect("there is room");
    for channel in 0..n {
        let joined = client.subscribe_blocking(&format!("held.{channel}"));
        joined.expect("the name is valid");
    }
    let channel = hub.channel("bench").expect("the name is valid");
    World {
        join_and_leave: Box::new(move || {
            let _kept = (&outbox, &channel);
            let joined = client.subscribe_blocking("bench");
            joined.expect("the client is not on the channel");
            let left = client.unsubscribe("bench");
            left.expect("the client is on the channel");
        }),
        publish: Box::new(|| {}),
    }
}

/// A channel with its subscribers.
struct World {
    join_and_leave: Box<dyn FnMut()>,
    publish: Box<dyn FnMut() + Send>,
}

type Build = fn(usize) -> World;

fn contenders(n: usize) -> Vec<(&'static str, Build)> {
    let mut contenders: Vec<(&'static str, Build)> = vec![("throng", throng)];
    if n < 1_000_000 || common::large() {
        contenders.push(("mutexed-mpsc", mutexed_mpsc));
        contenders.push(("tokio-broadcast", tokio_broadcast));
        contenders.push(("async-broadcast", async_broadcast));
    }
    contenders
}

fn throng(n: usize) -> World {
    let hub = hub::with(SlowConsumer::DropNewest);
    let members: Vec<_> = (0..n).map(|_| hub::subscribed(&hub, "bench")).collect();
    let (client, outbox) = hub::subscribed(&hub, "elsewhere");
    let channel = hub.channel("bench").expect("the name is valid");
    let payload = common::payload(128);
    World {
        join_and_leave: Box::new(move || {
            let _kept = (&members, &outbox);
            let joined = client.subscribe_blocking("bench");
            joined.expect("the client is not on the channel");
            let left = client.unsubscribe("bench");
            left.expect("the client is on the channel");
        }),
        publish: Box::new(move || {
            let message = Message::binary(payload.clone());
            // Refused when too many operations wait on the channel: then the joiner is owed a turn.
            if channel.publish(message).is_err() {
                thread::yield_now();
            }
        }),
    }
}

fn mutexed_mpsc(n: usize) -> World {
    let pairs = (0..n).map(|_| mpsc::channel::<Bytes>(CAPACITY));
    let (senders, receivers): (Vec<_>, Vec<_>) = pairs.unzip();
    let members: HashMap<usize, _> = senders.into_iter().enumerate().collect();
    let members = Arc::new(Mutex::new(members));
    let (sender, receiver) = mpsc::channel(CAPACITY);
    let shared = Arc::clone(&members);
    let payload = common::payload(128);
    World {
        join_and_leave: Box::new(move || {
            let _kept = (&receivers, &receiver);
            let lock = || members.lock().unwrap_or_else(PoisonError::into_inner);
            lock().insert(n, sender.clone());
            lock().remove(&n);
        }),
        publish: Box::new(move || {
            let members = shared.lock().unwrap_or_else(PoisonError::into_inner);
            for sender in members.values() {
                let _dropped_when_full = sender.try_send(payload.clone());
            }
        }),
    }
}

fn tokio_broadcast(n: usize) -> World {
    let (sender, _) = broadcast::channel::<Bytes>(CAPACITY);
    let members: Vec<_> = (0..n).map(|_| sender.subscribe()).collect();
    let publisher = sender.clone();
    let payload = common::payload(128);
    World {
        join_and_leave: Box::new(move || {
            let _kept = &members;
            drop(sender.subscribe());
        }),
        publish: Box::new(move || {
            let _nobody_there = publisher.send(payload.clone());
        }),
    }
}

fn async_broadcast(n: usize) -> World {
    let (mut sender, receiver) = async_broadcast::broadcast::<Bytes>(CAPACITY);
    sender.set_overflow(true);
    let members: Vec<_> = (0..n).map(|_| receiver.new_receiver()).collect();
    let payload = common::payload(128);
    World {
        join_and_leave: Box::new(move || {
            let _kept = &members;
            drop(receiver.new_receiver());
        }),
        publish: Box::new(move || {
            let _overwritten = sender.try_broadcast(payload.clone());
        }),
    }
}

const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];

criterion_group! {
    name = benches;
    config = common::config();
    targets = idle, held, under_fire
}
criterion_main!(benches);
