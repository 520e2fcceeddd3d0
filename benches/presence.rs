//! Presence of many users: what a verb costs at a million of them, and what the locks cost when
//! all cores are at it.
//!
//! First come the storms, which are counted and not timed: 10,000 users join one room, all go
//! offline, and all come back. Each member is told in a bounded number of frames, however many
//! changes there are; that the members are told of each by each would be 50 million frames.
//!
//! Without `THRONG_BENCH_LARGE` there are a hundred thousand users instead of a million. The groups
//! by `shards` say what it is worth to spread the users over several locks: nothing on two cores,
//! where a touch holds a lock for less than 100 ns and both ways do ten million a second; and what
//! it costs, in pages, which ask each shard.

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
use throng::Client;
use throng::ClientId;
use throng::ConnectOptions;
use throng::ConnectionGuard;
use throng::Hub;
use throng::HubStats;
use throng::Layers;
use throng::Limits;
use throng::Outbox;
use throng::RoomId;
use throng::UserId;
use throng::presence::Presence;
use throng::presence::PresenceConfig;
use throng::presence::PresenceQuery;
use throng::presence::PresenceUpdate;
use throng::presence::Status;
use throng::rooms::RoomOptions;

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

/// A room and those who are, or are going to be, its members.
struct Scene {
    hub: Hub,
    layers: Layers,
    room: RoomId,
    users: Vec<UserId>,
    present: Vec<(Client, Outbox, ConnectionGuard)>,
    begun: Instant,
    before: HubStats,
}

impl Scene {
    fn new() -> Self {
        let limits = Limits::new().clients(2 * STORM).members(2 * STORM);
        let hub = Hub::builder().limits(limits).build().expect("in range");
        let layers = Layers::builder(&hub)
            .presence(Some(PresenceConfig::new().grace(Duration::ZERO)))
            .build();
        let room = RoomId::parse("storm").expect("an id");
        let options = RoomOptions::new("storm").id(room.clone());
        let rooms = layers.rooms().expect("there are rooms");
        rooms.create(&Actor::Server, options).expect("created");
        let users = (0..STORM).map(|number| format!("user-{number}"));
        let users = users.map(|name| UserId::parse(&name).expect("a name"));
        let before = hub.stats();
        Self {
            users: users.collect(),
            hub,
            layers,
            room,
            present: Vec::new(),
            begun: Instant::now(),
            before,
        }
    }

    fn connect(&mut self) {
        for user in self.users.clone() {
            let options = ConnectOptions::new().user(user.as_str());
            let connected = self.layers.connect(options, "memory");
            self.present.push(connected.expect("there is room"));
            self.tick();
        }
    }

    fn join(&self) {
        let rooms = self.layers.rooms().expect("there are rooms").clone();
        for user in self.users.clone() {
            rooms.join(&user, &self.room, None).expect("joined");
            self.tick();
        }
    }

    fn disconnect(&mut self) {
        while let Some((_, _, attendance)) = self.present.pop() {
            drop(attendance);
            self.tick();
        }
    }

    fn tick(&self) {
        let now = Instant::now();
        if self.layers.next_deadline().is_some_and(|next| next <= now) {
            self.layers.tick(now);
        }
    }

    /// Lets what was gathered go out, and says how much it was: all in all at most so many frames
    /// for each user as there were windows and frames full of changes.
    fn report(&mut self, what: &str) {
        while let Some(next) = self.layers.next_deadline()
            && next < Instant::now() + WINDOW
        {
            self.layers.tick(Instant::now());
        }
        let (took, after) = (self.begun.elapsed(), self.hub.stats());
        let published = after.published - self.before.published;
        let frames = after.delivered + after.dropped - self.before.delivered - self.before.dropped;
        println!(
            "{STORM} users {what} in {took:.1?}: {published} publications, {frames} frames, \
             {:.1} for each user",
            frames as f64 / STORM as f64,
        );
        let windows = took.as_millis() / WINDOW.as_millis() + 2;
        let most = BATCH_FROM + windows as usize + 3 * STORM / ENTRIES;
        assert!(published <= most as u64, "at most {most} publications");
        assert!(frames <= (most * STORM) as u64, "O(N) frames");
        (self.begun, self.before) = (Instant::now(), after);
    }
}

fn storms(_: &mut Criterion) {
    let mut scene = Scene::new();
    scene.connect();
    scene.report("connect");
    scene.join();
    scene.report("join one room");
    scene.disconnect();
    scene.report("go offline");
    scene.connect();
    scene.report("come back");
}

/// Users in a storm.
const STORM: usize = 10_000;

/// The window in which the changes of a large room are gathered.
const WINDOW: Duration = Duration::from_millis(100);

/// Members up to which each change is told at once.
const BATCH_FROM: usize = 32;

/// Changes in one frame.
const ENTRIES: usize = 500;

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
    let unsharded = Crowd::new(users(), 1);
    group.bench_function("page of 50, one shard", |b| {
        b.iter(|| {
            let presence = &unsharded.presence;
            presence.page(&Actor::Server, &PresenceQuery::new())
        });
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
    for shards in [1, 8] {
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

criterion_group!(benches, storms, verbs, locks);
criterion_main!(benches);
