//! What waits to be told.

use std::time::Instant;

use super::News;
use crate::layers::name::UserId;
use crate::layers::presence::state::Change;
use crate::layers::presence::state::Look;
use crate::layers::presence::status::Status;

fn look(status: Status) -> Look {
    Look {
        status,
        ..Look::offline(Instant::now())
    }
}

fn change(user: &str, before: Status, now: Status) -> Change {
    Change {
        user: UserId::parse(user).unwrap(),
        before: look(before),
        now: look(now),
    }
}

/// What is told next: `ada offline>online`.
fn told(news: &mut News) -> Option<String> {
    let change = news.pop()?;
    let (before, now) = change.statuses();
    Some(format!("{} {before}>{now}", change.user))
}

#[test]
fn what_changes_again_before_it_was_told_is_told_once() {
    let mut news = News::default();
    news.push(change("ada", Status::Offline, Status::Online));
    news.push(change("bob", Status::Offline, Status::Online));
    news.push(change("ada", Status::Online, Status::Away));
    news.push(change("bob", Status::Online, Status::Offline));
    assert_eq!(told(&mut news).as_deref(), Some("ada offline>away"));
    assert_eq!(told(&mut news), None, "bob came and went");
    assert!(news.changes.is_empty() && news.order.is_empty());
}

#[test]
fn one_at_a_time_tells_and_leaves_nothing_behind() {
    let mut news = News::default();
    assert!(!news.begin(), "there is nothing to tell");
    news.push(change("ada", Status::Offline, Status::Online));
    assert!(news.begin());
    assert!(!news.begin(), "somebody is about it");
    assert!(news.pop().is_some());
    news.push(change("ada", Status::Online, Status::Away));
    assert!(!news.begin(), "somebody still is");
    assert_eq!(told(&mut news).as_deref(), Some("ada online>away"));
    assert!(news.pop().is_none());
    news.push(change("ada", Status::Away, Status::Busy));
    assert!(news.begin(), "the next one is");
}
