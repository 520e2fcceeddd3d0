//! The hub in its world against an independent model: a queue that is a `Vec`, policies in the
//! fewest words, and a link that counts bytes.

use std::time::Duration;

use crate::limits::SlowConsumer;
use crate::tune::observe::Run;
use crate::tune::rng::Rng;
use crate::tune::rng::Stream;
use crate::tune::scenario::Burst;
use crate::tune::scenario::ClientClass;
use crate::tune::scenario::Cycle;
use crate::tune::scenario::Keys;
use crate::tune::scenario::Scenario;
use crate::tune::setting::Setting;
use crate::tune::world::Stage;
use crate::tune::world::run;

/// What became of the messages of one client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Fate {
    delivered: u64,
    superseded: u64,
    lost: u64,
    closed: u64,
}

impl Fate {
    fn of(run: &Run) -> Self {
        let class = &run.classes[0];
        Self {
            delivered: class.delivered,
            superseded: class.superseded,
            lost: class.lost,
            closed: class.closed_slow,
        }
    }
}

/// One client on one link, at random: rates, keys, bursts, stalls and marks of all kinds.
fn random(seed: u64) -> (Scenario, Setting) {
    let mut rng = Rng::new(seed, Stream::Probes);
    let mut pick = |least: u64, most: u64| least + rng.next() % (most - least + 1);
    let mut scenario = Scenario {
        seed,
        duration: Duration::from_secs(20),
        pace: Some(Duration::ZERO),
        population: 2,
        overhead: 0,
        ..Scenario::default()
    };
    let feed = &mut scenario.feeds[0];
    feed.rate = pick(20, 200) as f64;
    feed.size.mean = 100;
    feed.keys = Some(Keys::new(
        usize::try_from(pick(1, 40)).unwrap(),
        pick(0, 12) as f64 / 10.0,
    ));
    if pick(0, 1) == 1 {
        feed.burst = Some(Burst::new(pick(5, 80), Duration::from_secs(pick(1, 5))));
    }
    scenario.clients = vec![ClientClass {
        bandwidth: pick(1_000, 25_000),
        rtt: Duration::ZERO,
        in_flight: Some(pick(0, 3_000)),
        acknowledged: Some(1),
        stall: (pick(0, 1) == 1).then(|| {
            Cycle::new(
                Duration::from_secs(3),
                Duration::from_millis(pick(50, 1_500)),
            )
        }),
        reconnect: Duration::from_millis(pick(10, 500)),
        ..ClientClass::default()
    }];
    let mut setting = Setting::new(
        SlowConsumer::DropNewest,
        usize::try_from(pick(1, 60)).unwrap(),
    );
    setting.unsent_mark = u32::try_from(pick(1, 4_000)).unwrap();
    setting.timeout = Duration::from_secs(3_600);
    (scenario, setting)
}

/// The dull model of one client.
struct Dull {
    policy: SlowConsumer,
    outbox: usize,
    mark: f64,
    window: f64,
    rate: f64,
    reconnect: f64,
    queue: Vec<(u32, u32)>,
    /// Bytes of messages in the socket, and when the first of them began to move.
    socket: Vec<f64>,
    is_full: bool,
    fate: Fate,
    /// Offline until then.
    until: Option<f64>,
    is_closing: bool,
}

impl Dull {
    fn publish(&mut self, key: u32, version: u32) {
        if self.until.is_some() || self.is_closing {
            self.fate.lost += 1;
        } else if self.queue.len() < self.outbox {
            self.queue.push((key, version));
        } else {
            match self.policy {
                SlowConsumer::DropNewest => self.fate.lost += 1,
                SlowConsumer::DropOldest => {
                    self.queue.remove(0);
                    self.fate.lost += 1;
                    self.queue.push((key, version));
                }
                SlowConsumer::KeepLatest => self.keep_latest(key, version),
                SlowConsumer::Disconnect { .. } => {
                    self.fate.lost += 1;
                    self.is_closing = true;
                }
            }
        }
    }

    /// In a full queue the oldest and the newest message of each key remain. If that makes no room,
    /// a message that has a newer one of its key goes, or else the oldest of all.
    fn keep_latest(&mut self, key: u32, version: u32) {
        self.conflate();
        let has_room = self.queue.len() < self.outbox;
        self.queue.push((key, version));
        if has_room {
            return;
        }
        self.conflate();
        if self.queue.len() > self.outbox {
            let is_older = |at: &usize| {
                self.queue[at + 1..]
                    .iter()
                    .any(|it| it.0 == self.queue[*at].0)
            };
            let older = (0..self.queue.len()).find(is_older);
            self.queue.remove(older.unwrap_or(0));
            self.fate.superseded += u64::from(older.is_some());
            self.fate.lost += u64::from(older.is_none());
        }
    }

    fn conflate(&mut self) {
        let all = self.queue.clone();
        let mut at = 0;
        self.queue.retain(|(key, _)| {
            let same = |it: &(u32, u32)| it.0 == *key;
            let keep = !all[..at].iter().any(same) || !all[at + 1..].iter().any(same);
            at += 1;
            keep
        });
        self.fate.superseded += (all.len() - self.queue.len()) as u64;
    }

    /// The link carries so many bytes.
    fn carry(&mut self, mut bytes: f64) {
        while let Some(first) = self.socket.first_mut() {
            if bytes + 1e-6 < *first {
                *first -= bytes;
                return;
            }
            bytes -= *first;
            self.socket.remove(0);
            self.fate.delivered += 1;
        }
    }

    fn unsent(&self) -> f64 {
        (self.socket.iter().sum::<f64>() - self.window).max(0.0)
    }

