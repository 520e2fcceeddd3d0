//! - A task that carries out requests leaves others their turns after what they cost, no sooner.
//! - However dear a request is, they have one turn.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::task::Poll;

use tokio::runtime::Builder;

use super::BUDGET;
use super::request_cost;
use super::spend;

/// How many requests of this cost a task has begun when others have their first, second and third
/// turn.
fn turns(cost: u64) -> Vec<usize> {
    let runtime = Builder::new_current_thread().build().unwrap();
    let task = runtime.spawn(async move {
        let begun = AtomicUsize::new(0);
        let mut requests = pin!(async {
            loop {
                // Relaxed: one thread.
                begun.fetch_add(1, Ordering::Relaxed);
                spend(cost).await;
            }
        });
        let mut turns = Vec::new();
        poll_fn(|cx| {
            let polled: Poll<()> = requests.as_mut().poll(cx);
            assert!(polled.is_pending());
            // Relaxed: one thread.
            turns.push(begun.load(Ordering::Relaxed));
            if turns.len() == 3 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        turns
    });
    runtime.block_on(task).unwrap()
}

#[test]
fn others_have_their_turn_after_what_requests_cost() {
    // 128 units, and the request that finds none left.
    assert_eq!(turns(1), [129, 258, 387]);
    assert_eq!(turns(u64::from(BUDGET) / 4), [5, 10, 15]);
    assert_eq!(turns(u64::from(BUDGET)), [2, 4, 6]);
    assert_eq!(turns(u64::MAX), [1, 2, 3]);
    // 33 units each.
    assert_eq!(turns(request_cost(64 << 10)), [4, 8, 12]);
    assert_eq!(turns(request_cost(0)), [129, 258, 387]);
}
