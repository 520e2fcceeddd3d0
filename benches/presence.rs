//! Presence of many users: what a verb costs at a million of them, and what the locks cost when
//! all cores are at it.
//!
//! Without `THRONG_BENCH_LARGE` there are a hundred thousand users instead of a million. The groups
//! by `shards` are why there are 16 of them and not one.

use std::env;
use std::sync::Arc;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use criterion::BenchmarkId;
use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use throng::Actor;
use throng::ClientId;
use throng::Hub;
use throng::UserId;
use throng::presence::Presence;
use throng::presence::PresenceConfig;
use throng::presence::PresenceQuery;
use throng::presence::PresenceUpdate;
use throng::presence::Status;

/// Something done at a step.
type Verb = fn(&Crowd, u64);

/// Users with a connection each.
struct Crowd {
    presence: Presence,
    users: Vec<UserId>,
}

impl Crowd {
    fn new(users: usize, shards: usize) -> Self {
        let hub = Hub::new();
        let presence = Presence::new(&hub, PresenceConfig::new().shards(shards));
        let names = (0..users).map(|number| format!("user-{number}"));
        let users: Vec<_> = names
            .map(|name| UserId::parse(&name).expect("a name"))
            .collect();
        for (number, user) in (1..).zip(&users) {
            presence.connected(user, ClientId::new(number), None);
        }
        Self { presence, users }
    }

    /// The user of this step; they are far apart from step to step.
    fn user(&self, step: u64) -> &UserId {
        let at = step.wrapping_mul(0x9E37_79B9_7F4A_7C15) % self.users.len() as u64;
        &self.users[usize::try_from(at).expect("an index")]
    }

    fn set(&self, step: u64) {
        let status = [Status::Online, Status::Away, Status::Busy][(step % 3) as usize];
        let update = PresenceUpdate::new().status(status);
        self.presence.set(self.user(step), None, &update);
    }

    fn touch(&self, step: u64) {
        let _known = self.presence.touch(self.user(step), None);
    }
}

fn users() -> usize {
    if env::var_os("THRONG_BENCH_LARGE").is_some() {
        1_000_000
    } else {
        100_000
    }
}

fn verbs(c: &mut Criterion) {
    let crowd = Crowd::new(users(), PresenceConfig::new().shards);
    let mut group = c.benchmark_group(format!("presence-of-{}", crowd.users.len()));
    group.throughput(Throughput::Elements(1));
    let mut step = 0;
    let mut next = || {
        step += 1;
        step
    };
    group.bench_function("set", |b| b.iter(|| crowd.set(next())));
    group.bench_function("touch", |b| b.iter(|| crowd.touch(next())));
    group.bench_function("get", |b| {
        b.iter(|| crowd.presence.get(&Actor::Server, crowd.user(next())));
    });
    group.bench_function("page of 50", |b| {
        b.iter(|| crowd.presence.page(&Actor::Server, &PresenceQuery::new()));
    });
    group.bench_function("count", |b| b.iter(|| crowd.presence.counts()));
    group.bench_function("reload", |b| {
        b.iter(|| {
            let (user, step) = (crowd.user(next()), step_id(&crowd));
            crowd.presence.connected(user, step, None);
            crowd.presence.disconnected(user, step);
        });
    });
    group.finish();
}

/// A connection that no user of the crowd has.
fn step_id(crowd: &Crowd) -> ClientId {
    ClientId::new(crowd.users.len() as u64 + 1)
}

fn locks(c: &mut Criterion) {
    let threads = thread::available_parallelism()
        .map_or(2, usize::from)
        .max(2);
    let mut group = c.benchmark_group(format!("presence-{threads}-threads"));
    group.throughput(Throughput::Elements(threads as u64));
    for shards in [1, 16] {
        let crowd = Arc::new(Crowd::new(10_000, shards));
        let verbs: [(_, Verb); 2] = [("set", Crowd::set), ("touch", Crowd::touch)];
        for (name, verb) in verbs {
            group.bench_function(BenchmarkId::new(name, format!("{shards} shards")), |b| {
                b.iter_custom(|steps| together(&crowd, threads, steps, verb));
            });
        }
    }
    group.finish();
}

/// How long it takes until each of the threads has done so many steps.
fn together(crowd: &Arc<Crowd>, threads: usize, steps: u64, verb: fn(&Crowd, u64)) -> Duration {
    let barrier = Barrier::new(threads + 1);
    thread::scope(|scope| {
        for thread in 0..threads as u64 {
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                for step in 0..steps {
                    verb(crowd, (thread << 32) + step);
                }
                barrier.wait();
            });
        }
        barrier.wait();
        let begun = Instant::now();
        barrier.wait();
        begun.elapsed()
    })
}

criterion_group!(benches, verbs, locks);
criterion_main!(benches);