    fn write(&mut self) {
        if self.unsent() <= (self.mark / 2.0).floor() {
            self.is_full = false;
        }
        while !self.is_full && !self.queue.is_empty() {
            self.queue.remove(0);
            self.socket.push(100.0);
            self.is_full = self.unsent() >= self.mark;
        }
    }
}

/// Goes through time in steps of a millisecond, and of nothing where something is published.
fn dull(stage: &Stage, setting: &Setting, scenario: &Scenario, peer: usize) -> Fate {
    let class = &scenario.clients[0];
    let mut dull = Dull {
        policy: setting.policy,
        outbox: setting.outbox,
        mark: setting.unsent_mark.into(),
        window: class.window() as f64,
        rate: class.bandwidth as f64,
        reconnect: class.reconnect.as_secs_f64(),
        queue: Vec::new(),
        socket: Vec::new(),
        is_full: false,
        fate: Fate::default(),
        until: None,
        is_closing: false,
    };
    let link = &stage.peers[peer].link;
    let (mut now, mut next) = (0_u64, 0);
    let mut begin = None;
    while now < stage.horizon {
        let arrival = stage
            .arrivals
            .all
            .get(next)
            .map_or(u64::MAX, |arrival| arrival.at);
        let step = (now / STEP + 1) * STEP;
        let at = arrival.min(step).min(stage.horizon);
        if link.is_up(now) {
            dull.carry(dull.rate * (at - now) as f64 / 1e9);
        }
        now = at;
        if now >= stage.warm_up && begin.is_none() {
            begin = Some((dull.fate, next, dull.queue.len() + dull.socket.len()));
        }
        if arrival == at && now < stage.horizon {
            let arrival = stage.arrivals.all[next];
            dull.publish(arrival.key, arrival.version);
            next += 1;
        }
        step_connection(&mut dull, now);
    }
    let (before, first, waited) = begin.unwrap();
    let rest = dull.queue.len() + dull.socket.len();
    let fate = Fate {
        delivered: dull.fate.delivered - before.delivered,
        superseded: dull.fate.superseded - before.superseded,
        lost: dull.fate.lost - before.lost,
        closed: dull.fate.closed - before.closed,
    };
    let all = fate.delivered + fate.superseded + fate.lost + rest as u64;
    assert_eq!(
        all,
        (next - first + waited) as u64,
        "the model counts each message once"
    );
    fate
}

fn step_connection(dull: &mut Dull, now: u64) {
    dull.write();
    let seconds = now as f64 / 1e9;
    if dull.is_closing && dull.queue.is_empty() && !dull.is_full {
        dull.is_closing = false;
        dull.fate.closed += 1;
        dull.until = Some(f64::INFINITY);
    }
    if dull.until == Some(f64::INFINITY) && dull.socket.is_empty() {
        dull.until = Some(seconds + dull.reconnect);
    }
    if dull.until.is_some_and(|until| until <= seconds) {
        dull.until = None;
    }
}

const STEP: u64 = 100_000;

/// Both clients of a scenario, summed up.
fn both(seed: u64, policy: SlowConsumer) -> (Fate, Fate, String) {
    let (scenario, mut setting) = random(seed);
    setting.policy = policy;
    scenario.check().unwrap();
    let stage = Stage::of(&scenario, seed);
    let real = Fate::of(&run(&stage, &setting).unwrap());
    let fates = [0, 1].map(|peer| dull(&stage, &setting, &scenario, peer));
    let sum = |of: fn(&Fate) -> u64| fates.iter().map(of).sum();
    let model = Fate {
        delivered: sum(|it| it.delivered),
        superseded: sum(|it| it.superseded),
        lost: sum(|it| it.lost),
        closed: sum(|it| it.closed),
    };
    (real, model, format!("seed {seed}, {setting}: {scenario:?}"))
}

/// Of so many messages, those that the steps of the model may have put elsewhere.
fn near(one: u64, other: u64, part: f64, messages: u64) -> bool {
    let most = (messages as f64 * part).max(3.0);
    one.abs_diff(other) as f64 <= most
}

/// Random traces for each policy.
const TRACES: u64 = 24;

fn agree(policy: SlowConsumer, part: f64) {
    let mut lossy = 0;
    for seed in 0..TRACES {
        let (real, model, what) = both(seed, policy);
        let all = real.delivered + real.superseded + real.lost;
        let is_near = |of: fn(&Fate) -> u64| near(of(&real), of(&model), part, all);
        let agrees =
            is_near(|it| it.delivered) && is_near(|it| it.superseded) && is_near(|it| it.lost);
        assert!(agrees, "{real:?} is not {model:?}\n{what}");
        assert!(
            real.closed.abs_diff(model.closed) <= 1 + real.closed / 50,
            "{real:?} {model:?}\n{what}"
        );
        lossy += u64::from(real.lost + real.superseded > all / 50);
    }
    assert!(
        lossy > TRACES / 5,
        "{lossy} of {TRACES} traces say something about the policy"
    );
}

#[test]
fn drop_newest_agrees_with_an_independent_model_on_random_traces() {
    agree(SlowConsumer::DropNewest, 0.002);
}

#[test]
fn drop_oldest_agrees_with_an_independent_model_on_random_traces() {
    agree(SlowConsumer::DropOldest, 0.002);
}

#[test]
fn keep_latest_agrees_with_an_independent_model_on_random_traces() {
    // Which of several superseded messages goes is drawn by the hub.
    agree(SlowConsumer::KeepLatest, 0.02);
}

#[test]
fn disconnect_agrees_with_an_independent_model_on_random_traces() {
    agree(SlowConsumer::DISCONNECT, 0.01);
}
