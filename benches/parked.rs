//! N tasks of tokio, each awaiting its outbox: publish one message, wait until all have it.
//!
//! On the publisher's own thread (a current-thread runtime: publish, then let the tasks run), and
//! on another one (a runtime with one worker).

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::Thread;

use bytes::Bytes;
use criterion::BenchmarkId;
use criterion::Criterion;
use criterion::SamplingMode;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use throng::Batch;
use throng::Message;
use throng::Outbox;
use throng::SlowConsumer;
use tokio::runtime::Builder;
use tokio::runtime::Runtime;
use tokio::sync::broadcast;
use tokio::sync::mpsc;
use tokio::task;

#[expect(dead_code, reason = "each bench uses its part of the common code")]
mod common;

use common::CAPACITY;
use common::hub;

/// The tasks run on the publisher's thread.
fn same_thread(c: &mut Criterion) {
    let runtime = || Builder::new_current_thread().build();
    group(c, "parked-same-thread", runtime, |parked| {
        let Parked {
            runtime,
            arrivals,
            publish,
        } = parked;
        runtime.block_on(async {
            arrivals.expect_all();
            publish();
            while !arrivals.complete() {
                task::yield_now().await;
            }
        });
    });
}

/// The tasks run on a worker of their own.
fn other_thread(c: &mut Criterion) {
    let runtime = || Builder::new_multi_thread().worker_threads(1).build();
    group(c, "parked-other-thread", runtime, |parked| {
        parked.arrivals.expect_all();
        (parked.publish)();
        while !parked.arrivals.complete() {
            thread::park();
        }
    });
}

fn group(
    c: &mut Criterion,
    name: &str,
    runtime: impl Fn() -> std::io::Result<Runtime>,
    round: impl Fn(&mut Parked),
) {
    let mut group = c.benchmark_group(name);
    group.sampling_mode(SamplingMode::Flat);
    for n in [100, 1_000, 10_000, 100_000] {
        group.throughput(Throughput::Elements(common::elements(n, 1)));
        for (name, spawn) in CONTENDERS {
            let mut built = None;
            group.bench_function(BenchmarkId::new(name, n), |b| {
                let parked = built.get_or_insert_with(|| {
                    let runtime = runtime().expect("a runtime can be had");
                    let mut parked = Parked::new(runtime, n, spawn);
                    round(&mut parked);
                    parked
                });
                b.iter(|| round(parked));
            });
        }
    }
    group.finish();
}

/// A runtime full of waiting tasks.
struct Parked {
    publish: Box<dyn FnMut()>,
    arrivals: Arc<Arrivals>,
    runtime: Runtime,
}

impl Parked {
    fn new(runtime: Runtime, n: usize, spawn: Spawn) -> Self {
        let arrivals = Arc::new(Arrivals {
            missing: AtomicUsize::new(0),
            receivers: n,
            publisher: thread::current(),
        });
        let publish = spawn(&runtime, n, &arrivals);
        Self {
            publish,
            arrivals,
            runtime,
        }
    }
}

/// Counts the tasks that have not received yet.
struct Arrivals {
    missing: AtomicUsize,
    receivers: usize,
    publisher: Thread,
}

impl Arrivals {
    fn expect_all(&self) {
        // Relaxed: the messages published next carry the count to the tasks.
        self.missing.store(self.receivers, Ordering::Relaxed);
    }

    fn complete(&self) -> bool {
        // Acquire: pairs with the Release in `arrive`.
        self.missing.load(Ordering::Acquire) == 0
    }

    fn arrive(&self, count: usize) {
        // Release: pairs with the Acquire in `complete`.
        if self.missing.fetch_sub(count, Ordering::Release) == count {
            self.publisher.unpark();
        }
    }
}

/// Spawns the tasks; returns what publishes to them.
type Spawn = fn(&Runtime, usize, &Arc<Arrivals>) -> Box<dyn FnMut()>;

const CONTENDERS: [(&str, Spawn); 6] = [
    ("throng", throng_batched),
    ("throng-recv", throng_one_by_one),
    ("tokio-mpsc", tokio_mpsc),
    ("tokio-broadcast", tokio_broadcast),
    ("flume", flume),
    ("async-broadcast", async_broadcast),
];

