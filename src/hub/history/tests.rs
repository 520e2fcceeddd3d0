//! Tests of what one channel remembers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Budget;
use super::History;
use super::HistoryOptions;
use super::HistoryQuery;
use super::OVERHEAD;
use crate::hub::encodings::EncodingSlot;
use crate::hub::frame::Frame;
use crate::hub::frame::StreamPosition;
use crate::hub::frame::What;
use crate::message::Message;

fn frame(offset: u64, bytes: usize) -> Frame {
    let message = Message::text("x".repeat(bytes));
    Frame::new(
        What::Message(message),
        None,
        StreamPosition { offset, epoch: 1 },
        0,
    )
}

fn history(options: HistoryOptions, budget: &Arc<Budget>) -> History {
    History::new(options, 0, Arc::clone(budget))
}

fn kept(history: &History) -> Vec<u64> {
    history.after(0).map(|entry| entry.number).collect()
}

#[test]
fn each_bound_holds() {
    let budget = Arc::new(Budget::new(1 << 20));
    let options = HistoryOptions::new()
        .messages(4)
        .bytes(10)
        .age(Duration::from_millis(100));
    let mut history = history(options, &budget);
    for number in 1..=6 {
        history.push(number, frame(number, 1), None, 0);
    }
    assert_eq!((kept(&history), history.floor()), (vec![3, 4, 5, 6], 2));
    history.push(7, frame(7, 8), None, 50);
    assert_eq!((kept(&history), history.floor()), (vec![5, 6, 7], 4));
    history.expire(100);
    assert_eq!(kept(&history), [5, 6, 7], "an age is reached, not exceeded");
    history.expire(101);
    assert_eq!((kept(&history), history.floor()), (vec![7], 6));
    history.push(8, frame(8, 11), None, 102);
    assert_eq!((kept(&history), history.floor()), (vec![], 8), "too large");
    assert_eq!((history.size(), budget.used()), ((0, 0), 0));
}

#[test]
fn what_is_not_kept_is_not_missed() {
    let budget = Arc::new(Budget::new(1 << 20));
    let mut history = history(HistoryOptions::new().messages(2), &budget);
    for number in [2, 5, 9] {
        history.push(number, frame(number, 1), None, 0);
    }
    assert_eq!((kept(&history), history.floor()), (vec![5, 9], 2));
    let after: Vec<_> = history.after(5).map(|entry| entry.number).collect();
    assert_eq!(after, [9]);
}

#[test]
fn all_channels_together_keep_to_the_budget() {
    let one = OVERHEAD + 100;
    let budget = Arc::new(Budget::new(3 * one));
    let mut first = history(HistoryOptions::new(), &budget);
    let mut second = history(HistoryOptions::new(), &budget);
    for number in 1..=3 {
        first.push(number, frame(number, 100), None, 0);
    }
    second.push(1, frame(1, 100), None, 0);
    assert_eq!(kept(&second), [0; 0], "it had nothing else to forget");
    first.push(4, frame(4, 100), None, 0);
    assert_eq!(kept(&first), [2, 3, 4]);
    drop(first);
    assert_eq!(budget.used(), 0);
}

#[test]
fn pages_go_both_ways() {
    let budget = Arc::new(Budget::new(1 << 20));
    let mut history = history(HistoryOptions::new(), &budget);
    for number in 1..=10 {
        history.push(number, frame(number, 1), None, 0);
    }
    let page = |query: HistoryQuery| {
        let (frames, more) = history.page(&query, || 0);
        (frames.iter().map(Frame::offset).collect::<Vec<_>>(), more)
    };
    let oldest = HistoryQuery::new().limit(4);
    assert_eq!(page(oldest.clone()), (vec![1, 2, 3, 4], true));
    assert_eq!(page(oldest.clone().after(4)), (vec![5, 6, 7, 8], true));
    assert_eq!(page(oldest.after(8)), (vec![9, 10], false));
    let newest = HistoryQuery::new().limit(4).newest_first();
    assert_eq!(page(newest.clone()), (vec![10, 9, 8, 7], true));
    assert_eq!(page(newest.before(3)), (vec![2, 1], false));
    assert_eq!(
        page(HistoryQuery::new().after(5).before(5)),
        (vec![], false)
    );
    assert_eq!(page(HistoryQuery::new().after(99)), (vec![], false));
}

#[test]
fn what_is_forgotten_gives_its_place_back() {
    let budget = Arc::new(Budget::new(1 << 30));
    let options = HistoryOptions::new()
        .messages(10_000)
        .age(Duration::from_millis(100));
    let mut history = history(options.clone(), &budget);
    for number in 1..=10_000 {
        history.push(number, frame(number, 1), None, number / 100);
    }
    assert!(history.entries.capacity() >= 10_000);
    history.expire(150);
    assert_eq!(history.size().0, 5001);
    history.set(options.messages(100), 150);
    assert_eq!(history.size().0, 100);
    assert!(history.entries.capacity() <= 400);
    history.expire(1000);
    assert!(history.entries.capacity() <= 64);
}

#[test]
fn encodings_of_what_is_kept_count_in_the_budget_and_go_with_it() {
    let budget = Arc::new(Budget::new(4096));
    let mut history = history(HistoryOptions::new().messages(2), &budget);
    let frames: Vec<_> = (1..=3).map(|offset| frame(offset, 100)).collect();
    let encode = |frame: &Frame, bytes: usize| {
        let encoding = frame.encoded(EncodingSlot::custom(0), |_| Bytes::from(vec![0; bytes]));
        assert_eq!(encoding.len(), bytes);
    };
    encode(&frames[0], 500);
    for (frame, offset) in frames.iter().zip(1..) {
        history.push(offset, frame.clone(), None, 0);
    }
    let plain = budget.used();
    assert_eq!(plain, 2 * (OVERHEAD + 100) as u64, "the first one is gone");
    encode(&frames[1], 500);
    assert!(budget.used() >= plain + 500);
    // A replay shares it, until there is more than there may be.
    let entry = || history.after(0).next().unwrap();
    assert!(history.replayed(entry()).ptr_eq(&frames[1]));
    encode(&frames[2], 4096);
    let replayed = history.replayed(entry());
    assert!(!replayed.ptr_eq(&frames[1]) && replayed.offset() == 2);
    // The next publication makes room.
    history.push(4, frame(4, 100), None, 0);
    assert!(budget.used() <= 4096, "{}", budget.used());
    drop(history);
    assert_eq!(budget.used(), 0);
    encode(&replayed, 500);
    assert_eq!(budget.used(), 0);
}
