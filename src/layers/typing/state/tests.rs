//! The state against a dull model without timers: who types where, and until when.

use std::collections::BTreeMap;
use std::time::Duration;
use std::time::Instant;

use proptest::collection::vec;
use proptest::prelude::*;

use super::Change;
use super::Full;
use super::State;
use super::TICK;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::layers::typing::config::TypingConfig;

const EXPIRES: u64 = 300;
const THROTTLE: u64 = 100;
const MOST: usize = 2;

#[derive(Clone, Debug)]
enum Step {
    Advance(u64),
    Start(usize, usize),
    Stop(usize, usize),
    Clear(usize),
    Close(usize),
}

type Key = (String, String);

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..=EXPIRES / 10).prop_map(|ticks| Step::Advance(10 * ticks)),
        6 => (0..3usize, 0..2usize).prop_map(|(user, room)| Step::Start(user, room)),
        2 => (0..3usize, 0..2usize).prop_map(|(user, room)| Step::Stop(user, room)),
        1 => (0..3usize).prop_map(Step::Clear),
        1 => (0..2usize).prop_map(Step::Close),
    ]
}

fn user(user: usize) -> UserId {
    UserId::parse(["ada", "bob", "eve"][user]).unwrap()
}

fn room(room: usize) -> RoomId {
    RoomId::parse(["den", "lab"][room]).unwrap()
}

fn key(room: &RoomId, user: &UserId) -> Key {
    (room.to_string(), user.to_string())
}

/// The time of the model, in milliseconds, and of each who types until when and when it was told.
#[derive(Default)]
struct Model {
    now: u64,
    typing: BTreeMap<Key, (u64, u64)>,
}

impl Model {
    fn start(&mut self, room: &RoomId, user: &UserId) -> Result<bool, Full> {
        let (now, until) = (self.now, self.now + EXPIRES);
        if let Some((ends, told)) = self.typing.get_mut(&key(room, user)) {
            let is_told = now - *told >= THROTTLE;
            (*ends, *told) = (until, if is_told { now } else { *told });
            return Ok(is_told);
        }
        let in_room = self.typing.keys().filter(|(of, _)| **of == **room);
        if in_room.count() >= MOST {
            return Err(Full);
        }
        self.typing.insert(key(room, user), (until, now));
        Ok(true)
    }

    /// Takes out those of whom `over` holds.
    fn end(&mut self, over: impl Fn(&Key, u64) -> bool) -> Vec<Key> {
        let is_over = |(key, (until, _)): &(&Key, &(u64, u64))| over(key, *until);
        let ended: Vec<_> = self
            .typing
            .iter()
            .filter(is_over)
            .map(|(key, _)| key.clone())
            .collect();
        self.typing.retain(|key, _| !ended.contains(key));
        ended
    }
}

fn stops(changes: impl IntoIterator<Item = Change>) -> Vec<Key> {
    let stopped = changes
        .into_iter()
        .inspect(|change| assert!(!change.is_typing));
    let mut keys: Vec<_> = stopped
        .map(|change| key(&change.room, &change.user))
        .collect();
    keys.sort_unstable();
    keys
}

fn expire(state: &mut State, now: Instant) -> Vec<Key> {
    let mut changes = Vec::new();
    while state.expire(now, &mut changes) {}
    stops(changes)
}

fn state(start: Instant) -> State {
    let config = TypingConfig::new().expires(Duration::from_millis(EXPIRES));
    let config = config.throttle(Duration::from_millis(THROTTLE));
    State::new(start, config.max_per_room(Some(MOST)))
}

proptest! {
    #[test]
    fn every_start_is_told_and_followed_by_one_stop(steps in vec(step(), 0..200)) {
        let start = Instant::now();
        let (mut state, mut model) = (state(start), Model::default());
        let at = |model: &Model| start + Duration::from_millis(model.now);
        for step in steps {
            match step {
                Step::Advance(by) => {
                    model.now += by;
                    let now = model.now;
                    let over = model.end(|_, until| until <= now);
                    prop_assert_eq!(expire(&mut state, at(&model)), over);
                }
                Step::Start(who, place) => {
                    let (user, room) = (user(who), room(place));
                    let told = state.start(at(&model), &room, &user);
                    prop_assert!(told.iter().flatten().all(|change| change.is_typing));
                    prop_assert_eq!(told.map(|change| change.is_some()), model.start(&room, &user));
                }
                Step::Stop(who, place) => {
                    let wanted = key(&room(place), &user(who));
                    let ended = model.end(|key, _| *key == wanted);
                    prop_assert_eq!(stops(state.stop(&room(place), &user(who))), ended);
                }
                Step::Clear(who) => {
                    let ended = model.end(|(_, user), _| **user == *self::user(who));
                    prop_assert_eq!(stops(state.clear(&user(who))), ended);
                }
                Step::Close(place) => {
                    let ended = model.end(|(room, _), _| **room == *self::room(place));
                    prop_assert_eq!(stops(state.close(&room(place))), ended);
                }
            }
            for place in [0, 1].map(room) {
                let in_room = model.typing.keys().filter(|(room, _)| **room == *place);
                let wanted: Vec<_> = in_room.map(|(_, user)| user.clone()).collect();
                let listed = state.list(at(&model), &place);
                prop_assert_eq!(listed.iter().map(|user| user.to_string()).collect::<Vec<_>>(), wanted);
            }
        }
        let end = at(&model) + Duration::from_millis(EXPIRES) + TICK;
        prop_assert_eq!(expire(&mut state, end).len(), model.typing.len());
        prop_assert!(state.rooms.is_empty() && state.places.is_empty(), "nothing is left");
        prop_assert_eq!(state.wheel.len(), 0);
    }
}

#[test]
fn who_starts_and_stops_all_the_time_takes_one_place() {
    let start = Instant::now();
    let mut state = state(start);
    for _ in 0..1000 {
        assert!(state.start(start, &room(0), &user(0)).is_ok());
        assert!(state.stop(&room(0), &user(0)).is_some());
    }
    assert_eq!(state.wheel.len(), 1);
}
