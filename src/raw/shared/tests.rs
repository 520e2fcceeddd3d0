use super::Shared;
use super::release_runs;
use crate::sync::Arc;
use crate::sync::UnsafeCell;
use crate::sync::atomic::AtomicUsize;
use crate::sync::atomic::Ordering;
use crate::sync::thread;

/// Counts how often it is dropped.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn model(f: impl Fn() + Sync + Send + 'static) {
    #[cfg(throng_loom)]
    loom::model(f);
    #[cfg(not(throng_loom))]
    f();
}

fn counted() -> (Shared<Counted>, Arc<AtomicUsize>) {
    let drops = Arc::new(AtomicUsize::new(0));
    (Shared::new(Counted(Arc::clone(&drops))), drops)
}

#[test]
fn model_a_loan_gives_back_what_was_not_taken() {
    model(|| {
        let (shared, drops) = counted();
        let mut loan = shared.lend(3);
        let taken = loan.take();
        let refused = loan.take();
        loan.give_back(refused);
        drop(loan);
        drop(shared);
        assert_eq!(drops.load(Ordering::Relaxed), 0);
        drop(taken);
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn model_runs_of_equal_owners_are_released_whatever_their_order() {
    model(|| {
        let (a, a_drops) = counted();
        let (b, b_drops) = counted();
        let owners = vec![a.clone(), a.clone(), b.clone(), a.clone(), b, a];
        release_runs(owners.into_iter());
        assert_eq!(a_drops.load(Ordering::Relaxed), 1);
        assert_eq!(b_drops.load(Ordering::Relaxed), 1);
    });
}

/// With the Release of `lower` or the Acquire fence after it made Relaxed, loom reports a
/// causality violation: the value would be dropped while another owner may still read it.
#[test]
fn model_the_last_of_racing_owners_drops_the_value_once() {
    model(|| {
        let cell = UnsafeCell::new(0_u32);
        let shared = Shared::new(Touched { cell });
        let mut loan = shared.lend(2);
        let others: Vec<_> = (0..2)
            .map(|_| {
                let owner = loan.take();
                thread::spawn(move || owner.look())
            })
            .collect();
        drop(loan);
        drop(shared);
        for other in others {
            other.join().expect("the other owner does not panic");
        }
    });
}

/// Reads its cell while shared and writes it when dropped: both at once is a race.
struct Touched {
    cell: UnsafeCell<u32>,
}

impl Touched {
    fn look(&self) {
        // SAFETY: only `drop` writes, and it runs after every owner is gone; that is what the
        // model checks.
        let _ = self.cell.with(|value| unsafe { *value });
    }
}

impl Drop for Touched {
    fn drop(&mut self) {
        // SAFETY: `&mut self`.
        self.cell.with_mut(|value| unsafe { *value += 1 });
    }
}

// SAFETY: see `look`: reads are shared, the one write is exclusive.
unsafe impl Sync for Touched {}
