//! The state against a dull model that has no timers and no indexes, over many connections:
//!
//! * a user is there from its first connection until the grace after the last, or as long as it
//!   was said to be, and is what it has chosen to be;
//! * whoever follows the changes knows at any time what is shown, and is told nothing else;
//! * lists, counts, histories and dates are those of the model;
//! * what has lasted its time is gone at the tick, and the users that are forgotten leave nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::Change;
use super::Look;
use super::Place;
use super::Rules;
use super::State;
use crate::id::ClientId;
use crate::layers::name::UserId;
use crate::layers::presence::status::Status;
use crate::layers::presence::update::Activity;
use crate::layers::presence::update::CustomStatus;
use crate::layers::presence::update::Device;
use crate::layers::presence::update::PresenceUpdate;

const GRACE: u64 = 50;
const TIMEOUT: u64 = 200;
const REMEMBER: u64 = 600;
const HISTORY: usize = 4;
const USERS: [&str; 3] = ["ada", "bob", "eve"];

fn rules() -> Rules {
    Rules {
        grace: Duration::from_millis(GRACE),
        timeout: Duration::from_millis(TIMEOUT),
        remember: Duration::from_millis(REMEMBER),
        history: HISTORY,
        max_offline_users: usize::MAX,
    }
}

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

fn device(kind: &str) -> Device {
    Device::new(kind).unwrap()
}

