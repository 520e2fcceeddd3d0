//! The order of idleness against a naive scan.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use proptest::collection::vec;
use proptest::prelude::*;

use super::Active;
use super::Idle;
use super::LOOKS;
use super::Roster;
use super::START;
use super::merged;
use crate::id::ClientId;

impl Active for Arc<AtomicU64> {
    fn last_active(&self) -> u64 {
        self.load(Ordering::Relaxed)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u64),
    Remove(u64),
    Touch(u64),
    Dismiss(u64),
    Look(u64, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..12u64).prop_map(Step::Insert),
        1 => (1..12u64).prop_map(Step::Remove),
        4 => (1..12u64).prop_map(Step::Touch),
        1 => (1..12u64).prop_map(Step::Dismiss),
        3 => (0..20u64, 1..4usize).prop_map(|(ago, limit)| Step::Look(ago, limit)),
    ]
}

/// Everything idle, gathered over pages.
fn pages(roster: &mut Roster<Arc<AtomicU64>>, until: u64, limit: usize) -> Vec<(u64, u64)> {
    let mut all = Vec::new();
    let mut after = START;
    loop {
        let idle = roster.idle(after, until, limit);
        assert!(idle.found.len() <= limit);
        all.extend(idle.found.iter().map(|((at, id), _)| (*at, id.get())));
        match idle.stopped {
            Some(stopped) => after = stopped,
            None => return all,
        }
    }
}

proptest! {
    #[test]
    fn the_idle_are_those_a_scan_finds(steps in vec(step(), 0..200)) {
        let mut roster = Roster::new();
        let mut model: BTreeMap<u64, (Arc<AtomicU64>, bool)> = BTreeMap::new();
        for (now, step) in (1..).zip(steps) {
            match step {
                Step::Insert(id) if !model.contains_key(&id) => {
                    let active = Arc::new(AtomicU64::new(now));
                    roster.insert(ClientId::new(id), Arc::clone(&active));
                    model.insert(id, (active, true));
                }
                Step::Remove(id) => {
                    let removed = roster.remove(ClientId::new(id));
                    prop_assert_eq!(removed.is_some(), model.remove(&id).is_some());
                }
                Step::Touch(id) => {
                    if let Some((active, _)) = model.get(&id) {
                        active.store(now, Ordering::Relaxed);
                    }
                }
                Step::Dismiss(id) => {
                    roster.dismiss(ClientId::new(id));
                    if let Some((_, counts)) = model.get_mut(&id) {
                        *counts = false;
                    }
                }
                Step::Look(ago, limit) => {
                    let until = now.saturating_sub(ago);
                    let mut idle: Vec<_> = model.iter()
                        .filter(|(_, (_, counts))| *counts)
                        .map(|(id, (active, _))| (active.last_active(), *id))
                        .filter(|(active, _)| *active <= until)
                        .collect();
                    idle.sort_unstable();
                    prop_assert_eq!(pages(&mut roster, until, limit), idle);
                }
                Step::Insert(_) => {}
            }
            let ids: Vec<_> = roster.after(None).map(|(id, _)| id.get()).collect();
            prop_assert_eq!(ids, model.keys().copied().collect::<Vec<_>>());
            prop_assert_eq!(roster.order.len(), model.values().filter(|(_, counts)| *counts).count());
        }
    }
}

#[test]
fn a_look_moves_a_bounded_number_and_the_next_goes_on() {
    let mut roster = Roster::new();
    let many = 3 * LOOKS as u64;
    for id in 1..=many {
        roster.insert(ClientId::new(id), Arc::new(AtomicU64::new(1)));
    }
    for (id, active) in roster.after(None) {
        active.store(1 + u64::from(id.get() != many), Ordering::Relaxed);
    }
    let mut looks = 0;
    let found = loop {
        looks += 1;
        let idle = roster.idle(START, 1, 1);
        if let Some((place, _)) = idle.found.first() {
            break *place;
        }
        assert_eq!(
            idle.stopped,
            Some(START),
            "there is more, and nothing was skipped"
        );
    };
    assert_eq!(found, (1, ClientId::new(many)));
    assert_eq!(looks, 3);
}

#[test]
fn several_looks_are_one_as_far_as_all_have_looked() {
    let look = |found: &[u64], stopped: Option<u64>| Idle {
        found: found
            .iter()
            .map(|at| ((*at, ClientId::new(*at)), ()))
            .collect(),
        stopped: stopped.map(|at| (at, ClientId::new(at))),
    };
    let of = |looks: [Idle<()>; 2], limit| {
        let one = merged(looks.into_iter(), limit);
        let found: Vec<_> = one.found.iter().map(|((at, _), ())| *at).collect();
        (found, one.stopped.map(|(at, _)| at))
    };
    assert_eq!(
        of([look(&[1, 4], None), look(&[2], None)], 9),
        (vec![1, 2, 4], None)
    );
    assert_eq!(
        of([look(&[1, 4], None), look(&[2], Some(2))], 9),
        (vec![1, 2], Some(2))
    );
    assert_eq!(
        of([look(&[1, 4], None), look(&[2], None)], 2),
        (vec![1, 2], Some(2))
    );
    assert_eq!(
        of([look(&[4], None), look(&[], Some(0))], 9),
        (vec![], Some(0))
    );
}
