//! A loom model of the gap cell: the channel's owner loses publications, the client is told.
//!
//! # What was seen failing
//!
//! | change | |
//! |---|---|
//! | `note`: `fetch_add` by AcqRel to Acquire | red |
//! | `note`: a load and a store instead of `fetch_add` | red |
//! | `take`: Acquire to Relaxed | red |
//! | `take`: Acquire (on failure) to Relaxed | red |
//! | `take`: a store where the compare-exchange failed | red |
//! | `note`: `fetch_add` by AcqRel to Release, its Acquire to Relaxed; `take`: Release to Relaxed | green |
//! | `note`: the stores of 1 by Release to Relaxed | green |
//!
//! The first green row keeps the owner from writing `first` before the client has read it: a load
//! that moves behind a store, which loom does not do. In the second the notice, which is sent after
//! the store, orders it as well; the cell does not rely on how it is told.

use super::GapCell;
use super::Lost;
use super::Notice;
use crate::sync::Arc;
use crate::sync::atomic::AtomicUsize;
use crate::sync::atomic::Ordering;
use crate::sync::thread;

/// What was lost, and the notices of it, which come by the control lane: sent by the owner, taken
/// by the client, one gap for each.
#[derive(Default)]
struct Told {
    cell: GapCell,
    notices: AtomicUsize,
}

/// `(first, last, missed)` of every gap, until `losses` are told.
fn takes(told: &Told, losses: u64) -> Vec<(u64, u64, u64)> {
    let (mut gaps, mut missed) = (Vec::new(), 0);
    while missed < losses {
        // Acquire: as by the lane.
        while told.notices.load(Ordering::Acquire) == gaps.len() {
            thread::yield_now();
        }
        let gap = told.cell.take().expect("a notice is of something");
        missed += gap.2;
        gaps.push(gap);
    }
    gaps
}

/// Runs of losses, as a replay notes them, race the taking: each number is told, and counted once.
#[test]
fn runs_of_losses_race_the_taking_of_the_gap() {
    const RUNS: [(u64, u64); 3] = [(1, 3), (5, 5), (8, 9)];
    const LOSSES: u64 = 6;
    loom::model(|| {
        let told = Arc::new(Told::default());
        let client = {
            let told = Arc::clone(&told);
            thread::spawn(move || takes(&told, LOSSES))
        };
        for (first, last) in RUNS {
            if told.cell.note(Lost { first, last }) == Notice::Send {
                // Release: as by the lane.
                told.notices.fetch_add(1, Ordering::Release);
            }
        }
        let gaps = client.join().expect("no panic");
        let mut runs = RUNS.into_iter().peekable();
        for (begin, end, mut missed) in gaps {
            assert_eq!(
                runs.peek().map(|run| run.0),
                Some(begin),
                "it begins with a run"
            );
            let mut reached = 0;
            while missed > 0 {
                let (first, last) = runs.next().expect("no more than was lost");
                missed = missed
                    .checked_sub(last - first + 1)
                    .expect("whole runs are counted");
                reached = last;
            }
            let next = runs.peek().map(|run| run.1);
            assert!(
                end == reached || Some(end) == next,
                "the gap ends with what was counted, or with a run that is told again"
            );
        }
        assert_eq!(runs.next(), None, "each loss is counted once");
    });
}

#[test]
fn losses_race_the_taking_of_the_gap() {
    const LOSSES: u64 = 3;
    loom::model(|| {
        let told = Arc::new(Told::default());
        let client = {
            let told = Arc::clone(&told);
            thread::spawn(move || takes(&told, LOSSES))
        };
        for offset in 1..=LOSSES {
            if told.cell.note(Lost::one(offset)) == Notice::Send {
                // Release: as by the lane.
                told.notices.fetch_add(1, Ordering::Release);
            }
        }
        let gaps = client.join().expect("no panic");
        let mut told_of = 0;
        for (first, last, missed) in gaps {
            assert_eq!(
                first,
                told_of + 1,
                "the gap begins where the last one ended"
            );
            told_of += missed;
            assert!(
                last == told_of || last == told_of + 1,
                "the gap ends with what was counted, or with one that is told again"
            );
        }
        assert_eq!(told_of, LOSSES, "each loss is counted once");
    });
}