#[derive(Clone, Debug)]
enum Operation {
    Advance(u64),
    Connect(usize, u64, Option<&'static str>),
    Disconnect(usize, u64),
    Erase(usize),
    RemoveDevice(usize, &'static str),
    Set(usize, Option<u64>, Update),
    Touch(usize, Option<u64>),
}

#[derive(Clone, Debug)]
struct Update {
    status: Option<Status>,
    custom: Option<(&'static str, Option<u64>)>,
    activity: Option<&'static str>,
    device: Option<&'static str>,
}

fn operation() -> impl Strategy<Value = Operation> {
    let who = 0..USERS.len();
    let kind = || prop::sample::select(vec!["desktop", "mobile"]);
    let status = prop::sample::select(Status::ALL.to_vec());
    let custom = (
        prop::sample::select(vec!["", "lunch"]),
        option::of((0..30_u64).prop_map(|n| n * 10)),
    );
    let activity = prop::sample::select(vec!["", "playing"]);
    let update = (
        option::weighted(0.7, status),
        option::weighted(0.3, custom),
        option::weighted(0.2, activity),
        option::weighted(0.2, kind()),
    );
    let update = update.prop_map(|(status, custom, activity, device)| Update {
        status,
        custom,
        activity,
        device,
    });
    prop_oneof![
        1 => who.clone().prop_map(Operation::Erase),
        3 => (0..12_u64).prop_map(|n| Operation::Advance(n * 10)),
        1 => (0..100_u64).prop_map(|n| Operation::Advance(n * 10)),
        3 => (who.clone(), 0..3_u64, option::of(kind())).prop_map(|(u, c, d)| Operation::Connect(u, c, d)),
        3 => (who.clone(), 0..3_u64).prop_map(|(u, c)| Operation::Disconnect(u, c)),
        1 => (who.clone(), kind()).prop_map(|(u, d)| Operation::RemoveDevice(u, d)),
        3 => (who.clone(), option::of(0..3_u64), update).prop_map(|(u, c, s)| Operation::Set(u, c, s)),
        2 => (who, option::of(0..3_u64)).prop_map(|(u, c)| Operation::Touch(u, c)),
    ]
}

/// What others see of a user, and since when.
#[derive(Clone, Debug, PartialEq)]
struct Shown {
    status: Status,
    since: u64,
    last_seen: u64,
    custom: Option<String>,
    activity: Option<String>,
    devices: Vec<String>,
}

/// One user of the model. What has lasted its time is looked at only when somebody asks.
#[derive(Clone, Debug)]
struct Person {
    connections: BTreeMap<u64, Option<&'static str>>,
    /// When the last connection went, and its device.
    parted: Option<(u64, Option<&'static str>)>,
    /// When it was last said to be there, without being connected.
    said: Option<u64>,
    choice: Status,
    custom: Option<(&'static str, Option<u64>)>,
    activity: Option<&'static str>,
    devices: Vec<&'static str>,
    status: Status,
    since: u64,
    shown_since: u64,
    last_active: u64,
    last_seen: u64,
    history: Vec<(u64, Status)>,
}

impl Person {
    fn new(now: u64) -> Self {
        Self {
            connections: BTreeMap::new(),
            parted: None,
            said: None,
            choice: Status::Online,
            custom: None,
            activity: None,
            devices: Vec::new(),
            status: Status::Offline,
            since: now,
            shown_since: now,
            last_active: now,
            last_seen: now,
            history: Vec::new(),
        }
    }

    /// When the user stops to be there, if nothing happens.
    fn ends(&self) -> Option<u64> {
        if !self.connections.is_empty() {
            return None;
        }
        let grace = self.parted.map_or(0, |(at, _)| at + GRACE);
        Some(grace.max(self.said.map_or(0, |at| at + TIMEOUT)))
    }

    fn is_there(&self, now: u64) -> bool {
        self.ends().is_none_or(|end| now < end)
    }

    /// What has become of the user by `now`.
    fn catch_up(&mut self, now: u64) {
        self.custom
            .take_if(|(_, until)| until.is_some_and(|until| until <= now));
        if let Some(end) = self.ends().filter(|end| *end <= now) {
            let at_once = self.parted.is_none() && self.said.is_none();
            let end = if at_once { now } else { end };
            self.parted = None;
            self.said = None;
            self.choice = Status::Online;
            self.activity = None;
            self.devices.clear();
            self.become_(end.max(self.since), Status::Offline);
        }
    }

    fn become_(&mut self, now: u64, status: Status) {
        if status == self.status {
            return;
        }
        if status.shown() != self.status.shown() {
            self.shown_since = now;
        }
        (self.status, self.since) = (status, now);
        self.history.push((now, status));
    }

    /// What follows from something done to the user just now.
    fn conclude(&mut self, now: u64) {
        self.catch_up(now);
        let was = self.status;
        let is = if self.is_there(now) {
            self.choice
        } else {
            Status::Offline
        };
        self.become_(now, is);
        if was.is_present() || is.is_present() {
            self.last_seen = self.last_active;
        }
    }

    fn erase(&mut self) {
        (self.parted, self.said, self.choice) = (None, None, Status::Online);
        (self.custom, self.activity) = (None, None);
        self.devices.clear();
        self.history.clear();
    }

    fn is_forgotten(&self, now: u64) -> bool {
        !self.is_there(now) && self.since.max(self.last_active) + REMEMBER <= now
    }

    fn set(&mut self, now: u64, through: Option<u64>, update: &Update) {
        if let Some((text, lasts)) = update.custom {
            self.custom = (!text.is_empty()).then(|| (text, lasts.map(|lasts| now + lasts)));
        }
        if let Some(activity) = update.activity {
            self.activity = Some(activity).filter(|it| !it.is_empty());
        }
        if let Some(device) = update.device {
            match through.and_then(|id| self.connections.get_mut(&id)) {
                Some(of_connection) => *of_connection = Some(device),
                None => self.devices.push(device),
            }
        }
        if let Some(status) = update.status {
            self.choice = status;
            if self.connections.is_empty() {
                self.said = Some(now).filter(|_| status != Status::Offline);
                self.parted.take_if(|_| status == Status::Offline);
            }
        }
        self.touch(now);
    }

    fn touch(&mut self, now: u64) {
        self.last_active = now;
        self.said = self.said.map(|_| now);
        if self.status.is_present() {
            self.last_seen = now;
        }
    }

    fn shown(&self) -> Shown {
        let mut shown = Shown {
            status: Status::Offline,
            since: self.shown_since,
            last_seen: self.last_seen,
            custom: None,
            activity: None,
            devices: Vec::new(),
        };
        if self.status.is_present() {
            shown.status = self.status;
            shown.custom = self.custom.map(|(text, _)| text.to_owned());
            shown.activity = self.activity.map(str::to_owned);
            let parted = self.parted.and_then(|(_, device)| device);
            let connected = self.connections.values().copied().flatten();
            let all = connected.chain(parted).chain(self.devices.iter().copied());
            shown.devices = all.map(str::to_owned).collect();
            shown.devices.sort();
            shown.devices.dedup();
        }
        shown
    }
}

/// The state, its model, and somebody who follows the changes.
struct World {
    start: Instant,
    now: u64,
    state: State,
    model: BTreeMap<UserId, Person>,
    told: BTreeMap<UserId, Shown>,
}

impl World {
    fn new() -> Self {
        let start = Instant::now();
        Self {
            start,
            now: 0,
            state: State::new(start, rules()),
            model: BTreeMap::new(),
            told: BTreeMap::new(),
        }
    }

    fn instant(&self) -> Instant {
        self.start + Duration::from_millis(self.now)
    }

    fn millis(&self, time: Instant) -> u64 {
        u64::try_from(time.saturating_duration_since(self.start).as_millis()).unwrap()
    }

    fn seen(&self, look: &Look) -> Shown {
        let kinds = look.devices.iter().map(|device| device.kind().to_owned());
        Shown {
            status: look.status,
            since: self.millis(look.since),
            last_seen: self.millis(look.last_seen),
            custom: look.profile.custom.as_ref().map(|it| it.text.to_string()),
            activity: look
                .profile
                .activity
                .as_ref()
                .map(|it| it.kind().to_owned()),
            devices: kinds.collect(),
        }
    }

    fn advance(&mut self, by: u64) {
        let target = self.now + by;
        while let Some(next) = self.state.next() {
            let next = self.millis(next);
            if next > target {
                break;
            }
            self.now = self.now.max(next);
            let (changes, _) = self.state.tick(self.instant(), 1);
            self.tell(changes);
        }
        self.now = target;
        let now = self.now;
        self.model
            .values_mut()
            .for_each(|person| person.catch_up(now));
        self.model.retain(|_, person| !person.is_forgotten(now));
    }

    fn tell(&mut self, changes: impl IntoIterator<Item = Change>) {
        for change in changes {
            let (before, now) = (self.seen(&change.before), self.seen(&change.now));
            let known = self.told.get(&change.user);
            let known = known.map_or(Status::Offline, |known| known.status);
            assert_eq!(known, before.status, "a change was left out");
            let differs = |shown: &Shown| {
                let Shown {
                    status,
                    custom,
                    activity,
                    devices,
                    ..
                } = shown.clone();
                (status, custom, activity, devices)
            };
            let expiry = |look: &Look| look.profile.custom_until;
            assert!(
                differs(&before) != differs(&now) || expiry(&change.before) != expiry(&change.now),
                "told of nothing: {before:?}"
            );
            self.told.insert(change.user, now);
        }
    }

    fn apply(&mut self, operation: Operation) {
        let now = self.now;
        match operation {
            Operation::Advance(by) => self.advance(by),
            Operation::Connect(who, id, kind) => {
                let person = self.person(who);
                person.connections.insert(id, kind);
                (person.parted, person.said, person.last_active) = (None, None, now);
                self.conclude(who, |state, now, user| {
                    state.connected(now, user, ClientId::new(id), kind.map(device).map(Arc::new))
                });
            }
            Operation::Disconnect(who, id) => {
                if let Some(person) = self.model.get_mut(USERS[who])
                    && let Some(device) = person.connections.remove(&id)
                {
                    person.last_active = now;
                    if person.connections.is_empty() {
                        person.parted = Some((now, device));
                    }
                }
                self.conclude(who, |state, now, user| {
                    state.disconnected(now, user, ClientId::new(id))
                });
            }
            Operation::Erase(who) => {
                if let Some(person) = self.model.get_mut(USERS[who]) {
                    person.erase();
                }
                self.conclude(who, |state, now, user| state.erase(now, user));
                let is_gone = |person: &mut Person| !person.is_there(now);
                if self.model.get_mut(USERS[who]).is_some_and(is_gone) {
                    self.model.remove(USERS[who]);
                }
            }
            Operation::RemoveDevice(who, kind) => {
                if let Some(person) = self.model.get_mut(USERS[who]) {
                    person.devices.retain(|known| *known != kind);
                }
                self.conclude(who, |state, now, user| {
                    state.remove_device(now, user, &device(kind))
                });
            }
            Operation::Set(who, through, update) => {
                self.person(who).set(now, through, &update);
                let real = real(&update);
                self.conclude(who, |state, now, user| {
                    state.set(now, user, through.map(ClientId::new), &real)
                });
            }
            Operation::Touch(who, through) => {
                let person = self.model.get_mut(USERS[who]);
                let known = person.map(|person| person.touch(now)).is_some();
                let at = self.instant();
                let through = through.map(ClientId::new);
                assert_eq!(self.state.touch(at, &user(USERS[who]), through), known);
            }
        }
    }

    fn person(&mut self, who: usize) -> &mut Person {
        let now = self.now;
        let person = self.model.entry(user(USERS[who]));
        person.or_insert_with(|| Person::new(now))
    }

    fn conclude(
        &mut self,
        who: usize,
        verb: impl FnOnce(&mut State, Instant, &UserId) -> Option<Change>,
    ) {
        let now = self.instant();
        let change = verb(&mut self.state, now, &user(USERS[who]));
        self.tell(change);
        if let Some(person) = self.model.get_mut(USERS[who]) {
            person.conclude(self.now);
        }
        let now = self.now;
        self.advance(0);
        assert_eq!(self.now, now);
    }

    fn check(&self) {
        for name in USERS {
            let person = self.model.get(name);
            let record = self.state.get(&user(name));
            assert_eq!(record.is_some(), person.is_some(), "{name}");
            let Some((record, person)) = record.zip(person) else {
                continue;
            };
            assert_eq!(self.seen(&record.shown()), person.shown(), "{name}");
            assert_eq!(record.full().status, person.status, "{name}");
            let told = self.told.get(name).map(|told| Shown {
                last_seen: person.last_seen,
                since: person.shown_since,
                ..told.clone()
            });
            let shown = Some(person.shown()).filter(|it| told.is_some() || it.status.is_present());
            assert_eq!(told, shown, "who follows the changes of {name} knows");
            let history: Vec<_> = record
                .history()
                .map(|(at, it)| (self.millis(at), it))
                .collect();
            let kept = person.history.len().saturating_sub(HISTORY);
            assert_eq!(history, person.history[kept..], "{name}");
            assert!(record.timers.len() < 60);
        }
        let mut present: Vec<_> = self
            .model
            .iter()
            .filter(|(_, it)| it.status.is_present())
            .map(|(user, person)| (person.shown_since, user.clone()))
            .collect();
        present.sort_by(|one, other| other.cmp(one));
        let listed = self.state.index().newest(Place::PRESENT, None, 10);
        let listed: Vec<_> = listed
            .into_iter()
            .map(|(at, user)| (self.millis(at), user))
            .collect();
        assert_eq!(listed, present);
        for status in Status::ALL {
            let count: usize = Place::of(status)
                .iter()
                .map(|place| self.state.index().count(*place))
                .sum();
            let shows =
                |person: &&Person| person.status == status || person.status.shown() == status;
            assert_eq!(count, self.model.values().filter(shows).count(), "{status}");
        }
    }
}

fn real(update: &Update) -> PresenceUpdate {
    let mut real = PresenceUpdate::new();
    real.status = update.status;
    match update.custom {
        None => {}
        Some(("", _)) => real = real.clear_custom_status(),
        Some((text, lasts)) => {
            let mut custom = CustomStatus::new(text).unwrap();
            if let Some(lasts) = lasts {
                custom = custom.expires_in(Duration::from_millis(lasts)).unwrap();
            }
            real = real.custom_status(custom);
        }
    }
    match update.activity {
        None => {}
        Some("") => real = real.clear_activity(),
        Some(kind) => real = real.activity(Activity::new(kind).unwrap()),
    }
    match update.device {
        None => real,
        Some(kind) => real.device(device(kind)),
    }
}

proptest! {
    #[test]
    fn the_state_is_what_a_model_without_timers_says(operations in vec(operation(), 1..150)) {
        let mut world = World::new();
        for operation in operations {
            world.apply(operation);
            world.check();
        }
        for (who, id) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)] {
            world.apply(Operation::Disconnect(who, id));
        }
        world.advance(GRACE + TIMEOUT + REMEMBER);
        world.check();
        prop_assert!(world.state.records.is_empty(), "nobody is remembered for ever");
        prop_assert!(Place::ALL.iter().all(|place| world.state.index().count(*place) == 0));
    }
}

#[test]
fn beyond_the_limit_the_one_that_is_gone_the_longest_is_forgotten() {
    let start = Instant::now();
    let mut state = State::new(
        start,
        Rules {
            grace: Duration::ZERO,
            max_offline_users: 2,
            ..rules()
        },
    );
    for (name, at) in [("ada", 0), ("bob", 10), ("eve", 20)] {
        let now = start + Duration::from_millis(at);
        state.connected(now, &user(name), ClientId::new(1), None);
        state.disconnected(now, &user(name), ClientId::new(1));
    }
    assert!(state.get(&user("ada")).is_none());
    assert!(state.get(&user("bob")).is_some() && state.get(&user("eve")).is_some());
}

#[test]
fn nothing_a_user_does_makes_its_timers_grow_without_bound() {
    let start = Instant::now();
    let mut state = State::new(start, rules());
    for step in 0..10_000_u64 {
        let now = start + Duration::from_micros(step);
        let lasts = Duration::from_secs(1_000_000 - step);
        let custom = CustomStatus::new("busy").unwrap().expires_in(lasts);
        let update = PresenceUpdate::new().custom_status(custom.unwrap());
        state.set(now, &user("ada"), None, &update);
    }
    assert!(state.timers.len() < 60, "{} timers", state.timers.len());
}

#[test]
fn loading_a_page_anew_is_one_timer_and_no_news() {
    let start = Instant::now();
    let mut state = State::new(start, rules());
    let ada = user("ada");
    assert!(
        state
            .connected(start, &ada, ClientId::new(0), None)
            .is_some()
    );
    for step in 1..1_000_u64 {
        let now = start + Duration::from_millis(step * 20);
        assert!(
            state
                .disconnected(now, &ada, ClientId::new(step - 1))
                .is_none()
        );
        let now = now + Duration::from_millis(GRACE - 30);
        assert!(state.tick(now, 10).0.is_empty());
        assert!(
            state
                .connected(now, &ada, ClientId::new(step), None)
                .is_none()
        );
    }
    assert!(state.timers.len() <= 2, "{} timers", state.timers.len());
}