fn throng_batched(runtime: &Runtime, n: usize, arrivals: &Arc<Arrivals>) -> Box<dyn FnMut()> {
    throng(runtime, n, arrivals, async |mut outbox, arrivals| {
        let mut batch = Batch::new();
        while let Ok(count) = outbox.recv_batch(&mut batch, CAPACITY).await {
            batch.clear();
            arrivals.arrive(count);
        }
    })
}

fn throng_one_by_one(runtime: &Runtime, n: usize, arrivals: &Arc<Arrivals>) -> Box<dyn FnMut()> {
    throng(runtime, n, arrivals, async |mut outbox, arrivals| {
        while let Ok(frame) = outbox.recv().await {
            drop(frame);
            arrivals.arrive(1);
        }
    })
}

fn throng<F: Future<Output = ()> + Send + 'static>(
    runtime: &Runtime,
    n: usize,
    arrivals: &Arc<Arrivals>,
    receive: impl Fn(Outbox, Arc<Arrivals>) -> F,
) -> Box<dyn FnMut()> {
    let hub = hub::with(SlowConsumer::DropNewest);
    for _ in 0..n {
        let (_client, outbox) = hub::subscribed(&hub, "bench");
        runtime.spawn(receive(outbox, Arc::clone(arrivals)));
    }
    let channel = hub.channel("bench").expect("the name is valid");
    let payload = common::payload(128);
    Box::new(move || {
        let published = channel.publish(Message::binary(payload.clone()));
        let delivery = published.expect("nobody else publishes");
        assert_eq!(delivery.delivered(), n, "messages were lost");
    })
}

fn tokio_mpsc(runtime: &Runtime, n: usize, arrivals: &Arc<Arrivals>) -> Box<dyn FnMut()> {
    let mut senders = Vec::with_capacity(n);
    for _ in 0..n {
        let (sender, mut receiver) = mpsc::channel::<Bytes>(CAPACITY);
        let arrivals = Arc::clone(arrivals);
        runtime.spawn(async move {
            while let Some(payload) = receiver.recv().await {
                drop(payload);
                arrivals.arrive(1);
            }
        });
        senders.push(sender);
    }
    let payload = common::payload(128);
    Box::new(move || {
        for sender in &senders {
            sender
                .try_send(payload.clone())
                .expect("the queue has room");
        }
    })
}

fn tokio_broadcast(runtime: &Runtime, n: usize, arrivals: &Arc<Arrivals>) -> Box<dyn FnMut()> {
    let (sender, _) = broadcast::channel::<Bytes>(CAPACITY);
    for _ in 0..n {
        let mut receiver = sender.subscribe();
        let arrivals = Arc::clone(arrivals);
        runtime.spawn(async move {
            while let Ok(payload) = receiver.recv().await {
                drop(payload);
                arrivals.arrive(1);
            }
        });
    }
    let payload = common::payload(128);
    Box::new(move || {
        sender
            .send(payload.clone())
            .expect("the receivers are there");
    })
}

fn flume(runtime: &Runtime, n: usize, arrivals: &Arc<Arrivals>) -> Box<dyn FnMut()> {
    let mut senders = Vec::with_capacity(n);
    for _ in 0..n {
        let (sender, receiver) = flume::bounded::<Bytes>(CAPACITY);
        let arrivals = Arc::clone(arrivals);
        runtime.spawn(async move {
            while let Ok(payload) = receiver.recv_async().await {
                drop(payload);
                arrivals.arrive(1);
            }
        });
        senders.push(sender);
    }
    let payload = common::payload(128);
    Box::new(move || {
        for sender in &senders {
            sender
                .try_send(payload.clone())
                .expect("the queue has room");
        }
    })
}

fn async_broadcast(runtime: &Runtime, n: usize, arrivals: &Arc<Arrivals>) -> Box<dyn FnMut()> {
    let (sender, receiver) = async_broadcast::broadcast::<Bytes>(CAPACITY);
    for _ in 0..n {
        let mut receiver = receiver.new_receiver();
        let arrivals = Arc::clone(arrivals);
        runtime.spawn(async move {
            while let Ok(payload) = receiver.recv_direct().await {
                drop(payload);
                arrivals.arrive(1);
            }
        });
    }
    let inactive = receiver.deactivate();
    let payload = common::payload(128);
    Box::new(move || {
        let _kept_open = &inactive;
        let sent = sender.try_broadcast(payload.clone());
        sent.expect("the channel has room");
    })
}

criterion_group! {
    name = benches;
    config = common::config();
    targets = same_thread, other_thread
}
criterion_main!(benches);
